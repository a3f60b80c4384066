//! The icon as the system sees it. It lives on the main thread.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use tray_icon::menu::MenuId;
use tray_icon::{TrayIcon, TrayIconBuilder};

use super::lines::Lines;
use super::{lock, system};
use crate::action::Action;
use crate::icon;
use crate::menu::{Item, menu};
use crate::scene::Scene;

/// What Windows takes of a tooltip, in units of UTF-16 (`szTip` of NOTIFYICONDATAW, without its final zero).
const TOOLTIP_UNITS: usize = 127;

/// The icon, and what of it is shown.
pub struct Icon {
    tray: TrayIcon,
    scene: Arc<Mutex<Scene>>,
    clicks: Sender<Action>,
    picture: &'static str,
    tooltip: String,
    lines: Lines,
    /// The menu that was offered before: it may be open, and would go under the hand that is in it.
    earlier: Option<Lines>,
}

impl Icon {
    /// Shows `scene`, and how it changes whenever [`look`](Self::look) is called. What is clicked in the menu goes to `clicks`.
    ///
    /// # Errors
    /// The system takes no icon.
    pub fn show(
        scene: Arc<Mutex<Scene>>,
        clicks: Sender<Action>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let (picture, tooltip, items) = parts(&lock(&scene));
        let lines = Lines::of(items)?;
        let tray = TrayIconBuilder::new()
            .with_icon(draw(picture)?)
            .with_tooltip(&tooltip)
            .with_menu(lines.offered())
            // A left click opens the window.
            .with_menu_on_left_click(false)
            .build()?;
        Ok(Self { tray, scene, clicks, picture, tooltip, lines, earlier: None })
    }

    /// Shows what has changed. What the system does not take now is tried with the next change.
    pub fn look(&mut self) {
        let (picture, tooltip, items) = parts(&lock(&self.scene));
        let set = |icon| self.tray.set_icon(Some(icon)).is_ok();
        if picture != self.picture && draw(picture).is_ok_and(set) {
            self.picture = picture;
        }
        if tooltip != self.tooltip && self.tray.set_tooltip(Some(&tooltip)).is_ok() {
            self.tooltip = tooltip;
        }
        let Err(items) = self.lines.change_words(items) else { return };
        if let Ok(lines) = Lines::of(items) {
            self.tray.set_menu(Some(lines.offered()));
            self.earlier = Some(std::mem::replace(&mut self.lines, lines));
        }
    }

    /// Does what was clicked in the menu.
    pub fn click(&self, id: &MenuId) {
        let earlier = || self.earlier.as_ref().and_then(|lines| lines.action(id));
        if let Some(action) = self.lines.action(id).or_else(earlier) {
            // Without a receiver the process is about to end.
            let _ = self.clicks.send(action.clone());
        }
    }

    /// Opens the window.
    pub fn open(&self) {
        // As above.
        let _ = self.clicks.send(Action::Open);
    }
}

/// The name of the picture, the tooltip and the menu.
fn parts(scene: &Scene) -> (&'static str, String, Vec<Item>) {
    (icon::name(scene), tooltip(scene), menu(scene))
}

fn tooltip(scene: &Scene) -> String {
    let headline = scene.headline();
    let lines: Vec<&str> = ["Ensafer", &headline].into_iter().chain(scene.trouble()).collect();
    let mut room = TOOLTIP_UNITS;
    let fits = |letter: &char| {
        let left = room.checked_sub(letter.len_utf16());
        room = left.unwrap_or_default();
        left.is_some()
    };
    lines.join("\n").chars().take_while(fits).collect()
}

fn draw(picture: &str) -> Result<tray_icon::Icon, Box<dyn std::error::Error>> {
    let fitting = icon::pixmaps(picture).iter().find(|pixmap| pixmap.edge >= system::ICON_EDGE);
    let pixmap = fitting.ok_or("there is no such icon")?;
    Ok(tray_icon::Icon::from_rgba(pixmap.rgba(), pixmap.edge.into(), pixmap.edge.into())?)
}
