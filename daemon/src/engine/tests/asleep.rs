//! A folder that gave its memory back goes on as if it had not.

use std::fs;
use std::time::Duration;

use ensafer_core::format::DAMAGED_AFTER;
use ensafer_core::plan::ProblemClass;

use super::world::World;
use crate::engine::observe::PUT_BACK_AFTER;

#[test]
fn a_folder_that_wakes_has_nothing_to_do_and_reads_no_header() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("d/f", "text");
    a.write("gone", "text");
    world.settle(&mut [&mut a, &mut b]);
    a.remove("gone");
    world.settle(&mut [&mut a, &mut b]);
    b.folder().lock();
    b.sleep();
    let step = b.step();
    assert!(step.is_settled(), "{step:?}");
    assert!(!b.folder().has_keys(), "keys are needed for headers only");
    assert_eq!(b.read("d/f"), "text");
}

#[test]
fn what_happened_meanwhile_on_either_side_is_carried_out() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for name in ["changed here", "changed there", "deleted here", "deleted there", "moved"] {
        a.write(name, "text");
    }
    world.settle(&mut [&mut a, &mut b]);
    b.sleep();
    a.write("changed there", "new");
    a.remove("deleted there");
    a.rename("moved", "d/moved");
    a.settle();
    b.write("changed here", "new");
    b.remove("deleted here");
    b.write("made here", "text");
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!(a.tree(), b.tree());
    let names: Vec<_> = b.tree().into_keys().collect();
    assert_eq!(names, ["changed here", "changed there", "d/", "d/moved", "made here"]);
    assert_eq!((b.read("changed here"), b.read("changed there")), ("new".into(), "new".into()));
}

#[test]
fn what_was_not_in_order_stays_so_and_is_not_counted_anew() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.settle();
    let path = a.ciphertext("f");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    b.settle();
    assert_eq!(b.problems().into_values().collect::<Vec<_>>(), [ProblemClass::StillArriving]);
    world.clock.advance(DAMAGED_AFTER);
    b.sleep();
    b.step();
    assert_eq!(b.problems().into_values().collect::<Vec<_>>(), [ProblemClass::Damaged]);
    assert!(b.contents().is_empty());
}

#[test]
fn what_was_lost_is_put_back_after_its_time() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let path = a.ciphertext("f");
    fs::remove_file(&path).unwrap();
    a.look();
    a.sleep();
    a.step();
    assert!(!path.exists(), "it may come back by itself");
    world.clock.advance(PUT_BACK_AFTER);
    a.sleep();
    a.settle();
    assert!(path.exists());
    assert_eq!(a.read("f"), "text");
}

#[test]
fn absence_is_counted_from_before_the_sleep() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.write("other", "text");
    a.settle();
    a.remove("f");
    a.look();
    a.sleep();
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(a.step().published, 1);
    assert!(a.base_of("f").object.content.is_tombstone());
}
