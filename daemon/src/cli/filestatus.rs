//! `filestatus PATH`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::FileState;

use super::engine::Engine;
use super::{Format, named_entry};
use crate::local_api::Queries;
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file or directory
    path: PathBuf,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let path = named_entry(&arguments.path)?;
    let status = answerer(shell, engine)?.file_status(&path)?;
    if arguments.format.json {
        shell.output.document(&status)?;
        return Ok(Exit::Success);
    }
    let state = match status.state {
        FileState::UpToDate => "up to date",
        FileState::Pending => "waiting to be synced",
        FileState::Problem => "has a problem",
        FileState::Ignored => "never synced",
        FileState::Outside => "in no folder of this computer",
    };
    shell.output.line(format_args!("{}: {state}", printable(&status.path)))?;
    if let Some(encrypted) = &status.encrypted {
        shell.output.line(format_args!("  encrypted: {}", printable(encrypted)))?;
    }
    for problem in &status.problems {
        shell.output.line(format_args!("  {} Do: {}", printable(&problem.what), problem.remedy))?;
    }
    Ok(Exit::Success)
}

/// Who answers about files: the daemon if one runs, else this process.
pub(super) fn answerer(shell: &Shell, engine: &dyn Engine) -> Result<Box<dyn Queries>> {
    match Client::connect_if_running(&shell.home)? {
        Some(client) => Ok(Box::new(client)),
        None => engine.queries(shell),
    }
}
