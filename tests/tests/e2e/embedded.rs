//! The key server that a daemon runs itself.

use std::fs;

use ensafer_tests::device::text;
use ensafer_tests::{Device, Running, World, wait};

/// One computer serves the household: its own account and another one are on it.
#[test]
fn a_daemon_runs_a_key_server() {
    let world = World::new();
    let settings = world.path("server.toml");
    fs::write(&settings, "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let host = Device::bare(&world.path("host"));
    host.run(&["register", "--email", "host@example.com"]).expect(0);
    let mut command = host.command(&["daemon"]);
    command.env("ENSAFER_SERVER__EMBEDDED", "true").env("ENSAFER_SERVER__SETTINGS", &settings);
    let daemon = Running::start(&mut command);
    let url = wait::until("the key server listens", || {
        let log = daemon.stderr_so_far();
        let at = log.find("http://127.0.0.1:")?;
        let url: String = log[at..].chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
        log[at..].contains('\n').then_some(url)
    });
    let register = |device: &Device, email: &str| {
        device.run(&["register", "--email", email, "--server", &url]).expect(0);
    };
    register(&host, "host@example.com");
    let guest = Device::bare(&world.path("guest"));
    register(&guest, "guest@example.com");
    let seen =
        |device: &Device, other: &str| device.json(&["share", "verify", other])["safety_number"].clone();
    assert_eq!(seen(&host, "guest@example.com"), seen(&guest, "host@example.com"));
    assert!(host.home.join("data/server/server.db").exists());
    host.run(&["daemon", "--quit"]).expect(0);
    daemon.finish().expect(0);
    guest.run(&["account", "devices"]).expect(14);
}

#[test]
fn settings_that_are_wrong_say_so() {
    let world = World::new();
    let settings = world.path("server.toml");
    fs::write(&settings, "[server]\nlisten = \"192.0.2.1:80\"\n").unwrap();
    let host = Device::bare(&world.path("host"));
    host.run(&["register", "--email", "host@example.com"]).expect(0);
    let mut command = host.command(&["daemon", "--set", "server.embedded=true"]);
    let refused = ensafer_tests::process::run(command.env("ENSAFER_SERVER__SETTINGS", text(&settings)));
    assert_ne!(refused.code, 0, "{refused}");
    assert!(refused.says("listen"), "{refused}");
}
