//! What is refused: with a clear message and the right exit code, and nothing is lost or left half-made.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use ensafer_tests::account::Person;
use ensafer_tests::device::text;
use ensafer_tests::{Device, World, process, store, tree};
use serde_json::Value;

use crate::places::{Guest, small_disk};

/// `folder add`, which must be refused and change nothing.
#[track_caller]
fn refused(device: &Device, work: &Path, encrypted: &Path) -> ensafer_tests::Finished {
    let before = device.json(&["folder", "list"]);
    let finished = device.run(&["folder", "add", text(work), text(encrypted)]);
    assert!(finished.code != 0 && finished.code < 100, "not refused: {finished}");
    assert!(!finished.stderr.trim().is_empty(), "no word why: {finished}");
    assert!(!finished.says("panicked"), "{finished}");
    assert_eq!(device.json(&["folder", "list"]), before, "the list has changed");
    finished
}

#[test]
fn overlapping_folders() {
    let world = World::new();
    let device = world.idle_device("laptop");
    let outer = world.directory("outer");
    let inner = world.directory("outer/inner/deeper");
    refused(&device, &outer, &inner);
    refused(&device, &inner, &outer);
    refused(&device, &outer, &outer);

    let link = world.path("link");
    symlink(&outer, &link).unwrap();
    refused(&device, &link.join("inner"), &outer);
    refused(&device, &link, &inner);
    refused(&device, &outer.join("inner/.."), &inner);
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 0, "no plaintext and no roster was written");
}

#[test]
fn the_same_folder_twice_or_inside_another_one() {
    let (world, device) = World::with_one_device();
    let (other_work, other_encrypted) = (world.directory("other work"), world.directory("other cloud"));
    refused(&device, &device.work, &device.encrypted);
    refused(&device, &device.work, &other_encrypted);
    refused(&device, &other_work, &device.encrypted);
    let below = device.at("below");
    fs::create_dir(&below).unwrap();
    refused(&device, &below, &other_encrypted);
    refused(&device, &other_work, &below);
    let link = world.path("link");
    symlink(&device.work, &link).unwrap();
    refused(&device, &link, &other_encrypted);
    assert_eq!(fs::read_dir(&other_encrypted).unwrap().count(), 0);
}

#[test]
fn what_is_missing_or_a_file() {
    let world = World::new();
    let device = world.idle_device("laptop");
    let file = world.path("file");
    fs::write(&file, "a file").unwrap();
    let missing = world.path("missing");
    for (work, encrypted) in [
        (&missing, &world.encrypted()),
        (&device.work, &missing),
        (&file, &world.encrypted()),
        (&device.work, &file),
    ] {
        refused(&device, work, encrypted);
    }
    assert!(!missing.exists(), "`folder add` makes no directories");
    assert_eq!(fs::read(&file).unwrap(), b"a file");
    assert_eq!(store::count_entries(&world.encrypted()), 0);
}

#[test]
fn what_cannot_be_written() {
    let guest = Guest::new();
    let sealed = guest.directory("sealed");
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o500)).unwrap();
    for (work, encrypted) in [(&sealed, &guest.encrypted), (&guest.work, &sealed)] {
        let finished = guest.run(&["folder", "add", text(work), text(encrypted)]);
        assert!(finished.code != 0 && finished.code < 100, "not refused: {finished}");
        assert!(finished.says("sealed"), "does not say which: {finished}");
    }
    assert_eq!(guest.run(&["folder", "list", "--json"]).expect(0).json(), Value::Array(Vec::new()));
}

#[test]
fn a_file_and_a_directory_that_cannot_be_read_are_listed_and_the_rest_goes_on() {
    let guest = Guest::new();
    guest.run(&["folder", "add", text(&guest.work), text(&guest.encrypted)]).expect(0);
    guest.write("good.txt", "good");
    guest.write("secret.txt", "nobody may read this");
    guest.write("closed/inside.txt", "inside");
    let (file, directory) = (guest.work.join("secret.txt"), guest.work.join("closed"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    guest.run(&["sync", "--once"]).expect(3);

    let problems = guest.run(&["problems", "--json"]).expect(0).json();
    let listed = |path: &str| {
        let all = problems.as_array().expect("a list");
        all.iter().any(|problem| problem["path"] == path && problem["class"] == "unreadable")
    };
    assert!(listed("secret.txt") && listed("closed"), "{problems}");
    assert!(store::count_objects(&guest.encrypted) >= 2, "the good file was encrypted");

    // Readable again: no trace is left of the trouble.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    guest.run(&["sync", "--once"]).expect(0);
    assert_eq!(store::count_objects(&guest.encrypted), 5, "roster, three files, one directory");

    // What was encrypted once and cannot be read now is not taken for deleted.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    guest.run(&["sync", "--once"]).expect(3);
    assert_eq!(store::count_objects(&guest.encrypted), 5);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read(directory.join("inside.txt")).unwrap(), b"inside");
    guest.run(&["sync", "--once"]).expect(0);
}

#[test]
fn problems_say_which_of_several_folders_they_are_in() {
    let (world, device) = World::with_one_device();
    let _socket = UnixListener::bind(device.at("socket")).unwrap();
    device.sync().expect(3);
    let line = device.run(&["problems"]).expect(0).stdout;
    assert!(line.starts_with("socket: "), "{line}");
    let (work, encrypted) = (world.directory("other work"), world.directory("other cloud"));
    device.run(&["folder", "add", text(&work), text(&encrypted)]).expect(0);
    let line = device.run(&["problems"]).expect(0).stdout;
    assert!(line.starts_with(&format!("{}: ", device.at("socket").display())), "{line}");
}

#[test]
fn a_path_is_spelt_as_it_was_typed() {
    let world = World::new();
    let device = world.idle_device("laptop");
    let mut command = device.command(&["up", "--work", "absent", "--encrypted", text(&world.encrypted())]);
    let refused = process::run(command.current_dir(world.directory("here"))).expect(2);
    refused.expect_says("Error: absent does not exist");
}

#[test]
fn a_wrong_password() {
    let (world, device) = World::with_one_device();
    device.write("a", "a");
    device.settle();
    let forgetful = device.with_password_command("printf 'incorrect horse'");
    let keys = Person::Alice.keys_file();
    let empty = Device::bare(&world.path("empty")).with_password_command("printf 'incorrect horse'");
    let refused = empty.run(&["keys", "import", text(&keys)]).expect(12);
    assert!(!refused.says("ensafer login"), "no server knows it: {refused}");
    refused.expect_says("--account-key").expect_says("--with-recovery-key");
    empty.run(&["sync", "--once"]).expect(10);
    forgetful.run(&["unlock"]).expect(12);
    device.settle();
}

#[test]
fn an_encrypted_folder_of_another_account() {
    let world = World::new();
    let alice = world.device("alice");
    alice.write("a", "a");
    alice.settle();
    let objects = store::object_names(&world.encrypted());

    let bob = world.idle_device_of(Person::Bob, "bob");
    bob.write("bob's own", "b");
    let finished = bob.add_folder();
    assert_eq!(finished.code, 13, "{finished}");
    assert!(finished.says("--from"), "does not name the option: {finished}");
    assert_eq!(bob.json(&["folder", "list"]), Value::Array(Vec::new()));
    assert_eq!(store::object_names(&world.encrypted()), objects, "nothing was written");
    assert_eq!(tree::names(&bob.work), [b"bob's own".to_vec()]);
}

#[test]
fn a_full_disk_under_the_encrypted_folder() {
    let world = World::new();
    let device = world.idle_device("laptop");
    for n in 0..12 {
        device.write(&format!("file {n}"), ensafer_tests::Random::new(n).bytes(512 * 1024));
    }
    let kept = world.directory("kept");
    // 6 MiB do not fit into 4.
    let Some(log) = small_disk(
        &device,
        &device.encrypted,
        "4m",
        &format!(
            r#"
        "$ENSAFER" folder add "$WORK" "$ENCRYPTED"; echo "add: $?"
        "$ENSAFER" sync --once; echo "full: $?"
        "$ENSAFER" problems --json
        for file in "$ENCRYPTED"/*; do echo "entry: ${{file##*/}}"; done
        mount -o remount,size=64m "$ENCRYPTED"
        "$ENSAFER" sync --once; echo "room: $?"
        cp "$ENCRYPTED"/* "{}"
        "#,
            text(&kept)
        ),
    ) else {
        return;
    };
    assert!(log.says("add: 0") && log.says("full: 3"), "{log}");
    assert!(log.says("disk-full"), "{log}");
    for line in log.stdout.lines().filter_map(|line| line.strip_prefix("entry: ")) {
        assert!(line.ends_with(".ensafer"), "{line} was left behind: {log}");
    }
    assert!(log.says("room: 0"), "goes on by itself when there is room: {log}");

    for object in store::objects(&kept) {
        fs::copy(&object, world.encrypted().join(object.file_name().unwrap())).unwrap();
    }
    let second = world.device("second");
    second.settle();
    tree::assert_same(&device.work, &second.work);
}

#[test]
fn a_full_disk_under_the_work_folder() {
    let world = World::new();
    let laptop = world.device("laptop");
    for n in 0..12 {
        laptop.write(&format!("file {n}"), ensafer_tests::Random::new(n).bytes(512 * 1024));
    }
    laptop.settle();
    let objects = store::object_names(&world.encrypted());

    let desktop = world.idle_device("desktop");
    let kept = world.directory("kept");
    let Some(log) = small_disk(
        &desktop,
        &desktop.work,
        "4m",
        &format!(
            r#"
        "$ENSAFER" folder add "$WORK" "$ENCRYPTED"; echo "add: $?"
        "$ENSAFER" sync --once; echo "full: $?"
        "$ENSAFER" problems --json
        for file in "$WORK"/*; do echo "size of ${{file##*/}}: $(wc -c < "$file")"; done
        mount -o remount,size=64m "$WORK"
        "$ENSAFER" sync --once; echo "room: $?"
        cp -p "$WORK"/file* "{}"
        "#,
            text(&kept)
        ),
    ) else {
        return;
    };
    assert!(log.says("add: 0") && log.says("full: 3"), "{log}");
    assert!(log.says("disk-full"), "{log}");
    for line in log.stdout.lines().filter(|line| line.starts_with("size of ")) {
        assert!(line.ends_with(": 524288"), "half a file: {line} in {log}");
    }
    assert!(log.says("room: 0"), "goes on by itself when there is room: {log}");
    tree::assert_same(&laptop.work, &kept);
    assert_eq!(store::object_names(&world.encrypted()), objects, "nothing was taken for deleted");
}

#[test]
fn a_work_folder_that_is_gone_is_not_taken_for_empty() {
    let (world, laptop, desktop) = World::with_two_devices();
    for n in 0..5 {
        laptop.write(&format!("{n}"), "x");
    }
    laptop.settle();
    desktop.settle();
    let objects = store::object_names(&world.encrypted());
    let aside = world.path("aside");
    fs::rename(&laptop.work, &aside).unwrap();
    assert_ne!(laptop.sync().code, 0);
    fs::create_dir(&laptop.work).unwrap();
    assert_ne!(laptop.sync().code, 0, "an empty directory in its place is no folder");
    assert_eq!(store::object_names(&world.encrypted()), objects);
    desktop.settle();
    assert_eq!(tree::names(&desktop.work).len(), 5);

    fs::remove_dir_all(&laptop.work).unwrap();
    fs::rename(&aside, &laptop.work).unwrap();
    laptop.settle();
}
