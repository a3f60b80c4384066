//! Manifests beside the roster: kept, and put back where they are gone or damaged (`docs/format.md`, "Manifests"; engine
//! rule 19).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ensafer_core::format::roster::RosterState;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::groups::stamp_of;
use super::members::write_object;
use super::observe::PUT_BACK_AFTER;
use super::{EngineError, Env, Folder};
use crate::membership::{MAX_MANIFEST_FILE_BYTES, manifest_key, open_manifest, read_bounded};
use crate::state::StandingProblem;
use crate::store::{Listing, StoreStamp};

/// Name under which the state keeps which manifests the accepted roster names, and whether their entries count.
const MANIFESTS: &str = "manifest-files";
/// Longest manifest that a device keeps to put it back: some 80,000 versions.
const MAX_KEPT_BYTES: usize = 4 << 20;
/// What people are told that it is.
const DETAIL: &str = "the list of what somebody had written who may not write any more";

/// The files of the manifests that the roster names.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    files: HashMap<StoreKey, ManifestFile>,
    /// What is not in order with them, as of the last look.
    pub problems: Vec<(Problem, Option<StoreStamp>)>,
}

#[derive(Debug, Clone)]
struct ManifestFile {
    /// The entry that names it does.
    counts: bool,
    /// As last listed.
    listed: Option<StoreStamp>,
    /// As last read, and found to be what the roster names.
    verified: Option<StoreStamp>,
}

impl Manifests {
    /// Whether a file of the encrypted folder is one of them.
    pub fn is_own(&self, key: &StoreKey) -> bool {
        self.files.contains_key(key)
    }

    /// When those that are missing or damaged are put back.
    pub fn due(&self, standing: &HashMap<Subject, StandingProblem>) -> impl Iterator<Item = Timestamp> {
        self.problems.iter().filter_map(|(problem, stamp)| {
            let known = standing.get(&problem.subject).filter(|known| known.stamp == *stamp)?;
            Some(known.since.plus(PUT_BACK_AFTER))
        })
    }

    /// Takes over which are there. Returns whether one is new or another than before.
    pub fn note(&mut self, listing: &Listing) -> bool {
        let mut is_news = false;
        for (key, file) in &mut self.files {
            let stamp = stamp_of(listing, key);
            is_news |= stamp.is_some() && stamp != file.listed;
            file.listed = stamp;
        }
        is_news
    }
}

impl Folder {
    /// The manifests' files that the roster names.
    pub(super) fn name_manifests(&mut self, state: &RosterState) -> Result<(), EngineError> {
        let counting = state.manifests.iter().map(|name| (manifest_key(name), true));
        let void = state.void_manifests.iter().map(|name| (manifest_key(name), false));
        // One file may have several names.
        let mut names: BTreeMap<StoreKey, bool> = void.collect();
        names.extend(counting);
        let names: Vec<(StoreKey, bool)> = names.into_iter().collect();
        let files = &self.roster.manifests.files;
        let is_known = |(key, counts): &(StoreKey, bool)| files.get(key).is_some_and(|f| f.counts == *counts);
        if names.len() != files.len() || !names.iter().all(is_known) {
            self.state.put(MANIFESTS, &names)?;
            self.take_manifest_names(names);
        }
        Ok(())
    }

    /// As the last start left them.
    pub(super) fn recall_manifests(&mut self) -> Result<(), EngineError> {
        let names = self.state.get(MANIFESTS)?.unwrap_or_default();
        self.take_manifest_names(names);
        Ok(())
    }

    fn take_manifest_names(&mut self, names: Vec<(StoreKey, bool)>) {
        let file = |counts| ManifestFile { counts, listed: None, verified: None };
        self.roster.manifests.files = names.into_iter().map(|(key, counts)| (key, file(counts))).collect();
    }

    /// Keeps the manifests that are there, and puts back those that have been gone or damaged for a while.
    pub(super) fn tend_manifests(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        self.roster.manifests.problems.clear();
        let files = self.roster.manifests.files.iter().filter(|(_, file)| file.counts);
        let listed = files.map(|(key, file)| (key.clone(), file.verified, stamp_of(listing, key)));
        let changed: Vec<_> = listed.filter(|(_, known, stamp)| stamp.is_none() || known != stamp).collect();
        for (key, _, stamp) in changed {
            let is_sound = match stamp {
                Some(stamp) => self.keep_manifest(&key, stamp, env)?,
                None => false,
            };
            if !is_sound {
                self.miss_manifest(&key, stamp, listing.complete, now)?;
            }
        }
        Ok(())
    }

    /// Whether the file with this stamp is the manifest that the roster names, or cannot be judged while the account is
    /// locked.
    fn keep_manifest(
        &mut self,
        key: &StoreKey,
        stamp: StoreStamp,
        env: &Env<'_>,
    ) -> Result<bool, EngineError> {
        let kept: Option<(StoreStamp, Vec<u8>)> = self.state.get(&kept_name(key))?;
        if kept.is_none_or(|(known, _)| known != stamp) {
            let Ok(keys) = self.keys(env) else { return Ok(true) };
            let Some(bytes) = read_bounded(&*self.store, key, MAX_MANIFEST_FILE_BYTES) else {
                return Ok(false);
            };
            // Two admins may have named one at the same moment: what lies there is that of one of them.
            let mut names = keys.roster().state().manifests.iter().filter(|name| manifest_key(name) == *key);
            if !names.any(|name| open_manifest(&keys, &bytes, name).is_some()) {
                return Ok(false);
            }
            if bytes.len() <= MAX_KEPT_BYTES {
                self.state.put(&kept_name(key), &(stamp, bytes))?;
            }
        }
        if let Some(file) = self.roster.manifests.files.get_mut(key) {
            file.verified = Some(stamp);
        }
        Ok(true)
    }

    /// Reports a manifest that is gone, or not the one that the roster names, and puts it back after a while.
    fn miss_manifest(
        &mut self,
        key: &StoreKey,
        stamp: Option<StoreStamp>,
        is_listing_complete: bool,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let subject = Subject::Object(key.clone());
        let standing = self.standing.get(&subject).filter(|known| known.stamp == stamp);
        let is_long = standing.map_or(Duration::ZERO, |known| now.since(known.since)) >= PUT_BACK_AFTER;
        let class = match stamp {
            None => ProblemClass::Missing,
            Some(_) if is_long => ProblemClass::Damaged,
            Some(_) => ProblemClass::StillArriving,
        };
        self.roster.manifests.problems.push((Problem { class, subject, detail: DETAIL.into() }, stamp));
        if !is_long || !is_listing_complete || !self.may_publish {
            return Ok(());
        }
        let Some((_, bytes)) = self.state.get::<(StoreStamp, Vec<u8>)>(&kept_name(key))? else {
            return Ok(());
        };
        let keep = match stamp {
            Some(_) => self.place_in_trash(key)?,
            None => None,
        };
        match write_object(&*self.store, key, &bytes, stamp, keep.as_deref()) {
            Ok(stamp) => {
                self.state.put(&kept_name(key), &(stamp, bytes))?;
                self.encrypted_changed = true;
            }
            Err(error) => tracing::debug!(%error, "a manifest could not be put back"),
        }
        Ok(())
    }
}

/// Name under which the state keeps a manifest's file.
fn kept_name(key: &StoreKey) -> String {
    format!("manifest {key}")
}
