//! `folder add|find|list|remove`.

mod choose;
mod find;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use ensafer_core::account::Known;
use ensafer_core::api::local::FolderReport;

pub(super) use choose::{Chosen, encrypted as choose_encrypted};
pub(super) use find::line_of;

use super::engine::Engine;
use super::{Format, named_path};
use crate::account;
use crate::engine::Preview;
use crate::exit::{Exit, Failure};
use crate::folders::{FolderEntry, Folders};
use crate::local_api::Client;
use crate::prompt;
use crate::refusals;
use crate::shell::Shell;
use crate::work_dir::PRIVATE;

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
            if let Some(from) = from.as_ref().or(chosen.from.as_ref()) {
                meet(shell, from)?;
            }
            let added = add(shell, engine, work, &chosen.encrypted)?;
            let FolderReport { work, encrypted, .. } = &added;
            shell.output.note(if is_syncing(shell)? {
                format!("{work} is synced with {encrypted}.")
            } else {
                format!("{work} will be synced with {encrypted}: ensafer start")
            });
        }
        Command::Find(format) => find::run(format, shell)?,
        Command::List(format) => list(format, shell)?,
        Command::Remove { directory } => remove(directory, shell)?,
    }
    Ok(Exit::Success)
}

/// Meets the owner of a folder, so that it may be joined: their keys are remembered from now on.
pub(super) fn meet(shell: &Shell, email: &str) -> Result<()> {
    let login = account::parse_login(email)?;
    let person = account::find_person(&shell.home, &shell.config, &super::account::opened(shell)?, &login)?;
    if person.known == Known::Verified {
        return Ok(());
    }
    shell.output.note(format_args!("The safety number with {login}:"));
    shell.output.note(person.safety_number);
    shell.output.note(format_args!(
        "Compare it by telephone or face to face; where it is the same: ensafer share verify {login} --matches NUMBER"
    ));
    Ok(())
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

/// Refuses what is unfit, adds the pair, and tells a running daemon.
pub(super) fn add(shell: &Shell, engine: &dyn Engine, work: &Path, encrypted: &Path) -> Result<FolderReport> {
    let folders = Folders::load(shell.home.data_dir())?;
    let own = shell.home.directories();
    let pair = refusals::check_pair(work, encrypted, folders.entries(), &own)?;
    let added = engine.add_folder(shell, &pair)?;
    let agreed = engine.preview(shell, &added).and_then(|preview| agree(shell, preview.as_ref()));
    if !matches!(agreed, Ok(true)) {
        undo(shell, &added)?;
        let declined = || Failure::new(Exit::Interrupted, "Nothing was synced; the folder was not added");
        return Err(agreed.err().unwrap_or_else(|| declined().into()));
    }
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.reload_folders()?;
    }
    Ok(added)
}

/// Shows what the first sync will do where both sides hold files, and asks where somebody can be asked.
fn agree(shell: &Shell, preview: Option<&Preview>) -> Result<bool> {
    let Some(preview) = preview else { return Ok(true) };
    shell.output.note(describe(preview));
    if io::stdin().is_terminal() { prompt::confirm("Both sides hold files. Go on?", false) } else { Ok(true) }
}

/// Takes a folder off the list, as if it had not been added.
fn undo(shell: &Shell, added: &FolderReport) -> Result<()> {
    let mut folders = Folders::load(shell.home.data_dir())?;
    folders.remove(added.id)?;
    folders.remove_state(added.id)?;
    free(Path::new(&added.work));
    Ok(())
}

/// Frees a work directory for another folder; where it is gone there is nothing to be freed.
fn free(work: &Path) {
    let _ = fs::remove_file(work.join(PRIVATE).join("folder"));
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
    let mut folders = Folders::load(shell.home.data_dir())?;
    folders.remove(folder.id)?;
    // A running daemon lets go of the folder's state before it is deleted.
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.reload_folders()?;
    }
    folders.remove_state(folder.id)?;
    free(&folder.work);
    shell.output.note(format_args!("{} is no longer synced. Its files stay.", folder.work.display()));
    Ok(())
}

fn describe(preview: &Preview) -> String {
    let Preview { encrypt, decrypt, same, twice, delete } = preview;
    let mut text =
        format!("{same} already the same, {encrypt} to encrypt, {decrypt} to decrypt, {delete} to delete");
    if *twice > 0 {
        text += &format!(", {twice} of them beside another of the same name (both are kept)");
    }
    text
}

/// No folder is set up.
pub(super) fn none_set_up() -> Failure {
    Failure::new(Exit::NotSetUp, "No folder is set up on this computer")
        .with_remedy("ensafer folder add WORK ENCRYPTED")
}
