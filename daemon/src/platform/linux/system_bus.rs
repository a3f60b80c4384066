//! What services say on the system bus: `UPower`, whether the computer runs on battery power; `NetworkManager`, whether its
//! network is metered.
//!
//! A signal is a hint only, because any program of this computer may send one: it makes this ask for the property again,
//! and the bus itself sees to it that only the owner of the service's name answers. Nothing is asked for otherwise. One
//! thread sends questions and takes everything that comes; there is one question at a time, so that no flood of signals can
//! keep it from an answer or fill the bus with questions.

use std::num::NonZeroU32;
use std::{io, thread};

use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::Type;
use zbus::zvariant::OwnedValue;
use zbus::{MatchRule, Message};

use crate::pauses::Surroundings;

const BUS: &str = "org.freedesktop.DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A service, which is named like the interface of its first object, and the property that matters.
#[derive(Debug)]
struct Service {
    name: &'static str,
    path: &'static str,
    property: &'static str,
    is_against_syncing: fn(&OwnedValue) -> bool,
}

/// `UPower` reference manual, `org.freedesktop.UPower`: `OnBattery` is a boolean.
const POWER: Service = Service {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower",
    property: "OnBattery",
    is_against_syncing: |value| bool::try_from(value).is_ok_and(|on_battery| on_battery),
};

/// `NetworkManager` D-Bus reference manual, `org.freedesktop.NetworkManager`: `Metered` is an `NMMetered`.
const NETWORK: Service = Service {
    name: "org.freedesktop.NetworkManager",
    path: "/org/freedesktop/NetworkManager",
    property: "Metered",
    is_against_syncing: |value| {
        u32::try_from(value).is_ok_and(|metered| [NM_METERED_YES, NM_METERED_GUESS_YES].contains(&metered))
    },
};

/// `NMMetered`: unknown is 0, no is 2, and 4 if that is a guess.
const NM_METERED_YES: u32 = 1;
const NM_METERED_GUESS_YES: u32 = 3;

/// Tells where the computer is as far as it is `wanted`: once it is known, and whenever it changes. What nothing is known of,
/// for want of a bus or a service, does not speak against syncing. `tell` is dropped when there is nothing to tell any more.
///
/// # Errors
/// No thread can be made.
pub fn watch_surroundings(
    wanted: Surroundings,
    mut tell: impl FnMut(Surroundings) + Send + 'static,
) -> io::Result<()> {
    if wanted == Surroundings::default() {
        return Ok(());
    }
    let watch = move || {
        if let Err(error) = follow(wanted, &mut tell) {
            tracing::info!("the system does not say whether it runs on battery or is on a metered network");
            tracing::debug!(%error, "why it does not");
        }
        tell(Surroundings::default());
    };
    thread::Builder::new().name("surroundings".to_owned()).spawn(watch).map(drop)
}

/// Follows the services until the bus ends.
fn follow(wanted: Surroundings, tell: &mut impl FnMut(Surroundings)) -> zbus::Result<()> {
    let bus = Connection::system()?;
    let mut power = wanted.on_battery.then(|| Watched::new(&POWER));
    let mut network = wanted.is_metered.then(|| Watched::new(&NETWORK));
    for watched in [&power, &network].into_iter().flatten() {
        watched.subscribe(&bus)?;
    }
    let messages = MessageIterator::from(&bus);
    for watched in [&mut power, &mut network].into_iter().flatten() {
        watched.ask(&bus)?;
    }
    let mut told = None;
    for message in messages {
        let message = message?;
        for watched in [&mut power, &mut network].into_iter().flatten() {
            watched.take(&message, &bus)?;
        }
        // What is not wanted is never true.
        let says = |watched: &Option<Watched>| watched.as_ref().map_or(Some(false), |watched| watched.says);
        if let (Some(on_battery), Some(is_metered)) = (says(&power), says(&network)) {
            let now = Surroundings { on_battery, is_metered };
            if told.replace(now) != Some(now) {
                tell(now);
            }
        }
    }
    Ok(())
}

/// A service and what it last said.
struct Watched {
    service: &'static Service,
    /// What is asked now.
    question: Question,
    /// Nothing before the first answer.
    says: Option<bool>,
}

/// One question at a time: what makes somebody curious while it is open has it asked again after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// None is open.
    None,
    /// The message with this number is not answered yet.
    Open {
        serial: NonZeroU32,
        /// Something has happened since.
        again: bool,
    },
}

impl Question {
    /// Something has happened; whether to ask now.
    const fn wonder(&mut self) -> bool {
        match self {
            Self::None => true,
            Self::Open { again, .. } => {
                *again = true;
                false
            }
        }
    }

    /// The message with this number is answered; whether that was the question, and is to be asked again.
    fn close(&mut self, answered: Option<NonZeroU32>) -> Option<bool> {
        let Self::Open { serial, again } = *self else { return None };
        (answered == Some(serial)).then(|| {
            *self = Self::None;
            again
        })
    }
}

impl Watched {
    const fn new(service: &'static Service) -> Self {
        Self { service, question: Question::None, says: None }
    }

    /// Has the bus send what tells of changes.
    fn subscribe(&self, bus: &Connection) -> zbus::Result<()> {
        let Service { name, path, .. } = *self.service;
        let signal = || MatchRule::builder().msg_type(Type::Signal);
        let changes =
            signal().sender(name)?.path(path)?.interface(PROPERTIES)?.member("PropertiesChanged")?;
        let owners = signal().sender(BUS)?.interface(BUS)?.member("NameOwnerChanged")?;
        let proxy = DBusProxy::new(bus)?;
        proxy.add_match_rule(changes.add_arg(name)?.build())?;
        Ok(proxy.add_match_rule(owners.add_arg(name)?.build())?)
    }

    /// Asks the service, which the bus starts if it can; after the answer, where a question is open.
    fn ask(&mut self, bus: &Connection) -> zbus::Result<()> {
        if !self.question.wonder() {
            return Ok(());
        }
        let Service { name, path, property, .. } = *self.service;
        let call = Message::method_call(path, "Get")?.destination(name)?.interface(PROPERTIES)?;
        let call = call.build(&(name, property))?;
        self.question = Question::Open { serial: call.primary_header().serial_num(), again: false };
        bus.send(&call)
    }

    fn take(&mut self, message: &Message, bus: &Connection) -> zbus::Result<()> {
        let header = message.header();
        match message.message_type() {
            Type::MethodReturn | Type::Error => {
                if let Some(again) = self.question.close(header.reply_serial()) {
                    self.says = Some(self.answer(message));
                    if again {
                        self.ask(bus)?;
                    }
                }
            }
            Type::Signal if self.is_about_change(message) => self.ask(bus)?,
            Type::Signal => match self.new_owner(message) {
                Some(true) => self.ask(bus)?,
                Some(false) => {
                    self.question = Question::None;
                    self.says = Some(false);
                }
                None => {}
            },
            Type::MethodCall => {}
        }
        Ok(())
    }

    /// An error is an answer, too: there is no such service.
    fn answer(&self, message: &Message) -> bool {
        let value = message.body().deserialize::<OwnedValue>();
        message.message_type() == Type::MethodReturn
            && value.is_ok_and(|value| (self.service.is_against_syncing)(&value))
    }

    fn is_about_change(&self, message: &Message) -> bool {
        let header = message.header();
        header.member().is_some_and(|member| member == "PropertiesChanged")
            && header.path().is_some_and(|path| path.as_str() == self.service.path)
    }

    /// Whether the service is there, if the message is the bus's own and says so.
    fn new_owner(&self, message: &Message) -> Option<bool> {
        let header = message.header();
        let is_own = header.sender().is_some_and(|sender| sender == BUS)
            && header.member().is_some_and(|member| member == "NameOwnerChanged");
        let body = message.body();
        let (name, _, new) = body.deserialize::<(&str, &str, &str)>().ok().filter(|_| is_own)?;
        (name == self.service.name).then_some(!new.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::Value;

    use super::*;

    #[test]
    fn one_question_is_open_at_a_time_and_the_last_signal_is_answered() {
        let serial = |number| NonZeroU32::new(number).unwrap();
        let mut question = Question::None;
        assert!(question.wonder());
        question = Question::Open { serial: serial(7), again: false };
        assert_eq!(question.close(Some(serial(6))), None, "an answer to somebody else's");
        for _ in 0..1000 {
            assert!(!question.wonder(), "a flood asks nothing");
        }
        assert_eq!(question.close(Some(serial(7))), Some(true), "what came meanwhile is asked for");
        assert!(question.wonder());
        question = Question::Open { serial: serial(8), again: false };
        assert_eq!(question.close(Some(serial(8))), Some(false));
        assert_eq!(question, Question::None);
        assert_eq!(question.close(None), None);
    }

    #[test]
    fn what_the_services_say_speaks_against_syncing_or_not() {
        let table = [
            (&POWER, Value::Bool(true), true),
            (&POWER, Value::Bool(false), false),
            (&POWER, Value::U32(1), false),
            (&NETWORK, Value::U32(0), false),
            (&NETWORK, Value::U32(1), true),
            (&NETWORK, Value::U32(2), false),
            (&NETWORK, Value::U32(3), true),
            (&NETWORK, Value::U32(4), false),
            (&NETWORK, Value::U32(5), false),
            (&NETWORK, Value::Bool(true), false),
        ];
        for (service, value, expected) in table {
            let said = OwnedValue::try_from(&value).unwrap();
            assert_eq!((service.is_against_syncing)(&said), expected, "{} {value:?}", service.property);
        }
    }
}
