//! What the encrypted folder holds: headers read once, and again only when a file's stamp changes (engine rule 5).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ensafer_core::format::{HeaderError, ObjectKind, StoreName, grace, open_header, parse_store_name};
use ensafer_core::ids::FileId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseTree, EncryptedTree, Object, StoreKey, Version};
use rayon::prelude::*;

use super::roster::RosterFile;
use crate::membership::Membership;
use crate::payload::read_head;
use crate::state::{StandingProblem, StoreRecord};
use crate::store::{EncryptedStore, Listing, StoreError, StoreStamp};

/// What is known of one file of the encrypted folder.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its stamp when it was read.
    pub stamp: StoreStamp,
    /// What its header says, or why it says nothing.
    pub result: Result<SeenVersion, Fault>,
}

/// A readable, verified header.
#[derive(Debug, Clone)]
pub struct SeenVersion {
    /// What its statement says.
    pub object: Arc<Object>,
    /// What base would remember of it.
    pub record: StoreRecord,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The object that it probably is, by its name.
    pub id: Option<FileId>,
    /// The class, before waiting makes "still arriving" into "damaged".
    pub class: ProblemClass,
    /// Whether the file has the length that its header asks for.
    pub is_full_length: bool,
    /// What it says, where its header could be verified all the same: its writer is waited for (engine rule 19).
    pub said: Option<Arc<Object>>,
    /// Whether it is by somebody who may not write: then it says nothing about its object, now or later.
    pub is_refused: bool,
    /// Details for people.
    pub detail: String,
}

impl Fault {
    /// Whether it may be none under another roster.
    fn depends_on_roster(&self) -> bool {
        matches!(
            self.class,
            ProblemClass::UnknownSigner | ProblemClass::FormerMember | ProblemClass::NotARecipient
        )
    }
}

/// The encrypted folder's files as last seen.
#[derive(Debug, Default)]
pub struct Encrypted {
    /// By name.
    pub seen: HashMap<StoreKey, Seen>,
    /// Whether the last listing ended without an error.
    pub complete: bool,
    /// Trouble with the listing itself.
    pub listing_problems: Vec<Problem>,
}

impl Encrypted {
    /// Takes in what base remembers of files about which nothing else is known: they need not be read again as long as their
    /// stamps are the same. Some may be gone: the next listing tells.
    pub fn recall(&mut self, base: &BaseTree, records: &HashMap<FileId, StoreRecord>) {
        for (id, record) in records {
            let Some(known) = base.entries.get(id) else { continue };
            self.seen.entry(record.key.clone()).or_insert_with(|| {
                let version = SeenVersion { object: known.object.clone(), record: record.clone() };
                Seen { stamp: record.stamp, result: Ok(version) }
            });
        }
    }

    /// Forgets what [`recall`](Self::recall) brings back as it is.
    pub fn forget_known(&mut self, base: &BaseTree, records: &HashMap<FileId, StoreRecord>) {
        self.seen.retain(|_, seen| {
            let Ok(SeenVersion { object, record }) = &seen.result else { return true };
            let known = base.entries.get(&object.id);
            known.is_none_or(|known| known.object != *object)
                || records.get(&object.id) != Some(record)
                || record.stamp != seen.stamp
        });
        self.seen.shrink_to_fit();
    }

    /// The files of `listing` whose headers have to be read: new or changed.
    pub fn unread(&self, listing: &Listing, own: &RosterFile) -> Vec<(StoreKey, StoreStamp)> {
        listing
            .objects
            .iter()
            .filter(|listed| !own.is_own(&listed.key))
            .filter(|listed| self.seen.get(&listed.key).is_none_or(|seen| seen.stamp != listed.stamp))
            .map(|listed| (listed.key.clone(), listed.stamp))
            .collect()
    }

    /// Takes over a listing and the headers that were read for it.
    pub fn update(&mut self, listing: Listing, own: &RosterFile, read: Vec<(StoreKey, Seen)>) {
        let mut seen = HashMap::with_capacity(listing.objects.len());
        for listed in &listing.objects {
            if !own.is_own(&listed.key)
                && let Some((key, known)) = self.seen.remove_entry(&listed.key)
            {
                seen.insert(key, known);
            }
        }
        seen.extend(read);
        self.seen = seen;
        self.complete = listing.complete;
        self.listing_problems = listing.problems;
    }

    /// Forgets what another roster may say otherwise: versions that base does not have, and those that did not count.
    pub fn forget_judgements(&mut self, records: &HashMap<FileId, StoreRecord>) {
        self.seen.retain(|_, seen| match &seen.result {
            Ok(version) => records.get(&version.object.id) == Some(&version.record),
            Err(fault) => !fault.depends_on_roster(),
        });
    }

    /// Forgets what a manifest may say otherwise.
    pub fn forget_former_members(&mut self) {
        let is_refused =
            |fault: &Fault| matches!(fault.class, ProblemClass::FormerMember | ProblemClass::UnknownSigner);
        self.seen.retain(|_, seen| !seen.result.as_ref().is_err_and(is_refused));
    }

    /// The tree for reconcile. Files in `given_up` no longer make their objects unknown.
    pub fn tree(&self, given_up: &HashSet<StoreKey>) -> EncryptedTree {
        let mut tree = EncryptedTree { complete: self.complete, ..EncryptedTree::default() };
        for (key, seen) in &self.seen {
            match &seen.result {
                Ok(version) => {
                    let versions =
                        tree.versions.entry(version.object.id).or_insert_with(|| Vec::with_capacity(1));
                    versions.push(Version { object: version.object.clone(), key: key.clone() });
                }
                Err(Fault { id: Some(id), is_refused: false, .. }) if !given_up.contains(key) => {
                    tree.unknown.insert(*id);
                }
                Err(_) => {}
            }
        }
        for versions in tree.versions.values_mut() {
            versions.sort_by(|a, b| a.key.cmp(&b.key));
        }
        tree
    }

    /// What is not in order. `standing` says since when; it makes "still arriving" into "damaged".
    pub fn problems(
        &self,
        standing: &HashMap<Subject, StandingProblem>,
        now: Timestamp,
    ) -> Vec<(Problem, Option<StoreStamp>)> {
        let faults = self.seen.iter().filter_map(|(key, seen)| {
            let fault = seen.result.as_ref().err()?;
            let subject = Subject::Object(key.clone());
            let since = standing
                .get(&subject)
                .filter(|standing| standing.stamp == Some(seen.stamp))
                .map_or(now, |standing| standing.since);
            let class = aged(fault, now.since(since));
            Some((Problem { class, subject, detail: fault.detail.clone() }, Some(seen.stamp)))
        });
        let listing = self.listing_problems.iter().map(|problem| (problem.clone(), None));
        faults.chain(listing).collect()
    }

    /// The records of all readable files.
    pub fn records(&self) -> HashMap<StoreKey, StoreRecord> {
        let readable = self.seen.values().filter_map(|seen| seen.result.as_ref().ok());
        readable.map(|version| (version.record.key.clone(), version.record.clone())).collect()
    }

    /// The object that base may be published again for, because its own file is damaged and says nothing that base has
    /// not seen (engine rule 19).
    pub fn healable(&self, subject: &Subject, base: &BaseTree) -> Option<FileId> {
        let Subject::Object(key) = subject else { return None };
        let fault = self.seen.get(key)?.result.as_ref().err()?;
        let id = fault.id.filter(|id| key.is_own_of(*id))?;
        let known = base.entries.get(&id)?;
        let is_news = fault.said.as_ref().is_some_and(|said| !known.object.clock.dominates(&said.clock));
        (!is_news).then_some(id)
    }

    /// Files that a cloud client made as copies and that are damaged. They stay, as problems, but nothing waits for
    /// them any more.
    pub fn given_up(&self, problems: &[(Problem, Option<StoreStamp>)]) -> HashSet<StoreKey> {
        let damaged = problems.iter().filter(|(problem, _)| problem.class == ProblemClass::Damaged);
        let keys = damaged.filter_map(|(problem, _)| match &problem.subject {
            Subject::Object(key) => Some(key),
            Subject::Path(_) => None,
        });
        let is_copy = |key: &&StoreKey| {
            let fault = self.seen.get(*key).and_then(|seen| seen.result.as_ref().err());
            fault.is_some_and(|fault| fault.id.is_some_and(|id| !key.is_own_of(id)))
        };
        keys.filter(is_copy).cloned().collect()
    }

    /// A payload turned out not to verify: its object is unknown until the file changes.
    pub fn mark_faulty(&mut self, key: &StoreKey, class: ProblemClass, detail: &str) {
        if let Some(seen) = self.seen.get_mut(key) {
            let (id, said) = match &seen.result {
                Ok(version) => (Some(version.object.id), Some(version.object.clone())),
                Err(fault) => (fault.id, fault.said.clone()),
            };
            let (is_full_length, is_refused) = (true, false);
            seen.result = Err(Fault { id, class, is_full_length, said, is_refused, detail: detail.into() });
        }
    }
}

/// The class of a fault that has stood for `age`.
fn aged(fault: &Fault, age: Duration) -> ProblemClass {
    match fault.class {
        ProblemClass::StillArriving if age >= grace(fault.is_full_length) => ProblemClass::Damaged,
        class => class,
    }
}

/// Reads and verifies the headers of `files`, on all cores. `records` are of the versions that counted before.
pub fn read_headers(
    store: &dyn EncryptedStore,
    membership: &Membership<'_>,
    records: &HashMap<FileId, StoreRecord>,
    files: Vec<(StoreKey, StoreStamp)>,
) -> Vec<(StoreKey, Seen)> {
    files
        .into_par_iter()
        .filter_map(|(key, stamp)| {
            let result = match read_version(store, membership, records, &key, stamp) {
                Ok(version) => Ok(version),
                Err(ReadFailure::Gone) => return None,
                Err(ReadFailure::Fault(fault)) => Err(fault),
            };
            Some((key, Seen { stamp, result }))
        })
        .collect()
}

enum ReadFailure {
    /// It is not there any more.
    Gone,
    Fault(Fault),
}

fn read_version(
    store: &dyn EncryptedStore,
    membership: &Membership<'_>,
    records: &HashMap<FileId, StoreRecord>,
    key: &StoreKey,
    stamp: StoreStamp,
) -> Result<SeenVersion, ReadFailure> {
    let (id, folder) = (named_id(key), membership.folder());
    let fault = |class, is_full_length, detail: String| {
        let is_refused = class == ProblemClass::FormerMember;
        ReadFailure::Fault(Fault { id, class, is_full_length, said: None, is_refused, detail })
    };
    let refused = |error: StoreError| match error {
        StoreError::Missing { .. } => ReadFailure::Gone,
        StoreError::Denied { .. } => fault(ProblemClass::Unreadable, true, error.to_string()),
        _ => fault(ProblemClass::StillArriving, true, error.to_string()),
    };
    let file = store.open(key).map_err(refused)?;
    let bytes = read_head(&*file, stamp.length).map_err(refused)?;
    let header = open_header(&bytes, &folder.source()).map_err(|error| match error {
        HeaderError::TooShort { .. } => fault(ProblemClass::StillArriving, false, String::new()),
        HeaderError::NotEnsafer => fault(ProblemClass::StillArriving, false, error.to_string()),
        // Damaged only after it has stayed so for a while: a cloud client may write a file's blocks in any order.
        HeaderError::Unauthentic => fault(ProblemClass::StillArriving, true, error.to_string()),
        _ => fault(error.class_when(true), true, error.to_string()),
    })?;
    if id.is_some_and(|id| id != header.prefix.file_id) {
        return Err(fault(
            ProblemClass::Misnamed,
            true,
            format!("holds the object {}", header.prefix.file_id),
        ));
    }
    let author = folder.author_of(&header.statement);
    let known = records.get(&header.prefix.file_id).map(|record| record.statement);
    membership.judge(&header, known).map_err(|class| fault(class, true, String::new()))?;
    if header.prefix.roster {
        return Err(fault(ProblemClass::Inconsistent, true, "a copy of the roster".into()));
    }
    if header.statement.kind == ObjectKind::Manifest {
        // The roster that names it comes after it.
        return Err(fault(ProblemClass::StillArriving, true, "a list that no roster names".into()));
    }
    let Some(object) = header.statement.to_object(header.prefix.file_id, author).map(Arc::new) else {
        return Err(fault(ProblemClass::NewerVersion, true, String::new()));
    };
    if stamp.length != header.total_len {
        let is_full_length = stamp.length > header.total_len;
        let class = ProblemClass::StillArriving;
        let said = Some(object);
        let (is_refused, detail) = (false, String::new());
        return Err(ReadFailure::Fault(Fault { id, class, is_full_length, said, is_refused, detail }));
    }
    let record = StoreRecord {
        key: key.clone(),
        stamp,
        key_epoch: header.prefix.key_epoch,
        statement: header.statement_hash,
    };
    Ok(SeenVersion { object, record })
}

/// The object that a file's name names, be it a copy that a cloud client made.
pub fn named_id(key: &StoreKey) -> Option<FileId> {
    let name = key.0.rsplit('/').next().unwrap_or_default();
    match parse_store_name(name) {
        StoreName::Object(id) => Some(id),
        StoreName::Copy(id) => id,
        _ => None,
    }
}
