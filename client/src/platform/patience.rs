//! Where only trying tells whether a lock is held: that holds it for a moment, so whoever wants it tries more than once.

use std::fs::TryLockError;
use std::thread;
use std::time::Duration;

/// How often, and how far apart, a lock is tried.
const TRIES: usize = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Tries until `lock` answers, or has been held for longer than a look takes.
///
/// # Errors
/// Those of the last try.
pub(super) fn patiently(lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
            tried => return tried,
        }
    }
    lock()
}
