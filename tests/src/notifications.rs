//! Who shows notifications in a session, as the Desktop Notifications Specification says.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use zbus::blocking::Connection;
use zbus::zvariant::OwnedValue;

use crate::desktop::Desktop;
use crate::wait;

const SERVER: &str = "org.freedesktop.Notifications";
const OBJECT: &str = "/org/freedesktop/Notifications";

/// A notification, as it was given to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bubble {
    /// Its number.
    pub id: u32,
    /// Whether it takes the place of an earlier one.
    pub is_replacement: bool,
    /// Its line.
    pub summary: String,
    /// Its text, with markup.
    pub body: String,
    /// Keys and labels of the buttons, by turns.
    pub actions: Vec<String>,
    /// 0 low, 1 normal, 2 critical.
    pub urgency: u8,
}

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To show this.
    Show(Bubble),
    /// To close the one with this number.
    Close(u32),
}

/// The server. It vanishes when this is dropped.
#[derive(Debug)]
pub struct NotificationServer {
    bus: Connection,
    asked: Receiver<Asked>,
}

struct Server {
    asked: Sender<Asked>,
    last_id: u32,
}

impl Server {
    fn heard(&self, asked: Asked) {
        // A test that is over listens no more.
        let _ = self.asked.send(asked);
    }
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "body-markup"].map(str::to_owned).into()
    }

    #[allow(
        clippy::too_many_arguments,
        clippy::needless_pass_by_value,
        reason = "the specification's, and zbus's"
    )]
    fn notify(
        &mut self,
        _application: &str,
        replaced: u32,
        _icon: &str,
        summary: &str,
        body: &str,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let is_replacement = replaced != 0;
        let id = if is_replacement { replaced } else { self.last_id + 1 };
        self.last_id = self.last_id.max(id);
        let urgency = hints.get("urgency").map_or(1, |urgency| u8::try_from(urgency).unwrap());
        let (summary, body) = (summary.to_owned(), body.to_owned());
        self.heard(Asked::Show(Bubble { id, is_replacement, summary, body, actions, urgency }));
        id
    }

    fn close_notification(&self, id: u32) {
        self.heard(Asked::Close(id));
    }
}

impl NotificationServer {
    /// Starts it.
    #[must_use]
    pub fn start(desktop: &Desktop) -> Self {
        let (sender, asked) = channel();
        let server = Server { asked: sender, last_id: 0 };
        let builder = desktop.bus().connect().serve_at(OBJECT, server).unwrap();
        Self { bus: builder.name(SERVER).unwrap().build().unwrap(), asked }
    }

    /// Waits for what is asked next.
    #[track_caller]
    #[must_use]
    pub fn next(&self) -> Asked {
        self.asked.recv_timeout(wait::PATIENCE).expect("something is asked of the notification server")
    }

    /// Waits for the next notification; nothing is to be closed before it.
    #[track_caller]
    #[must_use]
    pub fn next_bubble(&self) -> Bubble {
        match self.next() {
            Asked::Show(bubble) => bubble,
            Asked::Close(id) => panic!("notification {id} is closed"),
        }
    }

    /// Somebody clicks a button, and the notification goes away.
    pub fn click(&self, bubble: &Bubble, key: &str) {
        let is_there = bubble.actions.iter().step_by(2).any(|action| action == key);
        assert!(is_there, "{bubble:?} has no button {key}");
        let nobody = None::<&str>;
        self.bus.emit_signal(nobody, OBJECT, SERVER, "ActionInvoked", &(bubble.id, key)).unwrap();
        let by_the_user = 2_u32;
        let closed = (bubble.id, by_the_user);
        self.bus.emit_signal(nobody, OBJECT, SERVER, "NotificationClosed", &closed).unwrap();
    }
}
