//! `keys export|import`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use ensafer_client::exit::Exit;

use crate::account;
use crate::exit::Failure;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the account into a file, sealed under its password
    Export {
        /// The file, which must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Take the account from such a file
    Import {
        /// The file
        file: PathBuf,
        /// Open it with the recovery key instead of the password, and set a new password
        #[arg(long)]
        with_recovery_key: bool,
        /// Ask for the account key, which an account may want beside the password
        #[arg(long, conflicts_with = "with_recovery_key")]
        account_key: bool,
    },
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    match command {
        Command::Export { output } => {
            shell.require_account()?;
            account::export(&shell.home, output)?;
            shell.output.note(format_args!(
                "The account is in {}. The password opens it: ensafer keys import",
                output.display()
            ));
        }
        Command::Import { file, with_recovery_key: true, .. } => {
            account::refuse_if_present(&shell.home)?;
            let sealed = account::read_exported(file)?;
            let key = account::parse_recovery_key(&prompt::asked("Recovery key: ")?)?;
            let password = super::register::new_password(shell, sealed.login())?;
            account::import_with_recovery_key(&shell.home, &shell.config, sealed, &key, &password)?;
            shell.output.note("The account is set up on this computer, with the new password here.");
        }
        Command::Import { file, account_key, .. } => {
            account::refuse_if_present(&shell.home)?;
            let sealed = account::read_exported(file)?;
            let mut key = super::login::TypedAccountKey::new(*account_key);
            prompt::tried_password(shell.output, "Password of the account: ", |password| {
                account::import(&shell.home, &shell.config, &sealed, password, key.ask()?)?;
                Ok(())
            })
            .map_err(of_import)?;
            shell.output.note("The account is set up on this computer.");
        }
    }
    Ok(Exit::Success)
}

/// There is no server to ask, and nothing but the right secret opens the file.
fn of_import(error: anyhow::Error) -> anyhow::Error {
    let remedy = "Try again with the password that the account had when the file was written. An account with an account key wants --account-key. Where the password is lost: --with-recovery-key";
    Failure::of_password(error, remedy)
}
