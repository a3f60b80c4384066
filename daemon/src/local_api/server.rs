//! The daemon's side: axum on a socket that only its owner may open.

use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::StatusCode;
use ensafer_client::platform::{Listener, ServerStream};
use ensafer_core::api::local::RefusalClass;

use super::browser::{self, Browser, Limits};
use super::refusals::refuse;
use super::turns::Turn;
use super::{
    Control, accept, account, autostart, control, decisions, directories, folders, page, people, settings,
};
use crate::daemon::QuitSignal;
use crate::shell::Shell;
use crate::vault::ShellVault;

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
}

impl LocalServer {
    /// Listens on `path`, for its owner only, replacing a socket that a killed daemon left. The caller holds the home's lock,
    /// so no living daemon listens there. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        match Listener::bind(path) {
            Ok(listener) => Ok(Self { listener: OwnerListener(listener) }),
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
        desk: Desk,
        quit: QuitSignal,
        grace: Duration,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener } = self;
        let path = listener.0.path().to_path_buf();
        let (ended, mut end) = tokio::sync::oneshot::channel::<()>();
        let until = async move {
            until.await;
            // The receiver waits below.
            let _ = ended.send(());
        };
        let router = router(Door::new(desk, quit));
        let serving = axum::serve(listener, router).with_graceful_shutdown(until).into_future();
        let served = tokio::select! {
            served = serving => served,
            () = async { let _ = (&mut end).await; tokio::time::sleep(grace).await } => Ok(()),
        };
        served.map_err(|source| ServeError { path, source })
    }
}

/// Accepts connections of one user only: the socket's mode keeps others out, except root and a changed mode.
#[derive(Debug)]
struct OwnerListener(Listener);

impl axum::serve::Listener for OwnerListener {
    type Io = ServerStream;
    type Addr = PathBuf;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok(Some(stream)) => return (stream, self.0.path().to_path_buf()),
                Ok(None) => tracing::warn!("refused a connection of another user"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.0.path().to_path_buf())
    }
}

/// What requests are carried out with.
#[derive(Clone)]
pub struct Desk {
    /// Ensafer's directories and settings.
    pub shell: Shell,
    /// The account's keys, as the engine has them.
    pub vault: Arc<ShellVault>,
    /// The engine.
    pub control: Arc<dyn Control>,
}

/// What every request gets at.
#[derive(Clone)]
pub(super) struct Door {
    pub desk: Desk,
    pub quit: QuitSignal,
    /// Whose turn it is to change the account: key derivation and key server.
    pub account: Turn,
    /// Whose turn it is to ask about people, or to change a folder's: that waits for the folder's work, which may wait for a
    /// mount that does not answer.
    pub people: Turn,
    /// Whose turn it is to change a setting.
    pub settings: Turn,
    /// Whose turn it is to look at two directories, to add them, or to take a folder off the list.
    pub preview: Turn,
    /// How browsers come in.
    pub browser: Arc<Browser>,
}

impl Door {
    pub fn new(desk: Desk, quit: QuitSignal) -> Self {
        let browser = Arc::new(Browser::new(Limits::default(), &desk.shell.home, quit.clone()));
        let turn = Turn::default;
        Self { desk, quit, account: turn(), people: turn(), settings: turn(), preview: turn(), browser }
    }
}

impl FromRef<Door> for Arc<dyn Control> {
    fn from_ref(door: &Door) -> Self {
        Arc::clone(&door.desk.control)
    }
}

impl FromRef<Door> for Desk {
    fn from_ref(door: &Door) -> Self {
        door.desk.clone()
    }
}

/// Every request of the local API, and the window's page.
pub(super) fn router(door: Door) -> Router {
    Router::new()
        .merge(control::routes())
        .merge(decisions::routes())
        .merge(account::routes())
        .merge(folders::routes())
        .merge(directories::routes())
        .merge(people::routes())
        .merge(accept::routes())
        .merge(settings::routes())
        .merge(autostart::routes())
        .merge(browser::routes())
        .merge(page::routes())
        .fallback(|| async {
            refuse(StatusCode::NOT_FOUND, RefusalClass::BadRequest, "no such request".into())
        })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, RefusalClass::BadRequest, "no such method here".into())
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(door)
}
