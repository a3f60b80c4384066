//! `accept LINK`: a guest's first steps.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use ensafer_core::account::{InvitationLink, SafetyNumber};
use ensafer_core::crypto::{InvitationPassword, InvitationSecrets};
use ensafer_core::ids::Fingerprint;

use super::engine::Engine;
use super::share::members::may;
use super::{account as account_verbs, folder, register};
use crate::account::{self, AccountError, Received};
use crate::exit::{Exit, Failure};
use crate::folders::Folders;
use crate::key_server::Origin;
use crate::output::printable;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The link that you were sent, in quotes
    link: String,
    /// The e-mail address of your new account; the one that was invited if left out
    #[arg(long)]
    email: Option<String>,
    /// The directory for ordinary files
    #[arg(long, value_name = "DIR", requires = "encrypted")]
    work: Option<PathBuf>,
    /// The directory, inside the cloud client's, where the encrypted folder arrives
    #[arg(long, value_name = "DIR", requires = "work")]
    encrypted: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let link: InvitationLink = arguments.link.parse().map_err(AccountError::from)?;
    let origin: Origin = link.origin.parse().map_err(AccountError::from)?;
    refuse_other_server(shell, &origin)?;
    let fetched = account::fetch_invitation(&shell.config, &origin, link.id)?;
    let received = open(shell, link, &fetched)?;
    tell(shell, &received);
    if account::exists(&shell.home) {
        account_verbs::opened(shell)?;
    } else {
        let email = arguments.email.clone().unwrap_or_else(|| received.record.invited.to_string());
        register::register_at(shell, &origin, &email)?;
        // With the session came another device key.
        shell.forget_account();
    }
    if !account::is_logged_in(&shell.home)? {
        let what = "The account waits for the code that was mailed to you";
        let remedy = "ensafer account confirm, then the same ensafer accept once more";
        return Err(Failure::new(Exit::RetryLater, what).with_remedy(remedy).into());
    }
    let unlocked = account_verbs::opened(shell)?;
    account::accept(&shell.home, &shell.config, &unlocked, &received)?;
    let inviter = &received.record.inviter;
    let number = SafetyNumber::of(&unlocked.account.fingerprint(), &inviter.fingerprint());
    shell.output.note(format_args!("The safety number with {}: {number}", inviter.bundle().login));
    shell
        .output
        .note("Accepted. You can read at once; a computer of whoever invited you does the rest by itself.");
    match (&arguments.work, &arguments.encrypted) {
        _ if is_synced(shell, &received)? => {}
        (Some(work), Some(encrypted)) => {
            join(shell, engine, work, encrypted, received.record.owner.fingerprint())?;
        }
        _ => shell.output.note(format_args!(
            "Once your cloud client has fetched the encrypted folder (it holds {}): ensafer folder add WORK ENCRYPTED",
            ensafer_core::format::object_name(received.record.folder.root())
        )),
    }
    Ok(Exit::Success)
}

fn is_synced(shell: &Shell, received: &Received) -> Result<bool> {
    let folders = Folders::load(shell.home.data_dir())?;
    Ok(folders.entries().iter().any(|folder| folder.id == received.record.folder))
}

fn join(shell: &Shell, engine: &dyn Engine, work: &Path, encrypted: &Path, owner: Fingerprint) -> Result<()> {
    let added = folder::add(shell, engine, work, encrypted, Some(owner))?;
    shell.output.note(format_args!("{} will be synced with {}: ensafer start", added.work, added.encrypted));
    Ok(())
}

/// An account is on one server.
fn refuse_other_server(shell: &Shell, origin: &Origin) -> Result<()> {
    if !account::exists(&shell.home) {
        return Ok(());
    }
    let on = account::server_of(&shell.home)?;
    if on.as_ref() == Some(origin) {
        return Ok(());
    }
    let login = account::login_of(&shell.home)?;
    let (what, remedy) = match on {
        None => (
            format!("The account {login} is on this computer only, and the invitation is from {origin}"),
            format!("ensafer register --server {origin} publishes it there; then the same ensafer accept once more"),
        ),
        Some(on) => (
            format!("The account {login} is on {on}, and the invitation is from {origin}"),
            "Ask whoever invited you to share with an account there, or give that one a home of its own with ENSAFER_HOME".to_owned(),
        ),
    };
    Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
}

/// Asks for the password that was told by another way, and opens the invitation.
fn open(shell: &Shell, link: InvitationLink, fetched: &(Vec<u8>, bool)) -> Result<Received> {
    let InvitationLink { id, fragment, .. } = link;
    let typed = prompt::asked("One-time password: ")?;
    let password: InvitationPassword = typed.expose().parse().map_err(AccountError::from)?;
    let received = account::open_invitation(id, &InvitationSecrets { password, fragment }, fetched)?;
    if received.accepted && !account::exists(&shell.home) {
        let what = "Somebody has accepted this invitation already";
        let remedy =
            "If it was not you: tell whoever invited you, who removes that person and invites you anew";
        return Err(Failure::new(Exit::Error, what).with_remedy(remedy).into());
    }
    Ok(received)
}

fn tell(shell: &Shell, received: &Received) {
    let record = &received.record;
    let inviter = record.inviter.bundle().login.as_str();
    shell.output.note(format_args!(
        "{} invites you to {} the folder \"{}\".",
        printable(inviter),
        may(record.role),
        printable(&record.folder_name)
    ));
}
