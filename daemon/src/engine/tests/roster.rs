//! The roster's file: missing, damaged, foreign, and what of it is put back.

use std::fs;

use ensafer_core::clock::Dot;
use ensafer_core::format::DAMAGED_AFTER;
use ensafer_core::format::roster::Role;
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;

use super::accounts::{alice, bob};
use super::world::{Device, EVIL, TEN_MINUTES, World};
use crate::folder_keys::Guests;

#[test]
fn rule_19_a_roster_that_is_gone_is_put_back() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(a.roster_key());
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    a.write("g", "written meanwhile");
    for _ in 0..2 {
        let step = a.look();
        assert!(!step.planned && !step.is_settled());
        assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::Missing));
        assert!(!path.exists());
        world.clock.advance(TEN_MINUTES / 2);
    }
    a.look();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((b.read("g").as_str(), a.problems().len()), ("written meanwhile", 0));
}

#[test]
fn rule_19_a_damaged_roster_is_replaced_by_the_accepted_one() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let path = world.cloud().join(a.roster_key());
    let bytes = fs::read(&path).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).unwrap();
    a.settle();
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::StillArriving));
    // The accepted roster is known: work goes on, and the problem does not go away by looking elsewhere.
    a.write("g", "written meanwhile");
    a.folder().hint(crate::watch::Side::Work, crate::watch::Hint::Directory(String::new()));
    assert_eq!(a.step().published, 1);
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::StillArriving));
    world.clock.advance(DAMAGED_AFTER);
    a.settle();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert!(a.is_in_trash(&damaged));
    a.settle();
    assert!(a.problems().is_empty());
}

#[test]
fn a_device_without_a_state_waits_for_its_roster() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let path = world.cloud().join(a.roster_key());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let store = world.snapshot();
    a.lose_state();
    a.write("g", "text of g");
    let step = a.look();
    assert!(!step.planned && !step.is_settled());
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::StillArriving));
    world.clock.advance(TEN_MINUTES * 200);
    a.look();
    assert_eq!(world.snapshot(), store);
    fs::write(&path, &bytes).unwrap();
    a.settle();
    assert_eq!((world.names().len(), a.problems().len()), (3, 0));
}

#[test]
fn the_roster_of_another_folder_is_no_roster_of_this_one() {
    for account in [alice(), bob()] {
        let world = World::new();
        let mut a = world.device("a");
        a.write("f", "text");
        a.settle();
        let elsewhere = world.path().join("another cloud");
        fs::create_dir(&elsewhere).unwrap();
        let other = world.device_of("other", &account, &elsewhere);
        let foreign = fs::read(elsewhere.join(other.roster_key())).unwrap();
        let path = world.cloud().join(a.roster_key());
        fs::write(&path, &foreign).unwrap();
        let store = world.snapshot();
        for _ in 0..2 {
            a.settle();
            let class = a.problems().get(&a.roster_key()).copied();
            let is_refused = matches!(class, Some(ProblemClass::Foreign | ProblemClass::NotARecipient));
            assert!(is_refused, "{class:?}");
            assert_eq!(world.snapshot(), store);
            a.lose_state();
        }
        assert_eq!(a.read("f"), "text");
        world.clock.advance(TEN_MINUTES * 200);
        a.look();
        assert_eq!(world.snapshot(), store, "whoever has accepted none has none to put back");
    }
}

#[test]
fn rule_19_the_roster_is_put_back_where_another_folders_lies() {
    for account in [alice(), bob()] {
        let world = World::new();
        let mut a = world.device("a");
        a.write("f", "text");
        a.settle();
        let path = world.cloud().join(a.roster_key());
        let good = fs::read(&path).unwrap();
        let elsewhere = world.path().join("another cloud");
        fs::create_dir(&elsewhere).unwrap();
        let other = world.device_of("other", &account, &elsewhere);
        let foreign = fs::read(elsewhere.join(other.roster_key())).unwrap();
        fs::write(&path, &foreign).unwrap();
        a.settle();
        assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::Foreign));
        assert_eq!(fs::read(&path).unwrap(), foreign);
        world.clock.advance(DAMAGED_AFTER);
        a.settle();
        assert_eq!(fs::read(&path).unwrap(), good);
        assert!(a.is_in_trash(&foreign));
        a.settle();
        assert!(a.problems().is_empty(), "{:?}", a.problems());
    }
}

/// Anybody can write a roster that nobody can open. It stops who may have been removed, and not the owner.
#[test]
fn a_roster_under_an_unknown_key_does_not_shut_out_the_owner() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(a.roster_key());
    let good = fs::read(&path).unwrap();
    let mut made = good.clone();
    // The key epoch in PREFIX.
    made[43] += 1;
    fs::write(&path, &made).unwrap();
    b.settle();
    assert_eq!(b.problems().get(&a.roster_key()), Some(&ProblemClass::NotAMember));
    a.write("g", "written meanwhile");
    a.settle();
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::StillArriving));
    world.clock.advance(DAMAGED_AFTER);
    a.settle();
    assert_eq!(fs::read(&path).unwrap(), good);
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("g"), "written meanwhile");
    assert!(a.problems().is_empty() && b.problems().is_empty(), "{:?} {:?}", a.problems(), b.problems());
}

#[test]
fn a_copy_of_the_roster_goes_to_the_trash() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.settle();
    let name = a.roster_key().replace(".ensafer", " (1).ensafer");
    let bytes = fs::read(world.cloud().join(a.roster_key())).unwrap();
    fs::write(world.cloud().join(&name), &bytes).unwrap();
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("f"), "text");
    assert!(a.problems().is_empty() && b.problems().is_empty());
    assert!(!world.cloud().join(&name).exists() && a.is_in_trash(&bytes));
}

/// The roster with one member more, as another device of the owner writes it.
fn grown(device: &Device) -> Vec<u8> {
    let keys = device.keys();
    let mut roster = keys.roster().clone();
    roster.add(bob().bundle().clone(), Role::Reader, keys.signer()).unwrap();
    let dot = Dot { counter: 1_000_000, device: EVIL };
    let now = Timestamp::from_parts(1_700_000_000, 0);
    keys.seal_roster(&roster, &[], &Guests::default(), dot, now).unwrap()
}

#[test]
fn a_roster_that_has_shrunk_is_refused_reported_and_published_anew() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let path = world.cloud().join(a.roster_key());
    let (old, new) = (fs::read(&path).unwrap(), grown(&a));
    fs::write(&path, &new).unwrap();
    a.settle();
    assert!(a.problems().is_empty(), "one that has grown is taken over");
    fs::write(&path, &old).unwrap();
    let step = a.look();
    assert!(step.planned);
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::RolledBack));
    assert_eq!(fs::read(&path).unwrap(), new);
    assert!(a.is_in_trash(&old));
    a.write("g", "written under the newer roster");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("g"), "written under the newer roster");
    assert!(a.problems().is_empty() && b.problems().is_empty());
}
