//! A key server that lies: it stands in front of a real one, hears everything, and answers what it wants.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::oneshot;

/// Longest body that passes.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `POST`
    pub method: String,
    /// `/v1/login/start`
    pub path: String,
    /// The bearer token, if there was one.
    pub token: Option<String>,
    /// The request's body; null where there was none.
    pub request: Value,
    /// The status of the answer.
    pub status: u16,
    /// The answer's body; null where there was none.
    pub answer: Value,
    /// The origin of the server that answered.
    pub upstream: String,
}

/// What opens something among what was heard, as it stood there, in hex: tokens, proofs of passwords and recovery keys,
/// answers to challenges.
#[must_use]
pub fn secrets_of(heard: &[Exchange]) -> BTreeSet<String> {
    const FIELDS: [&str; 6] = ["access", "refresh", "auth", "password_auth", "recovery_auth", "proof"];
    let mut found: BTreeSet<String> = heard.iter().filter_map(|exchange| exchange.token.clone()).collect();
    let mut places: Vec<&Value> =
        heard.iter().flat_map(|exchange| [&exchange.request, &exchange.answer]).collect();
    while let Some(place) = places.pop() {
        let Some(fields) = place.as_object() else { continue };
        for (name, value) in fields {
            match value.as_str() {
                Some(text) if FIELDS.contains(&name.as_str()) => drop(found.insert(text.to_owned())),
                _ => places.push(value),
            }
        }
    }
    found
}

/// Looks at an exchange, and may change its answer before the client gets it.
pub type Trick = Box<dyn FnMut(&mut Exchange) + Send>;

/// A running liar. It ends when this is dropped.
pub struct EvilServer {
    /// Its origin.
    pub url: String,
    shared: Arc<Shared>,
    quit: Option<oneshot::Sender<()>>,
}

struct Shared {
    upstreams: Mutex<Vec<String>>,
    turn: AtomicUsize,
    http: reqwest::Client,
    trick: Mutex<Trick>,
    /// Method and beginning of the path of the requests that never arrive.
    lost: Mutex<Option<(&'static str, &'static str)>>,
    heard: Mutex<Vec<Exchange>>,
}

impl EvilServer {
    /// Starts in front of the server at `upstream`, honest at first.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        Self::start_before(&[upstream])
    }

    /// Starts in front of several servers, which take turns, one request each.
    #[must_use]
    pub fn start_before(upstreams: &[&str]) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let trick: Trick = Box::new(|_| {});
        let shared = Arc::new(Shared {
            upstreams: Mutex::new(upstreams.iter().map(ToString::to_string).collect()),
            turn: AtomicUsize::new(0),
            http,
            trick: Mutex::new(trick),
            lost: Mutex::default(),
            heard: Mutex::default(),
        });
        let (tell, listening) = std::sync::mpsc::channel();
        let (quit, asked) = oneshot::channel();
        let state = shared.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let app = Router::new().fallback(pass).with_state(state);
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    // Connections that clients keep open are not waited for.
                    _ = asked => {}
                }
            });
        });
        let address = listening.recv().unwrap();
        Self { url: format!("http://{address}"), shared, quit: Some(quit) }
    }

    /// From now on answers pass through `trick`.
    pub fn play(&self, trick: impl FnMut(&mut Exchange) + Send + 'static) {
        *self.shared.trick.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(trick);
    }

    /// From now on such requests never arrive: a method, and how the path begins.
    pub fn lose(&self, method: &'static str, path: &'static str) {
        *self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some((method, path));
    }

    /// From now on it is honest.
    pub fn be_honest(&self) {
        self.play(|_| {});
        *self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From now on it stands in front of another server.
    pub fn stand_before(&self, upstream: &str) {
        *self.shared.upstreams.lock().unwrap_or_else(PoisonError::into_inner) = vec![upstream.to_owned()];
    }

    /// All that it heard so far, with the answers as the clients got them.
    #[must_use]
    pub fn heard(&self) -> Vec<Exchange> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it heard at `path`.
    #[must_use]
    pub fn heard_at(&self, path: &str) -> Vec<Exchange> {
        self.heard().into_iter().filter(|exchange| exchange.path == path).collect()
    }

    /// Forgets what it heard.
    pub fn forget(&self) {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for EvilServer {
    fn drop(&mut self) {
        if let Some(quit) = self.quit.take() {
            let _ = quit.send(());
        }
    }
}

impl Shared {
    /// The servers take turns.
    fn next_upstream(&self) -> String {
        let upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        upstreams[self.turn.fetch_add(1, Ordering::Relaxed) % upstreams.len()].clone()
    }

    fn is_lost(&self, asked: &Method, path: &str) -> bool {
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.is_some_and(|(method, start)| asked == method && path.starts_with(start))
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BYTES).await.unwrap();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    if shared.is_lost(&parts.method, &path) {
        return Response::builder().status(StatusCode::GATEWAY_TIMEOUT).body(Body::empty()).unwrap();
    }
    let mut headers = parts.headers;
    headers.remove(HOST);
    headers.remove(CONTENT_LENGTH);
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let upstream = shared.next_upstream();
    let url = format!("{upstream}{path}");
    let sent =
        shared.http.request(parts.method.clone(), url).headers(headers).body(body.clone()).send().await;
    let Ok(answer) = sent else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    let status = answer.status();
    let content_type = answer.headers().get(CONTENT_TYPE).cloned();
    let bytes = answer.bytes().await.unwrap_or_default();
    let mut exchange = Exchange {
        method: parts.method.to_string(),
        path,
        token,
        request: serde_json::from_slice(&body).unwrap_or_default(),
        status: status.as_u16(),
        answer: serde_json::from_slice(&bytes).unwrap_or_default(),
        upstream,
    };
    shared.trick.lock().unwrap_or_else(PoisonError::into_inner)(&mut exchange);
    shared.heard.lock().unwrap_or_else(PoisonError::into_inner).push(exchange.clone());
    let mut response = Response::builder().status(exchange.status);
    let is_refused_now = status.is_success() && exchange.status >= 400;
    let content_type = if is_refused_now {
        Some(HeaderValue::from_static("application/problem+json"))
    } else {
        content_type
    };
    if let Some(content_type) = content_type {
        response = response.header(CONTENT_TYPE, content_type);
    }
    let body =
        if exchange.answer.is_null() { Vec::new() } else { serde_json::to_vec(&exchange.answer).unwrap() };
    response.body(Body::from(body)).unwrap()
}
