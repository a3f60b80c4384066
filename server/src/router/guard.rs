//! Turns away what is too much, and puts the headers on every answer that keep browsers from harm.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use ensafer_core::api::server::{MAX_BODY_BYTES, ProblemKind};
use governor::Quota;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use crate::config::Config;
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::rates::{Rates, at_least_one};

/// After how many seconds a busy server may be asked again.
const BUSY_RETRY_S: u64 = 1;

/// What goes on every answer: nothing here is for a browser to show, keep or pass on.
const HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Two years (RFC 6797 section 6.1.1).
const HSTS: &str = "max-age=63072000";

/// The limits that are kept in memory: each replica's own, because they only shed load.
pub struct Guard {
    requests: Arc<Semaphore>,
    per_address: Rates<String>,
    timeout: Duration,
    has_tls: bool,
}

impl Guard {
    /// The limits that the settings ask for.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let limits = &config.limits;
        let rate = at_least_one(limits.requests_per_address_per_s);
        let quota = Quota::per_second(rate).allow_burst(rate.saturating_add(rate.get()));
        Self {
            requests: Arc::new(Semaphore::new(limits.concurrent_requests)),
            per_address: Rates::new(quota),
            timeout: Duration::from_secs(limits.request_timeout_s),
            has_tls: config.has_tls(),
        }
    }

    /// Forgets addresses that were quiet. To be called now and then.
    pub fn forget_quiet(&self) {
        self.per_address.forget_quiet();
    }
}

/// Puts what bounds a request around its handler, from the inside out. The place in [`concurrency`] lies within
/// [`to_its_end`]: a handler holds it until it ended, also where [`timeout`] answered long before.
pub fn bound<S: Clone + Send + Sync + 'static>(routes: Router<S>, guard: &Arc<Guard>) -> Router<S> {
    routes
        .layer(from_fn(body_length))
        .layer(from_fn_with_state(Arc::clone(guard), concurrency))
        .layer(from_fn(to_its_end))
        .layer(from_fn_with_state(Arc::clone(guard), timeout))
}

/// Refuses a body that declares to be too long before any of it is read. One that does not declare its length is cut off
/// by the extractors' limit.
async fn body_length(request: Request, next: Next) -> Response {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_BODY_BYTES)) {
        return ApiError::from(ProblemKind::BodyTooLarge).into_response();
    }
    next.run(request).await
}

/// Lets what changes something run to its end, also where the client hangs up meanwhile or waits no longer: nobody gets a
/// change that leaves no line in the audit log and no mail to the owner.
async fn to_its_end(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => ApiError::from(ProblemKind::Unavailable).into_response(),
        },
    }
}

/// Gives a request so long to arrive and to be handled. What changes something goes on all the same.
async fn timeout(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(guard.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::from(ProblemKind::RequestTimeout).into_response(),
    }
}

/// Lets so many requests in at a time. The others need not wait for their answer.
async fn concurrency(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match Arc::clone(&guard.requests).try_acquire_owned() {
        Ok(permit) => hold(next.run(request).await, permit).await,
        Err(_) => {
            let detail = Some("too many requests at once".to_owned());
            let retry_after_s = Some(BUSY_RETRY_S);
            let kind = ProblemKind::Unavailable;
            ApiError::Problem { kind, detail, retry_after_s, current_version: None }.into_response()
        }
    }
}

/// An answer's bytes with the place of its request, which is given back once they are sent or given up: a client that
/// hardly reads keeps them in memory until then.
struct Held {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Has the answer keep the place. It is in memory as a whole already; the body alone would be dropped once it is queued.
async fn hold(response: Response, permit: OwnedSemaphorePermit) -> Response {
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            Response::from_parts(parts, Body::from(Bytes::from_owner(Held { bytes, _permit: permit })))
        }
        Err(_) => ApiError::Bug("an answer has no body").into_response(),
    }
}

/// Lets so many requests a second in from each address.
pub async fn address(guard: Arc<Guard>, client: ClientAddress, request: Request, next: Next) -> Response {
    if guard.per_address.count(&client.bucket()).is_err() {
        return ApiError::retry_after(ProblemKind::TooManyRequests, BUSY_RETRY_S).into_response();
    }
    next.run(request).await
}

/// Adds the headers that every answer has.
pub async fn headers(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if guard.has_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

/// Answers where a handler panicked. The panic itself was printed by its hook.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Bug("a handler panicked").into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::post;
    use tokio::sync::Notify;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn what_changes_something_ends_without_its_client() {
        let steps = Arc::new([const { Notify::const_new() }; 3]);
        let in_handler = Arc::clone(&steps);
        let handler = move || async move {
            let [begun, go_on, done] = &*in_handler;
            begun.notify_one();
            go_on.notified().await;
            done.notify_one();
        };
        let router = Router::new().route("/", post(handler)).layer(from_fn(to_its_end));
        let request = Request::builder().method(Method::POST).body(Body::empty()).unwrap();
        let call = tokio::spawn(router.oneshot(request));
        let [begun, go_on, done] = &*steps;
        begun.notified().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(10), done.notified()).await.expect("it ends all the same");
    }

    #[tokio::test]
    async fn a_handler_holds_its_place_after_its_client_was_answered() {
        let mut config = Config::default();
        config.limits.concurrent_requests = 1;
        let guard = Arc::new(Guard { timeout: Duration::ZERO, ..Guard::new(&config) });
        let go_on = Arc::new(Notify::new());
        let in_handler = Arc::clone(&go_on);
        let handler = move || async move { in_handler.notified().await };
        let router: Router = bound(Router::new().route("/", post(handler)), &guard);
        let request = || Request::builder().method(Method::POST).body(Body::empty()).unwrap();
        let answer = router.oneshot(request()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 408);
        let soon = Duration::from_secs(10);
        let held = async {
            while guard.requests.available_permits() == 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(soon, held).await.expect("it goes on");
        go_on.notify_one();
        drop(tokio::time::timeout(soon, guard.requests.acquire()).await.expect("it ends"));
    }

    #[tokio::test]
    async fn an_answer_holds_its_place_until_it_is_sent() {
        let mut config = Config::default();
        config.limits.concurrent_requests = 1;
        let guard = Arc::new(Guard::new(&config));
        let router: Router = bound(Router::new().route("/", post(|| async { "an answer" })), &guard);
        let request = || Request::builder().method(Method::POST).body(Body::empty()).unwrap();
        let unread = router.clone().oneshot(request()).await.unwrap();
        assert_eq!(unread.headers()[CONTENT_LENGTH], "9");
        assert_eq!(router.clone().oneshot(request()).await.unwrap().status().as_u16(), 503);
        let bytes = axum::body::to_bytes(unread.into_body(), 99).await.unwrap();
        assert_eq!((&*bytes, guard.requests.available_permits()), (&b"an answer"[..], 0));
        drop(bytes);
        assert_eq!(router.oneshot(request()).await.unwrap().status().as_u16(), 200);
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_our_bug() {
        let broken = Router::new()
            .route(
                "/",
                post(|| async {
                    if true {
                        panic!("canary")
                    }
                }),
            )
            .layer(from_fn(to_its_end))
            .layer(CatchPanicLayer::custom(panicked));
        let request = Request::builder().method(Method::POST).body(Body::empty()).unwrap();
        let response = broken.oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("urn:ensafer:problem:internal") && !body.contains("canary"), "{body}");
    }
}
