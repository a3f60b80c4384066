//! Errors for people, and the exit codes that they choose.

use std::fmt;

use ensafer_client::exit::Exit;
use ensafer_client::home::HomeError;
use ensafer_client::launch::LaunchError;
use ensafer_client::local_api::ClientError;

use ensafer_core::api::local::RefusalClass;

use crate::account::AccountError;
use crate::config::ConfigError;
use crate::engine::{MembersError, ResolveError};
use crate::folder_keys::FolderKeysError;

/// An error for people: what happened, to what, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    what: String,
    remedy: Option<String>,
    class: Option<RefusalClass>,
    about: Option<String>,
}

impl Failure {
    /// A wrong password with a remedy that fits the command; other errors have their own.
    #[must_use]
    pub fn of_password(error: anyhow::Error, remedy: &str) -> anyhow::Error {
        if is_wrong_password(&error) {
            Self::new(of(&error), describe(&error)).with_remedy(remedy).into()
        } else {
            error
        }
    }

    /// `what` says what happened and to what.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), remedy: None, class: None, about: None }
    }

    /// With what to do about it, as a sentence or a command to type.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// With what it is for programs, where the exit code does not say it.
    #[must_use]
    pub fn with_class(mut self, class: RefusalClass) -> Self {
        self.class = Some(class);
        self
    }

    /// With the e-mail address of whom it is about, where somebody can go on with that.
    #[must_use]
    pub fn about(mut self, login: impl Into<String>) -> Self {
        self.about = Some(login.into());
        self
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What it is for programs, where the exit code does not say it.
    #[must_use]
    pub fn class(&self) -> Option<RefusalClass> {
        self.class
    }

    /// The e-mail address of whom it is about, where somebody can go on with that.
    #[must_use]
    pub fn whom(&self) -> Option<&str> {
        self.about.as_deref()
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// The exit code of an error: that of the first link of the chain that has one.
#[must_use]
pub fn of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_link).unwrap_or(Exit::Error)
}

fn of_link(link: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(failure) = link.downcast_ref::<Failure>() {
        return Some(failure.exit());
    }
    if let Some(HomeError::AlreadyRunning { .. }) = link.downcast_ref::<HomeError>() {
        return Some(Exit::AlreadyRunning);
    }
    if let Some(error) = link.downcast_ref::<ClientError>() {
        return Some(error.exit());
    }
    if let Some(error) = link.downcast_ref::<LaunchError>() {
        return Some(error.exit());
    }
    if let Some(error) = link.downcast_ref::<AccountError>() {
        return Some(error.exit());
    }
    if let Some(error) = link.downcast_ref::<MembersError>() {
        return Some(match error {
            MembersError::NotAMember => Exit::NotARecipient,
            error if error.is_for_later() => Exit::RetryLater,
            _ => Exit::Error,
        });
    }
    if let Some(error) = link.downcast_ref::<ResolveError>() {
        return match error {
            ResolveError::NoSuchConflict | ResolveError::NoOriginal => Some(Exit::Usage),
            error => error.is_for_later().then_some(Exit::RetryLater),
        };
    }
    if let Some(FolderKeysError::NotAMember) = link.downcast_ref::<FolderKeysError>() {
        return Some(Exit::NotARecipient);
    }
    link.is::<ConfigError>().then_some(Exit::Usage)
}

/// Whether the password does not open the account: here, on the server, or in the daemon.
#[must_use]
pub fn is_wrong_password(error: &anyhow::Error) -> bool {
    error.chain().any(|link| {
        let of_account = link.downcast_ref().is_some_and(AccountError::is_wrong_password);
        of_account || link.downcast_ref().is_some_and(ClientError::is_wrong_password)
    })
}

/// What to do about an error, where some link of the chain knows.
#[must_use]
pub fn remedy(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|link| {
        let of_failure = link.downcast_ref::<Failure>().and_then(Failure::remedy);
        let of_account = || link.downcast_ref::<AccountError>().and_then(AccountError::remedy);
        let of_client = || link.downcast_ref::<ClientError>().and_then(ClientError::remedy);
        let of_launch = || link.downcast_ref::<LaunchError>().and_then(LaunchError::remedy);
        let of_members = || link.downcast_ref::<MembersError>().and_then(MembersError::remedy);
        let of_resolve = || link.downcast_ref::<ResolveError>().and_then(ResolveError::remedy);
        of_failure
            .or_else(of_account)
            .or_else(of_client)
            .or_else(of_launch)
            .or_else(of_members)
            .or_else(of_resolve)
    })
}

/// The chain in one line, without a cause repeating what was said before it.
#[must_use]
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for link in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = link;
        } else if !text.contains(&link) {
            text = format!("{text}: {link}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_failure_keeps_its_number_under_any_context() {
        let error: anyhow::Error = AccountError::NotSetUp.into();
        let wrapped = Err::<(), _>(error).context("While starting").unwrap_err();
        assert_eq!(of(&wrapped), Exit::NotSetUp);
        let remedy = remedy(&wrapped).unwrap();
        assert!(remedy.contains("ensafer register") && remedy.contains("ensafer login"), "{remedy}");
        assert_eq!(describe(&wrapped), "While starting: no account is set up on this computer");
    }

    #[test]
    fn other_errors_are_plain_errors() {
        assert_eq!(of(&anyhow::anyhow!("something")), Exit::Error);
        let busy = HomeError::AlreadyRunning { path: "/x".into(), process_id: Some(7) };
        assert_eq!(of(&busy.into()), Exit::AlreadyRunning);
    }
}
