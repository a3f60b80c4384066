//! `folder add|find|list|remove`.

mod choose;
mod find;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::{FolderPreview, FolderReport, ProblemReport};
use ensafer_core::ids::Fingerprint;
use ensafer_core::plan::ProblemClass;
use ensafer_core::status::{FolderStatus, State, Status};

pub(super) use choose::{Chosen, encrypted as choose_encrypted};
pub(super) use find::line_of;

use super::engine::Engine;
use super::{Format, named_path};
use crate::daemon::exit_on_interrupt;
use crate::exit::Failure;
use crate::folders::{FolderEntry, Folders};
use crate::output::printable;
use crate::pairs::{self, Wanted};
use crate::people::no_member;
use crate::progress::Progress;
use crate::prompt;
use crate::shell::Shell;
use crate::vault::ShellVault;

/// As long as it takes, and as long as timers can be set.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sync two directories that exist; joins the folder that the encrypted one has
    Add {
        /// The directory with ordinary files
        work: PathBuf,
        /// The directory, inside the cloud client's, with encrypted files; at a terminal you choose one if left out
        encrypted: Option<PathBuf>,
        /// Whose folder it is, where it is somebody else's: the owner's e-mail address
        #[arg(long, value_name = "EMAIL")]
        from: Option<String>,
    },
    /// Find cloud clients' directories on this computer, and the encrypted folders in them
    Find(Format),
    /// List the folders
    List(Format),
    /// Encrypt everything anew that lies under an older key: after somebody was removed
    Reencrypt {
        /// Its work directory
        work: PathBuf,
    },
    /// Stop syncing a folder; the files stay on both sides
    Remove {
        /// Its work or encrypted directory
        directory: PathBuf,
    },
}

pub(super) fn run(command: &Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    match command {
        Command::Add { work, encrypted, from } => {
            shell.require_account()?;
            let chosen = match encrypted {
                Some(encrypted) => Chosen::named(encrypted),
                None => choose::encrypted(shell, work)?,
            };
            let from = from.as_ref().or(chosen.from.as_ref());
            let owner = from.map(|from| meet(shell, from)).transpose()?;
            let added = add(shell, work, &chosen.encrypted, owner)?;
            let FolderReport { work, encrypted, .. } = &added;
            shell.output.note(if is_syncing(shell)? {
                format!("{work} is synced with {encrypted}.")
            } else {
                format!("{work} will be synced with {encrypted}: ensafer start")
            });
        }
        Command::Find(format) => find::run(format, shell)?,
        Command::List(format) => list(format, shell)?,
        Command::Reencrypt { work } => return reencrypt(work, shell, engine),
        Command::Remove { directory } => remove(directory, shell)?,
    }
    Ok(Exit::Success)
}

/// Meets the owner of a folder, so that it may be joined: their keys are remembered from now on.
pub(super) fn meet(shell: &Shell, email: &str) -> Result<Fingerprint> {
    let person = pairs::meet(shell, &super::account::opened(shell)?, email)?;
    let (login, fingerprint) = (&person.bundle.bundle().login, person.bundle.fingerprint());
    if pairs::is_verified(&person) {
        return Ok(fingerprint);
    }
    shell.output.note(format_args!("The safety number with {login}:"));
    shell.output.note(person.safety_number);
    shell.output.note(format_args!(
        "Compare it by telephone or face to face; where it is the same: ensafer share verify {login} --matches NUMBER"
    ));
    Ok(fingerprint)
}

/// The folder of this computer whose work directory, or encrypted one, `directory` is.
pub(super) fn at(directory: &Path, shell: &Shell) -> Result<FolderEntry> {
    let path = named_path(directory)?;
    let folders = Folders::load(shell.home.data_dir())?;
    if folders.entries().is_empty() {
        return Err(none_set_up().into());
    }
    let found = folders.entries().iter().find(|folder| folder.work == path || folder.encrypted == path);
    found.cloned().ok_or_else(|| super::ls::outside(&path).into())
}

fn is_syncing(shell: &Shell) -> Result<bool> {
    Ok(!shell.home.is_stopped() && Client::connect_if_running(&shell.home)?.is_some())
}

/// Refuses what is unfit, shows what the first sync will do, adds the pair, `owner`'s folder where that is named, and tells
/// a running daemon.
pub(super) fn add(
    shell: &Shell,
    work: &Path,
    encrypted: &Path,
    owner: Option<Fingerprint>,
) -> Result<FolderReport> {
    let wanted = Wanted { work, encrypted, owner, expected: None };
    // Whoever has directories to make first is told that, and nothing else.
    pairs::check(shell, wanted)?;
    let vault = ShellVault::new(shell, true);
    let preview = pairs::preview(shell, &vault, wanted, &AtomicBool::new(false))?;
    let expected = preview.as_ref().map(|preview| preview.folder.into());
    if !preview.map_or(Ok(true), |preview| agree(shell, &preview))? {
        return Err(Failure::new(Exit::Interrupted, "Nothing was synced; the folder was not added").into());
    }
    let added = pairs::add(shell, &vault, Wanted { expected, ..wanted })?;
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.reload_folders()?;
    }
    Ok(added.report())
}

/// Shows what the first sync will do where both sides hold files, and asks where somebody can be asked.
fn agree(shell: &Shell, preview: &FolderPreview) -> Result<bool> {
    if !pairs::is_meeting(preview) {
        return Ok(true);
    }
    shell.output.note(describe(preview));
    if io::stdin().is_terminal() { prompt::confirm("Both sides hold files. Go on?", false) } else { Ok(true) }
}

fn list(format: &Format, shell: &Shell) -> Result<()> {
    let folders = Folders::load(shell.home.data_dir())?;
    let all: Vec<_> = folders.entries().iter().map(FolderEntry::report).collect();
    if format.json {
        shell.output.document(&all)?;
        return Ok(());
    }
    if all.is_empty() {
        shell.output.note("No folders. ensafer folder add WORK ENCRYPTED");
    }
    for folder in &all {
        shell.output.line(format_args!("{}  {}  {}", folder.id, folder.work, folder.encrypted))?;
    }
    Ok(())
}

fn remove(directory: &Path, shell: &Shell) -> Result<()> {
    let folder = at(directory, shell)?;
    pairs::remove(shell, &folder, || match Client::connect_if_running(&shell.home)? {
        Some(client) => Ok(client.reload_folders()?),
        None => Ok(()),
    })?;
    shell.output.note(format_args!("{} is no longer synced. Its files stay.", folder.work.display()));
    Ok(())
}

/// Goes on where it was interrupted: what lies under the newest key already is left alone.
fn reencrypt(work: &Path, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let folder = at(work, shell)?;
    exit_on_interrupt()?;
    let progress = shell.progress("Encrypting anew");
    let (held_up, problems, status) = match Client::connect_if_running(&shell.home)? {
        Some(client) => {
            client.reencrypt(folder.id)?;
            let status = watch_reencryption(&client, &folder, &progress)?;
            let left = of_folder(&status, &folder).filter(|known| known.reencrypting.is_some());
            (left.map(|known| known.state.text()), client.problems()?, status)
        }
        None => {
            let _lock = shell.home.lock()?;
            let outcome = engine.reencrypt(shell, &folder, &progress)?;
            let left = (outcome.incomplete || outcome.braked).then_some("not everything could be done");
            (left, engine.problems(shell)?, engine.status(shell)?)
        }
    };
    drop(progress);
    match of_folder(&status, &folder).and_then(|known| known.shut) {
        Some(ProblemClass::NotAMember) => return Err(no_member(&folder).into()),
        Some(class) => {
            return Err(Failure::new(Exit::RetryLater, class.what()).with_remedy(class.remedy()).into());
        }
        None => {}
    }
    if let Some(why) = held_up {
        let failure = Failure::new(Exit::RetryLater, format!("Not everything is encrypted anew yet: {why}"));
        return Err(failure.with_remedy("ensafer status. It goes on by itself once that is over").into());
    }
    let left: Vec<_> = problems.iter().filter(|problem| is_left(problem, &folder)).collect();
    if left.is_empty() {
        shell.output.note(format_args!("Everything in {} lies under the newest key.", folder.work.display()));
        return Ok(Exit::Success);
    }
    shell.output.warn(format_args!(
        "All but {} encrypted files of {} lie under the newest key. These cannot be used, and stay as they are (ensafer problems):",
        left.len(),
        folder.work.display()
    ));
    for problem in left {
        let (subject, what) = (printable(problem.subject()), printable(&problem.what));
        shell.output.plain(format_args!("  {subject}: {what}"));
    }
    Ok(Exit::Partial)
}

/// Whether it is about an encrypted file that is there and was not encrypted anew.
fn is_left(problem: &ProblemReport, folder: &FolderEntry) -> bool {
    problem.folder == folder.id && problem.object.is_some() && problem.class != ProblemClass::Missing
}

fn of_folder<'a>(status: &'a Status, folder: &FolderEntry) -> Option<&'a FolderStatus> {
    status.folders.iter().find(|known| known.folder == folder.id)
}

/// Waits until the daemon is done, or somebody else has to do something first.
fn watch_reencryption(client: &Client, folder: &FolderEntry, progress: &Progress) -> Result<Status> {
    Ok(client.wait_for(FOREVER, |status| {
        let known = of_folder(status, folder);
        known.and_then(|known| known.progress).into_iter().for_each(|reached| progress.set(reached));
        known.is_none_or(|known| known.reencrypting.is_none() || is_held_up(known.state))
    })?)
}

/// Whether somebody has to do something before the folder's work goes on.
const fn is_held_up(state: State) -> bool {
    // Up to date or not in order, with something left: it was tried in vain.
    !matches!(state, State::Working | State::Checking)
}

fn describe(preview: &FolderPreview) -> String {
    let FolderPreview { encrypt, decrypt, same, differ, delete, .. } = preview;
    let mut text =
        format!("{same} already the same, {encrypt} to encrypt, {decrypt} to decrypt, {delete} to delete");
    if *differ > 0 {
        text += &format!(", {differ} of them beside another of the same name (both are kept)");
    }
    text
}

/// No folder is set up.
pub(super) fn none_set_up() -> Failure {
    Failure::new(Exit::NotSetUp, "No folder is set up on this computer")
        .with_remedy("ensafer folder add WORK ENCRYPTED")
}
