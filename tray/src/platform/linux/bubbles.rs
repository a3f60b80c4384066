//! Notifications on Linux: the Desktop Notifications Specification (freedesktop.org, version 1.2) over D-Bus.

use std::collections::{HashMap, HashSet};
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

/// What has become of what was told.
#[derive(Debug, Default)]
struct Told {
    /// The server's numbers of what is shown.
    ids: HashMap<Kind, u32>,
    /// What no server has shown, or one that is gone.
    unseen: HashSet<Kind>,
}

impl Told {
    /// The server has ended: nothing of it is shown any more.
    fn lose_server(&mut self) {
        self.unseen.extend(self.ids.drain().map(|(kind, _)| kind));
    }
}

/// What is shown of notifications. Where there is no server that shows any, nothing is.
#[derive(Debug)]
pub struct Bubbles {
    bus: Connection,
    told: Arc<Mutex<Told>>,
}

impl Bubbles {
    /// Calls `answer` for each click; `None` without a session bus.
    #[must_use]
    pub fn connect(answer: impl Fn(Answer) + Send + 'static) -> Option<Self> {
        let bus = Builder::session().and_then(|builder| builder.method_timeout(PATIENCE).build()).ok()?;
        subscribe(&bus).ok()?;
        let (told, messages) = (Arc::<Mutex<Told>>::default(), MessageIterator::from(&bus));
        let heard = Arc::clone(&told);
        let listen = move || {
            for message in messages.map_while(Result::ok) {
                hear(&message, &heard, &answer);
            }
        };
        thread::Builder::new().name("notifications".to_owned()).spawn(listen).ok()?;
        Some(Self { bus, told })
    }

    /// Shows `notice`, in place of an earlier one of its kind. Where no server does, the next one is given it, and the menu
    /// shows the same meanwhile.
    pub fn show(&self, notice: &Notice) {
        // Held until the number is known: a click may come at once.
        let mut told = lock(&self.told);
        let replaced = told.ids.remove(&notice.kind).unwrap_or_default();
        match self.notify(notice, replaced) {
            Ok(id) => {
                told.ids.insert(notice.kind, id);
                told.unseen.remove(&notice.kind);
            }
            Err(_) => _ = told.unseen.insert(notice.kind),
        }
    }

    /// Closes what is shown of `kind`, if anything is.
    pub fn close(&self, kind: Kind) {
        let id = {
            let mut told = lock(&self.told);
            told.unseen.remove(&kind);
            told.ids.remove(&kind)
        };
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

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
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
fn hear(message: &Message, told: &Mutex<Told>, answer: &impl Fn(Answer)) {
    let (header, body) = (message.header(), message.body());
    if message.message_type() != Type::Signal {
        return;
    }
    match header.member().map(zbus::names::MemberName::as_str) {
        Some("ActionInvoked") => {
            let Ok((id, key)) = body.deserialize::<(u32, &str)>() else { return };
            let kind = lock(told).ids.iter().find(|(_, shown)| **shown == id).map(|(kind, _)| *kind);
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
            lock(told).ids.retain(|_, shown| *shown != id);
        }
        // Another server counts anew, and knows of nothing.
        Some("NameOwnerChanged") => {
            let Ok((_name, old, new)) = body.deserialize::<(&str, &str, &str)>() else { return };
            let mut told = lock(told);
            // Where there was none before, what is shown is shown by the new one: it may have been started for that.
            if !old.is_empty() {
                told.lose_server();
            }
            if !new.is_empty() {
                told.unseen.drain().for_each(|kind| answer(Answer::Again(kind)));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn owner_changed(old: &str, new: &str) -> Message {
        let bus = "org.freedesktop.DBus";
        let signal = Message::signal("/org/freedesktop/DBus", bus, "NameOwnerChanged").unwrap();
        signal.build(&(SERVER, old, new)).unwrap()
    }

    #[test]
    fn what_nobody_has_shown_is_told_to_the_next_server() {
        let told = Mutex::new(Told {
            ids: HashMap::from([(Kind::Problems, 7)]),
            unseen: HashSet::from([Kind::Brake]),
        });
        let answers = RefCell::new(Vec::new());
        let hear = |message: &Message| hear(message, &told, &|answer| answers.borrow_mut().push(answer));
        hear(&owner_changed(":1.5", ""));
        assert_eq!(answers.take(), [], "there is nobody to show it");
        hear(&owner_changed("", ":1.6"));
        let again = answers.take();
        assert_eq!(again.len(), 2, "{again:?}");
        assert!(
            again.contains(&Answer::Again(Kind::Brake)) && again.contains(&Answer::Again(Kind::Problems))
        );
        hear(&owner_changed(":1.6", ":1.7"));
        assert_eq!(answers.take(), [], "once");
    }

    #[test]
    fn a_server_that_is_started_to_show_something_has_shown_it() {
        let told = Mutex::new(Told { ids: HashMap::from([(Kind::Problems, 1)]), unseen: HashSet::new() });
        hear(&owner_changed("", ":1.6"), &told, &|answer| panic!("{answer:?}"));
        assert_eq!(lock(&told).ids, HashMap::from([(Kind::Problems, 1)]));
    }
}
