//! What lies in the trash of this computer's work folders, and how it comes back.

use std::cmp::Reverse;

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{EntryKind, Restored, TrashQuery, TrashedReport};

use crate::exit::Failure;
use crate::folders::FolderEntry;
use crate::platform::FileType;
use crate::view::is_at_or_below;
use crate::work_dir::{ItemName, Trashed, WorkDir, WorkError};

/// Most entries of one folder that are listed: the latest.
pub const MOST_LISTED: usize = 10_000;

/// What lies in a folder's trash, as far as it is sought, the latest first. A work folder that is not there has none.
///
/// # Errors
/// The trash cannot be read.
pub fn list(folder: &FolderEntry, sought: &TrashQuery) -> Result<Vec<TrashedReport>> {
    let Ok(work) = WorkDir::open(&folder.work) else { return Ok(Vec::new()) };
    let found = work.list_trash(MOST_LISTED, &|item| is_sought(folder, item, sought))?;
    Ok(found.iter().filter_map(|found| report(folder, found)).collect())
}

/// What lies in the trash of several folders, the latest first; within one batch as it is.
#[must_use]
pub fn latest_first(of_each: Vec<Vec<TrashedReport>>) -> Vec<TrashedReport> {
    let mut all: Vec<_> = of_each.into_iter().flatten().collect();
    all.sort_by_key(|report| Reverse(report.moved.clone()));
    all
}

fn is_sought(folder: &FolderEntry, item: &str, sought: &TrashQuery) -> bool {
    let is_item = sought.item.as_deref().is_none_or(|above| is_at_or_below(item, above));
    let was_there = |path: &String| {
        ItemName::parse(item).is_some_and(|name| folder.work.join(name.path).starts_with(path))
    };
    is_item && sought.path.as_ref().is_none_or(was_there)
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

#[cfg(test)]
mod tests {
    use ensafer_core::ids::FolderId;

    use super::*;

    #[test]
    fn only_what_is_named_is_sought() {
        let folder =
            FolderEntry { id: FolderId::new([1; 16]), work: "/work".into(), encrypted: "/cloud".into() };
        let item = "2026-11-21/080000-000/dir/f";
        let finds =
            |above: &str| is_sought(&folder, item, &TrashQuery { item: Some(above.into()), path: None });
        assert!(["2026-11-21", "2026-11-21/080000-000/dir", item].into_iter().all(finds));
        // `ensafer restore /` does not bring everything back.
        assert!(!["", "2026-11-2", "2026-11-21/080000-000/di"].into_iter().any(finds));
        assert!(is_sought(&folder, item, &TrashQuery { item: None, path: Some("/work/dir".into()) }));
    }
}
