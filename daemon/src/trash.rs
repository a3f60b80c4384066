//! What lies in the trash of this computer's work folders, and how it comes back.

use std::cmp::Reverse;

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{EntryKind, Restored, TrashQuery, TrashedReport};
use rustix::fs::FileType;

use crate::exit::Failure;
use crate::folders::FolderEntry;
use crate::work_dir::{ItemName, Trashed, WorkDir, WorkError};

/// Most entries of one folder that are listed: the latest.
pub const MOST_LISTED: usize = 10_000;

/// What lies in the trash of `folders`, as far as it is sought, the latest first. A work folder that is not there has
/// none.
///
/// # Errors
/// A trash cannot be read.
pub fn list(folders: &[FolderEntry], sought: &TrashQuery) -> Result<Vec<TrashedReport>> {
    let mut all = Vec::new();
    for folder in folders {
        if let Ok(work) = WorkDir::open(&folder.work) {
            let found = work.list_trash(MOST_LISTED, &|item| is_sought(folder, item, sought))?;
            all.extend(found.iter().filter_map(|found| report(folder, found)));
        }
    }
    // By time over the folders; within one batch as they are.
    all.sort_by_key(|report| Reverse(report.moved.clone()));
    Ok(all)
}

fn is_sought(folder: &FolderEntry, item: &str, sought: &TrashQuery) -> bool {
    let is_item = sought.item.as_deref().is_none_or(|above| is_at_or_below(item, above));
    let was_there = |path: &String| {
        ItemName::parse(item).is_some_and(|name| folder.work.join(name.path).starts_with(path))
    };
    is_item && sought.path.as_ref().is_none_or(was_there)
}

fn is_at_or_below(item: &str, above: &str) -> bool {
    item.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn report(folder: &FolderEntry, found: &Trashed) -> Option<TrashedReport> {
    let name = ItemName::parse(&found.item)?;
    Some(TrashedReport {
        folder: folder.id,
        item: found.item.clone(),
        path: name.path.to_owned(),
        moved: name.moved_at(),
        kind: match found.kind {
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Symlink,
            _ => EntryKind::File,
        },
        size_bytes: found.size_bytes,
        modified: found.modified.to_string(),
    })
}

/// Brings an entry of a folder's trash back to where it was, or beside what is there now.
///
/// # Errors
/// It is not in the trash, or cannot be moved.
pub fn restore(folder: &FolderEntry, item: &str) -> Result<Restored> {
    let path = WorkDir::open(&folder.work)?.restore(item).map_err(|error| refused(item, error))?;
    let path = folder.work.join(path).to_string_lossy().into_owned();
    Ok(Restored { item: item.to_owned(), path })
}

/// What the trash does not hold is said to be so: somebody may have emptied it.
fn refused(item: &str, error: WorkError) -> anyhow::Error {
    match error {
        WorkError::Missing { path } | WorkError::BadPath { path } if path == item => {
            let failure = Failure::new(Exit::Usage, format!("{item:?} is not in the trash"));
            failure.with_remedy("ensafer trash lists what is").into()
        }
        error => error.into(),
    }
}
