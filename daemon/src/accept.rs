//! Accepting an invitation that somebody else made: its link is read and looked at, the one-time password opens it, and this
//! computer's account accepts it. The command line and the local API do it by these acts, which neither ask nor print.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::account::InvitationLink;
use ensafer_core::api::local::{RefusalClass, SessionState};
use ensafer_core::crypto::{InvitationPassword, InvitationSecrets, LinkFragment};
use ensafer_core::ids::{FolderId, InvitationId};

use crate::account::{self, AccountError, Person, Received, Unlocked};
use crate::exit::Failure;
use crate::key_server::Origin;
use crate::shell::Shell;

/// The link of an invitation.
#[derive(Debug)]
pub struct Link {
    origin: Origin,
    id: InvitationId,
    fragment: LinkFragment,
}

/// What the server has of an invitation.
#[derive(Debug)]
pub enum Looked {
    /// The sealed record, and whether somebody has accepted it: [`Link::open`] opens it.
    Open((Vec<u8>, bool)),
    /// The server has forgotten it, and this computer had accepted it, to this folder.
    Over(FolderId),
}

impl Link {
    /// Reads a link that was sent, to the server of this computer's account where it is on one. No server is asked.
    ///
    /// # Errors
    /// It is none, or the account is on another server.
    pub fn read(shell: &Shell, text: &str) -> Result<Self> {
        let InvitationLink { origin, id, fragment } = text.parse().map_err(AccountError::from)?;
        let origin = origin.parse().map_err(AccountError::from)?;
        refuse_other_server(shell, &origin)?;
        Ok(Self { origin, id, fragment })
    }

    /// The server that has the invitation.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Asks the server for the invitation.
    ///
    /// # Errors
    /// What the server says; that it has forgotten the invitation only where this computer has not accepted it.
    pub fn look(&self, shell: &Shell) -> Result<Looked, AccountError> {
        match account::fetch_invitation(&shell.config, &self.origin, self.id) {
            Err(error) if error.is_unknown_invitation() => {
                let folder = account::accepted_folder(&shell.home, self.id)?;
                folder.map(Looked::Over).ok_or(error)
            }
            fetched => fetched.map(Looked::Open),
        }
    }

    /// Opens what the server has with the one-time password. It takes half a second or so.
    ///
    /// # Errors
    /// [`AccountError::InvitationSecrets`], [`AccountError::InvitationEnded`]; or somebody has accepted the invitation, and no
    /// account is here that it could have been.
    pub fn open(
        &self,
        shell: &Shell,
        password: InvitationPassword,
        sealed: &(Vec<u8>, bool),
    ) -> Result<Received> {
        // It was made from such a text.
        let fragment = self.fragment.to_text().parse().map_err(|_| AccountError::Inconsistent)?;
        let received = account::open_invitation(self.id, &InvitationSecrets { password, fragment }, sealed)?;
        if received.accepted && !account::exists(&shell.home) {
            let what = "Somebody has accepted this invitation already";
            let remedy =
                "If it was not you: tell whoever invited you, who removes that person and invites you anew";
            let failure = Failure::new(Exit::Error, what).with_remedy(remedy);
            return Err(failure.with_class(RefusalClass::Already).into());
        }
        Ok(received)
    }
}

/// A one-time password as somebody typed it.
///
/// # Errors
/// [`AccountError::InvitationPassword`]: its checksum does not fit.
pub fn one_time_password(typed: &str) -> Result<InvitationPassword, AccountError> {
    typed.parse().map_err(AccountError::InvitationPassword)
}

/// Refuses where this computer has no account that could accept an invitation from `origin`: it has to be logged in there.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::NotLoggedIn`], the account is on no server, or a code that was mailed is waited
/// for.
pub fn refuse_unready(shell: &Shell, origin: &Origin) -> Result<()> {
    shell.require_account()?;
    refuse_no_server(shell, origin)?;
    match account::standing(&shell.home)? {
        Some(SessionState::LoggedIn) => Ok(()),
        Some(SessionState::WaitsForCode) => {
            let what = "The account waits for the code that was mailed to you";
            let remedy = "ensafer account confirm, then the same ensafer accept once more";
            let failure = Failure::new(Exit::RetryLater, what).with_remedy(remedy);
            Err(failure.with_class(RefusalClass::NeedsMailCode).into())
        }
        _ => Err(AccountError::NotLoggedIn.into()),
    }
}

/// Accepts an invitation, or accepts it once more, which changes nothing. Says who invites, to compare safety numbers with.
///
/// # Errors
/// As [`account::accept`].
pub fn accept(shell: &Shell, unlocked: &Unlocked, received: &Received) -> Result<Person, AccountError> {
    account::accept(&shell.home, &shell.config, unlocked, received)?;
    account::met_person(&shell.home, unlocked, &received.record.inviter)
}

/// An account is on one server. One that is on none yet may still look: whether it belongs on that of the link shows when the
/// invitation has opened.
fn refuse_other_server(shell: &Shell, origin: &Origin) -> Result<()> {
    if !account::exists(&shell.home) {
        return Ok(());
    }
    let Some(on) = account::server_of(&shell.home)?.filter(|on| on != origin) else { return Ok(()) };
    let login = account::login_of(&shell.home)?;
    let what = format!("The account {login} is on {on}, and the invitation is from {origin}");
    let remedy = "Ask whoever invited you to share with an account there, or give that one a home of its own with ENSAFER_HOME";
    let failure = Failure::new(Exit::Usage, what).with_remedy(remedy);
    Err(failure.with_class(RefusalClass::OtherServer).into())
}

fn refuse_no_server(shell: &Shell, origin: &Origin) -> Result<()> {
    if account::server_of(&shell.home)?.is_some() {
        return Ok(());
    }
    let login = account::login_of(&shell.home)?;
    let what = format!("The account {login} is on this computer only, and the invitation is from {origin}");
    let remedy = format!(
        "ensafer register --server {origin} publishes it there; then the same ensafer accept once more"
    );
    Err(Failure::new(Exit::Usage, what).with_remedy(remedy).with_class(RefusalClass::NotOnServer).into())
}
