//! `trash [PATH]` and `restore ITEM…`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{EntryKind, TrashedReport};

use super::engine::Engine;
use super::filestatus::answerer;
use super::ls::outside;
use super::{Format, named_path};
use crate::exit::{self, Failure};
use crate::folders::{FolderEntry, Folders};
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
    let below = arguments.path.as_deref().map(named_path).transpose()?;
    if let Some(path) = below.as_deref().filter(|path| folders.containing(path).is_none()) {
        return Err(outside(path).into());
    }
    let mut found = answerer(shell, engine)?.trash()?;
    if let Some(below) = &below {
        let was_below = |report: &TrashedReport| {
            let folder = folders.entries().iter().find(|folder| folder.id == report.folder);
            folder.is_some_and(|folder| folder.work.join(&report.path).starts_with(below))
        };
        found.retain(was_below);
    }
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
    let mut all = answerer.trash()?;
    all.retain(|report| report.folder == folder.id);
    let mut failed = 0;
    for sought in &arguments.items {
        let sought = sought.trim_end_matches('/');
        let items: Vec<_> = all.iter().filter(|report| is_at_or_below(&report.item, sought)).collect();
        if items.is_empty() {
            failed += 1;
            shell.output.warn(format_args!("{} is not in the trash: ensafer trash", printable(sought)));
        }
        for report in items {
            match answerer.restore(folder.id, &report.item) {
                Ok(restored) => shell.output.line(printable(&restored.path))?,
                Err(error) => {
                    failed += 1;
                    shell.output.warn(format_args!(
                        "{}: {}",
                        printable(&report.item),
                        exit::describe(&error)
                    ));
                }
            }
        }
    }
    Ok(if failed == 0 { Exit::Success } else { Exit::Partial })
}

fn is_at_or_below(item: &str, sought: &str) -> bool {
    item.strip_prefix(sought).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
