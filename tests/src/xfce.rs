//! Xfce's panel, with nothing but icons on it: what a person sees of the tray.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::desktop::set_home;
use crate::process::{self, Running};
use crate::{Desktop, Display, wait};

/// Where the only icon is: at the left end of a panel of 30 pixels, at the top.
const ICON: &str = "30x30+0+0";

/// The panel. It ends when this is dropped.
#[derive(Debug)]
pub struct XfcePanel<'d> {
    display: &'d Display,
    _panel: Running,
}

impl<'d> XfcePanel<'d> {
    /// Starts it in `desktop`, which lives in `home`; `None`, with a word, where this machine has none.
    #[must_use]
    pub fn start(desktop: &Desktop, display: &'d Display, home: &Path) -> Option<Self> {
        if !process::are_installed(&["xfce4-panel", "xfconf-query"]) {
            return None;
        }
        let session = Session { home: home.into(), bus: desktop.bus().address().to_owned() };
        for (property, kind, value) in [
            ("/configver", "int", "2"),
            ("/panels/panel-1/position", "string", "p=6;x=0;y=0"),
            ("/panels/panel-1/position-locked", "bool", "true"),
            ("/panels/panel-1/length", "uint", "100"),
            ("/panels/panel-1/size", "uint", "30"),
            ("/plugins/plugin-1", "string", "systray"),
            ("/plugins/plugin-1/square-icons", "bool", "true"),
        ] {
            session.set(&["--property", property, "--type", kind, "--set", value]);
        }
        for list in ["/panels", "/panels/panel-1/plugin-ids"] {
            session.set(&["--property", list, "--force-array", "--type", "int", "--set", "1"]);
        }
        let mut command = session.command("xfce4-panel");
        display.enter(&mut command);
        let panel = Running::start(command.arg("--disable-wm-check"));
        Some(Self { display, _panel: panel })
    }

    /// Waits until an icon is shown.
    #[track_caller]
    pub fn wait_for_icon(&self) {
        wait::until_true("an icon is shown", || {
            let icon = self.display.picture_of(ICON);
            icon.chunks(3).any(|pixel| pixel != &icon[..3])
        });
    }
}

/// The session that the panel belongs to.
struct Session {
    home: PathBuf,
    bus: String,
}

impl Session {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        set_home(&mut command, &self.home);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    /// A setting of the panel's.
    fn set(&self, arguments: &[&str]) {
        let mut command = self.command("xfconf-query");
        process::run(command.args(["--channel", "xfce4-panel", "--create"]).args(arguments)).expect(0);
    }
}
