//! Group durability (engine rule 16): one way of making many new files survive a power cut.

use std::collections::HashSet;
use std::fs::File;
use std::sync::{Mutex, PoisonError};

use crate::platform::{
    AsFd, BorrowedFd, Errno, FileSystem, Mode, OFlags, OwnedFd, Result, flush, open_beneath,
    sync_file_system, write_out, write_out_data,
};

/// Most files of a batch that are made durable one by one where `syncfs` can be trusted.
pub const ONE_BY_ONE_FILES: usize = 64;
/// Most bytes of such a batch.
pub const ONE_BY_ONE_BYTES: u64 = 64 * 1024 * 1024;

/// How a batch is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// The data of each file is written out (`fdatasync`).
    DataOfEach,
    /// The whole file system is (`syncfs`).
    FileSystem,
    /// Each file is (`fsync`).
    Each,
}

impl Barrier {
    /// The right one for a batch of so many files and bytes.
    #[must_use]
    pub const fn choose(file_system: FileSystem, files: usize, bytes: u64) -> Self {
        if files <= ONE_BY_ONE_FILES && bytes <= ONE_BY_ONE_BYTES {
            Self::DataOfEach
        } else if file_system.trusts_syncfs {
            Self::FileSystem
        } else {
            Self::Each
        }
    }
}

/// A directory handle that was opened before anything was written below it, so that `syncfs` on it reports every
/// write that failed since.
#[derive(Debug)]
pub struct Anchor {
    root: OwnedFd,
    file_system: FileSystem,
    touched: Mutex<HashSet<String>>,
}

impl Anchor {
    /// Takes a directory opened for reading.
    #[must_use]
    pub fn new(root: OwnedFd) -> Self {
        let file_system = FileSystem::of(&root);
        Self { root, file_system, touched: Mutex::default() }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Its file system.
    #[must_use]
    pub const fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// Makes the contents of `files`, `bytes` altogether, durable. On an error none of them may be trusted.
    pub fn barrier<'f>(&self, files: impl ExactSizeIterator<Item = &'f File>, bytes: u64) -> Result<()> {
        match Barrier::choose(self.file_system, files.len(), bytes) {
            Barrier::DataOfEach => self.each(files, |file| write_out_data(file)),
            Barrier::FileSystem => sync_file_system(&self.root),
            Barrier::Each => self.each(files, |file| write_out(file)),
        }
    }

    fn each<'f>(
        &self,
        mut files: impl Iterator<Item = &'f File>,
        write_out: impl Fn(&File) -> Result<()>,
    ) -> Result<()> {
        files.try_for_each(write_out)?;
        flush(&self.root)
    }

    /// Remembers that entries of the directory at `path`, relative to the root, were made, moved or removed.
    pub fn touch(&self, path: &str) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(path) {
            touched.insert(path.to_owned());
        }
    }

    /// Makes the entries of every touched directory durable. On an error all of them stay touched.
    pub fn sync_directories(&self) -> Result<()> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        let done = self.sync_all(&touched);
        if done.is_err() {
            self.touched.lock().unwrap_or_else(PoisonError::into_inner).extend(touched);
        }
        done
    }

    fn sync_all(&self, directories: &HashSet<String>) -> Result<()> {
        if directories.len() > ONE_BY_ONE_FILES && self.file_system.trusts_syncfs {
            return sync_file_system(&self.root);
        }
        for path in directories {
            match open_beneath(self.root(), path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
                Ok(directory) => write_out(directory)?,
                // Removed, or moved together with what was done in it: then its parent was touched as well.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
                Err(error) => return Err(error),
            }
        }
        if directories.is_empty() { Ok(()) } else { flush(&self.root) }
    }
}

/// A number for the names of temporary files, different in every call and in every process.
pub(crate) fn unique_number() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("ensafer"));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    START.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_barrier_follows_the_size_of_the_batch_and_the_file_system() {
        let trusted = FileSystem {
            stable_inodes: true,
            has_events: true,
            trusts_syncfs: true,
            normalises_names: false,
        };
        let plain = FileSystem { trusts_syncfs: false, ..trusted };
        assert_eq!(Barrier::choose(trusted, 64, ONE_BY_ONE_BYTES), Barrier::DataOfEach);
        assert_eq!(Barrier::choose(trusted, 65, 0), Barrier::FileSystem);
        assert_eq!(Barrier::choose(trusted, 1, ONE_BY_ONE_BYTES + 1), Barrier::FileSystem);
        assert_eq!(Barrier::choose(plain, 65, 0), Barrier::Each);
        assert_eq!(Barrier::choose(plain, 64, 0), Barrier::DataOfEach);
    }

    #[test]
    fn a_failed_sync_is_an_error_and_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let anchor = Anchor::new(File::open(dir.path()).unwrap().into());
        // A file where a directory was touched is nothing to sync; a pipe cannot be synced at all.
        let (pipe, _other) = std::io::pipe().unwrap();
        let pipe = File::from(OwnedFd::from(pipe));
        assert_eq!(anchor.barrier([&pipe].into_iter(), 0), Err(Errno::INVAL));
        anchor.touch("gone");
        anchor.touch("");
        assert_eq!(anchor.sync_directories(), Ok(()));
        anchor.touch(&"n".repeat(300));
        assert_eq!(anchor.sync_directories(), Err(Errno::NAMETOOLONG));
        assert_eq!(anchor.sync_directories(), Err(Errno::NAMETOOLONG));
    }
}
