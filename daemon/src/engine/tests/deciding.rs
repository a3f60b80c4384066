//! Engine rules 9 to 13: two devices, one cloud, and every way to disagree.

use std::fs;

use ensafer_core::plan::ProblemClass;

use super::world::{TEN_MINUTES, World};

#[test]
fn rule_9_a_rolled_back_file_is_reported_kept_and_published_again() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "old");
    world.settle(&mut [&mut a, &mut b]);
    let (key, path) = (a.key_of("f"), a.ciphertext("f"));
    let old = fs::read(&path).unwrap();
    a.write("f", "newer text");
    world.settle(&mut [&mut a, &mut b]);
    let newer = fs::read(&path).unwrap();
    fs::write(&path, &old).unwrap();
    a.settle();
    assert_eq!(a.problems().get(&key), Some(&ProblemClass::RolledBack));
    assert_eq!(a.read("f"), "newer text");
    world.clock.advance(TEN_MINUTES);
    a.settle();
    assert!(a.problems().is_empty());
    assert!(a.is_in_trash(&old));
    assert_ne!(fs::read(&path).unwrap(), newer, "sealed anew");
    b.settle();
    assert_eq!((b.read("f").as_str(), b.problems().len()), ("newer text", 0));
}

#[test]
fn rule_9_the_last_writer_of_a_cloud_overwrites_nobody() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "common");
    world.settle(&mut [&mut a, &mut b]);
    let path = a.ciphertext("f");
    let common = fs::read(&path).unwrap();
    a.write("f", "a's text");
    a.settle();
    let of_a = fs::read(&path).unwrap();
    // b has not seen a's version when it writes its own; the cloud then lets a's win.
    fs::write(&path, &common).unwrap();
    b.write("f", "b's text, longer");
    b.settle();
    assert!(b.problems().is_empty());
    fs::write(&path, &of_a).unwrap();
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), ["a's text", "b's text, longer"]);
        assert!(device.problems().is_empty());
    }
    assert_eq!(a.tree(), b.tree());
    assert_eq!(b.folder().conflict_count(), 1);
}

#[test]
fn rule_9_the_copies_of_cloud_clients_are_merged() {
    for suffix in
        [" (conflicted copy 2026-11-21)", " (1)", "-LAPTOP", ".sync-conflict-20261121-101010-ABCDEFG"]
    {
        let world = World::new();
        let (mut a, mut b) = (world.device("a"), world.device("b"));
        a.write("f", "common");
        world.settle(&mut [&mut a, &mut b]);
        let path = a.ciphertext("f");
        let common = fs::read(&path).unwrap();
        a.write("f", "a's text");
        a.settle();
        let of_a = fs::read(&path).unwrap();
        fs::write(&path, &common).unwrap();
        b.write("f", "b's text, longer");
        b.settle();
        let copy = path.with_file_name(a.key_of("f").replace(".ensafer", &format!("{suffix}.ensafer")));
        fs::write(&copy, &of_a).unwrap();
        world.settle(&mut [&mut a, &mut b]);
        assert!(!copy.exists(), "{suffix}");
        assert_eq!(a.contents(), ["a's text", "b's text, longer"], "{suffix}");
        assert_eq!(a.tree(), b.tree(), "{suffix}");
        assert!(a.is_in_trash(&of_a) || b.is_in_trash(&of_a), "{suffix}: the copy is kept");
        assert!(a.problems().is_empty() && b.problems().is_empty(), "{suffix}");
    }
}

#[test]
fn rule_9_a_copy_that_says_nothing_new_goes_to_the_trash() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let copy = a.ciphertext("f").with_file_name(a.key_of("f").replace(".ensafer", " (1).ensafer"));
    fs::copy(a.ciphertext("f"), &copy).unwrap();
    a.settle();
    assert!(!copy.exists());
    assert!(a.is_in_trash(&fs::read(a.ciphertext("f")).unwrap()));
    assert_eq!((a.read("f").as_str(), a.problems().len()), ("text", 0));
}

#[test]
fn rule_9_a_damaged_copy_holds_nobody_up_for_ever() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let name = a.key_of("f").replace(".ensafer", " (1).ensafer");
    let mut bytes = fs::read(a.ciphertext("f")).unwrap();
    bytes[200] ^= 1;
    fs::write(a.ciphertext("f").with_file_name(&name), &bytes).unwrap();
    a.settle();
    world.clock.advance(TEN_MINUTES);
    let settled = a.settle();
    assert_eq!(settled.published, 0, "the object's own file is whole");
    assert_eq!(a.problems().get(&name), Some(&ProblemClass::Damaged));
    a.write("f", "edited meanwhile");
    world.settle(&mut [&mut a, &mut b]);
    world.clock.advance(TEN_MINUTES);
    b.settle();
    assert_eq!(b.read("f"), "edited meanwhile");
    assert_eq!(fs::read(a.ciphertext("f").with_file_name(&name)).unwrap(), bytes, "nothing was deleted");
}

#[test]
fn rule_9_a_rename_beside_an_edit_is_no_conflict() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let path = a.ciphertext("f");
    let common = fs::read(&path).unwrap();
    a.rename("f", "g");
    a.settle();
    let renamed = fs::read(&path).unwrap();
    fs::write(&path, &common).unwrap();
    b.write("f", "edited");
    b.settle();
    let copy = path.with_file_name(a.key_of("g").replace(".ensafer", " (1).ensafer"));
    fs::write(copy, &renamed).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    for device in [&a, &b] {
        assert_eq!(device.tree().into_iter().collect::<Vec<_>>(), [("g".to_owned(), "edited".to_owned())]);
    }
}

#[test]
fn rule_10_a_lost_state_is_adopted_and_nothing_is_rewritten() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for n in 0..5 {
        a.write(&format!("d/f{n}"), &format!("text {n}"));
    }
    a.link("d/f1", "link");
    world.settle(&mut [&mut a, &mut b]);
    let (store, tree) = (world.snapshot(), a.tree());
    a.lose_state();
    let settled = a.settle();
    assert_eq!((settled.published, settled.conflicts), (0, 0));
    assert_eq!(world.snapshot(), store);
    assert_eq!(a.tree(), tree);
    assert!(a.trash().is_empty());
    // And it goes on from there.
    a.write("d/f0", "edited");
    a.remove("d/f1");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.tree(), b.tree());
    assert!(a.problems().is_empty() && b.problems().is_empty());
}

#[test]
fn rule_10_a_file_like_a_tombstone_goes_where_the_state_was_lost() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("gone", "text");
    a.write("other", "text");
    a.write("rewritten", "text");
    world.settle(&mut [&mut a, &mut b]);
    b.stop();
    a.remove("gone");
    a.remove("rewritten");
    a.settle();
    b.write("rewritten", "other text");
    b.lose_state();
    world.settle(&mut [&mut b, &mut a]);
    assert!(!b.path("gone").exists() && b.is_in_trash(b"text"));
    assert_eq!((a.read("rewritten"), b.read("rewritten")), ("other text".into(), "other text".into()));
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_10_a_lost_state_beside_edits_on_both_sides() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "common");
    a.write("g", "common");
    world.settle(&mut [&mut a, &mut b]);
    a.write("f", "a's text");
    a.settle();
    b.stop();
    b.write("f", "b's text, longer");
    b.lose_state();
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), ["a's text", "b's text, longer", "common"]);
    }
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_11_an_edit_beats_a_deletion() {
    for editor_first in [true, false] {
        let world = World::new();
        let (mut a, mut b) = (world.device("a"), world.device("b"));
        a.write("f", "text");
        a.write("other", "text");
        world.settle(&mut [&mut a, &mut b]);
        let path = a.ciphertext("f");
        let common = fs::read(&path).unwrap();
        a.remove("f");
        a.settle();
        let deleted = fs::read(&path).unwrap();
        fs::write(&path, &common).unwrap();
        b.write("f", "edited");
        b.settle();
        // The cloud lets the deletion win.
        fs::write(&path, &deleted).unwrap();
        if editor_first {
            world.settle(&mut [&mut b, &mut a]);
        } else {
            world.settle(&mut [&mut a, &mut b]);
        }
        assert_eq!((a.read("f"), b.read("f")), ("edited".into(), "edited".into()));
        assert!(a.problems().is_empty() && b.problems().is_empty());
    }
}

#[test]
fn rule_11_a_deleted_directory_lives_on_for_what_is_new_in_it() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("d/f", "text");
    a.write("other", "text");
    world.settle(&mut [&mut a, &mut b]);
    a.remove("d");
    b.write("d/new", "new");
    a.settle();
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.read("d/new"), "new");
        assert!(!device.path("d/f").exists());
    }
    a.remove("d/new");
    a.remove("d");
    world.settle(&mut [&mut a, &mut b]);
    assert!(!b.path("d").exists(), "and ends with it");
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_11_the_last_ciphertext_of_a_deleted_file_is_kept() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    a.write("other", "text");
    world.settle(&mut [&mut a, &mut b]);
    let last = fs::read(a.ciphertext("f")).unwrap();
    a.remove("f");
    world.settle(&mut [&mut a, &mut b]);
    assert!(a.is_in_trash(&last), "the deletion happened here");
    assert!(b.is_in_trash(b"text") && !b.path("f").exists());
}

#[test]
fn rule_12_the_same_names_on_two_devices_at_once() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("d/of a", "a");
    a.write("d/both", "a's text");
    a.write("same", "same");
    b.write("d/of b", "b");
    b.write("d/both", "b's text");
    b.write("same", "same");
    a.settle();
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!(a.tree(), b.tree());
    assert_eq!(a.contents(), ["a", "a's text", "b", "b's text", "same"], "{:?}", a.tree());
    assert_eq!(a.tree().keys().filter(|path| path.ends_with('/')).count(), 1, "one directory shows");
    // Deleting what shows as one deletes all of it.
    b.remove("d");
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!(a.contents(), ["same"]);
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_12_a_directory_and_a_file_of_one_name() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.settle();
    b.settle();
    let roster = world.snapshot();
    a.write("name", "a file");
    a.settle();
    let of_a = world.snapshot();
    // The cloud brings b's directory before b has seen a's file.
    for name in of_a.keys().filter(|name| !roster.contains_key(*name)) {
        fs::remove_file(world.cloud().join(name)).unwrap();
    }
    b.write("name/child", "a child");
    b.settle();
    for (name, bytes) in &of_a {
        fs::write(world.cloud().join(name), bytes).unwrap();
    }
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!(a.read("name/child"), "a child");
    assert_eq!(a.contents(), ["a child", "a file"]);
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn rule_13_all_devices_make_the_same_conflict_copy() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.device("a"), world.device("b"), world.device("c"));
    a.write("f.txt", "common");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    let path = a.ciphertext("f.txt");
    let common = fs::read(&path).unwrap();
    a.write("f.txt", "a's text");
    a.settle();
    let of_a = fs::read(&path).unwrap();
    fs::write(&path, &common).unwrap();
    b.write("f.txt", "b's text, longer");
    b.settle();
    let of_b = fs::read(&path).unwrap();
    let copy = path.with_file_name(a.key_of("f.txt").replace(".ensafer", " (1).ensafer"));
    // Each device meets the conflict by itself, in a world of its own; then the worlds meet.
    let mut made = Vec::new();
    for device in [&mut a, &mut b, &mut c] {
        let before = world.snapshot();
        fs::write(&path, &of_a).unwrap();
        fs::write(&copy, &of_b).unwrap();
        device.settle();
        let names: Vec<String> =
            world.names().into_iter().filter(|name| !before.contains_key(name)).collect();
        made.push(names.clone());
        for name in &names {
            fs::remove_file(world.cloud().join(name)).unwrap();
        }
        let _ = fs::remove_file(&copy);
        for (name, bytes) in before {
            fs::write(world.cloud().join(name), bytes).unwrap();
        }
    }
    assert!(made.iter().all(|names| names.len() == 1 && names == &made[0]), "{made:?}");
}

#[test]
fn rule_13_conflicts_of_three_devices_keep_three_contents() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.device("a"), world.device("b"), world.device("c"));
    a.write("f.txt", "common");
    world.settle(&mut [&mut a, &mut b, &mut c]);
    let path = a.ciphertext("f.txt");
    let key = a.key_of("f.txt");
    let common = fs::read(&path).unwrap();
    for (n, device) in [&mut a, &mut b, &mut c].into_iter().enumerate() {
        fs::write(&path, &common).unwrap();
        device.write("f.txt", &format!("text of device {n}"));
        device.settle();
        let copy = key.replace(".ensafer", &format!(" ({n}).ensafer"));
        fs::copy(&path, path.with_file_name(copy)).unwrap();
    }
    world.settle(&mut [&mut a, &mut b, &mut c]);
    for device in [&a, &b, &c] {
        assert_eq!(device.contents(), ["text of device 0", "text of device 1", "text of device 2"]);
        assert!(device.problems().is_empty(), "{:?}", device.problems());
    }
    assert!(a.tree() == b.tree() && b.tree() == c.tree());
    assert!(a.tree().keys().all(|path| path.matches('(').count() <= 1), "suffixes nest: {:?}", a.tree());
}
