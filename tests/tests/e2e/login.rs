//! One account on several computers by way of a key server: the lines that are documented, to the letter.

use std::fs;
use std::process::Command;

use ensafer_tests::device::{printed_keys, text, typing};
use ensafer_tests::server::ensafer_server;
use ensafer_tests::{Device, Running, World, on_every_database, store, tree, wait};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";

/// Where nobody listens: the system gives port 1 to nobody.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn the_documented_lines_work_to_the_letter() {
    let world = World::new();
    let data = world.path("DIR");
    let mut serve = Command::new(ensafer_server());
    let server =
        Running::start(serve.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)]));
    let line = wait::until("it listens", || Some(server.stdout_so_far()).filter(|said| said.ends_with('\n')));
    let url = line.strip_prefix("listening on ").expect("says where").trim_end();
    let port = url.strip_prefix("http://127.0.0.1:").expect("listens on loopback");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);

    let (a, b) = (Device::bare(&world.path("A")), Device::bare(&world.path("B")));
    a.run(&["register", "--email", "alice@example.com", "--server", url]).expect(0);
    b.run(&["login", "--email", "alice@example.com", "--server", url]).expect(0);

    let c = Device::bare(&world.path("C"));
    let (variable, wrong) = typing("wrong horse battery");
    let login = ["login", "--email", "alice@example.com", "--server", url];
    c.answer(&login, &[(variable, &wrong)], &[]).expect(12);
    server.kill();
    c.run(&login).expect(14).expect_says("cannot be reached");
    c.run(&["account", "show"]).expect(10);
    assert_eq!(line.lines().count(), 1, "one plain line on standard output");
}

#[test]
fn a_second_computer_decrypts_what_the_first_wrote() {
    on_every_database(|world, server| {
        let laptop = with_folder(world, "laptop");
        laptop.register(EMAIL, &server.url).expect(0);
        laptop.add_folder().expect(0);
        laptop.write("plans/treasure.txt", "under the third palm");
        laptop.settle();

        let desktop = with_folder(world, "desktop");
        desktop.log_in(EMAIL, &server.url).expect(0);
        desktop.add_folder().expect(0);
        desktop.settle();
        tree::assert_same(&laptop.work, &desktop.work);
        assert_eq!(store::count_objects(&world.encrypted()), 3);
        let (one, other) = (laptop.json(&["account", "show"]), desktop.json(&["account", "show"]));
        assert_eq!(one, other);
        assert_eq!(one["server"], Value::from(server.url.as_str()));

        let devices = desktop.json(&["account", "devices"]);
        let of_this = |device: &&Value| device["is_this"] == true;
        let devices = devices.as_array().expect("a list");
        assert_eq!((devices.len(), devices.iter().filter(of_this).count()), (2, 1), "{devices:?}");
    });
}

#[test]
fn an_unknown_login_and_a_wrong_password_are_told_in_the_same_words() {
    on_every_database(|world, server| {
        Device::bare(&world.path("a")).register(EMAIL, &server.url).expect(0);
        let stranger = Device::bare(&world.path("b"));
        let (variable, wrong) = typing("wrong horse battery");
        let attempt = |email: &str| {
            let login = ["login", "--email", email, "--server", &server.url];
            let refused = stranger.answer(&login, &[(variable, &wrong)], &[]).expect(12);
            assert_eq!(refused.stdout, "");
            refused.stderr.replace(email, "SOMEBODY")
        };
        assert_eq!(attempt(EMAIL), attempt("nobody@example.com"));
        assert!(attempt(EMAIL).contains("The password is wrong, or nobody has that login"));
        assert!(attempt(EMAIL).contains("--account-key") && !attempt(EMAIL).contains("ensafer login"));
        // Nothing of the account came here.
        stranger.run(&["account", "show"]).expect(10);
        assert!(!stranger.home.join("data/account.ensafer-account").exists());
    });
}

#[test]
fn a_home_that_has_another_account_takes_no_second() {
    on_every_database(|world, server| {
        let (alice, bob) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
        alice.register(EMAIL, &server.url).expect(0);
        bob.register("bob@example.com", &server.url).expect(0);
        let before = bob.json(&["account", "show"]);
        bob.log_in(EMAIL, &server.url).expect(1).expect_says("another");
        bob.register("carol@example.com", &server.url).expect(1);
        assert_eq!(bob.json(&["account", "show"]), before);
        bob.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn whoever_logs_out_has_no_keys_and_no_session_left() {
    on_every_database(|world, server| {
        let (laptop, desktop) = (with_folder(world, "laptop"), Device::bare(&world.path("desktop")));
        laptop.register(EMAIL, &server.url).expect(0);
        desktop.log_in(EMAIL, &server.url).expect(0);
        laptop.add_folder().expect(0);
        laptop.write("a", "a");
        laptop.settle();

        assert!(laptop.home.join("data/device.secrets").exists());
        assert_eq!(laptop.json(&["account", "show"])["is_logged_in"], true);
        laptop.run(&["account", "show"]).expect(0).expect_says(", logged in");
        laptop.run(&["logout"]).expect(0).expect_says("Logged out").expect_says("ensafer unlock");
        assert_eq!(laptop.json(&["account", "show"])["is_logged_in"], false);
        laptop.run(&["account", "show"]).expect(0).expect_says(", logged out here");
        assert_eq!(laptop.json(&["account", "show"])["session"], "logged-out");
        assert_eq!(count_devices(&desktop), 1, "the server was told");
        assert!(!laptop.home.join("data/device.secrets").exists(), "this device's key is forgotten");
        let kept = fs::read_to_string(laptop.home.join("data/session.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!((&kept["server"], &kept["sealed"]), (&Value::from(server.url.as_str()), &Value::Null));
        laptop.run(&["account", "devices"]).expect(10).expect_says("ensafer login");
        // Without the password nothing opens.
        laptop.write("b", "b");
        let nothing = ("ENSAFER_PASSWORD_COMMAND", "");
        let refused = laptop.answer(&["sync", "--once"], &[nothing], &[]);
        assert_ne!(refused.code, 0, "{refused}");
        assert_eq!(laptop.read("a").as_deref(), Some("a"), "files stay");

        // It remembers whom and where.
        laptop.run(&["login"]).expect(0);
        laptop.settle();
        assert_eq!(count_devices(&desktop), 2);
    });
}

#[test]
fn logging_out_works_while_the_server_is_down() {
    on_every_database(|world, server| {
        let (laptop, desktop) = (Device::bare(&world.path("a")), Device::bare(&world.path("b")));
        laptop.register(EMAIL, &server.url).expect(0);
        desktop.log_in(EMAIL, &server.url).expect(0);
        let address = server.address().to_owned();
        server.stop().expect(0);
        laptop.run(&["logout"]).expect(0).expect_says("could not be told").expect_says("account devices");
        server.listen(&address);
        laptop.run(&["account", "devices"]).expect(10);
        assert_eq!(count_devices(&desktop), 2, "it has to be removed from there");
        laptop.run(&["login"]).expect(0);
        assert_eq!(count_devices(&desktop), 2, "it is the same device as before");
    });
}

#[test]
fn whoever_forgot_the_password_logs_out_here() {
    on_every_database(|world, server| {
        let laptop = Device::bare(&world.path("a"));
        laptop.register(EMAIL, &server.url).expect(0);
        let (variable, wrong) = typing("wrong horse battery");
        let out = laptop.answer(&["logout"], &[(variable, &wrong)], &[]).expect(0);
        out.expect_says("without the password").expect_says("ends by itself");
        laptop.run(&["account", "devices"]).expect(10);
    });
}

#[test]
fn a_damaged_file_of_this_computer_can_be_done_without() {
    on_every_database(|world, server| {
        let laptop = Device::bare(&world.path("a"));
        laptop.register(EMAIL, &server.url).expect(0);
        let file = laptop.home.join("data/device.json");
        let mut device: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        device["account_key"] = "0000-0000".into();
        for damaged in [device.to_string(), "{".to_owned()] {
            fs::write(&file, damaged).unwrap();
            for verb in [&["account", "devices"][..], &["login"], &["unlock"]] {
                let refused = laptop.run(verb).expect(1).expect_says("device.json is damaged");
                refused.expect_says("Remove that file").expect_says("ensafer login");
            }
            fs::remove_file(&file).unwrap();
            laptop.run(&["unlock"]).expect(0);
            laptop.run(&["login"]).expect(0);
            laptop.run(&["account", "devices"]).expect(0);
        }

        let file = laptop.home.join("data/session.json");
        fs::write(&file, "{").unwrap();
        for verb in [&["account", "devices"][..], &["login"], &["logout"]] {
            let refused = laptop.run(verb).expect(1).expect_says("session.json is damaged");
            refused.expect_says("Remove that file, then ensafer login");
        }
        fs::remove_file(&file).unwrap();
        laptop.log_in(EMAIL, &server.url).expect(0);
        laptop.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn a_removed_computer_is_told_and_its_folders_go_on() {
    on_every_database(|world, server| {
        let (laptop, desktop) = (Device::bare(&world.path("a")), with_folder(world, "b"));
        laptop.register(EMAIL, &server.url).expect(0);
        desktop.log_in(EMAIL, &server.url).expect(0);
        desktop.add_folder().expect(0);
        let listed = desktop.json(&["account", "devices"]);
        let own = listed.as_array().unwrap().iter().find(|device| device["is_this"] == true).unwrap();
        let id = own["id"].as_str().unwrap();

        // Both have this computer's name.
        let name = own["name"].as_str().unwrap();
        let refused = laptop.run(&["account", "devices", "--revoke", name]).expect(2);
        refused.expect_says(id).expect_says("is more than one computer");
        assert_eq!(count_devices(&laptop), 2);
        let done = laptop.run(&["account", "devices", "--revoke", &id[..12]]).expect(0);
        done.expect_says("account password").expect_says("recovery-key new");
        assert_eq!(count_devices(&laptop), 1);
        let told = desktop.run(&["account", "devices"]).expect(10);
        let told = told.expect_says("This computer was removed from the account");
        told.expect_says("ensafer login");
        desktop.run(&["account", "show"]).expect(0).expect_says("logged out by the server");
        desktop.write("still", "here");
        desktop.settle();
        laptop.run(&["account", "devices", "--revoke", id]).expect(1).expect_says("no such computer");

        // Whoever knows the password comes back.
        desktop.run(&["login"]).expect(0);
        assert_eq!(count_devices(&laptop), 2);
    });
}

#[test]
fn an_account_with_an_account_key_wants_both() {
    on_every_database(|world, server| {
        let laptop = Device::bare(&world.path("a"));
        let made =
            laptop.run(&["register", "--email", EMAIL, "--server", &server.url, "--account-key"]).expect(0);
        let [account_key, recovery_key] = printed_keys(&made);
        assert_eq!(laptop.json(&["account", "show"])["has_account_key"], true);
        let shown = laptop.run(&["account", "show"]).expect(0).expect_says("account key: yes");
        assert!(!shown.says(account_key), "{shown}");

        let desktop = Device::bare(&world.path("b"));
        desktop.log_in(EMAIL, &server.url).expect(12);
        let login = ["login", "--email", EMAIL, "--server", &server.url, "--account-key"];
        desktop.answer(&login, &[], &["0000-0000-0000-0000-0000-0000-0000"]).expect_any(&[2, 12]);
        desktop.answer(&login, &[], &[recovery_key]).expect_any(&[2, 12]);
        desktop.answer(&login, &[], &[account_key]).expect(0);
        // It is kept from then on, also over a change of the password.
        let (_, new) = typing("tr8vel-Kestrel-9");
        desktop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(0);
        laptop.run(&["login"]).expect(12);
        let (variable, new) = typing("tr8vel-Kestrel-9");
        laptop.answer(&["login"], &[(variable, &new)], &[]).expect(0);
        desktop.answer(&["login"], &[(variable, &new)], &[]).expect(0);
        // Whoever recovers it on a computer without the account key sets a password that needs none; the others learn
        // that when they log in.
        let (fresh, (_, third)) = (Device::bare(&world.path("c")), typing("zuppa inglese per undici"));
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[(variable, &third)], &[recovery_key]).expect(0);
        // Nothing is tried without the account key unless somebody says so: the proof would be worth guessing at.
        laptop.answer(&["login"], &[(variable, &third)], &[]).expect(12);
        laptop.answer(&["login", "--no-account-key"], &[(variable, &third)], &[]).expect(0);
        assert_eq!(laptop.json(&["account", "show"])["has_account_key"], false);
    });
}

#[test]
fn a_server_that_is_down_is_named() {
    let world = World::new();
    let device = Device::bare(&world.path("a"));
    device.register(EMAIL, NOBODY).expect(14).expect_says(NOBODY).expect_says("cannot be reached");
    device.run(&["account", "show"]).expect(10);
    // Nor is what is no key server taken for one.
    device.log_in(EMAIL, "http://example.com").expect(2).expect_says("only https");
    device.log_in(EMAIL, "https://example.com/path").expect(2);
    let slip = device.log_in(EMAIL, "https//example.com").expect(2);
    slip.expect_says("\"https//example.com\" is not the address of a server");
    let malformed = device.log_in("a b@example.com", NOBODY).expect(2);
    assert!(!malformed.says("ensafer register"), "{malformed}");
    malformed.expect_says("Error: \"a b@example.com\" cannot name an account");
    device.run(&["login"]).expect(2).expect_says("--email");
    device.run(&["recovery-key", "use"]).expect(10);
    device.run(&["recovery-key", "use", "--email", EMAIL]).expect(2).expect_says("The server is missing");
}

fn with_folder(world: &World, name: &str) -> Device {
    let mut device = Device::bare(&world.path(&format!("{name}-home")));
    device.work = world.directory(&format!("{name}-work"));
    device.encrypted = world.encrypted();
    device
}

fn count_devices(device: &Device) -> usize {
    device.json(&["account", "devices"]).as_array().expect("a list").len()
}
