//! Logs and counts requests: method, route, status, time and an id. Never the path itself (it holds logins), the
//! query, headers or bodies.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use ensafer_core::crypto::{Random, SystemRandom};
use tracing::Instrument;

use crate::state::AppState;

/// Names a request in the log. Always the server's own: a client's could be anything.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is said to ask for that matches no route.
const UNMATCHED: &str = "unmatched";

/// Asked every few seconds by machines.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Gives the request an id, and logs and counts how it was answered.
pub async fn observe(
    State(state): State<AppState>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id();
    let method = known_method(request.method());
    let route = matched.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let span = tracing::info_span!("request", id, method, route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, latency) = (response.status().as_u16(), started.elapsed());
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        if QUIET.contains(&route) {
            tracing::debug!(status, latency_us, "answered");
        } else {
            tracing::info!(status, latency_us, "answered");
        }
    });
    state.metrics.request(method, route, status, latency);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

fn request_id() -> String {
    let mut random = [0; 8];
    SystemRandom.fill(&mut random);
    hex::encode(random)
}

/// The method, or one word for all that this server does not use.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
