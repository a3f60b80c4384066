//! Engine rules 1 to 5.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use ensafer_core::format::{DAMAGED_AFTER, DAMAGED_AFTER_SHORT};
use ensafer_core::plan::ProblemClass;

use super::world::World;
use crate::clock::Clock;
use crate::watch::{Hint, Side};

#[test]
fn rule_1_absent_once_is_not_absent() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.write("other", "text");
    a.settle();
    a.remove("f");
    let step = a.look();
    assert_eq!(step.published, 0, "one look is not enough");
    assert!(step.look_again.is_some_and(|wait| wait <= Duration::from_secs(2)));
    world.clock.advance(Duration::from_millis(1900));
    assert_eq!(a.step().published, 0, "nor is a second one less than 2 s later");
    a.write("f", "text again");
    world.clock.advance(Duration::from_secs(5));
    a.settle();
    assert_eq!(a.read("f"), "text again");
    assert!(!a.base_of("f").object.content.is_tombstone());
    a.remove("f");
    a.look();
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(a.step().published, 1);
    assert!(a.base_of("f").object.content.is_tombstone());
}

#[test]
fn rule_1_the_second_observation_looks_again() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("d/f", "text");
    a.write("other", "text");
    a.settle();
    let elsewhere = world.path().join("elsewhere");
    fs::rename(a.path("d/f"), &elsewhere).unwrap();
    a.look();
    // It comes back, and no event tells of it.
    fs::rename(&elsewhere, a.path("d/f")).unwrap();
    world.clock.advance(Duration::from_secs(3));
    a.folder().hint(Side::Work, Hint::Directory(String::new()));
    a.step();
    assert!(!a.base_of("f").object.content.is_tombstone());
}

#[test]
fn rule_1_an_unreadable_directory_says_nothing_about_what_is_in_it() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("d/f", "text");
    a.write("other", "text");
    a.settle();
    // A link in the directory's place: the listing of the root is whole, that of the directory is not.
    let elsewhere = world.path().join("elsewhere");
    fs::rename(a.path("d"), &elsewhere).unwrap();
    fs::create_dir(a.path("d")).unwrap();
    let before = world.snapshot().len();
    a.look();
    fs::remove_dir(a.path("d")).unwrap();
    fs::rename(&elsewhere, a.path("d")).unwrap();
    a.settle();
    assert_eq!(world.snapshot().len(), before);
    assert_eq!(a.read("d/f"), "text");
    assert!(!a.base_of("f").object.content.is_tombstone());
}

#[test]
fn rule_2_a_file_as_young_as_the_look_is_hashed_again() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    let young = |a: &super::world::Device| {
        let since = Duration::from_nanos(u64::try_from(a.clock.now().as_nanos()).unwrap());
        SystemTime::UNIX_EPOCH + since - Duration::from_secs(1)
    };
    File::options().write(true).open(a.path("f")).unwrap().set_modified(young(&a)).unwrap();
    a.settle();
    assert!(a.base_of("f").work.unwrap().racy);
    world.clock.advance(Duration::from_secs(60));
    a.settle();
    assert!(!a.base_of("f").work.unwrap().racy, "its digest was found to be the same later");
    // A time in the future says nothing, and does not have the file hashed for ever.
    let future = young(&a) + Duration::from_secs(1_000_000);
    File::options().write(true).open(a.path("f")).unwrap().set_modified(future).unwrap();
    world.clock.advance(Duration::from_secs(60));
    a.settle();
    assert!(!a.base_of("f").work.unwrap().racy);
}

#[test]
fn rule_3_a_rename_and_a_move_keep_the_object() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("one", "1");
    a.write("d/two", "2");
    world.settle(&mut [&mut a, &mut b]);
    let (one, two, directory) = (a.id_of("one"), a.id_of("two"), a.id_of("d"));
    let payload = fs::read(a.ciphertext("two")).unwrap();
    a.rename("one", "uno");
    a.rename("d", "e/f");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((a.id_of("uno"), a.id_of("two"), a.id_of("f")), (one, two, directory));
    assert_eq!(
        fs::read(a.ciphertext("two")).unwrap(),
        payload,
        "a directory's move rewrites the directory only"
    );
    assert_eq!(b.tree(), a.tree());
    assert!(b.trash().is_empty(), "what moves is not trashed: {:?}", b.trash());
}

#[test]
fn rule_3_a_reused_inode_is_not_a_rename() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("old", "old text");
    a.write("other", "text");
    a.settle();
    let old = a.id_of("old");
    // Most file systems give the next file the number of the last one deleted.
    a.remove("old");
    a.write("new", "new text");
    a.settle();
    assert_ne!(a.id_of("new"), old);
    assert!(a.base_of("old").object.content.is_tombstone());
}

#[test]
fn rule_3_a_hard_link_is_another_file() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.write("other", "text");
    a.settle();
    fs::hard_link(a.path("f"), a.path("g")).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_ne!(a.id_of("f"), a.id_of("g"));
    assert_eq!(b.tree(), a.tree());
}

#[test]
fn rule_3_save_by_rename_keeps_the_object() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "first");
    world.settle(&mut [&mut a, &mut b]);
    let id = a.id_of("f");
    a.save_by_rename("f", "second, longer");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((a.id_of("f"), b.read("f").as_str()), (id, "second, longer"));
    assert_eq!(world.names().len(), 2, "the roster and one file: {:?}", world.names());
    assert!(b.is_in_trash(b"first"));
}

#[test]
fn rule_5_a_short_file_arrives_until_a_day_has_passed() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", &"text".repeat(10_000));
    world.settle(&mut [&mut a, &mut b]);
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    let whole = fs::read(&path).unwrap();
    for length in [0, 7, 79, 80, 500, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        a.look();
        assert_eq!(a.problems().get(&key), Some(&ProblemClass::StillArriving), "{length} bytes");
        assert_eq!(a.read("f").len(), 40_000);
    }
    world.clock.advance(DAMAGED_AFTER_SHORT - Duration::from_secs(1));
    a.look();
    assert_eq!(a.problems().get(&key), Some(&ProblemClass::StillArriving));
    world.clock.advance(Duration::from_secs(1));
    let step = a.look();
    assert_eq!(step.published, 1, "then it is damaged, and base's version takes its place (rule 19)");
    a.settle();
    assert!(a.problems().is_empty());
    assert!(a.is_in_trash(&whole[..whole.len() - 1]), "the damaged bytes are kept");
    b.settle();
    assert_eq!((b.read("f").len(), b.problems().len()), (40_000, 0));
}

#[test]
fn rule_5_a_whole_file_that_does_not_verify_is_damaged_after_ten_minutes() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.settle();
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    b.settle();
    assert_eq!(b.problems().get(&key), Some(&ProblemClass::StillArriving));
    a.settle();
    assert!(!b.path("f").exists());
    world.clock.advance(DAMAGED_AFTER);
    b.settle();
    assert_eq!(b.problems().get(&key), Some(&ProblemClass::Damaged), "who never had it only reports");
    a.settle();
    assert!(a.is_in_trash(&bytes));
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!((b.read("f").as_str(), a.problems().len(), b.problems().len()), ("text", 0, 0));
}

#[test]
fn rule_5_a_damaged_payload_is_never_applied() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", &"text".repeat(20_000));
    a.settle();
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    b.settle();
    assert_eq!(b.problems().get(&key), Some(&ProblemClass::StillArriving));
    assert!(!b.path("f").exists());
    let staged = fs::read_dir(b.path(".ensafer/tmp")).unwrap().count();
    assert_eq!(staged, 0, "the half-made file is gone");
}

#[test]
fn rule_5_a_restart_does_not_begin_to_count_anew() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    fs::write(&path, vec![7; 2000]).unwrap();
    a.settle();
    world.clock.advance(DAMAGED_AFTER_SHORT / 2);
    a.start();
    a.settle();
    assert_eq!(a.problems().get(&key), Some(&ProblemClass::StillArriving));
    world.clock.advance(DAMAGED_AFTER_SHORT / 2);
    a.start();
    a.settle();
    assert!(a.problems().is_empty(), "{:?}", a.problems());
}
