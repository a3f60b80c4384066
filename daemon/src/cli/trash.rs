//! `trash [PATH]` and `restore ITEM…`.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{EntryKind, TrashQuery, TrashedReport};
use ensafer_core::ids::FolderId;

use super::engine::Engine;
use super::filestatus::answerer;
use super::ls::outside;
use super::{Format, named_entry, named_path};
use crate::exit::{self, Failure};
use crate::folders::{FolderEntry, Folders};
use crate::local_api::Queries;
use crate::output::{printable, size};
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct TrashArguments {
    /// Only what was at or below this path of a work folder
    path: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// Entries as `ensafer trash` names them; a day, a time or a directory stands for everything in it
    #[arg(required = true)]
    items: Vec<String>,
    /// The work folder, where there are several
    #[arg(long, value_name = "WORK")]
    folder: Option<PathBuf>,
}

pub(super) fn trash(arguments: &TrashArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let folders = Folders::load(shell.home.data_dir())?;
    let below = arguments.path.as_deref().map(named_entry).transpose()?;
    if let Some(path) = below.as_deref().filter(|path| folders.containing(path).is_none()) {
        return Err(outside(path).into());
    }
    let path = below.map(|path| path.to_string_lossy().into_owned());
    let found = answerer(shell, engine)?.trash(&TrashQuery { path, ..TrashQuery::default() })?;
    if arguments.format.json {
        shell.output.document(&found)?;
        return Ok(Exit::Success);
    }
    if found.is_empty() {
        shell.output.note("Nothing is in the trash.");
    }
    let mut last = None;
    for report in &found {
        let folder = folders.entries().iter().find(|folder| folder.id == report.folder);
        if folders.entries().len() > 1 && last != Some(report.folder) {
            last = Some(report.folder);
            shell.output.line(format_args!("{}:", work(folder)))?;
        }
        shell.output.line(line(report))?;
    }
    Ok(Exit::Success)
}

fn work(folder: Option<&FolderEntry>) -> String {
    folder.map(|folder| printable(&folder.work.to_string_lossy())).unwrap_or_default()
}

fn line(report: &TrashedReport) -> String {
    let (size, end) = match report.kind {
        EntryKind::File => (size(report.size_bytes), ""),
        EntryKind::Directory => (String::new(), "/"),
        EntryKind::Symlink => (String::new(), "@"),
    };
    format!("{size:>12}  {}{end}", printable(&report.item))
}

pub(super) fn restore(arguments: &RestoreArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let folders = Folders::load(shell.home.data_dir())?;
    let folder = chosen(arguments, &folders)?;
    let answerer = answerer(shell, engine)?;
    let mut is_all = true;
    for sought in &arguments.items {
        is_all &= restore_all(&*answerer, folder.id, sought.trim_end_matches('/'), shell)?;
    }
    Ok(if is_all { Exit::Success } else { Exit::Partial })
}

/// Brings back what has a name, or lies below it. A listing has an end, so it is asked for again until nothing is new in
/// it.
fn restore_all(answerer: &dyn Queries, folder: FolderId, sought: &str, shell: &Shell) -> Result<bool> {
    let query = TrashQuery { item: Some(sought.to_owned()), path: None };
    let (mut failed, mut is_there) = (HashSet::new(), false);
    loop {
        let mut found = answerer.trash(&query)?;
        found.retain(|report| report.folder == folder && !failed.contains(&report.item));
        if found.is_empty() {
            break;
        }
        is_there = true;
        for report in found {
            match answerer.restore(folder, &report.item) {
                Ok(restored) => shell.output.line(printable(&restored.path))?,
                Err(error) => {
                    let what = exit::describe(&error);
                    shell.output.warn(format_args!("{}: {what}", printable(&report.item)));
                    failed.insert(report.item);
                }
            }
        }
    }
    if !is_there {
        shell.output.warn(format_args!("{} is not in the trash: ensafer trash", printable(sought)));
    }
    Ok(is_there && failed.is_empty())
}

/// The folder that was named, or the only one.
fn chosen<'a>(arguments: &RestoreArguments, folders: &'a Folders) -> Result<&'a FolderEntry> {
    let usage = |what: String, remedy| Failure::new(Exit::Usage, what).with_remedy(remedy);
    match &arguments.folder {
        Some(path) => {
            let path = named_path(path)?;
            Ok(folders.containing(&path).ok_or_else(|| outside(&path))?)
        }
        None => match folders.entries() {
            [only] => Ok(only),
            [] => Err(usage("There is no folder on this computer".into(), "ensafer folder add").into()),
            _ => Err(usage("There are several folders".into(), "Say which one: --folder WORK").into()),
        },
    }
}
