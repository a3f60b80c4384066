//! What people decide about single files: conflicts and the trash; and what they are told of what was done.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_core::api::local::{
    ActivityReport, ConflictReport, ResolveRequest, RestoreRequest, Restored, TrashQuery, TrashedReport,
};

use super::body::Body;
use super::server::Door;
use super::turns::blocking;
use super::{Control, ControlError};

type Shared = State<Arc<dyn Control>>;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/conflicts", get(conflicts))
        .route("/v1/conflicts/resolve", post(resolve_conflict))
        .route("/v1/trash", get(trash))
        .route("/v1/trash/restore", post(restore))
        .route("/v1/activity", get(activity))
}

async fn conflicts(State(control): Shared) -> Result<Json<Vec<ConflictReport>>, ControlError> {
    blocking(move || Ok(control.conflicts()?)).await
}

/// Answers when it is done: after the current file.
async fn resolve_conflict(
    State(control): Shared,
    Body(body): Body<ResolveRequest>,
) -> Result<Json<()>, ControlError> {
    blocking(move || Ok(control.resolve_conflict(body.folder, body.conflict, body.keep)?)).await
}

async fn trash(
    State(control): Shared,
    Query(sought): Query<TrashQuery>,
) -> Result<Json<Vec<TrashedReport>>, ControlError> {
    blocking(move || Ok(control.trash(&sought)?)).await
}

async fn restore(
    State(control): Shared,
    Body(body): Body<RestoreRequest>,
) -> Result<Json<Restored>, ControlError> {
    blocking(move || Ok(control.restore(body.folder, &body.item)?)).await
}

#[derive(serde::Deserialize)]
struct LimitQuery {
    limit: Option<usize>,
}

/// As many deeds as are asked for, or all that are kept.
async fn activity(
    State(control): Shared,
    Query(query): Query<LimitQuery>,
) -> Result<Json<Vec<ActivityReport>>, ControlError> {
    blocking(move || Ok(control.activity(query.limit.unwrap_or(usize::MAX))?)).await
}
