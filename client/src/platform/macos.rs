//! macOS: timers of kqueue(2), and whether a lock is held.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::patience::patiently;

pub mod timer;

/// The room for a socket's path, its final zero included (`sun_path` of unix(4)).
pub(super) const SOCKET_PATH_BYTES: usize = 104;

/// This user's own directory for temporary files, which other users cannot make before.
pub(super) fn temporary_directory() -> PathBuf {
    std::env::temp_dir()
}

/// Takes a file for this process alone, until it is closed.
///
/// # Errors
/// As [`File::try_lock`].
pub fn try_lock(file: &File) -> Result<(), TryLockError> {
    patiently(|| file.try_lock())
}

/// Whether a process has taken a file by [`try_lock`]. The system does not tell which one.
#[must_use]
pub fn is_locked(file: &File, _process: u32) -> bool {
    // Given back as soon as the file is closed, should this fail.
    let is_free = file.try_lock_shared().map(|()| drop(file.unlock()));
    matches!(is_free, Err(TryLockError::WouldBlock))
}
