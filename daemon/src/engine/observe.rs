//! Looking at both sides, and what is remembered of it until the next look.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ensafer_core::clock::Dot;
use ensafer_core::crypto::{Random, SystemRandom};
use ensafer_core::format::DAMAGED_AFTER;
use ensafer_core::ids::FileId;
use ensafer_core::plan::{Plan, Problem, ProblemClass, Subject};
use ensafer_core::reconcile::{Ids, Policy, reconcile};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{EncryptedTree, NodeId, NodeKind, StoreKey};
use rayon::prelude::*;

use super::encrypted::read_headers;
use super::{EngineError, Env, Folder, Seen, SeenVersion, identity};
use crate::membership::Membership;
use crate::scan::{Scan, ScanOptions, hash_file, rescan, scan};
use crate::state::{BaseRecord, StandingProblem};
use crate::store::{Listing, StoreStamp};
use crate::watch::Hint;
use crate::work_dir::{Marker, WorkDir, WorkError};

/// What vanished or was rolled back is published again after this long, in a second complete look (engine rule 19).
pub const PUT_BACK_AFTER: Duration = Duration::from_secs(10 * 60);

/// What one step found not to be in order.
#[derive(Debug, Default)]
pub struct Found {
    /// Problems, with the ciphertext's stamp where they are about one.
    pub problems: Vec<(Problem, Option<StoreStamp>)>,
}

impl Found {
    /// Adds what a plan found.
    pub fn plan(&mut self, plan: &Plan) {
        self.problems.extend(plan.problems.iter().map(|problem| (problem.clone(), None)));
    }
}

impl Folder {
    /// Whether the work folder is the one that was added, with its marker.
    pub(super) fn check_marker(&self) -> Result<bool, EngineError> {
        if !self.work.is_in_place() {
            return Err(WorkError::Missing { path: self.entry.work.to_string_lossy().into_owned() }.into());
        }
        match self.work.read_marker() {
            Ok(marker) => Ok(marker.is_some_and(|marker| marker.folder_id == self.entry.id)),
            // As good as gone: the brake asks.
            Err(WorkError::Io { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Marks the work folder as this folder's, after the user has said to go on without a marker.
    pub(super) fn write_marker(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let marker = Marker { folder_id: self.entry.id, device_id: self.identity.device, made: now };
        Ok(self.work.write_marker(&marker)?)
    }

    /// Scans the work folder where hints say so.
    pub(super) fn observe_work(&mut self, now: Timestamp, found: &mut Found) {
        let (folding, keeps_modes) = (self.work.folding(), self.work.keeps_modes());
        let options = ScanOptions { now, settle: self.settings.settle, folding, keeps_modes };
        let hints = std::mem::take(&mut self.hints);
        let mut scanned = match self.scan.take() {
            Some(previous) if !hints.contains(&Hint::Everything) => {
                rescan(&self.work, &previous, &hints, options)
            }
            previous => scan(&self.work, previous.as_ref(), options),
        };
        self.rest_longer = self.restless.judge(&mut scanned.tree, now);
        found.problems.extend(scanned.problems.iter().map(|problem| (problem.clone(), None)));
        self.scan = Some(scanned);
    }

    /// Lists the encrypted folder and reads what changed. Returns whether the roster is there and accepted.
    pub(super) fn observe_encrypted(
        &mut self,
        now: Timestamp,
        env: &Env<'_>,
        found: &mut Found,
    ) -> Result<bool, EngineError> {
        // What is published again must be missing or damaged now, not only when it was last listed.
        let mut can_sync = true;
        if self.encrypted_changed || self.is_something_due(now) {
            self.encrypted_changed = false;
            self.roster.refusal = None;
            let read = self.read_encrypted(now, env);
            // What was not read has to be, before anything counts as observed.
            self.encrypted_changed |= !matches!(read, Ok(true));
            can_sync = read?;
        }
        found.problems.extend(self.roster.problems());
        found.problems.extend(self.encrypted.problems(&self.standing, now));
        if can_sync {
            self.judge_own_versions()?;
            found.problems.extend(self.uncounted_problems());
        }
        Ok(can_sync)
    }

    /// Lists the encrypted folder, sees to what the folder says of itself, and reads what changed. Returns whether the
    /// roster is there and accepted.
    fn read_encrypted(&mut self, now: Timestamp, env: &Env<'_>) -> Result<bool, EngineError> {
        let listing = self.store.list()?;
        self.observe_groups(&listing, env, now);
        if !self.observe_roster(&listing, env, now)? {
            return Ok(false);
        }
        self.take_in_roster_copies(&listing, env, now)?;
        self.take_in_group_copies(&listing, env, now)?;
        self.learn_groups(&listing, env, now)?;
        self.put_groups(env, now)?;
        self.tend_manifests(&listing, env, now)?;
        // What was published meanwhile may have shut out this account itself.
        if self.shut().is_some() {
            return Ok(false);
        }
        let read = self.read_changed(&listing, env)?;
        self.renew_used_identity(&read)?;
        self.encrypted.update(listing, &self.roster, read);
        Ok(true)
    }

    /// Reads the headers of what is new or changed in `listing`, or counts under another roster than before.
    fn read_changed(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
    ) -> Result<Vec<(StoreKey, Seen)>, EngineError> {
        if self.roster.manifests.note(listing) {
            self.encrypted.forget_former_members();
            self.uncounted.is_due = true;
        }
        if self.encrypted.unread(listing, &self.roster).is_empty() {
            return Ok(Vec::new());
        }
        // With the keys come the manifests' names.
        let keys = self.keys(env)?;
        let unread = self.encrypted.unread(listing, &self.roster);
        let membership = Membership::new(&keys, &*self.store);
        self.has_read = true;
        Ok(read_headers(&*self.store, &membership, &self.records, unread))
    }

    /// Takes into base the files that say what base has in other bytes, as whoever encrypts anew writes them: else every
    /// start would read them once more.
    pub(super) fn renew_records(&mut self) -> Result<(), EngineError> {
        if !std::mem::take(&mut self.has_read) {
            return Ok(());
        }
        let renewed = |seen: &Seen| {
            let SeenVersion { object, record } = seen.result.as_ref().ok()?;
            let base = self.base.entries.get(&object.id)?;
            // To the word: base's own words must never stand for the file's.
            let says_the_same = base.object == *object;
            let is_renewed = record.key.is_own_of(object.id) && self.records.get(&object.id) != Some(record);
            (says_the_same && is_renewed).then(|| BaseRecord {
                object: base.object.clone(),
                work: base.work,
                store: Some(record.clone()),
            })
        };
        let records: Vec<BaseRecord> = self.encrypted.seen.values().filter_map(renewed).collect();
        self.state.commit(&records, &[])?;
        self.records.extend(records.into_iter().filter_map(|record| Some((record.object.id, record.store?))));
        Ok(())
    }

    /// Whether something has been missing or damaged for so long that it may be published again.
    fn is_something_due(&self, now: Timestamp) -> bool {
        let is_long_lost = |since: &Timestamp| now.since(*since) >= PUT_BACK_AFTER;
        self.lost_since.values().any(is_long_lost)
            || (self.may_publish && self.roster.groups.is_due(now))
            || (self.may_publish && self.roster.manifests.due(&self.standing).any(|due| due <= now))
            || self.encrypted.problems(&self.standing, now).iter().any(|(problem, _)| {
                problem.class == ProblemClass::Damaged
                    && self.encrypted.healable(&problem.subject, &self.base).is_some()
            })
    }

    /// Events of this device that it does not know were made by a copy of its state, which was restored or runs
    /// elsewhere: from now on this is another device (engine rule 18).
    fn renew_used_identity(&mut self, read: &[(StoreKey, Seen)]) -> Result<(), EngineError> {
        let device = self.identity.device;
        let newest =
            read.iter().filter_map(|(_, seen)| Some(seen.result.as_ref().ok()?.object.clock.get(device)));
        if newest.max().is_some_and(|counter| counter >= self.state.next_counter()) {
            tracing::warn!("the state was restored or copied; this becomes a new device");
            self.identity = identity::renew(&mut self.state, identity::machine_id())?;
            self.keys = None;
        }
        Ok(())
    }

    /// Reconciles, hashing what reconcile asks for until it asks no more.
    pub(super) fn plan(
        &mut self,
        now: Timestamp,
        env: &Env<'_>,
        found: &mut Found,
    ) -> Result<Plan, EngineError> {
        let never = AtomicBool::new(false);
        Ok(self.plan_unless(now, env, found, &never)?.unwrap_or_default())
    }

    /// As [`plan`](Self::plan), until `cancelled`: then there is none.
    pub(super) fn plan_unless(
        &mut self,
        now: Timestamp,
        env: &Env<'_>,
        found: &mut Found,
        cancelled: &AtomicBool,
    ) -> Result<Option<Plan>, EngineError> {
        let encrypted = self.encrypted.tree(&self.encrypted.given_up(&found.problems));
        self.put_back = self.to_be_published_again(now, &found.problems);
        if self.author.is_none() {
            self.keys(env)?;
        }
        loop {
            let (plan, needs_keys) = self.reconcile(now, &encrypted);
            if needs_keys {
                self.keys(env)?;
                continue;
            }
            let Some(scanned) = &mut self.scan else { return Ok(Some(plan)) };
            if plan.hash.is_empty() {
                return Ok(Some(plan));
            }
            hash_nodes(&self.work, scanned, &plan.hash, found, cancelled);
            if cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
    }

    /// Reconciles once. The ids of conflict copies need keys; where they are not open, that is said instead.
    fn reconcile(&self, now: Timestamp, encrypted: &EncryptedTree) -> (Plan, bool) {
        let Some(scanned) = &self.scan else { return (Plan::default(), false) };
        let policy = Policy {
            root: self.entry.id.root(),
            device: self.identity.device,
            may_publish: self.may_publish,
            author: self.author.clone().unwrap_or_default(),
            now,
            next_counter: self.state.next_counter(),
            folding: self.work.folding(),
            stable_inodes: self.work.stable_inodes(),
            settle: self.settings.settle,
            absent_since: &self.absent_since,
            republish: &self.put_back,
            descriptions: &self.descriptions,
        };
        let needs_keys = Cell::new(false);
        let copy = |file: FileId, losing: Dot| match &self.keys {
            Some(keys) => keys.copy_id(file, losing),
            None => {
                needs_keys.set(true);
                file
            }
        };
        let mut ids = Ids { fresh: &mut || FileId::new(SystemRandom.array()), copy: &copy };
        let mut plan = reconcile(&self.base, &scanned.tree, encrypted, &policy, &mut ids);
        if self.is_guest {
            let own = plan.problems.iter_mut().filter(|problem| problem.class == ProblemClass::ReadOnly);
            own.for_each(|problem| problem.class = ProblemClass::NotYetAMember);
        }
        (plan, needs_keys.get())
    }

    /// Objects whose loss or damage has stood long enough (engine rules 5, 9 and 19).
    fn to_be_published_again(
        &self,
        now: Timestamp,
        problems: &[(Problem, Option<StoreStamp>)],
    ) -> HashSet<FileId> {
        let is_long_lost = |since: &Timestamp| self.encrypted.complete && now.since(*since) >= PUT_BACK_AFTER;
        let lost = self.lost_since.iter().filter(|(_, since)| is_long_lost(since)).map(|(&id, _)| id);
        let damaged = problems
            .iter()
            .filter(|(problem, _)| problem.class == ProblemClass::Damaged)
            .filter_map(|(problem, _)| self.encrypted.healable(&problem.subject, &self.base));
        lost.chain(damaged).filter(|id| self.base.entries.contains_key(id)).collect()
    }

    /// Remembers since when entries are absent and objects lost.
    pub(super) fn remember_absences(&mut self, plan: &Plan, now: Timestamp) -> Result<(), EngineError> {
        self.absent_since = since(&self.absent_since, &plan.absent, now);
        if !self.absent_since.is_empty() {
            // The second observation must be one, and not what is remembered of the first.
            self.hints.insert(Hint::Everything);
        }
        let mut lost = since(&self.lost_since, &plan.lost, now);
        // What is about to be published again stays lost until it has been: a brake may hold the plan up.
        let awaited =
            plan.changes.iter().filter(|change| change.publish.is_some()).map(|change| change.target.id);
        lost.extend(awaited.filter_map(|id| Some((id, *self.lost_since.get(&id)?))));
        if lost != self.lost_since {
            self.state.put("lost-since", &lost)?;
            self.lost_since = lost;
        }
        Ok(())
    }

    /// Remembers that the folder's members keep it from being synced here, beside what else is not in order.
    pub(super) fn remember_shut(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let Some((problem, stamp)) = self.roster.problem.clone().filter(|(problem, _)| problem.class.shuts())
        else {
            return Ok(());
        };
        let known = self.standing.get(&problem.subject).filter(|known| known.problem == problem);
        if known.is_none() {
            let standing = StandingProblem { problem, since: now, stamp };
            self.standing.insert(standing.problem.subject.clone(), standing);
            let list = self.problems();
            self.state.set_problems(&list)?;
        }
        Ok(())
    }

    /// Remembers what is not in order, and since when.
    pub(super) fn remember_problems(&mut self, found: Found, now: Timestamp) -> Result<(), EngineError> {
        let mut standing: HashMap<Subject, StandingProblem> = HashMap::with_capacity(found.problems.len());
        for (problem, stamp) in found.problems {
            let known = self.standing.get(&problem.subject).filter(|known| known.stamp == stamp);
            let since = known.map_or(now, |known| known.since);
            standing.entry(problem.subject.clone()).or_insert(StandingProblem { problem, since, stamp });
        }
        if standing != self.standing {
            self.standing = standing;
            let list = self.problems();
            self.state.set_problems(&list)?;
        }
        Ok(())
    }

    /// How soon something that was not ready may be.
    pub(super) fn look_again(&self, plan: &Plan, now: Timestamp) -> Option<Duration> {
        let rested = self.scan.as_ref().and_then(|scan| scan.restless).map(|at| at.since(now));
        [plan.look_again, rested, self.rest_longer].into_iter().flatten().min()
    }

    /// How soon something lost is published again, or something that arrives is damaged.
    pub(super) fn later(&self, plan: &Plan, now: Timestamp) -> Option<Duration> {
        let lost =
            plan.lost.iter().filter_map(|id| self.lost_since.get(id)).map(|since| since.plus(PUT_BACK_AFTER));
        let arriving = self.standing.values().filter(|s| s.problem.class == ProblemClass::StillArriving);
        let arriving = arriving.map(|standing| standing.since.plus(DAMAGED_AFTER));
        let of_the_roster = self.roster.groups.due().chain(self.roster.manifests.due(&self.standing));
        let due = lost.chain(arriving).chain(of_the_roster).filter(|due| *due > now).min()?;
        Some(due.since(now))
    }
}

/// Since when each of `now_seen` has been seen without a break.
fn since(
    before: &HashMap<FileId, Timestamp>,
    now_seen: &[FileId],
    now: Timestamp,
) -> HashMap<FileId, Timestamp> {
    now_seen.iter().map(|id| (*id, before.get(id).copied().unwrap_or(now))).collect()
}

/// Hashes `nodes` on all cores, until `cancelled`: no file is begun then. What changed meanwhile has not rested; what
/// cannot be read is unknown and a problem.
fn hash_nodes(
    work: &WorkDir,
    scanned: &mut Scan,
    nodes: &[NodeId],
    found: &mut Found,
    cancelled: &AtomicBool,
) {
    let tree = &scanned.tree;
    let results: Vec<_> = nodes
        .par_iter()
        .filter(|_| !cancelled.load(Ordering::Relaxed))
        .map(|&id| (id, tree.path(id), hash_file(work, &tree.path(id), &tree.node(id).stamp)))
        .collect();
    for (id, path, result) in results {
        let node = &mut scanned.tree.nodes[id.0 as usize];
        match result {
            Ok(digest) => node.digest = Some(digest),
            Err(error) => {
                node.rested = false;
                if let Some(class) = error.class() {
                    node.kind = NodeKind::Unknown;
                    let detail = error.to_string();
                    found.problems.push((Problem { class, subject: Subject::Path(path), detail }, None));
                }
            }
        }
    }
}
