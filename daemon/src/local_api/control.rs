//! Syncing as a whole, and single files.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_core::api::local::{
    DescribeRequest, FileStatus, FolderRequest, ListedEntry, Located, MembersRequest, PauseRequest,
    ProblemReport, ResumeRequest, SettleOutcome, VersionReport,
};
use ensafer_core::status::Status;
use futures_util::Stream;

use super::body::{Body, PasswordBody};
use super::server::Door;
use super::turns::{blocking, blocking_raw};
use super::{Control, ControlError};
use crate::engine::MembersError;

type Shared = State<Arc<dyn Control>>;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/version", get(version))
        .route("/v1/status", get(status))
        .route("/v1/problems", get(problems))
        .route("/v1/folders/reload", post(reload_folders))
        .route("/v1/filestatus", get(file_status))
        .route("/v1/list", get(list))
        .route("/v1/locate", get(locate))
        .route("/v1/describe", post(describe))
        .route("/v1/events", get(events))
        .route("/v1/start", post(start))
        .route("/v1/stop", post(stop))
        .route("/v1/pause", post(pause))
        .route("/v1/resume", post(resume))
        .route("/v1/unlock", post(unlock))
        .route("/v1/lock", post(lock))
        .route("/v1/sync", post(sync))
        .route("/v1/members", post(change_members))
        .route("/v1/reencrypt", post(reencrypt))
        .route("/v1/account/look", post(look_at_account))
        .route("/v1/quit", post(quit))
}

async fn version() -> Json<VersionReport> {
    Json(VersionReport::own())
}

async fn status(State(control): Shared) -> Result<Json<Status>, ControlError> {
    blocking(move || Ok(control.status())).await
}

async fn problems(State(control): Shared) -> Result<Json<Vec<ProblemReport>>, ControlError> {
    blocking(move || Ok(control.problems())).await
}

async fn reload_folders(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || control.reload_folders()).await
}

#[derive(serde::Deserialize)]
struct PathQuery {
    path: PathBuf,
}

async fn file_status(
    State(control): Shared,
    Query(query): Query<PathQuery>,
) -> Result<Json<FileStatus>, ControlError> {
    blocking(move || Ok(control.file_status(&query.path)?)).await
}

async fn list(
    State(control): Shared,
    Query(query): Query<PathQuery>,
) -> Result<Json<Vec<ListedEntry>>, ControlError> {
    blocking(move || Ok(control.list(&query.path)?)).await
}

#[derive(serde::Deserialize)]
struct SoughtQuery {
    sought: String,
}

async fn locate(
    State(control): Shared,
    Query(query): Query<SoughtQuery>,
) -> Result<Json<Option<Located>>, ControlError> {
    blocking(move || Ok(control.locate(&query.sought)?)).await
}

async fn describe(
    State(control): Shared,
    Body(body): Body<DescribeRequest>,
) -> Result<Json<()>, ControlError> {
    blocking(move || Ok(control.describe(Path::new(&body.path), &body.text)?)).await
}

/// The status now and after each change, as server-sent events, until the daemon ends.
async fn events(State(door): State<Door>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut receiver = door.desk.control.subscribe();
    receiver.mark_changed();
    let stream = futures_util::stream::unfold((receiver, door.quit), |(mut receiver, quit)| async move {
        tokio::select! {
            // One that is ending says nothing new.
            biased;
            () = quit.requested() => return None,
            changed = receiver.changed() => changed.ok()?,
        }
        let status = receiver.borrow_and_update().clone();
        let event = Event::default().event("status").json_data(&status).ok()?;
        Some((Ok(event), (receiver, quit)))
    });
    // Both ends are on this computer: each learns at once that the other has ended, and comments that keep a connection
    // alive would only wake up both.
    Sse::new(stream)
}

async fn start(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || control.start()).await
}

async fn stop(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || control.stop()).await
}

async fn pause(State(control): Shared, Body(body): Body<PauseRequest>) -> Result<Json<()>, ControlError> {
    blocking(move || control.pause(body.for_s.map(Duration::from_secs))).await
}

async fn resume(State(control): Shared, Body(body): Body<ResumeRequest>) -> Result<Json<()>, ControlError> {
    blocking(move || control.resume(body.go_on)).await
}

/// The body is the password as it is, so that no document type holds it.
async fn unlock(
    State(control): Shared,
    PasswordBody(password): PasswordBody,
) -> Result<Json<()>, ControlError> {
    blocking(move || control.unlock(password)).await
}

async fn lock(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || {
        control.lock();
        Ok(())
    })
    .await
}

/// Answers when everything has settled, however long that takes.
async fn sync(State(control): Shared) -> Result<Json<SettleOutcome>, ControlError> {
    let settled = blocking_raw(move || control.settle()).await?;
    let outcome = settled.await.map_err(|_| anyhow::anyhow!("the daemon ends"))?;
    Ok(Json(outcome))
}

/// Answers when it is done: after the current file, and after reading every header where somebody is removed.
async fn change_members(
    State(control): Shared,
    Body(body): Body<MembersRequest>,
) -> Result<Json<()>, ControlError> {
    let changed = blocking_raw(move || control.change_members(body.folder, body.change)).await?;
    let outcome = changed.await.map_err(|_| anyhow::anyhow!("the folder's work has ended"))?;
    Ok(Json(outcome?))
}

/// Answers when it has begun. The status tells how much is left.
async fn reencrypt(
    State(control): Shared,
    Body(body): Body<FolderRequest>,
) -> Result<Json<()>, ControlError> {
    let begun = blocking_raw(move || control.reencrypt(body.folder)).await?;
    let begun = begun.await.map_err(|_| anyhow::anyhow!("the folder's work has ended"))?;
    Ok(Json(begun.map_err(MembersError::from)?))
}

async fn look_at_account(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || {
        control.look_at_account();
        Ok(())
    })
    .await
}

async fn quit(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || {
        control.quit();
        Ok(())
    })
    .await
}
