//! The daemon's side: axum on a socket that only its owner may open.

use std::convert::Infallible;
use std::fs::Permissions;
use std::future::{Future, IntoFuture};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRef, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_core::api::local::{
    BrowserVisit, DescribeRequest, FileStatus, FolderReport, FolderRequest, ListedEntry, Located,
    MembersRequest, PauseRequest, ProblemReport, Refusal, RefusalClass, ResumeRequest, SettleOutcome,
};
use ensafer_core::status::Status;
use futures_util::Stream;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

use super::browser::{Browser, Limits};
use super::{Control, ControlError, page};
use crate::daemon::QuitSignal;
use crate::engine::MembersError;
use crate::private_file;
use crate::prompt::Password;

/// No request is longer: a password, a path, a token.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// How long to wait after a failed `accept`, which means that descriptors have run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}", path.display())]
pub struct ServeError {
    /// The socket.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// A socket that listens but does not answer yet.
#[derive(Debug)]
pub struct LocalServer {
    listener: OwnerListener,
    socket: SocketFile,
}

/// Removes the socket with the server, also with one that never served.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next daemon removes what is left.
        let _ = private_file::remove(&self.0);
    }
}

impl LocalServer {
    /// Listens on `path`, mode 0600, replacing a socket that a killed daemon left. The caller holds the home's lock,
    /// so no living daemon listens there. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        let uid = rustix::process::geteuid().as_raw();
        let bound = private_file::remove(path).and_then(|()| UnixListener::bind(path)).and_then(|listener| {
            // The directory is closed to others, so nobody connects before the mode is set.
            std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
            Ok(OwnerListener { listener, uid })
        });
        match bound {
            Ok(listener) => Ok(Self { listener, socket: SocketFile(path.to_path_buf()) }),
            Err(source) => Err(ServeError { path: path.to_path_buf(), source }),
        }
    }

    /// Answers until `until` is ready, then gives running requests `grace` to end; removes the socket. Streams of
    /// events end with `quit`.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve(
        self,
        control: Arc<dyn Control>,
        quit: QuitSignal,
        grace: Duration,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener, socket } = self;
        let (ended, mut end) = tokio::sync::oneshot::channel::<()>();
        let until = async move {
            until.await;
            // The receiver waits below.
            let _ = ended.send(());
        };
        let browser = Arc::new(Browser::new(Limits::default(), quit.clone()));
        let router = router(Door { control, quit, browser });
        let serving = axum::serve(listener, router).with_graceful_shutdown(until).into_future();
        let served = tokio::select! {
            served = serving => served,
            () = async { let _ = (&mut end).await; tokio::time::sleep(grace).await } => Ok(()),
        };
        served.map_err(|source| ServeError { path: socket.0.clone(), source })
    }
}

/// Accepts connections of one user only: the socket's mode keeps others out, except root and a changed mode.
#[derive(Debug)]
struct OwnerListener {
    listener: UnixListener,
    uid: u32,
}

impl axum::serve::Listener for OwnerListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == self.uid => return (stream, address),
                    Ok(peer) => tracing::warn!(uid = peer.uid(), "refused a connection of another user"),
                    Err(error) => tracing::warn!(%error, "refused a connection of an unknown user"),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// What every request gets at.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) control: Arc<dyn Control>,
    pub(super) quit: QuitSignal,
    pub(super) browser: Arc<Browser>,
}

impl FromRef<Door> for Arc<dyn Control> {
    fn from_ref(door: &Door) -> Self {
        Arc::clone(&door.control)
    }
}

type Shared = State<Arc<dyn Control>>;

/// Every request of the local API, and the window's page.
pub(super) fn router(door: Door) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/problems", get(problems))
        .route("/v1/folders", get(folders))
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
        .route("/v1/browser", post(browser))
        .route("/v1/quit", post(quit))
        .merge(page::router())
        .fallback(|| async {
            refuse(StatusCode::NOT_FOUND, RefusalClass::BadRequest, "no such request".into())
        })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, RefusalClass::BadRequest, "no such method here".into())
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(door)
}

async fn status(State(control): Shared) -> Result<Json<Status>, ControlError> {
    blocking(move || Ok(control.status())).await
}

async fn problems(State(control): Shared) -> Result<Json<Vec<ProblemReport>>, ControlError> {
    blocking(move || Ok(control.problems())).await
}

async fn folders(State(control): Shared) -> Result<Json<Vec<FolderReport>>, ControlError> {
    blocking(move || Ok(control.folders())).await
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
    Json(body): Json<DescribeRequest>,
) -> Result<Json<()>, ControlError> {
    blocking(move || Ok(control.describe(Path::new(&body.path), &body.text)?)).await
}

/// The status now and after each change, as server-sent events, until the daemon ends.
async fn events(State(door): State<Door>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut receiver = door.control.subscribe();
    receiver.mark_changed();
    let stream = futures_util::stream::unfold((receiver, door.quit), |(mut receiver, quit)| async move {
        tokio::select! {
            changed = receiver.changed() => changed.ok()?,
            () = quit.requested() => return None,
        }
        let status = receiver.borrow_and_update().clone();
        let event = Event::default().event("status").json_data(&status).ok()?;
        Some((Ok(event), (receiver, quit)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn start(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || control.start()).await
}

async fn stop(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || control.stop()).await
}

async fn pause(State(control): Shared, Json(body): Json<PauseRequest>) -> Result<Json<()>, ControlError> {
    blocking(move || control.pause(body.for_s.map(Duration::from_secs))).await
}

async fn resume(State(control): Shared, Json(body): Json<ResumeRequest>) -> Result<Json<()>, ControlError> {
    blocking(move || control.resume(body.go_on)).await
}

/// The body is the password as it is, so that no document type holds it.
async fn unlock(State(control): Shared, body: String) -> Result<Json<()>, ControlError> {
    let password = Password::new(body);
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
    Json(body): Json<MembersRequest>,
) -> Result<Json<()>, ControlError> {
    let changed = blocking_raw(move || control.change_members(body.folder, body.change)).await?;
    let outcome = changed.await.map_err(|_| anyhow::anyhow!("the folder's work has ended"))?;
    Ok(Json(outcome?))
}

/// Answers when it has begun. The status tells how much is left.
async fn reencrypt(
    State(control): Shared,
    Json(body): Json<FolderRequest>,
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

/// Answers with an address that lets one browser in.
async fn browser(State(door): State<Door>) -> Result<Json<BrowserVisit>, ControlError> {
    let browser = Arc::clone(&door.browser);
    let visit = browser.invite(|| router(door)).map_err(|error| anyhow::anyhow!(error))?;
    Ok(Json(visit))
}

async fn quit(State(control): Shared) -> Result<Json<()>, ControlError> {
    blocking(move || {
        control.quit();
        Ok(())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<Json<T>, ControlError> {
    blocking_raw(work).await.map(Json)
}

async fn blocking_raw<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ControlError::Failed(error.into())),
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let (class, what, remedy) = match &self {
            Self::Failed(error) => match error.downcast_ref::<Self>() {
                Some(known) => (known.class(), known.to_string(), None),
                None => (RefusalClass::Failed, crate::exit::describe(error), crate::exit::remedy(error)),
            },
            Self::Members(error) => (self.class(), crate::apply::describe(error), error.remedy()),
            known => (known.class(), known.to_string(), None),
        };
        let remedy = remedy.map(str::to_owned);
        let status = status_of(class);
        (status, Json(Refusal { class, what, remedy, about: None })).into_response()
    }
}

/// The status code of a refusal.
const fn status_of(class: RefusalClass) -> StatusCode {
    match class {
        RefusalClass::NotSetUp
        | RefusalClass::Locked
        | RefusalClass::NoSuchBrake
        | RefusalClass::RetryLater
        | RefusalClass::Already
        | RefusalClass::NeedsMailCode
        | RefusalClass::AddressTaken
        | RefusalClass::NotOnServer
        | RefusalClass::NotLoggedIn
        | RefusalClass::KeysChanged
        | RefusalClass::MissingDirectory
        | RefusalClass::UnknownOwner => StatusCode::CONFLICT,
        RefusalClass::WrongPassword
        | RefusalClass::WrongRecoveryKey
        | RefusalClass::WrongMailCode
        | RefusalClass::NeedsRegistrationCode
        | RefusalClass::NotAllowed
        | RefusalClass::NotAMember
        | RefusalClass::NotARecipient => StatusCode::FORBIDDEN,
        RefusalClass::UnknownPerson => StatusCode::NOT_FOUND,
        RefusalClass::BadRequest | RefusalClass::WeakPassword => StatusCode::BAD_REQUEST,
        RefusalClass::ServerUnreachable | RefusalClass::ServerDistrusted => StatusCode::BAD_GATEWAY,
        RefusalClass::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refuse(status: StatusCode, class: RefusalClass, what: String) -> Response {
    refuse_with(status, class, what, None)
}

pub(super) fn refuse_with(
    status: StatusCode,
    class: RefusalClass,
    what: String,
    remedy: Option<&str>,
) -> Response {
    (status, Json(Refusal { class, what, remedy: remedy.map(str::to_owned), about: None })).into_response()
}
