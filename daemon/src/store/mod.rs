//! The encrypted side: a seam with a real directory and a memory fake, both held to [`conformance`].
//!
//! Objects are named by [`StoreKey`]s, paths relative to the encrypted folder. Nothing is ever overwritten or removed
//! unseen: [`commit`](EncryptedStore::commit) and [`remove`](EncryptedStore::remove) say what they expect to find, and
//! put back what they find instead (engine rule 17).

use std::any::Any;
use std::path::Path;

use ensafer_core::plan::{Problem, ProblemClass};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;
use serde::{Deserialize, Serialize};

pub mod conformance;
mod directory;
mod memory;
mod read_only;

pub use directory::DirectoryStore;
pub use memory::MemoryStore;
pub use read_only::ReadOnlyStore;

/// The ending of every object's name, compared without regard to ASCII case.
pub const EXTENSION: &str = ".ensafer";

/// Whether a file of this name is an object.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let ending = name.len().checked_sub(EXTENSION.len()).and_then(|at| name.get(at..));
    !name.starts_with('.') && ending.is_some_and(|ending| ending.eq_ignore_ascii_case(EXTENSION))
}

/// What the file system says of an object's file. Equal stamps mean "unchanged".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Hash)]
pub struct StoreStamp {
    /// Bytes of ciphertext.
    pub length: u64,
    /// Last change of the content.
    pub modified: Timestamp,
    /// Last change of the inode; a rename changes it too.
    pub changed: Timestamp,
    /// Inode number.
    pub inode: u64,
}

impl StoreStamp {
    /// Whether both are the same unchanged file, renamed or not: a rename by ourselves changes `changed`.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        (self.length, self.modified, self.inode) == (other.length, other.modified, other.inode)
    }
}

/// One object's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path relative to the encrypted folder: flat, fanned out, or in a cloud's renamed directory.
    pub key: StoreKey,
    /// What the file system says of it.
    pub stamp: StoreStamp,
}

/// What [`EncryptedStore::list`] found.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Every file that ends in [`EXTENSION`], sorted by key.
    pub objects: Vec<Listed>,
    /// Whether the listing ended without an error, so that "not listed" means "not there".
    pub complete: bool,
    /// Directories that could not be listed, names that are no [`StoreKey`].
    pub problems: Vec<Problem>,
    /// Temporary files, of this device and of others.
    pub temporaries: Vec<Temporary>,
}

/// A temporary file in the encrypted folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Temporary {
    /// Its path relative to the encrypted folder.
    pub path: String,
    /// Whether its name carries this device's id.
    pub own: bool,
    /// When its content was last changed.
    pub modified: Timestamp,
}

/// The encrypted folder refused. `Missing` and `BadKey` are answers; the others ask for a retry or the user.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("{key} is not there")]
    Missing {
        /// The object.
        key: StoreKey,
    },
    /// The key is no plain relative path to an [`EXTENSION`] file, or leads through a symbolic link.
    #[error("{key} is not an object's path")]
    BadKey {
        /// The key.
        key: StoreKey,
    },
    /// No space left on the device, or the quota is used up.
    #[error("no space left for {what}")]
    DiskFull {
        /// The file or directory concerned.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system does not permit it.
    #[error("no permission for {what}")]
    Denied {
        /// The file or directory concerned.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The encrypted folder itself is gone or was replaced.
    #[error("the encrypted folder is not where it was")]
    Gone,
    /// Reading or writing failed otherwise.
    #[error("{what}")]
    Io {
        /// The file or directory concerned.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl StoreError {
    /// The class under which this is listed as a problem.
    #[must_use]
    pub fn class(&self) -> ProblemClass {
        match self {
            Self::Missing { .. } => ProblemClass::Missing,
            Self::BadKey { .. } => ProblemClass::BadName,
            Self::DiskFull { .. } => ProblemClass::DiskFull,
            Self::Denied { .. } | Self::Gone | Self::Io { .. } => ProblemClass::Failed,
        }
    }
}

/// A commit or removal did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// What is there is not what was expected; it is still there. Observe and plan again.
    #[error("{key} was changed by somebody else")]
    Changed {
        /// The object.
        key: StoreKey,
    },
    /// The encrypted folder refused; what was there is still there.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// The class under which this is listed as a problem; `None` where planning again is the answer.
    #[must_use]
    pub fn class(&self) -> Option<ProblemClass> {
        match self {
            Self::Changed { .. } => None,
            Self::Store(error) => Some(error.class()),
        }
    }
}

/// An object opened for reading. What it reads stays the opened version, even when the name gets another.
pub trait StoredObject: Send + Sync {
    /// What the file system says of the opened file now.
    fn stamp(&self) -> Result<StoreStamp, StoreError>;

    /// Fills `buffer` from `offset` on. An end of file before that is an [`StoreError::Io`] with
    /// [`std::io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError>;
}

/// A temporary file that may become an object. Dropped uncommitted, it is removed.
pub trait StagedObject: Send + Sync {
    /// Writes all of `bytes` at `offset`; several threads may write different ranges.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Bytes written so far, up to the end of the furthest.
    fn length(&self) -> u64;

    /// For the store that made it.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;

    /// For the store that made it.
    fn as_any(&self) -> &dyn Any;
}

/// The encrypted folder. Every method may be called from many threads at once.
pub trait EncryptedStore: Send + Sync {
    /// Lists every object below the folder. Never follows symbolic links, never enters directories whose name begins
    /// with a dot (the clouds' own caches), ignores every other file. Fails only where the folder cannot be listed at
    /// all; lesser trouble is in the listing.
    fn list(&self) -> Result<Listing, StoreError>;

    /// What the file system says of one object, `None` where it is not there. For hints; absence is judged by
    /// [`list`](Self::list) (engine rule 2).
    fn look(&self, key: &StoreKey) -> Result<Option<StoreStamp>, StoreError>;

    /// Opens an object for reading.
    fn open(&self, key: &StoreKey) -> Result<Box<dyn StoredObject>, StoreError>;

    /// Makes a temporary file, `.~ensafer-<device>-<16 hex>.tmp`.
    fn stage(&self) -> Result<Box<dyn StagedObject>, StoreError>;

    /// Makes the contents of `batch` durable (engine rule 16). Nothing may be committed before.
    fn barrier(&self, batch: &[Box<dyn StagedObject>]) -> Result<(), StoreError>;

    /// Gives a staged object its name, atomically. Without `expected`, nothing may be there; with it, exactly that
    /// must be there and is moved to `keep` (which must not exist, in a directory that does), or removed. On any error
    /// the staged bytes are gone and what was there still is. Durable after
    /// [`sync_directories`](Self::sync_directories). Returns the object's stamp from now on.
    fn commit(
        &self,
        staged: Box<dyn StagedObject>,
        key: &StoreKey,
        expected: Option<StoreStamp>,
        keep: Option<&Path>,
    ) -> Result<StoreStamp, CommitError>;

    /// Removes the object if it is the expected one, or moves it to `keep`. [`StoreError::Missing`] where it is not
    /// there.
    fn remove(&self, key: &StoreKey, expected: StoreStamp, keep: Option<&Path>) -> Result<(), CommitError>;

    /// Makes the names committed and removed since the last call durable. On an error they are tried again next time.
    fn sync_directories(&self) -> Result<(), StoreError>;

    /// Removes the temporary files that this device left behind when it was killed; replaced objects among them that
    /// were not yet kept go into the directory `keep` (engine rule 21). Nothing may be staged. Returns how many files
    /// were removed or moved.
    fn sweep(&self, keep: &Path) -> Result<usize, StoreError>;

    /// Proves that the folder is there and writable, by making a file and removing it.
    fn probe(&self) -> Result<(), StoreError>;

    /// Whether every write is refused.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Bytes that may still be written, `None` where nobody knows.
    fn free_bytes(&self) -> Result<Option<u64>, StoreError>;
}
