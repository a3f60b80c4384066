//! The groups of a folder: sharing with them, and their logs, which the folder's roster holds so that every member can
//! check who is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{About, EntryHash, Operation, Role, SignedEntry, Written};
use super::log::{Log, LogOrder};
use super::state::RosterState;
use super::{Roster, RosterError, fold};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{FolderKey, SigningKey, VerifyingKey};
use crate::ids::GroupId;

/// Most groups that a folder is, or ever was, shared with.
pub const MAX_GROUPS: usize = 64;

/// Most people whose manifests one entry names.
pub const MAX_WRITTEN: usize = 512;

/// The logs of a folder's groups.
pub(crate) type GroupLogs = BTreeMap<GroupId, GroupLog>;

/// A group's log, and what it makes.
#[derive(Debug, Clone)]
pub(crate) struct GroupLog {
    pub log: Log,
    pub state: Arc<RosterState>,
}

impl GroupLog {
    fn new(log: Log) -> Self {
        let state = Arc::new(fold::fold(&log, &GroupLogs::new()));
        Self { log, state }
    }

    /// Who was in the group by the entries `named`, or has come since, and is not by all of them.
    pub(crate) fn left_since(&self, named: &[EntryHash]) -> Vec<VerifyingKey> {
        let before = self.log.until(named).map(|log| fold::fold(&log, &GroupLogs::new()));
        let members = before.into_iter().flat_map(|before| before.members).map(|member| member.key());
        let reached = self.log.reached(named);
        let is_later = |entry: &&SignedEntry| !reached.contains(&entry.hash);
        let counts = |entry: &&SignedEntry| !self.state.void.contains(&entry.hash);
        let later = self.log.entries().iter().filter(is_later).filter(counts);
        let came = later.filter_map(|entry| match &entry.entry.operation {
            Operation::Add { member, .. } => Some(member.bundle().identity),
            _ => None,
        });
        let mut left: Vec<_> = members.chain(came).filter(|key| self.state.member(key).is_none()).collect();
        left.sort_unstable();
        left.dedup();
        left
    }

    /// What an entry that lists the group names of its log.
    fn heads(&self) -> Vec<EntryHash> {
        self.log.next_prev(&self.state.void)
    }
}

/// Takes in what `log` has and the known one of that group has not. A log of the same name that begins otherwise, which
/// only the group's owner can make, is not taken. Returns whether there was news.
fn join(logs: &mut GroupLogs, group: GroupId, log: &Log) -> bool {
    let joined = match logs.get(&group) {
        None => log.clone(),
        Some(known) if known.log.has_all_of(log) => return false,
        Some(known) => match known.log.union(log) {
            Ok(union) => union,
            Err(Malformed) => return false,
        },
    };
    logs.insert(group, GroupLog::new(joined));
    true
}

/// `[[[entry, signature], …], …]`, ascending by group.
pub(crate) fn encode(logs: &GroupLogs, w: &mut Writer) {
    w.array(logs.len());
    for known in logs.values() {
        known.log.encode(w);
    }
}

pub(crate) fn decode(r: &mut Reader<'_>) -> Result<GroupLogs, Malformed> {
    let mut logs = GroupLogs::new();
    for _ in 0..r.array(MAX_GROUPS as u64)? {
        let log = Log::decode(r)?;
        let group = log.group().ok_or(Malformed)?;
        check(logs.last_key_value().is_none_or(|(last, _)| *last < group))?;
        logs.insert(group, GroupLog::new(log));
    }
    // Without any, the array is absent.
    check(!logs.is_empty())?;
    Ok(logs)
}

/// The groups that any entry names, whether it counts or not: another roster's entries may make it count again.
pub(crate) fn named_groups(log: &Log) -> BTreeSet<GroupId> {
    let about = log.entries().iter().filter_map(|entry| entry.entry.operation.about());
    about.filter_map(|about| if let About::Group(group) = about { Some(group) } else { None }).collect()
}

impl Roster {
    /// Shares the folder with the group of `log`, changes what its members may do, or names how far its log has come.
    /// `written`, ascending, names the manifests of those who lose the right to write by it.
    ///
    /// # Errors
    /// [`RosterError::Malformed`] for a log that is no group's, more than [`MAX_GROUPS`], or a role that groups do not
    /// have; otherwise as [`add`](Self::add).
    pub fn share_with(
        &mut self,
        log: &Log,
        role: Role,
        written: Vec<Written>,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        let group = log.group().ok_or(RosterError::Malformed)?;
        let mut changed = self.clone();
        join(&mut changed.groups, group, log);
        check(changed.groups.len() <= MAX_GROUPS)?;
        let heads = changed.groups.get(&group).ok_or(RosterError::Malformed)?.heads();
        changed.append(Operation::Group { group, role, heads, written }, signer)?;
        *self = changed;
        Ok(())
    }

    /// Takes the folder away from a group, and starts a new epoch with `key`. `written`, ascending, names the manifests
    /// of what its members had written.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn unshare_with(
        &mut self,
        group: GroupId,
        written: Vec<Written>,
        key: FolderKey,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        let mut changed = self.clone();
        changed.append(Operation::Ungroup { group, written }, signer)?;
        changed.start_epoch(key, signer)?;
        *self = changed;
        Ok(())
    }

    /// Takes in the news of a group that the folder is, or was, shared with: whoever is in it by now is a member, and who
    /// is not any more is none. Every member may; the log vouches for itself. Returns whether there was news.
    pub fn learn(&mut self, log: &Log) -> bool {
        let known = log.group().filter(|group| named_groups(&self.log).contains(group));
        let is_news = known.is_some_and(|group| join(&mut self.groups, group, log));
        if is_news {
            self.state = fold::fold(&self.log, &self.groups);
        }
        is_news
    }

    /// The log of a group that the folder is, or was, shared with.
    #[must_use]
    pub fn group_log(&self, group: GroupId) -> Option<&Log> {
        self.groups.get(&group).map(|known| &known.log)
    }

    /// How this roster relates to `other` of the same folder, by its log and those of its groups.
    #[must_use]
    pub fn compare(&self, other: &Self) -> LogOrder {
        LogOrder::of(self.has_all_of(other), other.has_all_of(self))
    }

    fn has_all_of(&self, other: &Self) -> bool {
        let has = |(group, theirs): (&GroupId, &GroupLog)| {
            self.groups.get(group).is_some_and(|ours| ours.log.has_all_of(&theirs.log))
        };
        self.log.has_all_of(&other.log) && other.groups.iter().all(has)
    }

    /// Starts a new epoch with `key`, after naming the newest epochs of the groups that the folder is shared with: their
    /// former members do not get the new key.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn start_epoch(&mut self, key: FolderKey, signer: &SigningKey) -> Result<(), RosterError> {
        let mut changed = self.clone();
        let behind: Vec<_> = self.state.groups.iter().filter(|group| group.is_behind).collect();
        for group in behind {
            let heads = self.groups.get(&group.id).ok_or(RosterError::Malformed)?.heads();
            let (group, role) = (group.id, group.role);
            changed.append(Operation::Group { group, role, heads, written: Vec::new() }, signer)?;
        }
        changed.begin_epoch(key, None, signer)?;
        *self = changed;
        Ok(())
    }

    /// Takes in the entries, groups and keys of another roster of this folder.
    ///
    /// # Errors
    /// [`RosterError::OtherFolder`], [`RosterError::Malformed`] for too many entries or groups together, or a group of which
    /// two logs are told that begin otherwise, which only its owner can make.
    pub fn merge(&mut self, other: &Self) -> Result<(), RosterError> {
        let mut groups = self.groups.clone();
        for (group, theirs) in &other.groups {
            join(&mut groups, *group, &theirs.log);
            check(groups.get(group).is_some_and(|joined| joined.log.has_all_of(&theirs.log)))?;
        }
        check(groups.len() <= MAX_GROUPS)?;
        let union = self.joined_log(other)?;
        self.take(union, groups, other);
        Ok(())
    }
}
