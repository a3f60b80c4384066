//! `start`, `stop`.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_client::launch;
use ensafer_client::local_api::Client;
use ensafer_core::status::{State, Status};

use crate::exit::Failure;
use crate::prompt;
use crate::shell::Shell;

/// How long the first observation is waited for.
const OBSERVATION_LIMIT: Duration = Duration::from_secs(30);

/// Launches the daemon if none runs, has it sync, and prints the state after the first observation.
pub(super) fn start(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    let client = begin(shell)?;
    let is_in = |status: &Status, state| status.folders.iter().any(|folder| folder.state == state);
    let mut status = client.wait_for(OBSERVATION_LIMIT, |status| !is_in(status, State::Checking))?;
    // Only now it is known whether there is anything that needs keys.
    if status.state == State::Locked {
        unlock(shell, &client)?;
        status = client.wait_for(OBSERVATION_LIMIT, |status| {
            !is_in(status, State::Locked) && !is_in(status, State::Checking)
        })?;
    }
    super::status::print(shell, &status)?;
    Ok(Exit::Success)
}

/// Stops syncing for good; works without a daemon too.
pub(super) fn stop(shell: &Shell) -> Result<Exit> {
    match Client::connect_if_running(&shell.home)? {
        Some(client) => client.stop()?,
        None => shell.home.set_stopped(true)?,
    }
    shell.output.note("Stopped. ensafer start begins again.");
    Ok(Exit::Success)
}

fn unlock(shell: &Shell, client: &Client) -> Result<()> {
    if !prompt::can_ask() {
        let failure = Failure::new(Exit::WrongPassword, "The daemon runs, but its keys are locked");
        return Err(failure.with_remedy("ensafer unlock").into());
    }
    prompt::tried_password(shell.output, "Password: ", |password| Ok(client.unlock(password)?))?;
    shell.output.note("Unlocked.");
    Ok(())
}

/// The daemon, which syncs. One that is launched begins by itself, unless syncing is stopped: told to, it would look at
/// everything twice.
fn begin(shell: &Shell) -> Result<Client> {
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.start()?;
        return Ok(client);
    }
    let client = launch(shell)?;
    if shell.home.is_stopped() {
        client.start()?;
    }
    Ok(client)
}

/// The daemon that runs, or a new one.
pub(super) fn connect_or_launch(shell: &Shell) -> Result<Client> {
    Client::connect_if_running(&shell.home)?.map_or_else(|| launch(shell), Ok)
}

fn launch(shell: &Shell) -> Result<Client> {
    let program = env::current_exe().context("This program's own file is not known")?;
    Ok(launch::launch(&shell.home, &program)?)
}
