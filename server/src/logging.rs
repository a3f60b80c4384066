//! Logs: to standard error, with fields instead of prose. Never logins, tokens, codes, headers or bodies.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Overrides `log.level` with filters such as `info,sqlx=debug`.
pub const LOG_VARIABLE: &str = "ENSAFER_SERVER_LOG";

/// Starts logging for this process. Does nothing where a log runs already.
pub fn start(config: &LogConfig) {
    let level = match config.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // The audit log is there at every level. Libraries print requests and statements from `debug` on, so they stay at `warn`.
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,audit=info,ensafer_core={level},ensafer_server={level}"))
    });
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // The only failure is that one was set before.
    let _ = match config.format {
        LogFormat::Text => subscriber.finish().try_init(),
        LogFormat::Json => subscriber.json().finish().try_init(),
    };
}
