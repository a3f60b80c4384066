//! A display without a screen: Xvfb with a window manager, and what a person sees and does there, by xdotool and import.

use std::process::{Command, Stdio};

use crate::process::{self, Running, is_running_program};
use crate::wait;

/// A display of the test's own. It ends when this is dropped.
#[derive(Debug)]
pub struct Display {
    name: String,
    // The window manager goes first.
    _manager: Running,
    _server: Running,
}

/// A window of `ensafer-window`'s that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its number in X.
    pub id: String,
    /// Whose it is.
    pub process: u32,
    /// What its frame says.
    pub title: String,
}

impl Display {
    /// Starts a display; `None`, with a word, where this machine has none.
    #[must_use]
    pub fn start() -> Option<Self> {
        if !process::are_installed(&["Xvfb", "openbox", "xdotool", "import"]) {
            return None;
        }
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset"]);
        let server = Running::start(&mut command);
        let number = wait::until("the display says its number", || {
            let said = server.stdout_so_far();
            said.ends_with('\n').then(|| said.trim().to_owned())
        });
        let name = format!(":{number}");
        let manager = Running::start(Command::new("openbox").env("DISPLAY", &name));
        let display = Self { name, _manager: manager, _server: server };
        wait::until_true("the window manager is there", || {
            display.xdotool(&["get_desktop"]).is_some_and(|desktop| !desktop.is_empty())
        });
        Some(display)
    }

    /// Gives `command` this display.
    pub fn enter(&self, command: &mut Command) {
        command.env("DISPLAY", &self.name);
    }

    /// The windows of Ensafer's that are shown.
    #[must_use]
    pub fn windows(&self) -> Vec<Shown> {
        let ids = self.xdotool(&["search", "--onlyvisible", "--name", "."]).unwrap_or_default();
        ids.lines().filter_map(|id| self.window(id)).collect()
    }

    fn window(&self, id: &str) -> Option<Shown> {
        let process = self.xdotool(&["getwindowpid", id])?.trim().parse().ok()?;
        let title = self.xdotool(&["getwindowname", id])?.trim().to_owned();
        is_running_program(process, "ensafer-window").then(|| Shown { id: id.to_owned(), process, title })
    }

    /// Waits until there is one window, with `title`.
    #[track_caller]
    pub fn wait_for(&self, title: &str) -> Shown {
        let mut last = Vec::new();
        let shown = wait::until(&format!("one window is shown: {title:?}"), || {
            last = self.windows();
            (last.len() == 1 && last[0].title == title).then(|| last.remove(0))
        });
        assert!(self.windows().len() == 1);
        shown
    }

    /// The window that has the keyboard.
    #[must_use]
    pub fn active(&self) -> String {
        self.xdotool(&["getactivewindow"]).unwrap_or_default().trim().to_owned()
    }

    /// Presses keys, one after the other, in the window that has the keyboard.
    pub fn press(&self, keys: &[&str]) {
        let arguments: Vec<&str> = ["key"].into_iter().chain(keys.iter().copied()).collect();
        self.xdotool(&arguments).expect("keys can be pressed");
    }

    /// Clicks once with the left (1) or right (3) button.
    pub fn click(&self, button: u8, [x, y]: [u16; 2]) {
        let [x, y, button] = [x.to_string(), y.to_string(), button.to_string()];
        self.xdotool(&["mousemove", &x, &y, "click", &button]).expect("the mouse can be moved and clicked");
    }

    /// Moves the mouse away from what it may point at, to the lower right corner.
    pub fn leave(&self) {
        self.xdotool(&["mousemove", "1279", "1023"]).expect("the mouse can be moved");
    }

    /// The upper edges of the windows that are shown and belong to a program called `program`.
    #[must_use]
    pub fn tops_of(&self, program: &str) -> Vec<u16> {
        let name = format!("^{program}$");
        let ids = self.xdotool(&["search", "--onlyvisible", "--name", &name]).unwrap_or_default();
        let top = |id: &str| {
            let geometry = self.xdotool(&["getwindowgeometry", "--shell", id])?;
            geometry.lines().find_map(|line| line.strip_prefix("Y=")?.parse().ok())
        };
        ids.lines().filter_map(top).collect()
    }

    /// Types `text` into the window that has the keyboard.
    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--clearmodifiers", text]).expect("text can be typed");
    }

    /// Waits until a window called `title` has the keyboard, whatever else is shown.
    #[track_caller]
    pub fn wait_for_dialog(&self, title: &str) {
        wait::until_true(&format!("{title:?} has the keyboard"), || {
            let active = self.active();
            self.windows().iter().any(|shown| shown.id == active && shown.title == title)
        });
    }

    /// What is on the display, as pixels.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        self.picture_of("1280x1024+0+0")
    }

    /// What is in a part of the display (WIDTHxHEIGHT+X+Y), as pixels of red, green and blue.
    #[must_use]
    pub fn picture_of(&self, part: &str) -> Vec<u8> {
        let mut command = Command::new("import");
        command.args(["-window", "root", "-crop", part, "-depth", "8", "rgb:-"]).env("DISPLAY", &self.name);
        command.stderr(Stdio::inherit()).output().unwrap().stdout
    }

    /// What xdotool says; `None` where it finds nothing.
    fn xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("xdotool").args(arguments).env("DISPLAY", &self.name).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
