//! Engine rules 17 and 19, and the names that are never synced.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ensafer_core::crypto::SystemRandom;
use ensafer_core::format::{Statement, object_name, seal_bytes};
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::{Content, Name};

use super::faults::{Op, watched};
use super::world::{Device, TEN_MINUTES, World, file};
use crate::engine::EngineError;
use crate::folder_keys::FolderKeysError;
use crate::watch::{Hint, Side};

/// Starts the device so that `meddle` is called once, at the first operation that `moment` picks.
fn start_meddled(
    device: &mut Device,
    moment: impl Fn(&Op) -> bool + Send + Sync + 'static,
    meddle: impl Fn() + Send + Sync + 'static,
) {
    let done = AtomicBool::new(false);
    device.start_with(watched(Arc::new(move |op: &Op| {
        if moment(op) && !done.swap(true, Ordering::Relaxed) {
            meddle();
        }
    })));
}

#[test]
fn a_file_counts_as_done_when_it_is_sealed_or_opened_and_not_with_its_whole_batch() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    // More than are sealed or opened at the same time: at the last ones, the first are done.
    let count = 1 + 2 * rayon::current_num_threads() as u64;
    (0..count).for_each(|n| a.write(&n.to_string(), "text"));

    let (progress, at_barrier) = (a.progress.clone(), Arc::new(AtomicU64::new(0)));
    let seen = at_barrier.clone();
    a.start_with(watched(Arc::new(move |op: &Op| {
        if *op == Op::Barrier {
            seen.fetch_max(progress.reached().done_count, Ordering::Relaxed);
        }
    })));
    a.settle();
    assert_eq!(at_barrier.load(Ordering::Relaxed), count);
    assert_eq!((a.progress.reached().done_count, a.progress.reached().total_count), (count, count));

    let (progress, at_open) = (b.progress.clone(), Arc::new(AtomicU64::new(0)));
    let seen = at_open.clone();
    b.start_with(watched(Arc::new(move |op: &Op| {
        if matches!(op, Op::Open(_)) {
            seen.fetch_max(progress.reached().done_count, Ordering::Relaxed);
        }
    })));
    b.settle();
    assert!(at_open.load(Ordering::Relaxed) > 0, "none is done before all are");
    assert_eq!((b.progress.reached().done_count, b.progress.reached().total_count), (count, count));
}

#[test]
fn what_fails_after_it_was_sealed_or_opened_does_not_count() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "a's text");
    let (cloud, done) = (world.cloud(), AtomicBool::new(false));
    a.start_with(watched(Arc::new(move |op: &Op| {
        if let Op::Commit(key) = op
            && !done.swap(true, Ordering::Relaxed)
        {
            fs::write(cloud.join(&*key.0), "somebody else's").unwrap();
        }
    })));
    a.settle();
    assert_eq!((a.progress.reached().done_count, a.progress.reached().total_count), (1, 2));

    let (path, opened) = (b.path("f"), AtomicBool::new(false));
    let second_open = move |op: &Op| matches!(op, Op::Open(_)) && opened.swap(true, Ordering::Relaxed);
    start_meddled(&mut b, second_open, move || fs::write(&path, "b's text, made just now").unwrap());
    b.settle();
    let reached = b.progress.reached();
    assert!(reached.done_count > 0);
    assert_eq!(reached.done_count + 1, reached.total_count);
}

#[test]
fn rule_17_a_file_edited_while_its_new_content_arrives() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "first");
    world.settle(&mut [&mut a, &mut b]);
    a.write("f", "a's text");
    a.settle();
    let (path, opened) = (b.path("f"), AtomicBool::new(false));
    // The header is read first; the second time, the payload is about to be.
    let second_open = move |op: &Op| matches!(op, Op::Open(_)) && opened.swap(true, Ordering::Relaxed);
    start_meddled(&mut b, second_open, move || fs::write(&path, "b's text, typed just now").unwrap());
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), ["a's text", "b's text, typed just now"]);
    }
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_17_a_file_made_where_one_is_about_to_arrive() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "a's text");
    a.settle();
    let (path, opened) = (b.path("f"), AtomicBool::new(false));
    let second_open = move |op: &Op| matches!(op, Op::Open(_)) && opened.swap(true, Ordering::Relaxed);
    start_meddled(&mut b, second_open, move || fs::write(&path, "b's text, made just now").unwrap());
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), ["a's text", "b's text, made just now"]);
    }
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_4_a_file_edited_while_it_is_sealed_is_published_whole() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", &"before ".repeat(1000));
    let path = a.path("f");
    start_meddled(&mut a, |op| *op == Op::Stage, move || fs::write(&path, "after ".repeat(1500)).unwrap());
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("f"), "after ".repeat(1500));
    assert_eq!(world.names().len(), 2, "{:?}", world.names());
}

#[test]
fn rule_17_a_ciphertext_that_changes_before_it_is_replaced() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "first");
    world.settle(&mut [&mut a, &mut b]);
    let (path, key) = (a.ciphertext("f"), a.key_of("f"));
    a.write("f", "a's text");
    a.settle();
    let of_a = fs::read(&path).unwrap();
    // The cloud brings a's version in the moment in which b publishes its own.
    let before = world.snapshot();
    b.lose_state();
    b.write("f", "b's text, longer");
    let target = path.clone();
    let commit = move |op: &Op| matches!(op, Op::Commit(committed) if *committed.0 == *key);
    start_meddled(&mut b, commit, move || {
        let beside = target.with_extension("x");
        fs::write(&beside, &of_a).unwrap();
        fs::rename(beside, &target).unwrap();
    });
    assert!(before.len() == 2);
    world.settle(&mut [&mut b, &mut a]);
    assert!(a.contents().contains(&"a's text".to_owned()));
    assert!(a.contents().contains(&"b's text, longer".to_owned()));
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_19_a_vanished_ciphertext_is_put_back_after_ten_minutes() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.write("g", "text of g");
    world.settle(&mut [&mut a, &mut b]);
    let path = a.ciphertext("f");
    fs::remove_file(&path).unwrap();
    let step = a.look();
    assert_eq!((step.published, a.problems().get("f")), (0, Some(&ProblemClass::Missing)));
    assert_eq!(step.later, Some(TEN_MINUTES), "it is looked at in time");
    world.clock.advance(TEN_MINUTES / 2);
    assert_eq!(a.look().published, 0);
    world.clock.advance(TEN_MINUTES / 2);
    assert_eq!(a.step().published, 1);
    assert!(path.exists());
    b.settle();
    a.settle();
    assert_eq!((a.problems().len(), b.problems().len(), b.read("f").as_str()), (0, 0, "text"));
}

#[test]
fn rule_19_what_comes_back_by_itself_is_not_put_back() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.write("g", "text of g");
    a.settle();
    let (path, bytes) = (a.ciphertext("f"), fs::read(a.ciphertext("f")).unwrap());
    fs::remove_file(&path).unwrap();
    a.look();
    fs::write(&path, &bytes).unwrap();
    world.clock.advance(TEN_MINUTES);
    // No event has told of it; a hint of something else begins the step.
    a.folder().hint(Side::Work, Hint::Directory(String::new()));
    let step = a.step();
    assert_eq!((step.published, fs::read(&path).unwrap()), (0, bytes));
    assert!(a.problems().is_empty());
}

#[test]
fn rule_19_an_emptied_encrypted_folder_plans_nothing() {
    let world = World::new();
    let mut a = world.device("a");
    for n in 0..5 {
        a.write(&format!("f{n}"), "text");
    }
    a.settle();
    let (store, tree) = (world.snapshot(), a.tree());
    for name in store.keys() {
        fs::remove_file(world.cloud().join(name)).unwrap();
    }
    for _ in 0..4 {
        let step = a.look();
        assert!(!step.planned && step.published == 0 && !step.is_settled());
        world.clock.advance(TEN_MINUTES);
    }
    a.write("new", "text");
    assert_eq!(a.settle().published, 0);
    assert!(world.names().is_empty());
    assert_eq!(a.problems().get(&a.roster_key()), Some(&ProblemClass::Missing));
    for (name, bytes) in &store {
        fs::write(world.cloud().join(name), bytes).unwrap();
    }
    a.settle();
    assert_eq!(a.tree().len(), tree.len() + 1);
    assert_eq!(world.names().len(), store.len() + 1);
    assert!(a.problems().is_empty());
}

#[test]
fn rule_19_a_damaged_file_of_a_newer_version_waits_for_its_writer() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", &"old ".repeat(1000));
    world.settle(&mut [&mut a, &mut b]);
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    a.write("f", &"new ".repeat(2000));
    a.settle();
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() - 10]] {
        fs::write(&path, bytes).unwrap();
        b.settle();
        world.clock.advance(TEN_MINUTES * 200);
        b.settle();
        b.settle();
        assert_eq!(b.problems().get(&key), Some(&ProblemClass::Damaged));
        assert_eq!(fs::read(&path).unwrap(), bytes, "b, which never had the new version, leaves it");
    }
    fs::write(&path, &whole).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(b.read("f"), "new ".repeat(2000));
}

#[test]
fn names_that_a_scan_passes_over_are_never_placed() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let keys = a.keys();
    let names = ["desktop.ini", "~$report.docx", ".~lock.report.odt#", "Thumbs.db", ".DS_Store", ".ENSAFER"];
    for (n, name) in names.iter().enumerate() {
        let object = a.object(100 + u8::try_from(n).unwrap(), name, file("never"));
        let statement = Statement::from_object(&object, &keys.authorship);
        let sealed =
            seal_bytes(&keys.seal(), object.id, 1, statement, b"never", keys.signer(), &mut SystemRandom)
                .unwrap();
        fs::write(world.cloud().join(object_name(object.id)), sealed.bytes).unwrap();
    }
    let object = a.object(200, ".ensafer", Content::Directory);
    let statement = Statement::from_object(&object, &keys.authorship);
    let sealed =
        seal_bytes(&keys.seal(), object.id, 1, statement, b"", keys.signer(), &mut SystemRandom).unwrap();
    fs::write(world.cloud().join(object_name(object.id)), sealed.bytes).unwrap();
    let store = world.snapshot();
    for _ in 0..2 {
        b.settle();
        assert_eq!(b.tree().keys().collect::<Vec<_>>(), ["f"]);
        assert!(!b.path(".ENSAFER").exists());
        let bad = b.problems().values().filter(|class| **class == ProblemClass::BadName).count();
        assert_eq!(bad, names.len() + 1, "{:?}", b.problems());
        b.start();
    }
    assert_eq!(world.snapshot(), store, "and they are not taken for deleted");
}

#[test]
fn a_move_to_a_name_that_a_scan_passes_over_is_refused() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let keys = a.keys();
    let mut object = (*a.base_of("f").object).clone();
    let dot = ensafer_core::clock::Dot { counter: 1_000_000, device: super::world::EVIL };
    object.clock.see(dot);
    object.place_dot = dot;
    object.name = Name::new("~$f").unwrap();
    let statement = Statement::from_object(&object, &keys.authorship);
    let sealed =
        seal_bytes(&keys.seal(), object.id, 2, statement, b"text", keys.signer(), &mut SystemRandom).unwrap();
    fs::write(a.ciphertext("f"), sealed.bytes).unwrap();
    b.settle();
    assert_eq!(b.tree().keys().collect::<Vec<_>>(), ["f"]);
    assert_eq!(b.problems().get(&b.key_of("f")), Some(&ProblemClass::BadName));
}

#[test]
fn nothing_is_up_to_date_while_the_keys_are_locked() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    a.write("g", "text");
    a.settle();
    b.folder().lock();
    b.vault.is_locked.store(true, Ordering::Relaxed);
    b.folder().look_at_everything();
    for _ in 0..2 {
        // The second time because of a hint that has nothing to do with it.
        let error = b.try_step().unwrap_err();
        assert!(matches!(error, EngineError::Keys(FolderKeysError::Locked)), "{error}");
        b.folder().hint(Side::Work, Hint::Directory(String::new()));
    }
    b.vault.is_locked.store(false, Ordering::Relaxed);
    b.step();
    assert_eq!(b.read("g"), "text");
}

#[test]
fn the_leftovers_of_a_killed_exchange_do_not_keep_the_folder_from_opening() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let device = a.folder().device();
    a.stop();
    let replaced = world.cloud().join(format!(".~ensafer-{device}-0011223344556677.out"));
    let staged = world.cloud().join(format!(".~ensafer-{device}-0011223344556678.tmp"));
    fs::write(&replaced, "perhaps somebody's only copy").unwrap();
    fs::write(&staged, "nobody's").unwrap();
    a.start();
    a.settle();
    assert!(!replaced.exists() && !staged.exists());
    assert!(a.is_in_trash(b"perhaps somebody's only copy"));
}

#[test]
fn rule_17_a_version_that_changes_while_its_conflict_copy_is_made() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "common");
    world.settle(&mut [&mut a, &mut b]);
    let path = a.ciphertext("f");
    let common = fs::read(&path).unwrap();
    a.write("f", "a's first");
    a.settle();
    let first = fs::read(&path).unwrap();
    a.write("f", "a's second, longer");
    a.settle();
    let second = fs::read(&path).unwrap();
    fs::write(&path, &common).unwrap();
    b.write("f", "b's text, the longest of all");
    b.stop();
    fs::write(&path, &first).unwrap();
    // b has read the header of a's first version and is about to seal its copy when the second takes its place.
    let (target, opened) = (path.clone(), AtomicBool::new(false));
    let second_open = move |op: &Op| matches!(op, Op::Open(_)) && opened.swap(true, Ordering::Relaxed);
    start_meddled(&mut b, second_open, move || {
        let beside = target.with_extension("x");
        fs::write(&beside, &second).unwrap();
        fs::rename(beside, &target).unwrap();
    });
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), ["a's second, longer", "b's text, the longest of all"]);
        assert!(device.problems().is_empty(), "{:?}", device.problems());
    }
}

#[test]
fn row_16_ciphertexts_that_exchange_names_between_look_and_reading() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("one", "1");
    a.write("two", "2");
    a.settle();
    let (one, two) = (a.ciphertext("one"), a.ciphertext("two"));
    let opened = std::sync::atomic::AtomicU32::new(0);
    let third_open = move |op: &Op| matches!(op, Op::Open(_)) && opened.fetch_add(1, Ordering::Relaxed) == 2;
    start_meddled(&mut b, third_open, move || {
        let aside = one.with_extension("x");
        fs::rename(&one, &aside).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(&aside, &two).unwrap();
    });
    b.settle();
    // The exchange is an event of its own: it may have come after the first of the two was read.
    b.settle();
    assert!(b.tree().iter().all(|(path, text)| (path == "one") == (text == "1")), "{:?}", b.tree());
    assert_eq!(b.problems().values().filter(|class| **class == ProblemClass::Misnamed).count(), 2);
}
