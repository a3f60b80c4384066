//! Where secrets and plaintext must not be: the cloud, logs, arguments, the user's home.

use std::fs;
use std::io::ErrorKind;

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::{World, process, store, tree, wait};

const NAME: &str = "canary-name-7f3a";
const CONTENT: &str = "canary-content-91c2";

#[test]
fn the_cloud_the_logs_and_the_arguments_tell_nothing() {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.run(&["start"]).expect(0);
    laptop.write(&format!("{NAME}/{NAME}.txt"), CONTENT.repeat(1000));
    wait::until_true("it is encrypted", || store::count_objects(&world.encrypted()) == 3);
    laptop.wait_for_state("up-to-date");
    for id in laptop.processes() {
        for place in ["cmdline", "environ"] {
            let shown = match fs::read(format!("/proc/{id}/{place}")) {
                // Closed even to the same user.
                Err(e) if e.kind() == ErrorKind::PermissionDenied && !process::is_root() => continue,
                other => other.unwrap(),
            };
            let shown = String::from_utf8_lossy(&shown).replace(&format!("printf \"{PASSWORD}\""), "");
            assert!(!shown.contains(PASSWORD), "the password is in {place}");
        }
    }
    desktop.settle();
    store::assert_holds_no_plaintext(&world.encrypted(), &[NAME, CONTENT, PASSWORD, "alice@example.com"]);

    let logs = tree::files_below(&laptop.home);
    for file in &logs {
        store::assert_holds_none(file, &[PASSWORD, CONTENT]);
        if file.extension().is_some_and(|e| e == "log") {
            store::assert_holds_none(file, &[NAME, text(&laptop.work)]);
        }
    }
    assert!(!logs.is_empty());
}

#[test]
fn nothing_is_written_outside_of_the_devices_own_directories() {
    let (world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    laptop.start_daemon();
    laptop.run(&["check"]).expect(0);
    assert!(!laptop.user_home().exists());
    let mut names: Vec<_> =
        fs::read_dir(world.root()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["cloud", "laptop-home", "laptop-work"]);
}

#[test]
fn what_the_device_keeps_is_its_users_own() {
    use std::os::unix::fs::PermissionsExt;

    let (_world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    laptop.settle();
    for entry in fs::read_dir(&laptop.home).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", entry.path().display());
    }
}
