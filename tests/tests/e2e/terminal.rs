//! What somebody meets at a terminal: questions, what is hidden, and how a command ends that they decline.

use ensafer_tests::device::{PASSWORD, text, typing};
use ensafer_tests::{Device, EvilServer, KeyServer, Terminal, World};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";
const NEW_PASSWORD: &str = "tr8vel-Kestrel-9";

#[test]
fn a_new_password_is_typed_twice_and_never_seen() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    let mut terminal = device.at_terminal(&["register", "--email", EMAIL]);
    terminal.expect("New password for alice@example.com: ").type_hidden(PASSWORD);
    terminal.expect("The same again: ").type_hidden(PASSWORD);
    let shown = terminal.expect("Recovery key").finish(0);
    assert!(shown.contains("is set up on this computer"), "{shown}");
    opens_with(&device, PASSWORD);

    let other = Device::bare(&world.path("b"));
    let mut terminal = other.at_terminal(&["register", "--email", EMAIL]);
    for _ in 0..3 {
        terminal.expect("New password").type_hidden(PASSWORD);
        terminal.expect("The same again: ").type_hidden(NEW_PASSWORD);
        terminal.expect("The two passwords differ");
    }
    terminal.finish(2);
    other.run(&["account", "show"]).expect(10);
}

#[test]
fn a_new_password_that_is_refused_is_asked_for_again() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    let mut terminal = device.at_terminal(&["register", "--email", EMAIL]);
    terminal.expect("New password").type_hidden("qwertyuiop");
    terminal.expect("The password is too easy to guess: ").expect("Try again.");
    terminal.expect("New password").type_hidden("");
    terminal.expect("No password was given. Try again.");
    terminal.expect("New password").type_hidden(PASSWORD).expect("The same again: ").type_hidden(PASSWORD);
    terminal.expect("is set up on this computer").finish(0);
    opens_with(&device, PASSWORD);

    let mut terminal = device.at_terminal(&["account", "password"]);
    terminal.expect("Old password: ").type_hidden(NEW_PASSWORD).expect("The password is wrong. Try again.");
    terminal.expect("Old password: ").type_hidden(PASSWORD);
    terminal.expect("New password: ").type_hidden(NEW_PASSWORD).expect("again: ").type_hidden("another");
    terminal.expect("The two passwords differ. Try again.");
    terminal.expect("New password: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The same again: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The new password is set").finish(0);
    opens_with(&device, NEW_PASSWORD);
}

#[test]
fn a_mistyped_password_is_asked_for_three_times_and_only_there() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let evil = EvilServer::start(&server.url);
    let (laptop, desktop) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
    laptop.register(EMAIL, &evil.url).expect(0);
    let wrong = |terminal: &mut Terminal, words| {
        terminal.expect("Password").type_hidden("corect horse battery").expect(words);
    };
    let mut terminal = laptop.at_terminal(&["unlock"]);
    wrong(&mut terminal, "The password is wrong. Try again.");
    terminal.expect("Password: ").type_hidden(PASSWORD).expect("Unlocked.").finish(0);
    let mut terminal = laptop.at_terminal(&["unlock"]);
    (0..3).for_each(|_| wrong(&mut terminal, "The password is wrong"));
    terminal.expect("recovery-key use").finish(12);

    // A server counts each: there are not more than three.
    evil.forget();
    let login = ["login", "--email", EMAIL, "--server", &evil.url];
    let mut terminal = desktop.at_terminal(&login);
    (0..3).for_each(|_| wrong(&mut terminal, "The password is wrong, or nobody has that login"));
    terminal.expect("--account-key").finish(12);
    assert_eq!(evil.heard_at("/v1/login/verify").len(), 3);
    let mut terminal = desktop.at_terminal(&login);
    wrong(&mut terminal, "Try again.");
    terminal.expect("Password").type_hidden(PASSWORD).expect("Logged in to").finish(0);

    // What a command or standard input says is taken once.
    let (variable, mistyped) = typing("corect horse battery");
    let mut command = laptop.command(&["unlock"]);
    command.env(variable, mistyped);
    let shown = Terminal::start(command).finish(12);
    assert_eq!(shown.matches("The password is wrong").count(), 1, "{shown}");
    laptop.answer(&["unlock"], &[(variable, "")], &["corect", PASSWORD, PASSWORD]).expect(12);
}

#[test]
fn a_daemon_is_given_the_password_that_was_typed_right() {
    let (_world, device) = World::with_one_device();
    device.start_daemon();
    device.run(&["lock"]).expect(0);
    let mut terminal = device.at_terminal(&["unlock"]);
    terminal.expect("Password: ").type_hidden("corect horse battery").expect("Try again.");
    terminal.expect("Password: ").type_hidden(PASSWORD).expect("Unlocked.").finish(0);
    device.write("a", "a");
    device.wait_for_state("up-to-date");
}

#[test]
fn whoever_types_the_password_for_a_change_of_members_need_not_unlock_the_daemon_before() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let mut alice = Device::bare(&world.path("a"));
    (alice.work, alice.encrypted) = (world.directory("work"), world.encrypted());
    alice.register(EMAIL, &server.url).expect(0);
    Device::bare(&world.path("b")).register("bob@example.com", &server.url).expect(0);
    alice.add_folder().expect(0);
    alice.start_daemon();
    alice.run(&["lock"]).expect(0);
    let mut terminal = alice.at_terminal(&["share", "add", text(&alice.work), "bob@example.com"]);
    terminal.expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("bob@example.com may read and write").finish(0);
}

#[test]
fn somebody_logs_in_and_out_at_a_terminal() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let (laptop, desktop) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
    laptop.register(EMAIL, &server.url).expect(0);
    let login = ["login", "--email", EMAIL, "--server", &server.url];
    let mut terminal = desktop.at_terminal(&login);
    terminal.expect("Password of alice@example.com: ").type_hidden(PASSWORD);
    terminal.expect("Logged in to").finish(0);
    assert_eq!(computers(&laptop), 2);

    // Whoever forgot the password is logged out here only.
    let mut terminal = desktop.at_terminal(&["logout"]);
    terminal.expect("Whoever forgot it presses Enter").expect("Password: ").type_hidden("");
    terminal.expect("could not be told without the password").finish(0);
    assert_eq!(desktop.json(&["account", "show"])["is_logged_in"], false);
    assert_eq!(computers(&laptop), 2);

    desktop.log_in(EMAIL, &server.url).expect(0);
    let mut terminal = desktop.at_terminal(&["logout"]);
    terminal.expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("Logged out. ").finish(0);
    assert_eq!(computers(&laptop), 1);
}

#[test]
fn a_declined_deletion_deletes_nothing() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let device = Device::bare(&world.path("a"));
    device.register(EMAIL, &server.url).expect(0);
    for declined in ["n", "y", "bob@example.com", ""] {
        let mut terminal = device.at_terminal(&["account", "delete"]);
        terminal.expect("Type alice@example.com to agree: ").type_line(declined);
        terminal.expect("Nothing was deleted").finish(130);
    }
    assert_eq!(computers(&device), 1);

    let mut terminal = device.at_terminal(&["account", "delete"]);
    terminal.expect("to agree: ").type_line(EMAIL).expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("The account is deleted on the server").finish(0);
    assert_eq!(device.json(&["account", "show"])["server"], Value::Null);
}

#[test]
fn the_account_key_is_typed_once_behind_the_first_password() {
    let world = World::new();
    let (laptop, desktop) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
    let mut terminal = laptop.at_terminal(&["register", "--email", EMAIL, "--account-key"]);
    terminal.expect("New password").type_hidden(PASSWORD).expect("again: ").type_hidden(PASSWORD);
    let shown = terminal.expect("is set up on this computer").finish(0);
    let key = shown.split_once("\naccount key: ").unwrap().1.lines().next().unwrap();

    let file = world.path("account.ensafer-keys");
    laptop.run(&["keys", "export", "--output", text(&file)]).expect(0);
    let mut terminal = desktop.at_terminal(&["keys", "import", "--account-key", text(&file)]);
    terminal.expect("Password of the account: ").type_hidden("corect horse battery");
    terminal.expect("Account key: ").type_hidden(key).expect("The password is wrong. Try again.");
    terminal.expect("Password of the account: ").type_hidden(PASSWORD);
    terminal.expect("is set up on this computer").finish(0);
    opens_with(&desktop, PASSWORD);
}

#[test]
fn a_recovery_key_is_typed() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    device.run(&["register", "--email", EMAIL]).expect(0);
    let key = device.json(&["recovery-key", "show"])["recovery_key"].as_str().unwrap().to_owned();
    let mut terminal = device.at_terminal(&["recovery-key", "use"]);
    terminal.expect("Recovery key: ").type_hidden(&key);
    terminal.expect("New password for alice@example.com: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The same again: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The new password is set").finish(0);
    opens_with(&device, NEW_PASSWORD);
}

#[test]
fn the_answer_to_the_question_is_typed_twice() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    device.run(&["register", "--email", EMAIL]).expect(0);
    let mut terminal = device.at_terminal(&["recovery-key", "new", "--question"]);
    terminal.expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("The question: ").type_line("Where did the kestrel nest?");
    terminal.expect("The answer: ").type_hidden("On the old water tower");
    terminal.expect("The same again: ").type_hidden("On the old water tower");
    let shown = terminal.expect("the old recovery key is worth nothing").finish(0);
    // The half stands below the question as it is to be written down.
    let half = shown.rsplit_once("Where did the kestrel nest?\r\n").unwrap().1.lines().next().unwrap();

    let mut terminal = device.at_terminal(&["recovery-key", "use", "--question"]);
    terminal.expect("Printed half: ").type_hidden(half);
    terminal.expect("Answer: ").type_hidden("on the  OLD water tower ");
    terminal.expect("New password").type_hidden(NEW_PASSWORD);
    terminal.expect("The same again: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The new password is set").finish(0);
    opens_with(&device, NEW_PASSWORD);
}

#[test]
fn the_safety_number_is_drawn_where_somebody_can_hold_a_camera_to_it() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let (alice, bob) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
    alice.register(EMAIL, &server.url).expect(0);
    bob.register("bob@example.com", &server.url).expect(0);
    let mut terminal = alice.at_terminal(&["share", "verify", "bob@example.com"]);
    terminal.expect("Password: ").type_hidden(PASSWORD);
    let shown = terminal.expect("Compare it by telephone").finish(0);
    let drawn = alice.run(&["share", "verify", "bob@example.com", "--qr"]).expect(0).stdout;
    let (number, picture) = drawn.split_once('\n').unwrap();
    assert_eq!(number.replace(' ', "").len(), 60);
    // 25 modules and the quiet zone, two lines of modules in one of text.
    assert!(
        picture.lines().count() >= 16 && picture.lines().all(|line| line.chars().count() == 33),
        "{picture}"
    );
    let is_on_screen = |line: &str| shown.contains(&format!("\u{1b}[38;5;16;48;5;231m{line}\u{1b}[0m"));
    assert!(picture.lines().all(is_on_screen), "{shown}");
    let of_bob = bob.run(&["share", "verify", EMAIL, "--qr"]).expect(0).stdout;
    assert_eq!(of_bob, drawn, "both sides have one picture");

    for arguments in [vec![], vec!["--qr", "-q"], vec!["--json"]] {
        let arguments = [vec!["share", "verify", "bob@example.com"], arguments].concat();
        assert_eq!(alice.run(&arguments).expect(0).stdout.lines().count(), 1, "{arguments:?}");
    }
    alice.run(&["share", "verify", "bob@example.com", "--qr", "--json"]).expect(2);
}

fn opens_with(device: &Device, password: &str) {
    let (variable, command) = typing(password);
    device.answer(&["unlock"], &[(variable, &command)], &[]).expect(0);
}

/// How many computers are logged in to the account.
fn computers(device: &Device) -> usize {
    device.json(&["account", "devices"]).as_array().unwrap().len()
}
