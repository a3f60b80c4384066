//! Why the account cannot be used, in words for people.

use std::io;
use std::path::PathBuf;

use ensafer_client::exit::Exit;
use ensafer_core::account::{ParseLinkError, ParseStateError, PinError, SucceedError, UnlockError};
use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::{Login, LoginError, ParsePrintedError, PasswordError};

use super::GroupError;
use crate::key_server::{Origin, OriginError, ServerError};
use crate::output::printable;
use crate::secrets::SecretError;

/// Why the account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is none here.
    #[error("no account is set up on this computer")]
    NotSetUp,
    /// There is one here.
    #[error("an account is set up on this computer already ({})", path.display())]
    Exists {
        /// Its file.
        path: PathBuf,
    },
    /// The file to be written exists, and is left as it is.
    #[error("{} exists already", path.display())]
    OutputExists {
        /// It.
        path: PathBuf,
    },
    /// The password does not open it.
    #[error("the password is wrong")]
    WrongPassword,
    /// The recovery key does not open it.
    #[error("the recovery key is not this account's")]
    WrongRecoveryKey,
    /// The server does not take the recovery key, or knows nobody of that login: it does not say which.
    #[error("the recovery key or the address is wrong")]
    RecoveryRefused,
    /// The text is no recovery key.
    #[error(transparent)]
    RecoveryKey(#[from] ParsePrintedError),
    /// The name cannot be an account's.
    #[error("\"{}\" cannot name an account", printable(login))]
    Login {
        /// It.
        login: String,
        /// Why.
        source: LoginError,
    },
    /// Another account is set up here than the one that was named.
    #[error("{login} has the account of this computer, and {asked} is another")]
    OtherAccount {
        /// Whose it is.
        login: Login,
        /// Who was asked for.
        asked: Login,
    },
    /// The account is on no server.
    #[error("the account {login} is on this computer only")]
    NotOnServer {
        /// Whose it is.
        login: Login,
    },
    /// The account is on a server, and this computer has no session there.
    #[error("this computer is not logged in")]
    NotLoggedIn,
    /// The password is too easy to guess.
    #[error("the password is too easy to guess: {why}")]
    Weak {
        /// Why.
        why: String,
    },
    /// The text is no server's address.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The server did not do it.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A change was sent to the server, and nobody can say whether it was made: no answer came, then or later.
    #[error("the server may have made the change or not: {lost}")]
    Unanswered {
        /// What became of the change.
        lost: ServerError,
        /// What became of the question whether it was made.
        later: Box<ServerError>,
    },
    /// A newer version of Ensafer wrote the account. Nothing of it was used.
    #[error("the account was changed by a newer version of Ensafer")]
    NewerVersion,
    /// A newer version of Ensafer made somebody's public keys, so the server says. Nothing of them was used.
    #[error("the keys of {login} were made by a newer version of Ensafer")]
    NewerKeys {
        /// Whose.
        login: Login,
    },
    /// The server has another account under this account's login.
    #[error("{origin} has another account under {login} than this computer")]
    OtherAccountThere {
        /// The server.
        origin: Origin,
        /// The login.
        login: Login,
    },
    /// The account's password was set for a server of another name.
    #[error("the account was registered under {realm}, not {origin}")]
    OtherRealm {
        /// The server that was asked.
        origin: Origin,
        /// The other name.
        realm: String,
    },
    /// What the server served is not what this account is known to be, or does not open although the password was
    /// right. Nothing of it was used.
    #[error("what {origin} serves is not to be trusted: {what}")]
    ServerLies {
        /// The server.
        origin: Origin,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The server's clock and this computer's are too far apart for a login.
    #[error("the clocks of this computer and of {origin} are far apart")]
    Clock {
        /// The server.
        origin: Origin,
    },
    /// Somebody's keys are not those that were seen before.
    #[error("the keys of {login} are not to be trusted: {source}")]
    Pin {
        /// Whose.
        login: Login,
        /// Why.
        source: PinError,
    },
    /// The account's state cannot be read.
    #[error(transparent)]
    State(#[from] ParseStateError),
    /// The file is no sealed account.
    #[error("{} is not an account of Ensafer, or is damaged", path.display())]
    Damaged {
        /// It.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file in which this computer remembers something beside the account is not what it must be.
    #[error("{} is damaged", path.display())]
    DamagedOwn {
        /// It.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// How to do without it.
        remedy: &'static str,
    },
    /// Its parameters are outside of what is safe, or there is no password.
    #[error(transparent)]
    Parameters(#[from] PasswordError),
    /// A part of the account does not open with the account's own key.
    #[error("the account is inconsistent; a part of it was altered")]
    Inconsistent,
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The text is no one-time password of an invitation.
    #[error(transparent)]
    InvitationPassword(ParsePrintedError),
    /// An invitation's link and password do not belong together, or its record was altered.
    #[error("the invitation cannot be opened: link and password do not belong together")]
    InvitationSecrets,
    /// An invitation has ended.
    #[error("the invitation has ended")]
    InvitationEnded,
    /// The link of an invitation is none.
    #[error(transparent)]
    Link(#[from] ParseLinkError),
    /// There is no room for another invitation.
    #[error("too many invitations are open")]
    TooManyInvitations,
    /// A group is not made or changed.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// This device's secrets cannot be kept.
    #[error(transparent)]
    Secrets(#[from] SecretError),
}

impl AccountError {
    /// What a failed attempt to recover the account means: whoever typed the recovery key is not told of a password.
    #[must_use]
    pub fn of_recovery(self) -> Self {
        match self {
            Self::Server(error) if error.kind() == Some(ProblemKind::WrongCredentials) => {
                Self::RecoveryRefused
            }
            other => other,
        }
    }

    /// How a command that fails so ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotSetUp => Exit::NotSetUp,
            Self::WrongPassword
            | Self::WrongRecoveryKey
            | Self::RecoveryRefused
            | Self::InvitationSecrets => Exit::WrongPassword,
            Self::Secrets(SecretError::WrongPassword | SecretError::Locked) => Exit::WrongPassword,
            Self::Login { .. }
            | Self::RecoveryKey(_)
            | Self::InvitationPassword(_)
            | Self::Origin(_)
            | Self::Link(_)
            | Self::Weak { .. }
            | Self::OtherRealm { .. }
            | Self::Group(GroupError::Name { .. } | GroupError::Taken { .. })
            | Self::Parameters(PasswordError::Empty) => Exit::Usage,
            Self::NotOnServer { .. } | Self::NotLoggedIn => Exit::NotSetUp,
            Self::Server(error) | Self::Unanswered { lost: error, .. } => error.exit(),
            Self::ServerLies { .. } | Self::Pin { .. } => Exit::VerificationFailed,
            _ => Exit::Error,
        }
    }

    /// Whether the password does not open the account, here or on the server.
    #[must_use]
    pub fn is_wrong_password(&self) -> bool {
        match self {
            Self::WrongPassword => true,
            Self::Server(error) => error.kind() == Some(ProblemKind::WrongCredentials),
            _ => false,
        }
    }

    /// Whether nobody has the address that was asked about.
    #[must_use]
    pub fn is_unknown_user(&self) -> bool {
        matches!(self, Self::Server(error) if error.kind() == Some(ProblemKind::UserUnknown))
    }

    /// Whether the server knows no such open invitation.
    #[must_use]
    pub fn is_unknown_invitation(&self) -> bool {
        matches!(self, Self::Server(error) if error.kind() == Some(ProblemKind::InvitationUnknown))
    }

    /// Whether a code was mailed and is waited for.
    #[must_use]
    pub fn is_unconfirmed_address(&self) -> bool {
        matches!(self, Self::Server(error) if error.kind() == Some(ProblemKind::EmailUnconfirmed))
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotSetUp => Some(
                "ensafer register, or ensafer login --email YOU@EXAMPLE.COM --server URL, or ensafer keys import FILE",
            ),
            Self::NewerVersion | Self::NewerKeys { .. } => Some("Upgrade Ensafer on this computer"),
            Self::OtherRealm { .. } => {
                Some("Add --realm with that address, if it is the server's former one")
            }
            Self::Exists { .. } | Self::OtherAccountThere { .. } => {
                Some("Use it, or give the other account a home of its own with ENSAFER_HOME")
            }
            Self::OtherAccount { .. } => Some(
                "Use it, or give the other account a home of its own with ENSAFER_HOME. If it is the same person under another address: ensafer account profile --email YOU@EXAMPLE.COM changes that",
            ),
            Self::OutputExists { .. } => Some("Name a file that does not exist, or remove that one"),
            Self::WrongPassword => Some(
                "Try again. Where it was changed on another computer: ensafer login. Where it is lost: ensafer recovery-key use",
            ),
            Self::NotOnServer { .. } => Some("ensafer register --server URL publishes it"),
            Self::NotLoggedIn => Some("ensafer login"),
            Self::Weak { .. } => Some("Four or more words that have nothing to do with each other are good"),
            Self::Origin(_) => Some("--server https://keys.example.com"),
            Self::Server(error) => error.remedy(),
            Self::Unanswered { .. } => Some(
                "When the server can be reached, log in with the new password, or else with the old: ensafer login. Then ensafer account show and recovery-key show tell what holds",
            ),
            Self::ServerLies { .. } => Some(
                "Nothing was changed here. Ask the server's administrator, by another way than this server",
            ),
            Self::Clock { .. } => Some("Set this computer's clock, then try again"),
            Self::Pin { source: PinError::IdentityChanged { .. }, .. } => Some(
                "Stop. Ask the person, by telephone or face to face, whether they made a new account; then compare the safety numbers: ensafer share verify EMAIL --changed",
            ),
            Self::WrongRecoveryKey | Self::RecoveryKey(_) => Some("Compare it with what you wrote down"),
            Self::RecoveryRefused => {
                Some("Compare the key with what you wrote down, and look at the address and the server")
            }
            Self::InvitationPassword(_) => Some("Compare it with what you were told: five groups of four"),
            Self::InvitationSecrets => Some("Compare both with what you were sent and told"),
            Self::InvitationEnded => Some("Ask whoever invited you for a new one"),
            Self::Link(_) => Some("Copy the whole link from the mail, and put it in quotes"),
            Self::TooManyInvitations => {
                Some("ensafer invite list, then ensafer invite revoke what nobody accepts")
            }
            Self::Login { .. } => Some("Write it like alice@example.com"),
            Self::Group(error) => error.remedy(),
            Self::Damaged { .. } => Some(
                "Where it is this computer's own, move it away, then ensafer login. Otherwise take the account from another computer: ensafer keys export, keys import",
            ),
            Self::DamagedOwn { remedy, .. } => Some(remedy),
            _ => None,
        }
    }
}

impl From<SucceedError> for AccountError {
    fn from(error: SucceedError) -> Self {
        match error {
            SucceedError::NewerVersion => Self::NewerVersion,
            SucceedError::Refused => Self::Inconsistent,
        }
    }
}

impl From<UnlockError> for AccountError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Password(error) => Self::Parameters(error),
            UnlockError::Open(_) => Self::WrongPassword,
        }
    }
}
