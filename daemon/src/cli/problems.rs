//! `problems`.

use anyhow::Result;
use clap::Args;

use super::Format;
use super::engine::Engine;
use crate::exit::Exit;
use crate::local_api::Client;
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
    for problem in &problems {
        let what = printable(&problem.what);
        shell.output.line(format_args!(
            "{}: {what} (since {})",
            printable(problem.subject()),
            problem.since
        ))?;
        shell.output.line(format_args!("  Do: {}", problem.remedy))?;
    }
    Ok(Exit::Success)
}
