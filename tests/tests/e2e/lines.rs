//! The command lines and documents that scripts rely on, to the letter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ensafer_tests::device::{Device, text};
use ensafer_tests::{World, process, store, tree};
use serde_json::Value;

#[test]
fn an_account_a_folder_and_a_second_device_by_the_documented_lines() {
    let world = World::new();
    let (work, encrypted) = (world.directory("work"), world.encrypted());
    fs::write(work.join("hello.txt"), "hello").unwrap();

    let first = Device::bare(&world.path("A"));
    first.run(&["register", "--email", "alice@example.com"]).expect(0);
    first.run(&["folder", "add", text(&work), text(&encrypted)]).expect(0);
    first.run(&["sync", "--once"]).expect(0);
    assert_eq!(first.run(&["problems", "--json"]).expect(0).json(), Value::Array(Vec::new()));

    let keys = world.path("account.ensafer-keys");
    first.run(&["keys", "export", "--output", text(&keys)]).expect(0);
    let second = Device::bare(&world.path("B"));
    second.run(&["keys", "import", text(&keys)]).expect(0);
    let other_work = world.directory("other work");
    second.run(&["folder", "add", text(&other_work), text(&encrypted)]).expect(0);
    second.run(&["sync", "--once"]).expect(0);
    tree::assert_same(&work, &other_work);

    let third = Device::bare(&world.path("C"));
    third.run(&["keys", "import", text(&keys)]).expect(0);
    let output = world.directory("output");
    let hello = store::objects(&encrypted).into_iter().find(|object| {
        third.run(&["decrypt", text(object), "--output", text(&output)]);
        output.join("hello.txt").exists()
    });
    assert!(hello.is_some(), "one of the objects is hello.txt");
    assert_eq!(fs::read(output.join("hello.txt")).unwrap(), b"hello");
}

#[test]
fn status_is_one_document_with_and_without_a_daemon() {
    let (_world, device) = World::with_one_device();
    let idle = device.json(&["status"]);
    assert!(idle["state"].is_string(), "{idle}");
    assert_eq!(idle["folders"].as_array().map(Vec::len), Some(1), "{idle}");

    device.write("a", "a");
    device.start_daemon();
    let status = device.json(&["status"]);
    assert_eq!(status["state"], "up-to-date");
    assert!(status["folders"][0].is_object(), "{status}");

    device.run(&["stop"]).expect(0);
    assert_eq!(device.state(), "stopped");
}

#[test]
fn sync_once_works_beside_a_running_daemon() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.start_daemon();
    laptop.write("written while it runs", "now");
    laptop.settle();
    desktop.settle();
    assert_eq!(desktop.read("written while it runs").as_deref(), Some("now"));
}

#[test]
fn not_set_up_says_so() {
    let world = World::new();
    let device = Device::bare(&world.path("home"));
    device.run(&["sync", "--once"]).expect(10);
    device.run(&["folder", "add", text(&world.directory("w")), text(&world.encrypted())]).expect(10);
    device.run(&["no-such-verb"]).expect(2);
}

#[test]
fn exported_keys_are_private_and_replace_nothing() {
    let (world, device) = World::with_one_device();
    let output = world.path("exported");
    device.run(&["keys", "export", "--output", text(&output)]).expect(0);
    assert_eq!(output.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&output).unwrap();
    let again = device.run(&["keys", "export", "--output", text(&output)]);
    assert_ne!(again.code, 0, "{again}");
    assert_eq!(fs::read(&output).unwrap(), before);
}

#[test]
fn folders_are_listed_and_removed_and_stay_where_they_are() {
    let (world, device) = World::with_one_device();
    device.write("kept", "kept");
    device.settle();
    let listed = device.json(&["folder", "list"]);
    assert_eq!(listed[0]["work"], text(&device.work.canonicalize().unwrap()), "{listed}");
    assert_eq!(listed[0]["encrypted"], text(&device.encrypted.canonicalize().unwrap()), "{listed}");

    let objects = store::object_names(&world.encrypted());
    device.run(&["folder", "remove", text(&device.work)]).expect(0);
    assert_eq!(device.json(&["folder", "list"]), Value::Array(Vec::new()));
    assert_eq!(device.read("kept").as_deref(), Some("kept"));
    assert_eq!(store::object_names(&world.encrypted()), objects);

    device.add_folder().expect(0);
    device.settle();
    assert_eq!(store::object_names(&world.encrypted()), objects, "joining again writes nothing new");
}

#[test]
fn settings_are_shown_set_and_checked() {
    let (_world, device) = World::with_one_device();
    device.run(&["config", "set", "trash_days", "7"]).expect(0);
    assert_eq!(device.run(&["config", "get", "trash_days"]).expect(0).stdout.trim(), "7");
    device.run(&["config", "show"]).expect(0).expect_says("trash_days");
    for (key, value) in [("trash_days", "9999"), ("no_such_key", "1"), ("padding", "purple")] {
        let refused = device.run(&["config", "set", key, value]);
        assert_ne!(refused.code, 0, "{refused}");
    }
    assert_eq!(device.run(&["config", "get", "trash_days"]).expect(0).stdout.trim(), "7");
}

#[test]
fn completions_are_made_for_each_shell() {
    let world = World::new();
    let device = Device::bare(&world.path("home"));
    for shell in ["bash", "zsh", "fish"] {
        device.run(&["completions", shell]).expect(0).expect_says("ensafer").expect_says("folder");
    }
}

#[test]
fn check_looks_at_the_environment() {
    let (_world, device) = World::with_one_device();
    let checked = device.run(&["check"]).expect(0);
    assert!(!checked.stdout.trim().is_empty());
}

#[test]
fn a_file_is_found_on_both_sides() {
    let (_world, device) = World::with_one_device();
    device.write("reports/2026 draft.txt", "draft");
    device.write("other.txt", "other");
    device.settle();

    let object = store::object_of(&device, "reports/2026 draft.txt");
    let name = object.file_name().unwrap().to_string_lossy().into_owned();
    device.run(&["locate", text(&object)]).expect(0).expect_says("2026 draft.txt");
    let hex = name.strip_suffix(".ensafer").unwrap();
    device.run(&["locate", hex]).expect(0).expect_says("2026 draft.txt");

    let listed = device.json(&["ls", text(&device.work)]);
    let entries = listed.as_array().expect("a list");
    let draft = entries.iter().find(|entry| entry["path"] == "reports/2026 draft.txt").expect("is listed");
    assert_eq!((&draft["size_bytes"], &draft["kind"]), (&Value::from(5), &Value::from("file")));

    let status = device.json(&["filestatus", text(&device.at("other.txt"))]);
    assert_eq!(status["state"], "up-to-date", "{status}");
    device.write("new.txt", "new");
    let status = device.json(&["filestatus", text(&device.at("new.txt"))]);
    assert_eq!(status["state"], "pending", "{status}");
}

#[test]
fn a_description_travels_with_its_file() {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.write("plan.txt", "plan");
    laptop.settle();
    laptop.run(&["describe", text(&laptop.at("plan.txt")), "the quarterly-description"]).expect(0);
    laptop.settle();
    desktop.settle();
    let listed = desktop.run(&["ls", text(&desktop.work), "--json"]).expect(0);
    assert!(listed.says("the quarterly-description"), "{listed}");
    assert_eq!(store::count_objects(&world.encrypted()), 2, "the roster and the file");
    store::assert_holds_no_plaintext(&world.encrypted(), &["quarterly-description"]);
}

/// A power failure came between the list and the state; the work directory is another one now.
#[test]
fn a_folder_that_is_added_again_begins_anew_whatever_its_removal_left() {
    let (world, mut device) = World::with_one_device();
    device.write("a.txt", "a");
    device.write("b.txt", "b");
    device.settle();
    let (states, left) = (device.home.join("data/folders"), world.path("left"));
    let copy =
        |from: &Path, to: &Path| process::run(Command::new("cp").arg("-aT").args([from, to])).expect(0);
    copy(&states, &left);
    device.run(&["folder", "remove", text(&device.work)]).expect(0);
    copy(&left, &states);
    device.work = world.directory("elsewhere");
    device.write("c.txt", "c");
    device.add_folder().expect(0);
    device.settle();
    for (name, content) in [("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c")] {
        assert_eq!(device.read(name).as_deref(), Some(content), "{name}");
    }
}
