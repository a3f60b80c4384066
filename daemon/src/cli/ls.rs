//! `ls [PATH]`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{EntryKind, ListedEntry};

use super::engine::Engine;
use super::filestatus::answerer;
use super::{Format, named_entry};
use crate::exit::Failure;
use crate::folders::Folders;
use crate::output::{printable, size};
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file or directory in a work folder; every folder if left out
    path: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let folders = Folders::load(shell.home.data_dir())?;
    let paths = match &arguments.path {
        Some(path) => {
            let path = named_entry(path)?;
            if folders.containing(&path).is_none() {
                return Err(outside(&path).into());
            }
            vec![path]
        }
        None => folders.entries().iter().map(|folder| folder.work.clone()).collect(),
    };
    let answerer = answerer(shell, engine)?;
    let mut all = Vec::new();
    for path in &paths {
        all.extend(answerer.list(path)?);
    }
    if arguments.format.json {
        shell.output.document(&all)?;
        return Ok(Exit::Success);
    }
    if let (Some(path), true) = (&arguments.path, all.is_empty()) {
        shell.output.note(format_args!("Nothing that was synced yet is {}", path.display()));
    }
    for entry in &all {
        shell.output.line(line(entry))?;
    }
    Ok(Exit::Success)
}

fn line(entry: &ListedEntry) -> String {
    let end = match entry.kind {
        EntryKind::File => "",
        EntryKind::Directory => "/",
        EntryKind::Symlink => "@",
    };
    let size = if entry.kind == EntryKind::File { size(entry.size_bytes) } else { String::new() };
    let description = match printable(&entry.description) {
        text if text.is_empty() => text,
        text => format!("  # {text}"),
    };
    format!("{size:>12}  {}  {}{end}{description}", entry.modified, printable(&entry.path))
}

/// The path is in no folder.
pub(super) fn outside(path: &std::path::Path) -> Failure {
    Failure::new(Exit::Usage, format!("{} is in no work folder of this computer", path.display()))
        .with_remedy("ensafer folder list")
}
