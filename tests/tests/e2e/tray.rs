//! The tray, read and clicked by a panel of the tests' own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_tests::device::text;
use ensafer_tests::process::{self, Running};
use ensafer_tests::{Desktop, Device, Display, TrayItem, World, XfcePanel, wait};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The menu while everything goes well.
const RUNNING: [&str; 9] = [
    "Up to date",
    "Open Ensafer",
    "Stop",
    "Pause",
    "Open work folder",
    "Open encrypted folder",
    "Add recipient…",
    "Settings…",
    "Quit (syncing goes on)",
];

#[test]
fn clicks_change_what_the_daemon_does() {
    let Some(desktop) = Desktop::start() else { return };
    let (_world, device) = World::with_one_device();
    let panel = desktop.panel();
    let tray = desktop.start_tray(&device);
    let item = panel.next_item();
    item.wait_for("Up to date");
    assert_eq!(device.processes().len(), 1, "the tray has started the daemon");
    let up_to_date = item.pixmaps();
    assert_eq!(up_to_date.iter().map(|(width, ..)| *width).collect::<Vec<_>>(), [16, 22, 24, 32, 48, 64]);
    item.wait_for_labels(&RUNNING);

    item.click(&["Stop"]);
    item.wait_for("Stopped");
    assert_eq!(device.state(), "stopped");
    assert_ne!(item.pixmaps(), up_to_date, "another status has another icon");
    item.click(&["Start"]);
    item.wait_for("Up to date");
    assert_eq!((device.state().as_str(), item.pixmaps()), ("up-to-date", up_to_date));

    item.click(&["Pause", "For an hour"]);
    wait::until_true("the end of the pause", || item.tooltip().starts_with("Paused (until "));
    assert_eq!(device.state(), "paused");
    item.click(&["Resume"]);
    item.wait_for("Up to date");
    device.write("a.txt", "a");
    device.wait_for_state("up-to-date");

    // The tray holds nothing that syncing needs.
    tray.kill();
    device.write("b.txt", "b");
    device.wait_for_state("up-to-date");
    let _tray = desktop.start_tray(&device);
    panel.next_item().wait_for("Up to date");
}

#[test]
fn a_daemon_that_ends_is_shown_and_not_brought_back_unasked() {
    let Some(desktop) = Desktop::start() else { return };
    let (_world, device) = World::with_one_device();
    device.start_daemon();
    let panel = desktop.panel();
    let _tray = desktop.start_tray(&device);
    let item = panel.next_item();
    item.wait_for("Up to date");

    device.run(&["daemon", "--quit"]).expect(0);
    item.wait_for("Not running");
    // And nothing about how it went.
    item.wait_for_labels(&["Not running", "Start", "Quit"]);
    assert_eq!(device.processes(), [0; 0]);
    // Somebody starts it elsewhere.
    device.start_daemon();
    item.wait_for("Up to date");

    device.kill_daemon();
    item.wait_for("Not running");
    item.click(&["Start"]);
    item.wait_for("Up to date");
    assert_eq!(device.processes().len(), 1);
}

#[test]
fn start_and_quit_mean_what_they_say() {
    let Some(desktop) = Desktop::start() else { return };
    let (_world, device) = World::with_one_device();
    device.run(&["stop"]).expect(0);
    let panel = desktop.panel();
    let tray = desktop.start_tray(&device);
    let item = panel.next_item();
    // Who has stopped syncing does not want it to begin because the tray does.
    item.wait_for("Stopped");
    device.run(&["daemon", "--quit"]).expect(0);
    item.wait_for("Not running");
    item.click(&["Start"]);
    item.wait_for("Up to date");
    item.click(&["Quit (syncing goes on)"]);
    tray.finish().expect(0);
    assert_eq!(device.state(), "up-to-date");
    assert_eq!(device.processes().len(), 1);
}

#[test]
fn folders_and_the_window_are_opened_by_the_programs_that_do() {
    let Some(desktop) = Desktop::start() else { return };
    let (world, device) = World::with_one_device();
    let programs = Programs::new(&world);
    let panel = desktop.panel();
    let mut command = programs.tray(&desktop, &device);
    let _tray = Running::start(&mut command);
    let item = panel.next_item();
    item.wait_for("Up to date");
    item.click(&["Open work folder"]);
    programs.wait_for_call(&format!("xdg-open {}", device.work.display()));
    item.click(&["Open encrypted folder"]);
    programs.wait_for_call(&format!("xdg-open {}", device.encrypted.display()));
    // The window cannot be loaded: a library of it is missing.
    item.activate();
    programs.wait_for_call("ensafer open");
    item.click(&["Settings…"]);
    programs.wait_for_call("ensafer open --screen settings");
    programs.install("ensafer-window", "");
    item.click(&["Add recipient…"]);
    programs.wait_for_call("ensafer-window --screen people");
    programs.install(
        "ensafer-window",
        "echo 'a warning' >&2; echo 'Error: There is no display here' >&2; exit 5",
    );
    item.activate();
    wait_for_label(&item, "There is no display here");

    device.write("Taxes/2026.ods", "a");
    device.wait_for_state("up-to-date");
    item.click(&["Recent files", "2026.ods"]);
    programs.wait_for_call(&format!("xdg-open {}", device.work.join("Taxes").display()));

    fs::rename(&device.work, device.work.with_extension("gone")).unwrap();
    item.click(&["Open work folder"]);
    let gone = format!("{} is not there", device.work.display());
    wait_for_label(&item, &gone);
}

#[test]
fn without_an_account_the_menu_helps_to_set_one_up() {
    let Some(desktop) = Desktop::start() else { return };
    let world = World::new();
    let device = Device::bare(&world.path("home"));
    let programs = Programs::new(&world);
    let panel = desktop.panel();
    let _tray = Running::start(&mut programs.tray(&desktop, &device));
    let item = panel.next_item();
    item.wait_for("Not set up");
    item.wait_for_labels(&["Not set up", "Set up…", "Quit"]);
    item.click(&["Set up…"]);
    programs.wait_for_call("ensafer open");
}

#[test]
fn there_is_one_tray_and_only_in_a_session() {
    let (_world, device) = World::with_one_device();
    let mut outside = std::process::Command::new(process::ensafer_tray());
    device.set_environment(&mut outside);
    // Where libdbus and zbus look without an address.
    outside.env_remove("DBUS_SESSION_BUS_ADDRESS").env("XDG_RUNTIME_DIR", device.user_home());
    process::run(&mut outside).expect(5).expect_says("no desktop session").expect_says("ensafer start");

    let Some(desktop) = Desktop::start() else { return };
    let panel = desktop.panel();
    let tray = desktop.start_tray(&device);
    let _item = panel.next_item();
    let second = desktop.start_tray(&device).finish().expect(11);
    assert!(second.says(&format!("process {}", tray.id())), "{second}");
}

/// What a person sees and does, with the mouse and the keyboard.
#[test]
fn a_real_panel_shows_each_status_and_its_menu_is_clicked() {
    let (world, laptop, desk) = World::with_two_devices();
    let Some(display) = Display::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let Some(desktop) = Desktop::at_home(home.path()) else { return };
    let Some(panel) = XfcePanel::start(&desktop, &display, home.path()) else { return };
    for number in 0..40 {
        laptop.write(&format!("letters/{number}"), "a");
    }
    laptop.settle();
    let _tray = desktop.start_tray(&desk);
    let item = panel.item();
    let mut icons = Vec::new();
    let mut shows = |headline: &str| {
        wait::until_true(headline, || item.tooltip().starts_with(headline));
        panel.wait_for_icon(&item);
        icons.push(item.pixmaps());
    };

    shows("Up to date");
    panel.choose(&item, "Stop");
    shows("Stopped");
    assert_eq!(desk.state(), "stopped");
    let arriving = halve_next_object(&world, &laptop);
    panel.choose(&item, "Start");
    shows("Waiting for the cloud to deliver");
    fs::write(&arriving.path, &arriving.whole).unwrap();
    item.wait_for("Up to date");

    desk.run(&["pause"]).expect(0);
    shows("Paused");
    panel.choose(&item, "Resume");
    item.wait_for("Up to date");

    let away = world.path("away");
    fs::rename(world.encrypted(), &away).unwrap();
    shows("A folder cannot be reached");
    fs::rename(&away, world.encrypted()).unwrap();
    item.wait_for("Up to date");

    let stranger = world.encrypted().join(format!("{}.ensafer", "0".repeat(32)));
    fs::copy(&arriving.path, &stranger).unwrap();
    shows("Some files need attention");
    fs::remove_file(&stranger).unwrap();
    item.wait_for("Up to date");

    fs::remove_dir_all(desk.at("letters")).unwrap();
    shows("Stopped by the brake");
    desk.run(&["lock"]).expect(0);
    shows("Locked");
    desk.run(&["daemon", "--quit"]).expect(0);
    shows("Not running");
    for (index, icon) in icons.iter().enumerate() {
        assert!(!icons[..index].contains(icon), "the icon of status {index} is another's");
    }
}

/// A file in the encrypted folder that was cut in half.
struct Halved {
    path: PathBuf,
    whole: Vec<u8>,
}

/// Has `device` write a file, of which half arrives.
fn halve_next_object(world: &World, device: &Device) -> Halved {
    let objects = || {
        let names = fs::read_dir(world.encrypted()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "ensafer")).collect::<Vec<_>>()
    };
    let before = objects();
    device.write("minutes.txt", "what was said, ".repeat(10_000));
    device.settle();
    let path = objects().into_iter().find(|path| !before.contains(path)).expect("it was sealed");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    Halved { path, whole }
}

#[test]
fn panels_and_sessions_come_and_go() {
    let Some(desktop) = Desktop::start() else { return };
    let (_world, device) = World::with_one_device();
    let tray = desktop.start_tray(&device);
    wait::until_true("the tray says what it waits for", || tray.stderr_so_far().contains("waits for one"));
    for _ in 0..2 {
        let panel = desktop.panel();
        panel.next_item().wait_for("Up to date");
        // A panel that crashes.
        drop(panel);
    }
    desktop.end();
    tray.finish().expect(0);
    assert_eq!(device.processes().len(), 1, "the daemon stays");
}

#[test]
fn an_older_daemon_is_replaced_when_somebody_says_so() {
    let Some(desktop) = Desktop::start() else { return };
    for (version, headline) in [
        (Some(json!({"version": "0.0.1", "api": 1})), "No folder is set up"),
        (Some(json!({"version": "0.0.1", "api": 0})), "The daemon is not understood"),
        (None, "The daemon is not understood"),
    ] {
        let (_world, device) = World::with_one_device();
        let panel = desktop.panel();
        let older = ForeignDaemon::start(&device.home, version.as_ref());
        let _tray = desktop.start_tray(&device);
        let item = panel.next_item();
        item.wait_for(headline);
        let told = if version.is_some() { " (0.0.1)" } else { "" };
        wait_for_label(&item, &format!("The daemon is older than this tray{told}"));
        item.click(&["Restart the daemon"]);
        item.wait_for("Up to date");
        older.join();
        assert_eq!(device.processes().len(), 1);
        item.wait_for_labels(&RUNNING);
    }
}

#[test]
fn a_newer_daemon_asks_for_a_newer_tray() {
    let Some(desktop) = Desktop::start() else { return };
    let (_world, device) = World::with_one_device();
    let panel = desktop.panel();
    let _newer = ForeignDaemon::start(&device.home, Some(&json!({"version": "999.0.0", "api": 999})));
    let tray = desktop.start_tray(&device);
    let item = panel.next_item();
    item.wait_for("The daemon is not understood");
    wait_for_label(&item, "The daemon is newer than this tray (999.0.0)");
    item.click(&["Restart the tray"]);
    // The same process is another program now, which offers its icon anew.
    let item = panel.next_item();
    item.wait_for("The daemon is not understood");
    assert!(process::is_running_program(tray.id(), "ensafer-tray"));
}

#[test]
fn another_users_daemon_is_not_spoken_to() {
    let Some(desktop) = Desktop::start() else { return };
    if !process::is_root() {
        ensafer_tests::skipped("only root can be another user");
        return;
    }
    let (_world, device) = World::with_one_device();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let socket = directory.path().join("theirs.sock");
    let listening = {
        let socket = socket.clone();
        // Only this thread becomes somebody else; the socket is whose thread has listened.
        let theirs = thread::spawn(move || {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            StdUnixListener::bind(&socket).unwrap()
        });
        theirs.join().unwrap()
    };
    record_daemon(&device.home, &socket);
    let panel = desktop.panel();
    let _tray = desktop.start_tray(&device);
    let item = panel.next_item();
    item.wait_for("The daemon here belongs to another user");
    item.wait_for_labels(&["The daemon here belongs to another user", "Quit"]);
    drop(listening);
}

#[track_caller]
pub(crate) fn wait_for_label(item: &TrayItem, label: &str) {
    wait::until_true(label, || item.labels().iter().any(|line| line == label));
}

/// A tray that was installed beside an `ensafer` that writes down what is asked of it, in a session with such an
/// `xdg-open`.
pub(crate) struct Programs {
    directory: PathBuf,
    calls: PathBuf,
}

impl Programs {
    pub(crate) fn new(world: &World) -> Self {
        let programs = Self { directory: world.directory("programs"), calls: world.path("calls") };
        let ensafer = process::ensafer();
        // `open` would show the user's browser; everything else is the real program's.
        let real = format!("[ \"$1\" = open ] || exec '{}' \"$@\"", text(&ensafer));
        programs.install("ensafer", &real);
        programs.install("xdg-open", "");
        // As ld.so ends what it cannot load.
        programs.install("ensafer-window", "exit 127");
        let tray = programs.directory.join("ensafer-tray");
        fs::hard_link(process::ensafer_tray(), tray).unwrap();
        programs
    }

    fn install(&self, name: &str, first: &str) {
        let path = self.directory.join(name);
        let log = format!("echo \"{name} $*\" >> '{}'", text(&self.calls));
        fs::write(&path, format!("#!/bin/sh\n{first}\n{log}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn tray(&self, desktop: &Desktop, device: &Device) -> std::process::Command {
        let mut command = std::process::Command::new(self.directory.join("ensafer-tray"));
        desktop.enter(device, &mut command);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.directory.display()));
        command
    }

    #[track_caller]
    pub(crate) fn wait_for_call(&self, call: &str) {
        wait::until_true(call, || {
            fs::read_to_string(&self.calls).is_ok_and(|calls| calls.lines().any(|line| line == call))
        });
    }
}

/// Records a daemon in a home, as the holder of its lock does.
fn record_daemon(home: &Path, socket: &Path) {
    let record = json!({"process_id": std::process::id(), "socket": socket});
    fs::write(home.join("data/daemon.lock"), record.to_string()).unwrap();
}

/// A daemon of another version, as far as a tray sees it. It ends when it is asked to.
struct ForeignDaemon(thread::JoinHandle<()>);

impl ForeignDaemon {
    fn start(home: &Path, version: Option<&Value>) -> Self {
        let socket = home.join("runtime/ensafer.sock");
        let listener = StdUnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        record_daemon(home, &socket);
        let (quit, mut wanted) = watch::channel(false);
        let ended = wanted.clone();
        let mut router = Router::new()
            .route("/v1/folders", get(|| async { Json(json!([])) }))
            .route(
                "/v1/events",
                get(|| async move {
                    let first = "event: status\ndata: {\"state\":\"stopped\",\"folders\":[]}\n\n";
                    let stream = futures_util::stream::unfold(Some(first), move |next| {
                        let mut ended = ended.clone();
                        async move {
                            let Some(first) = next else {
                                // An error would mean that the daemon has ended.
                                let _ = ended.wait_for(|ended| *ended).await;
                                return None;
                            };
                            Some((Ok::<_, std::convert::Infallible>(first), None))
                        }
                    });
                    axum::body::Body::from_stream(stream)
                }),
            )
            .route(
                "/v1/quit",
                post(move || async move {
                    quit.send_replace(true);
                    Json(json!(null))
                }),
            );
        if let Some(version) = version.cloned() {
            router = router.route("/v1/version", get(|| async { Json(version) }));
        }
        let lock = home.join("data/daemon.lock");
        Self(thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let until = async move { drop(wanted.wait_for(|wanted| *wanted).await) };
                axum::serve(listener, router).with_graceful_shutdown(until).await.unwrap();
            });
            fs::remove_file(&socket).unwrap();
            fs::write(lock, "").unwrap();
        }))
    }

    fn join(self) {
        self.0.join().unwrap();
    }
}
