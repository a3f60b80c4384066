//! What tells of power and network on a system bus: UPower and NetworkManager, as far as anybody asks them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;
use zbus::zvariant::Value;

use crate::bus::Bus;
use crate::wait;

const POWER: (&str, &str) = ("org.freedesktop.UPower", "/org/freedesktop/UPower");
const NETWORK: (&str, &str) = ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager");

/// UPower. It vanishes when this is dropped.
#[derive(Debug)]
pub struct PowerService {
    bus: Connection,
    asked: Arc<AtomicUsize>,
}

struct Power {
    on_battery: bool,
    /// How often somebody has asked.
    asked: Arc<AtomicUsize>,
}

#[zbus::interface(name = "org.freedesktop.UPower")]
impl Power {
    #[zbus(property)]
    fn on_battery(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.on_battery
    }
}

impl PowerService {
    /// Starts it.
    #[must_use]
    pub fn start(bus: &Bus, on_battery: bool) -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let power = Power { on_battery, asked: Arc::clone(&asked) };
        let builder = bus.connect().serve_at(POWER.1, power).unwrap();
        Self { bus: builder.name(POWER.0).unwrap().build().unwrap(), asked }
    }

    /// The plug is pulled, or put in again. Waits until somebody has heard it and asks.
    #[track_caller]
    pub fn set(&self, on_battery: bool) {
        let before = self.asked.load(Ordering::SeqCst);
        let object = self.bus.object_server().interface::<_, Power>(POWER.1).unwrap();
        object.get_mut().on_battery = on_battery;
        tell(&self.bus, POWER, "OnBattery", &Value::Bool(on_battery));
        wait::until_true("somebody asks", || self.asked.load(Ordering::SeqCst) > before);
    }
}

/// NetworkManager. It vanishes when this is dropped.
#[derive(Debug)]
pub struct NetworkService(Connection);

struct Network {
    metered: u32,
}

#[zbus::interface(name = "org.freedesktop.NetworkManager")]
impl Network {
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.metered
    }
}

impl NetworkService {
    /// Starts it; `metered` is an `NMMetered`.
    #[must_use]
    pub fn start(bus: &Bus, metered: u32) -> Self {
        let builder = bus.connect().serve_at(NETWORK.1, Network { metered }).unwrap();
        Self(builder.name(NETWORK.0).unwrap().build().unwrap())
    }

    /// The network is another.
    pub fn set(&self, metered: u32) {
        let object = self.0.object_server().interface::<_, Network>(NETWORK.1).unwrap();
        object.get_mut().metered = metered;
        tell(&self.0, NETWORK, "Metered", &Value::U32(metered));
    }
}

/// Somebody who is not UPower says that it says so.
pub fn claim_battery_power(bus: &Bus) {
    let stranger = bus.connect().build().unwrap();
    tell(&stranger, POWER, "OnBattery", &Value::Bool(true));
    // The bus answers after it has passed on what came before.
    DBusProxy::new(&stranger).unwrap().get_id().unwrap();
}

fn tell(from: &Connection, (name, path): (&str, &str), property: &str, value: &Value<'_>) {
    let changed = HashMap::from([(property, value)]);
    let nothing: &[&str] = &[];
    let body = (name, changed, nothing);
    from.emit_signal(None::<&str>, path, "org.freedesktop.DBus.Properties", "PropertiesChanged", &body)
        .unwrap();
}
