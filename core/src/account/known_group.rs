//! A group that the account administers or is in, as the account's state remembers it: what its owner calls it, and how far
//! its log had come. Whoever serves less than that is showing an old group.

use crate::cbor::{Malformed, Reader, Writer, check};
use crate::format::roster::{EntryHash, Log};
use crate::ids::GroupId;

/// Most groups that an account remembers.
pub const MAX_KNOWN_GROUPS: usize = 256;
/// Longest name of a group, in bytes of UTF-8.
pub const MAX_GROUP_NAME_BYTES: usize = 128;
/// As many ends of a log as an entry follows.
const MAX_HEADS: u64 = 64;

/// There is no room for another group, or the name has not 1 to 128 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KnownGroupError {
    /// There are [`MAX_KNOWN_GROUPS`].
    #[error("256 groups are remembered already: leave or delete one first")]
    Full,
    /// The name is empty, or too long.
    #[error("a group's name has 1 to 128 bytes")]
    Name,
    /// The log is a folder's.
    #[error("this is no group")]
    NoGroup,
}

/// A group that the account remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    name: String,
    entry_count: u64,
    heads: Vec<EntryHash>,
}

impl KnownGroup {
    /// The group of `log`, under the account's own name for it.
    ///
    /// # Errors
    /// [`KnownGroupError::Name`], [`KnownGroupError::NoGroup`]
    pub fn new(name: &str, log: &Log) -> Result<Self, KnownGroupError> {
        if log.group().is_none() {
            return Err(KnownGroupError::NoGroup);
        }
        let entry_count = log.entries().len() as u64;
        Ok(Self { name: checked(name)?, entry_count, heads: log.next_prev(&[]) })
    }

    /// The same, called otherwise.
    ///
    /// # Errors
    /// [`KnownGroupError::Name`]
    pub fn renamed(&self, name: &str) -> Result<Self, KnownGroupError> {
        let name = checked(name)?;
        Ok(Self { name, ..self.clone() })
    }

    /// What the account calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `log` has what was seen of the group: another is an old one.
    #[must_use]
    pub fn is_in(&self, log: &Log) -> bool {
        log.has(&self.heads)
    }

    /// Whether `later` may stand where this stood.
    pub(super) fn is_succeeded_by(&self, later: &Self) -> bool {
        self.entry_count < later.entry_count
            || (self.entry_count == later.entry_count && self.heads == later.heads)
    }

    /// Goes on from the newer of the two, with the name that it has here.
    pub(super) fn join(&mut self, other: &Self) {
        if self.entry_count < other.entry_count {
            self.entry_count = other.entry_count;
            self.heads.clone_from(&other.heads);
        }
    }

    /// Room that it needs when encoded, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        64 + self.name.len() + self.heads.len() * 40
    }

    /// `[id, name, entry_count, [head, …]]`
    pub(super) fn encode(&self, id: GroupId, out: &mut Writer) {
        out.array(4).bytes(id.as_bytes()).text(&self.name).uint(self.entry_count).array(self.heads.len());
        for head in &self.heads {
            out.bytes(head.as_bytes());
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<(GroupId, Self), Malformed> {
        r.tuple(4)?;
        let id = GroupId::new(r.array_of()?);
        let name = r.text(MAX_GROUP_NAME_BYTES)?.to_owned();
        let entry_count = r.uint()?;
        let count = r.array(MAX_HEADS)?;
        let heads =
            (0..count).map(|_| Ok(EntryHash::new(r.array_of()?))).collect::<Result<Vec<_>, Malformed>>()?;
        check(!name.is_empty() && !heads.is_empty() && heads.is_sorted_by(|a, b| a < b))?;
        Ok((id, Self { name, entry_count, heads }))
    }
}

fn checked(name: &str) -> Result<String, KnownGroupError> {
    let has_bounds = !name.is_empty() && name.len() <= MAX_GROUP_NAME_BYTES;
    has_bounds.then(|| name.to_owned()).ok_or(KnownGroupError::Name)
}

#[cfg(test)]
mod tests {
    use super::super::state::{AccountState, ParseStateError};
    use super::*;
    use crate::crypto::{TestRandom, test_keys};
    use crate::format::roster::{Group, Role};
    use crate::format::tests::bundle_of;

    const OF_PINS: &[u8] = include_bytes!("../../testdata/account-state/v1.bin");
    const WITH_INVITATIONS: &[u8] = include_bytes!("../../testdata/account-state/v2.bin");
    const WITH_GROUPS: &[u8] = include_bytes!("../../testdata/account-state/v3.bin");

    fn group() -> Group {
        let (alice, [pair, _]) = (test_keys::alice(), test_keys::pairs());
        let bundle = bundle_of(&alice, "alice@example.com", 0xAA);
        Group::create(bundle, &alice.identity, [9; 16], pair, &mut TestRandom::new(1)).unwrap()
    }

    fn grown() -> Group {
        let mut group = group();
        let bob = bundle_of(&test_keys::bob(), "bob@example.com", 0xBB);
        group.add(bob, Role::Reader, &test_keys::alice().identity).unwrap();
        group
    }

    fn remembering(before: &[u8], group: &Group) -> AccountState {
        let mut state = AccountState::from_bytes(before).unwrap();
        state.remember_group(group.id(), KnownGroup::new("Family", group.log()).unwrap()).unwrap();
        state
    }

    #[test]
    fn states_of_every_version_are_read_and_written_as_ever() {
        let state = remembering(WITH_INVITATIONS, &grown());
        assert_eq!(*state.to_bytes(), WITH_GROUPS);
        assert_eq!(AccountState::from_bytes(WITH_GROUPS), Ok(state.clone()));
        assert_eq!((state.invitations().len(), state.groups().len()), (2, 1));
        for before in [OF_PINS, WITH_INVITATIONS] {
            let mut state = remembering(before, &group());
            assert_eq!(AccountState::from_bytes(&state.to_bytes()), Ok(state.clone()));
            assert_eq!(state.forget_group(group().id()).unwrap().name(), "Family");
            assert_eq!(*state.to_bytes(), before, "what older versions read");
        }
        for at in 0..WITH_GROUPS.len() {
            assert!(AccountState::from_bytes(&WITH_GROUPS[..at]).is_err(), "cut at {at}");
        }
        let none = [0xa4, 0, 3, 1, 0x80, 2, 0x80, 3, 0x80];
        assert_eq!(
            AccountState::from_bytes(&none),
            Err(ParseStateError::Damaged),
            "version 3 without groups"
        );
        assert_eq!(AccountState::from_bytes(&[0xa5, 0, 4]), Err(ParseStateError::NewerVersion));
    }

    /// Row 22: who has seen a group's removal is shown no older group.
    #[test]
    fn row_22_an_older_group_than_was_seen_is_noticed() {
        let (older, newer) = (group(), grown());
        let known = KnownGroup::new("Family", newer.log()).unwrap();
        assert!(known.is_in(newer.log()) && !known.is_in(older.log()));
        assert!(KnownGroup::new("Family", older.log()).unwrap().is_in(newer.log()));
        let (before, after) = (remembering(OF_PINS, &older), remembering(OF_PINS, &newer));
        assert!(before.is_succeeded_by(&after) && !after.is_succeeded_by(&before));
        assert!(after.is_succeeded_by(&AccountState::from_bytes(OF_PINS).unwrap()), "groups are left");
        let mut united = before.clone();
        united.absorb(&after).unwrap();
        assert_eq!(united, after);
        let mut united = after.clone();
        united.absorb(&before).unwrap();
        assert_eq!(united, after);
    }

    #[test]
    fn there_is_room_for_256_and_names_have_bounds() {
        let log = group();
        let known = KnownGroup::new(&"n".repeat(128), log.log()).unwrap();
        for wrong in [String::new(), "n".repeat(129)] {
            assert_eq!(KnownGroup::new(&wrong, log.log()), Err(KnownGroupError::Name));
        }
        let mut state = AccountState::default();
        let id = |number: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            GroupId::new(id)
        };
        for number in 0..256 {
            state.remember_group(id(number), known.clone()).unwrap();
        }
        assert_eq!(state.remember_group(id(256), known.clone()), Err(KnownGroupError::Full));
        state.remember_group(id(7), known.clone()).expect("the same again has room");
        assert_eq!(AccountState::from_bytes(&state.to_bytes()), Ok(state.clone()));
        let mut other = AccountState::default();
        other.remember_group(id(999), known).unwrap();
        other.absorb(&state).unwrap();
        assert_eq!(other.groups().len(), 256);
        assert!(other.groups().contains_key(&id(999)), "what is here stays");
    }
}
