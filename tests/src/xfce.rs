//! Xfce's panel, with nothing but icons on it: what a person sees of the tray, and clicks.

use std::path::{Path, PathBuf};
use std::process::Command;

use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, Proxy};
use zbus::names::BusName;

use crate::desktop::set_home;
use crate::panel_menu::PanelMenu;
use crate::process::{self, Running};
use crate::{Desktop, Display, TrayItem, wait};

/// The panel's thickness: room for the icon in the largest size that the tray has, which is shown as it is.
const THICKNESS: u16 = 72;
const ICON_EDGE: i32 = 64;
/// Where the only icon is, at the left end of the panel at the top.
const ICON: &str = "64x64+5+4";
const ICON_MIDDLE: [u16; 2] = [37, 36];
/// The program that runs the part of the panel with the icons; its windows are called so.
const PART: &str = "wrapper-2.0";
/// Who collects the icons, on the bus.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The panel, which is white. It ends when this is dropped.
#[derive(Debug)]
pub struct XfcePanel<'d> {
    display: &'d Display,
    bus: Connection,
    menu: PanelMenu,
    _panel: Running,
}

impl<'d> XfcePanel<'d> {
    /// Starts it in `desktop`, which lives in `home`, and waits until it collects icons; `None`, with a word, where this
    /// machine has none.
    #[must_use]
    pub fn start(desktop: &Desktop, display: &'d Display, home: &Path) -> Option<Self> {
        if !process::are_installed(&["xfce4-panel", "xfconf-query"]) {
            return None;
        }
        let session = Session { home: home.into(), bus: desktop.bus().address().to_owned() };
        session.set_up_panel();
        let mut command = session.command("xfce4-panel");
        display.enter(&mut command);
        let panel = Running::start(command.arg("--disable-wm-check"));
        let bus = desktop.bus().connect().build().unwrap();
        let names = DBusProxy::new(&bus).unwrap();
        let watcher = BusName::from_static_str(WATCHER).unwrap();
        let owner = wait::until("the panel collects icons", || names.get_name_owner(watcher.clone()).ok());
        let menu = PanelMenu::listen(desktop.bus(), &owner);
        Some(Self { display, bus, menu, _panel: panel })
    }

    /// Waits for the icon that is offered.
    #[track_caller]
    #[must_use]
    pub fn item(&self) -> TrayItem {
        let name = wait::until("an icon is offered", || {
            // A bus name and a path.
            self.items().first().and_then(|item| Some(item.split_once('/')?.0.to_owned()))
        });
        TrayItem::new(self.bus.clone(), name)
    }

    /// Waits until the icon on the panel is, pixel for pixel, the one that `item` has now.
    #[track_caller]
    pub fn wait_for_icon(&self, item: &TrayItem) {
        // Under the mouse, it is on another ground.
        self.display.leave();
        wait::until_true("the panel shows the icon", || {
            is_on_white(&self.display.picture_of(ICON), &largest(item))
        });
    }

    /// Opens the menu with one click of the right button, goes down to the line `label` and presses Enter.
    #[track_caller]
    pub fn choose(&self, item: &TrayItem, label: &str) {
        self.menu.wait_for(item.menu_revision());
        // Who answers now has read what came before.
        let _ = self.items();
        let opened_count = self.menu.opened_count();
        self.display.click(3, ICON_MIDDLE);
        wait::until_true("a menu is open", || self.is_menu_open());
        wait::until_true("it is the tray's", || self.menu.opened_count() > opened_count);
        let lines = item.menu().into_iter().filter(|line| line.is_enabled && !line.label.is_empty());
        let number =
            1 + lines.map(|line| line.label).position(|line| line == label).expect("it is in the menu");
        self.display.press(&vec!["Down"; number]);
        self.display.press(&["Return"]);
        wait::until_true("the menu is closed", || !self.is_menu_open());
    }

    fn is_menu_open(&self) -> bool {
        self.display.tops_of(PART).contains(&THICKNESS)
    }

    fn items(&self) -> Vec<String> {
        let builder = zbus::blocking::proxy::Builder::<Proxy<'_>>::new(&self.bus);
        let builder = builder.destination(WATCHER).unwrap().path("/StatusNotifierWatcher").unwrap();
        let builder = builder.interface(WATCHER).unwrap().cache_properties(zbus::proxy::CacheProperties::No);
        builder.build().unwrap().get_property("RegisteredStatusNotifierItems").unwrap()
    }
}

/// ARGB of the picture that a panel of this thickness shows.
fn largest(item: &TrayItem) -> Vec<u8> {
    let all = item.pixmaps();
    all.into_iter().find(|(width, ..)| *width == ICON_EDGE).expect("the tray has this size").2
}

/// Whether `picture`, in RGB, is `icon`, in ARGB, before a white ground.
fn is_on_white(picture: &[u8], icon: &[u8]) -> bool {
    /// What rounding twice may come to: colours are multiplied by alpha in between.
    const ROUNDING: u8 = 2;
    let is_alike = |seen: &[u8], sent: &[u8]| {
        let [alpha, colours @ ..] = sent else { return false };
        let mixed = |colour: u8| {
            let [alpha, colour] = [u16::from(*alpha), u16::from(colour)];
            u8::try_from((alpha * colour + (255 - alpha) * 255 + 127) / 255).unwrap()
        };
        seen.iter().zip(colours).all(|(seen, colour)| seen.abs_diff(mixed(*colour)) <= ROUNDING)
    };
    picture.len() / 3 == icon.len() / 4
        && picture.chunks_exact(3).zip(icon.chunks_exact(4)).all(|(seen, sent)| is_alike(seen, sent))
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

    /// A panel at the top, with nothing but icons.
    fn set_up_panel(&self) {
        let thickness = THICKNESS.to_string();
        let icon_edge = ICON_EDGE.to_string();
        for (property, kind, value) in [
            ("/configver", "int", "2"),
            ("/panels/panel-1/position", "string", "p=6;x=0;y=0"),
            ("/panels/panel-1/position-locked", "bool", "true"),
            ("/panels/panel-1/length", "uint", "100"),
            ("/panels/panel-1/size", "uint", &thickness),
            ("/panels/panel-1/background-style", "uint", "1"),
            ("/plugins/plugin-1", "string", "systray"),
            ("/plugins/plugin-1/square-icons", "bool", "true"),
            ("/plugins/plugin-1/icon-size", "int", &icon_edge),
        ] {
            self.set(&["--property", property, "--type", kind, "--set", value]);
        }
        for list in ["/panels", "/panels/panel-1/plugin-ids"] {
            self.set(&["--property", list, "--force-array", "--type", "int", "--set", "1"]);
        }
        let white = ["--type", "double", "--set", "1"].repeat(4);
        self.set(&[&["--property", "/panels/panel-1/background-rgba"], &white[..]].concat());
    }

    /// A setting of the panel's.
    fn set(&self, arguments: &[&str]) {
        let mut command = self.command("xfconf-query");
        process::run(command.args(["--channel", "xfce4-panel", "--create"]).args(arguments)).expect(0);
    }
}
