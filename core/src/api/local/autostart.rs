//! Documents about the start at log-in.

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/autostart` and `POST /v1/autostart`, and `autostart status --json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutostartReport {
    /// How the daemon is started whenever its user logs in; none where it is not.
    pub autostart: Option<AutostartMeans>,
}

/// How the daemon is started at log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutostartMeans {
    /// `ensafer.service` of systemd's user manager.
    SystemdUnit,
    /// An entry in `~/.config/autostart` (Desktop Application Autostart Specification 0.5).
    DesktopEntry,
    /// An agent in `~/Library/LaunchAgents` (launchd.plist(5)).
    LaunchAgent,
    /// A value of `HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Run`.
    RunKey,
}

/// Body of `POST /v1/autostart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutostartRequest {
    /// Whether it shall be started.
    pub on: bool,
}
