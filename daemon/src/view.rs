//! Answers about single files from base, while a daemon runs or not: which file shows where, and how far it is.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use ensafer_core::api::local::{
    ConflictReport, EntryKind, FileState, FileStatus, ListedEntry, Located, ProblemReport, ShownFile,
};
use ensafer_core::format::{StoreName, parse_store_name};
use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::layout::{Layout, layout};
use ensafer_core::plan::Conflict;
use ensafer_core::reconcile::same_stamp;
use ensafer_core::suffix;
use ensafer_core::tree::{BaseTree, Content, Folding, Kind, Object};

use crate::engine::kept_conflicts;
use crate::folders::FolderEntry;
use crate::scan::is_ignored;
use crate::state::{Identity, StateReader, StoreRecord};
use crate::work_dir::{WorkDir, relative_text};

/// One folder's base, read once.
pub struct View<'a> {
    entry: &'a FolderEntry,
    base: BaseTree,
    records: HashMap<FileId, StoreRecord>,
    layout: Layout,
    problems: Vec<ProblemReport>,
    conflicts: Vec<Conflict>,
    device: Option<DeviceId>,
}

impl<'a> View<'a> {
    /// Reads what base holds of `entry`. A folder without a state is empty.
    pub fn read(entry: &'a FolderEntry, reader: Option<&StateReader>) -> Result<Self> {
        let (base, records) = reader.map(StateReader::load_base).transpose()?.unwrap_or_default();
        let standing = reader.map(StateReader::problems).transpose()?.unwrap_or_default();
        let problems = standing.iter().map(|s| ProblemReport::new(&s.problem, entry.id, s.since)).collect();
        let conflicts = reader.map(kept_conflicts).transpose()?.unwrap_or_default();
        let identity: Option<Identity> = reader.map(|reader| reader.get("identity")).transpose()?.flatten();
        let device = identity.map(|identity| identity.device);
        let objects = base.entries.values().map(|entry| &*entry.object);
        let layout = layout(objects, entry.id.root(), Folding::Exact);
        Ok(Self { entry, base, records, layout, problems, conflicts, device })
    }

    /// Everything that shows at or below `path`, which lies in the work folder, sorted by path.
    pub fn list(&self, path: &Path) -> Result<Vec<ListedEntry>> {
        let below = self.relative(path)?;
        let mut entries: Vec<_> = self
            .layout
            .shown()
            .filter_map(|id| Some((self.layout.path(id)?, &self.base.entries.get(&id)?.object)))
            .filter(|(path, _)| below.is_empty() || is_at_or_below(path, &below))
            .map(|(path, object)| self.listed(path, object))
            .collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn listed(&self, path: String, object: &Object) -> ListedEntry {
        let (kind, size_bytes) = match &object.content {
            Content::File { size, .. } => (EntryKind::File, *size),
            Content::Symlink { .. } => (EntryKind::Symlink, 0),
            Content::Directory | Content::Tombstone { .. } => (EntryKind::Directory, 0),
        };
        ListedEntry {
            path,
            kind,
            size_bytes,
            modified: object.modified.to_string(),
            object: object.id,
            encrypted: self.records.get(&object.id).map(|record| record.key.to_string()),
            description: object.description.as_deref().unwrap_or_default().to_owned(),
        }
    }

    /// The object that shows at `path`.
    pub fn at(&self, path: &Path) -> Result<Option<FileId>> {
        let sought = self.relative(path)?;
        let mut at = self.entry.id.root();
        for component in sought.split('/').filter(|component| !component.is_empty()) {
            let Ok(name) = ensafer_core::tree::Name::new(component) else { return Ok(None) };
            let Some(child) = self.layout.child(at, &name) else { return Ok(None) };
            at = child;
        }
        Ok((at != self.entry.id.root()).then_some(at))
    }

    /// Both sides of the object that shows at a path, or that an encrypted file's name or id names.
    pub fn locate(&self, sought: &str) -> Result<Option<Located>> {
        let path = Path::new(sought);
        let id = if path.starts_with(&self.entry.work) {
            self.at(path)?
        } else {
            let name = sought.rsplit('/').next().unwrap_or_default();
            match parse_store_name(name) {
                StoreName::Object(id) | StoreName::Copy(Some(id)) => Some(id),
                _ => name.parse().ok(),
            }
        };
        Ok(id.and_then(|id| self.located(id)))
    }

    fn located(&self, id: FileId) -> Option<Located> {
        let work = self.entry.work.join(self.layout.path(id)?);
        let encrypted = self.records.get(&id).map(|record| self.entry.encrypted.join(&*record.key.0));
        Some(Located {
            folder: self.entry.id,
            object: id,
            work: work.to_string_lossy().into_owned(),
            encrypted: encrypted.map(|path| path.to_string_lossy().into_owned()),
        })
    }

    /// Contents that were kept twice and not resolved. A copy that has not arrived in the work folder is left out.
    fn conflicts(&self) -> Vec<ConflictReport> {
        let report = |conflict: &Conflict| {
            let object = |id| self.base.entries.get(&id).map(|entry| &*entry.object);
            let is_own = |device| self.device == Some(device);
            let here = object(conflict.winner).is_some_and(|winner| is_own(winner.content_dot.device));
            Some(ConflictReport {
                folder: self.entry.id,
                conflict: conflict.copy,
                original: self.shown(conflict.winner, here),
                copy: self.shown(conflict.copy, is_own(conflict.losing.device))?,
                author: object(conflict.winner).map(|winner| winner.author.to_string()),
                copy_author: suffix::author(&object(conflict.copy)?.name).map(str::to_owned),
            })
        };
        self.conflicts.iter().filter_map(report).collect()
    }

    fn shown(&self, id: FileId, here: bool) -> Option<ShownFile> {
        let object = &self.base.entries.get(&id)?.object;
        let size_bytes = match object.content {
            Content::File { size, .. } => size,
            Content::Symlink { .. } | Content::Directory => 0,
            Content::Tombstone { .. } => return None,
        };
        let path = self.entry.work.join(self.layout.path(id)?).to_string_lossy().into_owned();
        Some(ShownFile { path, size_bytes, modified: object.modified.to_string(), here })
    }

    /// How far `path` is. Equal to base means up to date, as far as stamps tell.
    pub fn file_status(&self, path: &Path) -> Result<FileStatus> {
        let relative = self.relative(path)?;
        let id = self.at(path)?;
        let record = id.and_then(|id| self.records.get(&id));
        let problems: Vec<_> =
            self.problems.iter().filter(|p| self.concerns(p, &relative, id)).cloned().collect();
        let state = if id.is_none() && has_ignored_component(&relative) {
            FileState::Ignored
        } else if !problems.is_empty() {
            FileState::Problem
        } else if id.is_some_and(|id| self.is_unchanged(id, path)) {
            FileState::UpToDate
        } else {
            FileState::Pending
        };
        Ok(FileStatus {
            path: path.to_string_lossy().into_owned(),
            state,
            folder: Some(self.entry.id),
            object: id,
            encrypted: record.map(|record| record.key.to_string()),
            problems,
        })
    }

    fn concerns(&self, problem: &ProblemReport, relative: &str, id: Option<FileId>) -> bool {
        let is_inside = |path: &str| relative.is_empty() || is_at_or_below(path, relative);
        let by_path = problem.path.as_deref().is_some_and(is_inside);
        let key = id.and_then(|id| self.records.get(&id)).map(|record| record.key.to_string());
        by_path || (key.is_some() && problem.object == key)
    }

    fn is_unchanged(&self, id: FileId, path: &Path) -> bool {
        let Some(entry) = self.base.entries.get(&id) else { return false };
        if entry.object.content.kind() == Kind::Directory {
            return path.is_dir();
        }
        let Ok(relative) = self.relative(path) else { return false };
        let Ok(work) = WorkDir::open(&self.entry.work) else { return false };
        let Some((seen, known)) = work.look(&relative).ok().flatten().zip(entry.work) else { return false };
        same_stamp(&known.stamp, &seen.stamp, work.stable_inodes())
    }

    fn relative(&self, path: &Path) -> Result<String> {
        let relative = path.strip_prefix(&self.entry.work);
        let relative = relative
            .with_context(|| format!("{} is not in {}", path.display(), self.entry.work.display()))?;
        relative_text(relative).with_context(|| format!("{} is not UTF-8", path.display()))
    }
}

/// Contents that were kept twice in a folder and not resolved. A copy that has not arrived in the work folder is left out.
///
/// # Errors
/// The state cannot be read.
pub fn conflicts(entry: &FolderEntry, reader: Option<&StateReader>) -> Result<Vec<ConflictReport>> {
    // Asked at every change of the status; base is large, and hardly ever needed.
    match reader {
        Some(reader) if !kept_conflicts(reader)?.is_empty() => {
            Ok(View::read(entry, Some(reader))?.conflicts())
        }
        _ => Ok(Vec::new()),
    }
}

/// Both sides of what is sought, in the first of `folders` that knows it. `view` reads a folder.
///
/// # Errors
/// No folder knows it, and one could not be read.
pub fn locate<'a>(
    folders: &'a [FolderEntry],
    view: impl Fn(&'a FolderEntry) -> Result<View<'a>>,
    sought: &str,
) -> Result<Option<Located>> {
    let mut failed = None;
    for entry in folders {
        match view(entry).and_then(|view| view.locate(sought)) {
            Ok(None) => {}
            Ok(located) => return Ok(located),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The status of a path that lies in no folder.
#[must_use]
pub fn outside(path: &Path) -> FileStatus {
    FileStatus {
        path: path.to_string_lossy().into_owned(),
        state: FileState::Outside,
        folder: None,
        object: None,
        encrypted: None,
        problems: Vec::new(),
    }
}

/// Whether `path` is `above` or lies below it. Nothing lies below the empty path.
#[must_use]
pub fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn has_ignored_component(relative: &str) -> bool {
    relative.split('/').enumerate().any(|(depth, name)| is_ignored(depth == 0, name))
}

#[cfg(test)]
mod tests {
    use ensafer_core::ids::FolderId;
    use redb::{Database, TableDefinition};

    use super::*;
    use crate::state::State;

    #[test]
    fn whether_there_are_conflicts_is_asked_without_reading_base() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state.redb");
        drop(State::open(&file).unwrap());
        let database = Database::open(&file).unwrap();
        let write = database.begin_write().unwrap();
        let base = TableDefinition::<&[u8; 16], &[u8]>::new("base");
        write.open_table(base).unwrap().insert(&[1; 16], &b"\xFF"[..]).unwrap();
        write.commit().unwrap();
        drop(database);

        let entry =
            FolderEntry { id: FolderId::new([1; 16]), work: "/work".into(), encrypted: "/cloud".into() };
        let reader = StateReader::open(&file).unwrap();
        assert!(View::read(&entry, reader.as_ref()).is_err(), "base cannot be read");
        assert_eq!(conflicts(&entry, reader.as_ref()).unwrap(), []);
    }
}
