//! The folder's roster in the encrypted folder: accepted when it has grown, refused when it has shrunk, put back when
//! it is gone (`docs/format.md`, "The roster"; engine rule 19).

use std::sync::Arc;

use ensafer_core::format::object_name;
use ensafer_core::format::roster::{LogOrder, MAX_ROSTER_LEN};
use ensafer_core::ids::FolderId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::observe::PUT_BACK_AFTER;
use super::{EngineError, Env, Folder};
use crate::folder_keys::{FolderKeysError, OpenFolder};
use crate::store::{EncryptedStore, Listing, StoreError, StoreStamp};

/// Name under which the state keeps the stamp of the accepted roster's file.
const STAMP: &str = "roster-stamp";

/// The roster's file.
#[derive(Debug, Clone)]
pub struct RosterFile {
    key: StoreKey,
}

/// Whether the folder can be synced under the roster that was accepted.
pub enum RosterFound {
    /// It is there, as accepted.
    Accepted,
    /// Something is wrong with its file, but the accepted roster is known and stands.
    Problem(Problem),
    /// It is gone: nothing may be planned.
    Missing(Problem),
}

impl RosterFile {
    /// The roster of `folder`.
    pub fn new(folder: FolderId) -> Self {
        Self { key: StoreKey(object_name(folder.root()).into()) }
    }

    /// Its name in the encrypted folder.
    pub const fn key(&self) -> &StoreKey {
        &self.key
    }

    fn problem(&self, class: ProblemClass, detail: &str) -> Problem {
        Problem { class, subject: Subject::Object(self.key.clone()), detail: detail.into() }
    }
}

impl Folder {
    /// Looks at the roster's file in `listing`.
    pub(super) fn observe_roster(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<RosterFound, EngineError> {
        let found = listing.objects.iter().find(|listed| listed.key == self.roster.key);
        let Some(listed) = found else {
            return self.missing_roster(listing, now);
        };
        if self.state.get::<StoreStamp>(STAMP)? == Some(listed.stamp) {
            return Ok(RosterFound::Accepted);
        }
        let bytes = match self.read_roster(listed.stamp)? {
            Ok(bytes) => bytes,
            Err(problem) => return Ok(RosterFound::Problem(problem)),
        };
        if self.state.roster()?.as_deref() == Some(bytes.as_slice()) {
            self.state.put(STAMP, &listed.stamp)?;
            return Ok(RosterFound::Accepted);
        }
        self.judge_roster(&bytes, listed.stamp, env)
    }

    /// Accepts a roster that has grown, and no other.
    fn judge_roster(
        &mut self,
        bytes: &[u8],
        stamp: StoreStamp,
        env: &Env<'_>,
    ) -> Result<RosterFound, EngineError> {
        let device_name = &self.settings.device_name;
        let found = match OpenFolder::open(bytes, env.vault, &self.identity, device_name) {
            Ok(found) => found,
            Err(FolderKeysError::Roster(error)) => {
                let problem = self.roster.problem(error.class_when(true), &error.to_string());
                return Ok(RosterFound::Problem(problem));
            }
            Err(FolderKeysError::OtherOwner { owner }) => {
                let problem = self.roster.problem(ProblemClass::UnknownSigner, &owner.to_string());
                return Ok(RosterFound::Problem(problem));
            }
            Err(error) => return Err(error.into()),
        };
        let order = match self.state.roster()? {
            Some(_) => found.roster().log().compare(self.keys(env)?.roster().log()),
            None => LogOrder::Ahead,
        };
        match order {
            LogOrder::Same | LogOrder::Ahead => {
                self.state.set_roster(bytes)?;
                self.state.put(STAMP, &stamp)?;
                self.set_keys(Arc::new(found))?;
                Ok(RosterFound::Accepted)
            }
            LogOrder::Behind => {
                let problem =
                    self.roster.problem(ProblemClass::RolledBack, "entries are missing that were seen");
                self.publish_roster(Some(stamp))?;
                Ok(RosterFound::Problem(problem))
            }
            LogOrder::Diverged => {
                Ok(RosterFound::Problem(self.roster.problem(ProblemClass::Inconsistent, "two rosters")))
            }
        }
    }

    /// A roster that is gone is put back when it has been gone for a while and other objects are still there: an
    /// emptied or unmounted directory is left alone.
    fn missing_roster(&mut self, listing: &Listing, now: Timestamp) -> Result<RosterFound, EngineError> {
        let problem = self.roster.problem(ProblemClass::Missing, "without it nothing is synced");
        let since = self.standing.get(&problem.subject).map(|standing| standing.since);
        let is_ours = |key: &StoreKey| self.encrypted.seen.get(key).is_some_and(|seen| seen.result.is_ok());
        let is_long_gone = since.is_some_and(|since| now.since(since) >= PUT_BACK_AFTER);
        if listing.complete && is_long_gone && listing.objects.iter().any(|listed| is_ours(&listed.key)) {
            self.publish_roster(None)?;
        }
        Ok(RosterFound::Missing(problem))
    }

    /// Writes the accepted roster, as it was accepted, in place of what was seen.
    fn publish_roster(&mut self, expected: Option<StoreStamp>) -> Result<(), EngineError> {
        let Some(bytes) = self.state.roster()? else { return Ok(()) };
        let keep = match expected {
            Some(_) => Some(self.work.open_trash(self.last_look).reserve(&self.roster.key.0)?),
            None => None,
        };
        let staged = self.store.stage()?;
        staged.write_at(0, &bytes)?;
        let batch = [staged];
        self.store.barrier(&batch)?;
        let [staged] = batch;
        match self.store.commit(staged, &self.roster.key, expected, keep.as_deref()) {
            Ok(stamp) => self.state.put(STAMP, &stamp)?,
            Err(error) => tracing::warn!(%error, "the roster could not be put back"),
        }
        Ok(self.store.sync_directories()?)
    }

    fn read_roster(&self, stamp: StoreStamp) -> Result<Result<Vec<u8>, Problem>, EngineError> {
        let limit = MAX_ROSTER_LEN + (2 << 20);
        if stamp.length > limit {
            return Ok(Err(self.roster.problem(ProblemClass::Damaged, "too large")));
        }
        let mut bytes = vec![0; usize::try_from(stamp.length).unwrap_or(usize::MAX)];
        let read = self.store.open(&self.roster.key).and_then(|file| file.read_exact_at(0, &mut bytes));
        match read {
            Ok(()) => Ok(Ok(bytes)),
            Err(error @ StoreError::Gone) => Err(error.into()),
            Err(error) => Ok(Err(self.roster.problem(ProblemClass::StillArriving, &error.to_string()))),
        }
    }
}
