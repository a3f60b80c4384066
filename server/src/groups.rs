//! Groups of people (`docs/protocol.md`, "Groups"): files that the server keeps and cannot open. Who is in a group, the
//! file says to those who can; the server knows the account that made it, and whom that one lets change it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ensafer_core::account::SignedBundle;
use ensafer_core::api::server::{GroupReport, GroupRequest, Groups, MAX_BODY_BYTES, ProblemKind};
use ensafer_core::ids::GroupId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, BodyAnswers, ConflictAnswers, MissingAnswers, PathAnswers, SessionAnswers};
use crate::db::accounts;
use crate::db::groups::{self, Written};
use crate::directory::Lookups;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath, Authenticated};
use crate::state::AppState;
use crate::validate;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, write, delete))
        .layer(Extension(Lookups::default()))
}

/// The groups that the account made.
#[utoipa::path(
    get, path = "/v1/groups", tag = "groups", security(("session" = [])),
    responses((status = 200, description = "Them", body = Groups), SessionAnswers, AnyAnswers)
)]
pub async fn list(State(state): State<AppState>, session: Authenticated) -> Result<Json<Groups>, ApiError> {
    Ok(Json(Groups { groups: groups::made_by(state.db.reader(), session.account).await? }))
}

/// A group's file. Whoever has a session may have it, and only the group's members can open it.
#[utoipa::path(
    get, path = "/v1/groups/{id}", tag = "groups", security(("session" = [])),
    params(("id" = GroupId, Path, description = "The group's id")),
    responses(
        (status = 200, description = "It", body = GroupReport),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn read(
    State(state): State<AppState>,
    Extension(lookups): Extension<Lookups>,
    session: Authenticated,
    ApiPath(id): ApiPath<GroupId>,
) -> Result<Json<GroupReport>, ApiError> {
    lookups.count(&state, session.account)?;
    let found = groups::read(state.db.reader(), id).await?;
    found.map(Json).ok_or_else(|| ProblemKind::GroupUnknown.into())
}

/// Makes a group, or puts a new version in the place of the one before: of several admins who try at the same time, one
/// does. A new group's id must come from the account's identity key, so that nobody takes another's.
#[utoipa::path(
    put, path = "/v1/groups/{id}", tag = "groups", security(("session" = [])),
    params(("id" = GroupId, Path, description = "The group's id")),
    request_body = GroupRequest,
    responses(
        (status = 204, description = "It is kept"),
        SessionAnswers, MissingAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn write(
    State(state): State<AppState>,
    session: Authenticated,
    ApiPath(id): ApiPath<GroupId>,
    ApiJson(request): ApiJson<GroupRequest, MAX_BODY_BYTES>,
) -> Result<StatusCode, ApiError> {
    validate::group(id, &request)?;
    let now_s = state.clock.now_s();
    let is_new = request.version == 1;
    if is_new {
        check_id(&state, session, id, &request).await?;
    }
    let mut tx = state.db.write().await?;
    let written = if is_new {
        accounts::lock(&state.db, &mut tx, session.account).await?;
        groups::create(&mut tx, session.account, id, &request, now_s, state.config.limits.groups).await?
    } else {
        groups::replace(&mut tx, session.account, id, &request, now_s).await?
    };
    match written {
        Written::Kept => tx.commit().await?,
        Written::Full => return Err(ProblemKind::GroupsFull.into()),
        Written::Conflict(current) => return Err(ApiError::conflict(current)),
        Written::Unknown => return Err(ProblemKind::GroupUnknown.into()),
    }
    audit(&state, session, id, if is_new { "made" } else { "changed" });
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the id is one that the account's identity key makes with the nonce.
async fn check_id(
    state: &AppState,
    session: Authenticated,
    id: GroupId,
    request: &GroupRequest,
) -> Result<(), ApiError> {
    let stored = accounts::stored(state.db.reader(), session.account).await?;
    let document = stored.ok_or(ProblemKind::SessionRefused)?.document.bundle;
    let bundle = SignedBundle::try_from(&document).map_err(|_| ProblemKind::Internal)?;
    let identity = bundle.bundle().identity;
    if request.nonce.as_ref().is_some_and(|nonce| identity.group_id(&nonce.0) == id) {
        return Ok(());
    }
    Err(ApiError::with_detail(
        ProblemKind::ValueRefused,
        "the id does not come from the account's key and the nonce",
    ))
}

/// Removes a group that the account made. What folders hold of it is not the server's.
#[utoipa::path(
    delete, path = "/v1/groups/{id}", tag = "groups", security(("session" = [])),
    params(("id" = GroupId, Path, description = "The group's id")),
    responses(
        (status = 204, description = "It is gone"),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn delete(
    State(state): State<AppState>,
    session: Authenticated,
    ApiPath(id): ApiPath<GroupId>,
) -> Result<StatusCode, ApiError> {
    let mut tx = state.db.write().await?;
    if !groups::delete(&mut tx, session.account, id).await? {
        return Err(ProblemKind::GroupUnknown.into());
    }
    tx.commit().await?;
    audit(&state, session, id, "deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn audit(state: &AppState, session: Authenticated, id: GroupId, outcome: &'static str) {
    let Authenticated { account, device } = session;
    state.metrics.group(outcome);
    tracing::info!(target: "audit", event = "group", outcome, group = %id, %account, %device);
}
