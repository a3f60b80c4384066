//! Whether the daemon starts when its user logs in. What decides it differs: [`Autostart`] is the system's own.

use std::io;
use std::path::PathBuf;

use ensafer_client::exit::Exit;
use ensafer_client::home::HOME_VARIABLE;

use crate::exit::{self, Failure};
pub use crate::platform::Autostart;

/// Why it cannot be switched.
#[derive(Debug, thiserror::Error)]
pub enum AutostartError {
    /// Only a user's own home can be started at log-in.
    #[error("{HOME_VARIABLE} names another home, and what starts at log-in is this user's own")]
    OtherHome,
    /// The user has no home directory.
    #[error("this user has no home directory")]
    NoHomeDirectory,
    /// The program's file cannot be named in a unit or an entry.
    #[error("this program's own path cannot be used: {reason}")]
    Program {
        /// Why.
        reason: String,
    },
    /// Somebody else's file has the name.
    #[error("{} was not written by Ensafer, and is left as it is", path.display())]
    Foreign {
        /// It.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// systemd refuses.
    #[error("systemctl --user {verb} failed: {said}")]
    Systemd {
        /// What was asked.
        verb: &'static str,
        /// Its words.
        said: String,
    },
}

impl AutostartError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::OtherHome => {
                format!(
                    "Unset {HOME_VARIABLE}, or write a start of your own, with {HOME_VARIABLE} in its environment"
                )
            }
            Self::NoHomeDirectory => "Set HOME".to_owned(),
            Self::Program { .. } => "Install Ensafer by its package".to_owned(),
            Self::Foreign { path } => format!("Look at {}, and remove it if nobody needs it", path.display()),
            Self::Io { .. } => "Give yourself the right to write there".to_owned(),
            Self::Systemd { .. } => {
                "systemctl --user status ensafer.service; or add `ensafer daemon` to your session's start-up programs"
                    .to_owned()
            }
        }
    }
}

impl From<AutostartError> for Failure {
    fn from(error: AutostartError) -> Self {
        let exit = if matches!(error, AutostartError::OtherHome) { Exit::Usage } else { Exit::Error };
        let remedy = error.remedy();
        Self::new(exit, exit::describe(&error.into())).with_remedy(remedy)
    }
}

/// The absolute path of this program, as `installed` makes it of what runs.
pub(crate) fn own_program(installed: impl FnOnce(PathBuf) -> PathBuf) -> Result<String, AutostartError> {
    if std::env::var_os(HOME_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Err(AutostartError::OtherHome);
    }
    let unusable = |reason: String| AutostartError::Program { reason };
    let program = std::env::current_exe().map_err(|error| unusable(error.to_string()))?;
    let program = installed(program);
    if !program.exists() {
        return Err(unusable(format!("{} is not there any more", program.display())));
    }
    let program = program.into_os_string().into_string();
    program.map_err(|path| unusable(format!("{} is not UTF-8", path.display())))
}
