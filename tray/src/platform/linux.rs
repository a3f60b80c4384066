//! Linux: StatusNotifierItem and its menu over D-Bus, inotify, xdg-open.

use std::ffi::CStr;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use ksni::blocking::{Handle, TrayMethods};
use ksni::menu::{StandardItem, SubMenu};
use ksni::{MenuItem, OfflineReason, ToolTip};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator};
use zbus::names::BusName;

use crate::action::Action;
use crate::error::TrayError;
use crate::icon;
use crate::menu::{Item, menu};
use crate::scene::Scene;

/// The bus name of whoever collects the icons for panels (StatusNotifierItem specification, "StatusNotifierWatcher").
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// Room for a few events of inotify(7): 16 bytes and a name of at most 256 bytes each.
const EVENTS_BYTES: usize = 4096;

/// The icon in the panel. Clones are the same icon.
#[derive(Clone)]
pub struct Panel(Handle<Icon>);

impl Panel {
    /// Offers the icon to the panels of this session, those that start later too. Clicks go to `clicks`.
    ///
    /// # Errors
    /// [`TrayError::NoSession`] without a session bus.
    pub fn show(clicks: &Sender<Action>) -> Result<Self, TrayError> {
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

/// Tells when a file is written, made or replaced.
#[derive(Debug)]
pub struct FileWatch {
    events: OwnedFd,
    path: PathBuf,
}

impl FileWatch {
    /// Watches `path`, which need not exist, in a directory that does. What happens from now on is not missed.
    ///
    /// # Errors
    /// The directory is not there, or the limits of inotify(7) are reached.
    pub fn new(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let events = inotify::init(CreateFlags::CLOEXEC)?;
        let of_file = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let of_directory = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&events, directory, of_file | of_directory)?;
        Ok(Self { events, path: path.to_path_buf() })
    }

    /// Sleeps until something happened to it, or to its directory; no longer than `limit`, where there is one.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let end = limit.map(|limit| Instant::now() + limit);
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(&self.events, &mut buffer);
        loop {
            if reader.is_buffer_empty() && !self.has_events_by(end)? {
                return Ok(());
            }
            let event = match reader.next() {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            let name = event.file_name().map(CStr::to_bytes);
            let is_it = |name: &[u8]| self.path.file_name().is_some_and(|own| own.as_encoded_bytes() == name);
            if name.is_none_or(is_it) {
                return Ok(());
            }
        }
    }

    /// Sleeps until there are events to read; `false` where `end` came first.
    fn has_events_by(&self, end: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.events, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_watched_file_need_not_be_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("daemon.lock");
        let watch = FileWatch::new(&path).unwrap();
        let (sender, seen) = mpsc::channel();
        let waiting = thread::spawn(move || {
            watch.wait(None).unwrap();
            sender.send(()).unwrap();
        });
        fs::write(root.path().join("another"), b"x").unwrap();
        assert!(seen.try_recv().is_err(), "another file is none of its business");
        fs::write(&path, b"x").unwrap();
        waiting.join().unwrap();
        seen.recv().unwrap();
    }

    #[test]
    fn what_happened_since_the_beginning_is_not_missed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("daemon.lock");
        fs::write(&path, b"x").unwrap();
        let watch = FileWatch::new(&path).unwrap();
        fs::write(&path, b"").unwrap();
        watch.wait(None).unwrap();
    }

    #[test]
    fn a_wait_ends_by_itself_where_it_is_limited() {
        let root = tempfile::tempdir().unwrap();
        let watch = FileWatch::new(&root.path().join("daemon.lock")).unwrap();
        fs::write(root.path().join("another"), b"x").unwrap();
        watch.wait(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    fn words_are_shown_as_they_are() {
        assert_eq!(label("my_folder"), "my__folder");
        assert_eq!(escaped("a<b> & c"), "a&lt;b&gt; &amp; c");
    }
}
