//! What a click does. Each runs on a thread of its own, because the daemon, or a program, may take its time.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

pub use ensafer_client::error::chain;
use ensafer_client::exit::Exit;
use ensafer_client::home::Home;
use ensafer_client::launch::{LaunchError, installed, launch};
use ensafer_client::local_api::{Client, ClientError};
use ensafer_client::screen::Screen;
use jiff::civil::Time;
use jiff::{SignedDuration, ToSpan, Zoned};

use crate::platform;
use crate::scene::{Link, Scene, Trouble};

/// "Tomorrow" begins at six in the morning: whoever pauses shortly before midnight means the night, too.
const MORNING: Time = jiff::civil::time(6, 0, 0, 0);

/// Something to click.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Opens the window, or raises it where it is.
    Open,
    /// Opens the window, or raises it, at a screen.
    Show(Screen),
    /// Opens a directory in the file manager.
    OpenDirectory(PathBuf),
    /// Begins syncing, with a daemon if there is none.
    Start,
    /// Stops syncing.
    Stop,
    /// Pauses syncing.
    Pause(PauseUntil),
    /// Ends the pause.
    Resume,
    /// Ends the daemon and launches the one of this installation.
    RestartDaemon,
    /// Runs the tray that is installed now in place of this one.
    RestartTray,
    /// Ends the tray.
    Quit,
}

/// When a pause ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseUntil {
    /// After an hour.
    InAnHour,
    /// At six in the next morning.
    Tomorrow,
}

impl PauseUntil {
    /// How long that is, from `now`, to the second.
    #[must_use]
    pub fn duration(self, now: &Zoned) -> Duration {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        match self {
            Self::InAnHour => HOUR,
            Self::Tomorrow => until_tomorrow(now).unwrap_or(12 * HOUR),
        }
    }
}

/// Nothing at the end of the calendar.
fn until_tomorrow(now: &Zoned) -> Option<Duration> {
    let tomorrow = now.date().checked_add(1.day()).ok()?;
    let end = tomorrow.to_datetime(MORNING).to_zoned(now.time_zone().clone()).ok()?;
    let seconds = SignedDuration::try_from(end.since(now).ok()?).ok()?.as_secs();
    Some(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// How a program ends that the dynamic loader could not make ready, because a library is missing (ld.so(8)).
const NOT_LOADED: i32 = 127;

/// What actions are done with.
#[derive(Debug, Clone)]
pub struct Means {
    home: Home,
    ensafer: PathBuf,
    window: PathBuf,
}

impl Means {
    /// The daemon of `home`, and the `ensafer` and `ensafer-window` that are installed beside this program, else those
    /// on the `PATH`.
    #[must_use]
    pub fn new(home: Home) -> Self {
        Self { home, ensafer: installed("ensafer"), window: installed("ensafer-window") }
    }

    /// Launches the daemon if none runs.
    ///
    /// # Errors
    /// Why none came.
    pub fn launch(&self) -> Result<Client, Trouble> {
        let launched = match Client::connect_if_running(&self.home) {
            Ok(Some(client)) => return Ok(client),
            Ok(None) => launch(&self.home, &self.ensafer),
            Err(error) => Err(error.into()),
        };
        launched.map_err(|error| of_launch(&error))
    }

    /// Does what was clicked, and says in the scene what came of it. [`Action::Quit`] and [`Action::RestartTray`] are
    /// whoever runs the tray's.
    pub fn perform(&self, action: &Action, change: impl Fn(&mut dyn FnMut(&mut Scene))) {
        change(&mut Scene::clicked);
        if let Err(trouble) = self.try_to(action, &change) {
            change(&mut |scene| scene.failed(trouble.clone()));
        }
    }

    fn try_to(&self, action: &Action, change: &impl Fn(&mut dyn FnMut(&mut Scene))) -> Result<(), Trouble> {
        match action {
            Action::Open => self.open(&[]),
            Action::Show(screen) => self.open(&["--screen", screen.name()]),
            Action::OpenDirectory(directory) => open_directory(directory),
            Action::Start => self.start(change),
            Action::Stop => self.daemon()?.stop().map_err(|error| of_client(&error)),
            Action::Pause(until) => {
                let duration = until.duration(&Zoned::now());
                self.daemon()?.pause(Some(duration)).map_err(|error| of_client(&error))
            }
            Action::Resume => self.daemon()?.resume(None).map_err(|error| of_client(&error)),
            Action::RestartDaemon => {
                let ended = self.daemon().and_then(|daemon| {
                    daemon
                        .quit()
                        .and_then(|()| daemon.wait_for_end(&self.home))
                        .map_err(|error| of_client(&error))
                });
                // One that ended by itself meanwhile is what was wanted.
                ended.or_else(|trouble| if trouble.is_of_connection { Ok(()) } else { Err(trouble) })?;
                self.launch_visibly(change).map(drop)
            }
            Action::RestartTray | Action::Quit => Ok(()),
        }
    }

    /// Runs the window until it is closed, and says why where it fails. Where it is not installed, or one of its libraries
    /// is not, the browser shows the same.
    fn open(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let window = &mut Command::new(&self.window);
        match output(window.args(arguments)) {
            Ok(output) if output.status.code() != Some(NOT_LOADED) => outcome(window, &output),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(trouble(not_run(window, &error))),
            _ => run(Command::new(&self.ensafer).arg("open").args(arguments)),
        }
    }

    fn start(&self, change: &impl Fn(&mut dyn FnMut(&mut Scene))) -> Result<(), Trouble> {
        self.launch_visibly(change)?.start().map_err(|error| of_client(&error))
    }

    /// Launches the daemon if none runs.
    fn launch_visibly(&self, change: &impl Fn(&mut dyn FnMut(&mut Scene))) -> Result<Client, Trouble> {
        change(&mut |scene| {
            if scene.live().is_none() {
                scene.linked(Link::Starting);
            }
        });
        let launched = self.launch();
        if launched.is_err() {
            change(&mut Scene::not_launched);
        }
        launched
    }

    fn daemon(&self) -> Result<Client, Trouble> {
        Client::connect(&self.home).map_err(|error| of_client(&error))
    }
}

fn open_directory(directory: &Path) -> Result<(), Trouble> {
    if !directory.is_dir() {
        return Err(trouble(format!("{} is not there", directory.display())));
    }
    let command = &mut platform::open_command(directory);
    match output(command) {
        Ok(output) if platform::has_opened(output.status) => Ok(()),
        Ok(output) => outcome(command, &output),
        Err(error) => Err(trouble(not_run(command, &error))),
    }
}

/// Runs a program to its end, in the session that the tray is in.
fn run(command: &mut Command) -> Result<(), Trouble> {
    match output(command) {
        Ok(output) => outcome(command, &output),
        Err(error) => Err(trouble(not_run(command, &error))),
    }
}

fn output(command: &mut Command) -> io::Result<Output> {
    let command = platform::without_terminal(command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()
}

/// What a program that has ended came to. Libraries may have warned of something before it said why it fails.
fn outcome(command: &Command, output: &Output) -> Result<(), Trouble> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = || said.lines().map(str::trim);
    let why = lines().find_map(|line| line.strip_prefix("Error: "));
    let first = || lines().find(|line| !line.is_empty());
    let silent = || format!("{} failed ({})", name(command), output.status);
    Err(trouble(why.or_else(first).map_or_else(silent, str::to_owned)))
}

fn not_run(command: &Command, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        format!("{} is not installed", name(command))
    } else {
        format!("{} cannot be run: {error}", name(command))
    }
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).display().to_string()
}

fn of_launch(error: &LaunchError) -> Trouble {
    let words = if error.ended_with(Exit::AlreadyRunning) {
        "Another Ensafer command is at work; try again when it is done".to_owned()
    } else {
        match error.remedy() {
            Some(remedy) => format!("{}. {remedy}", chain(error)),
            None => chain(error),
        }
    };
    trouble(words)
}

fn of_client(error: &ClientError) -> Trouble {
    let is_of_connection =
        matches!(error, ClientError::NotRunning | ClientError::Http(_) | ClientError::Connect { .. });
    Trouble { is_of_connection, ..trouble(chain(error)) }
}

const fn trouble(text: String) -> Trouble {
    Trouble { text, is_of_connection: false }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn tomorrow_begins_in_the_morning() {
        let at = |day, hour| date(2026, 12, day).at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        for (now, expected) in [(at(30, 22), 8), (at(30, 0), 30), (at(31, 23), 7)] {
            assert_eq!(PauseUntil::Tomorrow.duration(&now), hours(expected), "{now}");
        }
        // Clocks go forward at one in the morning of this day in Western Europe.
        let west = TimeZone::posix("WET0WEST,M3.5.0/1,M10.5.0").unwrap();
        let now = date(2026, 3, 28).at(23, 0, 0, 0).to_zoned(west).unwrap();
        assert_eq!(PauseUntil::Tomorrow.duration(&now), hours(6));
        assert_eq!(PauseUntil::InAnHour.duration(&now), hours(1));
    }

    #[test]
    fn programs_that_fail_say_why() {
        run(&mut Command::new("true")).unwrap();
        let text = |command: &mut Command| run(command).unwrap_err().text;
        assert_eq!(
            text(&mut Command::new("no-such-program-at-all")),
            "no-such-program-at-all is not installed"
        );
        assert!(text(&mut Command::new("false")).starts_with("false failed (exit status: 1"));
        let script = "echo >&2; echo 'Error: no way' >&2; exit 1";
        assert_eq!(text(Command::new("sh").args(["-c", script])), "no way");
        let script = "echo 'Gtk-WARNING: a theme' >&2; echo 'Error: no display' >&2; exit 5";
        assert_eq!(text(Command::new("sh").args(["-c", script])), "no display");
    }

    #[test]
    fn a_directory_that_is_gone_is_named() {
        let trouble = open_directory(Path::new("/no/such/place")).unwrap_err();
        assert_eq!(trouble.text, "/no/such/place is not there");
    }
}
