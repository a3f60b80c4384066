//! Logging in, and everything that must not log in.

use axum::http::Method;
use ensafer_core::account::login::sign_login;
use ensafer_core::api::hex::{HexArray, SecretHex};
use ensafer_core::api::server::{
    CredentialKind, LoginChallenge, LoginFinishRequest, LoginStartRequest, LoginStarted, ProblemKind, Session,
};

use super::persona::{Device, ITERATIONS, Persona};
use super::world::{HOME, Home, World};
use crate::config::Config;

const PASSWORD: CredentialKind = CredentialKind::Password;

/// The first two steps of Alice's login.
async fn challenged(home: &Home, device: &Device) -> (LoginStarted, LoginChallenge) {
    let started = home.server.begin(&home.alice).await;
    let request = home.alice.verify(device, &started, PASSWORD, home.alice.password_auth);
    (started, home.server.post("/v1/login/verify", &request).await.json())
}

#[tokio::test]
async fn the_right_password_and_login_key_open_a_session() {
    let home = Home::new().await;
    home.server.get("/v1/account", &home.session).await.expect(200);
    assert_eq!((home.session.access_expires_in_s, home.session.refresh_expires_in_s), (900, 90 * 86_400));
    assert!(home.session.new_devices.is_empty());
    let started = home.server.begin(&home.alice).await;
    assert_eq!((started.nonce, started.iterations), (home.alice.document.password.nonce, ITERATIONS));
}

#[tokio::test]
async fn the_recovery_key_logs_in_as_well() {
    let home = Home::new().await;
    let session = home.server.login_by(&home.alice, &Device::new("new"), CredentialKind::Recovery).await;
    home.server.get("/v1/account", &session).await.expect(200);
    // A proof of one kind is none of the other.
    let started = home.server.begin(&home.alice).await;
    for (kind, auth) in
        [(CredentialKind::Recovery, home.alice.password_auth), (PASSWORD, home.alice.recovery_auth)]
    {
        let request = home.alice.verify(&home.laptop, &started, kind, auth);
        home.server.post("/v1/login/verify", &request).await.refuses(ProblemKind::WrongCredentials);
    }
}

#[tokio::test]
async fn a_login_that_does_not_exist_is_answered_like_a_wrong_password() {
    let home = Home::new().await;
    let nobody = Persona::new("nobody@example.com");
    let device = Device::new("new");
    let started = [home.server.begin(&home.alice).await, home.server.begin(&nobody).await];
    assert_eq!(started[1].iterations, 1_000_000);
    assert_eq!(home.server.begin(&nobody).await.nonce, started[1].nonce);
    assert_ne!(home.server.begin(&nobody).await.attempt, started[1].attempt);
    let request = LoginStartRequest { login: "nobody@example.com".into() };
    let unknown = home.server.post("/v1/login/start", &request).await;
    let request = LoginStartRequest { login: "alice@example.com".into() };
    let known = home.server.post("/v1/login/start", &request).await;
    assert_eq!((unknown.status, unknown.headers.len()), (known.status, known.headers.len()));

    // As long as guesses are taken, and once they are not.
    for round in 0..7 {
        let wrong = home.server.guess(&home.alice, &device, [9; 32], HOME).await;
        let unknown = home.server.guess(&nobody, &device, [9; 32], HOME).await;
        assert_eq!(wrong, unknown, "round {round}");
        let expected = if round < 5 { ProblemKind::WrongCredentials } else { ProblemKind::TooManyFailures };
        wrong.refuses(expected);
    }
}

#[tokio::test]
async fn no_step_of_a_login_passes_twice() {
    let home = Home::new().await;
    let device = Device::new("new");
    let started = home.server.begin(&home.alice).await;
    let verify = home.alice.verify(&device, &started, PASSWORD, home.alice.password_auth);
    let challenge: LoginChallenge = home.server.post("/v1/login/verify", &verify).await.json();
    home.server.post("/v1/login/verify", &verify).await.refuses(ProblemKind::ChallengeRefused);
    let finish = home.alice.answer(&device, &started, PASSWORD, &challenge);
    let _: Session = home.server.post("/v1/login/finish", &finish).await.json();
    home.server.post("/v1/login/finish", &finish).await.refuses(ProblemKind::ChallengeRefused);
    home.server.post("/v1/login/verify", &verify).await.refuses(ProblemKind::ChallengeRefused);
}

#[tokio::test]
async fn tickets_and_challenges_expire() {
    let home = Home::new().await;
    let device = Device::new("new");
    let (started, challenge) = challenged(&home, &device).await;
    let finish = home.alice.answer(&device, &started, PASSWORD, &challenge);
    let late = home.server.begin(&home.alice).await;
    let verify = home.alice.verify(&device, &late, PASSWORD, home.alice.password_auth);
    home.world.clock.advance(120);
    home.server.post("/v1/login/finish", &finish).await.refuses(ProblemKind::ChallengeRefused);
    home.server.post("/v1/login/verify", &verify).await.refuses(ProblemKind::ChallengeRefused);
}

#[tokio::test]
async fn a_wrong_answer_spends_the_challenge() {
    let home = Home::new().await;
    let device = Device::new("new");
    let (started, challenge) = challenged(&home, &device).await;
    let right = home.alice.answer(&device, &started, PASSWORD, &challenge);
    let wrong = LoginFinishRequest { proof: SecretHex([1; 32]), ..right.clone() };
    home.server.post("/v1/login/finish", &wrong).await.refuses(ProblemKind::ChallengeRefused);
    home.server.post("/v1/login/finish", &right).await.refuses(ProblemKind::ChallengeRefused);
    let unknown = LoginFinishRequest { attempt: HexArray([1; 56]), ..right };
    home.server.post("/v1/login/finish", &unknown).await.refuses(ProblemKind::ChallengeRefused);
}

#[tokio::test]
async fn a_ticket_is_the_servers_and_one_logins() {
    let home = Home::new().await;
    let bob = Persona::other("bob@example.com");
    home.server.register(&bob).await;
    let device = Device::new("new");
    let started = home.server.begin(&home.alice).await;
    for at in [0, 15, 16, 23, 24, 55] {
        let mut forged = started.clone();
        forged.attempt.0[at] ^= 1;
        let request = home.alice.verify(&device, &forged, PASSWORD, home.alice.password_auth);
        home.server.post("/v1/login/verify", &request).await.refuses(ProblemKind::ChallengeRefused);
    }
    let request = bob.verify(&device, &started, PASSWORD, bob.password_auth);
    home.server.post("/v1/login/verify", &request).await.refuses(ProblemKind::ChallengeRefused);
}

#[tokio::test]
async fn a_device_signs_everything_that_it_sends() {
    let home = Home::new().await;
    let (device, thief) = (Device::new("new"), Device::new("thief"));
    let started = home.server.begin(&home.alice).await;
    let right = home.alice.verify(&device, &started, PASSWORD, home.alice.password_auth);
    let mut altered = vec![right.clone(); 6];
    altered[0].signature.0[0] ^= 1;
    altered[1].device.name = "other".into();
    altered[2].device.device = thief.id;
    altered[3].device.public_key = thief.document().public_key;
    altered[4].kind = CredentialKind::Recovery;
    altered[5].auth = SecretHex([1; 32]);
    for request in &altered {
        home.server.post("/v1/login/verify", request).await.refuses(ProblemKind::ChallengeRefused);
    }
    // Nothing of that counted as a wrong password, and the attempt still passes.
    home.server.post("/v1/login/verify", &right).await.expect(200);
}

#[tokio::test]
async fn a_challenge_answers_for_one_device() {
    let home = Home::new().await;
    let (device, other) = (Device::new("new"), Device::new("other"));
    let (started, challenge) = challenged(&home, &device).await;
    let finish = home.alice.answer(&other, &started, PASSWORD, &challenge);
    home.server.post("/v1/login/finish", &finish).await.refuses(ProblemKind::ChallengeRefused);
}

#[tokio::test]
async fn a_disabled_account_says_so_only_to_its_owner() {
    let home = Home::new().await;
    let device = Device::new("new");
    let (started, challenge) = challenged(&home, &device).await;
    let disabled = home.server.state.db.set_disabled(&home.alice.login, true).await.unwrap();
    assert_eq!(disabled, Some(home.alice.id));
    let finish = home.alice.answer(&device, &started, PASSWORD, &challenge);
    home.server.post("/v1/login/finish", &finish).await.refuses(ProblemKind::ChallengeRefused);
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::AccountDisabled);
    let guess = home.server.guess(&home.alice, &device, [9; 32], HOME).await;
    guess.refuses(ProblemKind::WrongCredentials);
    let right = home.server.guess(&home.alice, &device, home.alice.password_auth, HOME).await;
    right.refuses(ProblemKind::AccountDisabled);
    let refresh = home.laptop.refresh(&home.alice, &home.session, 1);
    home.server.post("/v1/session/refresh", &refresh).await.refuses(ProblemKind::AccountDisabled);

    let enabled = home.server.state.db.set_disabled(&home.alice.login, false).await.unwrap();
    assert_eq!(enabled, Some(home.alice.id));
    home.server.login(&home.alice, &device).await;
    // The old session stays ended.
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::DeviceRevoked);
}

#[tokio::test]
async fn a_login_that_begins_on_one_replica_ends_on_another() {
    let world = World::new().await;
    let (one, other) = (world.start(Config::default()).await, world.start(Config::default()).await);
    let (alice, device) = (Persona::new("alice@example.com"), Device::new("new"));
    one.register(&alice).await;
    let started = other.begin(&alice).await;
    let request = alice.verify(&device, &started, PASSWORD, alice.password_auth);
    let challenge: LoginChallenge = one.post("/v1/login/verify", &request).await.json();
    other.post("/v1/login/verify", &request).await.refuses(ProblemKind::ChallengeRefused);
    let finish = alice.answer(&device, &started, PASSWORD, &challenge);
    let session: Session = other.post("/v1/login/finish", &finish).await.json();
    one.post("/v1/login/finish", &finish).await.refuses(ProblemKind::ChallengeRefused);
    one.get("/v1/account", &session).await.expect(200);
}

#[tokio::test]
async fn any_spelling_of_a_login_is_taken() {
    let home = Home::new().await;
    let request = LoginStartRequest { login: " ALICE@Example.com ".into() };
    let started: LoginStarted = home.server.post("/v1/login/start", &request).await.json();
    let mut verify = home.alice.verify(&home.laptop, &started, PASSWORD, home.alice.password_auth);
    verify.login = "Alice@EXAMPLE.com".into();
    verify.signature = HexArray(*sign_login(&verify, &home.alice.login, &home.laptop.signer).as_bytes());
    home.server.call(Method::POST, "/v1/login/verify").json(&verify).send().await.expect(200);
}
