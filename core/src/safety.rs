//! Vetoes plans that look like a catastrophe rather than like work (engine rule 15).
//!
//! Pure: what happened in the last ten minutes comes in and goes out as a [`History`], so that many small plans add
//! up. A brake stops one folder. The user's "go on" names the brake's token, which is a hash of exactly the objects
//! that were listed: anything more trips it again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::FileId;
use crate::plan::{Change, Plan, WorkChange};
use crate::time::Timestamp;
use crate::tree::Content;

/// How far back things are counted.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Fewer files than this never trip a brake that compares with the whole folder.
const FEW_FILES: usize = 20;
/// So many deletions need an explanation: few removed directories, or live events.
const MANY_DELETIONS: usize = 1_000;
/// Removed directories that explain any number of deletions below them.
const FEW_DIRECTORIES: usize = 3;
/// More new conflicts than this within the window trip the brake.
const MANY_CONFLICTS: usize = 50;
/// Changed files from which on the share of incompressible ones counts.
const MANY_SCRAMBLED: usize = 50;

/// Why a brake was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrakeKind {
    /// The work folder is empty, is another directory, or lost its marker.
    RootGone,
    /// Too much was deleted in the work folder.
    LocalDeletions,
    /// Too much was deleted on other devices.
    RemoteDeletions,
    /// Too much would be written back into the encrypted folder.
    PutBack,
    /// Too many conflicts.
    Conflicts,
    /// Too many files turned into noise.
    Scrambled,
}

/// What holds a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Brake {
    /// Why.
    pub kind: BrakeKind,
    /// Number of objects that it is about.
    pub count: u64,
    /// Number of files in the folder.
    pub of: u64,
    /// The objects, sorted.
    pub objects: Vec<FileId>,
    /// Names exactly these objects for this reason: what the user's "go on" has to repeat.
    pub token: String,
}

/// What `safety` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry the plan out.
    Go,
    /// Do nothing, and ask.
    Brake(Brake),
}

/// What is known of the work folder besides the plan.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// The root is empty though base has files, is another directory than before, or its marker is gone.
    pub root_gone: bool,
    /// Files that base has in the work folder.
    pub file_count: u64,
    /// Deletions that live events announced one by one.
    pub announced: HashSet<FileId>,
    /// Objects published again by the policy's leave: put-back and heal.
    pub put_back: HashSet<FileId>,
    /// For changed files whose old and new bytes were looked at: whether they turned incompressible.
    pub scrambled: HashMap<FileId, bool>,
}

/// What happened lately, by object; persisted with the folder's state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct History {
    events: Vec<Happened>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Happened {
    at: Timestamp,
    kind: BrakeKind,
    object: FileId,
    /// Whether it counts against the limits; the others are their yardstick (changed files that kept their nature).
    counts: bool,
}

impl History {
    /// Files in the folder when the window began cannot be told from base alone once deletions are committed: those
    /// deleted within the window are added to what base still has.
    fn gone(&self, kind: BrakeKind) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }

    /// Drops what lies outside the window. A clock set back makes events of the future; they stay.
    fn forget(&mut self, now: Timestamp) {
        self.events.retain(|event| now.since(event.at) < WINDOW);
    }

    fn note(&mut self, happened: Happened) {
        match self.events.iter_mut().find(|e| e.kind == happened.kind && e.object == happened.object) {
            Some(known) => known.counts |= happened.counts,
            None => self.events.push(happened),
        }
    }
}

impl Brake {
    /// A brake as tests of other modules need one.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            kind: BrakeKind::LocalDeletions,
            count: 1,
            of: 1,
            objects: vec![FileId::new([1; 16])],
            token: "00000000".into(),
        }
    }
}
