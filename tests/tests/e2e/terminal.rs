//! What somebody meets at a terminal: questions, what is hidden, and how a command ends that they decline.

use ensafer_tests::device::{PASSWORD, typing};
use ensafer_tests::{Device, KeyServer, World};
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
    terminal.expect("New password").type_hidden(PASSWORD);
    terminal.expect("The same again: ").type_hidden(NEW_PASSWORD);
    terminal.expect("The two passwords differ").finish(2);
    other.run(&["account", "show"]).expect(10);
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
    let mut terminal = device.at_terminal(&["account", "delete"]);
    terminal.expect("[y/N] ").type_line("n");
    terminal.expect("Nothing was deleted").finish(130);
    assert_eq!(computers(&device), 1);

    let mut terminal = device.at_terminal(&["account", "delete"]);
    terminal.expect("[y/N] ").type_line("y").expect("Password: ").type_hidden(PASSWORD);
    terminal.expect("The account is deleted on the server").finish(0);
    assert_eq!(device.json(&["account", "show"])["server"], Value::Null);
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

fn opens_with(device: &Device, password: &str) {
    let (variable, command) = typing(password);
    device.answer(&["unlock"], &[(variable, &command)], &[]).expect(0);
}

/// How many computers are logged in to the account.
fn computers(device: &Device) -> usize {
    device.json(&["account", "devices"]).as_array().unwrap().len()
}
