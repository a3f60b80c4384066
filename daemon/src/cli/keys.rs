//! `keys export|import`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::account;
use crate::exit::Exit;
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
        Command::Import { file } => {
            account::refuse_if_present(&shell.home)?;
            let sealed = account::read_exported(file)?;
            let password = prompt::password("Password of the account: ")?;
            account::import(&shell.home, &shell.config, &sealed, &password)?;
            shell.output.note("The account is set up on this computer.");
        }
    }
    Ok(Exit::Success)
}
