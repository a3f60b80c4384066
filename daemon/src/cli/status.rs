//! `status`.

use anyhow::Result;
use clap::Args;
use ensafer_core::status::Status;

use super::Format;
use super::engine::Engine;
use crate::exit::Exit;
use crate::local_api::Client;
use crate::output::Output;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let status = match Client::connect_if_running(&shell.home)? {
        Some(client) => client.status()?,
        None => engine.status(shell)?,
    };
    if arguments.format.json {
        shell.output.document(&status)?;
    } else {
        print(shell.output, &status)?;
    }
    Ok(Exit::Success)
}

/// Prints the status for people.
pub(super) fn print(output: Output, status: &Status) -> Result<()> {
    output.line(status.state)?;
    Ok(())
}
