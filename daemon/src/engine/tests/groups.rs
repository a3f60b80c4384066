//! Folders that are shared with groups: joined, written, left, and news of a group that comes by whoever has it.

use std::fs;
use std::sync::Arc;

use ensafer_core::account::Account;
use ensafer_core::crypto::{EnvelopePrivateKey, SigningKey, SystemRandom};
use ensafer_core::format::roster::{Group, Role};
use ensafer_core::ids::GroupId;
use ensafer_core::plan::ProblemClass;

use super::accounts::{alice, bob, carol};
use super::world::{Device, TEN_MINUTES, World};
use crate::clock::Clock;
use crate::engine::{MemberChange, MembersError};
use crate::groups::{HeldGroup, group_key};

/// Alice's group with Bob in it, as her device holds it.
fn group_with_bob(a: &Device) -> GroupId {
    let account = alice();
    let (bundle, pair) = (account.bundle().clone(), EnvelopePrivateKey::generate());
    let mut group = Group::create(bundle, account.identity(), [7; 16], pair, &mut SystemRandom).unwrap();
    group.add(bob().bundle().clone(), Role::Reader, account.identity()).unwrap();
    let held = HeldGroup::seal(group, None, &account, a.clock.now()).unwrap();
    let id = held.id();
    a.vault.groups.lock().unwrap().push(Arc::new(held));
    id
}

/// Changes the one group that the device of `account` holds.
fn change_group(device: &mut Device, account: &Account, change: impl FnOnce(&mut Group, &SigningKey)) {
    let now = device.clock.now();
    let mut groups = device.vault.groups.lock().unwrap();
    let held = groups.first_mut().unwrap();
    let mut group = held.group().clone();
    change(&mut group, account.identity());
    *held = Arc::new(HeldGroup::seal(group, Some(held), account, now).unwrap());
}

fn expel_bob(group: &mut Group, signer: &SigningKey) {
    let pair = EnvelopePrivateKey::generate();
    group.remove(bob().identity().public(), pair, signer, &mut SystemRandom).unwrap();
}

/// A device of somebody who is in the folder by the group only, whose file lies in the encrypted folder.
fn member(world: &World, name: &str, account: &Arc<Account>, group: GroupId) -> Device {
    let object = fs::read(world.cloud().join(group_key(group).0.as_ref())).unwrap();
    let prepare = |vault: &super::accounts::TestVault| {
        vault.meet(&alice());
        vault.groups.lock().unwrap().push(Arc::new(HeldGroup::open(&object, account).unwrap()));
    };
    world.join(name, account, &world.cloud(), prepare).unwrap()
}

/// Alice's folder, shared with her group for writing; Bob is in it.
fn shared(world: &World) -> (Device, Device, GroupId) {
    let mut a = world.device("a");
    a.write("old", "older than the group");
    a.settle();
    let group = group_with_bob(&a);
    a.change(&MemberChange::ShareWith { group, role: Role::Writer }).unwrap();
    a.settle();
    let b = member(world, "b", &bob(), group);
    (a, b, group)
}

fn epoch(device: &Device) -> u32 {
    device.keys().roster().state().epoch
}

#[test]
fn a_group_is_shared_with_like_a_person() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    b.settle();
    b.write("by bob", "text");
    b.write("old", "edited by Bob");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((a.read("by bob").as_str(), a.read("old").as_str()), ("text", "edited by Bob"));
    assert_eq!(a.tree(), b.tree());
    assert!(a.problems().is_empty() && b.problems().is_empty(), "{:?} {:?}", a.problems(), b.problems());
    let again = a.change(&MemberChange::ShareWith { group, role: Role::Writer });
    assert!(matches!(again, Err(MembersError::AlreadyMember)), "{again:?}");
    let by_bob = b.change(&MemberChange::ShareWith { group, role: Role::Reader });
    assert!(matches!(by_bob, Err(MembersError::NotAllowed)), "{by_bob:?}");
    let unknown = a.change(&MemberChange::Unshare { group: GroupId::new([9; 16]) });
    assert!(matches!(unknown, Err(MembersError::NoGroup)), "{unknown:?}");
    // After a start, too, nothing of it shows in the work folder.
    for device in [&mut a, &mut b] {
        device.start();
        device.settle();
        assert!(device.problems().is_empty(), "{:?}", device.problems());
    }
}

#[test]
fn whoever_comes_into_the_group_later_reads_everything() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    b.write("by bob", "text");
    world.settle(&mut [&mut a, &mut b]);
    change_group(&mut a, &alice(), |group, signer| {
        group.add(carol().bundle().clone(), Role::Reader, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(epoch(&a), 1, "nobody has to be shut out");
    let mut c = member(&world, "c", &carol(), group);
    c.settle();
    assert_eq!(c.tree(), a.tree());
    c.write("by carol", "text");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    assert_eq!(b.read("by carol"), "text");
    assert!(b.problems().is_empty() && c.problems().is_empty());
}

#[test]
fn row_20_whoever_is_removed_from_the_group_opens_nothing_new() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    change_group(&mut a, &alice(), expel_bob);
    a.change(&MemberChange::LearnGroups).unwrap();
    assert_eq!(epoch(&a), 2);
    a.write("new", "not for Bob");
    a.settle();
    b.settle();
    assert!(!b.tree().contains_key("new"));
    let problems = b.problems();
    assert_eq!(problems.get(&a.roster_key()), Some(&ProblemClass::NotAMember), "{problems:?}");
    // What he had written stays, for who never saw it before, too.
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.tree(), a.tree());
    assert!(fresh.problems().is_empty() && a.problems().is_empty(), "{:?}", fresh.problems());
    // What he writes now is nobody's.
    b.write("by bob", "too late");
    b.settle();
    world.settle(&mut [&mut a, &mut fresh]);
    assert_eq!((a.read("by bob").as_str(), fresh.read("by bob").as_str()), ("in time", "in time"));
    // He comes back, and the roster comes before the group's file.
    let path = world.cloud().join(group_key(group).0.as_ref());
    let without_him = fs::read(&path).unwrap();
    change_group(&mut a, &alice(), |group, signer| {
        group.add(bob().bundle().clone(), Role::Reader, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    let with_him = fs::read(&path).unwrap();
    fs::write(&path, without_him).unwrap();
    b.look();
    assert_eq!(b.problems().get(&a.roster_key()), Some(&ProblemClass::NotAMember));
    fs::write(&path, with_him).unwrap();
    b.look();
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!((b.read("new").as_str(), a.read("by bob").as_str()), ("not for Bob", "too late"));
}

#[test]
fn what_nobody_had_seen_when_its_writer_left_the_group_is_not_lost() {
    let world = World::new();
    let (mut a, mut b, _) = shared(&world);
    b.write("by bob", "seen");
    world.settle(&mut [&mut a, &mut b]);
    // Alice's computer is off.
    b.write("by bob", "unseen");
    b.write("more", "unseen, too");
    b.settle();
    change_group(&mut a, &alice(), expel_bob);
    a.change(&MemberChange::LearnGroups).unwrap();
    let mut fresh = world.device("fresh");
    for _ in 0..3 {
        world.settle(&mut [&mut a, &mut fresh]);
        world.clock.advance(TEN_MINUTES);
    }
    assert_eq!((a.read("by bob"), a.read("more")), ("unseen".to_owned(), "unseen, too".to_owned()));
    assert_eq!(fresh.tree(), a.tree());
    assert!(a.problems().is_empty() && fresh.problems().is_empty(), "{:?}", a.problems());
}

/// Who comes into a group is named by no entry of the folder's.
#[test]
fn what_somebody_wrote_who_came_later_and_left_is_not_lost() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    change_group(&mut a, &alice(), |group, signer| {
        group.add(carol().bundle().clone(), Role::Reader, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let mut c = member(&world, "c", &carol(), group);
    c.settle();
    c.write("by carol", "in time");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    change_group(&mut a, &alice(), |group, signer| {
        let (carol, pair) = (carol().identity().public(), EnvelopePrivateKey::generate());
        group.remove(carol, pair, signer, &mut SystemRandom).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.tree(), a.tree());
    assert!(fresh.problems().is_empty(), "{:?}", fresh.problems());
}

/// No epoch of the group follows before one of its admins is there.
#[test]
fn whoever_leaves_a_group_has_what_they_wrote_named_at_once() {
    let world = World::new();
    let (mut a, mut b, _) = shared(&world);
    b.write("by bob", "in time");
    b.settle();
    change_group(&mut b, &bob(), |group, signer| group.leave(signer).unwrap());
    b.change(&MemberChange::LearnGroups).unwrap();
    a.settle();
    assert_eq!((a.read("by bob").as_str(), epoch(&a)), ("in time", 1));
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.read("by bob"), "in time");
    assert!(a.problems().is_empty() && fresh.problems().is_empty(), "{:?}", a.problems());
}

/// Whoever was in the group holds an old version of it, and the new one does not open for them.
#[test]
fn whoever_left_a_group_and_still_writes_leaves_its_file_alone() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    a.add(&bob(), Role::Writer).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    change_group(&mut a, &alice(), expel_bob);
    a.change(&MemberChange::LearnGroups).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(group_key(group).0.as_ref());
    let newest = fs::read(&path).unwrap();
    for _ in 0..3 {
        world.clock.advance(TEN_MINUTES);
        b.look();
        assert_eq!(fs::read(&path).unwrap(), newest);
    }
    fs::remove_file(&path).unwrap();
    for _ in 0..3 {
        b.look();
        world.clock.advance(TEN_MINUTES);
    }
    assert!(!path.exists(), "he has none that is good enough");
    assert!(b.problems().is_empty(), "{:?}", b.problems());
}

#[test]
fn news_of_a_group_comes_by_whoever_has_it_and_an_admin_shuts_out() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    change_group(&mut a, &alice(), |group, signer| {
        group.add(carol().bundle().clone(), Role::Admin, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    let mut c = member(&world, "c", &carol(), group);
    c.settle();
    // Carol administers the group, and in the folder she only writes.
    change_group(&mut c, &carol(), expel_bob);
    c.change(&MemberChange::LearnGroups).unwrap();
    c.settle();
    assert_eq!(epoch(&c), 1);
    world.settle(&mut [&mut a, &mut c]);
    assert_eq!((epoch(&a), epoch(&c)), (2, 2));
    let newest = a.vault.groups.lock().unwrap()[0].group().state().epoch;
    assert_eq!(newest, 2, "Alice's device heard of the group by its file");
    c.write("new", "not for Bob");
    world.settle(&mut [&mut a, &mut c]);
    b.settle();
    assert!(!b.tree().contains_key("new"));
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.tree(), a.tree());
    assert!([&a, &c, &fresh].iter().all(|device| device.problems().is_empty()));
}

#[test]
fn what_a_groups_members_had_written_stays_when_they_may_only_read() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    a.change(&MemberChange::ShareWith { group, role: Role::Reader }).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!((fresh.read("by bob"), epoch(&a)), ("in time".to_owned(), 1));
    b.write("by bob", "an edit of a reader's");
    a.write("new", "for readers, too");
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!(b.read("new"), "for readers, too");
    assert_eq!((a.read("by bob"), fresh.read("by bob")), ("in time".to_owned(), "in time".to_owned()));
    assert!(b.problems().values().any(|class| *class == ProblemClass::ReadOnly), "{:?}", b.problems());
}

#[test]
fn a_group_that_the_folder_is_taken_from_gets_nothing_new() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    a.change(&MemberChange::Unshare { group }).unwrap();
    a.write("new", "not for the group");
    a.settle();
    b.settle();
    assert_eq!(epoch(&a), 2);
    assert!(!b.tree().contains_key("new"));
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!(fresh.tree(), a.tree());
    assert!(a.problems().is_empty() && fresh.problems().is_empty());
    // And it may be shared with again.
    a.change(&MemberChange::ShareWith { group, role: Role::Writer }).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("new"), "not for the group");
}

#[test]
fn a_groups_file_that_is_lost_or_damaged_is_written_anew() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(group_key(group).0.as_ref());
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let end = bad.len() - 1;
    bad[end] ^= 1;
    let others = {
        let bundle = alice().bundle().clone();
        let pair = EnvelopePrivateKey::generate();
        let other = Group::create(bundle, alice().identity(), [8; 16], pair, &mut SystemRandom).unwrap();
        HeldGroup::seal(other, None, &alice(), world.clock.now()).unwrap().object().to_vec()
    };
    for written in [None, Some(bad), Some(others)] {
        match &written {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        a.look();
        assert_eq!(fs::read(&path).ok(), written, "it may still arrive");
        world.clock.advance(TEN_MINUTES);
        a.step();
        assert_eq!(fs::read(&path).unwrap(), good);
    }
    assert_eq!(a.vault.groups.lock().unwrap().len(), 1, "a group under another's name is not kept");
    // An older one, too.
    change_group(&mut a, &alice(), |group, signer| {
        group.add(carol().bundle().clone(), Role::Reader, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    a.settle();
    let newer = fs::read(&path).unwrap();
    assert_ne!(newer, good);
    fs::write(&path, &good).unwrap();
    a.look();
    assert_eq!(fs::read(&path).unwrap(), newer);
    world.settle(&mut [&mut a, &mut b]);
    assert!(a.problems().is_empty() && b.problems().is_empty());
}

#[test]
fn a_copy_of_a_groups_file_is_taken_in_and_goes_to_the_trash() {
    let world = World::new();
    let (mut a, mut b, group) = shared(&world);
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(group_key(group).0.as_ref());
    let before = fs::read(&path).unwrap();
    change_group(&mut a, &alice(), |group, signer| {
        group.add(carol().bundle().clone(), Role::Reader, signer).unwrap();
    });
    a.change(&MemberChange::LearnGroups).unwrap();
    // The cloud's client keeps both.
    let copy = path.with_file_name(group_key(group).0.replace(".ensafer", " (1).ensafer"));
    let grown = fs::read(&path).unwrap();
    fs::write(&copy, &grown).unwrap();
    fs::write(&path, &before).unwrap();
    b.settle();
    assert!(!copy.exists() && b.is_in_trash(&grown) && b.problems().is_empty(), "{:?}", b.problems());
    assert!(HeldGroup::open(&fs::read(&path).unwrap(), &carol()).is_ok(), "what the copy had is not lost");
}

#[test]
fn a_missing_file_of_a_group_is_put_back_when_its_time_comes() {
    let world = World::new();
    let (mut a, _, group) = shared(&world);
    let path = world.cloud().join(group_key(group).0.as_ref());
    let file = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(a.look().later, Some(TEN_MINUTES), "nothing else makes the device look again");
    world.clock.advance(TEN_MINUTES);
    a.look();
    assert_eq!(fs::read(&path).unwrap(), file);
}

#[test]
fn a_group_that_somebody_has_just_left_takes_no_new_folder() {
    let world = World::new();
    let mut a = world.device("a");
    a.settle();
    let group = group_with_bob(&a);
    change_group(&mut a, &bob(), |group, signer| group.leave(signer).unwrap());
    let refused = a.change(&MemberChange::ShareWith { group, role: Role::Writer });
    assert!(matches!(refused, Err(MembersError::GroupUnsettled)), "{refused:?}");
}

#[test]
fn a_role_can_be_taken_from_a_group_that_somebody_has_just_left() {
    let world = World::new();
    let (mut a, _, group) = shared(&world);
    change_group(&mut a, &bob(), |group, signer| group.leave(signer).unwrap());
    a.change(&MemberChange::ShareWith { group, role: Role::Reader }).unwrap();
}

#[test]
fn whoever_left_a_group_and_is_removed_is_named_by_one_list() {
    let world = World::new();
    let (mut a, mut b, _) = shared(&world);
    a.add(&bob(), Role::Writer).unwrap();
    b.write("by bob", "text");
    world.settle(&mut [&mut a, &mut b]);
    change_group(&mut a, &bob(), |group, signer| group.leave(signer).unwrap());
    a.change(&MemberChange::LearnGroups).unwrap();
    a.settle();
    let key = bob().identity().public();
    assert_eq!(a.keys().roster().state().groups[0].left, [key], "he writes on by himself");
    a.change(&MemberChange::Remove { subject: key }).unwrap();
    let keys = a.keys();
    let state = keys.roster().state();
    let names = state.manifests.iter().filter(|name| name.subject == key).count();
    assert!(!state.has_unnamed(&key) && names == 1, "{names} lists");
}
