//! A server with a database of its own, a clock that is moved by hand, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use ensafer_core::api::server::{
    CredentialKind, LoginChallenge, LoginStartRequest, LoginStarted, Problem, ProblemKind, Session,
};
use ensafer_core::crypto::{Random, ServerKeys, ServerSecret, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use super::persona::{Device, Persona};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::state::{AppState, Parts};
use crate::{account, directory, groups, invitations, login, registration, sessions};

pub const HOME: &str = "192.0.2.1:1000";
pub const ELSEWHERE: &str = "198.51.100.7:1000";
/// When a world begins, in seconds since 1970.
pub const NOW_S: u64 = 1_900_000_000;

/// Milliseconds since 1970, moved by hand, the same for all replicas.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl TestClock {
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

/// What replicas share, and what outlives each of them.
pub struct World {
    pub directory: TempDir,
    pub url: String,
    pub clock: TestClock,
    pub secret: ServerSecret,
}

impl World {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = match std::env::var("ENSAFER_TEST_POSTGRES") {
            Ok(cluster) => new_database(&cluster).await,
            Err(_) => format!("sqlite://{}", directory.path().join("server.db").display()),
        };
        Self::of(directory, url, ServerSecret::generate(&mut SystemRandom))
    }

    /// The database at `url`, of a server with this secret.
    pub fn of(directory: TempDir, url: String, secret: ServerSecret) -> Self {
        let clock = TestClock(Arc::new(AtomicU64::new(NOW_S * 1000)));
        Self { directory, url, clock, secret }
    }

    /// Starts a server: another replica, or the same one again.
    pub async fn start(&self, config: Config) -> Server {
        let db = Db::connect(&self.url).await.unwrap();
        let mailer = Mailer::new(&config).unwrap();
        let parts = Parts {
            config,
            db,
            keys: ServerKeys::derive(&self.secret),
            mailer,
            metrics: Metrics::new(),
            notices: Notices::default(),
            clock: Box::new(self.clock.clone()),
        };
        let state = AppState::new(parts);
        let (router, openapi) = routes().split_for_parts();
        Server { router: router.with_state(state.clone()), state, openapi }
    }
}

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(registration::routes())
        .merge(login::routes())
        .merge(sessions::routes())
        .merge(account::routes())
        .merge(directory::routes())
        .merge(invitations::routes())
        .merge(groups::routes())
}

/// Makes an empty database in this cluster, and returns its URL.
pub async fn new_database(cluster: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("test_{}", hex::encode(SystemRandom.array::<8>()));
    let pool = sqlx::AnyPool::connect(cluster).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&pool).await.unwrap();
    pool.close().await;
    let mut url = url::Url::parse(cluster).unwrap();
    url.set_path(&name);
    url.into()
}

/// One replica.
pub struct Server {
    pub router: Router,
    pub state: AppState,
    pub openapi: utoipa::openapi::OpenApi,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub fn problem(&self) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        problem
    }

    #[track_caller]
    pub fn expect(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
    }

    #[track_caller]
    pub fn refuses(&self, kind: ProblemKind) {
        assert_eq!(self.problem().kind(), Some(kind), "{:?}", self.problem());
    }
}

/// A request.
pub struct Call<'a> {
    server: &'a Server,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    from: &'a str,
}

impl<'a> Call<'a> {
    pub fn session(mut self, session: &Session) -> Self {
        self.request =
            self.request.header("authorization", format!("Bearer {}", hex::encode(session.access.0)));
        self
    }

    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).unwrap();
        self.header("content-type", "application/json")
    }

    pub fn text(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn from(self, from: &'a str) -> Self {
        Self { from, ..self }
    }

    pub async fn send(self) -> Answer {
        let peer: SocketAddr = self.from.parse().unwrap();
        let request = self.request.extension(peer).body(Body::from(self.body)).unwrap();
        let response = self.server.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Server {
    pub fn call<'a>(&'a self, method: Method, path: &str) -> Call<'a> {
        Call {
            server: self,
            request: Request::builder().method(method).uri(path),
            body: Vec::new(),
            from: HOME,
        }
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub async fn get(&self, path: &str, session: &Session) -> Answer {
        self.call(Method::GET, path).session(session).send().await
    }

    pub async fn put(&self, path: &str, session: &Session, body: &impl Serialize) -> Answer {
        self.call(Method::PUT, path).session(session).json(body).send().await
    }

    pub async fn register(&self, persona: &Persona) {
        self.post("/v1/register", &persona.register()).await.expect(201);
    }

    pub async fn begin(&self, persona: &Persona) -> LoginStarted {
        let request = LoginStartRequest { login: persona.login.as_str().to_owned() };
        self.post("/v1/login/start", &request).await.json()
    }

    /// The first two steps of a login with this proof of a password.
    pub async fn guess(&self, persona: &Persona, device: &Device, auth: [u8; 32], from: &str) -> Answer {
        let started = self.begin(persona).await;
        let request = persona.verify(device, &started, CredentialKind::Password, auth);
        self.call(Method::POST, "/v1/login/verify").json(&request).from(from).send().await
    }

    pub async fn login_by(&self, persona: &Persona, device: &Device, kind: CredentialKind) -> Session {
        let started = self.begin(persona).await;
        let request = persona.verify(device, &started, kind, persona.auth(kind));
        let challenge: LoginChallenge = self.post("/v1/login/verify", &request).await.json();
        let answer = persona.answer(device, &started, kind, &challenge);
        self.post("/v1/login/finish", &answer).await.json()
    }

    pub async fn login(&self, persona: &Persona, device: &Device) -> Session {
        self.login_by(persona, device, CredentialKind::Password).await
    }
}

/// A server with Alice's account and a session of hers.
pub struct Home {
    pub world: World,
    pub server: Server,
    pub alice: Persona,
    pub laptop: Device,
    pub session: Session,
}

impl Home {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let world = World::new().await;
        let server = world.start(config).await;
        let (alice, laptop) = (Persona::new("alice@example.com"), Device::new("laptop"));
        server.register(&alice).await;
        let session = server.login(&alice, &laptop).await;
        Self { world, server, alice, laptop, session }
    }
}
