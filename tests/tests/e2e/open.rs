//! `ensafer open`: the window's page in a browser, and where its secret must not be.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ensafer_tests::{Device, Running, World, wait};

/// A device that syncs nothing, with a daemon.
fn device(world: &World) -> Device {
    let device = Device::bare(&world.path("a"));
    device.run(&["register", "--email", "alice@example.com"]).expect(0);
    device.run(&["start"]).expect(0);
    device
}

/// A directory with an `xdg-open` that writes down what it was given, and ends as it is told.
fn fake_opener(world: &World, end: u8) -> (PathBuf, PathBuf) {
    let directory = world.directory("programs");
    let seen = directory.join("seen");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >'{}'\nexit {end}\n", seen.display());
    let program = directory.join("xdg-open");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, seen)
}

/// Opens the window where there is a display, with these programs before all others.
fn open(device: &Device, programs: &Path) -> ensafer_tests::Finished {
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = device.command(&["open"]);
    command.env("PATH", path).env("DISPLAY", ":4711");
    Running::start(&mut command).finish()
}

fn get(address: &str) -> String {
    let authority = address.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn token_of(address: &str) -> &str {
    let token = address.split_once("/#").unwrap().1.trim();
    assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    token
}

#[test]
fn the_address_reaches_the_browser_by_a_private_file() {
    let world = World::new();
    let device = device(&world);
    let (programs, seen) = fake_opener(&world, 0);
    let opened = open(&device, &programs).expect(0);
    let arguments = fs::read_to_string(&seen).unwrap();
    let file = Path::new(arguments.trim_end());
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let page = fs::read_to_string(file).unwrap();
    let address = page.split("url=").nth(1).unwrap().split('"').next().unwrap();
    let token = token_of(address);
    assert!(!arguments.contains(token), "everybody reads a process's arguments");
    assert!(!opened.says(token), "{opened}");
    let log = fs::read_to_string(device.home.join("state/daemon.log")).unwrap();
    assert!(log.contains("listening for a browser") && !log.contains(token), "{log}");
    assert!(get(address).contains("<!doctype html>"));

    // A second window at the same time leaves the first one its way.
    open(&device, &programs).expect(0);
    let other = fs::read_to_string(&seen).unwrap();
    assert_ne!(other, arguments);
    assert_eq!(fs::read_to_string(file).unwrap(), page);
}

#[test]
fn the_address_is_printed_where_no_browser_can_be_started() {
    let world = World::new();
    let device = device(&world);
    let printed = device.run(&["open", "--print"]).expect(0);
    assert!(printed.stderr.is_empty(), "{printed}");
    token_of(&printed.stdout);
    assert!(get(&printed.stdout).contains("<!doctype html>"));

    let nowhere = device.run(&["open"]).expect(0).expect_says("there is no display");
    assert_ne!(token_of(&nowhere.stdout), token_of(&printed.stdout));
    let (programs, _) = fake_opener(&world, 3);
    let failed = open(&device, &programs).expect(0).expect_says("No browser can be started here");
    token_of(&failed.stdout);
}

#[test]
fn opening_starts_the_daemon_and_the_port_closes_with_it() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    device.run(&["register", "--email", "alice@example.com"]).expect(0);
    let address = device.run(&["open", "--print"]).expect(0).stdout;
    assert!(get(&address).contains("<!doctype html>"));
    device.run(&["daemon", "--quit"]).expect(0);
    let authority = address.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    wait::until_true("the port is closed", || TcpStream::connect(&authority).is_err());
}
