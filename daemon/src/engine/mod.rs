//! One folder's engine: observe both sides, plan, brake, apply, and again until nothing is left to do.
//!
//! A [`Folder`] is owned by one thread. It keeps what it saw in memory and what both sides agreed on in its
//! [`State`]; nothing else survives a restart, because nothing else is needed.

mod activity;
mod asleep;
mod brake;
mod conflicts;
mod encrypted;
mod expiry;
mod groups;
mod guests;
mod identity;
mod interrupts;
mod kept;
mod ledger;
mod manifests;
mod members;
mod observe;
mod preview;
mod reencrypt;
mod restless;
mod roster;
mod settle;
pub mod task;
mod uncounted;
mod wishes;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ensafer_core::format::roster::{LogOrder, Role};
use ensafer_core::format::{HeaderError, SealError};
use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::plan::{Conflict, Plan, ProblemClass, Subject};
use ensafer_core::safety::{Brake, History, Verdict};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::BaseTree;

pub use asleep::Asleep;
use brake::{ALLOWED, BRAKE};
pub use brake::{keep_allowed, kept_brake};
use conflicts::CONFLICTS;
pub use conflicts::{ResolveError, kept_conflicts};
pub use encrypted::{Encrypted, Fault, Seen, SeenVersion, named_id};
pub use identity::current as current_identity;
pub use kept::Kept;
use ledger::Ledger;
pub use members::{MemberChange, MembersError};
use observe::Found;
pub use preview::Preview;
use preview::expect;
use reencrypt::Reencryption;
use restless::Restless;
pub use settle::{Settled, settle};
use uncounted::Uncounted;
use wishes::DESCRIPTIONS;
pub use wishes::keep_description;

use crate::apply::{self, Outcome, Scene};
use crate::clock::Clock;
use crate::folder_keys::{FolderKeysError, OpenFolder, Vault};
use crate::folders::FolderEntry;
use crate::progress::Progress;
use crate::scan::Scan;
use crate::state::{Identity, StandingProblem, State, StateError, StateReader, StoreRecord};
use crate::store::{DirectoryStore, EncryptedStore, StoreError};
use crate::watch::{Hint, Side};
use crate::work_dir::{ENCRYPTED, WorkDir, WorkError};

/// Name under which the state keeps who writes here, so that planning needs no keys.
const AUTHOR: &str = "author";
/// Name under which the state keeps whether this account may write, for the same reason.
const MAY_PUBLISH: &str = "may-publish";
/// Name under which the state keeps whether this account is a guest, for the words of what it may not publish.
const IS_GUEST: &str = "is-guest";

/// A file that is open for writing is waited for so long (engine rule 4).
const BUSY_LIMIT: Duration = Duration::from_secs(30);

/// What failed for another reason than a change meanwhile, such as a full disk, is tried again after this long.
const RETRY_FAILED: Duration = Duration::from_secs(60);

/// How the engine behaves: from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a file must have rested before it is read (engine rule 4).
    pub settle: Duration,
    /// Whether lengths are rounded up (PADMÉ).
    pub padding: bool,
    /// Days of running after which the trash is emptied (engine rule 21).
    pub trash_days: usize,
    /// A name for this device, shown in conflict copies.
    pub device_name: String,
}

/// What a step is given from outside.
pub struct Env<'a> {
    /// Tells the time and waits.
    pub clock: &'a dyn Clock,
    /// Opens keys when they are first needed.
    pub vault: &'a dyn Vault,
    /// Set when the work is to end after the current file.
    pub cancel: &'a AtomicBool,
    /// Counts what is done.
    pub progress: &'a Progress,
}

/// A folder cannot go on as a whole. One file's trouble is a [`Problem`](ensafer_core::plan::Problem) instead.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The keys could not be opened.
    #[error(transparent)]
    Keys(#[from] FolderKeysError),
    /// The roster, or a manifest, cannot be sealed.
    #[error("the folder's member list cannot be sealed")]
    Seal(#[from] SealError),
    /// What lies in the roster's place is no header.
    #[error("the folder's member list cannot be read")]
    Header(#[from] HeaderError),
    /// This account may only read.
    #[error("this account may read the folder, and not write in it")]
    ReadOnly,
    /// The roster was never seen.
    #[error("the folder's roster has not arrived")]
    NoRoster,
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
    /// Entries of the work folder that were made, changed or moved to the trash.
    pub applied: u64,
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
    /// Whether the folder could be planned at all: its roster is there.
    pub planned: bool,
    /// Changes that could not be carried out.
    pub failed: u64,
}

impl Step {
    /// Whether both sides were seen, and nothing was left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.planned
            && self.published + self.committed == 0
            && !self.retry
            && self.look_again.is_none()
            && self.brake.is_none()
    }
}

/// One folder.
pub struct Folder {
    entry: FolderEntry,
    settings: Settings,
    identity: Identity,
    work: WorkDir,
    store: Box<dyn EncryptedStore>,
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
    restless: Restless,
    rest_longer: Option<Duration>,
    standing: HashMap<Subject, StandingProblem>,
    history: History,
    allowed: HashSet<String>,
    brake: Option<Brake>,
    descriptions: HashMap<FileId, Option<Arc<str>>>,
    today: Option<String>,
    conflicts: Vec<Conflict>,
    author: Option<Arc<str>>,
    /// Whether this account may write in the folder.
    may_publish: bool,
    /// Whether it reads by an invitation.
    is_guest: bool,
    put_back: HashSet<FileId>,
    reencryption: Option<Reencryption>,
    uncounted: Uncounted,
    /// Whether headers were read since base's records were last compared with them.
    has_read: bool,
    last_look: Timestamp,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl Folder {
    /// Opens a folder's directories and its state in `state_directory`. A new or copied state gets a new device id
    /// (engine rule 18). Nothing is read of either side yet.
    pub fn open(
        entry: FolderEntry,
        settings: Settings,
        state_directory: &Path,
        now: Timestamp,
    ) -> Result<Self, EngineError> {
        let mut state = State::open(&state_directory.join("state.redb"))?;
        let identity = identity::current(&mut state)?;
        let store = DirectoryStore::open(&entry.encrypted, identity.device)?;
        Self::with_store(entry, settings, state, identity, Box::new(store), now)
    }

    /// As [`open`](Self::open), over an encrypted folder that is opened already.
    pub(crate) fn with_store(
        entry: FolderEntry,
        settings: Settings,
        state: State,
        identity: Identity,
        store: Box<dyn EncryptedStore>,
        now: Timestamp,
    ) -> Result<Self, EngineError> {
        let work = WorkDir::open(&entry.work)?;
        work.sweep_temporaries()?;
        store.sweep(&expiry::trash_of_day(&work, now).join(ENCRYPTED))?;
        let (base, records) = state.load_base()?;
        let mut encrypted = Encrypted::default();
        encrypted.recall(&base, &records);
        let standing = state.problems()?.into_iter().map(|s| (s.problem.subject.clone(), s)).collect();
        let mut folder = Self {
            roster: roster::RosterFile::new(entry.id),
            lost_since: state.get("lost-since")?.unwrap_or_default(),
            history: state.get("history")?.unwrap_or_default(),
            allowed: state.get(ALLOWED)?.unwrap_or_default(),
            brake: state.get(BRAKE)?.flatten(),
            descriptions: state.get(DESCRIPTIONS)?.unwrap_or_default(),
            today: None,
            conflicts: state.get(CONFLICTS)?.unwrap_or_default(),
            author: state.get(AUTHOR)?,
            may_publish: state.get(MAY_PUBLISH)?.unwrap_or(true),
            is_guest: state.get(IS_GUEST)?.unwrap_or(false),
            put_back: HashSet::new(),
            reencryption: None,
            uncounted: Uncounted::load(&state)?,
            has_read: false,
            last_look: now,
            keys: None,
            scan: None,
            hints: BTreeSet::from([Hint::Everything]),
            encrypted_changed: true,
            absent_since: HashMap::new(),
            busy_since: HashMap::new(),
            restless: Restless::default(),
            rest_longer: None,
            entry,
            settings,
            identity,
            work,
            store,
            state,
            base,
            records,
            encrypted,
            standing,
        };
        folder.recall_manifests()?;
        folder.recall_groups()?;
        Ok(folder)
    }

    /// The folder's directories.
    #[must_use]
    pub const fn entry(&self) -> &FolderEntry {
        &self.entry
    }

    /// What is not in order, as of the last step.
    #[must_use]
    pub fn problems(&self) -> Vec<StandingProblem> {
        let mut problems: Vec<_> = self.standing.values().cloned().collect();
        problems.sort_by(|a, b| (a.since, &a.problem.subject).cmp(&(b.since, &b.problem.subject)));
        problems
    }

    /// This device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.identity.device
    }

    /// The last state on which both sides agreed.
    #[must_use]
    pub const fn base(&self) -> &BaseTree {
        &self.base
    }

    /// The ciphertexts that belong to base.
    #[must_use]
    pub const fn records(&self) -> &HashMap<FileId, StoreRecord> {
        &self.records
    }

    /// Looks at both sides in full at the next step.
    pub fn look_at_everything(&mut self) {
        self.hints.insert(Hint::Everything);
        self.encrypted_changed = true;
    }

    /// Looks where something may have changed at the next step.
    pub fn hint(&mut self, side: Side, hint: Hint) {
        match side {
            Side::Work => _ = self.hints.insert(hint),
            Side::Encrypted => self.encrypted_changed = true,
        }
    }

    /// Forgets the keys; they are asked for again when they are next needed.
    pub fn lock(&mut self) {
        self.keys = None;
    }

    /// Whether the keys are at hand.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether something is known to need another look.
    #[must_use]
    pub fn has_hints(&self) -> bool {
        !self.hints.is_empty() || self.encrypted_changed
    }

    /// Reads the folder's state from any thread.
    #[must_use]
    pub fn reader(&self) -> StateReader {
        self.state.reader()
    }

    /// Looks, plans, and carries out what the plan says, once.
    ///
    /// # Errors
    /// Where the folder as a whole cannot go on; one file's trouble is in [`problems`](Self::problems) instead.
    pub fn step(&mut self, env: &Env<'_>) -> Result<Step, EngineError> {
        let now = env.clock.now();
        self.last_look = now;
        self.expire_trash(now)?;
        let mut found = Found::default();
        let marker = self.check_marker()?;
        self.observe_work(now, &mut found);
        if !self.observe_encrypted(now, env, &mut found)? {
            self.remember_problems(found, now)?;
            if self.shut() == Some(ProblemClass::NotAMember) {
                self.forget_reencryption()?;
            }
            return Ok(Step { later: Some(observe::PUT_BACK_AFTER), ..Step::default() });
        }
        let plan = self.plan(now, env, &mut found)?;
        let mut step = Step {
            look_again: self.look_again(&plan, now),
            conflicts: plan.conflicts.clone(),
            planned: true,
            ..Step::default()
        };
        found.plan(&plan);
        self.remember_absences(&plan, now)?;
        let verdict = self.check_safety(&plan, marker, now)?;
        self.remember_brake(&verdict, !plan.changes.is_empty())?;
        match verdict {
            Verdict::Brake(brake) => step.brake = Some(brake),
            Verdict::Go => {
                if !marker {
                    self.write_marker(now)?;
                }
                self.carry_out(&plan, env, now, &mut step, &mut found)?;
                if step.is_settled() {
                    self.renew_records()?;
                    self.reencrypt_some(env, now, &mut step, &mut found)?;
                }
            }
        }
        let carried_out = if step.brake.is_none() { &plan.conflicts[..] } else { &[] };
        self.remember_conflicts(carried_out)?;
        self.forget_published_descriptions()?;
        self.remember_problems(found, now)?;
        let later = self.later(&plan, now);
        step.later = step.later.into_iter().chain(later).min();
        // What was given up is not done, and what was learnt meanwhile is to be looked at.
        let is_refused = self.roster.refusal.is_some();
        step.retry |= env.cancel.load(Ordering::Relaxed) || (self.encrypted_changed && !is_refused);
        // A directory that takes no roster is asked again, but not at once.
        step.later = step.later.into_iter().chain(is_refused.then_some(RETRY_FAILED)).min();
        Ok(step)
    }

    fn carry_out(
        &mut self,
        plan: &Plan,
        env: &Env<'_>,
        now: Timestamp,
        step: &mut Step,
        found: &mut Found,
    ) -> Result<(), EngineError> {
        if plan.changes.is_empty() && plan.surplus.is_empty() {
            return Ok(());
        }
        self.state.take_counters(plan.counters_used)?;
        expect(plan, env.progress);
        let planned_to_publish = self.may_publish;
        let keys = self.keys(env)?;
        if planned_to_publish != self.may_publish {
            // Planned for another role than the account has.
            step.retry = true;
            return Ok(());
        }
        let Some(scan) = self.scan.take() else { return Ok(()) };
        let tree = self.encrypted.tree(&HashSet::new());
        let stamps = self.encrypted.seen.iter().map(|(key, seen)| (key.clone(), seen.stamp)).collect();
        let records = self.encrypted.records();
        let busy_since = std::mem::take(&mut self.busy_since);
        let put_back = std::mem::take(&mut self.put_back);
        let scene = Scene {
            work: &self.work,
            store: &*self.store,
            tree: &scan.tree,
            encrypted: &tree,
            stamps: &stamps,
            records: &records,
            folder: &keys,
            put_back: &put_back,
            padding: self.settings.padding,
            now,
            read_busy: &|path| busy_since.get(path).is_some_and(|&since| now.since(since) >= BUSY_LIMIT),
            cancel: env.cancel,
            progress: env.progress,
        };
        let mut ledger = Ledger {
            state: &mut self.state,
            base: &mut self.base,
            records: &mut self.records,
            encrypted: &mut self.encrypted,
            device: self.identity.device,
            clock: env.clock,
            committed: 0,
            failed: None,
        };
        ledger.adopt(apply::adopt(plan, &scene));
        let mut outcome = Outcome::default();
        apply::publish(plan, &scene, &mut outcome, &mut |outcome| ledger.take(outcome));
        apply::change_work(plan, &scene, &mut outcome, &mut |outcome| ledger.take(outcome));
        step.published = outcome.published.len() as u64;
        step.committed = ledger.committed;
        step.applied = outcome.applied;
        let failed = ledger.failed.take();
        self.busy_since = busy_since;
        self.settle_failures(&outcome, now, step, found);
        // What was scanned is out of date where something was changed, and absences must not be read from it.
        if plan.changes.iter().any(|change| change.work.is_some()) {
            self.hints.insert(Hint::Everything);
        }
        self.scan = Some(scan);
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn settle_failures(&mut self, outcome: &Outcome, now: Timestamp, step: &mut Step, found: &mut Found) {
        let mut busy = HashMap::new();
        for failure in &outcome.failures {
            match (failure.problem(), &failure.subject) {
                (_, Subject::Path(path)) if failure.busy => {
                    let since = self.busy_since.get(path).copied().unwrap_or(now);
                    busy.insert(path.clone(), since);
                    step.retry = true;
                }
                (Some(problem), subject) => {
                    let mut stamp = None;
                    if let Subject::Object(key) = subject {
                        self.encrypted.mark_faulty(key, problem.class, &problem.detail);
                        stamp = self.encrypted.seen.get(key).map(|seen| seen.stamp);
                    }
                    step.failed += 1;
                    step.later = Some(RETRY_FAILED);
                    found.problems.push((problem, stamp));
                }
                (None, _) => {
                    step.retry = true;
                    self.hints.insert(Hint::Everything);
                    self.encrypted_changed = true;
                }
            }
        }
        self.busy_since = busy;
    }

    /// Opens the folder's keys, once.
    fn keys(&mut self, env: &Env<'_>) -> Result<Arc<OpenFolder>, EngineError> {
        if let Some(keys) = &self.keys {
            return Ok(keys.clone());
        }
        let Some(roster) = self.state.roster()? else { return Err(EngineError::NoRoster) };
        let name = &self.settings.device_name;
        let keys = OpenFolder::open(&roster, env.vault, &self.identity, name, None)?;
        let keys = Arc::new(keys);
        self.set_keys(keys.clone())?;
        Ok(keys)
    }

    fn set_keys(&mut self, keys: Arc<OpenFolder>) -> Result<(), EngineError> {
        if self.author.as_ref() != Some(&keys.author) {
            self.state.put(AUTHOR, &keys.author)?;
            self.author = Some(keys.author.clone());
        }
        let may_publish = keys.role() >= Role::Writer;
        if self.may_publish != may_publish {
            self.state.put(MAY_PUBLISH, &may_publish)?;
            self.may_publish = may_publish;
        }
        if !may_publish {
            self.forget_reencryption()?;
        }
        if self.is_guest != keys.is_guest() {
            self.state.put(IS_GUEST, &keys.is_guest())?;
            self.is_guest = keys.is_guest();
        }
        let is_same = |known: &OpenFolder| known.roster().compare(keys.roster()) == LogOrder::Same;
        if !self.keys.as_deref().is_some_and(is_same) {
            self.encrypted.forget_judgements(&self.records);
            self.uncounted.is_due = true;
        }
        self.name_manifests(keys.roster().state())?;
        self.name_groups(keys.roster().state())?;
        self.keys = Some(keys);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
