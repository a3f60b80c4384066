//! Two replicas, and requests of which one may pass.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use ensafer_core::api::server::{CredentialKind, Invitations, LoginChallenge, ProblemKind, Session};
use serde::Serialize;
use serde_json::Value;

use super::groups::NewGroup;
use super::invitations::{Invitation, make};
use super::persona::{Device, Persona, state};
use super::world::{Answer, HOME, Home, Server};
use crate::codes::Code;
use crate::config::Config;
use crate::db::{Db, changes};
use crate::registration::{keep_code, use_code};

/// How many requests race.
const RUNNERS: usize = 8;

/// Sends all requests at the same time, half of them to each replica.
async fn race(
    replicas: [Arc<Server>; 2],
    method: Method,
    path: &str,
    token: &str,
    bodies: Vec<Value>,
) -> Vec<Answer> {
    let mut tasks = tokio::task::JoinSet::new();
    for (n, body) in bodies.into_iter().enumerate() {
        let (server, method) = (replicas[n % 2].clone(), method.clone());
        let (path, token) = (path.to_owned(), token.to_owned());
        tasks.spawn(async move {
            server.call(method, &path).json(&body).header("authorization", &token).from(HOME).send().await
        });
    }
    tasks.join_all().await
}

fn times<T: Serialize>(body: &T) -> Vec<Value> {
    vec![serde_json::to_value(body).unwrap(); RUNNERS]
}

struct Replicas {
    home: Home,
    both: [Arc<Server>; 2],
    token: String,
}

impl Replicas {
    async fn new() -> Self {
        let mut config = Config::default();
        config.limits.failures_per_account = 1000;
        config.limits.failures_per_known_device = 100;
        let home = Home::with(config.clone()).await;
        let both =
            [Arc::new(home.world.start(config.clone()).await), Arc::new(home.world.start(config).await)];
        let token = format!("Bearer {}", hex::encode(home.session.access.0));
        Self { home, both, token }
    }

    async fn race(&self, method: Method, path: &str, bodies: Vec<Value>) -> Vec<Answer> {
        race(self.both.clone(), method, path, &self.token, bodies).await
    }
}

#[track_caller]
fn one_passes(answers: &[Answer], others: ProblemKind) {
    let passed = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(passed, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.refuses(others);
    }
}

/// Who was too late learns what is there, whether the change came before or after the account was read.
#[track_caller]
fn names_the_version(answers: &[Answer], version: u64) {
    let problems = answers.iter().filter(|answer| !answer.status.is_success()).map(Answer::problem);
    for problem in problems.filter(|problem| problem.kind() == Some(ProblemKind::VersionConflict)) {
        assert_eq!(problem.current_version, Some(version));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_registers_a_login() {
    let replicas = Replicas::new().await;
    let bodies =
        (0..RUNNERS).map(|_| serde_json::to_value(Persona::new("bob@example.com").register()).unwrap());
    let answers = replicas.race(Method::POST, "/v1/register", bodies.collect()).await;
    one_passes(&answers, ProblemKind::LoginTaken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_uses_an_attempt_and_one_answers_its_challenge() {
    let replicas = Replicas::new().await;
    let (alice, device) = (&replicas.home.alice, Device::new("new"));
    let started = replicas.home.server.begin(alice).await;
    let verify = alice.verify(&device, &started, CredentialKind::Password, alice.password_auth);
    let answers = replicas.race(Method::POST, "/v1/login/verify", times(&verify)).await;
    one_passes(&answers, ProblemKind::ChallengeRefused);
    let passed = answers.iter().find(|answer| answer.status == StatusCode::OK).unwrap();
    let challenge: LoginChallenge = passed.json();
    let finish = alice.answer(&device, &started, CredentialKind::Password, &challenge);
    let answers = replicas.race(Method::POST, "/v1/login/finish", times(&finish)).await;
    one_passes(&answers, ProblemKind::ChallengeRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_equal_refreshes_passes() {
    let replicas = Replicas::new().await;
    let refresh = replicas.home.laptop.refresh(&replicas.home.alice, &replicas.home.session, 1);
    let answers = replicas.race(Method::POST, "/v1/session/refresh", times(&refresh)).await;
    one_passes(&answers, ProblemKind::SessionRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_versions_of_a_group_is_kept() {
    let replicas = Replicas::new().await;
    let group = NewGroup::by(&replicas.home.alice);
    for version in 1..4 {
        let bodies = (0..8)
            .map(|n| serde_json::to_value(group.request(version, n, &[&replicas.home.alice])).unwrap())
            .collect();
        let answers = replicas.race(Method::PUT, &group.path(), bodies).await;
        one_passes(&answers, ProblemKind::VersionConflict);
        names_the_version(&answers, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_states_is_kept() {
    let replicas = Replicas::new().await;
    for version in 1..4 {
        let bodies = (0..8).map(|filling| serde_json::to_value(state(version, filling)).unwrap()).collect();
        let answers = replicas.race(Method::PUT, "/v1/account/state", bodies).await;
        one_passes(&answers, ProblemKind::VersionConflict);
        names_the_version(&answers, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_passwords_is_kept() {
    let replicas = Replicas::new().await;
    let bodies = (0..8).map(|n| serde_json::to_value(replicas.home.alice.next_password([n; 32])).unwrap());
    let answers = replicas.race(Method::PUT, "/v1/account/password", bodies.collect()).await;
    let passed = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(passed, 1);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        // Whoever read the account after the change showed the old password.
        let kind = answer.problem().kind().unwrap();
        assert!(matches!(kind, ProblemKind::VersionConflict | ProblemKind::WrongCredentials), "{kind:?}");
    }
    let version = replicas.home.alice.document.password.version;
    names_the_version(&answers, u64::from(version) + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_bundles_is_published() {
    let replicas = Replicas::new().await;
    let logins = (0..8).map(|n| replicas.home.alice.next_keys(&format!("alice{n}@example.com"), None));
    let bodies = logins.map(|request| serde_json::to_value(request).unwrap()).collect();
    let answers = replicas.race(Method::PUT, "/v1/account/keys", bodies).await;
    one_passes(&answers, ProblemKind::VersionConflict);
    names_the_version(&answers, 2);
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM bundles");
    let bundles: i64 = count.fetch_one(replicas.home.server.state.db.reader()).await.unwrap();
    assert_eq!(bundles, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_replica_lets_one_guess_too_many_through() {
    let home = Home::new().await;
    let both = [
        Arc::new(home.world.start(Config::default()).await),
        Arc::new(home.world.start(Config::default()).await),
    ];
    let device = Device::new("new");
    let mut bodies = Vec::new();
    for _ in 0..12 {
        let started = home.server.begin(&home.alice).await;
        let request = home.alice.verify(&device, &started, CredentialKind::Password, [9; 32]);
        bodies.push(serde_json::to_value(request).unwrap());
    }
    let answers = race(both, Method::POST, "/v1/login/verify", "", bodies).await;
    let looked_at = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 5);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::UNAUTHORIZED) {
        answer.refuses(ProblemKind::TooManyFailures);
    }
}

/// Row 33: of 1,000 claims at once, by eight guests who all have both secrets, those of one guest pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_33_one_of_a_thousand_claims_passes() {
    let replicas = Replicas::new().await;
    let (home, [one, other]) = (&replicas.home, &replicas.both);
    let invitation = Arc::new(Invitation::by(&home.alice));
    make(one, &home.session, &invitation.request).await.expect(201);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let guest = Persona::other(&format!("guest{n}@example.com"));
        one.register(&guest).await;
        let session = Arc::new(one.login(&guest, &Device::new("phone")).await);
        let request = Arc::new(invitation.acceptance(&guest, &home.alice));
        for turn in 0..125 {
            let server = Arc::clone(if turn % 2 == 0 { one } else { other });
            let path = format!("{}/acceptance", invitation.path());
            let (session, request) = (Arc::clone(&session), Arc::clone(&request));
            tasks.spawn(async move {
                let call = server.call(Method::POST, &path).session(&session).json(&*request);
                (n, call.send().await)
            });
        }
    }
    let answers = tasks.join_all().await;
    let passed: BTreeSet<_> =
        answers.iter().filter(|(_, answer)| answer.status.is_success()).map(|(guest, _)| guest).collect();
    assert_eq!((answers.len(), passed.len()), (1000, 1));
    for (guest, answer) in &answers {
        if passed.contains(guest) {
            answer.expect(204);
        } else {
            answer.refuses(ProblemKind::InvitationAccepted);
        }
    }
    let found: Invitations = one.get("/v1/invitations", &home.session).await.json();
    let accepted = found.invitations[0].acceptance.as_ref().unwrap();
    assert_eq!(accepted.login, format!("guest{}@example.com", passed.first().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_replica_keeps_one_invitation_too_many() {
    let mut config = Config::default();
    config.limits.invitations = 3;
    let home = Home::with(config.clone()).await;
    let both = [Arc::new(home.world.start(config.clone()).await), Arc::new(home.world.start(config).await)];
    let token = format!("Bearer {}", hex::encode(home.session.access.0));
    let bodies = (0..RUNNERS).map(|_| serde_json::to_value(Invitation::by(&home.alice).request).unwrap());
    let answers = race(both, Method::POST, "/v1/invitations", &token, bodies.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 3);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.refuses(ProblemKind::InvitationsFull);
    }
}

/// Whoever logs in while the administrator disables the account has no session that lives again with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_session_outlives_its_account_being_disabled() {
    let replicas = Replicas::new().await;
    let (alice, server) = (&replicas.home.alice, &replicas.both[0]);
    let db = server.state.db.clone();
    for _ in 0..RUNNERS {
        let device = Device::new("new");
        let started = server.begin(alice).await;
        let verify = alice.verify(&device, &started, CredentialKind::Password, alice.password_auth);
        let challenge: LoginChallenge = server.post("/v1/login/verify", &verify).await.json();
        let finish = alice.answer(&device, &started, CredentialKind::Password, &challenge);
        let login = alice.login.clone();
        let disable = {
            let db = db.clone();
            tokio::spawn(async move { db.set_disabled(&login, true).await })
        };
        let finished = replicas.both[1].post("/v1/login/finish", &finish).await;
        assert!(disable.await.unwrap().unwrap().is_some());
        db.set_disabled(&alice.login, false).await.unwrap();
        if finished.status.is_success() {
            let session: Session = finished.json();
            let answer = server.get("/v1/account", &session).await;
            answer.refuses(ProblemKind::DeviceRevoked);
        } else {
            finished.refuses(ProblemKind::ChallengeRefused);
        }
    }
}

/// Whoever uses a code and whoever deletes its account take the two rows in the same order: neither waits for the other
/// for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_is_used_while_its_account_is_deleted() {
    let home = Home::new().await;
    let (alice, state) = (&home.alice, &home.server.state);
    let (address, code) = ("alice@example.net".parse().unwrap(), Code::parse("ABCD1234").unwrap());
    let mut tx = state.db.write().await.unwrap();
    keep_code(state, &mut tx, alice.id, &address, &code).await.unwrap();
    tx.commit().await.unwrap();

    let mut moving = state.db.write().await.unwrap();
    assert!(use_code(state, &mut moving, alice.id, &address, code.expose()).await.unwrap());
    let (db, login) = (state.db.clone(), alice.login.clone());
    let deleting = tokio::spawn(async move { db.delete_user(&login).await });
    if !state.db.is_sqlite() {
        tokio::time::timeout(Duration::from_secs(10), somebody_waits(&state.db)).await.expect("it waits");
    }
    changes::rename(&mut moving, alice.id, Some("moved")).await.unwrap();
    moving.commit().await.unwrap();
    assert_eq!(deleting.await.unwrap().unwrap(), Some(alice.id));
}

/// Returns once a connection to this PostgreSQL database waits for a row.
async fn somebody_waits(db: &Db) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(db.reader()).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
}
