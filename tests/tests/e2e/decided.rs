//! What people decide about single files, with a daemon and without: conflicts are resolved, files come back from the
//! trash; and what they are told of what was done.

use std::fs;
use std::os::unix::fs::symlink;

use ensafer_tests::device::text;
use ensafer_tests::{Device, World, tree};
use serde_json::Value;

/// Two devices that edited `report.txt` before they heard of each other: the one that knows the conflict, and the other.
fn conflict() -> (World, Device, Device) {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.write("report.txt", "common");
    laptop.settle();
    desktop.settle();
    laptop.write("report.txt", "of the laptop");
    desktop.write("report.txt", "of the desktop");
    laptop.settle();
    desktop.sync().expect(4).expect_says("1 kept twice, 1 to decide about");
    desktop.sync().expect(4);
    laptop.settle();
    tree::assert_same(&laptop.work, &desktop.work);
    (world, desktop, laptop)
}

fn conflicts(device: &Device) -> Vec<Value> {
    device.json(&["conflicts", "list"]).as_array().unwrap().clone()
}

#[test]
fn a_conflict_is_resolved_without_a_daemon() {
    let (_world, knows, other) = conflict();
    let listed = conflicts(&knows);
    let [conflict] = &listed[..] else { panic!("{listed:?}") };
    let copy = conflict["copy"]["path"].as_str().unwrap();
    let kept = fs::read_to_string(copy).unwrap();
    assert_eq!(conflict["original"]["path"], text(&knows.at("report.txt")));
    assert_eq!(conflict["copy"]["size_bytes"], kept.len());
    let author = conflict["copy_author"].as_str().unwrap();
    assert!(copy.contains(&format!(" ({author}, ")), "{author} of {copy}");
    assert_eq!(conflict["copy"]["here"], kept == "of the desktop", "{conflict}");
    assert_eq!(conflict["original"]["here"], kept != "of the desktop", "{conflict}");

    knows.run(&["conflicts", "resolve", "/nowhere"]).expect(2).expect_says("in no conflict");
    knows.run(&["conflicts", "resolve", copy, "--keep", "copy"]).expect(0);
    assert_eq!(conflicts(&knows), Vec::<Value>::new());
    knows.sync().expect(0);
    other.settle();
    for device in [&knows, &other] {
        assert_eq!(tree::names(&device.work), [b"report.txt".to_vec()]);
        assert_eq!(device.read("report.txt").as_deref(), Some(kept.as_str()));
        let trashed = device.json(&["trash"]);
        assert!(trashed.as_array().unwrap().iter().any(|entry| entry["path"] == "report.txt"), "{trashed}");
    }
}

#[test]
fn a_daemon_resolves_and_everybody_follows() {
    let (_world, knows, other) = conflict();
    knows.start_daemon();
    other.start_daemon();
    assert_eq!(knows.json(&["status"])["folders"][0]["conflicts"], 1);
    let copy = conflicts(&knows)[0]["copy"]["path"].as_str().unwrap().to_owned();
    let name = copy.rsplit('/').next().unwrap().to_owned();
    let original = knows.read("report.txt");
    knows.run(&["conflicts", "resolve", text(&knows.at("report.txt")), "--keep", "original"]).expect(0);
    other.wait_for_absence(&name);
    assert_eq!((knows.read("report.txt"), other.read("report.txt")), (original.clone(), original));
    knows.wait_for_state("up-to-date");
    assert_eq!(knows.json(&["status"])["folders"][0]["conflicts"], 0);
    knows.run(&["conflicts", "resolve", &copy]).expect(2).expect_says("in no conflict");
}

#[test]
fn a_daemon_that_is_stopped_from_its_start_knows_its_conflicts() {
    let (_world, knows, _other) = conflict();
    knows.start_daemon();
    knows.run(&["stop"]).expect(0);
    knows.run(&["daemon", "--quit"]).expect(0);
    // Launches a daemon as it was left.
    knows.run(&["open", "--print"]).expect(0);
    assert_eq!(knows.state(), "stopped");
    assert_eq!(conflicts(&knows).len(), 1);
    assert!(!knows.json(&["activity"]).as_array().unwrap().is_empty());
    knows.run(&["conflicts", "resolve", text(&knows.at("report.txt")), "--keep", "original"]).expect(0);
    assert_eq!(conflicts(&knows), Vec::<Value>::new());
}

#[test]
fn a_link_that_was_kept_twice_is_itself() {
    let (_world, laptop, desktop) = World::with_two_devices();
    for file in ["a.txt", "b.txt", "c.txt"] {
        laptop.write(file, file);
    }
    symlink("a.txt", laptop.at("current")).unwrap();
    laptop.settle();
    desktop.settle();
    for (device, target) in [(&laptop, "b.txt"), (&desktop, "c.txt")] {
        fs::remove_file(device.at("current")).unwrap();
        symlink(target, device.at("current")).unwrap();
    }
    laptop.settle();
    desktop.sync().expect(4);
    let kept = fs::read_link(desktop.at("current")).unwrap();
    desktop.run(&["conflicts", "resolve", text(&desktop.at("current")), "--keep", "original"]).expect(0);
    desktop.sync().expect(0);
    assert_eq!(fs::read_link(desktop.at("current")).unwrap(), kept);
    let names = ["a.txt", "b.txt", "c.txt", "current"].map(|name| name.as_bytes().to_vec());
    assert_eq!(tree::names(&desktop.work), names, "what it leads to is untouched");
}

#[test]
fn what_others_deleted_comes_back_for_all() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("other.txt", "so that the folder is not emptied");
    laptop.write("taxes/2025.txt", "2025");
    laptop.write("taxes/2026.txt", "2026");
    laptop.settle();
    desktop.settle();
    fs::remove_dir_all(laptop.at("taxes")).unwrap();
    laptop.settle();
    desktop.start_daemon();
    desktop.wait_for_absence("taxes");
    let trashed = desktop.json(&["trash", text(&desktop.at("taxes"))]);
    let items: Vec<_> = trashed.as_array().unwrap().iter().map(|e| e["item"].as_str().unwrap()).collect();
    let [first, second] = items[..] else { panic!("{trashed}") };
    assert!(first.ends_with("/taxes/2025.txt") && second.ends_with("/taxes/2026.txt"), "{trashed}");
    assert_eq!(desktop.json(&["trash", text(&desktop.at("other.txt"))]), Value::Array(Vec::new()));

    desktop.write("taxes/2025.txt", "written anew");
    let batch = first.strip_suffix("/taxes/2025.txt").unwrap();
    desktop.run(&["restore", batch]).expect(0).expect_says("2025 (restored).txt");
    assert_eq!(desktop.read("taxes/2025.txt").as_deref(), Some("written anew"));
    assert_eq!(desktop.read("taxes/2026.txt").as_deref(), Some("2026"));
    laptop.start_daemon();
    laptop.wait_for_content("taxes/2025 (restored).txt", "2025");
    laptop.wait_for_content("taxes/2026.txt", "2026");
    desktop.run(&["restore", first]).expect(3).expect_says("is not in the trash");
}

#[test]
fn activity_says_what_was_done_and_where() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("a.txt", "1");
    laptop.settle();
    desktop.start_daemon();
    desktop.wait_for_content("a.txt", "1");
    desktop.write("a.txt", "changed here");
    desktop.settle();
    let told = desktop.json(&["activity", "-n", "2"]);
    let told: Vec<_> =
        told.as_array().unwrap().iter().map(|d| (&d["deed"], &d["path"], &d["here"])).collect();
    let (changed, added) = (&Value::from("changed"), &Value::from("added"));
    let path = &Value::from("a.txt");
    assert_eq!(told, [(changed, path, &Value::from(true)), (added, path, &Value::from(false))]);
    laptop.settle();
    laptop.run(&["activity"]).expect(0).expect_says("changed  a.txt");
}
