//! Groups that the folder is shared with: their files, which lie beside the roster, and what is new about them
//! (`docs/format.md`, "Groups in a folder").

use std::collections::HashMap;
use std::sync::Arc;

use ensafer_core::crypto::VerifyingKey;
use ensafer_core::format::grace;
use ensafer_core::format::roster::{MAX_GROUP_OBJECT_LEN, Role, Roster, RosterState, Written};
use ensafer_core::ids::GroupId;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::members::write_object;
use super::{EngineError, Env, Folder, MembersError};
use crate::folder_keys::{Guests, OpenFolder};
use crate::groups::{HeldGroup, group_key};
use crate::membership::read_bounded;
use crate::store::{Listed, Listing, StoreStamp};

/// Name under which the state keeps the groups that the accepted roster names, and whether the folder is shared with each.
const GROUPS: &str = "groups";

/// The files of the groups that the roster names.
#[derive(Debug, Clone, Default)]
pub struct GroupsBeside {
    /// By name.
    files: HashMap<StoreKey, GroupFile>,
    /// What is held of groups was compared with the roster.
    are_learnt: bool,
}

/// A group's file, as last seen.
#[derive(Debug, Clone)]
struct GroupFile {
    group: GroupId,
    /// It is one that the folder is shared with, and not only was.
    is_listed: bool,
    seen: Option<StoreStamp>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    /// It says what is known here, or more; or this account is not in the group.
    Fine,
    /// It lacks something that is known here.
    Behind,
    /// It has been unreadable since then.
    Unreadable(Timestamp),
}

impl GroupsBeside {
    /// Whether a file of the encrypted folder is that of a group.
    pub fn is_own(&self, key: &StoreKey) -> bool {
        self.files.contains_key(key)
    }
}

impl Folder {
    /// The files of the groups that the roster names.
    pub(super) fn name_groups(&mut self, state: &RosterState) -> Result<(), EngineError> {
        let listed = state.groups.iter().map(|group| (group.id, true));
        let former = state.former_groups.keys().map(|group| (*group, false));
        let groups: Vec<(GroupId, bool)> = listed.chain(former).collect();
        let files = &self.roster.groups.files;
        let is_known = |(group, is_listed): &(GroupId, bool)| {
            files.get(&group_key(*group)).is_some_and(|file| file.is_listed == *is_listed)
        };
        if groups.len() != files.len() || !groups.iter().all(is_known) {
            self.state.put(GROUPS, &groups)?;
            self.take_group_names(groups);
            self.encrypted_changed = true;
        }
        Ok(())
    }

    /// As the last start left them.
    pub(super) fn recall_groups(&mut self) -> Result<(), EngineError> {
        let groups = self.state.get(GROUPS)?.unwrap_or_default();
        self.take_group_names(groups);
        Ok(())
    }

    fn take_group_names(&mut self, groups: Vec<(GroupId, bool)>) {
        let files = groups.into_iter().map(|(group, is_listed)| {
            (group_key(group), GroupFile { group, is_listed, seen: None, standing: Standing::Behind })
        });
        self.roster.groups = GroupsBeside { files: files.collect(), are_learnt: false };
    }

    /// Reads the groups' files that are new or changed. What opens the roster may be in one of them.
    pub(super) fn observe_groups(&mut self, listing: &Listing, env: &Env<'_>, now: Timestamp) {
        let changed: Vec<(StoreKey, Option<StoreStamp>)> = self
            .roster
            .groups
            .files
            .iter()
            .map(|(key, file)| (key, file.seen, stamp_of(listing, key)))
            .filter(|(_, seen, stamp)| seen != stamp)
            .map(|(key, _, stamp)| (key.clone(), stamp))
            .collect();
        for (key, stamp) in changed {
            let standing = stamp.map_or(Some(Standing::Behind), |_| self.look_at_group(&key, env, now));
            let Some(standing) = standing else { continue };
            if let Some(file) = self.roster.groups.files.get_mut(&key) {
                (file.seen, file.standing) = (stamp, standing);
            }
        }
    }

    /// `None` while the account is locked.
    fn look_at_group(&mut self, key: &StoreKey, env: &Env<'_>, now: Timestamp) -> Option<Standing> {
        let Some(bytes) = read_bounded(&*self.store, key, MAX_GROUP_OBJECT_LEN as u64) else {
            return Some(Standing::Unreadable(now));
        };
        let held = env.vault.hold_group(&bytes, now);
        let held = held.inspect_err(|error| tracing::debug!(%error, "a group cannot be looked at")).ok()?;
        let Some(held) = held else { return Some(Standing::Unreadable(now)) };
        self.roster.groups.are_learnt &= !held.is_news;
        Some(if held.is_behind { Standing::Behind } else { Standing::Fine })
    }

    /// Publishes the roster with what is new about the folder's groups.
    pub(super) fn learn_groups(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if self.roster.groups.are_learnt || self.roster.groups.files.is_empty() || !self.may_publish {
            return Ok(());
        }
        // While the account is locked, news waits.
        let (Ok(keys), Ok(held)) = (self.keys(env), env.vault.groups()) else { return Ok(()) };
        if let Some(roster) = with_news(keys.roster(), &held) {
            let stamp = stamp_of(listing, self.roster.key());
            let Some(stamp) = stamp.filter(|stamp| self.is_accepted(*stamp).unwrap_or(false)) else {
                return Ok(());
            };
            let published = self.publish_roster(&roster, &[], &Guests::default(), stamp, env, now);
            // A group's admin can let its log grow until no roster has room for it: the folder goes on without.
            if !self.unless_too_large(published, stamp)? {
                return Ok(());
            }
        }
        self.roster.groups.are_learnt = true;
        Ok(())
    }

    /// Writes the files of the groups that this account is in, where they are missing or say less than is known here.
    pub(super) fn put_groups(&mut self, env: &Env<'_>, now: Timestamp) -> Result<(), EngineError> {
        let is_due = |file: &GroupFile| match file.standing {
            Standing::Fine => false,
            Standing::Behind => true,
            Standing::Unreadable(since) => now.since(since) >= grace(true),
        };
        let due = self.roster.groups.files.iter().filter(|(_, file)| file.is_listed && is_due(file));
        let due: Vec<_> = due.map(|(key, file)| (key.clone(), file.clone())).collect();
        if due.is_empty() || !self.may_publish {
            return Ok(());
        }
        let Ok(held) = env.vault.groups() else { return Ok(()) };
        for (key, file) in due {
            let Some(held) = held.iter().find(|held| held.id() == file.group) else { continue };
            let keep = match file.seen {
                Some(_) => Some(self.work.open_trash(self.last_look).reserve(&key.0)?),
                None => None,
            };
            match write_object(&*self.store, &key, held.object(), file.seen, keep.as_deref()) {
                Ok(stamp) => {
                    let written = GroupFile { seen: Some(stamp), standing: Standing::Fine, ..file };
                    self.roster.groups.files.insert(key, written);
                }
                Err(error) => tracing::debug!(%error, "a group's file could not be written"),
            }
        }
        Ok(())
    }

    /// The files of groups that this device holds in a newer version are written at the next look.
    pub(super) fn expect_news_of_groups(&mut self) {
        for file in self.roster.groups.files.values_mut() {
            file.seen = None;
        }
        self.roster.groups.are_learnt = false;
        self.encrypted_changed = true;
    }

    /// Names in `roster` what those had written who were in one of its groups and may not write any more, for each group
    /// that has a newer epoch than it names.
    pub(super) fn name_written(
        &mut self,
        keys: &OpenFolder,
        roster: &mut Roster,
        now: Timestamp,
    ) -> Result<(), MembersError> {
        let behind: Vec<_> = roster.state().groups.iter().filter(|group| group.is_behind).cloned().collect();
        for group in behind.into_iter().filter(|group| group.role >= Role::Writer) {
            let former = group.state.former.iter().map(|bundle| bundle.bundle().identity);
            let lost: Vec<_> = former.filter(|key| !roster.state().may_write(key)).collect();
            let written = self.write_manifests(keys, roster, &lost, now)?;
            if let Some(log) = roster.group_log(group.id).filter(|_| !written.is_empty()).cloned() {
                roster.share_with(&log, group.role, written, keys.signer())?;
            }
        }
        Ok(())
    }

    /// Writes a manifest of what each of `people` has written, who has written something.
    pub(super) fn write_manifests(
        &mut self,
        keys: &OpenFolder,
        roster: &Roster,
        people: &[VerifyingKey],
        now: Timestamp,
    ) -> Result<Vec<Written>, MembersError> {
        let mut written = Vec::new();
        for subject in people {
            if let Some(manifest) = self.write_manifest(keys, roster, subject, now)? {
                written.push(Written { subject: *subject, manifest });
            }
        }
        written.sort_by_key(|written| written.subject);
        Ok(written)
    }
}

/// The roster with what is known here of its groups and not in it; `None` where it has everything.
pub(super) fn with_news(roster: &Roster, held: &[Arc<HeldGroup>]) -> Option<Roster> {
    let mut grown = roster.clone();
    let mut is_news = false;
    for held in held {
        is_news |= grown.learn(held.group().log());
    }
    is_news.then_some(grown)
}

/// Those who may write by `before`, and not by `after`.
pub(super) fn losing(before: &RosterState, after: &RosterState) -> Vec<VerifyingKey> {
    let in_groups = before.groups.iter().flat_map(|group| &group.state.members);
    let mut people: Vec<_> = before.members.iter().chain(in_groups).map(|member| member.key()).collect();
    people.sort_unstable();
    people.dedup();
    people.retain(|key| before.may_write(key) && !after.may_write(key));
    people
}

/// A listed file's stamp.
pub(super) fn stamp_of(listing: &Listing, key: &StoreKey) -> Option<StoreStamp> {
    let at = listing.objects.binary_search_by(|listed: &Listed| listed.key.cmp(key));
    at.ok().map(|at| listing.objects[at].stamp)
}
