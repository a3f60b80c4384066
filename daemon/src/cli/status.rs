//! `status`.

use anyhow::Result;
use clap::Args;
use ensafer_core::status::{State, Status};

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
    output.line(words(status.state))?;
    Ok(())
}

/// A state in words.
pub(super) fn words(state: State) -> &'static str {
    match state {
        State::Locked => "Locked: the keys need the password (ensafer unlock)",
        State::Checking => "Checking both sides",
        State::UpToDate => "Up to date",
        State::Working => "Working",
        State::Paused => "Paused (ensafer resume)",
        State::Stopped => "Stopped (ensafer start)",
        State::Offline => "Offline: a folder cannot be reached",
        State::WaitingForCloud => "Waiting for the cloud client to bring whole files",
        State::Attention => "Something is not in order (ensafer problems)",
        State::Braked => "A brake holds: so many changes need your word (ensafer resume --go-on TOKEN)",
    }
}
