//! Groups that the folder is shared with: their files, which lie beside the roster, and what is new about them
//! (`docs/format.md`, "Groups in a folder").

use std::collections::HashMap;
use std::sync::Arc;

use ensafer_core::crypto::VerifyingKey;
use ensafer_core::format::object_name;
use ensafer_core::format::roster::{
    LogOrder, MAX_GROUP_OBJECT_LEN, MAX_WRITTEN, Member, Role, Roster, RosterState, Written,
};
use ensafer_core::ids::GroupId;
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::StoreKey;

use super::encrypted::named_id;
use super::members::{Judged, VersionsBy, write_object};
use super::observe::PUT_BACK_AFTER;
use super::{EngineError, Env, Folder, MembersError};
use crate::folder_keys::{Guests, OpenFolder};
use crate::groups::{HeldGroup, Met, group_key};
use crate::membership::read_bounded;
use crate::store::{Listed, Listing, StoreStamp};

/// Name under which the state keeps the groups that the accepted roster names, and whether the folder is shared with each.
const GROUPS: &str = "groups";

/// The files of the groups that the roster names.
#[derive(Debug, Clone, Default)]
pub struct GroupsBeside {
    /// By name.
    files: HashMap<StoreKey, GroupFile>,
}

/// A group's file, as last seen.
#[derive(Debug, Clone)]
struct GroupFile {
    group: GroupId,
    /// It is one that the folder is shared with, and not only was.
    is_listed: bool,
    seen: Option<StoreStamp>,
    standing: Standing,
    /// The group's file that was held when this one was last compared with it.
    compared: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    /// It was not looked at yet.
    New,
    /// It says what is known here, or more; or this account cannot judge it.
    Fine,
    /// It lacks something that is known here.
    Behind,
    /// It is missing, or no such group, since then.
    Missing(Timestamp),
}

impl GroupFile {
    fn is_due(&self, now: Timestamp) -> bool {
        match self.standing {
            Standing::New | Standing::Fine => false,
            Standing::Behind => self.is_listed,
            Standing::Missing(since) => self.is_listed && now.since(since) >= PUT_BACK_AFTER,
        }
    }
}

impl GroupsBeside {
    /// Whether a file of the encrypted folder is that of a group.
    pub fn is_own(&self, key: &StoreKey) -> bool {
        self.files.contains_key(key)
    }

    /// The name of the file that a cloud client made a copy of under the name `key`.
    pub fn original(&self, key: &StoreKey) -> Option<StoreKey> {
        if self.files.is_empty() {
            return None;
        }
        let named = named_id(key).filter(|id| !key.is_own_of(*id))?;
        Some(StoreKey(object_name(named).into())).filter(|original| self.is_own(original))
    }

    /// Whether a file has to be written by now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.files.values().any(|file| file.is_due(now))
    }

    /// Has files looked at again that were compared with something else than what is held by now. Says whether there are any.
    fn forget_compared(&mut self, held: &[Arc<HeldGroup>]) -> bool {
        let mut is_any = false;
        for held in held {
            let Some(file) = self.files.get_mut(&group_key(held.id())) else { continue };
            if file.compared.as_ref().is_none_or(|before| !Arc::ptr_eq(before, held.object())) {
                file.compared = Some(Arc::clone(held.object()));
                is_any |= file.seen.take().is_some();
            }
        }
        is_any
    }

    /// When the missing ones may be written.
    pub fn due(&self) -> impl Iterator<Item = Timestamp> {
        self.files.values().filter(|file| file.is_listed).filter_map(|file| match file.standing {
            Standing::Missing(since) => Some(since.plus(PUT_BACK_AFTER)),
            _ => None,
        })
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
            let (seen, standing, compared) = (None, Standing::New, None);
            (group_key(group), GroupFile { group, is_listed, seen, standing, compared })
        });
        self.roster.groups = GroupsBeside { files: files.collect() };
    }

    /// Reads the groups' files that are new or changed. What opens the roster may be in one of them.
    pub(super) fn observe_groups(&mut self, listing: &Listing, env: &Env<'_>, now: Timestamp) {
        for key in self.roster.groups.files.keys().cloned().collect::<Vec<_>>() {
            let Some(file) = self.roster.groups.files.get(&key).cloned() else { continue };
            let stamp = stamp_of(listing, &key);
            let standing = match (stamp, file.standing) {
                (None, Standing::Behind) => Standing::Behind,
                (None, Standing::Missing(since)) if file.seen.is_none() => Standing::Missing(since),
                (None, _) => Standing::Missing(now),
                (Some(_), standing) if stamp == file.seen => standing,
                (Some(_), _) => match self.look_at_group(file.group, &key, env, now) {
                    Some(standing) => standing,
                    None => continue,
                },
            };
            self.roster.groups.files.insert(key, GroupFile { seen: stamp, standing, ..file });
        }
    }

    /// Joins what copies of the groups' files say, which a cloud client made, to what is held, and moves them to the trash.
    pub(super) fn take_in_group_copies(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if !self.may_publish {
            return Ok(());
        }
        for listed in &listing.objects {
            let Some(original) = self.roster.groups.original(&listed.key) else { continue };
            let Some(file) = self.roster.groups.files.get_mut(&original) else { continue };
            let Some(bytes) = read_bounded(&*self.store, &listed.key, MAX_GROUP_OBJECT_LEN as u64) else {
                continue;
            };
            let Ok(Met::Held(_)) = env.vault.hold_group(file.group, &bytes, now) else { continue };
            // It may lack what the copy had.
            file.seen = None;
            self.observe_groups(listing, env, now);
            self.remove_copy(listed)?;
        }
        Ok(())
    }

    /// `None` while it cannot be judged: the account is locked, say.
    fn look_at_group(
        &mut self,
        group: GroupId,
        key: &StoreKey,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Option<Standing> {
        let Some(bytes) = read_bounded(&*self.store, key, MAX_GROUP_OBJECT_LEN as u64) else {
            return Some(Standing::Missing(now));
        };
        let met = env.vault.hold_group(group, &bytes, now);
        match met.inspect_err(|error| tracing::debug!(%error, "a group cannot be looked at")).ok()? {
            Met::NotForUs => Some(Standing::Fine),
            Met::Damaged => Some(Standing::Missing(now)),
            Met::Held(held) => Some(if held.is_behind { Standing::Behind } else { Standing::Fine }),
        }
    }

    /// Publishes the roster with what is new about the folder's groups.
    pub(super) fn learn_groups(
        &mut self,
        listing: &Listing,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        if self.roster.groups.files.is_empty() || !self.may_publish {
            return Ok(());
        }
        // While the account is locked, news waits.
        let (Ok(keys), Ok(held)) = (self.keys(env), env.vault.groups()) else { return Ok(()) };
        if self.roster.groups.forget_compared(&held) {
            self.observe_groups(listing, env, now);
        }
        if let Some(held) = without_room(keys.roster(), &held).filter(|_| self.shut().is_none()) {
            let (stamp, detail) = (stamp_of(listing, self.roster.key()), full_words(held));
            self.roster.report(ProblemClass::Inconsistent, stamp, &detail);
        }
        if let Some(roster) = with_news(keys.roster(), &held) {
            let stamp = stamp_of(listing, self.roster.key());
            let Some(stamp) = stamp.filter(|stamp| self.is_accepted(*stamp).unwrap_or(false)) else {
                return Ok(());
            };
            let published = self.publish_roster(&roster, &[], &Guests::default(), stamp, env, now);
            // A group's admin can let its log grow until no roster has room for it: the folder goes on without.
            self.unless_too_large(published, stamp)?;
        }
        Ok(())
    }

    /// Writes the files of the groups that this account is in, where they say less than is known here, or have been missing
    /// for a while.
    pub(super) fn put_groups(&mut self, env: &Env<'_>, now: Timestamp) -> Result<(), EngineError> {
        let due = self.roster.groups.files.iter().filter(|(_, file)| file.is_due(now));
        let due: Vec<_> = due.map(|(key, file)| (key.clone(), file.clone())).collect();
        if due.is_empty() || !self.may_publish {
            return Ok(());
        }
        let (Ok(keys), Ok(held)) = (self.keys(env), env.vault.groups()) else { return Ok(()) };
        for (key, file) in due {
            let is_newest = |held: &&Arc<HeldGroup>| is_newest(held, &keys);
            let Some(held) = held.iter().filter(|held| held.id() == file.group).find(is_newest) else {
                continue;
            };
            let keep = match file.seen {
                Some(_) => self.place_in_trash(&key)?,
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

    /// `roster` with what is new about its groups, where this account may publish it.
    pub(super) fn with_news_of_groups(
        &mut self,
        roster: &Roster,
        env: &Env<'_>,
        now: Timestamp,
    ) -> Result<Option<Roster>, MembersError> {
        let held = env.vault.groups().map_err(EngineError::from)?;
        let grown = with_news(roster, &held).filter(|_| self.may_publish);
        if grown.is_none() {
            if without_room(roster, &held).is_some() {
                return Err(MembersError::GroupFull);
            }
            // Others may have published it, and not the group's file.
            self.put_news_of_groups(env, now)?;
        }
        Ok(grown)
    }

    /// Writes the files of groups that this device holds in a newer version, or is the first to have here.
    pub(super) fn put_news_of_groups(&mut self, env: &Env<'_>, now: Timestamp) -> Result<(), EngineError> {
        for file in self.roster.groups.files.values_mut() {
            (file.seen, file.standing) = (None, Standing::Behind);
        }
        let listing = self.store.list()?;
        self.observe_groups(&listing, env, now);
        self.put_groups(env, now)
    }

    /// Names in `roster` what those have written by now who have left one of its groups since the entries that list it, and may
    /// not write any more.
    pub(super) fn name_written(
        &mut self,
        keys: &OpenFolder,
        roster: &mut Roster,
        now: Timestamp,
    ) -> Result<(), MembersError> {
        for group in roster.state().groups.clone() {
            let lost: Vec<_> = group.left.into_iter().filter(|key| !roster.state().may_write(key)).collect();
            if group.role < Role::Writer || lost.is_empty() {
                continue;
            }
            let log = roster.group_log(group.id).cloned().ok_or(MembersError::NoGroup)?;
            let versions = self.versions_by(keys, &lost, Judged::BySignature)?;
            for people in lost.chunks(MAX_WRITTEN) {
                let written = self.write_manifests(keys, roster, people, &versions, now)?;
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
        versions: &VersionsBy,
        now: Timestamp,
    ) -> Result<Vec<Written>, MembersError> {
        let mut written = Vec::new();
        for subject in people {
            if let Some(manifest) = self.write_manifest(keys, roster, subject, versions, now)? {
                written.push(Written { subject: *subject, manifest });
            }
        }
        written.sort_by_key(|written| written.subject);
        Ok(written)
    }
}

/// Whether what is held is all that the folder's roster and the account's own memory know of the group, and the account is
/// in it by that.
fn is_newest(held: &HeldGroup, keys: &OpenFolder) -> bool {
    let known = keys.roster().group_log(held.id());
    let has_known = known
        .is_none_or(|known| matches!(held.group().log().compare(known), LogOrder::Same | LogOrder::Ahead));
    has_known && held.group().state().member(&keys.authorship.writer).is_some()
}

/// The roster with what is known here of its groups and not in it; `None` where it has everything.
fn with_news(roster: &Roster, held: &[Arc<HeldGroup>]) -> Option<Roster> {
    let is_news = |held: &&Arc<HeldGroup>| {
        matches!(order_of(roster, held), Some(LogOrder::Behind | LogOrder::Diverged))
    };
    let news: Vec<_> = held.iter().filter(is_news).collect();
    if news.is_empty() {
        return None;
    }
    let mut grown = roster.clone();
    let learnt = news.into_iter().filter(|held| grown.learn(held.group().log())).count();
    (learnt > 0).then_some(grown)
}

/// How what the roster knows of a group relates to what is held of it.
fn order_of(roster: &Roster, held: &HeldGroup) -> Option<LogOrder> {
    roster.group_log(held.id()).map(|known| known.compare(held.group().log()))
}

/// A held group of which the roster has no room for what is new: whoever was taken out of it is still in the folder.
fn without_room<'h>(roster: &Roster, held: &'h [Arc<HeldGroup>]) -> Option<&'h HeldGroup> {
    let is_listed = |held: &&Arc<HeldGroup>| roster.state().groups.iter().any(|group| group.id == held.id());
    let lacks = |held: &&Arc<HeldGroup>| {
        matches!(order_of(roster, held), Some(LogOrder::Diverged))
            && !roster.clone().learn(held.group().log())
    };
    held.iter().filter(is_listed).find(lacks).map(|held| &**held)
}

fn full_words(held: &HeldGroup) -> String {
    let id = held.id().to_string();
    format!(
        "no room for what is new about the group {}: whoever left it is still in the folder; take the folder from the group, and share it with a new one",
        &id[..8]
    )
}

/// Those who may write by `before`, and not by `after`.
pub(super) fn losing(before: &RosterState, after: &RosterState) -> Vec<VerifyingKey> {
    let in_groups = before.groups.iter().flat_map(|group| &group.state.members);
    let mut people: Vec<_> = before.members.iter().chain(in_groups).map(Member::key).collect();
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
