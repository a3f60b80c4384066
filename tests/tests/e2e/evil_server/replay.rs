//! Row 11: everything that was heard on the wire is sent once more, as it was and with what is new in it exchanged.

use std::fs;

use ensafer_core::api::server::{CredentialKind, LoginVerifyRequest, RefreshRequest};
use ensafer_core::crypto::Token;
use ensafer_tests::{Device, Thief, naive, wait};
use serde_json::{Value, json};

use super::{ALICE, FINISH, START, Scene, VERIFY};

const REFRESH: &str = "/v1/session/refresh";

/// Alice logs in from a laptop, whose daemon buys new tokens when it starts.
fn laptop_at_work(scene: &Scene) -> Device {
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    laptop.run(&["start"]).expect(0);
    wait::until_true("the daemon has bought new tokens", || {
        !scene.evil.heard_at(REFRESH).is_empty()
            && !scene.evil.heard_at("/v1/users/alice@example.com").is_empty()
    });
    laptop.run(&["daemon", "--quit"]).expect(0);
    laptop
}

/// Whether this answer's tokens open the account.
fn opens(thief: &Thief, answer: &Value) -> bool {
    answer["access"].as_str().is_some_and(|token| look(thief, token) == 200)
}

fn look(thief: &Thief, token: &str) -> u16 {
    thief.send("GET", "/v1/account", Some(token), &Value::Null).status
}

#[test]
fn row_11_messages_are_sent_again() {
    let scene = Scene::new();
    let laptop = laptop_at_work(&scene);
    let heard = scene.evil.heard();
    let thief = Thief::at(&scene.evil.url);
    let brings_something = |path: &str| [VERIFY, FINISH, REFRESH].contains(&path);
    let messages: Vec<_> = heard.iter().filter(|exchange| brings_something(&exchange.path)).collect();
    assert!(messages.len() >= 5, "only {} messages", messages.len());

    scene.evil.play(naive::takes_secrets_again(&heard));
    let taken: Vec<_> = messages.iter().map(|message| thief.replay(message)).collect();
    assert!(taken.iter().all(|answer| answer.status == 200), "the attack works on a naive server: {taken:?}");
    assert!(taken.iter().any(|answer| opens(&thief, &answer.json())), "and opens the account");

    scene.evil.be_honest();
    for message in &messages {
        let answer = thief.replay(message);
        assert_eq!(answer.status, 401, "{} passes twice: {answer:?}", message.path);
    }

    // The token that was heard is worth something until the device logs out, and nothing after.
    let token = heard.iter().rev().find_map(|exchange| exchange.token.clone()).unwrap();
    assert_eq!(look(&thief, &token), 200, "who hears a token may use it: the reason for TLS");
    laptop.run(&["logout"]).expect(0);
    assert_eq!(look(&thief, &token), 401);
    let sealed = fs::read_to_string(laptop.home.join("data/session.json")).unwrap();
    assert!(sealed.contains("\"sealed\": null"), "{sealed}");

    // With nobody logged in, nothing of all that was ever heard passes but what everybody may ask.
    scene.alice.run(&["logout"]).expect(0);
    for message in &heard {
        let public = ["/v1/server", "/v1/register/available", START].contains(&message.path.as_str());
        let expected = match message.path.as_str() {
            _ if public => 200,
            "/v1/register" => 409,
            _ => 401,
        };
        assert_eq!(thief.replay(message).status, expected, "{} passes", message.path);
    }
}

/// What was right in one login or session, in the next one.
#[test]
fn row_11_secrets_are_put_into_new_messages() {
    let scene = Scene::new();
    let laptop = laptop_at_work(&scene);
    let heard = scene.evil.heard();
    let thief = Thief::at(&scene.evil.url);
    let login = ALICE.parse().unwrap();
    let last = |path: &str| scene.evil.heard_at(path).pop().unwrap().request;
    let (verified, finished, refreshed) = (last(VERIFY), last(FINISH), last(REFRESH));
    let heard_verify: LoginVerifyRequest = naive::parse(&verified);
    let heard_refresh: RefreshRequest = naive::parse(&refreshed);

    // The device's own words with a new ticket, which they were not signed with.
    let mut with_new_ticket = verified;
    with_new_ticket["attempt"] = json!(thief.ticket(&login));
    // The right proof from a device of the thief's own: the one that gives something, to whoever has broken TLS.
    let own = thief.verify(&login, CredentialKind::Password, heard_verify.auth.0);
    let mut with_own_ticket = finished;
    with_own_ticket["attempt"] = json!(own.attempt);
    let mut counted_on = refreshed;
    counted_on["counter"] = json!(heard_refresh.counter + 1);
    let (account, device) = (heard_refresh.account, heard_refresh.device);
    let newest = scene.evil.heard_at(REFRESH).pop().unwrap().answer["refresh"].clone();
    let newest: Token = newest.as_str().unwrap().parse().unwrap();
    let signed_by_thief = [&Token::new(&heard_refresh.refresh.0), &newest]
        .map(|token| json!(thief.refresh(account, device, heard_refresh.counter + 1, token)));

    let messages = [(VERIFY, with_new_ticket), (FINISH, with_own_ticket), (REFRESH, counted_on)];
    let send = |path: &str, body: &Value| thief.send("POST", path, None, body);
    scene.evil.play(naive::takes_secrets_again(&heard));
    for (path, body) in &messages {
        assert_eq!(send(path, body).status, 200, "the attack works on a naive server: {path}");
    }

    scene.evil.be_honest();
    assert_eq!(send(VERIFY, &json!(own)).status, 200);
    for (path, body) in &messages {
        assert_eq!(send(path, body).status, 401, "{path} passes");
    }
    for body in &signed_by_thief {
        assert_eq!(send(REFRESH, body).status, 401, "the device's key is wanted");
    }
    // None of it did the device any harm.
    laptop.run(&["account", "devices"]).expect(0);
}
