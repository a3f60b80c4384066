//! `sync --once`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::SettleOutcome;

use super::Format;
use super::engine::Engine;
use crate::account;
use crate::daemon::exit_on_interrupt;
use crate::exit::{self, Failure};
use crate::folders::Folders;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Settle both sides of every folder, then exit: 0, or 3 when problems are listed, 4 when conflicts are, 7 when a brake holds
    #[arg(long, required = true)]
    once: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    if Folders::load(shell.home.data_dir())?.entries().is_empty() {
        return Err(super::folder::none_set_up().into());
    }
    exit_on_interrupt()?;
    let outcome = match Client::connect_if_running(&shell.home)? {
        Some(client) => client.sync()?,
        None => {
            let _lock = shell.home.lock()?;
            if has_guests(shell)
                && let Err(error) = engine.tend_invitations(shell)
            {
                shell
                    .output
                    .warn(format_args!("Invitations were not looked after: {}", exit::describe(&error)));
            }
            if super::group::has_any(shell)
                && let Err(error) = engine.tend_groups(shell)
            {
                tracing::info!(error = exit::describe(&error), "groups were not looked at");
            }
            let progress = shell.progress("Syncing");
            engine.sync_once(shell, &progress)?
        }
    };
    if outcome.locked {
        let failure = Failure::new(Exit::WrongPassword, "The daemon's keys are locked");
        return Err(failure.with_remedy("ensafer unlock").into());
    }
    if !outcome.unreachable.is_empty() {
        let why = outcome.unreachable.join("; ");
        return Err(Failure::new(Exit::Error, format!("A folder cannot be synced: {why}")).into());
    }
    if arguments.format.json {
        shell.output.document(&outcome)?;
    } else {
        shell.output.note(describe(&outcome));
    }
    Ok(exit_code(&outcome))
}

/// Whether invitations are open, as far as the account can be opened without asking anybody.
fn has_guests(shell: &Shell) -> bool {
    let account = shell.open_account_silently().ok().flatten().map(|unlocked| unlocked.account);
    let open = account.and_then(|account| account::open_invitations(&shell.home, &account).ok());
    open.is_some_and(|open| !open.is_empty())
}

fn exit_code(outcome: &SettleOutcome) -> Exit {
    match outcome {
        SettleOutcome { braked: true, .. } => Exit::BrakeTripped,
        SettleOutcome { problems: 1.., .. } => Exit::Partial,
        SettleOutcome { incomplete: true, .. } => Exit::RetryLater,
        SettleOutcome { pending_conflicts: 1.., .. } => Exit::ConflictsPending,
        _ => Exit::Success,
    }
}

fn describe(outcome: &SettleOutcome) -> String {
    let SettleOutcome { problems, braked, published, applied, conflicts, pending_conflicts, .. } = outcome;
    let begin = if outcome.incomplete { "Not finished" } else { "Settled" };
    let mut text = format!("{begin}: {published} encrypted, {applied} changed here");
    if *conflicts > 0 {
        text += &format!(", {conflicts} kept twice");
    }
    if *pending_conflicts > 0 {
        text += &format!(", {pending_conflicts} to decide about (ensafer conflicts list)");
    }
    if *problems > 0 {
        text += &format!(", {problems} not in order (ensafer problems)");
    }
    if *braked {
        text += ". A brake holds (ensafer status)";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_chooses_the_exit_code() {
        let outcome = |problems, braked| SettleOutcome { problems, braked, ..SettleOutcome::default() };
        assert_eq!(exit_code(&outcome(0, false)), Exit::Success);
        assert_eq!(exit_code(&outcome(2, false)), Exit::Partial);
        assert_eq!(exit_code(&outcome(2, true)), Exit::BrakeTripped);
        let twice = |outcome| SettleOutcome { pending_conflicts: 1, ..outcome };
        assert_eq!(exit_code(&twice(outcome(0, false))), Exit::ConflictsPending);
        assert_eq!(exit_code(&twice(outcome(2, false))), Exit::Partial);
        assert!(describe(&outcome(2, true)).contains("2 not in order"));
    }
}
