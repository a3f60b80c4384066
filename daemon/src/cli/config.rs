//! `config get|set|show`.

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::home::Home;

use super::Format;
use crate::config::{self, ConfigError};
use crate::exit::Failure;
use crate::output::Output;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print one setting
    Get {
        /// Its name
        key: String,
    },
    /// Change one setting in the file
    Set(SetArguments),
    /// Print all settings, as the file, the environment and flags make them
    Show(Format),
}

#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Its name
    key: String,
    /// The new value
    #[arg(allow_hyphen_values = true)]
    value: String,
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    match command {
        Command::Get { key } => {
            let value = shell.config.get(key).ok_or_else(|| unknown(key))?;
            shell.output.line(value)?;
        }
        Command::Set(arguments) => return set(arguments, &shell.home, shell.output),
        Command::Show(format) if format.json => shell.output.document(&shell.config)?,
        Command::Show(_) => {
            shell.output.line(format_args!("# {}", shell.home.config_file().display()))?;
            shell.output.line(shell.config.to_toml().trim_end())?;
        }
    }
    Ok(Exit::Success)
}

/// Works while the file cannot be used, as long as the change mends it.
pub(super) fn set(arguments: &SetArguments, home: &Home, output: Output) -> Result<Exit> {
    home.create()?;
    match config::set(&home.config_file(), &arguments.key, &arguments.value) {
        Err(ConfigError::UnknownKey { key }) => return Err(unknown(&key).into()),
        done => done?,
    }
    output
        .note("A running daemon takes it up when it starts anew: ensafer daemon --quit, then ensafer start.");
    Ok(Exit::Success)
}

fn unknown(key: &str) -> Failure {
    Failure::new(Exit::Usage, format!("There is no setting named {key}"))
        .with_remedy("Take one of those that ensafer config show lists")
}
