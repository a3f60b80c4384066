//! The window, on a display of the tests' own: looked at, typed into and closed as somebody does who sits there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::process::{self, Running};
use ensafer_tests::{Desktop, Device, Display, World, wait};
use rustix::process::{Pid, Signal, kill_process};

/// What the frame says: the screen's heading, as the page has it in English.
const FOLDERS: &str = "Folders – Ensafer";
const SETTINGS: &str = "Settings – Ensafer";

/// The program in a session with this display.
fn window(desktop: &Desktop, display: &Display, device: &Device, arguments: &[&str]) -> Command {
    let mut command = Command::new(process::ensafer_window());
    desktop.enter(device, &mut command);
    display.enter(&mut command);
    command.args(arguments);
    command
}

#[test]
fn the_tray_opens_it_and_its_end_is_the_end_of_its_process() {
    let (Some(desktop), Some(display)) = (Desktop::start(), Display::start()) else { return };
    let (_world, device) = World::with_one_device();
    let panel = desktop.panel();
    let mut tray = desktop.tray_command(&device);
    display.enter(&mut tray);
    let tray = Running::start(&mut tray);
    let item = panel.next_item();
    item.wait_for("Up to date");

    item.activate();
    let first = display.wait_for(FOLDERS);
    // The tray goes on while the window is open.
    device.run(&["stop"]).expect(0);
    item.wait_for("Stopped");
    item.click(&["Settings…"]);
    let second = display.wait_for(SETTINGS);
    assert_eq!((&first.id, first.process), (&second.id, second.process), "there is one window");

    display.press(&["alt+F4"]);
    wait::until_true("the window's processes are gone", || {
        !process::is_running_program(first.process, "ensafer-window")
    });
    assert!(display.windows().is_empty());
    wait::until_true("none of WebKit's is left", || of_webkit(&device).is_empty());
    assert!(process::is_running_program(tray.id(), "ensafer-tray"));
    assert_eq!(device.state(), "stopped", "the daemon stays");
    assert_eq!(item.labels()[0], "Stopped", "and nothing went wrong");
}

fn of_webkit(device: &Device) -> Vec<u32> {
    let of = |program| process::processes_with(program, "ENSAFER_HOME", &device.home);
    [of("WebKitWebProcess"), of("WebKitNetworkProcess")].concat()
}

#[test]
fn it_shows_what_the_daemon_does_and_has_it_done() {
    let (Some(desktop), Some(display)) = (Desktop::start(), Display::start()) else { return };
    let (_world, device) = World::with_one_device();
    let running = Running::start(&mut window(&desktop, &display, &device, &[]));
    display.wait_for(FOLDERS);
    assert_eq!(device.processes().len(), 1, "the window has started the daemon");
    device.wait_for_state("up-to-date");

    // Somebody without a mouse: past the link to the content and past "Pause".
    display.press(&["Tab", "Tab", "Tab", "Return"]);
    device.wait_for_state("stopped");
    // What is done elsewhere is shown here.
    let stopped = display.picture();
    device.run(&["start"]).expect(0);
    wait::until_true("the window shows another status", || display.picture() != stopped);

    device.run(&["daemon", "--quit"]).expect(0);
    display.wait_for("Ensafer does not answer. It is tried again by itself. – Ensafer");
    device.start_daemon();
    display.wait_for(FOLDERS);
    device.kill_daemon();
    display.wait_for("Ensafer does not answer. It is tried again by itself. – Ensafer");
    // The keyboard is at the heading then, and "Start" follows it.
    display.press(&["Tab", "Return"]);
    display.wait_for(FOLDERS);
    assert_eq!(device.processes().len(), 1, "the window has started another daemon");

    display.press(&["ctrl+w"]);
    running.finish().expect(0);
    assert_eq!(device.processes().len(), 1, "the daemon stays");
}

#[test]
fn a_second_one_raises_the_first_of_its_home() {
    let (Some(desktop), Some(display)) = (Desktop::start(), Display::start()) else { return };
    let (world, device) = World::with_one_device();
    let running = Running::start(&mut window(&desktop, &display, &device, &["--screen", "settings"]));
    let first = display.wait_for(SETTINGS);
    assert_eq!(first.process, running.id());

    // Another home has a window of its own, which lies on top.
    let other = Device::bare(&world.path("other"));
    other.run(&["register", "--email", "bob@example.com"]).expect(0);
    let others = Running::start(&mut window(&desktop, &display, &other, &[]));
    wait::until_true("the other window has the keyboard", || {
        display.windows().iter().any(|shown| shown.process == others.id() && shown.id == display.active())
    });

    process::run(&mut window(&desktop, &display, &device, &[])).expect(0);
    wait::until_true("the first window is raised", || display.active() == first.id);
    let title = |process| {
        display.windows().into_iter().find(|shown| shown.process == process).map(|shown| shown.title)
    };
    assert_eq!(title(first.process).as_deref(), Some(SETTINGS), "it stays where it was");
    process::run(&mut window(&desktop, &display, &device, &["--screen", "folders"])).expect(0);
    wait::until_true("the screen that was asked for", || title(first.process).as_deref() == Some(FOLDERS));
    assert_eq!(display.windows().len(), 2);

    // Also while the daemon does not answer.
    process::run(&mut window(&desktop, &display, &other, &[])).expect(0);
    wait::until_true("the other window lies on top", || display.active() != first.id);
    let [daemon] = device.processes()[..] else { panic!("one daemon runs") };
    let daemon = Pid::from_raw(i32::try_from(daemon).unwrap()).unwrap();
    kill_process(daemon, Signal::STOP).unwrap();
    process::run(&mut window(&desktop, &display, &device, &[])).expect(0);
    wait::until_true("the first window is raised again", || display.active() == first.id);
    kill_process(daemon, Signal::CONT).unwrap();
}

#[test]
fn nothing_is_left_of_it() {
    let (Some(desktop), Some(display)) = (Desktop::start(), Display::start()) else { return };
    let (_world, device) = World::with_one_device();
    let running = Running::start(&mut window(&desktop, &display, &device, &[]));
    display.wait_for(FOLDERS);
    let web = of_webkit(&device);
    assert!(!web.is_empty(), "the page is WebKit's");
    for process in [vec![running.id()], web].concat() {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let cores: Vec<_> = cores.split_whitespace().rev().take(3).collect();
        assert_eq!(cores, ["bytes", "1", "1"], "process {process}");
    }
    display.press(&["ctrl+w"]);
    let ended = running.finish().expect(0);
    assert!(!ended.says(PASSWORD), "{ended}");
    assert!(!device.user_home().exists(), "nothing is kept, nor cached");
}

#[test]
fn the_account_is_saved_where_somebody_says_or_not_at_all() {
    let (Some(desktop), Some(display)) = (Desktop::start(), Display::start()) else { return };
    let (world, device) = World::with_one_device();
    let running = Running::start(&mut window(&desktop, &display, &device, &["--screen", "settings"]));
    display.wait_for(SETTINGS);
    let directory = world.directory("chosen");
    let file = directory.join("mine.account");
    let save_as = |path: &Path| {
        display.wait_for_dialog("Save");
        display.press(&["ctrl+a"]);
        display.type_text(text(path));
        display.press(&["Return"]);
    };

    // Past the link to the content, and past five other buttons.
    display.press(&["Tab", "Return", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Return"]);
    display.wait_for_dialog("Save");
    display.press(&["Escape"]);
    display.wait_for(SETTINGS);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "nothing is saved by itself");
    let quiet = display.picture();

    // The keyboard is where it was.
    display.press(&["Return"]);
    save_as(&file);
    wait::until_true("the account is in the file", || file.exists());
    display.wait_for(SETTINGS);
    wait::until_true("the page says so", || display.picture() != quiet);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let other = Device::bare(&world.path("other"));
    other.run(&["keys", "import", text(&file)]).expect(0);
    let before = fs::read(&file).unwrap();

    display.press(&["Return"]);
    save_as(Path::new("/proc/mine.account"));
    display.wait_for_dialog("The file was not saved");
    display.press(&["Escape"]);
    display.wait_for(SETTINGS);
    display.press(&["ctrl+w"]);
    running.finish().expect(0);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn without_a_display_it_says_what_to_do() {
    let (_world, device) = World::with_one_device();
    let mut command = Command::new(process::ensafer_window());
    device.set_environment(&mut command);
    let ended = process::run(&mut command).expect(5).expect_says("There is no display here");
    assert!(ended.says("ensafer open --print"), "{ended}");
    assert!(device.processes().is_empty(), "nor is a daemon started for nobody");
    let mut command = Command::new(process::ensafer_window());
    device.set_environment(&mut command);
    process::run(command.args(["--screen", "desktop"])).expect(2).expect_says("the screens are folders");
}
