//! What those who run the server ask it: whether it is alive, whether it can work, and what it counted.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CONTENT_TYPE, FORWARDED};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use ensafer_core::api::server::ProblemKind;

use crate::error::ApiError;
use crate::state::AppState;

/// How long the database may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// OpenMetrics 1.0.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What proxies add to a request.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Whether the database answers.
async fn ready(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    match tokio::time::timeout(PING_TIMEOUT, state.db.ping()).await {
        Ok(answer) => answer.map(|()| "ready\n").map_err(ApiError::from),
        Err(_) => Err(ApiError::with_detail(ProblemKind::Unavailable, "the database does not answer")),
    }
}

/// The counters, for this machine alone unless the settings say otherwise. To anybody else there is nothing here.
async fn metrics(
    State(state): State<AppState>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let is_local =
        peer.is_some_and(|Extension(ConnectInfo(address))| address.ip().to_canonical().is_loopback());
    let was_forwarded = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    if !state.config.metrics.public && (!is_local || was_forwarded) {
        return Err(ProblemKind::NotFound.into());
    }
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], state.metrics.render()).into_response())
}
