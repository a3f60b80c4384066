//! The trash: `.ensafer/trash/<YYYY-MM-DD>/<HHMMSS-nnn>/<relative path>`, understood without any database. What lay in the
//! encrypted folder is in `.ensafer/trash/<YYYY-MM-DD>/encrypted/<HHMMSS-nnn>/`: a user's file may have any name.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ensafer_core::time::Timestamp;
use ensafer_core::tree::Stamp;

use super::{Inner, PRIVATE, PRIVATE_DIRECTORY, WorkDir, WorkError, is_expected, is_same_moved};
use crate::platform::{
    self, AsFd, AtFlags, Errno, FileType, Mode, OFlags, OwnedFd, facts_at, list, open_beneath, rename_new,
};
use crate::scan::is_ignored;

/// One batch's part of the trash, made on disk when first needed. Where a path is there already, the batch gets a
/// further directory.
#[derive(Debug)]
pub struct Trash {
    inner: Arc<Inner>,
    entries: Parts,
    ciphertexts: Parts,
}

/// The directories of a batch, as far as they are made.
#[derive(Debug)]
struct Parts {
    /// `.ensafer/trash/2026-11-21`
    parent: String,
    /// `140322`
    time: String,
    made: Mutex<Vec<String>>,
}

/// Where in a day's trash that lies which comes from the encrypted folder.
pub const ENCRYPTED: &str = "encrypted";

/// A free place in the trash.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) directory: Arc<OwnedFd>,
    pub(super) name: String,
    pub(super) path: String,
}

impl WorkDir {
    /// Opens a batch's part of the trash.
    #[must_use]
    pub fn open_trash(&self, now: Timestamp) -> Trash {
        let text = now.to_name_part();
        let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
        let (day, time) = (format!("{PRIVATE}/trash/{date}"), time.replace('.', ""));
        let parts = |parent| Parts { parent, time: time.clone(), made: Mutex::default() };
        let ciphertexts = parts(format!("{day}/{ENCRYPTED}"));
        Trash { inner: Arc::clone(&self.inner), entries: parts(day), ciphertexts }
    }

    /// Moves the expected entry to the trash and returns where it lies, absolute. A directory must be empty but for
    /// ignored names, which go with it. What was not expected is put back.
    pub fn trash(&self, path: &str, expected: &Stamp, trash: &Trash) -> Result<PathBuf, WorkError> {
        let (parent, name) = self.inner.parent(path)?;
        let found = parent.facts(name).map_err(|e| WorkError::new(path, e))?;
        if !is_expected(&found, expected) {
            return Err(WorkError::Changed { path: path.to_owned() });
        }
        if found.kind == FileType::Directory {
            return self.trash_directory(path, trash);
        }
        let slot = trash.take(path, |slot| rename_new(&parent, name, &slot.directory, &slot.name))?;
        self.inner.touch_parent_of(path);
        let out = facts_at(&slot.directory, &slot.name).map_err(|e| WorkError::new(&slot.path, e))?;
        if is_same_moved(&out, expected) {
            Ok(self.inner.path.join(&slot.path))
        } else {
            Err(self.put_back(&slot, path))
        }
    }

    /// An empty directory is removed, which is the atomic proof that it was empty, and noted in the trash.
    fn trash_directory(&self, path: &str, trash: &Trash) -> Result<PathBuf, WorkError> {
        let error = |e| WorkError::new(path, e);
        let (parent, name) = self.inner.parent(path)?;
        let directory = open_beneath(self.root(), path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let directory = directory.map_err(error)?;
        let mut litter = Vec::new();
        let mut is_empty = true;
        list(directory.as_fd(), |entry, kind| match entry.to_str() {
            Ok(entry) if kind != FileType::Directory && is_ignored(false, entry) => {
                litter.push(entry.to_owned());
            }
            _ => is_empty = false,
        })
        .map_err(error)?;
        if !is_empty {
            return Err(WorkError::NotEmpty { path: path.to_owned() });
        }
        for entry in &litter {
            let below = format!("{path}/{entry}");
            trash.take(&below, |slot| rename_new(&directory, entry, &slot.directory, &slot.name))?;
        }
        platform::unlinkat(&parent, name, AtFlags::REMOVEDIR).map_err(error)?;
        self.inner.touch_parent_of(path);
        Ok(self.inner.path.join(trash.note_directory(path)?))
    }

    /// Gives what was moved to `slot`, and should not have been, its place back; beside it where that was taken.
    pub(super) fn put_back(&self, slot: &Slot, path: &str) -> WorkError {
        let Ok((parent, name)) = self.inner.parent(path) else { return kept(slot, path) };
        self.inner.touch_parent_of(path);
        if rename_new(&slot.directory, &slot.name, &parent, name).is_ok() {
            return WorkError::Changed { path: path.to_owned() };
        }
        for attempt in 1..100 {
            let beside = beside(name, CHANGED_MEANWHILE, attempt);
            match rename_new(&slot.directory, &slot.name, &parent, &beside) {
                Ok(()) => {
                    let beside =
                        path.rsplit_once('/').map_or(beside.clone(), |(dir, _)| format!("{dir}/{beside}"));
                    return WorkError::KeptBeside { path: path.to_owned(), beside };
                }
                Err(Errno::EXIST) => {}
                Err(_) => break,
            }
        }
        kept(slot, path)
    }
}

/// It stays in the trash, which is not lost either.
fn kept(slot: &Slot, path: &str) -> WorkError {
    WorkError::KeptBeside { path: path.to_owned(), beside: slot.path.clone() }
}

/// What an entry is called whose place was taken.
const CHANGED_MEANWHILE: &str = "changed meanwhile";

/// `report.txt` → `report (why).txt`, then `report (why 2).txt`, never longer than a name may be.
pub(super) fn beside(name: &str, why: &str, attempt: u32) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 32 => name.split_at(dot),
        _ => (name, ""),
    };
    let suffix = if attempt == 1 { format!(" ({why})") } else { format!(" ({why} {attempt})") };
    let room = ensafer_core::tree::Name::MAX_BYTES - suffix.len() - extension.len();
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{stem}{suffix}{extension}")
}

impl Trash {
    /// A free absolute path in this part of the trash for a ciphertext called `relative`; its directory exists.
    pub fn reserve(&self, relative: &str) -> Result<PathBuf, WorkError> {
        self.inner.check(relative)?;
        let slot = self.take_in(&self.ciphertexts, relative, |_| Ok(()))?;
        Ok(self.inner.path.join(slot.path))
    }

    /// Finds a free place for `path` and fills it by `fill`, which may say that it is taken after all.
    pub(super) fn take(
        &self,
        path: &str,
        fill: impl Fn(&Slot) -> platform::Result<()>,
    ) -> Result<Slot, WorkError> {
        self.take_in(&self.entries, path, fill)
    }

    fn take_in(
        &self,
        parts: &Parts,
        path: &str,
        fill: impl Fn(&Slot) -> platform::Result<()>,
    ) -> Result<Slot, WorkError> {
        let (below, name) = path.rsplit_once('/').map_or(("", path), |(below, name)| (below, name));
        for index in 0.. {
            let part = self.part(parts, index)?;
            let directory_path = if below.is_empty() { part } else { format!("{part}/{below}") };
            let directory = match self.inner.open_or_make(&directory_path) {
                Ok(directory) => directory,
                Err(Errno::NOTDIR | Errno::LOOP) => continue,
                Err(error) => return Err(WorkError::new(&directory_path, error)),
            };
            if !matches!(facts_at(&directory, name), Err(Errno::NOENT)) {
                continue;
            }
            let slot = Slot {
                directory: Arc::new(directory),
                name: name.to_owned(),
                path: format!("{directory_path}/{name}"),
            };
            match fill(&slot) {
                Ok(()) => {
                    self.inner.anchor.touch(&directory_path);
                    return Ok(slot);
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(WorkError::new(path, error)),
            }
        }
        unreachable!("the loop above ends only by returning")
    }

    fn note_directory(&self, path: &str) -> Result<String, WorkError> {
        let noted = format!("{}/{path}", self.part(&self.entries, 0)?);
        match self.inner.open_or_make(&noted) {
            Ok(_) | Err(Errno::NOTDIR | Errno::LOOP) => Ok(noted),
            Err(error) => Err(WorkError::new(&noted, error)),
        }
    }

    /// The directory of this index of `parts`, made where it is not there.
    fn part(&self, parts: &Parts, index: usize) -> Result<String, WorkError> {
        let mut made = parts.made.lock().unwrap_or_else(PoisonError::into_inner);
        while made.len() <= index {
            made.push(self.make_part(parts)?);
        }
        Ok(made[index].clone())
    }

    fn make_part(&self, Parts { parent, time, .. }: &Parts) -> Result<String, WorkError> {
        let error = |e| WorkError::new(parent, e);
        let directory = self.inner.open_or_make(parent).map_err(error)?;
        for number in 0.. {
            let name = format!("{time}-{number:03}");
            match platform::mkdirat(&directory, &name, PRIVATE_DIRECTORY) {
                Ok(()) => {
                    self.inner.anchor.touch(parent);
                    return Ok(format!("{parent}/{name}"));
                }
                Err(Errno::EXIST) => {}
                Err(other) => return Err(error(other)),
            }
        }
        unreachable!("the loop above ends only by returning")
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANGED_MEANWHILE, beside};

    #[test]
    fn names_beside_stay_names() {
        assert_eq!(beside("report.txt", CHANGED_MEANWHILE, 1), "report (changed meanwhile).txt");
        assert_eq!(beside(".profile", CHANGED_MEANWHILE, 2), ".profile (changed meanwhile 2)");
        let long = format!("{}.txt", "ä".repeat(125));
        let beside = beside(&long, CHANGED_MEANWHILE, 99);
        assert!(beside.len() <= 255 && beside.ends_with("(changed meanwhile 99).txt"));
    }
}
