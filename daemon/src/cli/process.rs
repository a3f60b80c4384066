//! `daemon`: the process itself.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;

use super::engine::Engine;
use crate::shell::Shell;
use crate::{daemon, platform};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// End the daemon that runs
    #[arg(long)]
    quit: bool,
    /// Leave the session of the terminal
    #[arg(long, hide = true)]
    detached: bool,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    if arguments.quit {
        return quit(shell);
    }
    if arguments.detached {
        platform::leave_terminal();
    }
    let lock = shell.home.lock()?;
    daemon::run(shell, lock, |quit| engine.launch(shell, quit), |_| {})
}

/// Asks for the end, and waits until it has come.
fn quit(shell: &Shell) -> Result<Exit> {
    match Client::connect_if_running(&shell.home)? {
        None => shell.output.note("No daemon runs."),
        Some(client) => {
            client.quit()?;
            client.wait_for_end(&shell.home)?;
        }
    }
    Ok(Exit::Success)
}
