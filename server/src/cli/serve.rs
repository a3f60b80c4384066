//! `serve`: runs the server until a signal ends it.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::print;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::serve::Server;
use crate::tls::Tls;

/// Runs until SIGTERM or SIGINT. Prints one line once connections are taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    // Before the line that says so: whoever waits for it may send a signal at once.
    let catch = |kind| signal(kind).context("cannot catch signals");
    let mut terminate = catch(SignalKind::terminate())?;
    let mut interrupt = catch(SignalKind::interrupt())?;
    let hangup = catch(SignalKind::hangup())?;
    let server = Server::bind(config, Box::new(SystemClock)).await?;
    let reloading = tokio::spawn(reload_on(hangup, server.tls()));
    let url = server.url();
    tracing::info!(url, version = env!("CARGO_PKG_VERSION"), "listening");
    print(&format!("listening on {url}\n"))?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let ended = server.run(shutdown).await;
    reloading.abort();
    ended
}

/// Reads the certificate again whenever SIGHUP comes; without one, SIGHUP does nothing.
async fn reload_on(mut hangup: Signal, tls: Option<Tls>) {
    while hangup.recv().await.is_some() {
        match tls.as_ref().map(Tls::reload) {
            Some(Ok(())) => tracing::info!("certificate read again"),
            Some(Err(error)) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the certificate cannot be read: the old one stays in use");
            }
            None => {}
        }
    }
}
