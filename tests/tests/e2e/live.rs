//! Running daemons.

use std::fs::{self, File};
use std::time::Duration;

use ensafer_tests::{Random, World, store, tree, wait};
use rustix::process::Signal;

#[test]
fn changes_pass_between_two_running_daemons() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.start_daemon();
    desktop.start_daemon();
    laptop.write("one.txt", "1");
    desktop.wait_for_content("one.txt", "1");
    desktop.write("one.txt", "1, edited");
    laptop.wait_for_content("one.txt", "1, edited");
    laptop.write("sub/dir/two.txt", "2");
    desktop.wait_for_content("sub/dir/two.txt", "2");
    fs::rename(desktop.at("sub/dir"), desktop.at("moved")).unwrap();
    laptop.wait_for_content("moved/two.txt", "2");
    laptop.wait_for_absence("sub/dir");
    fs::remove_file(laptop.at("one.txt")).unwrap();
    desktop.wait_for_absence("one.txt");
    laptop.wait_for_state("up-to-date");
    desktop.wait_for_state("up-to-date");
    tree::assert_same(&laptop.work, &desktop.work);
}

#[test]
fn a_storm_of_a_thousand_files_arrives_whole() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.start_daemon();
    desktop.start_daemon();
    for n in 0..1000 {
        laptop.write(&format!("storm {}/{n}", n % 17), format!("number {n}"));
    }
    wait::until_within(Duration::from_secs(120), "the storm has passed", || {
        let arrived =
            (0..17).map(|d| store::count_entries(&desktop.at(&format!("storm {d}")))).sum::<usize>();
        (arrived == 1000 && desktop.state() == "up-to-date").then_some(())
    });
    tree::assert_same(&laptop.work, &desktop.work);
}

#[test]
fn stop_stays_stopped_and_start_catches_up() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.start_daemon();
    laptop.run(&["stop"]).expect(0);
    laptop.wait_for_state("stopped");
    laptop.write("while stopped", "x");
    laptop.kill_daemon();
    assert_eq!(laptop.state(), "stopped", "also without a daemon");
    laptop.run(&["start"]).expect(0);
    laptop.wait_for_state("up-to-date");
    desktop.settle();
    assert_eq!(desktop.read("while stopped").as_deref(), Some("x"));
    laptop.run(&["start"]).expect(0);
}

#[test]
fn a_start_that_fails_leaves_it_stopped() {
    let (_world, laptop) = World::with_one_device();
    laptop.settle();
    laptop.run(&["stop"]).expect(0);
    // As another command would hold it.
    let lock = File::open(laptop.home.join("data/daemon.lock")).unwrap();
    lock.lock().unwrap();
    laptop.run(&["start"]).expect(1);
    drop(lock);
    assert_eq!(laptop.state(), "stopped");
    laptop.run(&["start"]).expect(0);
    laptop.wait_for_state("up-to-date");
}

#[test]
fn nothing_moves_while_it_is_paused() {
    let (world, laptop) = World::with_one_device();
    laptop.start_daemon();
    laptop.run(&["pause"]).expect(0);
    laptop.wait_for_state("paused");
    let before = store::count_objects(&world.encrypted());
    laptop.write("waits", "x");
    assert_eq!(store::count_objects(&world.encrypted()), before);
    laptop.run(&["resume"]).expect(0);
    wait::until_true("the file is encrypted", || store::count_objects(&world.encrypted()) == before + 1);
    laptop.wait_for_state("up-to-date");
}

#[test]
fn a_second_daemon_is_refused() {
    let (_world, laptop) = World::with_one_device();
    laptop.start_daemon();
    let running = laptop.processes();
    assert_eq!(running.len(), 1);
    laptop.run(&["daemon"]).expect(11);
    assert_eq!(laptop.processes(), running);
    assert_eq!(laptop.state(), "up-to-date");
}

#[test]
fn the_daemon_in_the_foreground_ends_cleanly_on_a_signal() {
    let (_world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = laptop.start_verb(&["daemon"]);
        laptop.wait_for_state("up-to-date");
        daemon.signal(signal);
        let ended = daemon.finish();
        assert!([0, 130].contains(&ended.code), "{ended}");
    }
    laptop.settle();
}

#[test]
fn quit_ends_the_process() {
    let (_world, laptop) = World::with_one_device();
    laptop.start_daemon();
    laptop.run(&["daemon", "--quit"]).expect(0);
    wait::until_true("the daemon is gone", || laptop.processes().is_empty());
}

#[test]
fn up_sets_everything_up_and_keeps_watching() {
    let world = World::new();
    let device = ensafer_tests::Device::bare(&world.path("home"));
    let (work, encrypted) = (world.path("my work"), world.path("my cloud"));
    let arguments =
        ["up", "--work", work.to_str().unwrap(), "--encrypted", encrypted.to_str().unwrap(), "-y"];
    let running = device.start_verb(&arguments);
    wait::until_true("the directories are made", || work.is_dir() && encrypted.is_dir());
    fs::write(work.join("made while it runs.txt"), "x").unwrap();
    wait::until_true("the file is encrypted", || store::count_objects(&encrypted) >= 2);
    running.signal(Signal::INT);
    let ended = running.finish();
    assert!([0, 130].contains(&ended.code), "{ended}");
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    device.run(&["sync", "--once"]).expect(0);
}

#[test]
fn a_home_with_a_very_long_path_still_has_a_socket() {
    let world = World::new();
    let deep = world.path(&format!("{}/{}", "d".repeat(120), "e".repeat(120)));
    let keys = ensafer_tests::account::Person::Alice.keys_file();
    let mut device = ensafer_tests::Device::bare(&deep);
    device.work = world.directory("work");
    device.encrypted = world.encrypted();
    device.run(&["keys", "import", keys.to_str().unwrap()]).expect(0);
    device.add_folder().expect(0);
    device.start_daemon();
    device.write("a", "a");
    wait::until_true("the file is encrypted", || store::count_objects(&device.encrypted) == 2);
    device.run(&["daemon", "--quit"]).expect(0);
}

#[test]
fn an_interrupted_sync_says_so_and_the_next_one_goes_on() {
    let (world, laptop, desktop) = World::with_two_devices();
    Random::new(50).write_file(&laptop.at("big"), 300 << 20);
    let before = store::count_entries(&world.encrypted());
    let running = laptop.start_verb(&["sync", "--once"]);
    wait::until_true("it writes", || store::count_entries(&world.encrypted()) > before);
    running.signal(Signal::INT);
    running.finish().expect(130);
    laptop.settle();
    assert_eq!(store::objects(&world.encrypted()).len(), 2, "the roster and the file");
    desktop.settle();
    assert_eq!(tree::digest(&laptop.at("big")), tree::digest(&desktop.at("big")));
}
