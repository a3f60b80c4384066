//! macOS and Windows: a frame of tao's with the system's own web view in it (wry). One instance for each home, by a lock and a
//! socket.

use ensafer_client::exit::Exit;
use ensafer_client::home::Home;
use ensafer_client::screen::Screen;
use rfd::{MessageButtons, MessageDialog, MessageDialogResult, MessageLevel};
use tao::dpi::LogicalSize;
use tao::event::{Event, WindowEvent};
use tao::event_loop::{ControlFlow, EventLoopBuilder, EventLoopProxy, EventLoopWindowTarget};
use tao::platform::run_return::EventLoopExtRunReturn;
use tao::window::{Window, WindowBuilder};
use wry::WebView;

use self::download::Downloads;
use self::instance::Instance;
use crate::error::WindowError;
use crate::{address, daemon};

mod download;
mod instance;
#[cfg(target_os = "macos")]
mod macos;
mod page;
mod stream;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "macos")]
use macos as system;
#[cfg(windows)]
use windows as system;

pub use system::forbid_core_dumps;

const TITLE: &str = "Ensafer";

/// What shows the page's three columns, in logical pixels, and what it still fits into.
const SIZE: LogicalSize<u32> = LogicalSize::new(960, 720);
const SMALLEST: LogicalSize<u32> = LogicalSize::new(320, 240);

/// What the main thread is asked: it alone may touch the window and what is in it.
#[derive(Debug)]
enum Request {
    /// A second start: to raise the window, at a screen if it names one.
    Raise(Option<Screen>),
    /// To run a script in the page.
    Evaluate(String),
    /// To show the page's title.
    Title(String),
    /// The page itself did not come, because the daemon gives no answer.
    Unanswered,
    /// The page's process has ended.
    Crashed,
    /// A file that the page has made lies where it was downloaded to from this address; or it does not.
    Downloaded(String, bool),
}

/// Who asks the main thread.
#[derive(Debug, Clone)]
struct MainThread(EventLoopProxy<Request>);

impl MainThread {
    fn ask(&self, request: Request) {
        // Without a loop the process is about to end.
        let _ = self.0.send_event(request);
    }
}

/// Looks for a display.
///
/// # Errors
/// None here: these systems have one, or show the window where nobody sees it.
pub const fn find_display() -> Result<(), WindowError> {
    Ok(())
}

/// Shows the window of `home` until it is closed; where one is open already, raises that and returns. `screen` is shown
/// if it is given; an open window stays where it is otherwise.
///
/// # Errors
/// There is no daemon for a new window, and nobody wants to try again; or there can be no window.
pub fn show(home: &Home, screen: Option<Screen>) -> Result<Exit, WindowError> {
    let Some(instance) = Instance::take(home)? else {
        return instance::raise_other(home, screen).map(|()| Exit::Success);
    };
    let mut events = EventLoopBuilder::with_user_event().build();
    let main = MainThread(events.create_proxy());
    // What a second start wishes for while this one asks whether to try again is done after that.
    instance.listen(&main)?;
    insist_on_daemon(home)?;
    let mut frame = Frame::new(home, &events, &main, screen)?;
    let mut ended = Ok(Exit::Success);
    events.run_return(|event, _, flow| {
        *flow = ControlFlow::Wait;
        match event {
            Event::UserEvent(request) => match frame.answer(request) {
                Ok(true) => {}
                Ok(false) => *flow = ControlFlow::Exit,
                Err(error) => {
                    ended = Err(error);
                    *flow = ControlFlow::Exit;
                }
            },
            Event::WindowEvent { event: WindowEvent::CloseRequested, .. } => *flow = ControlFlow::Exit,
            _ => {}
        }
    });
    ended
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
    let text = [Some(error.chain()), error.remedy().map(str::to_owned)];
    let text: Vec<String> = text.into_iter().flatten().collect();
    let asked = MessageDialog::new()
        .set_level(MessageLevel::Error)
        .set_title(TITLE)
        // Windows has buttons with these words for every program; others need a manifest in it.
        .set_description(format!("{}\n\nTry again?", text.join("\n\n")))
        .set_buttons(MessageButtons::YesNo);
    asked.show() == MessageDialogResult::Yes
}

/// The one window.
struct Frame {
    home: Home,
    window: Window,
    view: WebView,
    downloads: Downloads,
}

impl Frame {
    fn new(
        home: &Home,
        events: &EventLoopWindowTarget<Request>,
        main: &MainThread,
        screen: Option<Screen>,
    ) -> Result<Self, WindowError> {
        let window = WindowBuilder::new()
            .with_title(TITLE)
            .with_inner_size(SIZE)
            .with_min_inner_size(SMALLEST)
            .build(events)
            .map_err(|error| WindowError::NoWindow(error.to_string()))?;
        system::have_menu();
        let downloads = Downloads::new(home);
        let view = page::show(home, &window, main, &downloads, screen.unwrap_or_default())
            .map_err(|error| WindowError::NoWindow(error.to_string()))?;
        Ok(Self { home: home.clone(), window, view, downloads })
    }

    /// Does what was asked; whether the window stays open.
    fn answer(&mut self, request: Request) -> Result<bool, WindowError> {
        match request {
            Request::Raise(screen) => self.raise(screen),
            Request::Evaluate(script) => self.evaluate(&script),
            Request::Title(title) if title.is_empty() => {}
            Request::Title(title) => self.window.set_title(&title),
            Request::Unanswered => {
                insist_on_daemon(&self.home)?;
                self.reload();
            }
            Request::Crashed => {
                if !ask_to_try_again(&WindowError::Crashed) {
                    return Ok(false);
                }
                self.reload();
            }
            Request::Downloaded(address, is_whole) => {
                if self.downloads.keep(&address, is_whole, &self.window) {
                    self.evaluate(download::SAVED);
                }
            }
        }
        Ok(true)
    }

    fn raise(&self, screen: Option<Screen>) {
        if let Some(screen) = screen {
            // A page that cannot be left shows what it showed.
            let _ = self.view.load_url(&system::outside(&address::of_screen(screen)));
        }
        self.window.set_minimized(false);
        self.window.set_focus();
    }

    fn evaluate(&self, script: &str) {
        // A page that is gone wants none.
        let _ = self.view.evaluate_script(script);
    }

    fn reload(&self) {
        // As above.
        let _ = self.view.reload();
    }
}
