//! Linux: StatusNotifierItem and its menu over D-Bus, xdg-open.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use ensafer_client::home::{Home, HomeError};
use ksni::blocking::{Handle, TrayMethods};
use ksni::menu::{StandardItem, SubMenu};
use ksni::{MenuItem, OfflineReason, ToolTip};
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator};
use zbus::names::BusName;

use crate::action::Action;
use crate::error::TrayError;
use crate::icon;
use crate::menu::{Item, menu};
use crate::scene::Scene;

mod bubbles;

pub use bubbles::Bubbles;

/// The bus name of whoever collects the icons for panels (StatusNotifierItem specification, "StatusNotifierWatcher").
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// What helps where files cannot be watched.
pub const WATCH_REMEDY: Option<&str> = Some("Raise fs.inotify.max_user_instances (sysctl)");

/// The thread that the program began with: the icon needs none of its own.
#[derive(Debug)]
pub struct MainThread(());

/// Runs `work`.
pub fn run<T>(work: impl FnOnce(&MainThread) -> T) -> T {
    work(&MainThread(()))
}

/// The icon in the panel. Clones are the same icon.
#[derive(Clone)]
pub struct Panel(Handle<Icon>);

impl Panel {
    /// Offers the icon to the panels of this session, those that start later too. Clicks go to `clicks`.
    ///
    /// # Errors
    /// [`TrayError::NoSession`] without a session bus.
    pub fn show(_: &MainThread, clicks: &Sender<Action>) -> Result<Self, TrayError> {
        let bus = Connection::session().map_err(|error| no_session(&error))?;
        let icon = || Icon { scene: Scene::new(), clicks: clicks.clone(), has_no_panel: Arc::default() };
        let mut shown = icon();
        loop {
            let has_no_panel = Arc::clone(&shown.has_no_panel);
            let spawned = shown.assume_sni_available(true).spawn();
            let handle = spawned.map_err(|error| no_session(&error))?;
            // A panel that came after the icon was offered, and before panels were waited for, was missed.
            if !has_no_panel.load(Ordering::SeqCst) || !has_watcher(&bus)? {
                end_with(bus);
                return Ok(Self(handle));
            }
            handle.shutdown().wait();
            shown = icon();
        }
    }

    /// Changes what is shown.
    pub fn change(&self, change: impl FnOnce(&mut Scene)) {
        // Without a service the process is about to end.
        let _ = self.0.update(|icon| change(&mut icon.scene));
    }
}

fn no_session(error: &dyn std::error::Error) -> TrayError {
    TrayError::NoSession(error.to_string())
}

fn has_watcher(bus: &Connection) -> Result<bool, TrayError> {
    let name = BusName::from_static_str(WATCHER).expect("it is a bus name");
    let has = DBusProxy::new(bus).and_then(|proxy| Ok(proxy.name_has_owner(name)?));
    has.map_err(|error| no_session(&error))
}

/// Ends the process with the session: a tray without a bus can neither show anything nor be clicked.
fn end_with(bus: Connection) {
    thread::spawn(move || {
        MessageIterator::from(bus).for_each(drop);
        std::process::exit(0);
    });
}

/// The icon as D-Bus sees it.
struct Icon {
    scene: Scene,
    clicks: Sender<Action>,
    has_no_panel: Arc<AtomicBool>,
}

impl Icon {
    fn click(&self, action: Action) {
        // Without a receiver the process is about to end.
        let _ = self.clicks.send(action);
    }
}

impl ksni::Tray for Icon {
    fn id(&self) -> String {
        "ensafer".to_owned()
    }

    fn title(&self) -> String {
        "Ensafer".to_owned()
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.click(Action::Open);
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        let pixmaps = icon::pixmaps(icon::name(&self.scene)).iter();
        let icon = |pixmap: &icon::Pixmap| ksni::Icon {
            width: pixmap.edge.into(),
            height: pixmap.edge.into(),
            data: pixmap.argb.to_vec(),
        };
        pixmaps.map(icon).collect()
    }

    fn tool_tip(&self) -> ToolTip {
        let lines: Vec<_> = [Some(self.scene.headline()), self.scene.trouble().map(str::to_owned)].into();
        let description = lines.into_iter().flatten().map(|line| escaped(&line)).collect::<Vec<_>>();
        ToolTip { title: "Ensafer".to_owned(), description: description.join("<br/>"), ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        menu(&self.scene).into_iter().map(menu_item).collect()
    }

    fn watcher_online(&self) {
        self.has_no_panel.store(false, Ordering::SeqCst);
    }

    fn watcher_offline(&self, _: OfflineReason) -> bool {
        if !self.has_no_panel.swap(true, Ordering::SeqCst) {
            let told = "No panel shows icons; the tray waits for one. On GNOME the extension AppIndicator does. \
                        Without any, ensafer open shows the window";
            // Nobody is left to be told that standard error is closed.
            let _ = writeln!(io::stderr().lock(), "{told}");
        }
        true
    }
}

/// The description of a tooltip is marked up (StatusNotifierItem specification, "Markup").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn menu_item(item: Item) -> MenuItem<Icon> {
    match item {
        Item::Text(text) => {
            StandardItem { label: label(&text), enabled: false, ..StandardItem::default() }.into()
        }
        Item::Click { label: text, action } => StandardItem {
            label: label(&text),
            activate: Box::new(move |icon: &mut Icon| icon.click(action.clone())),
            ..StandardItem::default()
        }
        .into(),
        Item::Submenu { label: text, items } => SubMenu {
            label: label(&text),
            submenu: items.into_iter().map(menu_item).collect(),
            ..SubMenu::default()
        }
        .into(),
        Item::Separator => MenuItem::Separator,
    }
}

/// In a menu an underscore marks the next letter; two are one.
fn label(text: &str) -> String {
    text.replace('_', "__")
}

/// The command that shows a directory in the desktop's file manager.
#[must_use]
pub fn open_command(directory: &Path) -> Command {
    let mut command = Command::new("xdg-open");
    command.arg(directory);
    command
}

/// Whether [`open_command`] has done it.
#[must_use]
pub fn has_opened(status: ExitStatus) -> bool {
    status.success()
}

/// A program that is started opens no terminal.
pub const fn without_terminal(command: &mut Command) -> &mut Command {
    command
}

/// The file that the one tray of `home` holds locked.
///
/// # Errors
/// Those of [`Home::create_socket_path`].
pub fn lock_file(home: &Home) -> Result<PathBuf, HomeError> {
    Ok(home.create_socket_path()?.with_extension("tray-lock"))
}

/// Runs `program` in place of this one, which has to end as soon as this returns.
///
/// # Errors
/// It cannot be run.
pub fn run_instead(program: &Path) -> io::Result<()> {
    Err(Command::new(program).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shown_as_they_are() {
        assert_eq!(label("my_folder"), "my__folder");
        assert_eq!(escaped("a<b> & c"), "a&lt;b&gt; &amp; c");
    }
}
