//! macOS: what is not as on Windows.

use std::process::{Command, Stdio};

use muda::{Menu, PredefinedMenuItem, Submenu};
use rustix::process::{Resource, Rlimit, setrlimit};
use wry::{WebViewBuilder, WebViewBuilderExtDarwin};

/// Keeps what is typed into the page out of this process's core dumps. WebKit's processes are not its children: macOS makes
/// dumps of neither unless somebody asks for them (`ulimit`, launchd).
pub fn forbid_core_dumps() {
    let limit = Rlimit { current: Some(0), maximum: Some(0) };
    // It can only be lowered, and is not higher than this where that fails.
    let _ = setrlimit(Resource::Core, limit);
}

/// The page's address for the web view.
pub fn outside(address: &str) -> String {
    address.to_owned()
}

/// An address of the web view's, as [`crate::address`] knows it.
pub fn inside(address: &str) -> String {
    address.to_owned()
}

/// Opens an address in the browser or the mail program.
pub fn open(address: &str) {
    let mut command = Command::new("open");
    let quiet = command.arg(address).stdin(Stdio::null()).stdout(Stdio::null());
    // It ends at once. Where it fails, macOS says so itself.
    let _ = quiet.status();
}

/// What only this system's web view has.
pub fn settings<'a>(view: WebViewBuilder<'a>, crashed: impl Fn() + 'static) -> WebViewBuilder<'a> {
    view.with_allow_link_preview(false).with_on_web_content_process_terminate_handler(crashed)
}

/// Gives the application the menu without which no key closes the window, copies or pastes.
pub fn have_menu() {
    let menu = Menu::new();
    // Without a menu there is still the mouse.
    if fill(&menu).is_ok() {
        menu.init_for_nsapp();
    }
    // It is there as long as the application.
    std::mem::forget(menu);
}

fn fill(menu: &Menu) -> muda::Result<()> {
    let application = Submenu::new("Ensafer", true);
    application.append_items(&[
        &PredefinedMenuItem::hide(None),
        &PredefinedMenuItem::separator(),
        &PredefinedMenuItem::quit(None),
    ])?;
    let edit = Submenu::new("Edit", true);
    edit.append_items(&[
        &PredefinedMenuItem::undo(None),
        &PredefinedMenuItem::redo(None),
        &PredefinedMenuItem::separator(),
        &PredefinedMenuItem::cut(None),
        &PredefinedMenuItem::copy(None),
        &PredefinedMenuItem::paste(None),
        &PredefinedMenuItem::select_all(None),
    ])?;
    let window = Submenu::new("Window", true);
    window.append_items(&[&PredefinedMenuItem::minimize(None), &PredefinedMenuItem::close_window(None)])?;
    menu.append_items(&[&application, &edit, &window])
}
