//! `accept LINK`: a guest's first steps.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::ids::{Fingerprint, FolderId};

use super::engine::Engine;
use super::share::members::may;
use super::{account as account_verbs, folder, named_path, register};
use crate::accept::{self, Link, Looked};
use crate::account::{self, Received, Unlocked};
use crate::exit::Failure;
use crate::folders::{FolderEntry, Folders};
use crate::key_server::Origin;
use crate::output::printable;
use crate::people::shown;
use crate::refusals::{self, Pair};
use crate::shell::Shell;
use crate::{join, prompt};

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
    let link = Link::read(shell, &arguments.link)?;
    // An invitation is accepted once: what would be in the way of the folder is said before.
    let target = Target::of(arguments, shell)?;
    let sealed = match link.look(shell)? {
        Looked::Open(sealed) => sealed,
        Looked::Over(folder) => return go_on(shell, engine, &target, folder),
    };
    let open = |typed: &Password| link.open(shell, accept::one_time_password(typed.expose())?, &sealed);
    let received = prompt::tried_answer(shell.output, "One-time password: ", open)?;
    target.check_for(shell, received.record.folder)?;
    tell(shell, &received);
    let unlocked = account_of_guest(arguments, shell, link.origin(), &received)?;
    let inviter = accept::accept(shell, &unlocked, &received)?;
    let (login, number) = (&inviter.bundle.bundle().login, &inviter.safety_number);
    shell.output.note(format_args!("The safety number with {login}: {number}"));
    shell.output.note(
        "Accepted. You can read at once. What you write is kept on this computer until a computer of whoever invited you has completed the invitation, which it does by itself.",
    );
    let folder = received.record.folder;
    match &target {
        _ if synced(shell, folder)?.is_some() => {}
        Target::Pair(pair) => join(shell, pair, Some(received.record.owner.fingerprint()))?,
        _ => tell_how_to_join(shell, folder),
    }
    Ok(Exit::Success)
}

/// Where the folder is to be.
enum Target {
    /// Somewhere, later.
    Later,
    /// In these directories, which may be synced.
    Pair(Pair),
    /// In directories that are synced already.
    Listed(FolderId),
}

impl Target {
    /// Refuses, as `folder add` does, directories that cannot be synced.
    fn of(arguments: &Arguments, shell: &Shell) -> Result<Self> {
        let Some((work, encrypted)) = arguments.work.as_ref().zip(arguments.encrypted.as_ref()) else {
            return Ok(Self::Later);
        };
        let folders = Folders::load(shell.home.data_dir())?;
        let (at, encrypted_at) = (named_path(work)?, named_path(encrypted)?);
        let is_same = |folder: &&FolderEntry| folder.work == at && folder.encrypted == encrypted_at;
        if let Some(folder) = folders.entries().iter().find(is_same) {
            return Ok(Self::Listed(folder.id));
        }
        let own = shell.home.directories();
        Ok(Self::Pair(refusals::check_pair(work, encrypted, folders.entries(), &own)?))
    }

    /// Refuses directories that are another folder's than `folder`, or where it has not arrived yet.
    fn check_for(&self, shell: &Shell, folder: FolderId) -> Result<()> {
        match self {
            Self::Later => Ok(()),
            Self::Pair(pair) => {
                refusals::check_unlisted(folder, Folders::load(shell.home.data_dir())?.entries())?;
                join::check_before_joining(pair, folder)
            }
            Self::Listed(listed) if *listed == folder => Ok(()),
            Self::Listed(_) => {
                let what = "These directories are synced already, as another folder than the one that you are invited to";
                let remedy = "ensafer folder list, and name other directories";
                Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
            }
        }
    }
}

/// The account that accepts: this computer's, or one that is made.
fn account_of_guest(
    arguments: &Arguments,
    shell: &Shell,
    origin: &Origin,
    received: &Received,
) -> Result<Unlocked> {
    if !account::exists(&shell.home) {
        let email = arguments.email.clone().unwrap_or_else(|| received.record.invited.to_string());
        register::register_at(shell, origin, &email)?;
    }
    accept::refuse_unready(shell, origin)?;
    account_verbs::opened(shell)
}

/// The server has forgotten the invitation, and this computer had accepted it: whoever accepts it again is where it leads
/// to, or is brought there.
fn go_on(shell: &Shell, engine: &dyn Engine, target: &Target, folder: FolderId) -> Result<Exit> {
    target.check_for(shell, folder)?;
    let unlocked = account_verbs::opened(shell)?;
    if let Some(entry) = synced(shell, folder)? {
        let roster = engine.roster(shell, &entry)?;
        if roster.member(&unlocked.account.identity().public()).is_some() {
            let work = shown(&entry);
            shell
                .output
                .note(format_args!("You have accepted this invitation already, and are a member of {work}."));
            return Ok(Exit::Success);
        }
        let what = format!(
            "You have accepted this invitation, and it is over, but this computer has not seen yet that you are a member of {}",
            shown(&entry)
        );
        let remedy = "ensafer sync --once. If that says that you are none: the invitation was taken back, or ended too early; ask for a new one";
        return Err(Failure::new(Exit::RetryLater, what).with_remedy(remedy).into());
    }
    shell.output.note("You have accepted this invitation already, and it is over.");
    match target {
        // Whose folder it is, was kept when the invitation was accepted.
        Target::Pair(pair) => join(shell, pair, None)?,
        _ => tell_how_to_join(shell, folder),
    }
    Ok(Exit::Success)
}

fn synced(shell: &Shell, folder: FolderId) -> Result<Option<FolderEntry>> {
    let folders = Folders::load(shell.home.data_dir())?;
    Ok(folders.entries().iter().find(|entry| entry.id == folder).cloned())
}

fn join(shell: &Shell, pair: &Pair, owner: Option<Fingerprint>) -> Result<()> {
    let added = folder::add(shell, &pair.work, &pair.encrypted, owner)?;
    shell.output.note(format_args!("{} will be synced with {}: ensafer start", added.work, added.encrypted));
    Ok(())
}

fn tell_how_to_join(shell: &Shell, folder: FolderId) {
    shell.output.note(format_args!(
        "Once your cloud client has fetched the encrypted folder (it holds {}): ensafer folder add WORK ENCRYPTED",
        ensafer_core::format::object_name(folder.root())
    ));
}

fn tell(shell: &Shell, received: &Received) {
    let record = &received.record;
    let inviter = record.inviter.bundle().login.as_str();
    shell.output.note(format_args!(
        "By the invitation's own words, {} invites you to {} the folder \"{}\".",
        printable(inviter),
        may(record.role),
        printable(&record.folder_name)
    ));
}
