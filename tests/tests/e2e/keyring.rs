//! The desktop's keyring, where there is one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use ensafer_tests::account::Person;
use ensafer_tests::device::text;
use ensafer_tests::{Device, World, process};

/// Two homes on one machine share a keyring; their entries do not collide, and neither asks for the password again.
#[test]
fn keys_in_the_desktops_keyring() {
    let installed = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !installed("dbus-run-session") || !installed("gnome-keyring-daemon") {
        assert!(std::env::var_os("CI").is_none(), "CI must have dbus-run-session and gnome-keyring-daemon");
        eprintln!("skipped: no dbus-run-session or no gnome-keyring-daemon");
        return;
    }
    let world = World::new();
    let (first, second) = (Device::bare(&world.path("A")), Device::bare(&world.path("B")));
    let script = r#"
        printf %s ci | gnome-keyring-daemon --unlock --components=secrets --daemonize >&2
        for home in "$FIRST" "$SECOND"; do
            ENSAFER_HOME="$home" "$ENSAFER" keys import "$KEYS" || exit 90
        done
        ENSAFER_HOME="$FIRST" "$ENSAFER" folder add "$WORK_1" "$CLOUD" || exit 91
        ENSAFER_HOME="$SECOND" "$ENSAFER" folder add "$WORK_2" "$CLOUD" || exit 92
        # From here on nobody is there to type a password.
        export ENSAFER_PASSWORD_COMMAND=false
        echo hello > "$WORK_1/hello"
        ENSAFER_HOME="$FIRST" "$ENSAFER" sync --once || exit 93
        ENSAFER_HOME="$SECOND" "$ENSAFER" sync --once || exit 94
        cmp "$WORK_1/hello" "$WORK_2/hello" || exit 95
    "#;
    let runtime = private_directory(&world, "run");
    let mut command = Command::new("dbus-run-session");
    first.set_environment(&mut command);
    command
        .env("ENSAFER_KEYRING", "auto")
        // The keyring's own files, and its socket's directory.
        .env("HOME", world.directory("user"))
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("ENSAFER", process::ensafer())
        .env("KEYS", Person::Alice.keys_file())
        .env("FIRST", text(&first.home))
        .env("SECOND", text(&second.home))
        .env("WORK_1", world.directory("work 1"))
        .env("WORK_2", world.directory("work 2"))
        .env("CLOUD", world.encrypted())
        .args(["--", "sh", "-uc", script]);
    let finished = process::run(&mut command);
    // It does not end with its session.
    for id in process::processes_with("gnome-keyring-daemon", "XDG_RUNTIME_DIR", &runtime) {
        process::kill_at_once(id);
    }
    finished.expect(0);
}

fn private_directory(world: &World, name: &str) -> PathBuf {
    let path = world.directory(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}
