//! `unlock`, `lock`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_client::password::Password;

use crate::account;
use crate::prompt;
use crate::shell::Shell;

/// Opens the keys of this computer, and those of a running daemon.
pub(super) fn unlock(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    let client = Client::connect_if_running(&shell.home)?;
    prompt::tried_password(shell.output, "Password: ", |password| match &client {
        Some(client) => Ok(client.unlock(password)?),
        None => Ok(shell.unlock(password).map(drop)?),
    })?;
    shell.output.note("Unlocked.");
    Ok(Exit::Success)
}

/// Forgets the keys of this computer, and those of a running daemon.
pub(super) fn lock(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    lock_daemon(shell)?;
    account::lock(&shell.home, &shell.config)?;
    shell.output.note("Locked.");
    Ok(Exit::Success)
}

/// Has a running daemon forget the keys.
pub(super) fn lock_daemon(shell: &Shell) -> Result<()> {
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.lock()?;
    }
    Ok(())
}

/// Gives a running daemon the keys that a password opens.
pub(super) fn unlock_daemon(shell: &Shell, password: &Password) -> Result<()> {
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.unlock(password)?;
    }
    Ok(())
}
