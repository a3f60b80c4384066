//! Linux: inotify, timerfd, and who holds a lock.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub mod file_watch;
pub mod timer;

/// The room for a socket's path, its final zero included (`sun_path` of unix(7)).
pub(super) const SOCKET_PATH_BYTES: usize = 108;

/// Where every user may make directories: the last resort for a socket.
pub(super) fn temporary_directory() -> PathBuf {
    PathBuf::from("/tmp")
}

/// Tells those who watch `path` that it was written: inotify does.
pub fn announce(_path: &Path) {}

/// Takes a file for this process alone, until it is closed.
///
/// # Errors
/// As [`File::try_lock`].
pub fn try_lock(file: &File) -> Result<(), fs::TryLockError> {
    file.try_lock()
}

/// Whether `process` has taken a file by [`try_lock`]. The system knows who holds a lock (proc_locks(5)).
#[must_use]
pub fn is_locked(file: &File, process: u32) -> bool {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    file.metadata().is_ok_and(|found| locks.lines().any(|line| is_lock(line, process, found.ino())))
}

/// Whether a line of `/proc/locks` says that `process` holds a lock of flock(2) on the file with this number:
/// `1: FLOCK ADVISORY WRITE 4711 fd:00:1234 0 EOF`. The device is left out: of some file systems stat(2) says another.
fn is_lock(line: &str, process: u32, inode: u64) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, holder, file, ..] = words[..] else { return false };
    let own = file.rsplit(':').next();
    holder.parse() == Ok(process) && own.and_then(|own| own.parse().ok()) == Some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_from_others() {
        assert!(is_lock("7: FLOCK  ADVISORY  WRITE 4711 fd:00:1234 0 EOF", 4711, 1234));
        for other in [
            "7: POSIX  ADVISORY  WRITE 4711 fd:00:1234 0 EOF",
            "7: FLOCK  ADVISORY  WRITE 471 fd:00:1234 0 EOF",
            "7: FLOCK  ADVISORY  WRITE 4711 fd:00:234 0 EOF",
            // Somebody waits for it.
            "7: -> FLOCK  ADVISORY  WRITE 4711 fd:00:1234 0 EOF",
            "",
        ] {
            assert!(!is_lock(other, 4711, 1234), "{other:?}");
        }
    }
}
