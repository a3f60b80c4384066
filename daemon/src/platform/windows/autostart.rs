//! Whether the daemon starts when its user logs in: by a value of the key Run (learn.microsoft.com, "Run and RunOnce
//! Registry Keys").

use std::io;
use std::path::PathBuf;

use ensafer_core::api::local::AutostartMeans;
use windows_registry::CURRENT_USER;

use crate::autostart::{AutostartError, own_program};

const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// What the Task Manager writes, of values in the other key.
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";
/// The value that the installer writes, too.
const VALUE: &str = "Ensafer";

/// What decides how the daemon is started.
#[derive(Debug, Clone)]
pub struct Autostart {
    /// The absolute path of this program.
    program: String,
}

impl Autostart {
    /// For this user and program.
    ///
    /// # Errors
    /// [`AutostartError::OtherHome`] or [`AutostartError::Program`].
    pub fn from_environment() -> Result<Self, AutostartError> {
        Ok(Self { program: own_program(|running| running)? })
    }

    /// How the daemon is started at log-in; `None` if it is not.
    #[must_use]
    pub fn means(&self) -> Option<AutostartMeans> {
        let command = CURRENT_USER.open(RUN).and_then(|run| run.get_string(VALUE));
        (command.is_ok() && !is_switched_off()).then_some(AutostartMeans::RunKey)
    }

    /// Has the daemon started at log-in from now on. It is not started now. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError::Io`]; then nothing has changed.
    pub fn switch_on(&self) -> Result<AutostartMeans, AutostartError> {
        // Detached, or a console would stay open. No path contains a quotation mark.
        let command = format!("\"{}\" daemon --detached", self.program);
        let written = CURRENT_USER.create(RUN).and_then(|run| run.set_string(VALUE, command));
        if is_switched_off() {
            let switched_on = CURRENT_USER.create(APPROVED).and_then(|approved| approved.remove_value(VALUE));
            switched_on.map_err(|error| refused(error.into()))?;
        }
        written.map(|()| AutostartMeans::RunKey).map_err(|error| refused(error.into()))
    }

    /// Has the daemon not started at log-in any more. One that runs goes on. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError::Io`]; then it is still on.
    pub fn switch_off(&self) -> Result<(), AutostartError> {
        let run = CURRENT_USER.create(RUN);
        if run.as_ref().is_ok_and(|run| run.get_value(VALUE).is_err()) {
            return Ok(());
        }
        let removed = run.and_then(|run| run.remove_value(VALUE));
        removed.map_err(|error| refused(error.into()))
    }
}

/// Whether somebody has switched it off in the Task Manager: then the first byte of its value there is odd.
fn is_switched_off() -> bool {
    let value = CURRENT_USER.open(APPROVED).and_then(|approved| approved.get_value(VALUE));
    value.is_ok_and(|value| value.first().is_some_and(|first| first % 2 == 1))
}

fn refused(source: io::Error) -> AutostartError {
    AutostartError::Io { path: PathBuf::from(format!(r"HKEY_CURRENT_USER\{RUN}")), source }
}
