//! What an owner does with an account on a key server: changing, recovering, moving, exporting, deleting it.

use std::fs;

use ensafer_tests::device::{text, typing};
use ensafer_tests::{Device, EvilServer, KeyServer, World, on_every_database};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";
const NEW_PASSWORD: &str = "tr8vel-Kestrel-9";

#[test]
fn an_account_is_published_once_and_stays_the_same() {
    on_every_database(|world, server| {
        let device = world.bare_device("a");
        device.run(&["register", "--email", EMAIL]).expect(0);
        let local = device.json(&["account", "show"]);
        assert_eq!(local["server"], Value::Null);
        device.run(&["account", "devices"]).expect(10).expect_says("register --server");
        assert_eq!(users(server), Vec::<String>::new());

        device.run(&["register", "--email", "bob@example.com", "--server", &server.url]).expect(1);
        device.run(&["register", "--server", &server.url]).expect(0);
        let published = device.json(&["account", "show"]);
        assert_eq!(published["server"], Value::from(server.url.as_str()));
        for field in ["login", "account", "fingerprint"] {
            assert_eq!(published[field], local[field]);
        }
        assert_eq!(users(server), [EMAIL]);
        device.run(&["register", "--server", &server.url]).expect(1).expect_says("already");

        let other = world.bare_device("b");
        other.log_in(EMAIL, &server.url).expect(0);
        assert_eq!(other.json(&["account", "show"]), published);
    });
}

#[test]
fn a_changed_password_holds_everywhere() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        change_password(&laptop, NEW_PASSWORD);
        // The other one stays logged in, and wants the new password when it logs in again.
        desktop.run(&["account", "devices"]).expect(0);
        desktop.run(&["login"]).expect(12);
        with_new_password(&desktop, &["login"]).expect(0);
        let third = world.bare_device("c");
        third.log_in(EMAIL, &server.url).expect(12);
        with_new_password(&third, &["login", "--email", EMAIL, "--server", &server.url]).expect(0);
        // Whoever has the old password changes nothing.
        let another = typing("zuppa inglese per undici").1;
        let refused =
            laptop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &another)], &[]);
        refused.expect(12);
    });
}

#[test]
fn the_profile_is_what_others_read() {
    on_every_database(|world, server| {
        let (alice, bob) = (world.bare_device("a"), world.bare_device("b"));
        alice.register(EMAIL, &server.url).expect(0);
        bob.register("bob@example.com", &server.url).expect(0);
        alice.run(&["account", "profile", "--name", "Alice A. Ährenfeld"]).expect(0);
        let seen = bob.json(&["share", "verify", EMAIL]);
        assert_eq!((&seen["name"], &seen["first_seen"]), (&"Alice A. Ährenfeld".into(), &true.into()));
        let back = alice.json(&["share", "verify", "bob@example.com"]);
        assert_eq!(seen["safety_number"], back["safety_number"]);
        compare(&bob, EMAIL);
        assert_eq!(bob.json(&["share", "verify", EMAIL])["verified"], true);
        bob.run(&["share", "verify", "nobody@example.com"]).expect(1).expect_says("Nobody has that address");
        alice.run(&["account", "profile", "--name", ""]).expect(0).expect_says("(no name)");
        alice.run(&["account", "profile", "--name", &"x".repeat(10_000)]).expect(2);
    });
}

#[test]
fn what_one_computer_verified_the_others_know() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        let bob = world.bare_device("bob");
        bob.register("bob@example.com", &server.url).expect(0);
        compare(&laptop, "bob@example.com");
        let third = world.bare_device("c");
        third.log_in(EMAIL, &server.url).expect(0);
        for device in [&desktop, &third] {
            let seen = device.json(&["share", "verify", "bob@example.com"]);
            assert_eq!((&seen["verified"], &seen["first_seen"]), (&true.into(), &false.into()), "{seen}");
        }
    });
}

#[test]
fn the_address_changes_and_the_account_stays() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        world.bare_device("bob").register("bob@example.com", &server.url).expect(0);
        laptop.run(&["account", "profile", "--email", "bob@example.com"]).expect(1).expect_says("already");
        let before = laptop.json(&["account", "show"]);
        laptop.run(&["account", "profile", "--email", "alice@example.org"]).expect(0);
        let after = laptop.json(&["account", "show"]);
        assert_eq!(after["login"], "alice@example.org");
        assert_eq!((&after["account"], &after["fingerprint"]), (&before["account"], &before["fingerprint"]));

        let third = world.bare_device("c");
        third.log_in(EMAIL, &server.url).expect(12);
        third.log_in("alice@example.org", &server.url).expect(0);
        assert_eq!(third.json(&["account", "show"]), after);
        desktop.run(&["account", "devices"]).expect(0);
        assert_eq!(users(server), ["alice@example.org", "bob@example.com"]);
    });
}

#[test]
fn the_export_has_everything_but_what_opens_something() {
    on_every_database(|world, server| {
        let evil = EvilServer::start(&server.url);
        let (laptop, desktop) = two_devices(world, &evil.url);
        laptop.run(&["account", "profile", "--name", "Alice A"]).expect(0);
        let file = world.path("export.json");
        laptop.run(&["account", "export", "-o", text(&file)]).expect(0);
        let exported = fs::read_to_string(&file).unwrap();
        let document: Value = serde_json::from_str(&exported).unwrap();
        assert_eq!(document["devices"].as_array().map(Vec::len), Some(2), "{document}");
        assert!(exported.contains("Alice A"), "{document}");
        for secret in ensafer_tests::evil_server::secrets_of(&evil.heard()) {
            assert!(!exported.contains(&secret), "a token or a proof is in the export: {exported}");
        }
        for word in ["verifier", "hash", "auth", "refresh", "access", "token"] {
            assert!(!exported.contains(&format!("\"{word}")), "{word} is in the export: {exported}");
        }
        let again = laptop.run(&["account", "export", "-o", text(&file)]);
        assert_ne!(again.code, 0, "it overwrites nothing: {again}");
        let _ = desktop.run(&["account", "export"]).expect(0).json();
    });
}

#[test]
fn a_deleted_account_is_gone_from_the_server_only() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        laptop.run(&["account", "delete"]).expect(2);
        let (variable, wrong) = typing("wrong horse battery");
        laptop.answer(&["account", "delete", "-y"], &[(variable, &wrong)], &[]).expect(12);
        assert_eq!(users(server), [EMAIL]);

        laptop.run(&["account", "delete", "-y"]).expect(0).expect_says("On this computer it stays");
        assert_eq!(users(server), Vec::<String>::new());
        assert_eq!(laptop.json(&["account", "show"])["server"], Value::Null);
        desktop.run(&["account", "devices"]).expect(10);
        world.bare_device("c").log_in(EMAIL, &server.url).expect(12);
        // It may come back.
        laptop.run(&["register", "--server", &server.url]).expect(0);
        assert_eq!(users(server), [EMAIL]);
    });
}

#[test]
fn the_recovery_key_sets_a_new_password_here_and_on_a_new_computer() {
    on_every_database(|world, server| {
        let laptop = world.bare_device("a");
        let made = laptop.register(EMAIL, &server.url).expect(0).stdout;
        let key = made.trim();
        assert_eq!(laptop.run(&["recovery-key", "show"]).expect(0).stdout.trim(), key);

        // Here: the password command prints the new password from now on.
        let (variable, new) = typing(NEW_PASSWORD);
        laptop.answer(&["recovery-key", "use"], &[(variable, &new)], &[key]).expect(0);
        let desktop = world.bare_device("b");
        desktop.log_in(EMAIL, &server.url).expect(12);

        // On a computer that knows nothing.
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        let wrong = "0000-0000-0000-0000-0000-0000-0000-0000-0000";
        let refused = desktop.answer(&recover, &[], &[wrong]).expect_any(&[2, 12]);
        assert!(!refused.says("panic"), "{refused}");
        desktop.answer(&recover, &[], &[key]).expect(0);
        desktop.run(&["account", "devices"]).expect(0);
        world.bare_device("c").log_in(EMAIL, &server.url).expect(0);
        // The password before is worth nothing, the key is still good.
        with_new_password(&laptop, &["login"]).expect(12);
        laptop.answer(&["recovery-key", "use"], &[], &[key]).expect(0);
        assert_eq!(laptop.json(&["account", "show"]), desktop.json(&["account", "show"]));
    });
}

#[test]
fn somebody_elses_recovery_key_opens_nothing() {
    on_every_database(|world, server| {
        let (alice, bob) = (world.bare_device("a"), world.bare_device("b"));
        alice.register(EMAIL, &server.url).expect(0);
        let bobs = bob.register("bob@example.com", &server.url).expect(0).stdout;
        let fresh = world.bare_device("c");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[], &[bobs.trim()]).expect(12);
        alice.answer(&["recovery-key", "use"], &[], &[bobs.trim()]).expect(12);
        fresh.run(&["account", "show"]).expect(10);
        alice.run(&["login"]).expect(0);
    });
}

#[test]
fn a_new_recovery_key_replaces_the_old_one() {
    on_every_database(|world, server| {
        let laptop = world.bare_device("a");
        let old = laptop.register(EMAIL, &server.url).expect(0).stdout;
        let new = laptop.run(&["recovery-key", "new"]).expect(0).stdout;
        assert_ne!(old, new);
        let fresh = world.bare_device("b");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[], &[old.trim()]).expect(12);
        fresh.answer(&recover, &[], &[new.trim()]).expect(0);
        assert_eq!(laptop.run(&["recovery-key", "show"]).expect(0).stdout, new);
    });
}

#[test]
fn a_printed_half_and_an_answer_recover_together() {
    on_every_database(|world, server| {
        let laptop = world.bare_device("a");
        laptop.register(EMAIL, &server.url).expect(0);
        laptop
            .answer(&["recovery-key", "new", "--question"], &[], &["ab"])
            .expect(2)
            .expect_says("too short");
        let made = laptop.answer(&["recovery-key", "new", "--question"], &[], &["The Blue Bicycle"]);
        let half = made.expect(0).stdout;
        let half = half.lines().last().unwrap_or_default().to_owned();

        let fresh = world.bare_device("b");
        let recover = ["recovery-key", "use", "--question", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[], &[&half, "the red bicycle"]).expect(12);
        // People do not remember capitals and spaces.
        fresh.answer(&recover, &[], &[&half, " the  blue bicycle"]).expect(0);
        fresh.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn an_account_moves_to_another_server() {
    on_every_database(|world, server| {
        let second = KeyServer::start(world);
        let (laptop, desktop) = two_devices(world, &server.url);
        // What the account remembers of others moves along.
        let bob = world.bare_device("bob");
        bob.register("bob@example.com", &server.url).expect(0);
        let seen = compare(&laptop, "bob@example.com");
        let before = laptop.json(&["account", "show"]);
        laptop.run(&["account", "server", &second.url]).expect(0);
        let after = laptop.json(&["account", "show"]);
        assert_eq!(after["server"], Value::from(second.url.as_str()));
        assert_eq!((&after["account"], &after["fingerprint"]), (&before["account"], &before["fingerprint"]));
        assert_eq!(users(&second), [EMAIL]);
        assert!(laptop.run(&["account", "devices"]).expect(0).stdout.contains("this computer"));

        world.bare_device("c").log_in(EMAIL, &second.url).expect(0);
        bob.run(&["account", "server", &second.url]).expect(0);
        let again = laptop.json(&["share", "verify", "bob@example.com"]);
        assert_eq!(
            (&again["verified"], &again["safety_number"]),
            (&Value::Bool(true), &seen["safety_number"])
        );
        // The other computer follows when it is told.
        desktop.run(&["account", "devices"]).expect(0);
        desktop.log_in(EMAIL, &second.url).expect(0);
        assert_eq!(desktop.json(&["account", "show"]), after);
        laptop.run(&["account", "server", "http://127.0.0.1:1"]).expect(14);
        assert_eq!(laptop.json(&["account", "show"]), after);
    });
}

#[test]
fn a_server_under_a_new_address_is_the_same_one() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        let key = laptop.run(&["recovery-key", "show"]).expect(0).stdout.trim().to_owned();
        let old = server.url.clone();
        server.stop().expect(0);
        server.listen("127.0.0.1:0");
        assert_ne!(old, server.url);
        laptop.run(&["account", "devices"]).expect(14);

        // The password was derived for the old address: a new computer has to know that.
        let fresh = world.bare_device("c");
        fresh.log_in(EMAIL, &server.url).expect(12);
        fresh.run(&["login", "--email", EMAIL, "--server", &server.url, "--realm", &old]).expect(0);
        fresh.run(&["account", "devices"]).expect(0);
        // Said once, it is known here, and the recovery key needs it as well.
        fresh.run(&["login"]).expect(0);
        let recovering = world.bare_device("r");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        recovering.answer(&recover, &[], &[&key]).expect(2).expect_says("--realm");

        laptop.run(&["account", "server", &server.url, "--same"]).expect(0);
        fresh.run(&["login"]).expect(0);
        assert_eq!(laptop.json(&["account", "show"])["server"], Value::from(server.url.as_str()));
        laptop.run(&["account", "devices"]).expect(0);
        // From then on it goes by the new address alone, on the other computer too.
        world.bare_device("d").log_in(EMAIL, &server.url).expect(0);
        desktop.log_in(EMAIL, &server.url).expect(0);
        assert_eq!(users(server), [EMAIL]);
    });
}

#[test]
fn two_computers_make_a_new_recovery_key_one_after_the_other() {
    on_every_database(|world, server| {
        let (laptop, desktop) = two_devices(world, &server.url);
        let first = laptop.run(&["recovery-key", "new"]).expect(0).stdout;
        // It has not asked the server since.
        let second = desktop.run(&["recovery-key", "new"]).expect(0).stdout;
        laptop.run(&["login"]).expect(0);
        assert_eq!(laptop.run(&["recovery-key", "show"]).expect(0).stdout, second);
        let fresh = world.bare_device("c");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[], &[first.trim()]).expect(12);
        fresh.answer(&recover, &[], &[second.trim()]).expect(0);
    });
}

#[test]
fn nothing_that_was_replaced_moves_to_another_server() {
    on_every_database(|world, server| {
        let second = KeyServer::start(world);
        let (laptop, desktop) = two_devices(world, &server.url);
        let old = laptop.run(&["recovery-key", "show"]).expect(0).stdout;
        desktop.run(&["recovery-key", "new"]).expect(0);
        change_password(&desktop, NEW_PASSWORD);
        // The laptop still opens its own file with the old password, and must not publish that.
        laptop.run(&["account", "server", &second.url]).expect(12);
        assert_eq!(users(&second), Vec::<String>::new());
        with_new_password(&laptop, &["login"]).expect(0);
        with_new_password(&laptop, &["account", "server", &second.url]).expect(0);
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &second.url];
        world.bare_device("c").answer(&recover, &[], &[old.trim()]).expect(12);
    });
}

#[test]
fn a_computer_follows_to_another_server_and_goes_back_with_all_that_it_remembers() {
    on_every_database(|world, server| {
        let second = KeyServer::start(world);
        let (laptop, desktop) = two_devices(world, &server.url);
        for (name, email) in [("bob", "bob@example.com"), ("carol", "carol@example.com")] {
            world.bare_device(name).register(email, &server.url).expect(0);
        }
        compare(&laptop, "bob@example.com");
        laptop.run(&["account", "server", &second.url]).expect(0);
        // Meanwhile the other computer learns more on the old server.
        compare(&desktop, "bob@example.com");
        compare(&desktop, "carol@example.com");
        desktop.log_in(EMAIL, &second.url).expect(0);
        laptop.run(&["login"]).expect(0);
        for device in [&laptop, &desktop] {
            device.log_in(EMAIL, &server.url).expect(0);
            for email in ["bob@example.com", "carol@example.com"] {
                assert_eq!(device.json(&["share", "verify", email])["verified"], true, "{email}");
            }
        }
    });
}

#[test]
fn pins_move_along_and_only_their_owner_replaces_them() {
    on_every_database(|world, server| {
        let second = KeyServer::start(world);
        let (laptop, desktop) = two_devices(world, &server.url);
        for (name, on) in [("bob", &server.url), ("other bob", &second.url)] {
            world.bare_device(name).register("bob@example.com", on).expect(0);
        }
        let seen = compare(&desktop, "bob@example.com");
        let moved = laptop;
        moved.run(&["account", "server", &second.url]).expect(0);
        let stopped = moved.run(&["share", "verify", "bob@example.com"]).expect(26);
        assert!(stopped.says("safety number"), "what was pinned on the first server moved along: {stopped}");
        // Somebody takes the other Bob on purpose, and then a computer that knows only the first one follows.
        let number =
            moved.json(&["share", "verify", "bob@example.com", "--changed"])["safety_number"].clone();
        let number = number.as_str().unwrap();
        moved.run(&["share", "verify", "bob@example.com", "--changed", "--matches", number]).expect(0);
        desktop.log_in(EMAIL, &second.url).expect(0);
        let now = desktop.json(&["share", "verify", "bob@example.com"]);
        assert_eq!(now["safety_number"], number, "the owner's own decision goes before");
        assert_ne!(now["safety_number"], seen["safety_number"]);
    });
}

#[test]
fn two_people_under_one_name_on_two_servers_keep_a_computer_where_it_is() {
    on_every_database(|world, server| {
        let second = KeyServer::start(world);
        let (laptop, desktop) = two_devices(world, &server.url);
        for (name, on) in [("bob", &server.url), ("other bob", &second.url)] {
            world.bare_device(name).register("bob@example.com", on).expect(0);
        }
        laptop.run(&["account", "server", &second.url]).expect(0);
        laptop.run(&["share", "verify", "bob@example.com"]).expect(0);
        let seen = compare(&desktop, "bob@example.com");
        let stopped = desktop.log_in(EMAIL, &second.url).expect(26);
        assert!(stopped.says("bob@example.com"), "{stopped}");
        assert_eq!(desktop.json(&["account", "show"])["server"], Value::from(server.url.as_str()));
        let now = desktop.json(&["share", "verify", "bob@example.com"]);
        assert_eq!((&now["verified"], &now["safety_number"]), (&true.into(), &seen["safety_number"]));
    });
}

#[test]
fn the_old_server_is_asked_once_for_what_moves() {
    let world = World::new();
    let (server, second) = (KeyServer::start(&world), KeyServer::start(&world));
    let evil = EvilServer::start(&server.url);
    let laptop = world.bare_device("a");
    laptop.register(EMAIL, &evil.url).expect(0);
    evil.forget();
    laptop.run(&["account", "server", &second.url]).expect(0);
    assert_eq!(evil.heard_at("/v1/account").len(), 1);
    assert_eq!(users(&second), [EMAIL]);
}

#[test]
fn another_account_under_the_same_address_is_no_lie() {
    on_every_database(|world, server| {
        let (here, there) = (world.bare_device("a"), world.bare_device("b"));
        here.run(&["register", "--email", EMAIL]).expect(0);
        there.register(EMAIL, &server.url).expect(0);
        let refused = here.log_in(EMAIL, &server.url).expect(1);
        assert!(refused.says("another account") && refused.says("ENSAFER_HOME"), "{refused}");
        here.run(&["account", "show"]).expect(0);
    });
}

/// Looks at the safety number with somebody, and says that the other side shows the same.
fn compare(device: &Device, email: &str) -> Value {
    let seen = device.json(&["share", "verify", email]);
    let number = seen["safety_number"].as_str().unwrap();
    device.json(&["share", "verify", email, "--matches", number])
}

fn two_devices(world: &World, url: &str) -> (Device, Device) {
    let (laptop, desktop) = (world.bare_device("laptop"), world.bare_device("desktop"));
    laptop.register(EMAIL, url).expect(0);
    desktop.log_in(EMAIL, url).expect(0);
    (laptop, desktop)
}

fn change_password(device: &Device, new: &str) {
    let command = typing(new).1;
    device.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &command)], &[]).expect(0);
}

/// Runs a verb where the new password is typed.
fn with_new_password(device: &Device, arguments: &[&str]) -> ensafer_tests::Finished {
    let (variable, command) = typing(NEW_PASSWORD);
    device.answer(arguments, &[(variable, &command)], &[])
}

fn users(server: &KeyServer) -> Vec<String> {
    let listed = server.run(&["user", "list", "--json"]).expect(0).json();
    let logins =
        listed.as_array().expect("a list").iter().map(|user| user["login"].as_str().unwrap().to_owned());
    let mut logins: Vec<String> = logins.collect();
    logins.sort();
    logins
}
