//! Engine rule 18: no two contents ever share a device and a counter.

use std::collections::HashSet;
use std::fs;

use super::world::World;
use crate::state::State;

#[test]
fn rule_18_a_restored_state_becomes_a_new_device_when_its_counters_were_used() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let device = a.folder().device();
    a.stop();
    let backup = fs::read(a.state_file()).unwrap();
    // The state goes on beyond the limit that the backup knows.
    State::open(&a.state_file()).unwrap().take_counters(20_000).unwrap();
    a.start();
    a.write("f", "edited after the backup");
    a.write("g", "new after the backup");
    world.settle(&mut [&mut a, &mut b]);
    a.stop();
    fs::write(a.state_file(), backup).unwrap();
    a.start();
    a.write("f", "edited after the restoration");
    world.settle(&mut [&mut a, &mut b]);
    assert_ne!(a.folder().device(), device);
    a.write("h", "h");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.base_of("h").object.content_dot.device, a.folder().device());
    assert_eq!(a.tree(), b.tree());
    assert_eq!(b.read("g"), "new after the backup");
    assert!(b.contents().contains(&"edited after the restoration".to_owned()));
    assert!(a.problems().is_empty() && b.problems().is_empty());
}

#[test]
fn rule_18_restarts_never_use_a_counter_twice() {
    let world = World::new();
    let mut a = world.device("a");
    let mut dots = HashSet::new();
    for n in 0..5 {
        a.write("f", &"text".repeat(n + 1));
        a.settle();
        assert!(dots.insert(a.base_of("f").object.content_dot), "round {n}");
        a.start();
    }
}

#[test]
fn rule_18_a_file_altered_behind_its_times_is_not_published_as_what_it_was() {
    use super::world::TEN_MINUTES;
    use ensafer_core::plan::ProblemClass;
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.write("g", "text of g");
    a.settle();
    // Base is made to believe that the file holds something else: a disk that forgets cannot be had in a test.
    let mut record = a.base_of("f");
    let mut object = (*record.object).clone();
    if let ensafer_core::tree::Content::File { digest, .. } = &mut object.content {
        *digest = Some(ensafer_core::ids::Digest::new([7; 32]));
    }
    record.object = std::sync::Arc::new(object);
    let path = a.ciphertext("f");
    a.stop();
    let commit = crate::state::BaseRecord { object: record.object, work: record.work, store: None };
    State::open(&a.state_file()).unwrap().commit(&[commit], &[]).unwrap();
    fs::remove_file(&path).unwrap();
    a.start();
    a.settle();
    world.clock.advance(TEN_MINUTES);
    a.settle();
    assert!(!path.exists());
    assert_eq!(a.problems().get("f"), Some(&ProblemClass::Failed), "{:?}", a.problems());
}
