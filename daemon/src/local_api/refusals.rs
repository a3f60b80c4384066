//! What errors are for programs: the class of a refusal and its status code.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ensafer_client::exit::Exit;
use ensafer_core::account::PinError;
use ensafer_core::api::local::{Refusal, RefusalClass};
use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::PasswordError;

use super::ControlError;
use crate::account::AccountError;
use crate::config::ConfigError;
use crate::engine::{EngineError, MembersError, ResolveError};
use crate::exit::{self, Failure};
use crate::folder_keys::FolderKeysError;
use crate::key_server::ServerError;
use crate::output::printable;
use crate::secrets::SecretError;

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let refusal = self.refusal();
        (status_of(refusal.class), Json(refusal)).into_response()
    }
}

impl ControlError {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Failed(error) => refusal_of(error),
            Self::Members(error) => Refusal {
                class: self.class(),
                what: printable(&crate::apply::describe(error)),
                remedy: error.remedy().map(str::to_owned),
                about: None,
            },
            known => Refusal { class: known.class(), what: known.to_string(), remedy: None, about: None },
        }
    }
}

/// An error in words, and what it is for programs. Names in the words show as what they are, whoever chose them.
pub(super) fn refusal_of(error: &anyhow::Error) -> Refusal {
    if let Some(known) = error.downcast_ref::<ControlError>() {
        return known.refusal();
    }
    let about = error.chain().find_map(whom).map(str::to_owned);
    Refusal {
        class: error.chain().find_map(class_of).unwrap_or(RefusalClass::Failed),
        what: printable(&exit::describe(error)),
        remedy: exit::remedy(error).map(printable),
        about,
    }
}

/// Whom a link of an error's chain is about, if it says so.
fn whom<'a>(link: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    if let Some(AccountError::Pin { login, .. }) = link.downcast_ref() {
        return Some(login.as_str());
    }
    link.downcast_ref::<Failure>()?.whom()
}

/// What a link of an error's chain is for programs, if it says so.
fn class_of(link: &(dyn std::error::Error + 'static)) -> Option<RefusalClass> {
    if let Some(failure) = link.downcast_ref::<Failure>() {
        return Some(failure.class().unwrap_or_else(|| class_of_exit(failure.exit())));
    }
    if let Some(error) = link.downcast_ref::<AccountError>() {
        return Some(class_of_account(error));
    }
    if let Some(error) = link.downcast_ref::<MembersError>() {
        return Some(class_of_members(error));
    }
    if let Some(error) = link.downcast_ref::<ResolveError>() {
        return class_of_resolve(error);
    }
    match link.downcast_ref::<FolderKeysError>() {
        Some(FolderKeysError::Locked) => return Some(RefusalClass::Locked),
        Some(FolderKeysError::NotAMember) => return Some(RefusalClass::NotAMember),
        _ => {}
    }
    link.is::<ConfigError>().then_some(RefusalClass::BadRequest)
}

/// What lies below the error of a folder or its directory says it better.
const fn class_of_resolve(error: &ResolveError) -> Option<RefusalClass> {
    match error {
        ResolveError::Changed { .. } | ResolveError::Busy { .. } | ResolveError::Interrupted => {
            Some(RefusalClass::RetryLater)
        }
        ResolveError::NoSuchConflict | ResolveError::NoOriginal => Some(RefusalClass::BadRequest),
        ResolveError::Engine(EngineError::ReadOnly) => Some(RefusalClass::NotAllowed),
        ResolveError::Work(_) | ResolveError::Engine(_) => None,
    }
}

const fn class_of_exit(exit: Exit) -> RefusalClass {
    match exit {
        Exit::Usage => RefusalClass::BadRequest,
        Exit::NotSetUp => RefusalClass::NotSetUp,
        Exit::WrongPassword => RefusalClass::WrongPassword,
        Exit::NotARecipient => RefusalClass::NotARecipient,
        Exit::RetryLater | Exit::AlreadyRunning => RefusalClass::RetryLater,
        Exit::ServerUnreachable => RefusalClass::ServerUnreachable,
        Exit::VerificationFailed => RefusalClass::NotAllowed,
        _ => RefusalClass::Failed,
    }
}

fn class_of_account(error: &AccountError) -> RefusalClass {
    match error {
        AccountError::NotSetUp => RefusalClass::NotSetUp,
        AccountError::Exists { .. } | AccountError::OtherAccount { .. } => RefusalClass::Already,
        AccountError::WrongPassword | AccountError::InvitationSecrets => RefusalClass::WrongPassword,
        AccountError::InvitationPassword(_) => RefusalClass::Mistyped,
        AccountError::InvitationEnded => RefusalClass::InvitationOver,
        AccountError::Secrets(SecretError::WrongPassword) => RefusalClass::WrongPassword,
        AccountError::Secrets(SecretError::Locked) => RefusalClass::Locked,
        AccountError::WrongRecoveryKey | AccountError::RecoveryRefused | AccountError::RecoveryKey(_) => {
            RefusalClass::WrongRecoveryKey
        }
        AccountError::Weak { .. } => RefusalClass::WeakPassword,
        AccountError::NotOnServer { .. } => RefusalClass::NotOnServer,
        AccountError::NotLoggedIn => RefusalClass::NotLoggedIn,
        AccountError::Server(error) | AccountError::Unanswered { lost: error, .. } => class_of_server(error),
        AccountError::ServerLies { .. } => RefusalClass::ServerDistrusted,
        AccountError::Pin { source: PinError::IdentityChanged { .. }, .. } => RefusalClass::KeysChanged,
        AccountError::Login { .. }
        | AccountError::Origin(_)
        | AccountError::Link(_)
        | AccountError::OtherRealm { .. }
        | AccountError::Parameters(PasswordError::Empty) => RefusalClass::BadRequest,
        _ => RefusalClass::Failed,
    }
}

fn class_of_server(error: &ServerError) -> RefusalClass {
    let kind = match error {
        ServerError::Refused { kind, .. } => *kind,
        ServerError::Unreachable { .. } | ServerError::NotAKeyServer { .. } => {
            return RefusalClass::ServerUnreachable;
        }
        ServerError::Certificate { .. } => return RefusalClass::ServerDistrusted,
        ServerError::Config(_) | ServerError::Proxy { .. } | ServerError::NoConnections { .. } => {
            return RefusalClass::Failed;
        }
    };
    match kind {
        ProblemKind::WrongCredentials => RefusalClass::WrongPassword,
        ProblemKind::ConfirmationRefused => RefusalClass::WrongMailCode,
        ProblemKind::EmailUnconfirmed => RefusalClass::NeedsMailCode,
        ProblemKind::RegistrationCodeRefused => RefusalClass::NeedsRegistrationCode,
        ProblemKind::LoginTaken => RefusalClass::AddressTaken,
        ProblemKind::InvitationUnknown => RefusalClass::InvitationOver,
        ProblemKind::InvitationAccepted => RefusalClass::Already,
        ProblemKind::UserUnknown => RefusalClass::UnknownPerson,
        ProblemKind::RegistrationClosed | ProblemKind::AccountDisabled => RefusalClass::NotAllowed,
        ProblemKind::SessionRefused | ProblemKind::DeviceRevoked => RefusalClass::NotLoggedIn,
        ProblemKind::TooManyFailures | ProblemKind::TooManyRequests | ProblemKind::VersionConflict => {
            RefusalClass::RetryLater
        }
        ProblemKind::Unavailable
        | ProblemKind::Internal
        | ProblemKind::MailFailed
        | ProblemKind::RequestTimeout => RefusalClass::ServerUnreachable,
        ProblemKind::LoginMalformed | ProblemKind::ValueRefused => RefusalClass::BadRequest,
        _ => RefusalClass::Failed,
    }
}

/// What a refused change of members is for programs.
pub(super) fn class_of_members(error: &MembersError) -> RefusalClass {
    match error {
        MembersError::NotAMember => RefusalClass::NotAMember,
        MembersError::Engine(EngineError::Keys(FolderKeysError::Locked)) => RefusalClass::Locked,
        error if error.is_for_later() => RefusalClass::RetryLater,
        MembersError::Engine(_) => RefusalClass::Failed,
        _ => RefusalClass::NotAllowed,
    }
}

/// The status code of a refusal.
const fn status_of(class: RefusalClass) -> StatusCode {
    match class {
        RefusalClass::NotSetUp
        | RefusalClass::Locked
        | RefusalClass::NoSuchBrake
        | RefusalClass::RetryLater
        | RefusalClass::Already
        | RefusalClass::NeedsMailCode
        | RefusalClass::AddressTaken
        | RefusalClass::NotOnServer
        | RefusalClass::NotLoggedIn
        | RefusalClass::OtherServer
        | RefusalClass::KeysChanged
        | RefusalClass::MissingDirectory
        | RefusalClass::UnknownOwner => StatusCode::CONFLICT,
        RefusalClass::WrongPassword
        | RefusalClass::WrongRecoveryKey
        | RefusalClass::WrongMailCode
        | RefusalClass::NeedsRegistrationCode
        | RefusalClass::NotAllowed
        | RefusalClass::NotAMember
        | RefusalClass::NotARecipient => StatusCode::FORBIDDEN,
        RefusalClass::UnknownPerson | RefusalClass::InvitationOver => StatusCode::NOT_FOUND,
        RefusalClass::BadRequest | RefusalClass::WeakPassword | RefusalClass::Mistyped => {
            StatusCode::BAD_REQUEST
        }
        RefusalClass::ServerUnreachable | RefusalClass::ServerDistrusted => StatusCode::BAD_GATEWAY,
        RefusalClass::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A refusal that needs no remedy.
pub(super) fn refuse(status: StatusCode, class: RefusalClass, what: String) -> Response {
    (status, Json(Refusal { class, what, remedy: None, about: None })).into_response()
}
