//! Contents that were kept twice: remembered until somebody has looked at them, and resolved.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};

use ensafer_core::api::local::Keep;
use ensafer_core::ids::FileId;
use ensafer_core::layout::layout;
use ensafer_core::plan::Conflict;
use ensafer_core::reconcile::same_stamp;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Content, Object, Stamp};

use super::{EngineError, Env, Folder};
use crate::platform::{FileExt, is_open_for_writing};
use crate::state::{StateError, StateReader};
use crate::watch::{Hint, Side};
use crate::work_dir::{StagedFile, Trash, WorkError, stamp_of};

/// Name under which the state keeps conflicts that are not resolved.
pub(super) const CONFLICTS: &str = "conflicts";

/// Bytes that are read and written at once.
const RUN_BYTES: usize = 1 << 20;

/// Why a conflict is not resolved. Both contents are still there.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It is resolved already, or never was one.
    #[error("this conflict is resolved already")]
    NoSuchConflict,
    /// The file that kept the name is not there any more.
    #[error("the file that kept the name is gone: only the copy is left")]
    NoOriginal,
    /// What is there is not what both sides agreed on last.
    #[error("{path:?} was changed a moment ago")]
    Changed {
        /// The path, below the work folder.
        path: String,
    },
    /// A program writes it.
    #[error("{path:?} is open in a program that may write it")]
    Busy {
        /// The path, below the work folder.
        path: String,
    },
    /// Something else had to be done at once.
    #[error("this was interrupted")]
    Interrupted,
    /// The work folder.
    #[error(transparent)]
    Work(WorkError),
    /// The folder as a whole.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<WorkError> for ResolveError {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Changed { path } => Self::Changed { path },
            error => Self::Work(error),
        }
    }
}

impl ResolveError {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchConflict => Some("ensafer conflicts list"),
            Self::NoOriginal => Some("keep both, or rename the copy"),
            Self::Changed { .. } => {
                Some("look at both files again; once they are synced (ensafer sync --once), try again")
            }
            Self::Interrupted => Some("try again"),
            Self::Busy { .. } => Some("close the program, then try again"),
            Self::Work(_) | Self::Engine(_) => None,
        }
    }

    /// Whether trying again later may succeed.
    #[must_use]
    pub const fn is_for_later(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Busy { .. } | Self::Interrupted)
    }
}

/// A file of the work folder as base has it.
struct Shown {
    path: String,
    stamp: Stamp,
    mode: u32,
    content: Content,
    modified: Timestamp,
}

impl Folder {
    /// Remembers contents that are kept twice: those of `named`, which were carried out just now, and those known before
    /// as long as both are there. What was planned only, and never came about, is forgotten.
    pub(super) fn remember_conflicts(&mut self, named: &[Conflict]) -> Result<(), EngineError> {
        let is_new = |known: &Conflict| named.iter().any(|conflict| conflict.copy == known.copy);
        let mut conflicts = self.conflicts.clone();
        conflicts.retain(|known| !is_new(known) && !self.is_deleted(known.winner) && self.exists(known.copy));
        conflicts.extend_from_slice(named);
        self.set_conflicts(conflicts)
    }

    fn is_deleted(&self, id: FileId) -> bool {
        self.base.entries.get(&id).is_some_and(|entry| entry.object.content.is_tombstone())
    }

    /// Whether an object is in base, or in the encrypted folder as far as that was seen.
    fn exists(&self, id: FileId) -> bool {
        let is_it = |object: &Object| object.id == id && !object.content.is_tombstone();
        match self.base.entries.get(&id) {
            Some(entry) => is_it(&entry.object),
            None => {
                !self.encrypted.complete
                    || self
                        .encrypted
                        .seen
                        .values()
                        .any(|seen| seen.result.as_ref().is_ok_and(|version| is_it(&version.object)))
            }
        }
    }

    fn set_conflicts(&mut self, conflicts: Vec<Conflict>) -> Result<(), EngineError> {
        if conflicts != self.conflicts {
            self.state.put(CONFLICTS, &conflicts)?;
            self.conflicts = conflicts;
        }
        Ok(())
    }

    /// Number of contents that were kept twice and are both still there.
    #[must_use]
    pub fn conflict_count(&self) -> u64 {
        self.conflicts.len() as u64
    }

    /// Keeps what is said of the two contents of the conflict whose copy is `copy`; the other goes to the trash. Both files
    /// must be as both sides agreed on them last. Where this is cut short, the conflict stays with both contents.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn resolve_conflict(&mut self, copy: FileId, keep: Keep, env: &Env<'_>) -> Result<(), ResolveError> {
        let known = self.conflicts.iter().find(|known| known.copy == copy).cloned();
        let known = known.ok_or(ResolveError::NoSuchConflict)?;
        if keep != Keep::Both {
            if !self.may_publish {
                return Err(EngineError::ReadOnly.into());
            }
            let original = self.shown(known.winner)?.ok_or(ResolveError::NoOriginal)?;
            let copy = self.shown(copy)?.ok_or(ResolveError::NoSuchConflict)?;
            let trash = self.work.open_trash(env.clock.now());
            // Before anything is touched: where this is cut short, too, the next look sees what was done.
            self.hint(Side::Work, Hint::Everything);
            if keep == Keep::Copy {
                self.replace_by_copy(&original, &copy, &trash, env.cancel)?;
            }
            self.work.trash(&copy.path, &copy.stamp, &trash)?;
            self.work.sync_directories()?;
        }
        let others = self.conflicts.iter().filter(|other| other.copy != copy).cloned().collect();
        Ok(self.set_conflicts(others)?)
    }

    /// The file or symbolic link that shows an object, if it is one; it is as base has it, and nobody writes it.
    fn shown(&self, id: FileId) -> Result<Option<Shown>, ResolveError> {
        let objects = self.base.entries.values().map(|entry| &*entry.object);
        let layout = layout(objects, self.entry.id.root(), self.work.folding());
        let Some((entry, path)) = self.base.entries.get(&id).zip(layout.path(id)) else { return Ok(None) };
        let stable_inodes = self.work.stable_inodes();
        let is_known =
            |stamp: &Stamp| entry.work.is_some_and(|work| same_stamp(&work.stamp, stamp, stable_inodes));
        let Some(seen) = self.work.look(&path)?.filter(|seen| is_known(&seen.stamp)) else {
            return Err(ResolveError::Changed { path });
        };
        let content = entry.object.content.clone();
        if matches!(content, Content::File { .. })
            && is_open_for_writing(&self.work.open_file(&path)?) == Some(true)
        {
            return Err(ResolveError::Busy { path });
        }
        let modified = entry.object.modified;
        Ok(Some(Shown { path, stamp: seen.stamp, mode: seen.mode, content, modified }))
    }

    /// Puts the content of `copy` in the place of `original`, whose own goes to the trash. It is a new file there, so that
    /// it is taken for an edit of the original, as if an editor had saved it.
    fn replace_by_copy(
        &self,
        original: &Shown,
        copy: &Shown,
        trash: &Trash,
        cancel: &AtomicBool,
    ) -> Result<(), ResolveError> {
        match &copy.content {
            Content::Symlink { target } => {
                self.work.replace_with_symlink(target, &original.path, &original.stamp, trash)?;
            }
            Content::File { executable, .. } => {
                let mut staged = self.work.stage()?;
                let file = self.work.open_file(&copy.path)?;
                fill(&staged, &file, &copy.path, cancel)?;
                if !stamp_of(&file).is_ok_and(|stamp| stamp == copy.stamp) {
                    return Err(ResolveError::Changed { path: copy.path.clone() });
                }
                let was_file = matches!(original.content, Content::File { .. });
                staged.finish(copy.modified, *executable, was_file.then_some(original.mode))?;
                let staged = [staged];
                self.work.barrier(&staged)?;
                let [staged] = staged;
                self.work.replace(staged, &original.path, &original.stamp, trash)?;
            }
            Content::Directory | Content::Tombstone { .. } => return Err(ResolveError::NoSuchConflict),
        }
        Ok(())
    }
}

/// Copies what `file`, which is at `path`, holds.
fn fill(staged: &StagedFile, file: &File, path: &str, cancel: &AtomicBool) -> Result<(), ResolveError> {
    let (mut buffer, mut offset) = (vec![0; RUN_BYTES], 0);
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(ResolveError::Interrupted);
        }
        let read = file.read_at(&mut buffer, offset).map_err(|error| WorkError::io(path, error))?;
        if read == 0 {
            return Ok(());
        }
        staged.write_at(offset, &buffer[..read])?;
        offset += read as u64;
    }
}

/// Contents that were kept twice and not resolved when the folder was last looked at.
pub fn kept_conflicts(reader: &StateReader) -> Result<Vec<Conflict>, StateError> {
    Ok(reader.get(CONFLICTS)?.unwrap_or_default())
}
