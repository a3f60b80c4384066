//! The tray's notifications, shown by a server of the tests' own.

use std::fs;

use ensafer_tests::desktop::Panel;
use ensafer_tests::notifications::{Asked, NotificationServer};
use ensafer_tests::process::Running;
use ensafer_tests::{Desktop, Device, TrayItem, World};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::tray::Programs;

/// Something that is no file, directory or symbolic link: a problem.
fn make_problem(device: &Device, name: &str) {
    mknodat(CWD, device.at(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
}

/// A device whose tray says that all is well, in a session with a notification server.
fn watched(world: &World, desktop: &Desktop, device: &Device) -> (Programs, Running, TrayItem) {
    watched_in(&desktop.panel(), world, desktop, device)
}

fn watched_in(
    panel: &Panel,
    world: &World,
    desktop: &Desktop,
    device: &Device,
) -> (Programs, Running, TrayItem) {
    let programs = Programs::new(world);
    let tray = Running::start(&mut programs.tray(desktop, device));
    let item = panel.next_item();
    item.wait_for("Up to date");
    (programs, tray, item)
}

#[test]
fn a_brake_is_told_once_and_leads_to_the_window() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    for number in 0..60 {
        device.write(&format!("papers/{number}"), number.to_string());
    }
    device.settle();
    let server = NotificationServer::start(&desktop);
    let (programs, _tray, item) = watched(&world, &desktop, &device);
    fs::remove_dir_all(device.at("papers")).unwrap();
    item.wait_for("Stopped by the brake: look, then go on or undo");
    let brake = server.next_bubble();
    assert_eq!(brake.summary, "Syncing was stopped by the brake");
    assert_eq!((brake.urgency, brake.is_replacement), (2, false));
    server.click(&brake, "open");
    programs.wait_for_call("ensafer open");

    // Somebody puts it right, and another thing happens: nothing was told in between.
    for number in 0..60 {
        device.write(&format!("papers/{number}"), number.to_string());
    }
    item.wait_for("Up to date");
    make_problem(&device, "pipe");
    assert_eq!(server.next_bubble().summary, "A file needs attention");
}

#[test]
fn a_burst_of_problems_is_one_notification_that_goes_with_them() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    let server = NotificationServer::start(&desktop);
    let (_programs, _tray, _item) = watched(&world, &desktop, &device);
    for number in 0..5 {
        make_problem(&device, &format!("<b>&{number}"));
    }
    let told = server.next_bubble();
    assert_eq!(told.summary, "5 files need attention");
    assert_eq!(told.body, "&lt;b&gt;&amp;0 and 4 others");
    make_problem(&device, "another");
    let more = server.next_bubble();
    assert_eq!((more.id, more.is_replacement), (told.id, true));
    assert_eq!((&*more.summary, &*more.body), ("6 files need attention", "another and 5 others"));
    for number in 0..5 {
        fs::remove_file(device.at(&format!("<b>&{number}"))).unwrap();
    }
    fs::remove_file(device.at("another")).unwrap();
    assert_eq!(server.next(), Asked::Close(told.id));
}

#[test]
fn a_conflict_is_told_when_its_copy_is_there() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, other, device) = World::with_two_devices();
    other.write("report.txt", "common");
    other.write("letter.txt", "common");
    other.settle();
    device.settle();
    let server = NotificationServer::start(&desktop);
    let (_programs, _tray, item) = watched(&world, &desktop, &device);
    for (name, summary, names) in [
        ("report.txt", "A file was kept twice", "report.txt"),
        ("letter.txt", "2 files were kept twice", "letter.txt and another"),
    ] {
        // Neither hears of the other before both have written.
        device.run(&["pause"]).expect(0);
        item.wait_for("Paused (until resumed)");
        other.write(name, "of the other");
        other.settle();
        device.write(name, "of this one");
        device.run(&["resume"]).expect(0);
        let told = server.next_bubble();
        let body = format!("{names}: changed here and elsewhere at the same time.");
        assert_eq!((&*told.summary, told.body), (summary, body));
        item.wait_for("Up to date");
    }
}

#[test]
fn what_vanishes_with_its_server_is_told_to_the_next_one() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    let server = NotificationServer::start(&desktop);
    let (_programs, _tray, _item) = watched(&world, &desktop, &device);
    make_problem(&device, "pipe");
    let told = server.next_bubble();
    drop(server);
    let server = NotificationServer::start(&desktop);
    let again = server.next_bubble();
    assert_eq!((again.summary, again.is_replacement), (told.summary, false));
}

#[test]
fn whoever_snoozes_is_left_alone() {
    let Some(desktop) = Desktop::start() else { return };
    let ((world, device), (_apart, other)) = (World::with_one_device(), World::with_one_device());
    let (server, panel) = (NotificationServer::start(&desktop), desktop.panel());
    let (_programs, _tray, item) = watched_in(&panel, &world, &desktop, &device);
    make_problem(&device, "pipe");
    let told = server.next_bubble();
    server.click(&told, "snooze-hour");
    make_problem(&device, "another");
    crate::tray::wait_for_label(&item, "Problems (2)");

    // The tray of another home tells at once what happens later.
    let _tray = desktop.start_tray(&other);
    panel.next_item().wait_for("Up to date");
    make_problem(&other, "their pipe");
    assert!(server.next_bubble().body.starts_with("their pipe: "));
}

#[test]
fn a_daemon_that_breaks_off_is_told_and_started_again() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    let server = NotificationServer::start(&desktop);
    let (_programs, _tray, item) = watched(&world, &desktop, &device);
    // Whoever ends it knows.
    device.run(&["daemon", "--quit"]).expect(0);
    item.wait_for("Not running");
    device.start_daemon();
    item.wait_for("Up to date");
    device.kill_daemon();
    let told = server.next_bubble();
    assert_eq!(told.summary, "Ensafer has ended unexpectedly");
    assert_eq!(told.actions[2..4], ["open", "Start"]);
    server.click(&told, "open");
    item.wait_for("Up to date");
    assert_eq!(device.processes().len(), 1);
}

#[test]
fn locked_keys_are_told_until_they_are_opened() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    device.settle();
    device.write("waits", "x");
    let server = NotificationServer::start(&desktop);
    let programs = Programs::new(&world);
    let panel = desktop.panel();
    let mut command = programs.tray(&desktop, &device);
    // Nobody is there to type it.
    command.env_remove("ENSAFER_PASSWORD_COMMAND");
    let _tray = Running::start(&mut command);
    let item = panel.next_item();
    item.wait_for("Locked: enter the password");
    let told = server.next_bubble();
    assert_eq!(told.summary, "Ensafer is locked");
    item.click(&["Enter the password…"]);
    programs.wait_for_call("ensafer open");
    device.run(&["unlock"]).expect(0);
    item.wait_for("Up to date");
    assert_eq!(server.next(), Asked::Close(told.id));
}
