//! Conflicts that somebody has looked at, and what was done, as people are told.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ensafer_core::api::local::{Deed, Keep};
use ensafer_core::format::roster::Role;
use ensafer_core::ids::FileId;
use ensafer_core::plan::Conflict;
use ensafer_core::tree::Content;

use super::accounts::bob;
use super::hostile::inject;
use super::world::{Device, World, file};
use crate::engine::{EngineError, ResolveError, kept_conflicts};

/// Two devices with a conflict about `f`, which `b` knows. Returns the copy's object and path.
pub(super) fn conflict(world: &World) -> (Device, Device, FileId, String) {
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    let (id, copy) = conflict_between(world, &mut a, &mut b);
    (a, b, id, copy)
}

fn conflict_between(world: &World, a: &mut Device, b: &mut Device) -> (FileId, String) {
    a.write("f", "common");
    world.settle(&mut [&mut *a, &mut *b]);
    let path = a.ciphertext("f");
    let common = fs::read(&path).unwrap();
    a.write("f", "one");
    a.settle();
    let of_a = fs::read(&path).unwrap();
    fs::write(&path, &common).unwrap();
    b.write("f", "another");
    b.settle();
    fs::write(&path, &of_a).unwrap();
    world.settle(&mut [&mut *b, &mut *a]);
    let known = kept_conflicts(&b.folder().reader()).unwrap();
    let [known] = &known[..] else { panic!("{known:?}") };
    let copy = b.tree().into_keys().find(|path| path != "f").unwrap();
    (known.copy, copy)
}

fn other<'a>(text: &str) -> &'a str {
    if text == "one" { "another" } else { "one" }
}

#[test]
fn the_original_stays_and_the_copy_goes_to_the_trash_everywhere() {
    let world = World::new();
    let (mut a, mut b, id, copy) = conflict(&world);
    let original = b.read("f");
    b.resolve(id, Keep::Original).unwrap();
    assert_eq!(b.folder().conflict_count(), 0);
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!(device.contents(), std::slice::from_ref(&original));
        assert!(!device.path(&copy).exists());
        assert!(device.is_in_trash(other(&original).as_bytes()));
    }
    assert!(matches!(b.resolve(id, Keep::Original), Err(ResolveError::NoSuchConflict)));
}

#[test]
fn the_copy_takes_the_files_place_as_an_edit_of_it() {
    let world = World::new();
    let (mut a, mut b, id, copy) = conflict(&world);
    let (original, file) = (b.read("f"), b.id_of("f"));
    b.resolve(id, Keep::Copy).unwrap();
    world.settle(&mut [&mut b, &mut a]);
    for device in [&a, &b] {
        assert_eq!((device.contents(), device.id_of("f")), (vec![other(&original).to_owned()], file));
        assert!(!device.path(&copy).exists());
        assert!(device.is_in_trash(original.as_bytes()));
        assert!(device.problems().is_empty());
    }
    assert_eq!(b.folder().conflict_count(), 0);
}

#[test]
fn both_stay_and_are_not_told_again_also_after_a_restart() {
    let world = World::new();
    let (mut a, mut b, id, _) = conflict(&world);
    let before = b.tree();
    b.resolve(id, Keep::Both).unwrap();
    b.start();
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!((b.tree(), b.folder().conflict_count()), (before, 0));
}

#[test]
fn what_was_edited_after_the_last_look_is_not_decided_about() {
    for keep in [Keep::Original, Keep::Copy] {
        for edited in ["original", "copy"] {
            let world = World::new();
            let (_a, mut b, id, copy) = conflict(&world);
            b.write(if edited == "copy" { &copy } else { "f" }, "edited since");
            let (before, trash) = (b.tree(), b.trash().len());
            let refused = b.resolve(id, keep);
            assert!(matches!(refused, Err(ResolveError::Changed { .. })), "{keep:?} {edited}: {refused:?}");
            assert_eq!((b.tree(), b.trash().len(), b.folder().conflict_count()), (before, trash, 1));
        }
    }
}

#[test]
fn a_file_that_a_program_writes_is_waited_for() {
    let world = World::new();
    let (_a, mut b, id, copy) = conflict(&world);
    let writer = fs::OpenOptions::new().append(true).open(b.path(&copy)).unwrap();
    assert!(matches!(b.resolve(id, Keep::Original), Err(ResolveError::Busy { .. })));
    drop(writer);
    b.resolve(id, Keep::Original).unwrap();
}

#[test]
fn a_reader_decides_nothing_for_others() {
    let world = World::new();
    let (mut a, bob) = (world.device("a"), bob());
    a.settle();
    a.add(&bob, Role::Writer).unwrap();
    let mut b = world.guest("b", &bob);
    let (id, _) = conflict_between(&world, &mut a, &mut b);
    a.set_role(&bob, Role::Reader).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let before = b.tree();
    for keep in [Keep::Original, Keep::Copy] {
        let refused = b.resolve(id, keep);
        assert!(matches!(refused, Err(ResolveError::Engine(EngineError::ReadOnly))), "{refused:?}");
    }
    assert_eq!(b.tree(), before);
    b.resolve(id, Keep::Both).unwrap();
}

#[test]
fn what_was_done_is_told_once_with_the_path_of_that_time() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("dir/f", "1");
    world.settle(&mut [&mut a, &mut b]);
    a.write("dir/f", "22");
    world.settle(&mut [&mut a, &mut b]);
    a.rename("dir", "other");
    world.settle(&mut [&mut a, &mut b]);
    a.remove("other/f");
    world.settle(&mut [&mut a, &mut b]);
    let told = [
        (Deed::Removed, "other/f", None),
        (Deed::Moved, "other", Some("dir")),
        (Deed::Changed, "dir/f", None),
        (Deed::Added, "dir/f", None),
        (Deed::Added, "dir", None),
    ];
    for (device, here) in [(&mut a, true), (&mut b, false)] {
        let deeds = device.folder().reader().activity(100).unwrap();
        let mut seen: Vec<_> = deeds.iter().map(|d| (d.deed, d.path.as_str(), d.from.as_deref())).collect();
        seen[3..].sort_by_key(|(_, path, _)| std::cmp::Reverse(*path));
        assert_eq!(seen, told);
        assert!(deeds.iter().all(|deed| deed.here == here && deed.author.contains(", a")), "{deeds:?}");
    }
}

#[test]
fn what_both_sides_had_already_is_no_deed() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "1");
    a.settle();
    a.lose_state();
    a.settle();
    assert_eq!(a.folder().reader().activity(100).unwrap(), []);
}

#[test]
fn a_conflict_that_never_came_about_is_forgotten() {
    let world = World::new();
    let (_a, mut b, id, _) = conflict(&world);
    let known = kept_conflicts(&b.folder().reader()).unwrap().remove(0);
    let planned = Conflict { copy: FileId::new([7; 16]), ..known.clone() };
    b.folder().remember_conflicts(&[planned]).unwrap();
    assert_eq!(b.folder().conflict_count(), 2);
    b.settle();
    assert_eq!(kept_conflicts(&b.folder().reader()).unwrap(), [known]);
    b.resolve(id, Keep::Both).unwrap();
    assert_eq!(b.folder().conflict_count(), 0);
}

#[test]
fn the_copy_is_as_private_as_the_file_was() {
    let world = World::new();
    let (_a, mut b, id, _) = conflict(&world);
    fs::set_permissions(b.path("f"), fs::Permissions::from_mode(0o600)).unwrap();
    b.settle();
    b.resolve(id, Keep::Copy).unwrap();
    assert_eq!(fs::metadata(b.path("f")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_given_up_half_way_leaves_both_contents() {
    let world = World::new();
    let (_a, mut b, id, _) = conflict(&world);
    let before = b.tree();
    assert!(matches!(b.resolve_and_give_up(id, Keep::Copy), Err(ResolveError::Interrupted)));
    assert_eq!((b.tree(), b.folder().conflict_count()), (before, 1));
}

#[test]
fn row_12_directories_in_each_other_give_no_endless_paths() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    world.settle(&mut [&mut a, &mut b]);
    let names = ["d", "e"].map(|letter| letter.repeat(255));
    let [mut outer, mut inner] =
        [(1, &names[0]), (2, &names[1])].map(|(id, name)| a.object(id, name, Content::Directory));
    (outer.parent, inner.parent) = (inner.id, outer.id);
    let mut inside = a.object(3, "f", file("text"));
    inside.parent = inner.id;
    let keys = a.keys();
    inject(&a, &outer, "", keys.signer());
    inject(&a, &inner, "", keys.signer());
    inject(&a, &inside, "text", keys.signer());
    b.settle();
    let path = format!("{}/{}/f", names[0], names[1]);
    assert_eq!(b.read(&path), "text");
    let deeds = b.folder().reader().activity(100).unwrap();
    assert!(deeds.iter().any(|deed| deed.path == path), "{deeds:?}");
    assert!(deeds.iter().all(|deed| deed.path.len() < 1024), "{deeds:?}");
}
