//! macOS and Windows: the icon and its menu by tray-icon. Both systems show such things on the main thread only, and tao's
//! event loop runs there; everything else runs beside it, and asks it.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use ensafer_client::home::{Home, HomeError};
use tao::event::Event;
use tao::event_loop::{ControlFlow, EventLoopBuilder, EventLoopProxy};
use tao::platform::run_return::EventLoopExtRunReturn;
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{MouseButton, MouseButtonState, TrayIconEvent};

use self::icon::Icon;
use crate::action::Action;
use crate::error::TrayError;
use crate::scene::Scene;

mod icon;
mod lines;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "macos")]
use macos as system;
#[cfg(windows)]
use windows as system;

pub use system::{Bubbles, has_opened, open_command, without_terminal};

/// What helps where files cannot be watched: these systems set no limit of their own.
pub const WATCH_REMEDY: Option<&str> = None;

/// The thread that the program began with, which alone shows the icon.
#[derive(Clone)]
pub struct MainThread(EventLoopProxy<Request>);

/// What the main thread is asked.
enum Request {
    /// To offer the icon, and to say whether that has worked.
    Show(Panel, Sender<Action>, Sender<Result<(), TrayError>>),
    /// To look at the scene, which has changed.
    Look,
    /// To find out what was clicked in the menu.
    Clicked(MenuId),
    /// To end.
    End,
}

/// Runs `work` on a thread of its own, and what the system wants of the main thread on this one, until `work` is done.
pub fn run<T: Send + 'static>(work: impl FnOnce(&MainThread) -> T + Send + 'static) -> T {
    let mut events = EventLoopBuilder::with_user_event().build();
    system::stay_in_background(&mut events);
    let main = MainThread(events.create_proxy());
    let work = thread::spawn(move || {
        let end = EndAtLast(main);
        work(&end.0)
    });
    let mut icon = None;
    events.run_return(|event, _, flow| {
        *flow = ControlFlow::Wait;
        match event {
            Event::UserEvent(Request::Show(panel, clicks, shown)) => {
                let made = Icon::show(panel.scene, clicks).map(|made| icon = Some(made));
                let made = made.map_err(|error| TrayError::NoSession(error.to_string()));
                // Whoever has asked waits for it, or the process is about to end.
                let _ = shown.send(made);
            }
            Event::UserEvent(Request::Look) => icon.iter_mut().for_each(Icon::look),
            Event::UserEvent(Request::Clicked(id)) => icon.iter().for_each(|icon| icon.click(&id)),
            Event::UserEvent(Request::End) => *flow = ControlFlow::Exit,
            // macOS: the application was opened again.
            Event::Reopen { .. } => icon.iter().for_each(Icon::open),
            _ => {}
        }
    });
    drop(icon);
    work.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Ends the main thread's loop when the work is over, however it ends.
struct EndAtLast(MainThread);

impl Drop for EndAtLast {
    fn drop(&mut self) {
        self.0.ask(Request::End);
    }
}

impl MainThread {
    fn ask(&self, request: Request) {
        // Without a loop the process is about to end.
        let _ = self.0.send_event(request);
    }
}

/// The icon in the panel. Clones are the same icon.
#[derive(Clone)]
pub struct Panel {
    scene: Arc<Mutex<Scene>>,
    main: MainThread,
}

impl Panel {
    /// Shows the icon. Clicks go to `clicks`.
    ///
    /// # Errors
    /// [`TrayError::NoSession`] where the system takes none.
    pub fn show(main: &MainThread, clicks: &Sender<Action>) -> Result<Self, TrayError> {
        listen(main, clicks);
        let panel = Self { scene: Arc::new(Mutex::new(Scene::new())), main: main.clone() };
        let (sender, shown) = mpsc::channel();
        main.ask(Request::Show(panel.clone(), clicks.clone(), sender));
        let gone = || Err(TrayError::NoSession("the event loop has ended".to_owned()));
        shown.recv().unwrap_or_else(|_| gone()).map(|()| panel)
    }

    /// Changes what is shown.
    pub fn change(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut lock(&self.scene));
        self.main.ask(Request::Look);
    }
}

/// Has what is clicked told to the main thread, or to `clicks` where nothing has to be looked up.
fn listen(main: &MainThread, clicks: &Sender<Action>) {
    let (clicks, main) = (clicks.clone(), main.clone());
    TrayIconEvent::set_event_handler(Some(move |event| {
        let (left, up) = (MouseButton::Left, MouseButtonState::Up);
        if matches!(event, TrayIconEvent::Click { button, button_state, .. } if button == left && button_state == up)
        {
            // Without a receiver the process is about to end.
            let _ = clicks.send(Action::Open);
        }
    }));
    MenuEvent::set_event_handler(Some(move |event: MenuEvent| main.ask(Request::Clicked(event.id))));
}

fn lock(scene: &Mutex<Scene>) -> MutexGuard<'_, Scene> {
    scene.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file that the one tray of `home` holds locked.
///
/// # Errors
/// None here.
pub fn lock_file(home: &Home) -> Result<PathBuf, HomeError> {
    Ok(home.data_dir().join("tray.lock"))
}

/// Runs `program` in place of this one, which has to end as soon as this returns: neither system lets a program with an
/// event loop become another one.
///
/// # Errors
/// It cannot be run.
pub fn run_instead(program: &Path) -> io::Result<()> {
    Command::new(program).spawn().map(drop)
}
