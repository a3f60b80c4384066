//! One folder's engine: observe both sides, plan, brake, apply, and again until nothing is left to do.
//!
//! A [`Folder`] is owned by one thread. It keeps what it saw in memory and what both sides agreed on in its
//! [`State`]; nothing else survives a restart, because nothing else is needed.

mod encrypted;
mod observe;
mod roster;
mod settle;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ensafer_core::ids::{FileId, FolderId};
use ensafer_core::plan::{Conflict, Plan, Problem, Subject};
use ensafer_core::reconcile::{Policy, reconcile};
use ensafer_core::safety::{self, Brake, History, Verdict};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseTree, StoreKey};

pub use encrypted::{Encrypted, Fault, Seen, SeenVersion};
pub use settle::{Settled, settle};

use crate::apply::{self, Outcome, Scene};
use crate::folder_keys::{FolderKeysError, OpenFolder, Vault};
use crate::folders::FolderEntry;
use crate::progress::Progress;
use crate::scan::Scan;
use crate::state::{BaseRecord, Identity, StandingProblem, State, StateError, StoreRecord};
use crate::store::{DirectoryStore, EncryptedStore, StoreError, StoreStamp};
use crate::watch::Hint;
use crate::work_dir::{WorkDir, WorkError};

/// How the engine behaves: from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a file must have rested before it is read (engine rule 4).
    pub settle: Duration,
    /// Whether lengths are rounded up.
    pub padding: ensafer_core::format::padding::Padding,
    /// A name for this device, shown in conflict copies.
    pub device_name: String,
}

/// What a step is given from outside.
pub struct Context<'a> {
    /// The time now.
    pub now: Timestamp,
    /// Opens keys when they are first needed.
    pub vault: &'a dyn Vault,
    /// Set when the work is to end after the current file.
    pub cancel: &'a AtomicBool,
    /// Who wants to know how far it is.
    pub progress: &'a dyn Progress,
}

/// A folder cannot go on as a whole. One file's trouble is a [`Problem`] instead.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The keys could not be opened.
    #[error(transparent)]
    Keys(#[from] FolderKeysError),
    /// The state database failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The work folder cannot be used.
    #[error("the work folder cannot be used")]
    Work(#[from] WorkError),
    /// The encrypted folder cannot be used.
    #[error("the encrypted folder cannot be used")]
    Store(#[from] StoreError),
}

/// What one step did.
#[derive(Debug, Default)]
pub struct Step {
    /// Versions written into the encrypted folder.
    pub published: u64,
    /// Changes that base took.
    pub committed: u64,
    /// Changes that were left for the next plan because something moved meanwhile.
    pub retry: bool,
    /// Look again no later than this: something has not rested, or is absent only once.
    pub look_again: Option<Duration>,
    /// Look again then: something lost is put back, or damaged by then.
    pub later: Option<Duration>,
    /// The brake that holds.
    pub brake: Option<Brake>,
    /// Contents that were kept twice.
    pub conflicts: Vec<Conflict>,
}

/// One folder.
pub struct Folder {
    entry: FolderEntry,
    settings: Settings,
    identity: Identity,
    work: WorkDir,
    store: DirectoryStore,
    state: State,
    base: BaseTree,
    records: HashMap<FileId, StoreRecord>,
    encrypted: Encrypted,
    roster: roster::RosterFile,
    keys: Option<Arc<OpenFolder>>,
    scan: Option<Scan>,
    hints: BTreeSet<Hint>,
    encrypted_changed: bool,
    absent_since: HashMap<FileId, Timestamp>,
    lost_since: HashMap<FileId, Timestamp>,
    busy_since: HashMap<String, Timestamp>,
    standing: HashMap<Subject, StandingProblem>,
    history: History,
    allowed: Option<String>,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("id", &self.entry.id).finish_non_exhaustive()
    }
}
