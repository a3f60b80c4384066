//! Linux: a frame of GTK's with WebKit's page in it. One instance for each home and session bus, by `GApplication`.

mod download;
mod page;
mod style;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ensafer_client::exit::Exit;
use ensafer_client::home::Home;
use ensafer_client::screen::Screen;
use gtk::gio::{ApplicationFlags, Cancellable, SimpleAction};
use gtk::prelude::*;
use gtk::{
    Application, ApplicationWindow, ButtonsType, DialogFlags, MessageDialog, MessageType, ResponseType, glib,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use webkit2gtk::{WebView, WebViewExt};

use crate::error::WindowError;
use crate::{address, daemon};

/// Name of the icon in the desktop's theme, and of the desktop file, by which panels know whose the window is.
const NAME: &str = "ensafer";
const TITLE: &str = "Ensafer";

/// What shows the page's three columns, in logical pixels, and what it still fits into.
const SIZE: (i32, i32) = (960, 720);
const SMALLEST: (i32, i32) = (320, 240);

/// Keeps what is typed into the page out of core dumps: this process's and those of WebKit's, which inherit the limit.
///
/// A limit of one byte, because core(5) ignores a limit of none where a program collects the dumps. Making the process
/// undumpable instead would hide `/proc/PID/root`, by which the desktop's portals know their callers.
pub fn forbid_core_dumps() {
    let limit = Rlimit { current: Some(1), maximum: Some(1) };
    // It can only be lowered, and is not higher than this where that fails.
    let _ = setrlimit(Resource::Core, limit);
}

/// Looks for a display.
///
/// # Errors
/// [`WindowError::NoDisplay`].
pub fn find_display() -> Result<(), WindowError> {
    glib::set_prgname(Some(NAME));
    glib::set_application_name(TITLE);
    gtk::init().map_err(|_| WindowError::NoDisplay)
}

/// Looks for a daemon until there is one, or somebody has seen why there is none and gives up.
///
/// # Errors
/// Those of [`daemon::find`].
fn insist_on_daemon(home: &Home) -> Result<(), WindowError> {
    loop {
        match daemon::find(home) {
            Err(error) if ask_to_try_again(&error) => {}
            found => return found,
        }
    }
}

/// Shows what went wrong, and waits; whether to try again.
fn ask_to_try_again(error: &WindowError) -> bool {
    let nobody: Option<&gtk::Window> = None;
    let dialog = MessageDialog::new(
        nobody,
        DialogFlags::empty(),
        MessageType::Error,
        ButtonsType::None,
        &error.chain(),
    );
    dialog.set_title(TITLE);
    dialog.set_icon_name(Some(NAME));
    dialog.set_secondary_text(error.remedy());
    dialog.add_button("_Close", ResponseType::Close);
    dialog.add_button("_Try Again", ResponseType::Accept);
    dialog.set_default_response(ResponseType::Accept);
    let response = dialog.run();
    dialog.hide();
    // What comes next may take its time.
    while gtk::events_pending() {
        gtk::main_iteration();
    }
    response == ResponseType::Accept
}

/// Shows the window of `home` until it is closed; where one is open already, raises that and returns. `screen` is shown
/// if it is given; an open window stays where it is otherwise.
///
/// # Errors
/// There is no daemon for a new window, and nobody wants to try again.
pub fn show(home: &Home, screen: Option<Screen>) -> Result<Exit, WindowError> {
    let application = Application::builder()
        .application_id(format!("org.ensafer.Window.h{}", home.digest()))
        .flags(ApplicationFlags::HANDLES_COMMAND_LINE)
        .build();
    let has_daemon = Rc::new(Cell::new(false));
    // What a second start wished for while this one still asked whether to try again.
    let wished = Rc::new(Cell::new(None));
    let (asking, is_ready, frame) = (home.clone(), Rc::clone(&has_daemon), RefCell::new(None));
    let wish = Rc::clone(&wished);
    application.connect_command_line(move |application, line| {
        let asked = line.arguments().get(1).and_then(|name| name.to_str()?.parse().ok());
        // Before, the question whether to try again is what there is to see.
        if is_ready.get() {
            frame.borrow_mut().get_or_insert_with(|| Frame::new(application, &asking)).raise(asked);
        } else {
            wish.set(asked.or(wish.get()));
        }
        0
    });
    let nothing: Option<&Cancellable> = None;
    if let Err(error) = application.register(nothing) {
        glib::g_warning!("ensafer", "whether a window is open cannot be found: {error}");
    }
    // A window that is open already asks the daemon itself, and is raised also while that does not answer.
    if !application.is_remote() {
        insist_on_daemon(home)?;
        has_daemon.set(true);
    }
    let name = wished.get().or(screen).map(Screen::name);
    let arguments: Vec<&str> = ["ensafer-window"].into_iter().chain(name).collect();
    Ok(match application.run_with_args(&arguments).value() {
        0 => Exit::Success,
        _ => Exit::Error,
    })
}

/// The one window.
struct Frame {
    window: ApplicationWindow,
    view: WebView,
}

impl Frame {
    fn new(application: &Application, home: &Home) -> Self {
        let window = ApplicationWindow::builder()
            .application(application)
            .title(TITLE)
            .icon_name(NAME)
            .default_width(SIZE.0)
            .default_height(SIZE.1)
            .build();
        close_by_keyboard(application, &window);
        style::follow();
        let view = page::show(home, &window);
        view.set_size_request(SMALLEST.0, SMALLEST.1);
        window.add(&view);
        window.show_all();
        Self { window, view }
    }

    fn raise(&self, screen: Option<Screen>) {
        if self.view.uri().is_none() || screen.is_some() {
            self.view.load_uri(&address::of_screen(screen.unwrap_or_default()));
        }
        self.window.present();
    }
}

fn close_by_keyboard(application: &Application, window: &ApplicationWindow) {
    let close = SimpleAction::new("close", None);
    let closed = window.downgrade();
    close.connect_activate(move |_, _| {
        if let Some(window) = closed.upgrade() {
            window.close();
        }
    });
    window.add_action(&close);
    application.set_accels_for_action("win.close", &["<Primary>w", "<Primary>q"]);
}
