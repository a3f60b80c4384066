//! Two devices that change things while neither sees the other: what can be merged is merged, and no edit is lost.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ensafer_tests::{Device, World, tree};

/// Lets both devices see each other's changes until nothing moves.
#[track_caller]
fn exchange(laptop: &Device, desktop: &Device) {
    for device in [laptop, desktop, laptop, desktop] {
        // 4: done, and conflicts wait for somebody.
        device.sync().expect_any(&[0, 4]);
    }
}

/// The same, and checks that they agree.
#[track_caller]
fn meet(laptop: &Device, desktop: &Device) {
    exchange(laptop, desktop);
    tree::assert_same(&laptop.work, &desktop.work);
}

#[test]
fn different_files_are_merged() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("shared/common", "common");
    meet(&laptop, &desktop);
    laptop.write("shared/from laptop", "l");
    desktop.write("shared/from desktop", "d");
    desktop.write("shared/common", "changed on the desktop only");
    meet(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.at("shared")).len(), 3);
    assert_eq!(laptop.read("shared/common").as_deref(), Some("changed on the desktop only"));
}

#[test]
fn two_edits_of_one_file_are_both_kept_on_both_devices() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("minutes.txt", "agreed");
    meet(&laptop, &desktop);
    laptop.write("minutes.txt", "as the laptop has it");
    desktop.write("minutes.txt", "as the desktop has it");
    meet(&laptop, &desktop);
    for device in [&laptop, &desktop] {
        assert_eq!(tree::names(&device.work).len(), 2, "{:?}", tree::snapshot(&device.work));
        assert!(tree::holds_content(&device.work, b"as the laptop has it"));
        assert!(tree::holds_content(&device.work, b"as the desktop has it"));
        assert!(device.at("minutes.txt").exists());
    }
}

#[test]
fn two_new_files_of_one_name_are_both_kept() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("new.txt", "the laptop's");
    desktop.write("new.txt", "the desktop's");
    meet(&laptop, &desktop);
    for content in [&b"the laptop's"[..], b"the desktop's"] {
        assert!(tree::holds_content(&desktop.work, content) && tree::holds_content(&laptop.work, content));
    }
}

#[test]
fn two_new_files_of_one_name_and_content_become_one_and_keep_their_times() {
    let (_world, laptop, desktop) = World::with_two_devices();
    for (device, seconds) in [(&laptop, 1_600_000_000), (&desktop, 1_700_000_000)] {
        device.write("equal.txt", "equal");
        tree::set_modified(&device.at("equal.txt"), seconds * 1_000_000_000);
    }
    exchange(&laptop, &desktop);
    for (device, seconds) in [(&laptop, 1_600_000_000), (&desktop, 1_700_000_000)] {
        assert_eq!(tree::names(&device.work), [b"equal.txt".to_vec()]);
        assert_eq!(device.at("equal.txt").metadata().unwrap().mtime(), seconds);
    }
}

#[test]
fn two_directories_of_one_name_become_one() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("photos/one", "1");
    desktop.write("photos/two", "2");
    meet(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.work), [b"photos".to_vec()]);
    assert_eq!(tree::names(&laptop.at("photos")).len(), 2);
}

#[test]
fn a_rename_beside_an_edit_is_no_conflict() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("draft.txt", "draft");
    meet(&laptop, &desktop);
    fs::rename(laptop.at("draft.txt"), laptop.at("final.txt")).unwrap();
    desktop.write("draft.txt", "much better");
    meet(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.work), [b"final.txt".to_vec()]);
    assert_eq!(desktop.read("final.txt").as_deref(), Some("much better"));
}

#[test]
fn an_edit_beside_a_deletion_survives() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("a", "a");
    laptop.write("dir/b", "b");
    laptop.write("kept", "or the folder would be empty, which is another matter");
    meet(&laptop, &desktop);
    fs::remove_file(laptop.at("a")).unwrap();
    fs::remove_dir_all(laptop.at("dir")).unwrap();
    desktop.write("a", "edited meanwhile");
    desktop.write("dir/new", "added meanwhile");
    meet(&laptop, &desktop);
    assert_eq!(laptop.read("a").as_deref(), Some("edited meanwhile"));
    assert_eq!(laptop.read("dir/new").as_deref(), Some("added meanwhile"));
    assert!(!desktop.at("dir/b").exists());
}

#[test]
fn a_deletion_on_both_sides_is_one() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("a", "a");
    laptop.write("b", "b");
    meet(&laptop, &desktop);
    fs::remove_file(laptop.at("a")).unwrap();
    fs::remove_file(desktop.at("a")).unwrap();
    meet(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.work), [b"b".to_vec()]);
}

#[test]
fn two_renames_of_one_file_leave_one_file() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("x", "content of x");
    meet(&laptop, &desktop);
    fs::rename(laptop.at("x"), laptop.at("laptop's name")).unwrap();
    fs::rename(desktop.at("x"), desktop.at("desktop's name")).unwrap();
    meet(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.work).len(), 1);
    assert!(tree::holds_content(&laptop.work, b"content of x"));
}

#[test]
fn edits_while_both_daemons_are_down_meet_when_they_start() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.start_daemon();
    laptop.write("notes.txt", "first");
    laptop.wait_for_state("up-to-date");
    desktop.start_daemon();
    desktop.wait_for_content("notes.txt", "first");
    laptop.kill_daemon();
    desktop.kill_daemon();

    laptop.write("laptop only", "l");
    desktop.write("desktop only", "d");
    fs::remove_file(laptop.at("notes.txt")).unwrap();
    laptop.start_daemon();
    desktop.start_daemon();
    laptop.wait_for_content("desktop only", "d");
    desktop.wait_for_content("laptop only", "l");
    desktop.wait_for_absence("notes.txt");
}
