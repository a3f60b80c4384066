//! The server does what it was asked, and its answer never arrives.

use ensafer_tests::device::{text, typing};
use ensafer_tests::{Device, EvilServer, Finished, KeyServer, World, on_every_database};

const EMAIL: &str = "alice@example.com";
/// Where she moves.
const MOVED: &str = "alice@example.org";
const NEW_PASSWORD: &str = "tr8vel-Kestrel-9";

/// What a proxy says when the server behind it did not answer in time.
const GATEWAY_TIMEOUT: u16 = 504;

/// The liar only loses the answers at this door.
fn lose(evil: &EvilServer, lost: &'static str) {
    lose_and_then(evil, lost, |_| false);
}

/// The same, and once it has lost one, those that `also` says.
fn lose_and_then(evil: &EvilServer, lost: &'static str, also: fn(&str) -> bool) {
    let mut has_lost = false;
    evil.play(move |exchange| {
        let door = format!("{} {}", exchange.method, exchange.path);
        if door == lost || (has_lost && also(&door)) {
            has_lost = true;
            exchange.status = GATEWAY_TIMEOUT;
            exchange.answer = serde_json::Value::Null;
        }
    });
}

fn registered(world: &World, server: &KeyServer) -> (EvilServer, Device, Finished) {
    let evil = EvilServer::start(&server.url);
    let laptop = world.bare_device("laptop");
    let made = laptop.register(EMAIL, &evil.url).expect(0);
    (evil, laptop, made)
}

/// Sets the new password, and types it from then on.
fn change_password(device: &Device) -> Finished {
    let command = typing(NEW_PASSWORD).1;
    device.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &command)], &[])
}

fn with_new_password(device: &Device, arguments: &[&str]) -> Finished {
    let (variable, command) = typing(NEW_PASSWORD);
    device.answer(arguments, &[(variable, &command)], &[])
}

#[test]
fn a_registration_whose_answer_was_lost_is_taken_up_again() {
    on_every_database(|world, server| {
        let evil = EvilServer::start(&server.url);
        evil.play(|exchange| {
            if exchange.path == "/v1/register" {
                exchange.status = 502;
            }
        });
        let device = world.bare_device("a");
        let lost = device.register(EMAIL, &evil.url).expect(14);
        let users = server.run(&["user", "list"]).expect(0);
        assert!(users.stdout.contains(EMAIL), "it was made there");
        // The account is this computer's, its recovery key was shown, and nothing has to be made again.
        assert!(lost.stdout.lines().count() == 1, "{lost}");
        let local = device.json(&["account", "show"]);
        evil.be_honest();
        device.register(EMAIL, &evil.url).expect(1).expect_says("ensafer login");
        device.log_in(EMAIL, &evil.url).expect(0);
        let now = device.json(&["account", "show"]);
        assert_eq!((&now["account"], &now["fingerprint"]), (&local["account"], &local["fingerprint"]));
    });
}

#[test]
fn a_change_whose_answer_was_lost_is_found_to_have_been_made() {
    on_every_database(|world, server| {
        let (evil, laptop, made) = registered(world, server);
        lose(&evil, "PUT /v1/account/password");
        change_password(&laptop).expect(0);
        let other = world.bare_device("other");
        with_new_password(&other, &["login", "--email", EMAIL, "--server", &evil.url]).expect(0);

        lose(&evil, "PUT /v1/account/keys");
        with_new_password(&laptop, &["account", "profile", "--email", MOVED]).expect(0);
        assert_eq!(laptop.json(&["account", "show"])["login"], MOVED);

        lose(&evil, "PUT /v1/account/recovery");
        let new = with_new_password(&laptop, &["recovery-key", "new"]).expect(0);
        let fresh = world.bare_device("fresh");
        let recover = ["recovery-key", "use", "--email", MOVED, "--server", &evil.url];
        fresh.answer(&recover, &[], &[made.stdout.trim()]).expect(12);
        lose(&evil, "PUT /v1/account/password");
        fresh.answer(&recover, &[], &[new.stdout.trim()]).expect(0);
        fresh.run(&["login"]).expect(0);

        lose(&evil, "POST /v1/account/delete");
        fresh.run(&["account", "delete", "-y"]).expect(0);
        assert_eq!(fresh.json(&["account", "show"])["server"], serde_json::Value::Null);
        assert!(!server.run(&["user", "list"]).expect(0).stdout.contains(MOVED));
    });
}

#[test]
fn a_change_that_was_not_made_is_said_to_have_failed() {
    on_every_database(|world, server| {
        let (evil, laptop, made) = registered(world, server);
        // Another computer has set another password, so that the server refuses the laptop's proof.
        let other = world.bare_device("other");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &evil.url];
        other.answer(&recover, &[], &[made.stdout.trim()]).expect(0);
        lose(&evil, "PUT /v1/account/password");
        let failed = change_password(&laptop).expect(14);
        assert!(!failed.says("may have made the change"), "{failed}");
        evil.be_honest();
        with_new_password(&laptop, &["login"]).expect(12);
        laptop.run(&["login"]).expect(0);
    });
}

#[test]
fn a_change_of_which_nobody_knows_is_said_to_be_one() {
    on_every_database(|world, server| {
        let (evil, laptop, _) = registered(world, server);
        lose_and_then(&evil, "PUT /v1/account/password", |door| door == "GET /v1/account");
        let lost = change_password(&laptop).expect(14);
        assert!(lost.says("may have made the change or not") && lost.says("log in with the new"), "{lost}");
        evil.be_honest();
        laptop.run(&["login"]).expect(12);
        with_new_password(&laptop, &["login"]).expect(0);
    });
}

#[test]
fn a_password_that_no_server_knows_moves_nowhere() {
    on_every_database(|world, server| {
        let (evil, laptop, made) = registered(world, server);
        let file = world.path("exported");
        laptop.run(&["keys", "export", "-o", text(&file)]).expect(0);
        let fresh = world.bare_device("fresh");
        fresh
            .answer(&["keys", "import", "--with-recovery-key", text(&file)], &[], &[made.stdout.trim()])
            .expect(0);
        let refused = fresh.run(&["account", "server", &evil.url, "--same"]).expect(10);
        assert!(refused.says("ensafer login"), "{refused}");
    });
}
