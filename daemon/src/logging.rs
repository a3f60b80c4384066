//! Logs: to standard error, with fields instead of prose. Names and paths appear from `debug` on, secrets never.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat, LogLevel};

/// Overrides `log_level` with filters such as `info,ensafer_daemon::scan=debug`.
pub const LOG_VARIABLE: &str = "ENSAFER_LOG";

/// Starts logging for this process: the daemon at the configured level, a command at `warn`; `verbose` raises it by so
/// many steps. Does nothing where a log runs already.
pub fn start(config: &Config, is_daemon: bool, verbose: u8) {
    let level = level(if is_daemon { config.log_level } else { LogLevel::Warn }, verbose);
    let filter = EnvFilter::try_from_env(LOG_VARIABLE)
        // A certificate that is refused is an error of ours, with words for people.
        .unwrap_or_else(|_| {
            let others = "warn,rustls_platform_verifier=off";
            EnvFilter::new(format!("{others},ensafer_core={level},ensafer_daemon={level}"))
        });
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // The only failure is that one was set before.
    let _ = match config.log_format {
        LogFormat::Text => subscriber.finish().try_init(),
        LogFormat::Json => subscriber.json().finish().try_init(),
    };
}

fn level(configured: LogLevel, verbose: u8) -> &'static str {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let start = match configured {
        LogLevel::Error => 0,
        LogLevel::Warn => 1,
        LogLevel::Info => 2,
        LogLevel::Debug => 3,
        LogLevel::Trace => 4,
    };
    LEVELS[LEVELS.len().min(start + usize::from(verbose) + 1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbosity_adds_to_the_configured_level() {
        assert_eq!(level(LogLevel::Info, 0), "info");
        assert_eq!(level(LogLevel::Info, 1), "debug");
        assert_eq!(level(LogLevel::Warn, 9), "trace");
    }
}
