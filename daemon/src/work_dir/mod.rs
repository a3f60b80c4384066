//! The plaintext side: the work folder, always relative to a handle of its root.
//!
//! Paths are relative, components joined by `/`. No operation follows a symbolic link or leaves the root's file
//! system, whatever is swapped in meanwhile. What is replaced or deleted goes to the trash (engine rule 17).

use std::fs::File;
use std::path::{Path, PathBuf};

use ensafer_core::ids::{DeviceId, FolderId};
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, NodeKind, Stamp};
use serde::{Deserialize, Serialize};

/// Ensafer's own directory at the top of the work folder: never synced.
pub const PRIVATE: &str = ".ensafer";

/// Something about one path of the work folder.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Not a plain relative path, or inside [`PRIVATE`].
    #[error("{path:?} is not a path inside the work folder")]
    BadPath {
        /// The path.
        path: String,
    },
    /// A symbolic link, a mount or something else than a directory is in the way.
    #[error("{path:?} leads out of the work folder")]
    Outside {
        /// The path.
        path: String,
    },
    /// Nothing is there.
    #[error("{path:?} is not there")]
    Missing {
        /// The path.
        path: String,
    },
    /// Something is there already.
    #[error("{path:?} is there already")]
    Occupied {
        /// The path.
        path: String,
    },
    /// What is there is not what was expected; it is still there. Scan and plan again.
    #[error("{path:?} was changed meanwhile")]
    Changed {
        /// The path.
        path: String,
    },
    /// What came out was not what was expected, and its place was taken: it lies at `beside` now.
    #[error("{path:?} was changed meanwhile and is kept as {beside:?}")]
    KeptBeside {
        /// The path.
        path: String,
        /// Where the unexpected content lies.
        beside: String,
    },
    /// A directory to be removed holds something that is not ignored.
    #[error("{path:?} is not empty")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// No space left on the device, or the quota is used up.
    #[error("no space left for {path:?}")]
    DiskFull {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system does not permit it.
    #[error("no permission for {path:?}")]
    Denied {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Reading or writing failed otherwise.
    #[error("{path:?}")]
    Io {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl WorkError {
    /// The class under which this is listed as a problem; `None` where scanning and planning again is the answer.
    #[must_use]
    pub fn class(&self) -> Option<ProblemClass> {
        match self {
            Self::Missing { .. } | Self::Occupied { .. } | Self::Changed { .. } => None,
            Self::KeptBeside { .. } | Self::NotEmpty { .. } => None,
            Self::BadPath { .. } => Some(ProblemClass::BadName),
            Self::DiskFull { .. } => Some(ProblemClass::DiskFull),
            Self::Denied { .. } => Some(ProblemClass::Unreadable),
            Self::Outside { .. } | Self::Io { .. } => Some(ProblemClass::Failed),
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub kind: NodeKind,
    /// What the file system says of it.
    pub stamp: Stamp,
    /// Number of hard links.
    pub links: u64,
    /// Permission bits, as in `chmod`.
    pub mode: u32,
}

/// The marker in [`PRIVATE`]: which folder this is, and on which device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The folder.
    pub folder_id: FolderId,
    /// The device that made it.
    pub device_id: DeviceId,
    /// When.
    pub made: Timestamp,
}

/// The work folder. Every method may be called from many threads at once.
pub struct WorkDir {}

/// A temporary file in [`PRIVATE`]`/tmp` that may become a file of the work folder. Dropped unplaced, it is removed.
pub struct StagedFile {}

/// One batch's part of the trash: `.ensafer/trash/<YYYY-MM-DD>/<HHMMSS-nnn>/`, holding what was removed under its
/// relative path. Made on disk when first needed.
pub struct Trash {}

impl WorkDir {
    /// Opens an existing directory; a symbolic link given as `path` is followed now and never again.
    pub fn open(path: &Path) -> Result<Self, WorkError> {
        let _ = path;
        todo!()
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// Whether [`path`](Self::path) still leads to the directory that was opened.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        todo!()
    }

    /// Which names its file system takes for the same, found by trying.
    #[must_use]
    pub fn folding(&self) -> Folding {
        todo!()
    }

    /// Whether a file keeps its inode number: not on NFS, SMB, FUSE and FAT (engine rule 3).
    #[must_use]
    pub fn stable_inodes(&self) -> bool {
        todo!()
    }

    /// Reads the marker; `None` where there is none.
    pub fn read_marker(&self) -> Result<Option<Marker>, WorkError> {
        todo!()
    }

    /// Writes the marker, durably and atomically.
    pub fn write_marker(&self, marker: &Marker) -> Result<(), WorkError> {
        let _ = marker;
        todo!()
    }

    /// Opens a regular file for reading. [`WorkError::Outside`] where it is anything else.
    pub fn open_file(&self, path: &str) -> Result<File, WorkError> {
        let _ = path;
        todo!()
    }

    /// What is at `path`, `None` where nothing is.
    pub fn look(&self, path: &str) -> Result<Option<Seen>, WorkError> {
        let _ = path;
        todo!()
    }

    /// Makes a temporary file, readable by its owner only until it is finished.
    pub fn stage(&self) -> Result<StagedFile, WorkError> {
        todo!()
    }

    /// Makes the contents of `staged` durable (engine rule 16). Nothing may be placed before.
    pub fn barrier(&self, staged: &[StagedFile]) -> Result<(), WorkError> {
        let _ = staged;
        todo!()
    }

    /// Gives a staged file its place, where nothing may be. Returns its stamp from now on.
    pub fn place_new(&self, staged: StagedFile, path: &str) -> Result<Stamp, WorkError> {
        let _ = (staged, path);
        todo!()
    }

    /// Exchanges the expected entry at `path` with a staged file, atomically; the old one is in the trash afterwards
    /// (engine rule 17). If something else came out it is put back, and the staged file is gone; if its place was
    /// taken meanwhile it is [kept beside](WorkError::KeptBeside).
    pub fn replace(
        &self,
        staged: StagedFile,
        path: &str,
        expected: &Stamp,
        trash: &Trash,
    ) -> Result<Stamp, WorkError> {
        let _ = (staged, path, expected, trash);
        todo!()
    }

    /// Opens a batch's part of the trash.
    #[must_use]
    pub fn open_trash(&self, now: Timestamp) -> Trash {
        let _ = now;
        todo!()
    }

    /// Moves the expected entry to the trash and returns where it lies, absolute. A directory must be empty but for
    /// ignored names, which go with it. What was not expected is put back.
    pub fn trash(&self, path: &str, expected: &Stamp, trash: &Trash) -> Result<PathBuf, WorkError> {
        let _ = (path, expected, trash);
        todo!()
    }

    /// Makes a directory, where nothing may be. Its stamp changes as it is filled.
    pub fn make_directory(&self, path: &str) -> Result<Stamp, WorkError> {
        let _ = path;
        todo!()
    }

    /// Makes a symbolic link, where nothing may be. The target is never looked at.
    pub fn make_symlink(&self, target: &str, path: &str) -> Result<Stamp, WorkError> {
        let _ = (target, path);
        todo!()
    }

    /// Moves the expected entry to a place where nothing may be.
    pub fn rename(&self, from: &str, to: &str, expected: &Stamp) -> Result<Stamp, WorkError> {
        let _ = (from, to, expected);
        todo!()
    }

    /// Exchanges two expected entries, atomically. Returns the stamps of what was at `a` and at `b`.
    pub fn exchange(
        &self,
        a: &str,
        expected_a: &Stamp,
        b: &str,
        expected_b: &Stamp,
    ) -> Result<(Stamp, Stamp), WorkError> {
        let _ = (a, expected_a, b, expected_b);
        todo!()
    }

    /// Sets the time of the last change and, for files, the executable bit of the expected entry.
    pub fn set_metadata(
        &self,
        path: &str,
        expected: &Stamp,
        modified: Option<Timestamp>,
        executable: Option<bool>,
    ) -> Result<Stamp, WorkError> {
        let _ = (path, expected, modified, executable);
        todo!()
    }

    /// Sets a directory's time of last change, after it was filled; the stamp need not be known.
    pub fn set_directory_time(&self, path: &str, modified: Timestamp) -> Result<Stamp, WorkError> {
        let _ = (path, modified);
        todo!()
    }

    /// Makes every name made, moved and removed since the last call durable. On an error they are tried again.
    pub fn sync_directories(&self) -> Result<(), WorkError> {
        todo!()
    }

    /// Removes what a killed process left in [`PRIVATE`]`/tmp`. Nothing may be staged. Returns how many files.
    pub fn sweep_temporaries(&self) -> Result<usize, WorkError> {
        todo!()
    }

    /// Proves that the folder is writable, by making a file in [`PRIVATE`] and removing it.
    pub fn probe(&self) -> Result<(), WorkError> {
        todo!()
    }

    /// Bytes that may still be written.
    pub fn free_bytes(&self) -> Result<u64, WorkError> {
        todo!()
    }
}

impl StagedFile {
    /// Writes all of `bytes` at `offset`; several threads may write different ranges.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WorkError> {
        let _ = (offset, bytes);
        todo!()
    }

    /// Sets the length, which is 0 at first and grows by writing.
    pub fn set_len(&self, length: u64) -> Result<(), WorkError> {
        let _ = length;
        todo!()
    }

    /// Sets the permissions (those of `like_mode` where a file is replaced, else what the umask leaves of 0666) with or
    /// without the executable bits, and the time of last change. Call it last.
    pub fn finish(
        &mut self,
        modified: Timestamp,
        executable: bool,
        like_mode: Option<u32>,
    ) -> Result<(), WorkError> {
        let _ = (modified, executable, like_mode);
        todo!()
    }
}

impl Trash {
    /// A free absolute path in this part of the trash for a ciphertext called `relative`; its directory exists.
    pub fn reserve(&self, relative: &str) -> Result<PathBuf, WorkError> {
        let _ = relative;
        todo!()
    }
}

/// What the file system says of an open file of the work folder.
pub fn stamp_of(file: &File) -> std::io::Result<Stamp> {
    let _ = file;
    todo!()
}
