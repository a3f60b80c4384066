//! `problems`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::ProblemReport;

use super::Format;
use super::engine::Engine;
use crate::folders::{FolderEntry, Folders};
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let problems = match Client::connect_if_running(&shell.home)? {
        Some(client) => client.problems()?,
        None => engine.problems(shell)?,
    };
    if arguments.format.json {
        shell.output.document(&problems)?;
        return Ok(Exit::Success);
    }
    if problems.is_empty() {
        shell.output.note("No problems.");
    }
    let folders = Folders::load(shell.home.data_dir())?;
    for problem in &problems {
        let what = printable(&problem.what);
        let subject = subject(problem, folders.entries());
        shell.output.line(format_args!("{}: {what} (since {})", printable(&subject), problem.since))?;
        shell.output.line(format_args!("  Do: {}", problem.remedy))?;
    }
    Ok(Exit::Success)
}

/// What a problem is about; with the folder's own directory before it where there are several folders.
fn subject(problem: &ProblemReport, folders: &[FolderEntry]) -> String {
    let folder = folders.iter().find(|folder| folder.id == problem.folder);
    let Some(folder) = folder.filter(|_| folders.len() > 1) else { return problem.subject().to_owned() };
    let side = if problem.path.is_some() { &folder.work } else { &folder.encrypted };
    side.join(problem.subject()).to_string_lossy().into_owned()
}
