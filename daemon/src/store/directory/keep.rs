//! Keeping what was replaced, and sweeping what a killed process left.

use std::fs::File;
use std::path::Path;

use super::{DirectoryStore, OUTGOING, TEMPORARY_PREFIX, errno_of, failed};
use crate::platform::{self, AsFd, AtFlags, CWD, Errno, Mode, OFlags, open_beneath, rename_new};
use crate::store::StoreError;

impl DirectoryStore {
    /// Moves what came out to `keep`, or removes it. Should that fail, it stays under its outgoing name for
    /// [`sweep_own`](Self::sweep_own).
    pub(super) fn keep(&self, outgoing: &str, keep: Option<&Path>) -> Result<(), StoreError> {
        let Some(keep) = keep else {
            self.unlink(outgoing);
            return Ok(());
        };
        let shown = keep.display().to_string();
        let Some(target) = keep.to_str() else { return Err(failed(&shown, Errno::ILSEQ)) };
        match rename_new(self.root(), outgoing, CWD, target) {
            Err(Errno::XDEV) => {}
            done => return done.map_err(|e| failed(&shown, e)),
        }
        self.copy(outgoing, keep).map_err(|e| failed(&shown, errno_of(&e)))?;
        self.unlink(outgoing);
        Ok(())
    }

    /// Copies to another file system, durably.
    fn copy(&self, outgoing: &str, keep: &Path) -> std::io::Result<()> {
        let mut from = File::from(open_beneath(self.root(), outgoing, OFlags::RDONLY, Mode::empty())?);
        let mut to = File::options().write(true).create_new(true).open(keep)?;
        let copied = std::io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
        if copied.is_err() {
            // Half a file is of no use to anybody; the whole one stays where it is.
            let _ = std::fs::remove_file(keep);
        }
        copied
    }

    /// Engine rule 21: only files with this device's id in the name. One with the outgoing name may be somebody's
    /// only copy.
    pub(super) fn sweep_own(&self, keep: &Path) -> Result<usize, StoreError> {
        let error = |e| failed("the encrypted folder", e);
        let own = format!("{TEMPORARY_PREFIX}{}-", self.device);
        let directory = open_beneath(self.root(), "", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let directory = directory.map_err(error)?;
        let mut names = Vec::new();
        platform::list(directory.as_fd(), |name, _| {
            names.extend(name.to_str().ok().filter(|name| name.starts_with(&own)).map(str::to_owned));
        })
        .map_err(error)?;
        for name in &names {
            if name.ends_with(OUTGOING) {
                std::fs::create_dir_all(keep)
                    .map_err(|e| failed(&keep.display().to_string(), errno_of(&e)))?;
                self.keep(name, Some(&keep.join(name.trim_start_matches(TEMPORARY_PREFIX))))?;
                continue;
            }
            match platform::unlinkat(self.root(), name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(other) => return Err(failed(name, other)),
            }
        }
        Ok(names.len())
    }
}
