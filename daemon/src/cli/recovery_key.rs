//! `recovery-key show|use`.

use anyhow::Result;
use clap::Subcommand;

use crate::account;
use crate::exit::Exit;
use crate::local_api::Client;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the recovery key; asks for the password
    Show,
    /// Set a new password with the recovery key
    Use,
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    match command {
        Command::Show => {
            let password = prompt::password("Password: ")?;
            let key = account::recovery_key(&shell.home, &password)?;
            super::account::show_recovery_key(shell.output, &key.to_text())?;
        }
        Command::Use => {
            let key = account::parse_recovery_key(&prompt::asked("Recovery key: ")?)?;
            let password = prompt::new_password("New password: ")?;
            account::recover(&shell.home, &shell.config, &key, &password)?;
            if let Some(client) = Client::connect_if_running(&shell.home)? {
                client.unlock(&password)?;
            }
            shell.output.note("The new password is set. The recovery key stays the same.");
        }
    }
    Ok(Exit::Success)
}
