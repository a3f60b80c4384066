//! Windows: what is not as on macOS.

use std::ffi::OsString;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use notify_rust::{Notification, NotificationHandle, NotificationResponse, Urgency};
use tao::event_loop::EventLoop;
use windows_registry::CURRENT_USER;
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use crate::action::PauseUntil;
use crate::notice::{Kind, Notice};
use crate::notify::Answer;

/// Pixels on a side: Windows shows 16 to 32, as its displays are scaled.
pub const ICON_EDGE: u16 = 32;

/// By which Windows knows whose notifications are (an application user model id), and where it looks for its name.
const APPLICATION: &str = "org.ensafer.Ensafer";
const APPLICATION_KEY: &str = r"Software\Classes\AppUserModelId\org.ensafer.Ensafer";

/// The buttons, by the words under which Windows tells of a click.
const OPEN: &str = "open";
const AN_HOUR: &str = "snooze-hour";
const TOMORROW: &str = "snooze-tomorrow";

/// Has a program that is started open no terminal.
pub fn without_terminal(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NO_WINDOW)
}

/// A program without a window has no button in the taskbar.
pub const fn stay_in_background<T>(_: &mut EventLoop<T>) {}

/// The command that shows a directory in the Explorer.
#[must_use]
pub fn open_command(directory: &Path) -> Command {
    let mut command = Command::new("explorer");
    // Without quotes it would take a comma for the end of the path, which itself has no quotes.
    let mut quoted = OsString::from("\"");
    quoted.push(directory);
    quoted.push("\"");
    command.raw_arg(quoted);
    command
}

/// Whether [`open_command`] has done it: the Explorer ends with 1 when it has.
#[must_use]
pub const fn has_opened(_: ExitStatus) -> bool {
    true
}

/// What is shown of notifications. A click counts while one is on the screen, not in the notification centre: of notify-rust a
/// notification that has left the screen is over. Nothing of it takes one back or puts another in its place.
pub struct Bubbles(Arc<Mutex<dyn Fn(Answer) + Send>>);

impl Bubbles {
    /// Calls `answer` for each click.
    #[must_use]
    pub fn connect(answer: impl Fn(Answer) + Send + 'static) -> Option<Self> {
        // Of a program that it does not know Windows shows none.
        let key = CURRENT_USER.create(APPLICATION_KEY).ok()?;
        key.set_string("DisplayName", "Ensafer").ok()?;
        Some(Self(Arc::new(Mutex::new(answer))))
    }

    /// Shows `notice`; the menu shows the same.
    pub fn show(&self, notice: &Notice) {
        let (open, _) = notice.kind.button();
        let urgency = if notice.kind.is_urgent() { Urgency::Critical } else { Urgency::Normal };
        let shown = Notification::new()
            .app_id(APPLICATION)
            .summary(&notice.summary)
            .body(&notice.body)
            .urgency(urgency)
            .action(OPEN, open)
            .action(AN_HOUR, "Snooze for an hour")
            .action(TOMORROW, "Until tomorrow")
            .show();
        if let Ok(shown) = shown {
            self.wait(notice.kind, shown);
        }
    }

    /// Waits for a click, on a thread that ends with what is shown.
    fn wait(&self, kind: Kind, shown: NotificationHandle) {
        let answer = Arc::clone(&self.0);
        let wait = move || {
            let hear = |response: &NotificationResponse| {
                if let Some(clicked) = answer_of(kind, response) {
                    answer.lock().unwrap_or_else(PoisonError::into_inner)(clicked);
                }
            };
            // It cannot be waited for where the system has dropped it.
            let _ = shown.wait_for_response(hear);
        };
        // Without a thread nothing can be clicked.
        let _ = thread::Builder::new().name("notification".to_owned()).spawn(wait);
    }

    /// Leaves what is shown of a kind: it goes by itself.
    pub fn close(&self, _: Kind) {}
}

fn answer_of(kind: Kind, response: &NotificationResponse) -> Option<Answer> {
    match response {
        NotificationResponse::Default => Some(Answer::Open(kind)),
        NotificationResponse::Action(key) => Some(match key.as_str() {
            AN_HOUR => Answer::Snooze(kind, PauseUntil::InAnHour),
            TOMORROW => Answer::Snooze(kind, PauseUntil::Tomorrow),
            _ => Answer::Open(kind),
        }),
        NotificationResponse::Reply(_) | NotificationResponse::Closed(_) => None,
    }
}
