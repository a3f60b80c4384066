//! What entries make together, whoever signed them in whatever order.

use proptest::prelude::*;

use super::super::key_source::{AccountAlone, FoundKey, SyncedFolder};
use super::super::tests::{DEVICE, bundle_of};
use super::super::{FileKeySource, HeaderError};
use super::*;
use crate::account::Bundle;
use crate::cbor::{Reader, Writer};
use crate::clock::{Clock, Dot};
use crate::crypto::{PrivateKeys, TestRandom, test_keys};
use crate::ids::AccountId;
use crate::time::Timestamp;

pub(super) const ALICE: usize = 0;

/// Alice, the owner, and six others who share Alice's RSA keys.
pub(super) struct People {
    pub alice: PrivateKeys,
    pub identities: Vec<SigningKey>,
}

impl People {
    pub fn new() -> Self {
        let mut rng = TestRandom::new(5);
        let alice = test_keys::alice();
        let identities = std::iter::once(test_keys::alice().identity)
            .chain((0..6).map(|_| SigningKey::generate(&mut rng)))
            .collect();
        Self { alice, identities }
    }

    pub fn key(&self, person: usize) -> VerifyingKey {
        self.identities[person].public()
    }

    pub fn bundle(&self, person: usize) -> SignedBundle {
        let identity = &self.identities[person];
        let bundle = Bundle {
            account: AccountId::new([u8::try_from(person).unwrap(); 16]),
            login: format!("person{person}@example.com").parse().unwrap(),
            identity: identity.public(),
            ..bundle_of(&self.alice, "alice@example.com", 0).bundle().clone()
        };
        SignedBundle::sign(bundle, identity)
    }

    pub fn roster(&self) -> Roster {
        let key = FolderKey::generate(&mut TestRandom::new(1));
        let owner = &self.identities[ALICE];
        Roster::create(self.bundle(ALICE), owner, [1; 16], FolderLayout::Flat, key).unwrap()
    }

    /// A roster where 1 and 2 are admins, 3 a writer, 4 a reader.
    pub fn staffed(&self) -> Roster {
        let mut roster = self.roster();
        for (person, role) in [(1, Role::Admin), (2, Role::Admin), (3, Role::Writer), (4, Role::Reader)] {
            self.add(&mut roster, ALICE, person, role).unwrap();
        }
        roster
    }

    fn add(&self, roster: &mut Roster, by: usize, person: usize, role: Role) -> Result<(), RosterError> {
        roster.add(self.bundle(person), role, &self.identities[by])
    }

    fn remove(&self, roster: &mut Roster, by: usize, person: usize) -> Result<(), RosterError> {
        let key = FolderKey::generate(&mut TestRandom::new(100 + by as u64));
        roster.remove(self.key(person), None, key, &self.identities[by])
    }

    fn set_role(&self, roster: &mut Roster, by: usize, person: usize, role: Role) -> Result<(), RosterError> {
        roster.set_role(self.key(person), role, None, &self.identities[by])
    }

    fn role(&self, roster: &Roster, person: usize) -> Option<Role> {
        roster.state().member(&self.key(person)).map(|member| member.role)
    }

    /// Appends without asking whether it is allowed, as a client of somebody's own making would.
    pub fn force(&self, roster: &mut Roster, by: usize, operation: Operation) {
        roster.log = roster.log.with(operation, &[], &self.identities[by]).unwrap();
        roster.state = fold::fold(&roster.log, &roster.groups);
    }
}

pub(super) fn merged(a: &Roster, b: &Roster) -> Roster {
    let (mut one, mut other) = (a.clone(), b.clone());
    one.merge(b).unwrap();
    other.merge(a).unwrap();
    assert_eq!(one.state(), other.state());
    assert_eq!(one.log(), other.log());
    one
}

#[test]
fn a_folder_is_its_creators() {
    let people = People::new();
    let roster = people.roster();
    let state = roster.state();
    assert_eq!(state.folder, derive_folder_id(&people.key(ALICE), &[1; 16]));
    assert_eq!(state.owner(), people.key(ALICE).fingerprint());
    assert_eq!((state.epoch, state.members.len(), state.needs_epoch), (1, 1, false));
    assert!(state.may_administer(&people.key(ALICE)) && !state.may_write(&people.key(1)));
    assert_eq!(state.login_of(&people.key(ALICE)), Some("person0@example.com"));
    // Somebody else's creating entry does not pass for this folder, nor a bundle that is not the signer's.
    let first = roster.log.entries()[0].clone();
    let mut forged = first.entry.clone();
    forged.signer = people.key(1);
    assert!(Log::new(vec![SignedEntry::sign(forged, &people.identities[1]).unwrap()]).is_err());
    let key = FolderKey::generate(&mut TestRandom::new(1));
    let stolen =
        Roster::create(people.bundle(1), &people.identities[ALICE], [1; 16], FolderLayout::Flat, key);
    assert_eq!(stolen.map(drop), Err(RosterError::Malformed));
}

#[test]
fn everybody_but_the_owner_may_leave() {
    let people = People::new();
    let roster = people.staffed();
    for person in [1, 3, 4] {
        let mut left = roster.clone();
        left.leave(None, &people.identities[person]).unwrap();
        assert_eq!(people.role(&left, person), None);
        assert!(left.state().needs_epoch, "who left knows the key");
        assert!(left.state().former.iter().any(|bundle| bundle.bundle().identity == people.key(person)));
        assert_eq!(left.leave(None, &people.identities[person]), Err(RosterError::NotAllowed), "once");
    }
    let mut roster = people.staffed();
    assert_eq!(roster.leave(None, &people.identities[ALICE]), Err(RosterError::NotAllowed));
    assert_eq!(roster.leave(None, &people.identities[5]), Err(RosterError::NotAllowed), "no member");
    // Nobody leaves for somebody else.
    people.force(&mut roster, 3, Operation::Remove { subject: people.key(4), manifest: None });
    assert_eq!(people.role(&roster, 4), Some(Role::Reader));
}

#[test]
fn leaving_counts_whatever_an_admin_says_beside_it() {
    let people = People::new();
    let roster = people.staffed();
    let (mut left, mut demoted, mut raised) = (roster.clone(), roster.clone(), roster);
    left.leave(None, &people.identities[3]).unwrap();
    people.set_role(&mut demoted, 1, 3, Role::Reader).unwrap();
    people.set_role(&mut raised, 1, 3, Role::Admin).unwrap();
    assert_eq!(people.role(&merged(&left, &demoted), 3), None);
    assert_eq!(people.role(&merged(&left, &raised), 3), None);
    assert!(!merged(&left, &demoted).state().disputed);
}

/// Row 20: whoever was removed may sign that they had left by then, with a list of what they write now.
#[test]
fn row_20_a_list_that_comes_with_leaving_does_not_count_beside_a_removal() {
    let people = People::new();
    let roster = people.staffed();
    let (mut left, mut removed) = (roster.clone(), roster);
    let list = StatementHash::new([7; 32]);
    left.leave(Some(list), &people.identities[3]).unwrap();
    let names = |roster: &Roster| roster.state().manifests.iter().any(|name| name.statement == list);
    assert!(names(&left), "by itself it counts");
    people.remove(&mut removed, 1, 3).unwrap();
    let merged = merged(&left, &removed);
    assert!(!names(&merged));
    assert!(merged.state().void_manifests.iter().any(|name| name.statement == list));
    assert_eq!(people.role(&merged, 3), None);
}

/// Row 12: a reader, or whoever was made one, may sign a list of what they had no right to write, and leave by it.
#[test]
fn row_12_a_readers_list_does_not_count_when_the_reader_leaves() {
    let people = People::new();
    let list = StatementHash::new([7; 32]);
    let mut demoted = people.staffed();
    people.set_role(&mut demoted, 1, 3, Role::Reader).unwrap();
    for (mut roster, reader) in [(people.staffed(), 4), (demoted, 3)] {
        roster.leave(Some(list), &people.identities[reader]).unwrap();
        let is_it = |name: &ManifestName| name.statement == list;
        assert!(!roster.state().manifests.iter().any(is_it));
        assert!(roster.state().void_manifests.iter().any(is_it));
        assert_eq!(people.role(&roster, reader), None, "leaving counts");
    }
}

#[test]
fn roles_say_who_may_do_what() {
    let people = People::new();
    let mut roster = people.staffed();
    let before = roster.state().clone();
    for (by, may_write) in [(1, true), (3, true), (4, false), (5, false)] {
        assert_eq!(roster.state().may_write(&people.key(by)), may_write);
    }
    for by in [3, 4, 5] {
        assert_eq!(people.add(&mut roster, by, 6, Role::Reader), Err(RosterError::NotAllowed));
        assert_eq!(people.remove(&mut roster, by, 1), Err(RosterError::NotAllowed));
        assert_eq!(people.set_role(&mut roster, by, by, Role::Admin), Err(RosterError::NotAllowed));
    }
    for by in [1, ALICE] {
        assert_eq!(people.remove(&mut roster, by, ALICE), Err(RosterError::NotAllowed));
        assert_eq!(people.set_role(&mut roster, by, ALICE, Role::Reader), Err(RosterError::NotAllowed));
        assert_eq!(people.set_role(&mut roster, by, 3, Role::Owner), Err(RosterError::NotAllowed));
        assert_eq!(people.set_role(&mut roster, by, 5, Role::Reader), Err(RosterError::NotAllowed));
    }
    assert_eq!(people.add(&mut roster, 1, ALICE, Role::Owner), Err(RosterError::NotAllowed));
    assert_eq!(*roster.state(), before);
    people.add(&mut roster, 1, 5, Role::Writer).unwrap();
    people.set_role(&mut roster, 2, 3, Role::Reader).unwrap();
    people.remove(&mut roster, 1, 4).unwrap();
    people.remove(&mut roster, 1, 2).unwrap();
    assert_eq!(
        [2, 3, 4, 5].map(|p| people.role(&roster, p)),
        [None, Some(Role::Reader), None, Some(Role::Writer)]
    );
    // What an admin did while in office stays done.
    assert_eq!(people.remove(&mut roster, 2, 5), Err(RosterError::NotAllowed));
    let state = roster.state();
    assert_eq!((state.epoch, state.needs_epoch, state.void.len()), (3, false, 0));
    assert_eq!(state.login_of(&people.key(4)), Some("person4@example.com"));
    // And somebody may come back.
    people.add(&mut roster, ALICE, 2, Role::Writer).unwrap();
    assert_eq!(people.role(&roster, 2), Some(Role::Writer));
    people.add(&mut roster, ALICE, ALICE, Role::Owner).unwrap();
}

#[test]
fn row_21_injected_entries_do_not_count_and_are_reported() {
    let people = People::new();
    let clean = people.staffed();
    let mut roster = clean.clone();
    people.force(&mut roster, 5, Operation::Add { member: people.bundle(5), role: Role::Admin });
    people.force(&mut roster, 5, Operation::Remove { subject: people.key(1), manifest: None });
    people.force(
        &mut roster,
        3,
        Operation::Role { subject: people.key(3), role: Role::Admin, manifest: None },
    );
    people.force(&mut roster, 1, Operation::Epoch { epoch: 7, key_id: [1; 32], public: None });
    // Whoever takes the log at its word, well-formed and signed as it is, has a new admin.
    let adds_5 = |signed: &SignedEntry| matches!(&signed.entry.operation, Operation::Add { member, .. } if member.bundle().identity == people.key(5));
    assert!(roster.log.entries().iter().any(adds_5));
    assert_eq!(people.role(&roster, 5), None);
    assert_eq!(roster.state().void.len(), 4);
    assert_eq!(roster.state().members, clean.state().members);
    assert_eq!((roster.state().epoch, roster.state().disputed), (1, false));
    // The folder goes on.
    people.add(&mut roster, 1, 6, Role::Reader).unwrap();
    assert_eq!(people.role(&roster, 6), Some(Role::Reader));
}

#[test]
fn a_removal_beats_what_was_done_beside_it() {
    let people = People::new();
    let base = people.staffed();
    let (mut here, mut there) = (base.clone(), base.clone());
    people.remove(&mut here, 1, 3).unwrap();
    people.set_role(&mut there, 2, 3, Role::Admin).unwrap();
    people.add(&mut there, 2, 3, Role::Writer).unwrap();
    let both = merged(&here, &there);
    assert_eq!(people.role(&both, 3), None);
    assert!(!both.state().needs_epoch);
    // Raised here, demoted there: the lower role.
    let (mut here, mut there) = (base.clone(), base.clone());
    people.set_role(&mut here, 1, 4, Role::Admin).unwrap();
    people.set_role(&mut there, 2, 4, Role::Writer).unwrap();
    assert_eq!(people.role(&merged(&here, &there), 4), Some(Role::Writer));
    // The other side went on to newer epochs, whose keys the removed member got.
    let (mut here, mut there) = (base.clone(), base);
    people.remove(&mut here, 1, 3).unwrap();
    for seed in [7, 8] {
        let key = FolderKey::generate(&mut TestRandom::new(seed));
        there.start_epoch(key, &people.identities[2]).unwrap();
    }
    let mut both = merged(&here, &there);
    assert_eq!((both.state().epoch, both.state().needs_epoch), (3, true));
    both.start_epoch(FolderKey::generate(&mut TestRandom::new(9)), &people.identities[2]).unwrap();
    assert_eq!((both.state().epoch, both.state().needs_epoch), (4, false));
    assert_eq!(both.keys().count(), 5);
}

#[test]
fn of_two_epochs_started_at_once_one_is_gone_on_with_unless_a_removed_member_knows_its_key() {
    let people = People::new();
    let base = people.staffed();
    let (mut here, mut there) = (base.clone(), base.clone());
    here.start_epoch(FolderKey::generate(&mut TestRandom::new(7)), &people.identities[1]).unwrap();
    there.start_epoch(FolderKey::generate(&mut TestRandom::new(8)), &people.identities[2]).unwrap();
    let both = merged(&here, &there);
    assert_eq!((both.state().epoch, both.state().needs_epoch), (2, false));
    assert_eq!(both.state().key_ids.len(), 3);
    assert!(both.current_key().is_ok());
    // Each of two who were removed at once got the key that the other's removal made.
    let (mut here, mut there) = (base.clone(), base);
    people.remove(&mut here, 1, 3).unwrap();
    people.remove(&mut there, 2, 4).unwrap();
    let mut both = merged(&here, &there);
    assert_eq!((both.state().epoch, both.state().needs_epoch), (2, true));
    both.start_epoch(FolderKey::generate(&mut TestRandom::new(9)), &people.identities[ALICE]).unwrap();
    assert_eq!((both.state().epoch, both.state().needs_epoch), (3, false));
}

#[test]
fn nobody_escapes_a_removal_by_not_having_seen_it() {
    let people = People::new();
    let base = people.staffed();
    let (mut here, mut there) = (base.clone(), base);
    people.remove(&mut here, ALICE, 1).unwrap();
    // Written after the removal, as if before it.
    people.add(&mut there, 1, 5, Role::Admin).unwrap();
    people.add(&mut there, 5, 6, Role::Admin).unwrap();
    people.remove(&mut there, 1, 2).unwrap();
    let both = merged(&here, &there);
    assert_eq!([1, 2, 5, 6].map(|p| people.role(&both, p)), [None, Some(Role::Admin), None, None]);
    assert_eq!((both.state().disputed, both.state().void.len()), (false, 4));
}

#[test]
fn admins_who_remove_each_other_wait_for_the_owner() {
    let people = People::new();
    let base = people.staffed();
    let (mut here, mut there) = (base.clone(), base.clone());
    people.remove(&mut here, 1, 2).unwrap();
    people.remove(&mut there, 2, 1).unwrap();
    let mut both = merged(&here, &there);
    assert!(both.state().disputed);
    assert_eq!([1, 2].map(|p| people.role(&both, p)), [Some(Role::Admin), Some(Role::Admin)]);
    let mut owner = both.clone();
    people.remove(&mut owner, ALICE, 2).unwrap();
    assert!(!owner.state().disputed);
    assert_eq!([1, 2].map(|p| people.role(&owner, p)), [Some(Role::Admin), None]);
    both.merge(&owner).unwrap();
    assert_eq!(both.state(), owner.state());
    // No circle, no dispute: the owner's removal of 1 voids what 1 did to 2.
    let mut owner = base;
    people.remove(&mut owner, ALICE, 1).unwrap();
    let both = merged(&here, &owner);
    assert_eq!([1, 2].map(|p| people.role(&both, p)), [None, Some(Role::Admin)]);
    assert!(!both.state().disputed);
}

#[test]
fn what_the_owner_does_after_a_dispute_counts() {
    let people = People::new();
    // Many names, so that the hashes put the entries into many orders.
    for nonce in 0..12 {
        let key = FolderKey::generate(&mut TestRandom::new(1));
        let owner = &people.identities[ALICE];
        let mut base =
            Roster::create(people.bundle(ALICE), owner, [nonce; 16], FolderLayout::Flat, key).unwrap();
        for admin in [1, 2] {
            people.add(&mut base, ALICE, admin, Role::Admin).unwrap();
        }
        // 2 removes 1, who adds 5; but the owner has removed 2, so both of 1's and the owner's entries stand.
        let (mut first, mut second, mut third) = (base.clone(), base.clone(), base.clone());
        people.add(&mut first, 1, 5, Role::Reader).unwrap();
        people.remove(&mut second, 2, 1).unwrap();
        people.remove(&mut third, ALICE, 2).unwrap();
        let mut all = merged(&merged(&first, &second), &third);
        people.set_role(&mut all, ALICE, 5, Role::Writer).unwrap();
        assert_eq!([1, 2, 5].map(|p| people.role(&all, p)), [Some(Role::Admin), None, Some(Role::Writer)]);
        // A real dispute, settled; then an admin and the owner go on.
        let mut other = base.clone();
        people.remove(&mut other, 1, 2).unwrap();
        let mut all = merged(&second, &other);
        assert!(all.state().disputed);
        people.add(&mut all, ALICE, 5, Role::Reader).unwrap();
        people.add(&mut all, 1, 6, Role::Reader).unwrap();
        people.set_role(&mut all, ALICE, 6, Role::Writer).unwrap();
        assert!(!all.state().disputed);
        let roles = [1, 2, 5, 6].map(|p| people.role(&all, p));
        assert_eq!(roles, [Some(Role::Admin), Some(Role::Admin), Some(Role::Reader), Some(Role::Writer)]);
    }
}

#[test]
fn a_rollback_is_told_from_news() {
    let people = People::new();
    let old = people.staffed();
    let mut new = old.clone();
    people.add(&mut new, 1, 5, Role::Reader).unwrap();
    let mut other = old.clone();
    people.add(&mut other, 2, 6, Role::Reader).unwrap();
    assert_eq!(old.log().compare(old.log()), LogOrder::Same);
    assert_eq!(new.log().compare(old.log()), LogOrder::Ahead);
    assert_eq!(old.log().compare(new.log()), LogOrder::Behind);
    assert_eq!(other.log().compare(new.log()), LogOrder::Diverged);
    assert_ne!(old.state().head, new.state().head);
    assert_eq!(merged(&new, &other).log().heads().len(), 2);
    let elsewhere = Roster::create(
        people.bundle(1),
        &people.identities[1],
        [1; 16],
        FolderLayout::FanOut,
        FolderKey::generate(&mut TestRandom::new(1)),
    );
    assert_eq!(old.clone().merge(&elsewhere.unwrap()), Err(RosterError::OtherFolder));
}

pub(super) fn seal(roster: &Roster, signer: &SigningKey, rng: &mut TestRandom) -> Vec<u8> {
    seal_with(roster, &roster.member_envelopes(None).unwrap(), signer, rng)
}

pub(super) fn seal_with(
    roster: &Roster,
    envelopes: &Access,
    signer: &SigningKey,
    rng: &mut TestRandom,
) -> Vec<u8> {
    seal_roster_object(roster, envelopes, fields(), signer, rng).unwrap().bytes
}

pub(super) fn fields() -> RosterStatement {
    let dot = Dot { counter: 1, device: DEVICE };
    RosterStatement {
        device: DEVICE,
        device_name: "laptop".into(),
        clock: Clock::new().with(dot),
        dot,
        modified: Timestamp::default(),
        created: Timestamp::default(),
    }
}

#[test]
fn a_roster_is_opened_by_members_with_all_older_keys() {
    let people = People::new();
    let bob = test_keys::bob();
    let mut rng = TestRandom::new(3);
    let mut roster = people.staffed();
    roster.add(bundle_of(&bob, "bob@example.com", 9), Role::Writer, &people.identities[ALICE]).unwrap();
    people.remove(&mut roster, ALICE, 3).unwrap();
    let bytes = seal(&roster, &people.identities[ALICE], &mut rng);
    let account = AccountAlone::new(&bob.envelope, Vec::new());
    let opened = open_roster_object(&bytes, &account).unwrap();
    assert_eq!(opened.roster.state(), roster.state());
    assert_eq!(opened.roster.log(), roster.log());
    assert!(opened.roster.keys().map(|(name, _)| name).eq(roster.keys().map(|(name, _)| name)));
    assert_eq!(opened.header.statement.roster_head, roster.state().head);
    // With the folder's keys at hand no RSA is needed.
    let known = roster.clone();
    let keys = SyncedFolder { folder: roster.state().folder, keys: &known };
    assert!(open_roster_object(&bytes, &keys).is_ok());
    // Without Bob, in a new epoch, it is closed to Bob.
    let key = FolderKey::generate(&mut rng);
    roster.remove(bob.identity.public(), None, key, &people.identities[ALICE]).unwrap();
    let newer = seal(&roster, &people.identities[ALICE], &mut rng);
    let refused = open_roster_object(&newer, &AccountAlone::new(&bob.envelope, Vec::new()));
    assert_eq!(refused.map(drop), Err(HeaderError::NotARecipient));
    let before = SyncedFolder { folder: roster.state().folder, keys: &opened.roster };
    assert_eq!(open_roster_object(&newer, &before).map(drop), Err(HeaderError::NotARecipient));
    for at in (0..bytes.len()).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert!(open_roster_object(&bytes, &keys).is_err(), "byte {at}");
    }
}

#[test]
fn a_roster_under_an_older_key_than_its_log_names_is_refused() {
    let people = People::new();
    let mut rng = TestRandom::new(3);
    let roster = people.roster();
    let mut newer = roster.clone();
    newer.start_epoch(FolderKey::generate(&mut rng), &people.identities[ALICE]).unwrap();
    // A removed member, who still has the old key, seals the new log under it.
    let hybrid = Roster { log: newer.log.clone(), ..roster.clone() };
    let bytes = seal(&hybrid, &people.identities[ALICE], &mut rng);
    let keys = SyncedFolder { folder: roster.state().folder, keys: &newer };
    assert_eq!(open_roster_object(&bytes, &keys).map(drop), Err(HeaderError::Unauthentic));
    // An ordinary file is no roster.
    let found = keys.file_key(&super::super::Prefix::parse(&bytes).unwrap(), &Access::build([]).unwrap());
    assert_eq!(found.map(|FoundKey { .. }| ()), Err(HeaderError::NotARecipient));
}

#[test]
fn logs_are_read_as_they_were_written_and_no_otherwise() {
    let people = People::new();
    let mut roster = people.staffed();
    people.remove(&mut roster, 1, 4).unwrap();
    let mut w = Writer::new();
    roster.log.encode(&mut w);
    let bytes = w.into_bytes();
    assert_eq!(Log::decode(&mut Reader::new(&bytes)).unwrap(), roster.log);
    // The first byte counts the entries: with fewer of them it is an older log.
    for at in (1..bytes.len()).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert!(Log::decode(&mut Reader::new(&bytes)).is_err(), "byte {at}");
    }
    let entries = roster.log.entries();
    assert!(Log::new(entries[1..].to_vec()).is_err(), "without its beginning");
    assert!(Log::new([&entries[..2], &entries[3..]].concat()).is_err(), "with a hole");
    assert!(Log::new([entries, &entries[5..6]].concat()).is_err(), "out of order");
    assert!(Log::new(vec![]).is_err());
    assert!(Log::new(entries[..3].to_vec()).is_ok(), "an older state is a log, too");
}

proptest! {
    /// Three devices change a roster without knowing of each other, honestly or not, and meet in any order.
    #[test]
    fn everybody_comes_to_the_same_result(
        branches in prop::collection::vec(
            prop::collection::vec((0usize..6, 0usize..6, 0u8..5), 1..7), 3),
    ) {
        let people = People::new();
        let base = people.staffed();
        let mut rosters = Vec::new();
        for (number, branch) in branches.iter().enumerate() {
            let mut roster = base.clone();
            for &(by, about, what) in branch {
                let subject = people.key(about);
                let operation = match what {
                    0 => Operation::Add { member: people.bundle(about), role: Role::Admin },
                    1 => Operation::Remove { subject, manifest: None },
                    2 => Operation::Role { subject, role: Role::Reader, manifest: None },
                    3 => Operation::Layout { layout: FolderLayout::FanOut },
                    _ => Operation::Epoch {
                        epoch: roster.state().epoch + 1,
                        key_id: [u8::try_from(number).unwrap(); 32],
                        public: None,
                    },
                };
                people.force(&mut roster, by, operation);
            }
            rosters.push(roster);
        }
        let one = merged(&merged(&rosters[0], &rosters[1]), &rosters[2]);
        let other = merged(&rosters[0], &merged(&rosters[2], &rosters[1]));
        prop_assert_eq!(one.state(), other.state());
        let state = one.state();
        prop_assert_eq!(people.role(&one, ALICE), Some(Role::Owner));
        prop_assert!(!state.may_write(&people.key(6)));
        // Whoever the owner removed or demoted is never more than the owner made of them, unless added again later.
        let mut settled = one.clone();
        people.force(&mut settled, ALICE, Operation::Layout { layout: FolderLayout::Flat });
        prop_assert!(!settled.state().disputed);
    }
}

#[test]
fn envelopes_of_an_epoch_stay_as_they_are_and_a_dropped_one_is_missed() {
    let people = People::new();
    let mut roster = people.roster();
    let alice = &people.identities[ALICE];
    let before = roster.member_envelopes(None).unwrap();
    assert_eq!(roster.without_envelope(&before).count(), 0);
    let bob = bundle_of(&test_keys::bob(), "bob@example.com", 0xBB);
    roster.add(bob.clone(), Role::Reader, alice).unwrap();
    let missing: Vec<_> = roster.without_envelope(&before).collect();
    assert_eq!(missing, [&bob.bundle().envelope]);
    let after = roster.member_envelopes(Some(&before)).unwrap();
    assert_eq!((roster.without_envelope(&after).count(), after.envelopes().count()), (0, 2));
    assert_eq!(after.envelopes().next(), before.envelopes().next());
    // Of another epoch, and of somebody who is gone, none is kept.
    roster.start_epoch(FolderKey::generate(&mut TestRandom::new(9)), alice).unwrap();
    let anew = roster.member_envelopes(Some(&after)).unwrap();
    assert!(anew.envelopes().all(|new| after.envelopes().all(|old| old.body != new.body)));
    roster.remove(bob.bundle().identity, None, FolderKey::generate(&mut TestRandom::new(10)), alice).unwrap();
    assert_eq!(roster.member_envelopes(Some(&anew)).unwrap().envelopes().count(), 1);
}
