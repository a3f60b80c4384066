//! Whether the daemon starts when its user logs in: by an agent of launchd's (launchd.plist(5)).

use std::fs;
use std::path::PathBuf;

use ensafer_core::api::local::AutostartMeans;

use crate::autostart::{AutostartError, own_program};
use crate::platform::unix::own_file::{MARK, is_own, remove_own, write_own};

/// The agent as it is described. It runs [`PACKAGED_PROGRAM`].
const AGENT: &str = include_str!("../../../../packaging/macos/org.ensafer.daemon.plist");
const AGENT_NAME: &str = "org.ensafer.daemon.plist";
const PACKAGED_PROGRAM: &str = "/Applications/Ensafer.app/Contents/MacOS/ensafer";

/// What decides how the daemon is started, and where that is written.
#[derive(Debug, Clone)]
pub struct Autostart {
    /// The user's `~/Library/LaunchAgents`, in which launchd looks at each log-in.
    agents: PathBuf,
    /// The absolute path of this program.
    program: String,
}

impl Autostart {
    /// For this user and program.
    ///
    /// # Errors
    /// [`AutostartError::OtherHome`], [`AutostartError::NoHomeDirectory`] or [`AutostartError::Program`].
    pub fn from_environment() -> Result<Self, AutostartError> {
        let program = own_program(|running| running)?;
        let base = directories::BaseDirs::new().ok_or(AutostartError::NoHomeDirectory)?;
        Ok(Self { agents: base.home_dir().join("Library/LaunchAgents"), program })
    }

    /// How the daemon is started at log-in; `None` if it is not.
    #[must_use]
    pub fn means(&self) -> Option<AutostartMeans> {
        let agent = fs::read_to_string(self.agent_file()).ok()?;
        is_own(&agent).then_some(AutostartMeans::LaunchAgent)
    }

    /// Has the daemon started at log-in from now on. It is not started now. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError`]; then nothing has changed.
    pub fn switch_on(&self) -> Result<AutostartMeans, AutostartError> {
        write_own(&self.agent_file(), &agent(&self.program))?;
        Ok(AutostartMeans::LaunchAgent)
    }

    /// Has the daemon not started at log-in any more. One that runs goes on. Once is the same as twice.
    ///
    /// # Errors
    /// [`AutostartError`]; then it is still on.
    pub fn switch_off(&self) -> Result<(), AutostartError> {
        remove_own(&self.agent_file()).map(drop)
    }

    fn agent_file(&self) -> PathBuf {
        self.agents.join(AGENT_NAME)
    }
}

/// The described agent for a program at another path.
fn agent(program: &str) -> String {
    let escaped = program.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let marked = AGENT.replacen("<plist ", &format!("<!--\n{MARK}\n-->\n<plist "), 1);
    marked.replacen(PACKAGED_PROGRAM, &escaped, 1)
}
