//! `activity`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{ActivityReport, Deed};

use super::Format;
use super::engine::Engine;
use super::filestatus::answerer;
use crate::folders::{FolderEntry, Folders};
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many at most, the latest first
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let deeds = answerer(shell, engine)?.activity(arguments.limit)?;
    if arguments.format.json {
        shell.output.document(&deeds)?;
        return Ok(Exit::Success);
    }
    if deeds.is_empty() {
        shell.output.note("Nothing was done yet.");
    }
    let folders = Folders::load(shell.home.data_dir())?;
    for deed in &deeds {
        shell.output.line(line(deed, folders.entries()))?;
    }
    Ok(Exit::Success)
}

fn line(report: &ActivityReport, folders: &[FolderEntry]) -> String {
    let deed = match report.deed {
        Deed::Added => "added",
        Deed::Changed => "changed",
        Deed::Moved => "moved",
        Deed::Removed => "removed",
    };
    let work = folders.iter().find(|folder| folder.id == report.folder && folders.len() > 1);
    let work = work.map_or(Path::new(""), |folder| &folder.work);
    let shown = |path: &str| printable(&work.join(path).to_string_lossy());
    let from = report.from.as_deref().map(|from| format!(", was {}", shown(from))).unwrap_or_default();
    let by = if report.here { String::new() } else { format!("  ({})", printable(&report.author)) };
    format!("{}  {deed:<8} {}{from}{by}", report.at, shown(&report.path))
}
