//! What a panel has of an icon's menu, as the messages on the session's bus show it: a panel asks for a menu when it likes,
//! and what is clicked before it has been answered opens nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;

use zbus::blocking::MessageIterator;
use zbus::blocking::fdo::MonitoringProxy;
use zbus::message::{Message, Type};
use zbus::names::OwnedUniqueName;
use zbus::zvariant::{Structure, Value};
use zbus::{MatchRule, OwnedMatchRule};

use crate::bus::Bus;
use crate::desktop::MENU_INTERFACE;
use crate::wait;

/// Who listens to what a panel asks, and what it is answered.
#[derive(Debug)]
pub struct PanelMenu(Arc<Mutex<Seen>>);

/// What a panel asks for.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// The lines of the menu (`GetLayout`).
    Layout,
    /// What the lines of this revision are (`GetGroupProperties`); the menu has none of them before.
    Lines(u32),
}

#[derive(Debug, Default)]
struct Seen {
    /// The questions that have no answer yet, by their serial numbers.
    asked: HashMap<u32, Question>,
    /// The revision of the menu that was answered last.
    answered: u32,
    /// The revision whose lines the panel has.
    has: Option<u32>,
    /// How often the panel has said that it opens the menu.
    opened_count: usize,
}

impl PanelMenu {
    /// Listens to `panel`, by its unique name on the bus.
    pub fn listen(bus: &Bus, panel: &OwnedUniqueName) -> Self {
        let connection = bus.connect().build().unwrap();
        let messages = MessageIterator::from(&connection);
        let monitoring = MonitoringProxy::new(&connection).unwrap();
        monitoring.become_monitor(&rules(panel), 0).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        // Ends with the bus.
        thread::spawn(move || {
            messages.map_while(Result::ok).for_each(|message| noted.lock().unwrap().note(&message));
        });
        Self(seen)
    }

    /// Waits until the panel has been told of all lines of the menu's `revision`.
    #[track_caller]
    pub fn wait_for(&self, revision: u32) {
        wait::until_true("the panel has the menu", || self.0.lock().unwrap().has >= Some(revision));
    }

    /// How often the panel has said that it opens the menu.
    #[must_use]
    pub fn opened_count(&self) -> usize {
        self.0.lock().unwrap().opened_count
    }
}

fn rules(panel: &OwnedUniqueName) -> [MatchRule<'static>; 2] {
    let of = |text: String| OwnedMatchRule::try_from(text.as_str()).unwrap().into();
    [
        of(format!("type='method_call',sender='{panel}',interface='{MENU_INTERFACE}'")),
        of(format!("type='method_return',destination='{panel}'")),
    ]
}

impl Seen {
    fn note(&mut self, message: &Message) {
        let header = message.header();
        match message.message_type() {
            Type::MethodCall => {
                let serial = header.primary().serial_num().get();
                match header.member().map_or("", |member| member.as_str()) {
                    "GetLayout" => drop(self.asked.insert(serial, Question::Layout)),
                    "GetGroupProperties" => drop(self.asked.insert(serial, Question::Lines(self.answered))),
                    "AboutToShow" | "AboutToShowGroup" => self.opened_count += 1,
                    _ => (),
                }
            }
            Type::MethodReturn => {
                match header.reply_serial().and_then(|serial| self.asked.remove(&serial.get())) {
                    Some(Question::Layout) => self.answered = revision(message),
                    Some(Question::Lines(revision)) => self.has = Some(revision),
                    None => (),
                }
            }
            _ => (),
        }
    }
}

/// The first value of an answer to `GetLayout`: `u(ia{sv}av)`.
pub(crate) fn revision(layout: &Message) -> u32 {
    let body = layout.body();
    let layout: Structure<'_> = body.deserialize().unwrap();
    let Value::U32(revision) = layout.fields()[0] else { panic!("no layout: {layout:?}") };
    revision
}
