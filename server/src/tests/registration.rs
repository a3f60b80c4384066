//! Making accounts.

use std::sync::Arc;

use axum::http::Method;
use ensafer_core::api::hex::HexBytes;
use ensafer_core::api::server::{
    Availability, AvailabilityRequest, ConfirmRequest, MAX_STATE_BYTES, ProblemKind, RegisterRequest,
    Registered, Registration, ServerInfo, StateDocument,
};

use super::persona::{Device, Persona};
use super::world::{Home, Server, World};
use crate::config::Config;

async fn is_available(server: &Server, login: &str) -> bool {
    let request = AvailabilityRequest { login: login.into() };
    server.post("/v1/register/available", &request).await.json::<Availability>().available
}

fn with_mode(mode: Registration, codes: &[&str]) -> Config {
    let mut config = Config::default();
    config.registration.mode = mode;
    config.registration.codes = codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>().into();
    config
}

#[tokio::test]
async fn a_login_is_taken_once() {
    let home = Home::new().await;
    assert!(!is_available(&home.server, "Alice@example.com").await);
    assert!(is_available(&home.server, "bob@example.com").await);
    let impostor = Persona::other("alice@example.com");
    home.server.post("/v1/register", &impostor.register()).await.refuses(ProblemKind::LoginTaken);
    home.server.post("/v1/register", &home.alice.register()).await.refuses(ProblemKind::LoginTaken);
    home.server.get("/v1/account", &home.session).await.expect(200);
}

#[tokio::test]
async fn an_accounts_id_is_taken_once() {
    let home = Home::new().await;
    let bob = Persona::other("bob@example.com");
    let mut request = bob.register();
    request.account.bundle = (&bob.bundle(home.alice.id, "bob@example.com", 1)).into();
    home.server.post("/v1/register", &request).await.refuses(ProblemKind::BlobRefused);
    assert!(is_available(&home.server, "bob@example.com").await);
}

#[tokio::test]
async fn a_closed_server_takes_nobody() {
    let world = World::new().await;
    let server = world.start(with_mode(Registration::Closed, &[])).await;
    let alice = Persona::new("alice@example.com");
    server.post("/v1/register", &alice.register()).await.refuses(ProblemKind::RegistrationClosed);
    let info: ServerInfo = server.call(Method::GET, "/v1/server").send().await.json();
    assert_eq!((info.registration, info.confirms_email), (Registration::Closed, false));
}

#[tokio::test]
async fn an_authorisation_code_is_asked_for_and_guesses_are_counted() {
    let world = World::new().await;
    let mut config = with_mode(Registration::Code, &["spring-2030", "other"]);
    config.limits.failures_per_address = 3;
    let server = world.start(config).await;
    let alice = Persona::new("alice@example.com");
    let with = |code: Option<&str>| RegisterRequest { code: code.map(str::to_owned), ..alice.register() };
    for code in [None, Some(""), Some("spring")] {
        let answer = server.post("/v1/register", &with(code)).await;
        answer.refuses(ProblemKind::RegistrationCodeRefused);
    }
    let late = server.post("/v1/register", &with(Some("spring-2030"))).await;
    late.refuses(ProblemKind::TooManyFailures);
    world.clock.advance(300);
    server.post("/v1/register", &with(Some(" spring-2030 "))).await.expect(201);
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_as_well() {
    let world = World::new().await;
    let mut config = with_mode(Registration::Code, &["spring-2030"]);
    config.limits.failures_per_address = 3;
    let server = Arc::new(world.start(config).await);
    let request =
        RegisterRequest { code: Some("guess".into()), ..Persona::new("alice@example.com").register() };
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (server, request) = (Arc::clone(&server), request.clone());
        guesses.spawn(async move { server.post("/v1/register", &request).await.problem().kind() });
    }
    let compared = |kind: &Option<ProblemKind>| *kind == Some(ProblemKind::RegistrationCodeRefused);
    assert_eq!(guesses.join_all().await.iter().filter(|kind| compared(kind)).count(), 3);
}

#[tokio::test]
async fn without_a_way_to_send_mail_no_account_is_left() {
    let world = World::new().await;
    let mut config = Config::default();
    config.registration.confirm_email = Some(true);
    let server = world.start(config).await;
    let alice = Persona::new("alice@example.com");
    server.post("/v1/register", &alice.register()).await.refuses(ProblemKind::MailFailed);
    assert!(server.state.db.users().await.unwrap().is_empty());
    // A name gets no mail at all.
    let answer = server.post("/v1/register", &Persona::new("alice").register()).await;
    answer.refuses(ProblemKind::LoginMalformed);
    // Nor does what no mail can be addressed to.
    let answer = server.post("/v1/register", &Persona::new("a..b@example.com").register()).await;
    answer.refuses(ProblemKind::LoginMalformed);
}

#[tokio::test]
async fn nobody_waits_for_a_code_where_none_is_mailed() {
    let home = Home::new().await;
    let request =
        ConfirmRequest { account: home.alice.id, login: "alice@example.com".into(), code: "ABCD2345".into() };
    let answer = home.server.post("/v1/register/confirm", &request).await;
    answer.refuses(ProblemKind::ConfirmationRefused);
}

#[tokio::test]
async fn an_account_that_was_made_elsewhere_keeps_its_versions() {
    let world = World::new().await;
    let server = world.start(Config::default()).await;
    let alice = Persona::new("alice@example.com");
    let mut request = alice.register();
    request.account.bundle = (&alice.bundle(alice.id, "alice@example.com", 9)).into();
    request.account.keys.version = 4;
    // With the largest keys and the largest state that there are.
    request.account.keys.sealed.0.resize(16 * 1024, 1);
    let mut sealed = HexBytes(vec![1; MAX_STATE_BYTES]);
    request.account.state = Some(StateDocument { version: 7, sealed: sealed.clone() });
    let registered: Registered = server.post("/v1/register", &request).await.json();
    assert!(!registered.confirmation_required);
    let session = server.login(&alice, &Device::new("laptop")).await;
    let kept: StateDocument = server.get("/v1/account/state", &session).await.json();
    assert!(kept.version == 7 && kept.sealed.0 == sealed.0);
    sealed.0.push(1);
    let mut larger = Persona::other("bob@example.com").register();
    larger.account.state = Some(StateDocument { version: 7, sealed });
    server.post("/v1/register", &larger).await.refuses(ProblemKind::ValueRefused);
}
