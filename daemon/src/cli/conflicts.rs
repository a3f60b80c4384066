//! `conflicts`: contents that were kept twice, and which of them stays.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{ConflictReport, Keep, ShownFile};

use super::engine::Engine;
use super::filestatus::answerer;
use super::{Format, named_entry};
use crate::exit::Failure;
use crate::output::{printable, size};
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List contents that were kept twice
    List(ListArguments),
    /// Say which of two contents stays; the other goes to the trash
    Resolve(ResolveArguments),
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ResolveArguments {
    /// The conflict copy, or the file that kept the name
    path: PathBuf,
    /// What stays
    #[arg(long, value_enum, default_value_t = KeepArgument::Both)]
    keep: KeepArgument,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeepArgument {
    /// Both files, as they are
    Both,
    /// The file that kept the name
    Original,
    /// The copy, under the file's name
    Copy,
}

impl From<KeepArgument> for Keep {
    fn from(keep: KeepArgument) -> Self {
        match keep {
            KeepArgument::Both => Self::Both,
            KeepArgument::Original => Self::Original,
            KeepArgument::Copy => Self::Copy,
        }
    }
}

pub(super) fn run(command: &Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    match command {
        Command::List(arguments) => list(arguments, shell, engine),
        Command::Resolve(arguments) => resolve(arguments, shell, engine),
    }
}

fn list(arguments: &ListArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let conflicts = answerer(shell, engine)?.conflicts()?;
    if arguments.format.json {
        shell.output.document(&conflicts)?;
        return Ok(Exit::Success);
    }
    if conflicts.is_empty() {
        shell.output.note("No conflicts.");
    }
    for conflict in &conflicts {
        let author = conflict.author.as_deref().map(|author| format!(", by {}", printable(author)));
        match &conflict.original {
            Some(original) => {
                shell.output.line(format_args!("{}{}", line(original), author.unwrap_or_default()))?;
            }
            None => shell.output.line("(the file that kept the name is gone)")?,
        }
        shell.output.line(format_args!("  kept beside it: {}", line(&conflict.copy)))?;
    }
    if !conflicts.is_empty() {
        shell.output.note("Do: look at both, then ensafer conflicts resolve PATH --keep both|original|copy");
    }
    Ok(Exit::Success)
}

fn line(file: &ShownFile) -> String {
    format!("{}  {}  {}", printable(&file.path), size(file.size_bytes), file.modified)
}

fn resolve(arguments: &ResolveArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let path = named_entry(&arguments.path)?;
    let answerer = answerer(shell, engine)?;
    let conflicts = answerer.conflicts()?;
    let conflict = find(&conflicts, &path.to_string_lossy())?;
    answerer.resolve_conflict(conflict.folder, conflict.conflict, arguments.keep.into())?;
    let copy = printable(&conflict.copy.path);
    shell.output.note(match arguments.keep {
        KeepArgument::Both => "Both files stay.".to_owned(),
        KeepArgument::Original => format!("{copy} is in the trash."),
        KeepArgument::Copy => {
            format!("The content of {copy} took the file's place; the file's own is in the trash.")
        }
    });
    Ok(Exit::Success)
}

/// The conflict that `path` is part of. A file that kept its name may be part of several.
fn find<'a>(conflicts: &'a [ConflictReport], path: &str) -> Result<&'a ConflictReport> {
    if let Some(conflict) = conflicts.iter().find(|conflict| conflict.copy.path == path) {
        return Ok(conflict);
    }
    let is_original =
        |conflict: &&ConflictReport| conflict.original.as_ref().is_some_and(|original| original.path == path);
    let mut of_original = conflicts.iter().filter(is_original);
    match (of_original.next(), of_original.next()) {
        (Some(conflict), None) => Ok(conflict),
        (first, _) => {
            let what = match first {
                Some(_) => format!("{path} has several copies"),
                None => format!("{path} is in no conflict"),
            };
            let remedy = "Name a copy that ensafer conflicts list shows";
            Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
        }
    }
}
