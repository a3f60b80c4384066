//! Temporary files on their way into the work folder.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use ensafer_core::time::Timestamp;
use ensafer_core::tree::Stamp;

use super::{WorkDir, WorkError, is_executable};
use crate::durable::unique_number;
use crate::platform::{
    self, AsFd, AtFlags, BorrowedFd, Errno, FileExt, FileType, Mode, OFlags, OwnedFd, Timespec, Timestamps,
    UTIME_OMIT, facts_of, list, rename_new, set_mode,
};

const DIRECTORY: &str = "tmp";

/// A temporary file in `.ensafer/tmp` that may become a file of the work folder. Dropped unplaced, it is removed.
#[derive(Debug)]
pub struct StagedFile {
    file: File,
    directory: Arc<OwnedFd>,
    /// Empty once the file has a place of its own.
    name: String,
    umask: u32,
    keeps_modes: bool,
    length_bytes: AtomicU64,
}

impl WorkDir {
    /// Makes a temporary file, readable by its owner only until it is finished.
    pub fn stage(&self) -> Result<StagedFile, WorkError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempts = 0;
        loop {
            let directory = self.temporaries(attempts > 0)?;
            let name = format!("{:016x}", unique_number());
            match platform::openat(&*directory, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    return Ok(StagedFile {
                        file: file.into(),
                        directory,
                        name,
                        umask: self.inner.umask,
                        keeps_modes: self.inner.keeps_modes(),
                        length_bytes: AtomicU64::new(0),
                    });
                }
                // Somebody removed the directory, or the name was left by a killed process.
                Err(Errno::NOENT | Errno::EXIST) if attempts < 8 => attempts += 1,
                Err(error) => return Err(WorkError::new(".ensafer/tmp", error)),
            }
        }
    }

    /// Makes the contents of `staged` durable (engine rule 16). Nothing may be placed before.
    pub fn barrier(&self, staged: &[StagedFile]) -> Result<(), WorkError> {
        let bytes = staged.iter().map(|s| s.length_bytes.load(Ordering::Relaxed)).sum();
        let done = self.inner.anchor.barrier(staged.iter().map(|s| &s.file), bytes);
        done.map_err(|e| WorkError::new(".ensafer/tmp", e))
    }

    /// Gives a staged file its place, where nothing may be. Returns its stamp from now on.
    pub fn place_new(&self, mut staged: StagedFile, path: &str) -> Result<Stamp, WorkError> {
        let (parent, name) = self.inner.parent(path)?;
        rename_new(&staged.directory, &staged.name, &parent, name).map_err(|e| WorkError::new(path, e))?;
        staged.disarm();
        self.inner.touch_parent_of(path);
        staged.stamp(path)
    }

    /// Removes what a killed process left in `.ensafer/tmp`. Nothing may be staged. Returns how many files.
    pub fn sweep_temporaries(&self) -> Result<usize, WorkError> {
        let error = |e| WorkError::new(".ensafer/tmp", e);
        let directory = self.temporaries(true)?;
        let mut names = Vec::new();
        // A directory is nobody's temporary file. Unlinking it fails in ways that differ between systems.
        let is_file = |kind| kind != FileType::Directory;
        list(directory.as_fd(), |name, kind| names.extend(is_file(kind).then(|| name.to_owned())))
            .map_err(error)?;
        for name in &names {
            match platform::unlinkat(&*directory, name.as_c_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(other) => return Err(error(other)),
            }
        }
        Ok(names.len())
    }

    fn temporaries(&self, anew: bool) -> Result<Arc<OwnedFd>, WorkError> {
        let mut held = self.inner.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = held.as_ref().filter(|_| !anew) {
            return Ok(Arc::clone(directory));
        }
        let opened = Arc::new(self.inner.private(DIRECTORY)?);
        *held = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

impl StagedFile {
    /// Writes all of `bytes` at `offset`; several threads may write different ranges.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WorkError> {
        self.file.write_all_at(bytes, offset).map_err(|e| WorkError::io(&self.shown(), e))?;
        let end = offset.saturating_add(bytes.len() as u64);
        self.length_bytes.fetch_max(end, Ordering::Relaxed);
        Ok(())
    }

    /// Sets the length, which is 0 at first and grows by writing.
    pub fn set_len(&self, length: u64) -> Result<(), WorkError> {
        self.file.set_len(length).map_err(|e| WorkError::io(&self.shown(), e))
    }

    /// Sets the permissions (those of `like_mode` where a file is replaced, else what the umask leaves of 0666) with
    /// or without the executable bits, where the file system keeps any, and the time of last change. Call it last.
    pub fn finish(
        &mut self,
        modified: Timestamp,
        executable: bool,
        like_mode: Option<u32>,
    ) -> Result<(), WorkError> {
        let mode = like_mode.map_or(0o666 & !self.umask, |mode| mode & 0o777);
        // Of a file system that keeps no modes, some still keep whether a file is read-only.
        match set_mode(&self.file, with_executable(mode, executable)) {
            Err(error) if self.keeps_modes => return Err(WorkError::new(&self.shown(), error)),
            _ => {}
        }
        platform::futimens(&self.file, &times(modified)).map_err(|e| WorkError::new(&self.shown(), e))
    }

    /// Whether this file, which was made without the executable bits, shows that it is given them.
    pub(super) fn keeps_modes(&self) -> Result<bool, WorkError> {
        let error = |e| WorkError::new(&self.shown(), e);
        let was_executable = is_executable(&facts_of(&self.file).map_err(error)?);
        match set_mode(&self.file, 0o700) {
            Ok(()) => Ok(!was_executable && is_executable(&facts_of(&self.file).map_err(error)?)),
            // Some file systems refuse, the others only do nothing.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
            Err(other) => Err(error(other)),
        }
    }

    /// The file, for reading back what was written.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says that the temporary name is gone.
    pub(super) fn disarm(&mut self) {
        self.name.clear();
    }

    pub(super) fn stamp(&self, path: &str) -> Result<Stamp, WorkError> {
        Ok(facts_of(&self.file).map_err(|e| WorkError::new(path, e))?.stamp)
    }

    fn shown(&self) -> String {
        format!(".ensafer/tmp/{}", self.name)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // Should this fail, the next sweep removes it.
            let _ = platform::unlinkat(&*self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// Whoever may read may execute, or nobody.
pub(super) const fn with_executable(mode: u32, executable: bool) -> u32 {
    if !executable {
        mode & !0o111
    } else if mode & 0o100 != 0 {
        mode
    } else {
        mode | 0o100 | ((mode & 0o444) >> 2)
    }
}

/// Sets the time of last change and leaves that of last access.
pub(crate) fn times(modified: Timestamp) -> Timestamps {
    let (seconds, nanos) = modified.to_parts();
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos },
    }
}
