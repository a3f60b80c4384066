//! Hints from the file system that a look is worthwhile. Never facts: only a scan says what is there.

use std::path::Path;

/// Which of the two directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The plaintext.
    Work,
    /// The ciphertext.
    Encrypted,
}

/// Where to look. Paths are relative to the side's root, components joined by `/`, empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// At one object's file (encrypted side only).
    Object(String),
    /// At the entries of one directory.
    Directory(String),
    /// At one directory and everything below.
    Tree(String),
    /// At all of it: events were lost.
    Everything,
}

/// Why events do not come as they should; the hourly scan finds what they miss.
#[derive(Debug, thiserror::Error)]
pub enum WatchWarning {
    /// The system's limit of watches is reached (`fs.inotify.max_user_watches`).
    #[error("the system's limit of watched directories is reached")]
    TooManyDirectories {
        /// The side that is watched only in part.
        side: Side,
    },
    /// Watching failed otherwise.
    #[error("the file system cannot be watched")]
    Failed {
        /// The side.
        side: Side,
        /// The watcher's error.
        source: notify::Error,
    },
}

/// Watches both directories until it is dropped.
pub struct Watch {}

impl Watch {
    /// Begins to watch. `send` is called from the watcher's threads and must not block. A side that cannot be watched
    /// is a warning.
    pub fn new(
        work: &Path,
        encrypted: &Path,
        send: impl Fn(Side, Hint) + Send + Sync + 'static,
    ) -> (Self, Vec<WatchWarning>) {
        let _ = (work, encrypted, send);
        todo!()
    }
}
