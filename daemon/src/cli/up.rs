//! `up --work DIR [--encrypted DIR]`: everything in one command.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::status::{Progress as StatusProgress, State, Status};
use tokio::sync::watch;

use super::engine::Engine;
use super::folder::{Chosen, choose_encrypted};
use super::named_path;
use crate::account;
use crate::daemon;
use crate::enrol;
use crate::exit::Failure;
use crate::folders::Folders;
use crate::output::Output;
use crate::pairs::{self, Wanted};
use crate::progress::Progress;
use crate::prompt;
use crate::refusals;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory with ordinary files
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// The directory, inside the cloud client's, with encrypted files; at a terminal you choose one if left out
    #[arg(long, value_name = "DIR")]
    encrypted: Option<PathBuf>,
    /// The e-mail address that names a new account; user@host if left out
    #[arg(long)]
    email: Option<String>,
    /// Make missing directories without asking
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    // First, so that nothing is set up beside a running daemon.
    let lock = shell.home.lock()?;
    let chosen = choose(shell, arguments)?;
    let (work, encrypted) = (arguments.work.as_path(), chosen.encrypted.as_path());
    let known = is_known(shell, work, encrypted)?;
    if !known {
        make_missing(shell, work, encrypted, arguments.yes)?;
        refuse_early(shell, work, encrypted)?;
    }
    match &arguments.email {
        _ if !account::exists(&shell.home) => {
            super::register::create(shell, arguments.email.as_deref(), false)?;
        }
        Some(email) => enrol::refuse_other(email, &account::login_of(&shell.home)?)?,
        None => {}
    }
    // A password that has to be typed is asked for here, where somebody sees it.
    drop(shell.open_account()?);
    if !known {
        let owner = chosen.from.as_ref().map(|from| super::folder::meet(shell, from)).transpose()?;
        super::folder::add(shell, work, encrypted, owner)?;
    }
    shell.home.set_stopped(false)?;
    shell.output.note("Syncing until Ctrl-C.");
    let output = shell.output;
    daemon::run(shell, lock, |quit| engine.launch(shell, quit), |status| tell(output, status))
}

/// The encrypted directory: the one that is named, or that the work folder is synced with already, or that is chosen.
fn choose(shell: &Shell, arguments: &Arguments) -> Result<Chosen> {
    if let Some(encrypted) = &arguments.encrypted {
        return Ok(Chosen::named(encrypted));
    }
    let work = named_path(&arguments.work)?;
    let folders = Folders::load(shell.home.data_dir())?;
    match folders.entries().iter().find(|folder| folder.work == work) {
        Some(folder) => Ok(Chosen::named(&folder.encrypted)),
        None => choose_encrypted(shell, &work),
    }
}

/// Whether exactly this pair is on the list already.
fn is_known(shell: &Shell, work: &Path, encrypted: &Path) -> Result<bool> {
    let (work, encrypted) = (named_path(work)?, named_path(encrypted)?);
    let folders = Folders::load(shell.home.data_dir())?;
    Ok(folders.entries().iter().any(|folder| folder.work == work && folder.encrypted == encrypted))
}

fn make_missing(shell: &Shell, work: &Path, encrypted: &Path, yes: bool) -> Result<()> {
    let missing = refusals::missing(&[work, encrypted]);
    if missing.is_empty() {
        return Ok(());
    }
    refusals::check_before_making(work, encrypted)?;
    let names: Vec<_> = missing.iter().map(|path| path.display().to_string()).collect();
    let names = names.join(" and ");
    let do_not = if missing.len() == 1 { "does not exist. Make it?" } else { "do not exist. Make them?" };
    if !prompt::confirm(&format!("{names} {do_not}"), yes)? {
        return Err(Failure::new(Exit::Interrupted, "Nothing was made")
            .with_remedy("Name directories that exist")
            .into());
    }
    pairs::make_missing(shell, work, encrypted)
}

/// Refuses before a password is asked for.
fn refuse_early(shell: &Shell, work: &Path, encrypted: &Path) -> Result<()> {
    pairs::check(shell, Wanted { work, encrypted, owner: None, expected: None }).map(drop)
}

/// Prints each change of the status, until the daemon ends.
fn tell(output: Output, mut status: watch::Receiver<Status>) {
    status.mark_changed();
    tokio::spawn(async move {
        let mut last = None;
        let mut bar = None;
        let mut reached = StatusProgress::default();
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            match total(&now) {
                Some(progress) => {
                    bar.get_or_insert_with(|| Progress::new("Syncing", output.shows_progress()))
                        .set(progress);
                    reached = progress;
                }
                None if bar.take().is_some() && reached.done_count > 0 => {
                    let bytes = indicatif::BinaryBytes(reached.done_bytes);
                    output.note(format_args!("Carried over {} files, {bytes}", reached.done_count));
                }
                None => {}
            }
            if last.replace(now.state) != Some(now.state) && now.state != State::Working {
                output.note(now.headline());
            }
        }
    });
}

/// What is being done in all folders together, while something is.
fn total(status: &Status) -> Option<StatusProgress> {
    let all = status.folders.iter().filter_map(|folder| folder.progress);
    all.reduce(|a, b| StatusProgress {
        done_count: a.done_count + b.done_count,
        total_count: a.total_count + b.total_count,
        done_bytes: a.done_bytes + b.done_bytes,
        total_bytes: a.total_bytes + b.total_bytes,
    })
}
