//! The door for browsers: the window's page and the local API on a loopback port, only while somebody wants them there.
//!
//! Whoever may use the socket asks for a visit and gets an address with a token. The page sends the token once, and gets
//! a cookie and a key for it; each of its requests needs both. The port is the system's choice, and is closed when the
//! last visit has ended.

mod guard;
mod visits;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, SET_COOKIE};
use axum::middleware::from_fn_with_state;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use ensafer_client::home::Home;
use ensafer_core::api::hex::SecretText;
use ensafer_core::api::local::{BrowserVisit, ClaimAnswer, ClaimRequest, Refusal, RefusalClass};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::ControlError;
use super::refusals::refuse;
use super::server::{Door, router};
use crate::daemon::QuitSignal;
use visits::{Next, VisitId, Visits};

pub use visits::Limits;

/// How our cookies' names begin.
const COOKIE_PREFIX: &str = "ensafer-";

/// Whom our cookies are for.
const COOKIE_SCOPE: &str = "Path=/; HttpOnly; SameSite=Strict";

/// A token takes less.
const CLAIM_LIMIT_BYTES: usize = 1024;

/// A browser opens six connections to a host. Others may open some, too, and must not use up the daemon's descriptors.
const CONNECTION_LIMIT: usize = 64;

/// Who connects and then says nothing for this long is dropped.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who sends a head and then keeps the token back for this long is dropped: a page sends both at once.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait after a failed `accept`, which means that descriptors have run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The door. It is open while [`invite`](Self::invite) was followed by a visit that has not ended.
#[derive(Debug)]
pub struct Browser {
    quit: QuitSignal,
    /// How the names of this home's cookies begin: a browser sends those of other homes' daemons, too.
    cookie_prefix: String,
    room: Mutex<Room>,
    changed: Notify,
}

#[derive(Debug)]
struct Room {
    visits: Visits,
    /// Where it listens, while it does.
    open_at: Option<SocketAddr>,
}

impl Browser {
    /// A closed door to the daemon of `home`.
    #[must_use]
    pub fn new(limits: Limits, home: &Home, quit: QuitSignal) -> Self {
        let room = Room { visits: Visits::new(limits), open_at: None };
        let home = blake3::hash(home.data_dir().as_os_str().as_encoded_bytes()).to_hex();
        let cookie_prefix = format!("{COOKIE_PREFIX}{}-", &home[..8]);
        Self { quit, cookie_prefix, room: Mutex::new(room), changed: Notify::new() }
    }

    /// Opens the door where it is closed, and lets one browser in. Needs a tokio runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub fn invite(self: &Arc<Self>, api: impl FnOnce() -> Router) -> io::Result<BrowserVisit> {
        let mut room = self.room();
        let address = match room.open_at {
            Some(address) => address,
            None => self.open(api())?,
        };
        room.open_at = Some(address);
        let token = room.visits.invite(Instant::now());
        let valid_s = room.visits.limits.link.as_secs();
        drop(room);
        self.changed.notify_one();
        // A browser sends nothing of what stands behind the `#`, so that it gets into no log.
        let address = SecretText(format!("http://{address}/#{token}"));
        Ok(BrowserVisit { address, valid_s })
    }

    fn open(self: &Arc<Self>, api: Router) -> io::Result<SocketAddr> {
        let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let app = self.app(api, address);
        tokio::spawn(Arc::clone(self).serve(TcpListener::from_std(listener)?, app));
        tracing::info!(port = address.port(), "listening for a browser");
        Ok(address)
    }

    fn app(self: &Arc<Self>, api: Router, address: SocketAddr) -> Router {
        let authority: Arc<str> = address.to_string().into();
        api.route_layer(from_fn_with_state(Arc::clone(self), guard::admit))
            .route(
                "/claim",
                post(claim).layer(DefaultBodyLimit::max(CLAIM_LIMIT_BYTES)).with_state(Arc::clone(self)),
            )
            .layer(from_fn_with_state(authority, guard::check))
    }

    /// Answers until nobody may come in any more, or the daemon ends.
    async fn serve(self: Arc<Self>, listener: TcpListener, app: Router) {
        let mut connections = JoinSet::new();
        while let Some(next) = self.next() {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTION_LIMIT => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(converse(stream, app.clone()))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a browser's connection");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                _ = connections.join_next(), if !connections.is_empty() => {}
                () = self.changed.notified() => {}
                () = until(&next) => {}
                () = self.quit.requested() => break,
            }
        }
        tracing::info!("no longer listening for a browser");
    }

    /// What to wait for; `None`, and the door is closed, where nobody may come in any more.
    fn next(&self) -> Option<Next> {
        let mut room = self.room();
        let next = room.visits.sweep(Instant::now());
        if next == Next::Over {
            room.open_at = None;
            return None;
        }
        Some(next)
    }

    fn enter<'a>(
        self: &Arc<Self>,
        key: &str,
        cookies: impl IntoIterator<Item = &'a str>,
    ) -> Option<Presence> {
        let visit = self.room().visits.enter(key, cookies, Instant::now())?;
        Some(Presence { browser: Arc::clone(self), visit })
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(next: &Next) {
    match next {
        Next::At(then) => tokio::time::sleep_until((*then).into()).await,
        Next::Change | Next::Over => std::future::pending().await,
    }
}

/// One connection. How it ends is the browser's matter.
async fn converse(stream: TcpStream, app: Router) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await {
        tracing::debug!(%error, "a browser's connection broke");
    }
}

/// A request that is under way.
#[derive(Debug)]
struct Presence {
    browser: Arc<Browser>,
    visit: VisitId,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.browser.room().visits.leave(self.visit, Instant::now());
        self.browser.changed.notify_one();
    }
}

/// How programs ask for a visit, which pages may not.
pub(super) fn routes() -> Router<Door> {
    Router::new().route("/v1/browser", post(invite))
}

/// Answers with an address that lets one browser in.
async fn invite(State(door): State<Door>) -> Result<Json<BrowserVisit>, ControlError> {
    let browser = Arc::clone(&door.browser);
    let visit = browser.invite(|| router(door)).map_err(anyhow::Error::from)?;
    Ok(Json(visit))
}

/// Takes a token; the answer has both halves of what later requests need, and clears away what is left of visits that have
/// ended: a browser keeps our cookies until it is closed, and sends them all with every request.
async fn claim(State(browser): State<Arc<Browser>>, request: Request) -> Response {
    let before: Vec<(String, String)> = guard::cookies(request.headers())
        .filter(|(name, _)| name.starts_with(&browser.cookie_prefix))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Nobody was let in yet: whoever sent the head may be anybody, and holds one of few connections.
    let received = Json::<ClaimRequest>::from_request(request, &());
    let body = match tokio::time::timeout(CLAIM_TIMEOUT, received).await {
        Ok(Ok(Json(body))) => body,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return too_late(),
    };
    let (secrets, over) = {
        let mut room = browser.room();
        let secrets = room.visits.claim(&body.token.0, Instant::now());
        let over = before.into_iter().filter(|(_, cookie)| !room.visits.has(cookie));
        (secrets, over.map(|(name, _)| name).collect::<Vec<_>>())
    };
    let Some(secrets) = secrets else {
        return not_let_in(StatusCode::FORBIDDEN);
    };
    browser.changed.notify_one();
    // Another page of this browser keeps its own.
    let name = blake3::hash(secrets.cookie.as_bytes()).to_hex();
    let prefix = &browser.cookie_prefix;
    let cookie = format!("{prefix}{}={}; {COOKIE_SCOPE}", &name[..16], secrets.cookie);
    let cleared = over.iter().map(|name| format!("{name}=; Max-Age=0; {COOKIE_SCOPE}"));
    let cookies = [cookie].into_iter().chain(cleared).map(|cookie| (SET_COOKIE, cookie));
    (AppendHeaders(cookies), Json(ClaimAnswer { key: SecretText(secrets.key) })).into_response()
}

fn too_late() -> Response {
    let what = "the token did not come".to_owned();
    let refusal = refuse(StatusCode::REQUEST_TIMEOUT, RefusalClass::BadRequest, what);
    ([(CONNECTION, "close")], refusal).into_response()
}

fn not_let_in(status: StatusCode) -> Response {
    let what = "this link was used already, or is too old".to_owned();
    let remedy = Some("ensafer open".to_owned());
    (status, Json(Refusal { class: RefusalClass::NotAllowed, what, remedy, about: None })).into_response()
}

#[cfg(test)]
mod tests;
