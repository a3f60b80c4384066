//! The desktop's keyring, where there is one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use ensafer_tests::account::Person;
use ensafer_tests::device::text;
use ensafer_tests::{Device, Finished, KeyServer, World, process};

/// Two homes on one machine share a keyring; their entries do not collide, and neither asks for the password again.
#[test]
fn keys_in_the_desktops_keyring() {
    if !has_keyring() {
        return;
    }
    let world = World::new();
    let (first, second) = (Device::bare(&world.path("A")), Device::bare(&world.path("B")));
    let script = r#"
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
    let keys = Person::Alice.keys_file();
    let (work_1, work_2, cloud) = (world.directory("work 1"), world.directory("work 2"), world.encrypted());
    let variables = [
        ("KEYS", text(&keys)),
        ("FIRST", text(&first.home)),
        ("SECOND", text(&second.home)),
        ("WORK_1", text(&work_1)),
        ("WORK_2", text(&work_2)),
        ("CLOUD", text(&cloud)),
    ];
    run_beside_keyring(&world, &first, &variables, script).expect(0);
}

/// After a restart of the computer, without a network and without anybody at it.
#[test]
fn a_daemon_starts_from_the_keyring_while_the_key_server_is_down() {
    if !has_keyring() {
        return;
    }
    let world = World::new();
    let mut server = KeyServer::start(&world);
    let device = Device::bare(&world.path("A"));
    let script = r#"
        "$ENSAFER" register --email alice@example.com --server "$URL" || exit 90
        "$ENSAFER" folder add "$WORK" "$CLOUD" || exit 91
        "$ENSAFER" logout || exit 92
        echo first > "$WORK/first"
        ENSAFER_PASSWORD_COMMAND=false "$ENSAFER" sync --once && exit 93
        "$ENSAFER" login || exit 94
        export ENSAFER_PASSWORD_COMMAND=false
        "$ENSAFER" account devices || exit 95
        kill -9 "$SERVER"
        echo hello > "$WORK/hello"
        "$ENSAFER" start || exit 96
        tries=0
        while [ "$(ls "$CLOUD" | wc -l)" -lt 3 ]; do
            tries=$((tries + 1))
            [ $tries -lt 600 ] || exit 97
            sleep 0.1
        done
        "$ENSAFER" status --json || exit 98
        "$ENSAFER" daemon --quit || exit 99
    "#;
    let (work, cloud, id) = (world.directory("work"), world.encrypted(), server.id().to_string());
    let variables = [("URL", &*server.url), ("SERVER", &*id), ("WORK", text(&work)), ("CLOUD", text(&cloud))];
    let finished = run_beside_keyring(&world, &device, &variables, script).expect(0);
    let status = finished.stdout.lines().last().expect("the status");
    assert!(!status.contains("\"account\""), "nothing is to be said of a server that is down: {status}");
    server.kill();
}

/// After a log-in to the desktop: the tray starts, and nobody types anything.
#[test]
fn a_daemon_that_the_tray_starts_opens_its_keys_from_the_keyring() {
    if !has_keyring() {
        return;
    }
    let world = World::new();
    let device = Device::bare(&world.path("A"));
    let script = r#"
        "$ENSAFER" keys import "$KEYS" || exit 90
        "$ENSAFER" folder add "$WORK" "$CLOUD" || exit 91
        export ENSAFER_PASSWORD_COMMAND=false
        echo hello > "$WORK/hello"
        before=$(ls "$CLOUD" | wc -l)
        "$TRAY" &
        tray=$!
        tries=0
        while [ "$(ls "$CLOUD" | wc -l)" -le "$before" ]; do
            tries=$((tries + 1))
            [ $tries -lt 600 ] || exit 92
            sleep 0.1
        done
        kill "$tray"
        # The daemon goes on.
        "$ENSAFER" sync --once || exit 93
        "$ENSAFER" status --json || exit 94
        "$ENSAFER" daemon --quit || exit 95
    "#;
    let (keys, tray) = (Person::Alice.keys_file(), process::ensafer_tray());
    let (work, cloud) = (world.directory("work"), world.encrypted());
    let variables =
        [("KEYS", text(&keys)), ("TRAY", text(&tray)), ("WORK", text(&work)), ("CLOUD", text(&cloud))];
    let finished = run_beside_keyring(&world, &device, &variables, script).expect(0);
    assert!(!finished.says("\"locked\""), "{finished}");
}

fn has_keyring() -> bool {
    process::are_installed(&["dbus-run-session", "gnome-keyring-daemon"])
}

/// Runs a shell script in a desktop's session with an unlocked keyring of its own. `$ENSAFER` is the program.
fn run_beside_keyring(world: &World, device: &Device, variables: &[(&str, &str)], script: &str) -> Finished {
    let runtime = private_directory(world, "run");
    let mut command = Command::new("dbus-run-session");
    device.set_environment(&mut command);
    let unlock = "printf %s ci | gnome-keyring-daemon --unlock --components=secrets --daemonize >&2";
    command
        .env("ENSAFER_KEYRING", "auto")
        // The keyring's own files, and its socket's directory.
        .env("HOME", world.directory("user"))
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("ENSAFER", process::ensafer())
        .envs(variables.iter().copied())
        .args(["--", "sh", "-uc", &format!("{unlock}\n{script}")]);
    let finished = process::run(&mut command);
    // It does not end with its session.
    for id in process::processes_with("gnome-keyring-daemon", "XDG_RUNTIME_DIR", &runtime) {
        process::kill_at_once(id);
    }
    finished
}

fn private_directory(world: &World, name: &str) -> PathBuf {
    let path = world.directory(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}
