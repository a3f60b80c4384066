//! Engine rule 15: the brakes, and what releases them.

use std::fs;

use ensafer_core::safety::BrakeKind;

use super::world::{Device, TEN_MINUTES, World};

fn forty_files(device: &Device) {
    for n in 0..40 {
        device.write(&format!("f{n:02}"), &format!("text {n}"));
    }
}

/// Steps until the brake holds with everything that it will list.
fn brake(device: &mut Device) -> Option<ensafer_core::safety::Brake> {
    let settled = device.settle();
    let step = device.look();
    assert_eq!(settled.braked, step.brake.is_some());
    step.brake
}

#[test]
fn rule_15_many_deletions_wait_for_exactly_this_go_on() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    forty_files(&a);
    world.settle(&mut [&mut a, &mut b]);
    let store = world.snapshot();
    (0..25).for_each(|n| a.remove(&format!("f{n:02}")));
    let held = brake(&mut a).unwrap();
    assert_eq!((held.kind, held.count, held.objects.len()), (BrakeKind::LocalDeletions, 25, 25));
    assert_eq!(world.snapshot(), store, "nothing is done while the brake holds");
    // One deletion more is not what was allowed.
    a.remove("f30");
    let more = brake(&mut a).unwrap();
    assert_eq!(more.count, 26);
    a.folder().allow(&held.token).unwrap();
    assert_eq!(brake(&mut a).map(|brake| brake.token), Some(more.token.clone()));
    a.folder().allow(&more.token).unwrap();
    a.settle();
    assert_eq!(a.look().brake, None);
    // The other device brakes by itself: it does not know who said so.
    let remote = brake(&mut b).unwrap();
    assert_eq!((remote.kind, remote.count), (BrakeKind::RemoteDeletions, 26));
    assert_eq!(b.tree().len(), 40);
    b.folder().allow(&remote.token).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.tree(), b.tree());
    assert_eq!(b.tree().len(), 14);
    assert_eq!(b.trash().iter().filter(|(name, _)| name.starts_with('f')).count(), 26);
}

#[test]
fn rule_15_a_brake_survives_a_restart_and_small_steps_add_up() {
    let world = World::new();
    let mut a = world.device("a");
    forty_files(&a);
    a.settle();
    for n in 0..20 {
        a.remove(&format!("f{n:02}"));
        if n % 5 == 4 {
            assert!(!a.settle().braked, "{n}");
        }
    }
    a.start();
    a.remove("f20");
    assert_eq!(brake(&mut a).map(|brake| brake.kind), Some(BrakeKind::LocalDeletions));
    a.start();
    assert!(brake(&mut a).is_some());
    world.clock.advance(TEN_MINUTES);
    assert_eq!(brake(&mut a), None, "after ten minutes they count no more");
}

#[test]
fn rule_15_an_emptied_root_deletes_nothing() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for n in 0..5 {
        a.write(&format!("f{n}"), "text");
    }
    world.settle(&mut [&mut a, &mut b]);
    let store = world.snapshot();
    (0..5).for_each(|n| a.remove(&format!("f{n}")));
    let held = brake(&mut a).unwrap();
    assert_eq!((held.kind, held.objects.len()), (BrakeKind::RootGone, 5));
    assert_eq!(world.snapshot(), store);
    a.folder().allow(&held.token).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert!(b.tree().is_empty());
}

#[test]
fn rule_15_a_lost_or_damaged_marker_brakes() {
    for damaged in [None, Some("damaged")] {
        let world = World::new();
        let mut a = world.device("a");
        a.write("f", "text");
        a.write("g", "text");
        a.settle();
        let store = world.snapshot();
        match damaged {
            None => fs::remove_file(a.path(".ensafer/folder")).unwrap(),
            Some(text) => fs::write(a.path(".ensafer/folder"), text).unwrap(),
        }
        a.remove("f");
        let held = brake(&mut a).unwrap();
        assert_eq!(held.kind, BrakeKind::RootGone);
        assert_eq!(world.snapshot(), store);
        a.folder().allow(&held.token).unwrap();
        a.settle();
        assert_eq!(a.look().brake, None);
        assert!(fs::read_to_string(a.path(".ensafer/folder")).unwrap().contains(&a.entry.id.to_string()));
        assert!(a.base_of("f").object.content.is_tombstone());
    }
}

#[test]
fn rule_15_a_work_folder_that_is_away_is_an_error_and_nothing_else() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.write("g", "text");
    a.settle();
    let store = world.snapshot();
    let elsewhere = world.path().join("elsewhere");
    fs::rename(&a.entry.work, &elsewhere).unwrap();
    a.try_step().unwrap_err();
    fs::create_dir(&a.entry.work).unwrap();
    a.try_step().unwrap_err();
    assert_eq!(world.snapshot(), store);
    // A restart opens the empty directory in its place, which has no marker.
    a.start();
    assert_eq!(brake(&mut a).map(|brake| brake.kind), Some(BrakeKind::RootGone));
    assert_eq!(world.snapshot(), store);
    fs::remove_dir_all(&a.entry.work).unwrap();
    fs::rename(&elsewhere, &a.entry.work).unwrap();
    a.start();
    a.settle();
    assert_eq!((world.snapshot(), a.read("f").as_str()), (store, "text"));
}

#[test]
fn rule_15_many_lost_ciphertexts_are_not_written_back_unasked() {
    let world = World::new();
    let mut a = world.device("a");
    forty_files(&a);
    a.settle();
    for n in 0..30 {
        fs::remove_file(a.ciphertext(&format!("f{n:02}"))).unwrap();
    }
    a.settle();
    world.clock.advance(TEN_MINUTES);
    let held = brake(&mut a).unwrap();
    assert_eq!((held.kind, held.count), (BrakeKind::PutBack, 30));
    assert_eq!(world.names().len(), 11);
    a.folder().allow(&held.token).unwrap();
    a.settle();
    assert_eq!(world.names().len(), 41);
    assert!(a.problems().is_empty());
}
