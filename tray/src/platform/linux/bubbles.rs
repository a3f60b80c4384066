//! Notifications on Linux: the Desktop Notifications Specification (freedesktop.org, version 1.2) over D-Bus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use zbus::blocking::connection::Builder;
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Type;
use zbus::zvariant::Value;
use zbus::{MatchRule, Message};

use super::escaped;
use crate::action::PauseUntil;
use crate::notice::{Kind, Notice};
use crate::notify::Answer;

/// The server's name on the bus, and the interface of its one object.
const SERVER: &str = "org.freedesktop.Notifications";
const OBJECT: &str = "/org/freedesktop/Notifications";

/// A server that says nothing for so long is treated like none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The buttons, by the keys under which the server tells of a click; "default" is one on the notification itself.
const DEFAULT: &str = "default";
const OPEN: &str = "open";
const AN_HOUR: &str = "snooze-hour";
const TOMORROW: &str = "snooze-tomorrow";

/// The server's numbers of what is shown.
type Ids = Arc<Mutex<HashMap<Kind, u32>>>;

/// What is shown of notifications. Where there is no server that shows any, nothing is.
#[derive(Debug)]
pub struct Bubbles {
    bus: Connection,
    ids: Ids,
}

impl Bubbles {
    /// Calls `answer` for each click; `None` without a session bus.
    #[must_use]
    pub fn connect(answer: impl Fn(Answer) + Send + 'static) -> Option<Self> {
        let bus = Builder::session().and_then(|builder| builder.method_timeout(PATIENCE).build()).ok()?;
        subscribe(&bus).ok()?;
        let (ids, messages) = (Ids::default(), MessageIterator::from(&bus));
        let heard = Arc::clone(&ids);
        let listen = move || {
            for message in messages.map_while(Result::ok) {
                hear(&message, &heard, &answer);
            }
        };
        thread::Builder::new().name("notifications".to_owned()).spawn(listen).ok()?;
        Some(Self { bus, ids })
    }

    /// Shows `notice`, in place of an earlier one of its kind. No trouble is made of a server that is not there: the menu
    /// shows the same.
    pub fn show(&self, notice: &Notice) {
        // Held until the number is known: a click may come at once.
        let mut ids = lock(&self.ids);
        let replaced = ids.get(&notice.kind).copied().unwrap_or_default();
        match self.notify(notice, replaced) {
            Ok(id) => _ = ids.insert(notice.kind, id),
            Err(_) => _ = ids.remove(&notice.kind),
        }
    }

    /// Closes what is shown of `kind`, if anything is.
    pub fn close(&self, kind: Kind) {
        let id = lock(&self.ids).remove(&kind);
        if let Some(id) = id {
            // It may have been closed already.
            let _ = self.bus.call_method(Some(SERVER), OBJECT, Some(SERVER), "CloseNotification", &id);
        }
    }

    /// `Notify`: the number of what is shown now.
    fn notify(&self, notice: &Notice, replaced: u32) -> zbus::Result<u32> {
        let can = self.bus.call_method(Some(SERVER), OBJECT, Some(SERVER), "GetCapabilities", &())?;
        let can: Vec<String> = can.body().deserialize()?;
        let can = |what: &str| can.iter().any(|capability| capability == what);
        let body = if can("body-markup") { escaped(&notice.body) } else { notice.body.clone() };
        let (open, _) = notice.kind.button();
        let actions =
            [(DEFAULT, open), (OPEN, open), (AN_HOUR, "Snooze for an hour"), (TOMORROW, "Until tomorrow")];
        let actions = actions.into_iter().filter(|_| can("actions"));
        let actions: Vec<&str> = actions.flat_map(|(key, label)| [key, label]).collect();
        // "Urgency Levels": 1 is normal, and 2, critical, does not go away by itself.
        let urgency: u8 = if notice.kind.is_urgent() { 2 } else { 1 };
        let hints =
            HashMap::from([("urgency", Value::U8(urgency)), ("desktop-entry", Value::from("ensafer-tray"))]);
        // The server knows how long to show it.
        let timeout = -1_i32;
        let arguments = ("Ensafer", replaced, "ensafer", &notice.summary, &body, actions, hints, timeout);
        let shown = self.bus.call_method(Some(SERVER), OBJECT, Some(SERVER), "Notify", &arguments)?;
        shown.body().deserialize()
    }
}

fn lock(ids: &Ids) -> MutexGuard<'_, HashMap<Kind, u32>> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}

fn subscribe(bus: &Connection) -> zbus::Result<()> {
    let signal = || MatchRule::builder().msg_type(Type::Signal);
    let answers = signal().sender(SERVER)?.path(OBJECT)?.interface(SERVER)?.build();
    let owners =
        signal().sender("org.freedesktop.DBus")?.member("NameOwnerChanged")?.add_arg(SERVER)?.build();
    let proxy = DBusProxy::new(bus)?;
    proxy.add_match_rule(answers)?;
    Ok(proxy.add_match_rule(owners)?)
}

/// Takes what the server says, and the bus of the server.
fn hear(message: &Message, ids: &Ids, answer: &impl Fn(Answer)) {
    let (header, body) = (message.header(), message.body());
    if message.message_type() != Type::Signal {
        return;
    }
    match header.member().map(zbus::names::MemberName::as_str) {
        Some("ActionInvoked") => {
            let Ok((id, key)) = body.deserialize::<(u32, &str)>() else { return };
            let kind = lock(ids).iter().find(|(_, shown)| **shown == id).map(|(kind, _)| *kind);
            if let Some(kind) = kind {
                answer(match key {
                    AN_HOUR => Answer::Snooze(kind, PauseUntil::InAnHour),
                    TOMORROW => Answer::Snooze(kind, PauseUntil::Tomorrow),
                    _ => Answer::Open(kind),
                });
            }
        }
        Some("NotificationClosed") => {
            let Ok((id, _reason)) = body.deserialize::<(u32, u32)>() else { return };
            lock(ids).retain(|_, shown| *shown != id);
        }
        // Another server counts anew.
        Some("NameOwnerChanged") => lock(ids).clear(),
        _ => {}
    }
}
