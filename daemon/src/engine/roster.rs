//! The folder's roster in the encrypted folder: accepted when it has grown, refused when it has shrunk, put back when
//! it is gone (`docs/format.md`, "The roster"; engine rule 19).

use std::sync::Arc;
use std::time::Duration;

use ensafer_core::format::roster::{LogOrder, MAX_ROSTER_LEN};
use ensafer_core::format::{HeaderError, grace, object_name};
use ensafer_core::ids::FolderId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::observe::PUT_BACK_AFTER;
use super::{EngineError, Env, Folder};
use crate::folder_keys::{FolderKeysError, OpenFolder};
use crate::store::{Listing, StoreError, StoreStamp};

/// Name under which the state keeps the stamp of the accepted roster's file.
const STAMP: &str = "roster-stamp";

/// The roster's file.
#[derive(Debug, Clone)]
pub struct RosterFile {
    key: StoreKey,
    /// What is not in order with it, as of the last listing.
    pub problem: Option<(Problem, Option<StoreStamp>)>,
}

impl RosterFile {
    /// The roster of `folder`.
    pub fn new(folder: FolderId) -> Self {
        Self { key: StoreKey(object_name(folder.root()).into()), problem: None }
    }

    /// Its name in the encrypted folder.
    pub const fn key(&self) -> &StoreKey {
        &self.key
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.key.clone())
    }

    fn report(&mut self, class: ProblemClass, stamp: Option<StoreStamp>, detail: &str) {
        let problem = Problem { class, subject: self.subject(), detail: detail.into() };
        self.problem = Some((problem, stamp));
    }
}

impl Folder {
    /// Looks at the roster's file in `listing`. Returns whether the folder can be synced: the file is there, and an
    /// accepted roster is known, be it this one or an earlier one.
    pub(super) fn observe_roster(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        self.roster.problem = None;
        let found = listing.objects.iter().find(|listed| listed.key == self.roster.key);
        let Some(stamp) = found.map(|listed| listed.stamp) else {
            self.missing_roster(listing, now)?;
            return Ok(false);
        };
        if self.state.get::<StoreStamp>(STAMP)? == Some(stamp) {
            return Ok(true);
        }
        match self.read_roster(stamp)? {
            None => self.unreadable_roster(HeaderError::NotEnsafer, stamp, now)?,
            Some(bytes) if self.state.roster()?.as_ref() == Some(&bytes) => self.state.put(STAMP, &stamp)?,
            Some(bytes) => self.judge_roster(&bytes, stamp, env, now)?,
        }
        Ok(self.state.roster()?.is_some())
    }

    /// Accepts a roster that has grown, and no other.
    fn judge_roster(
        &mut self,
        bytes: &[u8],
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let device_name = &self.settings.device_name;
        let found = match OpenFolder::open(bytes, env.vault, &self.identity, device_name) {
            Ok(found) if found.id == self.entry.id => found,
            Ok(other) => {
                let detail = format!("the roster of folder {}", other.id);
                self.roster.report(ProblemClass::Foreign, Some(stamp), &detail);
                return Ok(());
            }
            Err(FolderKeysError::Roster(error)) => return self.unreadable_roster(error, stamp, now),
            Err(FolderKeysError::OtherOwner { owner }) => {
                self.roster.report(ProblemClass::UnknownSigner, Some(stamp), &owner.to_string());
                return Ok(());
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
                self.set_keys(Arc::new(found))
            }
            LogOrder::Behind => {
                let detail = "entries are missing that were seen";
                self.roster.report(ProblemClass::RolledBack, Some(stamp), detail);
                self.publish_roster(Some(stamp))
            }
            LogOrder::Diverged => {
                self.roster.report(ProblemClass::Inconsistent, Some(stamp), "two rosters");
                Ok(())
            }
        }
    }

    /// A roster that stays unreadable is damaged, as any file (engine rule 5), and the accepted one takes its place.
    fn unreadable_roster(
        &mut self,
        error: HeaderError,
        stamp: StoreStamp,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let is_full_length = !matches!(error, HeaderError::TooShort { .. } | HeaderError::NotEnsafer);
        let class = error.class_when(is_full_length);
        let detail = error.to_string();
        if !matches!(class, ProblemClass::StillArriving | ProblemClass::Damaged) {
            self.roster.report(class, Some(stamp), &detail);
            return Ok(());
        }
        let standing = self.standing.get(&self.roster.subject()).filter(|known| known.stamp == Some(stamp));
        let age = standing.map_or(Duration::ZERO, |known| now.since(known.since));
        if age < grace(is_full_length) {
            self.roster.report(ProblemClass::StillArriving, Some(stamp), &detail);
            return Ok(());
        }
        self.roster.report(ProblemClass::Damaged, Some(stamp), &detail);
        self.publish_roster(Some(stamp))
    }

    /// A roster that is gone is put back when it has been gone for a while and other objects are still there: an
    /// emptied or unmounted directory is left alone.
    fn missing_roster(&mut self, listing: &Listing, now: Timestamp) -> Result<(), EngineError> {
        let since = self.standing.get(&self.roster.subject()).filter(|known| known.stamp.is_none());
        let is_long_gone = since.is_some_and(|known| now.since(known.since) >= PUT_BACK_AFTER);
        self.roster.report(ProblemClass::Missing, None, "without it nothing is synced");
        let is_ours = |key: &StoreKey| self.encrypted.seen.get(key).is_some_and(|seen| seen.result.is_ok());
        if listing.complete && is_long_gone && listing.objects.iter().any(|listed| is_ours(&listed.key)) {
            self.publish_roster(None)?;
        }
        Ok(())
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

    /// The roster's bytes; `None` where they cannot be those of a roster, or cannot be read now.
    fn read_roster(&self, stamp: StoreStamp) -> Result<Option<Vec<u8>>, EngineError> {
        let limit = MAX_ROSTER_LEN + (2 << 20);
        if stamp.length > limit {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(stamp.length).unwrap_or(usize::MAX)];
        match self.store.open(&self.roster.key).and_then(|file| file.read_exact_at(0, &mut bytes)) {
            Ok(()) => Ok(Some(bytes)),
            Err(error @ StoreError::Gone) => Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "the roster cannot be read");
                Ok(None)
            }
        }
    }
}
