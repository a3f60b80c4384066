//! Carries out a plan (engine rules 16 and 17): first its part in the encrypted folder, then its part in the work
//! folder. Each change succeeds or fails by itself; what fails is planned anew after the next look.
//!
//! Nothing here decides. Every target is checked again just before it is touched, and a change whose target is not
//! what the plan saw is left for the next plan.

mod fetch;
mod places;
mod publish;
mod seal;
mod work;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ensafer_core::ids::FileId;
use ensafer_core::plan::{Change, Plan, Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{EncryptedTree, Object, Stamp, StoreKey, Version, WorkStamp, WorkTree};

pub use publish::publish;
pub use work::change_work;

use crate::engine::SeenVersion;
use crate::folder_keys::OpenFolder;
use crate::progress::Progress;
use crate::state::{BaseRecord, StoreRecord};
use crate::store::{CommitError, EncryptedStore, StoreError, StoreStamp};
use crate::work_dir::{WorkDir, WorkError};

/// A content changed less than this before it was looked at is hashed again (engine rule 2).
const RACY: Duration = Duration::from_secs(2);

/// Most changes that become durable together.
const BATCH_CHANGES: usize = 4096;

/// Most bytes of content that become durable together, apart from one larger file.
const BATCH_BYTES: u64 = 512 << 20;

/// Bytes that are read, sealed or opened, and written at once: 64 chunks.
const RUN_BYTES: usize = 1 << 20;

/// What a plan was made from, and where it is carried out.
pub struct Scene<'a> {
    /// The work folder.
    pub work: &'a WorkDir,
    /// The encrypted folder.
    pub store: &'a dyn EncryptedStore,
    /// What the scan saw.
    pub tree: &'a WorkTree,
    /// Objects published again as base has them.
    pub put_back: &'a HashSet<FileId>,
    /// What the encrypted folder held.
    pub encrypted: &'a EncryptedTree,
    /// Stamps of the encrypted folder's files, readable or not, as listed.
    pub stamps: &'a HashMap<StoreKey, StoreStamp>,
    /// The records that belong to [`encrypted`](Self::encrypted)'s versions.
    pub records: &'a HashMap<StoreKey, StoreRecord>,
    /// Keys, roster and signer.
    pub folder: &'a OpenFolder,
    /// Whether lengths are rounded up.
    pub padding: bool,
    /// The time now.
    pub now: Timestamp,
    /// Whether a file that is open for writing is read all the same (engine rule 4).
    pub read_busy: &'a (dyn Fn(&str) -> bool + Sync),
    /// Set when the work is to end after the current file.
    pub cancel: &'a AtomicBool,
    /// Who wants to know how far it is.
    pub progress: &'a Progress,
}

impl Scene<'_> {
    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn work_stamp(&self, stamp: Stamp) -> WorkStamp {
        // A modification time in the future was set by hand and says nothing.
        let touched = if stamp.modified > self.now { stamp.changed } else { stamp.modified };
        WorkStamp { racy: self.now.since(touched) < RACY, stamp }
    }
}

/// Why a change was not carried out.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What it was about.
    pub subject: Subject,
    /// The class of the problem; `None` where looking and planning again is the answer.
    pub class: Option<ProblemClass>,
    /// Details for people.
    pub detail: String,
    /// A file is open for writing: wait for it (engine rule 4).
    pub busy: bool,
}

impl Failure {
    fn work(error: &WorkError, path: &str) -> Self {
        Self {
            subject: Subject::Path(path.into()),
            class: error.class(),
            detail: describe(error),
            busy: false,
        }
    }

    fn store(error: &StoreError, path: &str) -> Self {
        Self {
            subject: Subject::Path(path.into()),
            class: Some(error.class()),
            detail: describe(error),
            busy: false,
        }
    }

    fn commit(error: &CommitError, path: &str) -> Self {
        Self {
            subject: Subject::Path(path.into()),
            class: error.class(),
            detail: describe(error),
            busy: false,
        }
    }

    fn object(class: ProblemClass, key: &StoreKey, detail: impl Into<String>) -> Self {
        Self { subject: Subject::Object(key.clone()), class: Some(class), detail: detail.into(), busy: false }
    }

    fn retry(path: &str) -> Self {
        Self { subject: Subject::Path(path.into()), class: None, detail: String::new(), busy: false }
    }

    /// As a problem to be listed, unless planning again is the answer.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let class = self.class?;
        Some(Problem { class, subject: self.subject.clone(), detail: self.detail.clone() })
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What base takes now.
    pub records: Vec<BaseRecord>,
    /// Objects published, whether or not base takes them yet.
    pub published: HashMap<FileId, SeenVersion>,
    /// Those of them that the caller has not taken note of.
    pub news: Vec<SeenVersion>,
    /// Files of the encrypted folder that are there no more.
    pub removed: Vec<StoreKey>,
    /// Entries of the work folder that were made, changed or moved to the trash.
    pub applied: u64,
    /// What was not carried out.
    pub failures: Vec<Failure>,
    /// The objects of changes that were not carried out: what belongs into them is left out, too.
    pub left_out: HashSet<FileId>,
}

/// The record that base takes of a change whose every part is done; `None` where the object is not in the work folder
/// yet and arrives there by a later plan.
fn finished_record(
    change: &Change,
    object: Arc<Object>,
    work: Option<WorkStamp>,
    store: Option<StoreRecord>,
) -> Option<BaseRecord> {
    let arrives_later =
        change.publish.is_some() && work.is_none() && change.node.is_none() && !object.content.is_tombstone();
    (!arrives_later).then_some(BaseRecord { object, work, store })
}

/// Takes over into base what needs no work on either side ("adopt").
#[must_use]
pub fn adopt(plan: &Plan, scene: &Scene<'_>) -> Vec<BaseRecord> {
    plan.changes
        .iter()
        .filter(|change| change.publish.is_none() && change.work.is_none())
        .map(|change| {
            let work = change.node.map(|node| scene.work_stamp(scene.tree.node(node).stamp));
            let store = current_record(scene, &change.target);
            BaseRecord { object: change.target.clone(), work, store }
        })
        .collect()
}

/// The record of the version in the encrypted folder that says `object`. Base must not take another's: after a restart
/// it stands for what the file says.
fn current_record(scene: &Scene<'_>, object: &Object) -> Option<StoreRecord> {
    let versions = scene.encrypted.versions.get(&object.id)?;
    let says_so = |version: &&Version| {
        let seen = &version.object;
        (seen.content_dot, seen.place_dot) == (object.content_dot, object.place_dot)
            && seen.clock == object.clock
    };
    let version = versions.iter().find(says_so)?;
    scene.records.get(&version.key).cloned()
}

/// Splits changes into batches that become durable together.
fn batches<'c>(changes: &[&'c Change]) -> Vec<Vec<&'c Change>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for &change in changes {
        let size = content_bytes(&change.target);
        if batch.len() == BATCH_CHANGES || (bytes > 0 && bytes + size > BATCH_BYTES) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(change);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Bytes of plaintext of a file, otherwise 0.
fn content_bytes(object: &Object) -> u64 {
    match object.content {
        ensafer_core::tree::Content::File { size, .. } => size,
        _ => 0,
    }
}
