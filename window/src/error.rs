//! Why there is no window.

use std::io;

use ensafer_client::exit::Exit;
use ensafer_client::home::HomeError;
use ensafer_client::launch::LaunchError;
use ensafer_client::local_api::ClientError;

/// Why the window cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Ensafer's directories cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is no display to show it on.
    #[error("there is no display here")]
    NoDisplay,
    /// The daemon cannot be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The daemon cannot be used.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// The daemon is from before there was a window.
    #[error("the daemon that runs is older than this window")]
    OlderDaemon,
    /// The system makes no window, or shows no page in it.
    #[error("the window cannot be shown: {0}")]
    NoWindow(String),
    /// Whether a window is open cannot be found, or the one that is does not answer.
    #[error("another window of this home cannot be raised, or looked for")]
    Instance(#[source] io::Error),
    /// The page ended unasked.
    #[error("the page has crashed")]
    Crashed,
    /// The manual page cannot be written.
    #[error("the manual page cannot be written")]
    Manual(#[source] io::Error),
}

impl WindowError {
    /// How the program ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoDisplay => Exit::RetryLater,
            Self::Launch(error) => error.exit(),
            Self::Daemon(error) => error.exit(),
            Self::Home(_)
            | Self::OlderDaemon
            | Self::NoWindow(_)
            | Self::Instance(_)
            | Self::Crashed
            | Self::Manual(_) => Exit::Error,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NoDisplay => Some(
                "Start it in a desktop session. The commands need none: ensafer --help; \
                 nor does ensafer open --print, for a browser on this computer",
            ),
            Self::OlderDaemon => Some("ensafer daemon --quit, then ensafer start"),
            Self::Launch(error) => error.remedy(),
            Self::Daemon(error) => error.remedy(),
            Self::NoWindow(_) | Self::Instance(_) => Some("ensafer open shows the same in a browser"),
            Self::Home(_) | Self::Crashed | Self::Manual(_) => None,
        }
    }

    /// The error and its causes as a sentence.
    #[must_use]
    pub fn chain(&self) -> String {
        ensafer_client::error::chain(self)
    }
}
