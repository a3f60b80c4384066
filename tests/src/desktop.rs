//! A desktop session without a desktop: a session bus of its own, and a panel that reads icons and clicks in menus as
//! StatusNotifierItem and com.canonical.dbusmenu say.

use std::collections::HashMap;
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use zbus::blocking::{Connection, Proxy};
use zbus::message::Message;
use zbus::zvariant::{Structure, Value};

use crate::bus::Bus;
use crate::device::Device;
use crate::panel_menu::revision;
use crate::process::{Running, ensafer_tray};
use crate::wait;

/// Where an item has its menu by default; asked for all the same.
const ITEM_PATH: &str = "/StatusNotifierItem";
const ITEM_INTERFACE: &str = "org.kde.StatusNotifierItem";
pub(crate) const MENU_INTERFACE: &str = "com.canonical.dbusmenu";

/// A session bus. It ends when this is dropped.
#[derive(Debug)]
pub struct Desktop {
    bus: Bus,
}

impl Desktop {
    /// Starts a session bus; `None`, with a word, where this machine has none.
    #[must_use]
    pub fn start() -> Option<Self> {
        Bus::start().map(|bus| Self { bus })
    }

    /// A session whose services, those included that the bus starts, live in `home`.
    #[must_use]
    pub fn at_home(home: &Path) -> Option<Self> {
        let mut command = Command::new("dbus-daemon");
        set_home(&mut command, home);
        Bus::start_with(&mut command).map(|bus| Self { bus })
    }

    /// The device's tray in this session.
    #[track_caller]
    #[must_use]
    pub fn start_tray(&self, device: &Device) -> Running {
        Running::start(&mut self.tray_command(device))
    }

    /// The command that starts the device's tray in this session.
    #[must_use]
    pub fn tray_command(&self, device: &Device) -> Command {
        let mut command = Command::new(ensafer_tray());
        self.enter(device, &mut command);
        command
    }

    /// Gives `command` the device's environment and this session's bus.
    pub fn enter(&self, device: &Device, command: &mut Command) {
        device.set_environment(command);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
    }

    /// The session's bus.
    #[must_use]
    pub const fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Begins to collect icons, as a panel does.
    #[must_use]
    pub fn panel(&self) -> Panel {
        let (sender, offers) = channel();
        let builder =
            self.bus.connect().serve_at("/StatusNotifierWatcher", Watcher { offers: sender }).unwrap();
        let bus = builder.name("org.kde.StatusNotifierWatcher").unwrap().build().unwrap();
        Panel { bus, offers }
    }

    /// Ends the session.
    pub fn end(self) {
        self.bus.end();
    }
}

/// Gives a program of the desktop's a home of its own, and nothing of the user's desktop.
pub(crate) fn set_home(command: &mut Command, home: &Path) {
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", home)
        .env("GTK_THEME", "Adwaita")
        // No bus for assistive technology.
        .env("NO_AT_BRIDGE", "1");
}

/// Who collects the icons of a session.
#[derive(Debug)]
pub struct Panel {
    bus: Connection,
    offers: Receiver<String>,
}

impl Panel {
    /// Waits for the next icon that is offered.
    #[track_caller]
    #[must_use]
    pub fn next_item(&self) -> TrayItem {
        let name = self.offers.recv_timeout(wait::PATIENCE).expect("an icon is offered");
        TrayItem::new(self.bus.clone(), name)
    }
}

struct Watcher {
    offers: Sender<String>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str) {
        // A test that is over takes no more icons.
        let _ = self.offers.send(service.to_owned());
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// An icon, as a panel has it.
#[derive(Debug)]
pub struct TrayItem {
    bus: Connection,
    name: String,
}

/// A line of a menu.
#[derive(Debug, Clone)]
pub struct MenuLine {
    id: i32,
    /// What it says, with single underscores; empty for a separator.
    pub label: String,
    /// Whether it can be clicked.
    pub is_enabled: bool,
    /// What opens.
    pub below: Vec<Self>,
}

impl TrayItem {
    /// The icon that the connection with this name on `bus` offers.
    pub(crate) const fn new(bus: Connection, name: String) -> Self {
        Self { bus, name }
    }

    /// The pictures: width, height and ARGB32.
    #[must_use]
    pub fn pixmaps(&self) -> Vec<(i32, i32, Vec<u8>)> {
        self.item().get_property("IconPixmap").unwrap()
    }

    /// The description of the tooltip.
    #[must_use]
    pub fn tooltip(&self) -> String {
        type ToolTip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);
        let (_, _, title, description): ToolTip = self.item().get_property("ToolTip").unwrap();
        assert_eq!(title, "Ensafer");
        description
    }

    /// Waits until the tooltip is `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let mut last = String::new();
        wait::until_true(&format!("the tooltip becomes {text:?}"), || {
            last = self.tooltip();
            last == text
        });
    }

    /// A left click.
    pub fn activate(&self) {
        self.item().call::<_, _, ()>("Activate", &(0, 0)).unwrap();
    }

    /// The menu, from top to bottom.
    #[must_use]
    pub fn menu(&self) -> Vec<MenuLine> {
        let reply = self.layout();
        let body = reply.body();
        let layout: Structure<'_> = body.deserialize().unwrap();
        line(&layout.fields()[1]).below
    }

    /// Grows with every change of what lines the menu has.
    #[must_use]
    pub fn menu_revision(&self) -> u32 {
        revision(&self.layout())
    }

    fn layout(&self) -> Message {
        let nothing: &[&str] = &[];
        self.menu_proxy().call_method("GetLayout", &(0, -1, nothing)).unwrap()
    }

    /// The words of the menu, without separators and without what opens.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.menu().into_iter().map(|line| line.label).filter(|label| !label.is_empty()).collect()
    }

    /// Waits until these are the words of the menu, which follow the tooltip's.
    #[track_caller]
    pub fn wait_for_labels(&self, labels: &[&str]) {
        let mut last = Vec::new();
        wait::until_true(&format!("the menu becomes {labels:?}"), || {
            last = self.labels();
            last == labels
        });
    }

    /// Clicks at the end of `path`, which begins in the menu and goes on in what opens.
    #[track_caller]
    pub fn click(&self, path: &[&str]) {
        let line = wait::until(&format!("{path:?} is in the menu"), || find(self.menu(), path));
        assert!(line.is_enabled, "{path:?} cannot be clicked");
        // A panel does not wait for what comes of a click: it may be the end of the tray.
        let event = (line.id, "clicked", Value::from(0), 0_u32);
        self.menu_proxy().call_noreply("Event", &event).unwrap();
    }

    fn item(&self) -> Proxy<'static> {
        self.proxy(ITEM_PATH.to_owned(), ITEM_INTERFACE)
    }

    fn menu_proxy(&self) -> Proxy<'static> {
        let path: zbus::zvariant::OwnedObjectPath = self.item().get_property("Menu").unwrap();
        self.proxy(path.to_string(), MENU_INTERFACE)
    }

    fn proxy(&self, path: String, interface: &'static str) -> Proxy<'static> {
        let builder = zbus::blocking::proxy::Builder::new(&self.bus);
        let builder = builder.destination(self.name.clone()).unwrap().path(path).unwrap();
        // A panel may remember what it has read; a test wants to see what is there.
        let builder =
            builder.interface(interface).unwrap().cache_properties(zbus::proxy::CacheProperties::No);
        builder.build().unwrap()
    }
}

/// The line at the end of `path`.
fn find(lines: Vec<MenuLine>, path: &[&str]) -> Option<MenuLine> {
    let (label, rest) = path.split_first()?;
    let line = lines.into_iter().find(|line| line.label == *label)?;
    if rest.is_empty() { Some(line) } else { find(line.below, rest) }
}

/// A node of `GetLayout`: `(ia{sv}av)`.
fn line(node: &Value<'_>) -> MenuLine {
    let Value::Structure(node) = node else { panic!("no menu item: {node:?}") };
    let [Value::I32(id), Value::Dict(properties), Value::Array(below)] = node.fields() else {
        panic!("no menu item: {node:?}")
    };
    let properties: HashMap<String, Value<'_>> = properties.try_clone().unwrap().try_into().unwrap();
    let label =
        properties.get("label").map_or_else(String::new, |label| String::try_from(label.clone()).unwrap());
    let is_enabled = properties.get("enabled").is_none_or(|enabled| bool::try_from(enabled).unwrap());
    let inner = below.iter().map(|child| match child {
        Value::Value(child) => line(child),
        child => line(child),
    });
    MenuLine { id: *id, label: label.replace("__", "_"), is_enabled, below: inner.collect() }
}
