//! Limits: who is slowed down, and who is not.

use axum::http::Method;
use ensafer_core::api::server::{AccountDocument, AvailabilityRequest, KeysRequest, ProblemKind};

use super::persona::{Device, Persona};
use super::world::{ELSEWHERE, HOME, Home};
use crate::config::Config;

const WRONG: [u8; 32] = [9; 32];

#[tokio::test]
async fn five_wrong_passwords_are_enough_and_time_heals() {
    let home = Home::new().await;
    let device = Device::new("new");
    for _ in 0..5 {
        home.server.guess(&home.alice, &device, WRONG, HOME).await.refuses(ProblemKind::WrongCredentials);
    }
    // Not even the right one is looked at, wherever it comes from.
    for from in [HOME, ELSEWHERE] {
        let answer = home.server.guess(&home.alice, &device, home.alice.password_auth, from).await;
        answer.refuses(ProblemKind::TooManyFailures);
        assert_eq!(answer.problem().retry_after_s, Some(180));
        assert_eq!(answer.headers["retry-after"], "180");
    }
    home.world.clock.advance(180);
    home.server.login(&home.alice, &device).await;
}

/// As on a disk that is full: the database takes a count, and cannot keep it.
#[tokio::test]
async fn a_guess_that_cannot_be_counted_is_not_answered() {
    let home = Home::new().await;
    let mut tx = home.server.state.db.write().await.unwrap();
    for sql in [
        "DROP TABLE failures",
        "CREATE TABLE nowhere (at_ms BIGINT NOT NULL PRIMARY KEY)",
        "CREATE TABLE failures (bucket TEXT NOT NULL PRIMARY KEY, \
            empty_at_ms BIGINT NOT NULL REFERENCES nowhere (at_ms) DEFERRABLE INITIALLY DEFERRED)",
    ] {
        sqlx::query(sql).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    for auth in [WRONG, home.alice.password_auth] {
        let answer = home.server.guess(&home.alice, &Device::new("new"), auth, HOME).await;
        // What a broken foreign key is taken for elsewhere; what counts is that it says nothing of the proof.
        answer.refuses(ProblemKind::SessionRefused);
    }
}

#[tokio::test]
async fn right_passwords_do_not_count() {
    let home = Home::new().await;
    for _ in 0..12 {
        home.server.login(&home.alice, &Device::new("new")).await;
    }
}

#[tokio::test]
async fn a_stranger_does_not_lock_a_known_device_out() {
    let home = Home::new().await;
    let stranger = Device::new("stranger");
    for _ in 0..6 {
        home.server.guess(&home.alice, &stranger, WRONG, HOME).await;
    }
    let answer = home.server.guess(&home.alice, &stranger, WRONG, HOME).await;
    answer.refuses(ProblemKind::TooManyFailures);
    home.server.login(&home.alice, &home.laptop).await;
    // A stranger who only says to be the laptop has another key.
    let liar = Device { id: home.laptop.id, ..Device::new("laptop") };
    let answer = home.server.guess(&home.alice, &liar, home.alice.password_auth, HOME).await;
    answer.refuses(ProblemKind::TooManyFailures);
}

#[tokio::test]
async fn a_known_device_has_a_budget_of_its_own() {
    let home = Home::new().await;
    for _ in 0..5 {
        let answer = home.server.guess(&home.alice, &home.laptop, WRONG, HOME).await;
        answer.refuses(ProblemKind::WrongCredentials);
    }
    let answer = home.server.guess(&home.alice, &home.laptop, home.alice.password_auth, HOME).await;
    answer.refuses(ProblemKind::TooManyFailures);
    home.server.login(&home.alice, &Device::new("new")).await;
}

#[tokio::test]
async fn failures_are_remembered_over_a_restart() {
    let home = Home::new().await;
    let device = Device::new("new");
    for _ in 0..5 {
        home.server.guess(&home.alice, &device, WRONG, HOME).await;
    }
    home.server.state.db.close().await;
    let again = home.world.start(Config::default()).await;
    let answer = again.guess(&home.alice, &device, home.alice.password_auth, HOME).await;
    answer.refuses(ProblemKind::TooManyFailures);
}

#[tokio::test]
async fn an_address_that_guesses_at_many_accounts_is_stopped() {
    let mut config = Config::default();
    config.limits.failures_per_address = 6;
    let home = Home::with(config).await;
    for n in 0..6 {
        let persona = Persona::new(&format!("{n}@example.com"));
        let answer = home.server.guess(&persona, &Device::new("new"), WRONG, ELSEWHERE).await;
        answer.refuses(ProblemKind::WrongCredentials);
    }
    let new = Device::new("new");
    let answer = home.server.guess(&home.alice, &new, home.alice.password_auth, ELSEWHERE).await;
    answer.refuses(ProblemKind::TooManyFailures);
    // Neither another address nor a known device behind the same one is.
    home.server.guess(&home.alice, &new, home.alice.password_auth, HOME).await.expect(200);
    home.server.guess(&home.alice, &home.laptop, home.alice.password_auth, ELSEWHERE).await.expect(200);
}

#[tokio::test]
async fn failures_from_everywhere_trip_the_breaker() {
    let mut config = Config::default();
    config.limits.failures_in_all = 4;
    let home = Home::with(config).await;
    for n in 0..4 {
        let persona = Persona::new(&format!("{n}@example.com"));
        let from = format!("203.0.113.{n}:9");
        let answer = home.server.guess(&persona, &Device::new("new"), WRONG, &from).await;
        answer.refuses(ProblemKind::WrongCredentials);
    }
    let answer = home.server.guess(&home.alice, &Device::new("new"), home.alice.password_auth, HOME).await;
    answer.refuses(ProblemKind::TooManyFailures);
    home.server.login(&home.alice, &home.laptop).await;
}

/// Whoever follows an account's history reads all of it.
#[tokio::test]
async fn an_accounts_history_grows_slowly() {
    let mut config = Config::default();
    config.limits.key_changes_per_day = 3;
    let mut home = Home::with(config).await;
    for _ in 0..3 {
        let request = home.alice.next_keys("alice@example.com", None);
        home.server.put("/v1/account/keys", &home.session, &request).await.expect(204);
        let KeysRequest { bundle, keys, password, .. } = request;
        home.alice.document = AccountDocument { bundle, keys, password, ..home.alice.document };
    }
    let request = home.alice.next_keys("alice@example.com", None);
    let answer = home.server.put("/v1/account/keys", &home.session, &request).await;
    answer.refuses(ProblemKind::TooManyRequests);
    assert_eq!(answer.problem().retry_after_s, Some(28_800));
    home.world.clock.advance(28_800);
    let session = home.server.login(&home.alice, &home.laptop).await;
    home.server.put("/v1/account/keys", &session, &request).await.expect(204);
}

#[tokio::test]
async fn nobody_reads_the_directory_in_one_go() {
    let mut config = Config::default();
    config.limits.lookups_per_account_per_minute = 3;
    config.limits.availability_checks_per_address_per_hour = 3;
    let home = Home::with(config).await;
    for _ in 0..3 {
        home.server
            .get("/v1/users/nobody@example.com", &home.session)
            .await
            .refuses(ProblemKind::UserUnknown);
    }
    for path in ["/v1/users/alice@example.com", "/v1/users/alice@example.com/history"] {
        home.server.get(path, &home.session).await.refuses(ProblemKind::TooManyRequests);
    }
    // Registering was one of three.
    let ask = |from| {
        let request = AvailabilityRequest { login: "alice@example.com".into() };
        home.server.call(Method::POST, "/v1/register/available").json(&request).from(from).send()
    };
    ask(HOME).await.expect(200);
    ask(HOME).await.expect(200);
    ask(HOME).await.refuses(ProblemKind::TooManyRequests);
    ask(ELSEWHERE).await.expect(200);
}
