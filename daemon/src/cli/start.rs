//! `start`, `stop`.

use std::env;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ensafer_core::status::{State, Status};

use crate::exit::{Exit, Failure};
use crate::folders::Folders;
use crate::home::HOME_VARIABLE;
use crate::local_api::Client;
use crate::prompt;
use crate::shell::Shell;

/// A daemon that does not listen after this has failed.
const LAUNCH_LIMIT: Duration = Duration::from_secs(30);
/// How often a launched daemon is looked for.
const LAUNCH_INTERVAL: Duration = Duration::from_millis(20);
/// How long the first observation is waited for.
const OBSERVATION_LIMIT: Duration = Duration::from_secs(30);

/// Launches the daemon if none runs, has it sync, and prints the state after the first observation.
pub(super) fn start(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    if Folders::load(shell.home.data_dir())?.entries().is_empty() {
        shell.output.warn("No folder is set up yet: ensafer folder add WORK ENCRYPTED");
    }
    let client = connect_or_launch(shell)?;
    client.start()?;
    let mut status = client.wait_for(OBSERVATION_LIMIT, |status| status.state != State::Checking)?;
    // Only now it is known whether there is anything that needs keys.
    if status.state == State::Locked {
        unlock(shell, &client)?;
        let is_under_way = |status: &Status| !matches!(status.state, State::Locked | State::Checking);
        status = client.wait_for(OBSERVATION_LIMIT, is_under_way)?;
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

/// The daemon that runs, or a new one.
pub(super) fn connect_or_launch(shell: &Shell) -> Result<Client> {
    Client::connect_if_running(&shell.home)?.map_or_else(|| launch(shell), Ok)
}

fn launch(shell: &Shell) -> Result<Client> {
    let log = shell.home.log_file();
    let mut child = spawn(&log)?;
    let begun = Instant::now();
    while begun.elapsed() < LAUNCH_LIMIT {
        if let Some(client) = Client::connect_if_running(&shell.home)? {
            return Ok(client);
        }
        if let Some(status) = child.try_wait().context("The daemon cannot be watched")? {
            // Somebody else's may have won the race for the lock.
            if let Some(client) = Client::connect_if_running(&shell.home)? {
                return Ok(client);
            }
            let what = format!("The daemon ended at once ({status})");
            let log = format!("Look at the end of {}", log.display());
            return Err(Failure::new(Exit::Error, what).with_remedy(log).into());
        }
        thread::sleep(LAUNCH_INTERVAL);
    }
    let what = format!("The daemon did not come up within {} s", LAUNCH_LIMIT.as_secs());
    Err(Failure::new(Exit::RetryLater, what)
        .with_remedy(format!("Look at the end of {}", log.display()))
        .into())
}

/// This program as a daemon that outlives the terminal. It inherits the environment, and with it the home.
fn spawn(log: &Path) -> Result<Child> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
    let log = opened.with_context(|| format!("{} cannot be written", log.display()))?;
    let program = env::current_exe().context("This program's own file is not known")?;
    let errors = log.try_clone().context("The log cannot be shared")?;
    let mut command = Command::new(&program);
    if let Some(home) = env::var_os(HOME_VARIABLE).filter(|v| !v.is_empty()) {
        // It may be relative, and the daemon's current directory is another.
        command.env(HOME_VARIABLE, std::path::absolute(home).context("The current directory is not known")?);
    }
    command.args(["daemon", "--detached"]).current_dir("/").stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().with_context(|| format!("{} cannot be started", program.display()))
}
