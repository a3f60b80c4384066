//! What the encrypted folder holds: headers read once, and again only when a file's stamp changes (engine rule 5).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ensafer_core::format::header::{self, HeaderError};
use ensafer_core::format::names::{StoreName, parse_store_name};
use ensafer_core::ids::FileId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{EncryptedTree, Object, StoreKey, Version};
use rayon::prelude::*;

use crate::folder_keys::OpenFolder;
use crate::state::{StandingProblem, StoreRecord};
use crate::store::{EncryptedStore, Listing, StoreError, StoreStamp};

/// Bytes read of a file at first: most headers fit.
const FIRST_READ_BYTES: usize = 4096;

/// A file that is whole by its length but does not verify is damaged when nothing changed for this long.
const DAMAGED_AFTER: Duration = Duration::from_secs(10 * 60);

/// A file that is too short is damaged when nothing changed for this long.
const SHORT_DAMAGED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// Details for people.
    pub detail: String,
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
    /// What base remembers: files that need not be read again as long as their stamps are the same.
    pub fn from_records<'r>(records: impl Iterator<Item = (&'r Arc<Object>, &'r StoreRecord)>) -> Self {
        let seen = records
            .map(|(object, record)| {
                let version = SeenVersion { object: object.clone(), record: record.clone() };
                (record.key.clone(), Seen { stamp: record.stamp, result: Ok(version) })
            })
            .collect();
        Self { seen, ..Self::default() }
    }

    /// The files of `listing` whose headers have to be read: new or changed.
    pub fn unread(&self, listing: &Listing, roster: &StoreKey) -> Vec<(StoreKey, StoreStamp)> {
        listing
            .objects
            .iter()
            .filter(|listed| listed.key != *roster)
            .filter(|listed| self.seen.get(&listed.key).is_none_or(|seen| seen.stamp != listed.stamp))
            .map(|listed| (listed.key.clone(), listed.stamp))
            .collect()
    }

    /// Takes over a listing and the headers that were read for it.
    pub fn update(&mut self, listing: Listing, roster: &StoreKey, read: Vec<(StoreKey, Seen)>) {
        let mut seen = HashMap::with_capacity(listing.objects.len());
        for listed in &listing.objects {
            if listed.key != *roster
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

    /// The tree for reconcile, the stamps and the records of all files.
    pub fn tree(&self) -> EncryptedTree {
        let mut tree = EncryptedTree { complete: self.complete, ..EncryptedTree::default() };
        for (key, seen) in &self.seen {
            match &seen.result {
                Ok(version) => {
                    let versions = tree.versions.entry(version.object.id).or_insert_with(|| Vec::with_capacity(1));
                    versions.push(Version { object: version.object.clone(), key: key.clone() });
                }
                Err(Fault { id: Some(id), .. }) => {
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
    pub fn problems(&self, standing: &HashMap<Subject, StandingProblem>, now: Timestamp) -> Vec<(Problem, Option<StoreStamp>)> {
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

    /// A payload turned out not to verify: its object is unknown until the file changes.
    pub fn mark_faulty(&mut self, key: &StoreKey, class: ProblemClass, detail: &str) {
        if let Some(seen) = self.seen.get_mut(key) {
            let id = seen.result.as_ref().map_or_else(|fault| fault.id, |version| Some(version.object.id));
            seen.result = Err(Fault { id, class, is_full_length: true, detail: detail.into() });
        }
    }
}

/// The class of a fault that has stood for `age`.
fn aged(fault: &Fault, age: Duration) -> ProblemClass {
    let limit = if fault.is_full_length { DAMAGED_AFTER } else { SHORT_DAMAGED_AFTER };
    match fault.class {
        ProblemClass::StillArriving if age >= limit => ProblemClass::Damaged,
        class => class,
    }
}

/// Reads and verifies the headers of `files`, on all cores.
pub fn read_headers(
    store: &dyn EncryptedStore,
    folder: &OpenFolder,
    files: Vec<(StoreKey, StoreStamp)>,
) -> Vec<(StoreKey, Seen)> {
    files
        .into_par_iter()
        .filter_map(|(key, stamp)| {
            let result = match read_version(store, folder, &key, stamp) {
                Ok(version) => Ok(version),
                Err(ReadFailure::Gone) => return None,
                Err(ReadFailure::Fault(fault)) => Err(fault),
            };
            Some((key, Seen { stamp, result }))
        })
        .collect()
}

enum ReadFailure {
    Gone,
    Fault(Fault),
}
