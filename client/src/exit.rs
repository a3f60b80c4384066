//! Exit codes.

use std::process::ExitCode;

/// How a command ends. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Success = 0,
    /// An error that has no number of its own.
    Error = 1,
    /// The arguments make no sense, or a question could not be asked.
    Usage = 2,
    /// Done except for the listed problems.
    Partial = 3,
    /// Done; conflicts wait for somebody.
    ConflictsPending = 4,
    /// Not now: something else has to end first.
    RetryLater = 5,
    /// A brake holds (engine rule 15).
    BrakeTripped = 7,
    /// No account, or no folder, is set up here.
    NotSetUp = 10,
    /// Another process uses this home.
    AlreadyRunning = 11,
    /// The password, or the recovery key, is not the right one.
    WrongPassword = 12,
    /// No envelope is for this account.
    NotARecipient = 13,
    /// The key server cannot be reached.
    ServerUnreachable = 14,
    /// Files failed verification.
    VerificationFailed = 26,
    /// Ctrl-C before the work was finished.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
