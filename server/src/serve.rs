//! The server as a whole: bound, run, ended.

use std::fs::DirBuilder;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use ensafer_core::crypto::ServerKeys;
use hyper_util::rt::TokioTimer;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::connections::ConnectionLimit;
use crate::db::Db;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::router::{self, Guard};
use crate::state::{AppState, Parts};
use crate::tls::Tls;
use crate::{prune, secret};

/// The database's name in the data directory.
pub const DATABASE_NAME: &str = "server.db";

/// How often addresses that were quiet are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// A server that is bound to its address, and answers once it runs.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: AppState,
    tls: Option<Tls>,
}

impl Server {
    /// Opens everything that the settings name: secret, database (made or brought up to date), certificate, mail, and
    /// the address to listen on.
    ///
    /// # Errors
    /// What cannot be opened, with words for a person.
    pub async fn bind(config: Config, clock: Box<dyn Clock>) -> anyhow::Result<Self> {
        config.check()?;
        create_directory(&config)?;
        let mailer = Mailer::new(&config)?;
        let tls = Tls::new(&config)?;
        let listener = listen(config.server.listen)?;
        let address = listener.local_addr().context("cannot tell the address")?;
        let db = Db::connect(&database_url(&config)?).await.context("cannot open the database")?;
        // Last: where anything above is refused, no secret is left behind.
        let keys = ServerKeys::derive(&secret::load_for(&db, &config).await?);
        let (metrics, notices) = (Metrics::new(), Notices::default());
        let state = AppState::new(Parts { config, db, keys, mailer, metrics, notices, clock });
        Ok(Self { listener, address, state, tls })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The origin of that address.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate, to be reloaded while the server runs.
    #[must_use]
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// The server's parts.
    #[must_use]
    pub fn state(&self) -> AppState {
        self.state.clone()
    }

    /// Answers until `shutdown` ends; then takes no more connections, lets requests end and mails leave within
    /// `server.shutdown_s`, and closes the database.
    ///
    /// # Errors
    /// The system's, where the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let Self { listener, state, tls, .. } = self;
        let guard = Arc::new(Guard::new(&state.config));
        let app = router::router(state.clone(), Arc::clone(&guard));
        let mut chores = JoinSet::new();
        chores.spawn(prune::run(state.clone()));
        chores.spawn(forget(guard));
        let handle = Handle::new();
        let mut serving = serve(listener, app, tls, handle.clone(), &state.config)?;
        let bound = Duration::from_secs(state.config.server.shutdown_s);
        let (served, end) = tokio::select! {
            served = &mut serving => (served, Instant::now() + bound),
            () = shutdown => {
                tracing::info!("ending");
                let end = Instant::now() + bound;
                handle.graceful_shutdown(Some(bound));
                (serving.await, end)
            }
        };
        // Whatever is left after the bound.
        handle.shutdown();
        if tokio::time::timeout_at(end, state.notices.finish()).await.is_err() {
            tracing::warn!("ended before all mails were sent");
        }
        chores.shutdown().await;
        state.db.close().await;
        served.context("the listener failed")
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.url())
    }
}

/// The address of the settings' database: theirs, or SQLite's in the data directory.
///
/// # Errors
/// A directory that cannot be found, or none named.
pub fn database_url(config: &Config) -> anyhow::Result<String> {
    match (&config.server.database, &config.server.data) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(directory)) => {
            let path = std::path::absolute(directory)
                .with_context(|| format!("cannot find {}", directory.display()))?
                .join(DATABASE_NAME);
            let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
            Ok(format!("sqlite://{path}"))
        }
        (None, None) => Err(ConfigError::Refused {
            key: "server.data",
            reason: "there is no place for the database".to_owned(),
        }
        .into()),
    }
}

/// Makes the data directory, closed to others.
fn create_directory(config: &Config) -> anyhow::Result<()> {
    let Some(directory) = &config.server.data else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("cannot make {}", directory.display()))
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true).context("cannot use the listener")?;
    Ok(listener)
}

async fn forget(guard: Arc<Guard>) {
    let mut ticks = tokio::time::interval(FORGET_INTERVAL);
    loop {
        ticks.tick().await;
        guard.forget_quiet();
    }
}

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

fn serve(
    listener: TcpListener,
    app: Router,
    tls: Option<Tls>,
    handle: Handle<SocketAddr>,
    config: &Config,
) -> anyhow::Result<Serving> {
    let limits = &config.limits;
    let mut server = axum_server::from_tcp(listener).context("cannot use the listener")?.handle(handle);
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_s));
    let connections = ConnectionLimit::new(limits);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    // HTTP/1.1 only: telling the versions apart has no timeout, so a connection that says nothing would stay for ever.
    // Setting the acceptor undoes it, so it comes last.
    Ok(match tls {
        None => Box::pin(server.acceptor(connections).http1_only().serve(service)),
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls.current())
                .handshake_timeout(Duration::from_secs(limits.header_timeout_s))
                .acceptor(connections);
            Box::pin(server.acceptor(acceptor).http1_only().serve(service))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::{MailSecurity, MailTransport};
    use crate::mail::tests::mail_server;
    use crate::notices::{self, Notice};

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A server whose mails go to this port.
    async fn mailing(directory: &Path, port: u16, shutdown_s: u64) -> Server {
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.data = Some(directory.to_owned());
        config.server.shutdown_s = shutdown_s;
        config.mail.transport = MailTransport::Smtp;
        config.mail.from = "keys@example.org".to_owned();
        config.mail.host = "127.0.0.1".to_owned();
        (config.mail.port, config.mail.security) = (port, MailSecurity::None);
        Server::bind(config, Box::new(SystemClock)).await.unwrap()
    }

    /// Runs the server, has it send a notice, ends it, calls `ending` once it takes no more connections, and waits until
    /// it ended.
    async fn notify_and_end(server: Server, ending: impl FnOnce()) {
        let (address, state) = (server.address(), server.state());
        let (end, ended) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move { drop(ended.await) }));
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
        notices::send(&state, "ada@example.com".parse().unwrap(), Notice::AccountDeleted);
        end.send(()).unwrap();
        while TcpStream::connect(address).await.is_ok() {}
        ending();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn mails_leave_before_the_server_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let taken = Arc::new(AtomicBool::new(false));
        let was_taken = Arc::clone(&taken);
        let (port, talk) = mail_server(move |line| {
            if line.starts_with("EHLO") {
                wait.recv().unwrap();
            }
            was_taken.fetch_or(line.starts_with("RCPT"), Ordering::SeqCst);
            "250 ok"
        });
        let server = mailing(dir.path(), port, 10).await;
        notify_and_end(server, || go_on.send(()).unwrap()).await;
        assert!(taken.load(Ordering::SeqCst), "not even begun");
        assert!(talk.join().unwrap().contains("To: ada@example.com"));
    }

    #[tokio::test]
    async fn a_mail_server_that_says_nothing_does_not_keep_the_server() {
        let dir = tempfile::tempdir().unwrap();
        // It accepts nobody, but connecting works.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = mailing(dir.path(), silent.local_addr().unwrap().port(), 1).await;
        let started = Instant::now();
        notify_and_end(server, || ()).await;
        assert!(started.elapsed() < Duration::from_secs(8), "the mail's own bound is 10 s");
    }

    #[tokio::test]
    async fn runs_inside_another_program_and_says_when_it_cannot_work() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.data = Some(dir.path().join("a b%20?#"));
        let server = Server::bind(config, Box::new(SystemClock)).await.unwrap();
        let (address, state) = (server.address(), server.state());
        assert_eq!(server.url(), format!("http://{address}"));
        assert!(server.tls().is_none());
        let (end, ended) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move { drop(ended.await) }));
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
        state.db.close().await;
        let answer = get(address, "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("urn:ensafer:problem:unavailable"),
            "{answer}"
        );
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "), "alive all the same");
        end.send(()).unwrap();
        running.await.unwrap().unwrap();
        TcpStream::connect(address).await.unwrap_err();
        assert!(dir.path().join("a b%20?#").join(DATABASE_NAME).exists());
    }
}
