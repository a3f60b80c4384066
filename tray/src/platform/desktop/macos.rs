//! macOS: what is not as on Windows.

use std::path::Path;
use std::process::{Command, ExitStatus};

use notify_rust::{Notification, set_application};
use tao::event_loop::EventLoop;
use tao::platform::macos::{ActivationPolicy, EventLoopExtMacOS};

use crate::notice::{Kind, Notice};
use crate::notify::Answer;

/// Pixels on a side: the menu bar shows 22 points, with two pixels each.
pub const ICON_EDGE: u16 = 48;

/// The application's `CFBundleIdentifier` (`packaging/macos/Info.plist`).
const APPLICATION: &str = "org.ensafer.Ensafer";

/// A program that is started opens no terminal.
pub const fn without_terminal(command: &mut Command) -> &mut Command {
    command
}

/// No symbol in the Dock, and no menu of an application.
pub fn stay_in_background<T>(events: &mut EventLoop<T>) {
    events.set_activation_policy(ActivationPolicy::Accessory);
}

/// The command that shows where a directory lies, in the Finder: opened, one that is called `.app` would be started.
#[must_use]
pub fn open_command(directory: &Path) -> Command {
    let mut command = Command::new("open");
    command.arg("-R").arg(directory);
    command
}

/// Whether [`open_command`] has done it.
#[must_use]
pub fn has_opened(status: ExitStatus) -> bool {
    status.success()
}

/// What is shown of notifications: they have no buttons. To hear of a click on one, notify-rust would wake up twice a second
/// for as long as it lies in Notification Center, and nothing of it takes one back or puts another in its place.
#[derive(Debug)]
pub struct Bubbles(());

impl Bubbles {
    /// Nobody answers: there is nothing to click.
    #[must_use]
    pub fn connect(_: impl Fn(Answer) + Send + 'static) -> Option<Self> {
        // Where no application of that name is installed, they are this program's own.
        let _ = set_application(APPLICATION);
        Some(Self(()))
    }

    /// Shows `notice`.
    pub fn show(&self, notice: &Notice) {
        // The menu shows the same.
        let _ = Notification::new().summary(&notice.summary).body(&notice.body).show().map(drop);
    }

    /// Leaves what is shown of a kind: it goes when somebody has seen it.
    pub fn close(&self, _: Kind) {}
}
