//! What the daemon answers where it does not do what it was asked.

use serde::{Deserialize, Serialize};

/// Why the daemon refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalClass {
    /// No account is set up.
    NotSetUp,
    /// The keys are locked.
    Locked,
    /// The password is wrong.
    WrongPassword,
    /// No brake has that token, or it stands for another set by now.
    NoSuchBrake,
    /// Not now: something has to arrive, or to end, first.
    RetryLater,
    /// It is not for this account to do, or makes no sense as things are.
    NotAllowed,
    /// The account is no member of the folder any more.
    NotAMember,
    /// An account is set up here, the folder is synced, somebody is a member or invited already, or has accepted the
    /// invitation before.
    Already,
    /// The password is too easy to guess.
    WeakPassword,
    /// The recovery key is not this account's, or is none.
    WrongRecoveryKey,
    /// The key server takes new accounts only with its authorisation code, which is missing or wrong.
    NeedsRegistrationCode,
    /// A code was mailed and is waited for: `POST /v1/account/confirm`.
    NeedsMailCode,
    /// The code from the mail is wrong or too old.
    WrongMailCode,
    /// A printed secret is mistyped: its checksum does not fit.
    Mistyped,
    /// An invitation has ended, was taken back, or was never made.
    InvitationOver,
    /// What was asked for is on another key server than the account.
    OtherServer,
    /// The address has an account on the server already.
    AddressTaken,
    /// The account is on no key server.
    NotOnServer,
    /// This computer has no session on the key server.
    NotLoggedIn,
    /// The key server cannot be reached, or has trouble of its own.
    ServerUnreachable,
    /// What answers is not to be trusted: its certificate, or what it serves.
    ServerDistrusted,
    /// Nobody has that address on the server: they can be invited.
    UnknownPerson,
    /// Somebody's keys are others than were seen before.
    KeysChanged,
    /// A directory is not there: `create_missing` makes it.
    MissingDirectory,
    /// The encrypted folder is somebody's whom this account has never met: name the owner with `from`.
    UnknownOwner,
    /// The encrypted folder is not shared with this account.
    NotARecipient,
    /// The request makes no sense.
    BadRequest,
    /// It failed.
    Failed,
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub class: RefusalClass,
    /// What happened, to what.
    pub what: String,
    /// What to do about it, in one sentence, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Whom it is about, by e-mail address, where somebody can go on with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}
