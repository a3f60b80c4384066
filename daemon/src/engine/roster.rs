//! The folder's roster in the encrypted folder: accepted when it has grown, refused when it has shrunk, merged where two
//! have grown, put back when it is gone (`docs/format.md`, "The roster"; engine rule 19).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ensafer_core::clock::Dot;
use ensafer_core::crypto::{FolderKey, SystemRandom};
use ensafer_core::format::roster::{LogOrder, Role, Roster};
use ensafer_core::format::{HeaderError, Prefix, grace, object_name};
use ensafer_core::ids::FolderId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::encrypted::named_id;
use super::groups::GroupsBeside;
use super::guests::{OwnGuests, reading_keys, staying};
use super::manifests::Manifests;
use super::observe::PUT_BACK_AFTER;
use super::{EngineError, Env, Folder};
use crate::folder_keys::{FolderKeysError, Guests, OpenFolder};
use crate::membership::read_roster;
use crate::store::{CommitError, Listed, Listing, StoreError, StoreStamp};

/// Name under which the state keeps the stamp of the accepted roster's file.
const STAMP: &str = "roster-stamp";
/// Name under which the state keeps whether something is left to be done about the accepted roster.
const UNSETTLED: &str = "roster-unsettled";

/// The roster's file, and those of the manifests and the groups that the roster names.
#[derive(Debug)]
pub struct RosterFile {
    key: StoreKey,
    /// What is not in order with it, as of the last listing.
    pub problem: Option<(Problem, Option<StoreStamp>)>,
    /// Whether this look has published already what the accepted roster made necessary: once is enough.
    is_settled: bool,
    /// Why the encrypted folder refused the last roster that was to be written.
    pub refusal: Option<StoreError>,
    /// The manifests that the roster names.
    pub(super) manifests: Manifests,
    /// The groups that the roster names.
    pub(super) groups: GroupsBeside,
}

impl RosterFile {
    /// The roster of `folder`.
    pub fn new(folder: FolderId) -> Self {
        let key = StoreKey(object_name(folder.root()).into());
        let (manifests, groups) = (Manifests::default(), GroupsBeside::default());
        Self { key, problem: None, is_settled: false, refusal: None, manifests, groups }
    }

    /// Its name in the encrypted folder.
    pub const fn key(&self) -> &StoreKey {
        &self.key
    }

    /// Whether a file is a copy of the roster, by its name.
    fn is_copy(&self, key: &StoreKey) -> bool {
        let root = named_id(&self.key);
        !root.is_some_and(|root| key.is_own_of(root)) && named_id(key) == root
    }

    /// Whether a file of the encrypted folder holds what the folder says of itself, and nothing that shows in the work
    /// folder.
    pub fn is_own(&self, key: &StoreKey) -> bool {
        *key == self.key
            || self.manifests.is_own(key)
            || self.groups.is_own(key)
            || self.groups.original(key).is_some()
            || self.is_copy(key)
    }

    /// What is not in order with the roster and the manifests.
    pub fn problems(&self) -> impl Iterator<Item = (Problem, Option<StoreStamp>)> {
        self.problem.iter().chain(&self.manifests.problems).cloned()
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.key.clone())
    }

    pub(super) fn report(&mut self, class: ProblemClass, stamp: Option<StoreStamp>, detail: &str) {
        let problem = Problem { class, subject: self.subject(), detail: detail.into() };
        self.problem = Some((problem, stamp));
    }
}

impl Folder {
    /// Why the folder's members keep it from being synced here, as of the last look.
    pub(super) fn shut(&self) -> Option<ProblemClass> {
        let class = self.roster.problem.as_ref().map(|(problem, _)| problem.class);
        class.filter(|class| class.shuts())
    }

    /// Looks at the roster's file in `listing`. Returns whether the folder can be synced: the file is there, an
    /// accepted roster is known, be it this one or an earlier one, and by it this account is a member.
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
        self.look_at_roster(stamp, env, now)
    }

    /// Looks at the roster's file, which has this stamp. Returns whether the folder can be synced.
    pub(super) fn look_at_roster(
        &mut self,
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let is_settled = !self.state.get(UNSETTLED)?.unwrap_or(false);
        self.roster.is_settled = false;
        if is_settled && self.is_accepted(stamp)? {
            return Ok(true);
        }
        let known = self.state.roster()?;
        match read_roster(&*self.store, &self.roster.key) {
            None => self.unreadable_roster(HeaderError::NotEnsafer, stamp, now)?,
            Some(bytes) if is_settled && known.as_ref() == Some(&bytes) => self.state.put(STAMP, &stamp)?,
            Some(bytes) => return self.judge_roster(&bytes, stamp, env, now),
        }
        Ok(known.is_some())
    }

    /// Whether the accepted roster is the file with this stamp.
    pub(super) fn is_accepted(&self, stamp: StoreStamp) -> Result<bool, EngineError> {
        Ok(self.state.get::<StoreStamp>(STAMP)? == Some(stamp))
    }

    /// Accepts a roster that has grown; what it has in common with the accepted one is never taken back.
    fn judge_roster(
        &mut self,
        bytes: &[u8],
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let ours = match self.keys(env) {
            Ok(keys) => Some(keys),
            Err(EngineError::NoRoster) => None,
            // Whoever was a guest and has another device key by now: what lies there may open.
            Err(EngineError::Keys(FolderKeysError::Roster(HeaderError::NotARecipient))) => None,
            Err(error) => return Err(error),
        };
        let found = match self.open_roster(bytes, env) {
            Ok(found) if found.id == self.entry.id => found,
            Ok(other) => {
                let detail = format!("the roster of folder {}", other.id);
                self.foreign_roster(&detail, stamp, now)?;
                return Ok(ours.is_some());
            }
            Err(FolderKeysError::Roster(HeaderError::NotARecipient)) => {
                return self.not_for_me(bytes, ours.as_deref(), stamp, now);
            }
            Err(FolderKeysError::Roster(error)) => {
                self.unreadable_roster(error, stamp, now)?;
                return Ok(ours.is_some());
            }
            Err(FolderKeysError::OtherOwner { owner, .. }) => {
                // Whose folder it is, its id says: this is not the one whose owner was vouched for.
                self.foreign_roster(&format!("the roster of a folder of {owner}"), stamp, now)?;
                return Ok(ours.is_some());
            }
            Err(error) => return Err(error.into()),
        };
        let Some(ours) = ours else { return self.accept(bytes, stamp, &found, env, now) };
        match found.roster().compare(ours.roster()) {
            LogOrder::Same | LogOrder::Ahead if found.may_follow(Some(&ours)) => {
                self.accept(bytes, stamp, &found, env, now)
            }
            LogOrder::Behind => {
                let detail = "entries are missing that were seen";
                self.roster.report(ProblemClass::RolledBack, Some(stamp), detail);
                self.put_roster_back(Some(stamp))?;
                Ok(true)
            }
            LogOrder::Same | LogOrder::Ahead => {
                let detail = "members' envelopes, or older keys, are missing or others than before";
                self.roster.report(ProblemClass::Inconsistent, Some(stamp), detail);
                self.merge_roster(&ours, &found, stamp, env, now)
            }
            LogOrder::Diverged => self.merge_roster(&ours, &found, stamp, env, now),
        }
    }

    fn open_roster(&self, bytes: &[u8], env: &Env<'_>) -> Result<Arc<OpenFolder>, FolderKeysError> {
        let (name, known) = (&self.settings.device_name, self.keys.as_deref());
        OpenFolder::open_for_anybody(bytes, env.vault, &self.identity, name, known).map(Arc::new)
    }

    /// Neither this account nor any key that it has had opens the roster: another folder's, or one that it was removed
    /// from.
    fn not_for_me(
        &mut self,
        bytes: &[u8],
        ours: Option<&OpenFolder>,
        stamp: StoreStamp,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let prefix = Prefix::parse(bytes)?;
        if prefix.file_id != self.entry.id.root() {
            self.foreign_roster("", stamp, now)?;
            return Ok(ours.is_some());
        }
        match ours {
            Some(ours) if prefix.key_epoch < ours.roster().state().epoch => {
                // All older keys are known: this is a fork that somebody else has to merge, or no roster at all.
                self.unreadable_roster(HeaderError::Unauthentic, stamp, now)?;
                Ok(true)
            }
            // Nobody can remove the owner: by whoever it is made, it is none of this folder.
            Some(ours) if ours.role() == Role::Owner => {
                self.unreadable_roster(HeaderError::Unauthentic, stamp, now)?;
                Ok(true)
            }
            _ => self.shut_out(stamp),
        }
    }

    fn shut_out(&mut self, stamp: StoreStamp) -> Result<bool, EngineError> {
        self.roster.report(ProblemClass::NotAMember, Some(stamp), "");
        Ok(false)
    }

    /// Goes on with `found`, which lies in the encrypted folder. Returns whether the folder can be synced under it.
    fn accept(
        &mut self,
        bytes: &[u8],
        stamp: StoreStamp,
        found: &Arc<OpenFolder>,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        if found.is_outsider {
            return self.shut_out(stamp);
        }
        let state = found.roster().state();
        let is_admin = state.may_administer(&found.authorship.writer);
        let has_to_settle = is_admin && (state.needs_epoch || state.needs_names());
        let shut_out = self.guests_shut_out(found, env)?;
        // Whatever is interrupted is done again.
        self.state.put(UNSETTLED, &true)?;
        self.state.set_roster(bytes)?;
        self.state.put(STAMP, &stamp)?;
        self.set_keys(found.clone())?;
        let has_to_write = has_to_settle || !shut_out.is_empty();
        self.state.put(UNSETTLED, &(state.disputed || has_to_write))?;
        if state.disputed {
            self.roster.report(ProblemClass::Disputed, Some(stamp), "");
            return Ok(false);
        }
        if has_to_write && !std::mem::replace(&mut self.roster.is_settled, true) {
            self.settle_roster(found, shut_out, stamp, env, now)?;
        }
        Ok(true)
    }

    /// Publishes what `found`, which was accepted, makes necessary: a new epoch that shuts out whoever has left, with what
    /// they had written where nobody has named it, and envelopes for the guests of this account whom others' epochs
    /// have `shut_out`. Where it cannot be now, it is tried again at the next look.
    fn settle_roster(
        &mut self,
        found: &OpenFolder,
        shut_out: OwnGuests,
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut roster = found.roster().clone();
        let mut invited = reading_keys(shut_out);
        let is_admin = roster.state().may_administer(&found.authorship.writer);
        if is_admin && let Err(error) = self.name_written(found, &mut roster, now) {
            tracing::warn!(%error, "what former members had written is not named yet");
            let detail = format!("former members cannot be shut out yet: {error}");
            self.roster.report(ProblemClass::Inconsistent, Some(stamp), &detail);
            return Ok(());
        }
        if is_admin && roster.state().needs_epoch {
            if roster.start_epoch(FolderKey::generate(&mut SystemRandom), found.signer()).is_err() {
                let detail = "no new epoch can be started";
                self.roster.report(ProblemClass::Inconsistent, Some(stamp), detail);
                return Ok(());
            }
            invited.extend(staying(found, &roster, self.own_guests_as_known(env)));
        }
        let guests = Guests { invited, gone: Vec::new() };
        let published = self.publish_roster(&roster, &[], &guests, stamp, env, now);
        self.unless_too_large(published, stamp).map(drop)
    }

    /// A roster that has no room for more is reported, and the folder goes on with the one before: `true` then, too.
    pub(super) fn unless_too_large(
        &mut self,
        published: Result<bool, EngineError>,
        stamp: StoreStamp,
    ) -> Result<bool, EngineError> {
        match published {
            Err(EngineError::Seal(error)) => {
                self.roster.report(ProblemClass::Inconsistent, Some(stamp), &error.to_string());
                Ok(true)
            }
            other => other,
        }
    }

    /// Goes on with the union of both rosters, and publishes it; a reader does not. Returns whether the folder can be
    /// synced.
    fn merge_roster(
        &mut self,
        ours: &OpenFolder,
        found: &OpenFolder,
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let mut union = ours.roster().clone();
        if union.merge(found.roster()).is_err() {
            self.roster.report(ProblemClass::Inconsistent, Some(stamp), "two rosters that cannot be merged");
            return Ok(true);
        }
        let (others, guests) = ([found], Guests::default());
        let published = if self.may_publish {
            self.publish_roster(&union, &others, &guests, stamp, env, now)
        } else {
            let sealed = self.seal_roster(ours, &union, &others, &guests, now);
            sealed.and_then(|bytes| self.go_on_with(&bytes, stamp, env, now)).map(|()| true)
        };
        let is_too_large = matches!(published, Err(EngineError::Seal(_)));
        if !self.unless_too_large(published, stamp)? {
            return Ok(false);
        }
        let state = union.state();
        Ok(is_too_large || (!state.disputed && state.role_of(&ours.authorship.writer).is_some()))
    }

    /// Gives `roster`, which has grown from the accepted one and perhaps from `others`, the place of the file that has
    /// the stamp `expected`, and goes on with it. Returns whether it did: not where that file is another by now.
    pub(super) fn publish_roster(
        &mut self,
        roster: &Roster,
        others: &[&OpenFolder],
        guests: &Guests,
        expected: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let ours = self.keys(env)?;
        let bytes = self.seal_roster(&ours, roster, others, guests, now)?;
        let Some(stamp) = self.commit_roster(&bytes, Some(expected))? else {
            self.encrypted_changed = true;
            return Ok(false);
        };
        self.go_on_with(&bytes, stamp, env, now)?;
        Ok(true)
    }

    fn seal_roster(
        &mut self,
        ours: &OpenFolder,
        roster: &Roster,
        others: &[&OpenFolder],
        guests: &Guests,
        now: Timestamp,
    ) -> Result<Vec<u8>, EngineError> {
        let dot = Dot { counter: self.state.next_counter(), device: self.identity.device };
        self.state.take_counters(1)?;
        Ok(ours.seal_roster(roster, others, guests, dot, now)?)
    }

    fn go_on_with(
        &mut self,
        bytes: &[u8],
        stamp: StoreStamp,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        // Whoever has just left is shut out by it.
        let grown = self.open_roster(bytes, env)?;
        self.accept(bytes, stamp, &grown, env, now).map(drop)
    }

    /// Merges copies of the roster that a cloud client made, and moves them to the trash.
    pub(super) fn take_in_roster_copies(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if !self.may_publish {
            return Ok(());
        }
        let copies: Vec<&Listed> =
            listing.objects.iter().filter(|listed| self.roster.is_copy(&listed.key)).collect();
        for listed in copies {
            self.take_in_roster_copy(listed, env, now)?;
        }
        Ok(())
    }

    fn take_in_roster_copy(
        &mut self,
        listed: &Listed,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let ours = self.keys(env)?;
        let Some(bytes) = read_roster(&*self.store, &listed.key) else { return Ok(()) };
        let Ok(copy) = self.open_roster(&bytes, env) else { return Ok(()) };
        if copy.id != ours.id {
            return Ok(());
        }
        let order = ours.roster().compare(copy.roster());
        if !matches!(order, LogOrder::Same | LogOrder::Ahead) {
            let Some(stamp) = self.store.look(&self.roster.key)? else { return Ok(()) };
            if !self.is_accepted(stamp)? || !self.merge_roster(&ours, &copy, stamp, env, now)? {
                return Ok(());
            }
        }
        self.remove_copy(listed)
    }

    /// A place in the trash for what lies under `key` in the encrypted folder. There is none in a dry run: nothing will be
    /// removed, and nothing is made.
    pub(super) fn place_in_trash(&self, key: &StoreKey) -> Result<Option<PathBuf>, EngineError> {
        if self.store.is_read_only() {
            return Ok(None);
        }
        Ok(Some(self.work.open_trash(self.last_look).reserve(&key.0)?))
    }

    /// Moves a copy that says nothing which is not known to the trash.
    pub(super) fn remove_copy(&mut self, listed: &Listed) -> Result<(), EngineError> {
        let keep = self.place_in_trash(&listed.key)?;
        if let Err(error) = self.store.remove(&listed.key, listed.stamp, keep.as_deref()) {
            tracing::debug!(%error, "a copy stays");
        }
        Ok(())
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
        if self.roster_stood(stamp, now) < grace(is_full_length) {
            self.roster.report(ProblemClass::StillArriving, Some(stamp), &detail);
            return Ok(());
        }
        self.roster.report(ProblemClass::Damaged, Some(stamp), &detail);
        self.put_roster_back(Some(stamp))
    }

    /// Another folder's roster, or anything else, under the name of this one's: as good as damaged.
    fn foreign_roster(&mut self, detail: &str, stamp: StoreStamp, now: Timestamp) -> Result<(), EngineError> {
        let is_long_there = self.roster_stood(stamp, now) >= grace(true);
        self.roster.report(ProblemClass::Foreign, Some(stamp), detail);
        if is_long_there { self.put_roster_back(Some(stamp)) } else { Ok(()) }
    }

    /// For how long the problem with the roster's file of this stamp has stood.
    fn roster_stood(&self, stamp: StoreStamp, now: Timestamp) -> Duration {
        let standing = self.standing.get(&self.roster.subject()).filter(|known| known.stamp == Some(stamp));
        standing.map_or(Duration::ZERO, |known| now.since(known.since))
    }

    /// A roster that is gone is put back when it has been gone for a while and other objects are still there: an
    /// emptied or unmounted directory is left alone.
    fn missing_roster(&mut self, listing: &Listing, now: Timestamp) -> Result<(), EngineError> {
        let since = self.standing.get(&self.roster.subject()).filter(|known| known.stamp.is_none());
        let is_long_gone = since.is_some_and(|known| now.since(known.since) >= PUT_BACK_AFTER);
        self.roster.report(ProblemClass::Missing, None, "without it nothing is synced");
        let is_ours = |key: &StoreKey| self.encrypted.seen.get(key).is_some_and(|seen| seen.result.is_ok());
        if listing.complete && is_long_gone && listing.objects.iter().any(|listed| is_ours(&listed.key)) {
            self.put_roster_back(None)?;
        }
        Ok(())
    }

    /// Writes the accepted roster, as it was accepted, in place of what was seen.
    fn put_roster_back(&mut self, expected: Option<StoreStamp>) -> Result<(), EngineError> {
        let Some(bytes) = self.state.roster()? else { return Ok(()) };
        if let Some(stamp) = self.commit_roster(&bytes, expected)? {
            self.state.put(STAMP, &stamp)?;
        }
        Ok(())
    }

    /// Writes a roster in place of what was seen, which goes to the trash; `None` where that is not there any more, or
    /// the encrypted folder refuses.
    fn commit_roster(
        &mut self,
        bytes: &[u8],
        expected: Option<StoreStamp>,
    ) -> Result<Option<StoreStamp>, EngineError> {
        let keep = match expected {
            Some(_) => self.place_in_trash(&self.roster.key)?,
            None => None,
        };
        let committed =
            super::members::write_object(&*self.store, &self.roster.key, bytes, expected, keep.as_deref());
        match committed {
            Ok(stamp) => Ok(Some(stamp)),
            Err(error) => {
                tracing::warn!(%error, "the roster could not be written");
                self.roster.refusal = match error {
                    CommitError::Store(error) => Some(error),
                    CommitError::Changed { .. } => None,
                };
                Ok(None)
            }
        }
    }
}
