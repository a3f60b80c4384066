//! `register`, `unlock`, `lock`.

use anyhow::Result;
use clap::Args;

use crate::account;
use crate::exit::Exit;
use crate::home;
use crate::local_api::Client;
use crate::output::Output;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct RegisterArguments {
    /// The e-mail address that names the account; user@host if left out
    #[arg(long)]
    email: Option<String>,
}

/// Makes the account of this computer, and shows its recovery key.
pub(super) fn register(arguments: &RegisterArguments, shell: &Shell) -> Result<Exit> {
    create(shell, arguments.email.as_deref())?;
    Ok(Exit::Success)
}

/// Asks for what is missing, and makes the account.
pub(super) fn create(shell: &Shell, email: Option<&str>) -> Result<()> {
    account::refuse_if_present(&shell.home)?;
    let email = email.map_or_else(home::user_at_host, str::to_owned);
    let login = account::parse_login(&email)?;
    let password = prompt::new_password(&format!("New password for {login}: "))?;
    shell.output.note("Making keys …");
    let (account, recovery_key) = account::register(&shell.home, &shell.config, &login, &password)?;
    shell.keep(account);
    shell.output.note(format_args!("The account {login} is set up on this computer."));
    show_recovery_key(shell.output, &recovery_key.to_text())?;
    Ok(())
}

/// Prints a recovery key and what it is for.
pub(super) fn show_recovery_key(output: Output, text: &str) -> Result<()> {
    output.note(
        "Recovery key: it opens the account when the password is lost. Write it down and keep it apart.",
    );
    output.line(text)?;
    Ok(())
}

/// Opens the keys of this computer, and those of a running daemon.
pub(super) fn unlock(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    let password = prompt::password("Password: ")?;
    match Client::connect_if_running(&shell.home)? {
        Some(client) => client.unlock(&password)?,
        None => drop(shell.unlock(&password)?),
    }
    shell.output.note("Unlocked.");
    Ok(Exit::Success)
}

/// Forgets the keys of this computer, and those of a running daemon.
pub(super) fn lock(shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    if let Some(client) = Client::connect_if_running(&shell.home)? {
        client.lock()?;
    }
    account::lock(&shell.home, &shell.config)?;
    shell.output.note("Locked.");
    Ok(Exit::Success)
}
