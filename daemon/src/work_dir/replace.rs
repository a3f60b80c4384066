//! Replacing what is there, never blindly (engine rule 17).

use std::sync::Arc;

use ensafer_core::tree::Stamp;

use super::trash::Slot;
use super::{Parent, StagedFile, Trash, WorkDir, WorkError, is_expected, is_same_moved};
use crate::platform::{self, AtFlags, Errno, FileType, exchange, facts_at, rename_new};

impl WorkDir {
    /// Exchanges the expected file or symbolic link at `path` with a staged file, atomically; the old one is in the
    /// trash afterwards. If something else came out it is put back, and the staged file is gone; if its place was
    /// taken meanwhile it is [kept beside](WorkError::KeptBeside). On file systems that cannot exchange, nothing is at
    /// `path` for a moment.
    pub fn replace(
        &self,
        mut staged: StagedFile,
        path: &str,
        expected: &Stamp,
        trash: &Trash,
    ) -> Result<Stamp, WorkError> {
        let (parent, name) = self.parent_of_expected(path, expected)?;
        // The new file goes to the trash first, so that the exchange puts the old one there whatever happens next.
        let slot = trash
            .take(path, |slot| rename_new(staged.directory(), staged.name(), &slot.directory, &slot.name))?;
        staged.disarm();
        self.exchange_with(&slot, &parent, name, path, expected)?;
        staged.stamp(path)
    }

    /// As [`replace`](Self::replace), with a new symbolic link.
    pub fn replace_with_symlink(
        &self,
        target: &str,
        path: &str,
        expected: &Stamp,
        trash: &Trash,
    ) -> Result<Stamp, WorkError> {
        let (parent, name) = self.parent_of_expected(path, expected)?;
        let slot = trash.take(path, |slot| platform::symlinkat(target, &slot.directory, &slot.name))?;
        self.exchange_with(&slot, &parent, name, path, expected)?;
        Ok(parent.facts(name).map_err(|e| WorkError::new(path, e))?.stamp)
    }

    fn parent_of_expected<'p>(
        &self,
        path: &'p str,
        expected: &Stamp,
    ) -> Result<(Parent<'_>, &'p str), WorkError> {
        let (parent, name) = self.inner.parent(path)?;
        let found = parent.facts(name).map_err(|e| WorkError::new(path, e))?;
        if found.kind == FileType::Directory || !is_expected(&found, expected) {
            return Err(WorkError::Changed { path: path.to_owned() });
        }
        Ok((parent, name))
    }

    /// Exchanges what lies ready in `slot` with the expected entry; on an error the former is removed.
    pub(super) fn exchange_with(
        &self,
        slot: &Slot,
        parent: &Parent<'_>,
        name: &str,
        path: &str,
        expected: &Stamp,
    ) -> Result<(), WorkError> {
        let own =
            facts_at(&slot.directory, &slot.name).map_err(|e| WorkError::new(&slot.path, e))?.stamp.inode;
        match exchange(&slot.directory, &slot.name, parent, name) {
            Ok(true) => {}
            Ok(false) => return self.exchange_in_steps(slot, parent, name, path, expected),
            Err(error) => {
                slot.discard();
                return Err(WorkError::new(path, error));
            }
        }
        self.inner.touch_parent_of(path);
        let out = facts_at(&slot.directory, &slot.name).map_err(|e| WorkError::new(&slot.path, e))?;
        if is_same_moved(&out, expected) {
            return Ok(());
        }
        match exchange(&slot.directory, &slot.name, parent, name) {
            Ok(_) | Err(Errno::NOENT) => Err(self.settle(slot, own, path)),
            Err(_) => Err(WorkError::KeptBeside { path: path.to_owned(), beside: slot.path.clone() }),
        }
    }

    /// After exchanging back: what lies in the slot is ours, or something that came in between.
    pub(super) fn settle(&self, slot: &Slot, own: u64, path: &str) -> WorkError {
        match facts_at(&slot.directory, &slot.name) {
            Ok(found) if found.stamp.inode == own => {
                slot.discard();
                WorkError::Changed { path: path.to_owned() }
            }
            _ => self.put_back(slot, path),
        }
    }

    /// For file systems without an atomic exchange: aside, check, in.
    pub(super) fn exchange_in_steps(
        &self,
        slot: &Slot,
        parent: &Parent<'_>,
        name: &str,
        path: &str,
        expected: &Stamp,
    ) -> Result<(), WorkError> {
        let aside = slot.aside();
        let renamed = rename_new(parent, name, &slot.directory, &aside.name);
        if let Err(error) = renamed {
            slot.discard();
            return Err(WorkError::new(path, error));
        }
        self.inner.touch_parent_of(path);
        let out = facts_at(&slot.directory, &aside.name);
        if !out.is_ok_and(|out| is_same_moved(&out, expected)) {
            slot.discard();
            return Err(self.put_back(&aside, path));
        }
        if let Err(error) = rename_new(&slot.directory, &slot.name, parent, name) {
            slot.discard();
            // The place was taken by somebody: what was there before stays in the trash.
            return Err(match error {
                Errno::EXIST => WorkError::Changed { path: path.to_owned() },
                error => {
                    self.put_back(&aside, path);
                    WorkError::new(path, error)
                }
            });
        }
        Ok(())
    }
}

impl Slot {
    /// Removes what lies in it: the staged file that was not placed.
    fn discard(&self) {
        let _ = platform::unlinkat(&self.directory, &self.name, AtFlags::empty());
    }

    /// A second place beside this one.
    fn aside(&self) -> Self {
        let suffix = format!(".{:016x}", crate::durable::unique_number());
        let room = ensafer_core::tree::Name::MAX_BYTES - suffix.len();
        let name = format!("{}{suffix}", &self.name[..self.name.floor_char_boundary(room)]);
        let directory = self.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let path = format!("{directory}/{name}");
        Self { directory: Arc::clone(&self.directory), name, path }
    }
}
