//! Why a key server did not do what it was asked, in words for people.

use ensafer_client::exit::Exit;
use ensafer_core::api::server::{Problem, ProblemKind};

use crate::config::ConfigError;
use crate::output::printable;

use super::origin::Origin;

/// A request to the key server failed.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No answer came.
    #[error("the key server {origin} cannot be reached: {}{}", reason(.error), without_tls(.origin))]
    Unreachable {
        /// It.
        origin: Origin,
        /// Why. Not a source: the library's own words say little to people.
        error: reqwest::Error,
    },
    /// Somebody answered whose certificate does not prove that it is the server.
    #[error("the certificate of {origin} is not valid: {reason}")]
    Certificate {
        /// It.
        origin: Origin,
        /// What the check said.
        reason: String,
    },
    /// What answered is no key server, or not of this version.
    #[error("{origin} does not answer like a key server of Ensafer ({what})")]
    NotAKeyServer {
        /// It.
        origin: Origin,
        /// What was unexpected.
        what: String,
    },
    /// The server refused, and says why.
    #[error("{}", words(.problem, *.kind))]
    Refused {
        /// What kind of problem it is.
        kind: ProblemKind,
        /// What the server said.
        problem: Box<Problem>,
    },
    /// A file that the settings name cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings for reaching it make no sense.
    #[error("the proxy setting cannot be used: {reason}")]
    Proxy {
        /// Why.
        reason: String,
    },
    /// No connection can be made at all, as where the system has no certificates of authorities.
    #[error("connections cannot be set up: {reason}")]
    NoConnections {
        /// Why.
        reason: String,
    },
}

/// What the system, or the library, says at the bottom of it.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    short(&cause.to_string())
}

/// A key server on this computer, such as one that is tried out, often speaks plain HTTP.
fn without_tls(origin: &Origin) -> String {
    match origin.as_str().strip_prefix("https://").filter(|_| origin.is_loopback()) {
        Some(rest) => format!(" (https was tried; without TLS it is http://{rest})"),
        None => String::new(),
    }
}

/// The kind's words, and the server's detail where it gave one.
fn words(problem: &Problem, kind: ProblemKind) -> String {
    let what = match kind {
        ProblemKind::WrongCredentials => "the password is wrong, or nobody has that login",
        ProblemKind::DeviceRevoked => "this computer was removed from the account",
        ProblemKind::SessionRefused => "this computer is not logged in any more",
        ProblemKind::TooManyFailures => "too many attempts failed",
        ProblemKind::TooManyRequests => "the server was asked too often",
        ProblemKind::LoginTaken => "that address has an account on the server already",
        ProblemKind::EmailUnconfirmed => "the e-mail address is not confirmed yet",
        ProblemKind::ConfirmationRefused => "the code from the e-mail is wrong or too old",
        ProblemKind::RegistrationClosed => "the server takes no new accounts",
        ProblemKind::RegistrationCodeRefused => "the server's authorisation code is missing or wrong",
        ProblemKind::AccountDisabled => "the account was disabled by the server's administrator",
        ProblemKind::UserUnknown => "nobody has that address on this server",
        ProblemKind::DeviceUnknown => "the account has no such computer",
        ProblemKind::InvitationUnknown => "the invitation has ended, was revoked, or was never made",
        ProblemKind::GroupUnknown => "the server has no such group that this account may change",
        ProblemKind::MailOff => "the server mails no invitations",
        ProblemKind::VersionConflict => "another computer changed it at the same time",
        ProblemKind::Unavailable | ProblemKind::Internal => "the server has trouble of its own",
        ProblemKind::MailFailed => "the server could not send its e-mail",
        ProblemKind::LoginMalformed => "the server does not take that address",
        other => other.title(),
    };
    match (&problem.detail, problem.retry_after_s) {
        (Some(detail), _) => format!("{what} ({})", short(detail)),
        (None, Some(seconds)) => format!("{what}; it may pass in {seconds} seconds"),
        (None, None) => what.to_owned(),
    }
}

/// What a server said goes to a terminal: without control characters, and not endless.
pub(super) fn short(text: &str) -> String {
    printable(text).chars().take(300).collect()
}

impl ServerError {
    /// The problem's kind, if the server refused.
    #[must_use]
    pub fn kind(&self) -> Option<ProblemKind> {
        if let Self::Refused { kind, .. } = self { Some(*kind) } else { None }
    }

    /// Whether the server says that the session is over.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self.kind(), Some(ProblemKind::DeviceRevoked | ProblemKind::SessionRefused))
    }

    /// Whether the server may have done what it was asked although it does not say so.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Unreachable { error, .. } => !error.is_connect(),
            Self::NotAKeyServer { .. } => true,
            Self::Refused { kind, .. } => {
                matches!(kind, ProblemKind::RequestTimeout | ProblemKind::Unavailable | ProblemKind::Internal)
            }
            Self::Certificate { .. } | Self::Config(_) | Self::Proxy { .. } | Self::NoConnections { .. } => {
                false
            }
        }
    }

    /// How a command that fails so ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } | Self::Certificate { .. } | Self::NotAKeyServer { .. } => {
                Exit::ServerUnreachable
            }
            Self::Config(_) | Self::Proxy { .. } => Exit::Usage,
            Self::NoConnections { .. } => Exit::Error,
            Self::Refused { kind, .. } => match kind {
                ProblemKind::WrongCredentials | ProblemKind::ConfirmationRefused => Exit::WrongPassword,
                ProblemKind::TooManyFailures
                | ProblemKind::TooManyRequests
                | ProblemKind::VersionConflict
                | ProblemKind::EmailUnconfirmed => Exit::RetryLater,
                ProblemKind::Unavailable
                | ProblemKind::Internal
                | ProblemKind::MailFailed
                | ProblemKind::RequestTimeout => Exit::ServerUnreachable,
                ProblemKind::SessionRefused | ProblemKind::DeviceRevoked => Exit::NotSetUp,
                ProblemKind::LoginMalformed | ProblemKind::ValueRefused => Exit::Usage,
                _ => Exit::Error,
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some(
                "Look at the network, the address (http:// or https://) and the proxy settings. Folders go on syncing without the server",
            ),
            Self::Certificate { .. } => Some(
                "Look at this computer's clock and the server's address. An authority of one's own wants ca_file in the settings. Where somebody listens in on the network, do not go on",
            ),
            Self::NotAKeyServer { .. } => Some("Look at the address; ensafer --version shows this version"),
            Self::Config(_) => {
                Some("Put the authority's certificate there, as PEM, or: ensafer config set ca_file \"\"")
            }
            Self::Proxy { .. } => Some("ensafer config set proxy http://HOST:PORT, or none"),
            Self::NoConnections { .. } => {
                Some("Install the authorities' certificates of your system (Debian: ca-certificates)")
            }
            Self::Refused { kind, .. } => match kind {
                ProblemKind::WrongCredentials => Some(
                    "Try again. Where the password was changed on another computer: ensafer login. Where it is lost: ensafer recovery-key use",
                ),
                ProblemKind::ChallengeRefused => {
                    Some("Try again. If it stays, look at this computer's clock")
                }
                ProblemKind::DeviceRevoked | ProblemKind::SessionRefused => Some("ensafer login"),
                ProblemKind::LoginTaken => Some("ensafer login, or register another address"),
                ProblemKind::EmailUnconfirmed => Some("ensafer account confirm"),
                ProblemKind::ConfirmationRefused => Some(
                    "Copy the code from the newest e-mail: ensafer account confirm, or for another address ensafer account profile --email ADDRESS --with-code",
                ),
                ProblemKind::RegistrationCodeRefused => Some("Ask the server's administrator for a code"),
                ProblemKind::RegistrationClosed => {
                    Some("Ask the server's administrator to let you in, or take another server")
                }
                ProblemKind::AccountDisabled => Some("Ask the server's administrator to enable it"),
                // The server compares the address that it was asked under with its own.
                ProblemKind::BlobRefused => Some(
                    "Name the server by the very address that its administrator gave out (its public_url). If that was it, upgrade Ensafer",
                ),
                ProblemKind::InvitationUnknown | ProblemKind::InvitationAccepted => {
                    Some("Ask whoever invited you for a new invitation")
                }
                ProblemKind::InvitationsFull => {
                    Some("Revoke one that nobody takes any more, or wait for its end")
                }
                ProblemKind::GroupsFull => Some("Delete a group that nobody needs any more"),
                ProblemKind::MailOff => Some("Send the link yourself"),
                ProblemKind::TooManyFailures | ProblemKind::TooManyRequests | ProblemKind::Unavailable => {
                    Some("Wait a little, then try again")
                }
                _ => None,
            },
        }
    }
}
