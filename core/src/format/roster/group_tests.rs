//! Groups, and folders that are shared with them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::key_source::{AccountAlone, SyncedFolder};
use super::super::tests::{World, bundle_of, file};
use super::super::{HeaderError, Prefix, SealedObject, open_bytes};
use super::object::seal_payload;
use super::tests::{ALICE, People, fields, merged, seal};
use super::*;
use crate::crypto::{EnvelopePrivateKey, PrivateKeys, TestRandom, test_keys};

/// Who owns the group: not the folder's owner.
const OWEN: usize = 1;

fn rng() -> TestRandom {
    TestRandom::new(77)
}

pub(super) fn pair(number: usize) -> EnvelopePrivateKey {
    let [one, other] = test_keys::pairs();
    if number.is_multiple_of(2) { one } else { other }
}

fn folder_key(seed: u64) -> FolderKey {
    FolderKey::generate(&mut TestRandom::new(seed))
}

impl People {
    /// Owen's group, with nobody else in it.
    fn group(&self) -> Group {
        let owen = &self.identities[OWEN];
        Group::create(self.bundle(OWEN), owen, [9; 16], pair(0), &mut rng()).unwrap()
    }

    fn join(&self, group: &mut Group, person: usize) {
        group.add(self.bundle(person), Role::Reader, &self.identities[OWEN]).unwrap();
    }

    fn part(&self, group: &mut Group, person: usize) {
        let next = pair(group.state().epoch as usize);
        group.remove(self.key(person), next, &self.identities[OWEN], &mut rng()).unwrap();
    }

    fn share(&self, roster: &mut Roster, group: &Group, role: Role) {
        roster.share_with(group.log(), role, Vec::new(), &self.identities[ALICE]).unwrap();
    }

    fn writes(&self, roster: &Roster, person: usize) -> bool {
        roster.state().may_write(&self.key(person))
    }
}

fn seal_group(group: &Group, signer: &SigningKey) -> SealedObject {
    let envelopes = group.member_envelopes(None).unwrap();
    seal_group_object(group, &envelopes, fields(), signer, &mut rng()).unwrap()
}

/// Alice's folder, which she shares with Bob's group; Bob himself is no member.
struct Shared {
    world: World,
    group: Group,
}

impl Shared {
    fn new() -> Self {
        let mut world = World::new();
        let bob = bundle_of(&world.bob, "bob@example.com", 0xBB);
        let group = Group::create(bob, &world.bob.identity, [9; 16], pair(0), &mut world.rng).unwrap();
        let signer = &world.alice.identity;
        world.roster.share_with(group.log(), Role::Writer, Vec::new(), signer).unwrap();
        world.envelopes = world.roster.member_envelopes(None).unwrap();
        Self { world, group }
    }

    fn bob<'a>(bob: &'a PrivateKeys, group: &Group) -> AccountAlone<'a> {
        AccountAlone::new(&bob.envelope, Vec::new()).with_groups(group.pairs())
    }

    fn roster_bytes(&mut self) -> Vec<u8> {
        seal(&self.world.roster, &self.world.alice.identity, &mut self.world.rng)
    }
}

#[test]
fn a_group_member_opens_the_folder_by_the_groups_key() {
    let mut shared = Shared::new();
    let bytes = seal_group(&shared.group, &shared.world.bob.identity).bytes;
    let bob = test_keys::bob();
    let opened = open_group_object(&bytes, &bob.envelope, &[]).unwrap();
    assert_eq!(opened.group.state(), shared.group.state());
    assert_eq!(opened.group.id(), shared.group.id());
    // What was opened once needs no key of the account's again.
    let known = [opened.group.current_key().unwrap()];
    let alice = test_keys::alice();
    assert!(open_group_object(&bytes, &alice.envelope, &known).is_ok());
    assert_eq!(
        open_group_object(&bytes, &alice.envelope, &[]).map(drop),
        Err(HeaderError::NotARecipient),
        "a stranger"
    );

    let roster = shared.roster_bytes();
    let alone = AccountAlone::new(&bob.envelope, Vec::new());
    assert_eq!(open_roster_object(&roster, &alone).map(drop), Err(HeaderError::NotARecipient));
    let keys = Shared::bob(&bob, &opened.group);
    let read = open_roster_object(&roster, &keys).unwrap();
    assert_eq!(read.roster.state(), shared.world.roster.state());
    assert_eq!(keys.opened().len(), 1, "one RSA operation for the epoch");
    let content = shared.world.seal_file(b"for the group").bytes;
    assert_eq!(open_bytes(&content, &Shared::bob(&bob, &opened.group)).unwrap().1, b"for the group");
    // Bob writes as one of the group, and a file says so.
    let state = read.roster.state();
    assert!(state.may_write(&bob.identity.public()) && !state.may_administer(&bob.identity.public()));
    assert_eq!(state.login_of(&bob.identity.public()), Some("bob@example.com"));
    let authorship = shared.world.authorship(&bob.identity);
    let statement = super::super::Statement::from_object(&shared.world.object(file(b"by Bob")), &authorship);
    let seal = shared.world.roster.folder_seal(&shared.world.envelopes).unwrap();
    let rng = &mut shared.world.rng;
    let by_bob = super::super::seal_bytes(
        &seal,
        super::super::tests::FILE,
        1,
        statement,
        b"by Bob",
        &bob.identity,
        rng,
    );
    let (header, _) = shared.world.open(&by_bob.unwrap().bytes).unwrap();
    assert!(state.accepts(&header));
}

/// Row 20: whoever left a group cannot read what is written in the folder's next epoch.
#[test]
fn row_20_who_is_removed_from_a_group_is_removed_from_its_folders() {
    let mut shared = Shared::new();
    let alice = test_keys::alice();
    let bob = test_keys::bob();
    let people = People::new();
    let owner = &bob.identity;
    shared.group.add(people.bundle(3), Role::Reader, owner).unwrap();
    assert!(shared.world.roster.learn(shared.group.log()) && !shared.world.roster.learn(shared.group.log()));
    let state = shared.world.roster.state();
    assert_eq!((people.writes(&shared.world.roster, 3), state.needs_epoch), (true, false));

    let before = shared.group.clone();
    shared.group.remove(people.key(3), pair(1), owner, &mut rng()).unwrap();
    assert!(shared.world.roster.learn(shared.group.log()));
    let state = shared.world.roster.state();
    assert!(!state.may_write(&people.key(3)) && state.needs_epoch && state.groups[0].is_behind);
    assert_eq!(state.login_of(&people.key(3)), Some("person3@example.com"), "a former member");
    // The naive epoch goes to the key pair that the former member has.
    shared.world.roster.start_epoch(folder_key(9), &alice.identity).unwrap();
    let state = shared.world.roster.state();
    assert_eq!((state.epoch, state.needs_epoch, state.groups[0].is_behind), (2, false, false));
    let roster = shared.roster_bytes();
    let former = Shared::bob(&bob, &before);
    assert_eq!(open_roster_object(&roster, &former).map(drop), Err(HeaderError::NotARecipient));
    let inside = Shared::bob(&bob, &shared.group);
    assert_eq!(open_roster_object(&roster, &inside).unwrap().roster.keys().count(), 2, "older files too");
    // The group's own new object is closed to them as well.
    let bytes = seal_group(&shared.group, owner).bytes;
    let known = [before.current_key().unwrap()];
    assert_eq!(open_group_object(&bytes, &alice.envelope, &known).map(drop), Err(HeaderError::NotARecipient));
    let reopened = open_group_object(&bytes, &bob.envelope, &known).unwrap().group;
    assert_eq!(reopened.pairs().count(), 2);
}

#[test]
fn a_folder_whose_group_somebody_left_waits_for_the_groups_own_epoch() {
    let mut shared = Shared::new();
    let (alice, bob, people) = (test_keys::alice(), test_keys::bob(), People::new());
    shared.group.add(people.bundle(3), Role::Reader, &bob.identity).unwrap();
    shared.group.leave(&people.identities[3]).unwrap();
    assert!(shared.group.state().needs_epoch);
    assert!(shared.world.roster.learn(shared.group.log()));
    // A new folder epoch now would be wrapped for the pair that is known to who left.
    assert!(!shared.world.roster.state().needs_epoch);
    assert!(!people.writes(&shared.world.roster, 3));
    shared.group.start_epoch(pair(1), &bob.identity, &mut rng()).unwrap();
    assert!(!shared.group.state().needs_epoch);
    assert!(shared.world.roster.learn(shared.group.log()));
    assert!(shared.world.roster.state().needs_epoch);
    shared.world.roster.start_epoch(folder_key(9), &alice.identity).unwrap();
    assert!(!shared.world.roster.state().needs_epoch);
}

#[test]
fn a_group_can_be_removed_and_come_back() {
    let mut shared = Shared::new();
    let alice = test_keys::alice();
    let bob = test_keys::bob().identity.public();
    let group = shared.group.id();
    let manifest = StatementHash::new([5; 32]);
    let written = vec![Written { subject: bob, manifest }];
    let id = shared.world.roster.manifest_id(&bob);
    shared.world.roster.unshare_with(group, written, folder_key(9), &alice.identity).unwrap();
    let state = shared.world.roster.state();
    assert!(!state.may_write(&bob) && state.groups.is_empty() && !state.needs_epoch);
    assert_eq!(state.login_of(&bob), Some("bob@example.com"));
    assert_eq!(state.manifests, [ManifestName { subject: bob, id, statement: manifest }]);
    let envelopes = shared.world.roster.member_envelopes(None).unwrap();
    assert_eq!(envelopes.envelopes().count(), 1, "none for the group");
    let twice = vec![Written { subject: bob, manifest }; 2];
    let refused = shared.world.roster.share_with(shared.group.log(), Role::Reader, twice, &alice.identity);
    assert_eq!(refused, Err(RosterError::Malformed), "each is named once");
    let again = shared.world.roster.unshare_with(group, Vec::new(), folder_key(8), &alice.identity);
    assert_eq!(again, Err(RosterError::NotAllowed));
    let bytes = shared.roster_bytes();
    let keys = AccountAlone::new(&alice.envelope, Vec::new());
    assert_eq!(open_roster_object(&bytes, &keys).unwrap().roster.state(), shared.world.roster.state());
    shared.world.roster.share_with(shared.group.log(), Role::Reader, Vec::new(), &alice.identity).unwrap();
    let state = shared.world.roster.state();
    assert_eq!((state.role_of(&bob), state.needs_epoch), (Some(Role::Reader), false));
}

#[test]
fn removing_a_group_beats_what_was_done_beside_it() {
    let people = People::new();
    let mut group = people.group();
    let mut base = people.staffed();
    people.share(&mut base, &group, Role::Writer);
    let (mut here, mut there) = (base.clone(), base.clone());
    here.unshare_with(group.id(), Vec::new(), folder_key(4), &people.identities[2]).unwrap();
    people.join(&mut group, 5);
    people.share(&mut there, &group, Role::Writer);
    assert!(people.writes(&there, 5));
    let both = merged(&here, &there);
    assert!(!people.writes(&both, 5) && both.state().groups.is_empty());
    // Writer here, reader there: the lower role.
    let (mut here, mut there) = (base.clone(), base);
    people.share(&mut here, &group, Role::Reader);
    people.share(&mut there, &group, Role::Writer);
    let both = merged(&here, &there);
    assert_eq!(both.state().role_of(&people.key(5)), Some(Role::Reader));
    assert!(here.merge(&there).is_ok());
}

#[test]
fn only_admins_share_with_groups_and_only_as_readers_or_writers() {
    let people = People::new();
    let group = people.group();
    let mut roster = people.staffed();
    for by in [3, 4, 5] {
        let refused = roster.share_with(group.log(), Role::Reader, Vec::new(), &people.identities[by]);
        assert_eq!(refused, Err(RosterError::NotAllowed), "{by}");
    }
    assert!(!roster.learn(group.log()), "nobody named it");
    for role in [Role::Admin, Role::Owner] {
        let refused = roster.share_with(group.log(), role, Vec::new(), &people.identities[ALICE]);
        assert_eq!(refused, Err(RosterError::Malformed), "{role}");
    }
    roster.share_with(group.log(), Role::Reader, Vec::new(), &people.identities[2]).unwrap();
    assert_eq!(roster.state().role_of(&people.key(OWEN)), Some(Role::Admin), "their own role is more");
    let refused = group.clone().add(people.bundle(3), Role::Writer, &people.identities[OWEN]);
    assert_eq!(refused, Err(RosterError::Malformed), "there are no writers in groups");
}

#[test]
fn a_group_may_not_list_groups_and_no_log_passes_for_one_of_the_other_kind() {
    let people = People::new();
    let (group, folder) = (people.group(), people.staffed());
    let owen = &people.identities[OWEN];
    let other = Group::create(people.bundle(OWEN), owen, [8; 16], pair(1), &mut rng()).unwrap();
    let heads = other.log().heads();
    let of_groups = Operation::Group { group: other.id(), role: Role::Reader, heads, written: Vec::new() };
    assert_eq!(group.log().with(of_groups, &[], owen), Err(Malformed));
    for operation in [
        Operation::Ungroup { group: other.id(), written: Vec::new() },
        Operation::Layout { layout: FolderLayout::Flat },
        Operation::Epoch { epoch: 2, key_id: [1; 32], public: None },
        Operation::Remove { subject: people.key(3), manifest: Some(StatementHash::new([1; 32])) },
    ] {
        assert_eq!(group.log().with(operation, &[], owen), Err(Malformed));
    }
    let alice = &people.identities[ALICE];
    for operation in [
        Operation::Layout { layout: FolderLayout::Group },
        Operation::Epoch { epoch: 2, key_id: [1; 32], public: Some(pair(0).public()) },
    ] {
        assert_eq!(folder.log().with(operation, &[], alice), Err(Malformed));
    }
    // A folder's log where a group's belongs, and the ids, which have labels of their own.
    let refused = people.staffed().share_with(folder.log(), Role::Reader, Vec::new(), alice);
    assert_eq!(refused, Err(RosterError::Malformed));
    assert_ne!(people.key(OWEN).group_id(&[9; 16]).as_folder(), people.key(OWEN).folder_id(&[9; 16]));
    let mut entry = group.log().entries()[0].entry.clone();
    let Operation::Create { layout, public, .. } = &mut entry.operation else { panic!() };
    (*layout, *public) = (FolderLayout::Flat, None);
    assert!(Log::new(vec![SignedEntry::sign(entry, owen).unwrap()]).is_err(), "a group's id as a folder's");
}

/// Seals what a forger made of a roster, under the keys that its members have.
pub(super) fn forged<P: RosterKind>(roster: &Roster<P>, payload: &[u8], signer: &SigningKey) -> Vec<u8> {
    let envelopes = roster.member_envelopes(None).unwrap();
    seal_payload(roster, "roster", payload, &envelopes, fields(), signer, &mut rng()).unwrap().bytes
}

#[test]
fn a_folders_object_is_no_groups_nor_the_other_way_round() {
    let mut shared = Shared::new();
    let bob = test_keys::bob();
    let folder = shared.roster_bytes();
    let alice = test_keys::alice();
    assert_eq!(
        open_group_object(&folder, &alice.envelope, &[]).map(drop),
        Err(HeaderError::NotARecipient),
        "a folder's envelopes are no group's"
    );
    let group = seal_group(&shared.group, &bob.identity).bytes;
    let account = AccountAlone::new(&bob.envelope, Vec::new());
    assert_eq!(open_roster_object(&group, &account).map(drop), Err(HeaderError::NotARecipient));
    let synced = shared.world.synced();
    assert!(matches!(open_roster_object(&group, &synced), Err(HeaderError::Foreign(_))));

    // The log of a group whose owner names a folder's key in it, in an object that is a folder's by key and envelopes.
    let key = folder_key(5);
    let mut entry = shared.group.log().entries()[0].entry.clone();
    let id = (1, key.id(entry.folder, 1));
    let Operation::Create { key_id, .. } = &mut entry.operation else { panic!() };
    *key_id = id.1;
    let log = Log::new(vec![SignedEntry::sign(entry, &bob.identity).unwrap()]).unwrap();
    let groups = GroupLogs::new();
    let state = fold::fold(&log, &groups);
    let keys = BTreeMap::from([(id, Arc::new(key))]);
    let disguised = Roster::<purpose::Folder> { log, state, keys, groups };
    let mut w = crate::cbor::Writer::new();
    w.array(2);
    object::encode_log_and_keys(&disguised, &mut w, &mut rng()).unwrap();
    let bytes = forged(&disguised, &w.into_bytes(), &bob.identity);
    assert_eq!(open_roster_object(&bytes, &account).map(drop), Err(HeaderError::Unauthentic));
}

/// Row 2: a server serves another group than was asked for, or one of its own making under the same id.
#[test]
fn row_02_a_groups_key_comes_from_its_own_log() {
    let people = People::new();
    let group = people.group();
    // The server is Eve, who knows whom to wrap for: her group opens, and is another one.
    let eve = &people.identities[6];
    let hers = Group::create(people.bundle(6), eve, [9; 16], pair(1), &mut rng()).unwrap();
    let opened = open_group_object(&seal_group(&hers, eve).bytes, &people.alice.envelope, &[]).unwrap();
    assert_ne!(opened.group.id(), group.id());
    // Under the right id there is no first entry but the owner's.
    let mut first = group.log().entries()[0].entry.clone();
    let Operation::Create { public, owner, .. } = &mut first.operation else { panic!() };
    (*public, *owner, first.signer) = (Some(pair(1).public()), people.bundle(6), people.key(6));
    assert!(Log::new(vec![SignedEntry::sign(first, eve).unwrap()]).is_err());
    // Nor does a folder wrap its key for any pair but that of the log's own epochs.
    let mut roster = people.roster();
    people.share(&mut roster, &group, Role::Writer);
    let own = pair(0).public();
    let recipients: Vec<_> = roster.state().recipients().collect();
    assert_eq!(recipients, [&people.alice.envelope.public(), &own]);
}

/// Row 5: a group's key, in the place of a folder's, opens and seals no file.
#[test]
fn row_05_a_groups_key_is_no_folders() {
    let mut shared = Shared::new();
    let bob = test_keys::bob();
    let opened = shared.group.current_key().unwrap();
    let name = opened.name;
    let wrapped = bob.envelope.public().wrap_group_key(&name, &opened.key);
    assert!(bob.envelope.unwrap_group_key(&name, &wrapped).is_ok());
    assert!(bob.envelope.unwrap_folder_key(&name, &wrapped).is_err());
    // The group's envelope, said to be a folder's, in a file.
    let file = shared.world.seal_file(b"content").bytes;
    let prefix = Prefix::parse(&file).unwrap();
    let group = seal_group(&shared.group, &bob.identity).bytes;
    let of_group = Prefix::parse(&group).unwrap();
    let start = super::super::PREFIX_LEN;
    let access = Access::parse(&group[start..start + of_group.access_len]).unwrap();
    let own = access.envelopes().next().unwrap();
    let folder = Envelope { kind: EnvelopeType::FOLDER, flags: 0, hint: [0; 8], body: &own.body[..156] };
    let member = Envelope { kind: EnvelopeType::MEMBER, ..own };
    let planted = Access::build([folder, member]).unwrap();
    let account = AccountAlone::new(&bob.envelope, Vec::new());
    let found = super::super::FileKeySource::file_key(&account, &prefix, &planted);
    assert_eq!(found.map(drop), Err(HeaderError::Unauthentic));
    // As it is, nobody looks at it.
    let unread = Access::build([folder, own]).unwrap();
    let found = super::super::FileKeySource::file_key(&account, &prefix, &unread);
    assert_eq!(found.map(drop), Err(HeaderError::NotARecipient));
}

/// Row 21: neither a folder's admin nor a group's member puts somebody into a group.
#[test]
fn row_21_nobody_but_its_admins_changes_a_group() {
    let people = People::new();
    let mut group = people.group();
    people.join(&mut group, 3);
    let mut roster = people.staffed();
    people.share(&mut roster, &group, Role::Writer);
    for by in [ALICE, 2, 3, 6] {
        let add = Operation::Add { member: people.bundle(6), role: Role::Reader };
        let injected = group.log().with(add, &[], &people.identities[by]).unwrap();
        let mut robbed = roster.clone();
        assert!(robbed.learn(&injected));
        assert!(!people.writes(&robbed, 6), "injected by {by}");
        assert_eq!(robbed.state().groups[0].state.void.len(), 1);
    }
    // An epoch by a member, with a pair of their own: the folder's key is never wrapped for it.
    let own = Operation::Epoch { epoch: 2, key_id: [1; 32], public: Some(pair(1).public()) };
    let injected = group.log().with(own, &[], &people.identities[3]).unwrap();
    assert!(roster.learn(&injected));
    assert_eq!(roster.state().groups[0].state.public, Some(pair(0).public()));
    assert!(!roster.state().needs_epoch);
}

#[test]
fn an_altered_older_or_missing_log_of_a_group_is_refused() {
    let mut shared = Shared::new();
    let (alice, bob, people) = (test_keys::alice(), test_keys::bob(), People::new());
    let older = shared.group.log().clone();
    shared.group.add(people.bundle(3), Role::Reader, &bob.identity).unwrap();
    shared.group.remove(people.key(3), pair(1), &bob.identity, &mut rng()).unwrap();
    let named = shared.world.roster.share_with(shared.group.log(), Role::Writer, Vec::new(), &alice.identity);
    named.unwrap();
    let roster = shared.world.roster.clone();
    let payload = |logs: &[&[u8]]| {
        let mut w = crate::cbor::Writer::new();
        w.array(if logs.is_empty() { 2 } else { 3 });
        object::encode_log_and_keys(&roster, &mut w, &mut rng()).unwrap();
        if !logs.is_empty() {
            w.array(logs.len());
        }
        [w.into_bytes(), logs.concat()].concat()
    };
    let encoded = |log: &Log| {
        let mut w = crate::cbor::Writer::new();
        log.encode(&mut w);
        w.into_bytes()
    };
    let open = |payload: &[u8]| {
        let bytes = forged(&roster, payload, &alice.identity);
        open_roster_object(&bytes, &AccountAlone::new(&alice.envelope, Vec::new())).map(drop)
    };
    let own = encoded(shared.group.log());
    assert_eq!(open(&payload(&[&own])), Ok(()));
    assert_eq!(open(&payload(&[&encoded(&older)])), Err(HeaderError::Unauthentic), "older");
    assert_eq!(open(&payload(&[])), Err(HeaderError::Unauthentic), "missing");
    assert_eq!(open(&payload(&[&own, &own])), Err(HeaderError::Unauthentic), "twice");
    assert_eq!(open(&payload(&[&encoded(roster.log())])), Err(HeaderError::Unauthentic), "a folder's");
    let other = Group::create(people.bundle(OWEN), &people.identities[OWEN], [8; 16], pair(1), &mut rng());
    let other = encoded(other.unwrap().log());
    let mut two = [own.as_slice(), other.as_slice()];
    two.sort_by_key(|log| Log::decode(&mut crate::cbor::Reader::new(log)).unwrap().group());
    assert_eq!(open(&payload(&two)), Err(HeaderError::Unauthentic), "of a group that is not listed");
    for at in (1..own.len()).step_by(97) {
        let mut altered = own.clone();
        altered[at] ^= 1;
        assert_eq!(open(&payload(&[&altered])), Err(HeaderError::Unauthentic), "byte {at}");
    }
    // A device that has seen more takes an older log for a rollback, though the folder's own is the same.
    let mut newer = roster.clone();
    shared.group.add(people.bundle(4), Role::Reader, &bob.identity).unwrap();
    assert!(newer.learn(shared.group.log()));
    assert_eq!(roster.log().compare(newer.log()), LogOrder::Same);
    assert_eq!((roster.compare(&newer), newer.compare(&roster)), (LogOrder::Behind, LogOrder::Ahead));
    assert!(merged(&roster, &newer).state().may_write(&people.key(4)));
}

#[test]
fn two_admins_start_epochs_of_a_group_at_once() {
    let people = People::new();
    let mut base = people.group();
    base.add(people.bundle(2), Role::Admin, &people.identities[OWEN]).unwrap();
    people.join(&mut base, 3);
    people.join(&mut base, 4);
    let (mut here, mut there) = (base.clone(), base.clone());
    here.remove(people.key(3), pair(0), &people.identities[OWEN], &mut TestRandom::new(1)).unwrap();
    there.remove(people.key(4), pair(1), &people.identities[2], &mut TestRandom::new(2)).unwrap();
    here.merge(&there).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(here.state(), there.state());
    assert_eq!((here.pairs().count(), here.state().needs_epoch), (3, true));
    here.start_epoch(pair(0), &people.identities[2], &mut rng()).unwrap();
    assert_eq!((here.state().epoch, here.state().needs_epoch), (3, false));
    // All of it goes into the object and comes out again; whoever is in shares Alice's RSA key here.
    let bytes = seal_group(&here, &people.identities[2]).bytes;
    let opened = open_group_object(&bytes, &people.alice.envelope, &[]).unwrap().group;
    assert_eq!((opened.state(), opened.pairs().count()), (here.state(), 4));
    assert!(opened.has_all_envelopes(&opened.member_envelopes(None).unwrap()));
    for at in (0..bytes.len()).step_by(41) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert!(open_group_object(&bytes, &people.alice.envelope, &[]).is_err(), "byte {at}");
    }
}

/// A member who injects an entry of the epoch's name with a pair of their own does not shut the group to the others.
#[test]
fn an_entry_that_borrows_an_epochs_name_harms_nobody() {
    let people = People::new();
    let mut group = people.group();
    people.join(&mut group, 3);
    people.part(&mut group, 3);
    let key_id = group.state().key_id;
    for public in [pair(0).public(), pair(1).public()] {
        let borrowed = Operation::Epoch { epoch: 2, key_id, public: Some(public) };
        let signer = &people.identities[3];
        let log = group.log().with(borrowed, &[], signer).unwrap();
        group.replace_log(log);
    }
    let bytes = seal_group(&group, &people.identities[OWEN]).bytes;
    let opened = open_group_object(&bytes, &people.alice.envelope, &[]).unwrap().group;
    assert_eq!((opened.state().void.len(), opened.pairs().count()), (2, 2));
}

#[test]
fn a_folder_lists_so_many_groups_and_no_more() {
    let people = People::new();
    let owen = &people.identities[OWEN];
    let mut roster = people.roster();
    for nonce in 0..=u8::try_from(MAX_GROUPS).unwrap() {
        let group = Group::create(people.bundle(OWEN), owen, [nonce; 16], pair(0), &mut rng()).unwrap();
        let shared = roster.share_with(group.log(), Role::Reader, Vec::new(), &people.identities[ALICE]);
        let has_room = usize::from(nonce) < MAX_GROUPS;
        assert_eq!(shared, if has_room { Ok(()) } else { Err(RosterError::Malformed) });
    }
    let bytes = seal(&roster, &people.identities[ALICE], &mut rng());
    let keys = SyncedFolder { folder: roster.state().folder, keys: &roster };
    assert_eq!(open_roster_object(&bytes, &keys).unwrap().roster.state().groups.len(), MAX_GROUPS);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(usize),
    Part(usize),
    Share(bool),
    Unshare,
    Epoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 3usize..6;
    let step = prop_oneof![
        person.clone().prop_map(Step::Join),
        person.prop_map(Step::Part),
        any::<bool>().prop_map(Step::Share),
        Just(Step::Unshare),
        Just(Step::Epoch),
    ];
    prop::collection::vec(step, 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens in the group and in the folder: a person may write exactly while they are in the group and the
    /// group may write; and once nothing is left to be done, nobody who was removed has the folder's key.
    #[test]
    fn a_person_may_write_exactly_while_in(steps in steps()) {
        let people = People::new();
        let alice = &people.identities[ALICE];
        let (mut group, mut roster) = (people.group(), people.roster());
        let mut inside = BTreeSet::from([OWEN]);
        let mut role = None;
        // Who knows the pair of each epoch of the group, and who has the folder's current key.
        let mut knows_pair = vec![inside.clone()];
        let mut knows_folder: BTreeSet<usize> = BTreeSet::new();
        for (seed, step) in (1000..).zip(steps) {
            match step {
                Step::Join(person) => {
                    people.join(&mut group, person);
                    inside.insert(person);
                    knows_pair.last_mut().unwrap().insert(person);
                }
                Step::Part(person) if inside.remove(&person) => {
                    people.part(&mut group, person);
                    knows_pair.push(inside.clone());
                }
                Step::Share(writes) => {
                    let granted = if writes { Role::Writer } else { Role::Reader };
                    people.share(&mut roster, &group, granted);
                    role = Some(granted);
                }
                Step::Unshare if role.take().is_some() => {
                    roster.unshare_with(group.id(), Vec::new(), folder_key(seed), alice).unwrap();
                    knows_folder.clear();
                }
                Step::Epoch => {
                    roster.start_epoch(folder_key(seed), alice).unwrap();
                    knows_folder.clear();
                }
                Step::Part(_) | Step::Unshare => {}
            }
            roster.learn(group.log());
            if roster.state().needs_epoch {
                roster.start_epoch(folder_key(seed + 1000), alice).unwrap();
                knows_folder.clear();
            }
            prop_assert!(!roster.state().needs_epoch);
            if role.is_some() {
                knows_folder.extend(knows_pair.last().unwrap());
            }
            for person in 1..7 {
                let may = inside.contains(&person) && role == Some(Role::Writer);
                prop_assert_eq!(people.writes(&roster, person), may, "{} after {:?}", person, step);
                let reads = inside.contains(&person) && role.is_some();
                prop_assert_eq!(roster.state().role_of(&people.key(person)).is_some(), reads);
                prop_assert!(reads || !knows_folder.contains(&person), "{} keeps the key", person);
            }
        }
        let bytes = seal(&roster, alice, &mut rng());
        let keys = SyncedFolder { folder: roster.state().folder, keys: &roster };
        let opened = open_roster_object(&bytes, &keys).unwrap();
        prop_assert_eq!(opened.roster.state(), roster.state());
    }
}
