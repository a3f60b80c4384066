//! The plaintext side: the work folder, always relative to a handle of its root.
//!
//! Paths are relative, components joined by `/`. No operation follows a symbolic link or leaves the root's file
//! system, whatever is swapped in meanwhile. What is replaced or deleted goes to the trash (engine rule 17).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use ensafer_core::tree::{Folding, Name, NodeKind, Stamp};

use crate::durable::Anchor;
use crate::platform::{
    self, Arg, AsFd, BorrowedFd, CWD, Errno, Facts, FileType, Mode, OFlags, OwnedFd, SEARCH, facts_at,
    facts_of, open_beneath,
};

mod change;
mod error;
mod marker;
mod replace;
mod stage;
#[cfg(test)]
mod tests;
mod trash;
mod trashed;

pub use error::WorkError;
pub use marker::{Marker, marker_path};
pub use stage::StagedFile;
pub(crate) use stage::times;
pub use trash::{ENCRYPTED, Trash};
pub(crate) use trashed::is_day;
pub use trashed::{ItemName, Trashed};

/// Ensafer's own directory at the top of the work folder: never synced.
pub const PRIVATE: &str = ".ensafer";

/// Only its owner may look into [`PRIVATE`] and what is not finished yet.
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is; a directory is never said to be complete.
    pub kind: NodeKind,
    /// What the file system says of it.
    pub stamp: Stamp,
    /// Number of hard links.
    pub links: u64,
    /// Permission bits, as in `chmod`.
    pub mode: u32,
}

/// The work folder. Every method may be called from many threads at once.
#[derive(Debug)]
pub struct WorkDir {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    anchor: Anchor,
    path: PathBuf,
    identity: Stamp,
    umask: u32,
    folding: OnceLock<Folding>,
    keeps_modes: OnceLock<bool>,
    temporaries: Mutex<Option<Arc<OwnedFd>>>,
}

impl WorkDir {
    /// Opens an existing directory; a symbolic link given as `path` is followed now and never again.
    pub fn open(path: &Path) -> Result<Self, WorkError> {
        let shown = path.display().to_string();
        let path = platform::canonicalize(path).map_err(|e| WorkError::io(&shown, e))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = platform::open(&path, flags, Mode::empty()).map_err(|e| WorkError::new(&shown, e))?;
        let identity = facts_of(&root).map_err(|e| WorkError::new(&shown, e))?.stamp;
        let inner = Inner {
            anchor: Anchor::new(root),
            path,
            identity,
            umask: platform::umask(),
            folding: OnceLock::new(),
            keeps_modes: OnceLock::new(),
            temporaries: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether [`path`](Self::path) still leads to the directory that was opened.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let identity = |stamp: Stamp| (stamp.device, stamp.inode);
        facts_at(CWD, &self.inner.path)
            .is_ok_and(|found| identity(found.stamp) == identity(self.inner.identity))
    }

    /// Which names its file system takes for the same, found by trying: makes [`PRIVATE`] where it is not there.
    #[must_use]
    pub fn folding(&self) -> Folding {
        *self.inner.folding.get_or_init(|| {
            let Ok(private) = self.inner.private("") else { return Folding::Exact };
            let own = facts_of(&private).map(|found| found.stamp.inode);
            let shouted = facts_at(self.inner.root(), PRIVATE.to_uppercase()).map(|found| found.stamp.inode);
            match self.inner.anchor.file_system().normalises_names {
                _ if own.is_ok() && own == shouted => Folding::CaseInsensitive,
                true => Folding::Normalised,
                false => Folding::Exact,
            }
        })
    }

    /// Whether its file system knows which files are executable, found by trying, as [`folding`](Self::folding) is. FAT, exFAT
    /// and many network drives give all files the same permissions, whatever they are told. Where it cannot be tried, local file systems
    /// but FAT are taken for ones that do.
    #[must_use]
    pub fn keeps_modes(&self) -> bool {
        let known = &self.inner.keeps_modes;
        let tried = || self.stage()?.keeps_modes();
        known
            .get()
            .copied()
            .or_else(|| tried().ok().map(|keeps| *known.get_or_init(|| keeps)))
            .unwrap_or_else(|| self.stable_inodes())
    }

    /// Whether a file keeps its inode number: not on NFS, SMB, FUSE and FAT (engine rule 3).
    #[must_use]
    pub fn stable_inodes(&self) -> bool {
        self.inner.anchor.file_system().stable_inodes
    }

    /// Whether the file system tells of every change: not on network and FUSE file systems (engine rule 7).
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.inner.anchor.file_system().has_events
    }

    /// Opens a regular file for reading. [`WorkError::Outside`] where it is anything else.
    pub fn open_file(&self, path: &str) -> Result<File, WorkError> {
        self.inner.check(path)?;
        // Opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = open_beneath(self.inner.root(), path, flags, Mode::empty());
        let file = file.map_err(|e| WorkError::new(path, e))?;
        let found = facts_of(&file).map_err(|e| WorkError::new(path, e))?;
        if found.kind == FileType::RegularFile {
            Ok(File::from(file))
        } else {
            Err(WorkError::Outside { path: path.to_owned() })
        }
    }

    /// What is at `path`, `None` where nothing is. The root has the empty path.
    pub fn look(&self, path: &str) -> Result<Option<Seen>, WorkError> {
        if path.is_empty() {
            let found = facts_of(self.inner.root()).map_err(|e| WorkError::new(path, e))?;
            return self
                .inner
                .seen(self.inner.root(), "", &found)
                .map(Some)
                .map_err(|e| WorkError::new(path, e));
        }
        let found = self.inner.parent(path).and_then(|(parent, name)| {
            let found = parent.facts(name).map_err(|e| WorkError::new(path, e))?;
            self.inner.seen(parent.as_fd(), name, &found).map_err(|e| WorkError::new(path, e))
        });
        match found {
            Ok(seen) => Ok(Some(seen)),
            Err(WorkError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes every name made, moved and removed since the last call durable. On an error they are tried again.
    pub fn sync_directories(&self) -> Result<(), WorkError> {
        self.inner.anchor.sync_directories().map_err(|e| WorkError::new("", e))
    }

    /// Proves that the folder is writable, by making a file in [`PRIVATE`] and removing it.
    pub fn probe(&self) -> Result<(), WorkError> {
        self.stage().map(drop)
    }

    /// Bytes that may still be written.
    pub fn free_bytes(&self) -> Result<u64, WorkError> {
        let found = platform::fstatvfs(self.inner.root()).map_err(|e| WorkError::new("", e))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The open root, for scanning.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.inner.root()
    }
}

/// What a node is by what the file system says; a directory is not complete before it was listed.
pub(crate) fn node_kind(
    parent: BorrowedFd<'_>,
    name: impl Arg,
    found: &Facts,
    keeps_modes: bool,
) -> platform::Result<NodeKind> {
    Ok(match found.kind {
        FileType::RegularFile => NodeKind::File { executable: keeps_modes.then_some(is_executable(found)) },
        FileType::Directory => NodeKind::Directory { complete: false },
        FileType::Symlink => match platform::readlinkat(parent, name, Vec::new())?.into_string() {
            Ok(target) => NodeKind::Symlink { target: target.into() },
            Err(_) => NodeKind::Unknown,
        },
        _ => NodeKind::Unknown,
    })
}

/// Whether a file's owner may execute it.
fn is_executable(found: &Facts) -> bool {
    found.mode & 0o100 != 0
}

impl Inner {
    fn root(&self) -> BorrowedFd<'_> {
        self.anchor.root()
    }

    /// As far as is known by now.
    fn keeps_modes(&self) -> bool {
        self.keeps_modes.get().copied().unwrap_or(true)
    }

    fn seen(&self, parent: BorrowedFd<'_>, name: &str, found: &Facts) -> platform::Result<Seen> {
        Ok(Seen {
            kind: node_kind(parent, name, found, self.keeps_modes())?,
            stamp: found.stamp,
            links: found.links,
            mode: found.mode,
        })
    }

    /// Refuses what is no plain path of an entry that is synced.
    fn check(&self, path: &str) -> Result<(), WorkError> {
        let folding = self.folding.get().copied().unwrap_or(Folding::CaseInsensitive);
        let mut components = path.split('/');
        let is_private = components.next().is_some_and(|first| match folding {
            Folding::Exact => first == PRIVATE,
            _ => first.eq_ignore_ascii_case(PRIVATE),
        });
        if is_private || path.split('/').any(|component| Name::new(component).is_err()) {
            return Err(WorkError::BadPath { path: path.to_owned() });
        }
        Ok(())
    }

    /// The open directory that holds `path`, and the name there.
    fn parent<'p>(&self, path: &'p str) -> Result<(Parent<'_>, &'p str), WorkError> {
        self.check(path)?;
        let Some((directory, name)) = path.rsplit_once('/') else {
            return Ok((Parent::Root(self.root()), path));
        };
        let opened = open_beneath(self.root(), directory, SEARCH, Mode::empty());
        Ok((Parent::Opened(opened.map_err(|e| WorkError::new(path, e))?), name))
    }

    /// Opens a directory in [`PRIVATE`], made where it is not there; empty for itself.
    fn private(&self, below: &str) -> Result<OwnedFd, WorkError> {
        let path = if below.is_empty() { PRIVATE.to_owned() } else { format!("{PRIVATE}/{below}") };
        self.open_or_make(&path).map_err(|e| WorkError::new(&path, e))
    }

    /// Opens a directory by its path, made with all its parents where it is not there.
    fn open_or_make(&self, path: &str) -> platform::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match open_beneath(self.root(), path, flags, Mode::empty()) {
            Err(Errno::NOENT) => {}
            opened => return opened,
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent_handle = self.open_or_make(parent)?;
        match platform::mkdirat(&parent_handle, name, PRIVATE_DIRECTORY) {
            Ok(()) => self.anchor.touch(parent),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        open_beneath(self.root(), path, flags, Mode::empty())
    }

    /// Remembers that the entry at `path` was made, moved or removed.
    fn touch_parent_of(&self, path: &str) {
        self.anchor.touch(path.rsplit_once('/').map_or("", |(parent, _)| parent));
    }
}

/// The directory that holds an entry.
enum Parent<'r> {
    Root(BorrowedFd<'r>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => *root,
            Self::Opened(directory) => directory.as_fd(),
        }
    }
}

impl Parent<'_> {
    fn facts(&self, name: &str) -> platform::Result<Facts> {
        facts_at(self, name)
    }
}

/// Whether an entry is the expected one, unchanged. Directories change with what is in them: only identity counts.
fn is_expected(found: &Facts, expected: &Stamp) -> bool {
    is_same_moved(found, expected)
        && (found.kind == FileType::Directory || found.stamp.changed == expected.changed)
}

/// As [`is_expected`], for an entry that was renamed since, which some file systems note in `changed`.
fn is_same_moved(found: &Facts, expected: &Stamp) -> bool {
    let same_content = (found.stamp.size, found.stamp.modified) == (expected.size, expected.modified);
    found.stamp.inode == expected.inode && (found.kind == FileType::Directory || same_content)
}

/// A path below a folder with `/` between its names, as all paths are here; `None` where it is no text.
pub(crate) fn relative_text(path: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = path.components().map(|name| name.as_os_str().to_str()).collect();
    Some(names?.join("/"))
}

/// What the file system says of an open file of the work folder.
pub fn stamp_of(file: &File) -> std::io::Result<Stamp> {
    Ok(facts_of(file)?.stamp)
}
