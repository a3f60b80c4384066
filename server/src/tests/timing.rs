//! A login that exists, one that does not, and one that is disabled take the same time to be refused.
//!
//! Requests of all kinds follow each other in random order, so that whatever else the machine does meets all of them
//! alike, and the faster half of each kind's times is compared: noise only ever adds. As proof that the statistic sees
//! what it looks for, a request that is refused a little earlier is among them.

use std::time::{Duration, Instant};

use axum::http::Method;
use ensafer_core::api::server::{CredentialKind, LoginStartRequest, ProblemKind};
use ensafer_core::crypto::{Random, SystemRandom};
use serde::Serialize;
use serde_json::Value;

use super::persona::{Device, Persona};
use super::world::{Home, Server};
use crate::config::Config;

/// Requests of each kind in a round.
const SAMPLES: usize = 200;
/// A round says something if nothing else kept the machine too busy: of so many, one must.
const ROUNDS: usize = 8;
/// Times that differ by less, as a share, are the same.
const SAME: f64 = 0.05;

/// What is sent again and again, and how it is refused.
struct Kind {
    path: &'static str,
    body: Value,
    answer: Option<ProblemKind>,
}

impl Kind {
    fn new(path: &'static str, body: &impl Serialize, answer: Option<ProblemKind>) -> Self {
        Self { path, body: serde_json::to_value(body).unwrap(), answer }
    }

    async fn time(&self, server: &Server) -> Duration {
        let call = server.call(Method::POST, self.path).json(&self.body);
        let started = Instant::now();
        let answer = call.send().await;
        let time = started.elapsed();
        match self.answer {
            Some(kind) => answer.refuses(kind),
            None => answer.expect(200),
        }
        time
    }
}

/// The mean of the faster half, in seconds.
fn usual(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.truncate(SAMPLES / 2);
    times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64
}

/// What each kind usually takes, in a round of its own.
async fn round(server: &Server, kinds: &[Kind; 4]) -> [f64; 4] {
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..SAMPLES {
        let mut order = [0, 1, 2, 3];
        order.sort_by_cached_key(|_| SystemRandom.array::<8>());
        for kind in order {
            times[kind].push(kinds[kind].time(server).await);
        }
    }
    times.map(usual)
}

/// Panics unless the first three kinds take the same time and the fourth does not.
async fn compare(server: &Server, kinds: [Kind; 4]) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let usual = round(server, &kinds).await;
        let differs = |kind: usize| (usual[kind] / usual[0] - 1.0).abs() > SAME;
        if !differs(1) && !differs(2) && differs(3) {
            return;
        }
        rounds.push(usual.map(|seconds| seconds * 1e6));
    }
    panic!("known, unknown, disabled, early take so many µs: {rounds:.0?}");
}

/// A server that takes any number of failures, with Alice and a disabled account.
async fn patient() -> (Home, Persona, Persona) {
    let mut config = Config::default();
    config.limits.failures_per_account = 1_000_000;
    config.limits.failures_per_address = 1_000_000;
    config.limits.failures_in_all = 1_000_000;
    let home = Home::with(config).await;
    let (nobody, disabled) = (Persona::new("nobod@example.com"), Persona::other("disab@example.com"));
    home.server.register(&disabled).await;
    assert!(home.server.state.db.set_disabled(&disabled.login, true).await.unwrap().is_some());
    (home, nobody, disabled)
}

#[tokio::test]
async fn the_first_step_takes_as_long_for_any_login() {
    let (home, nobody, disabled) = patient().await;
    let start = |login: &str, answer| {
        let request = LoginStartRequest { login: login.to_owned() };
        Kind::new("/v1/login/start", &request, answer)
    };
    let kinds = [
        start(home.alice.login.as_str(), None),
        start(nobody.login.as_str(), None),
        start(disabled.login.as_str(), None),
        // Refused before the database is asked.
        start("no login at all@", Some(ProblemKind::LoginMalformed)),
    ];
    compare(&home.server, kinds).await;
}

#[tokio::test]
async fn the_second_step_takes_as_long_for_any_login() {
    let (home, nobody, disabled) = patient().await;
    let full = Persona::other("fulls@example.com");
    home.server.register(&full).await;
    let device = Device::new("new");
    let mut kinds = Vec::new();
    for persona in [&home.alice, &nobody, &disabled, &full] {
        let started = home.server.begin(persona).await;
        let request = persona.verify(&device, &started, CredentialKind::Password, [9; 32]);
        kinds.push(Kind::new("/v1/login/verify", &request, Some(ProblemKind::WrongCredentials)));
    }
    // Refused in the middle: after the account was looked up, and before the proof is compared and counted.
    let mut tx = home.server.state.db.write().await.unwrap();
    sqlx::query("INSERT INTO failures (bucket, empty_at_ms) VALUES ($1, $2)")
        .bind(format!("account:{}", full.id))
        .bind(i64::MAX / 2)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    kinds[3].answer = Some(ProblemKind::TooManyFailures);
    let Ok(kinds) = kinds.try_into() else { unreachable!("there are four") };
    compare(&home.server, kinds).await;
}
