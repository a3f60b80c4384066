//! Why there is no tray.

use std::io;
use std::path::PathBuf;

use ensafer_client::exit::Exit;
use ensafer_client::home::HomeError;

use crate::platform;

/// Why the tray cannot run.
#[derive(Debug, thiserror::Error)]
pub enum TrayError {
    /// Ensafer's directories cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another tray shows this home.
    #[error("a tray runs already{}", of_process(*process))]
    AlreadyRunning {
        /// That process, where it has said so.
        process: Option<u32>,
    },
    /// The lock of the one tray cannot be taken.
    #[error("{} cannot be locked", path.display())]
    Lock {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no desktop session to show an icon in.
    #[error("there is no desktop session here: {0}")]
    NoSession(String),
    /// The file system's events cannot be had.
    #[error("changes of files cannot be watched")]
    Watch(#[source] io::Error),
    /// The manual page cannot be written.
    #[error("the manual page cannot be written")]
    Manual(#[source] io::Error),
    /// The tray that is installed now cannot be run in place of this one.
    #[error("{} cannot be run", program.display())]
    Restart {
        /// It.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn of_process(id: Option<u32>) -> String {
    id.map(|id| format!(" (process {id})")).unwrap_or_default()
}

impl TrayError {
    /// How the program ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::AlreadyRunning { .. } => Exit::AlreadyRunning,
            Self::NoSession(_) => Exit::RetryLater,
            Self::Home(_) | Self::Lock { .. } | Self::Watch(_) | Self::Manual(_) | Self::Restart { .. } => {
                Exit::Error
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NoSession(_) => {
                Some("Start the tray in a desktop session. ensafer start and ensafer status need none")
            }
            Self::Watch(_) => platform::WATCH_REMEDY,
            _ => None,
        }
    }
}
