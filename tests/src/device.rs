//! A device: a home of its own, hence keys, state and a daemon of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde_json::Value;

use crate::bus::Bus;
use crate::keyring::Keyring;
use crate::process::{
    DEADLINE, Finished, Running, ensafer, is_root, is_running_program, kill_at_once, processes_with, run,
};
use crate::{Terminal, wait};

/// The password of every account of the tests; tests look for it where it must not be.
pub const PASSWORD: &str = "correct horse battery";

/// One installation of Ensafer, with a folder if it was given one.
#[derive(Debug)]
pub struct Device {
    /// `ENSAFER_HOME`
    pub home: PathBuf,
    /// The directory with ordinary files.
    pub work: PathBuf,
    /// The directory with `.ensafer` files.
    pub encrypted: PathBuf,
    program: PathBuf,
    password_command: String,
    system_bus: Option<String>,
    keyring: Option<String>,
}

impl Device {
    /// A device without account and folder.
    #[must_use]
    pub fn bare(home: &Path) -> Self {
        fs::create_dir_all(home).unwrap();
        Self {
            home: home.into(),
            work: PathBuf::new(),
            encrypted: PathBuf::new(),
            program: ensafer(),
            password_command: format!("printf \"{PASSWORD}\""),
            system_bus: None,
            keyring: None,
        }
    }

    /// The same device on which somebody types another password.
    #[must_use]
    pub fn with_password_command(&self, command: &str) -> Self {
        Self {
            home: self.home.clone(),
            work: self.work.clone(),
            encrypted: self.encrypted.clone(),
            program: self.program.clone(),
            password_command: command.into(),
            system_bus: self.system_bus.clone(),
            keyring: self.keyring.clone(),
        }
    }

    /// From now on this is the computer's system bus; else there is none.
    pub fn join_system_bus(&mut self, bus: &Bus) {
        self.system_bus = Some(bus.address().to_owned());
    }

    /// From now on this device's keys are kept in `keyring`; else they are sealed under the password.
    pub fn keep_keys_in(&mut self, keyring: &Keyring) {
        self.keyring = Some(keyring.address().to_owned());
    }

    /// `ensafer` with `arguments` on this device. The environment is empty but for what belongs to the device, so that
    /// neither the user's own Ensafer nor the user's own keyring is touched.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.set_environment(&mut command);
        command.args(arguments);
        command
    }

    /// Gives `command` this device's environment and nothing else.
    pub fn set_environment(&self, command: &mut Command) {
        // The machine's own battery and network are none of a test's business.
        let none = format!("unix:path={}", self.user_home().join("no-system-bus").display());
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            // Nothing may be written there; a test looks.
            .env("HOME", self.user_home())
            .env("ENSAFER_HOME", &self.home)
            .env("ENSAFER_PASSWORD_COMMAND", &self.password_command)
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.system_bus.as_ref().unwrap_or(&none))
            .env("ENSAFER_PBKDF2_ITERATIONS", "600000");
        match &self.keyring {
            Some(address) => command.env("DBUS_SESSION_BUS_ADDRESS", address),
            None => command.env("ENSAFER_KEYRING", "off"),
        };
    }

    /// What the program takes for the user's home directory. It does not exist, and nothing should make it.
    #[must_use]
    pub fn user_home(&self) -> PathBuf {
        self.home.with_extension("user")
    }

    /// Runs a verb to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments))
    }

    /// Runs a verb that must succeed, and reads its `--json` document.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let with_json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(&with_json).expect(0).json()
    }

    /// Runs a verb to its end in a richer environment, while somebody types `lines` wherever it asks for one.
    #[track_caller]
    pub fn answer(&self, arguments: &[&str], variables: &[(&str, &str)], lines: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        let typed: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Running::start_with_input(&mut command, typed.as_bytes()).finish()
    }

    /// Starts a verb at a terminal, where nothing but its keyboard knows a password.
    #[track_caller]
    #[must_use]
    pub fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        let mut command = self.command(arguments);
        command.env_remove("ENSAFER_PASSWORD_COMMAND");
        Terminal::start(command)
    }

    /// Makes a new account on a key server.
    #[track_caller]
    pub fn register(&self, email: &str, server: &str) -> Finished {
        self.run(&["register", "--email", email, "--server", server])
    }

    /// Logs in to an account on a key server.
    #[track_caller]
    pub fn log_in(&self, email: &str, server: &str) -> Finished {
        self.run(&["login", "--email", email, "--server", server])
    }

    /// Starts a verb.
    #[track_caller]
    pub fn start_verb(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// `folder add` with this device's directories.
    #[track_caller]
    pub fn add_folder(&self) -> Finished {
        self.run(&["folder", "add", text(&self.work), text(&self.encrypted)])
    }

    /// `sync --once`, whatever its exit code.
    #[track_caller]
    pub fn sync(&self) -> Finished {
        self.sync_within(DEADLINE)
    }

    /// `sync --once` with a lot of data.
    #[track_caller]
    pub fn sync_within(&self, deadline: Duration) -> Finished {
        self.start_verb(&["sync", "--once"]).finish_within(deadline)
    }

    /// `sync --once`, which must leave nothing to be done and no problem. Conflicts may wait for a decision.
    #[track_caller]
    pub fn settle(&self) {
        self.sync().expect_any(&[0, 4]);
    }

    /// What `problems --json` lists, as pairs of class and object or path, sorted.
    #[track_caller]
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let list = self.json(&["problems"]);
        let mut found: Vec<_> =
            list.as_array().expect("a list of problems").iter().map(class_and_subject).collect();
        found.sort();
        found
    }

    /// Starts the daemon and waits until both sides were observed and nothing is left to do.
    #[track_caller]
    pub fn start_daemon(&self) {
        self.run(&["start"]).expect(0);
        self.wait_for_state("up-to-date");
    }

    /// The state that `status --json` shows.
    #[track_caller]
    #[must_use]
    pub fn state(&self) -> String {
        self.json(&["status"])["state"].as_str().expect("a state").to_owned()
    }

    /// Waits until `status --json` shows `state`.
    #[track_caller]
    pub fn wait_for_state(&self, state: &str) {
        let mut last = String::new();
        wait::until_true(&format!("{} becomes {state}", self.home.display()), || {
            last = self.state();
            last == state
        });
    }

    /// The processes of `ensafer` on this home.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        // Nobody but root looks into a process that leaves no core dump: then the daemon's own word is what there is.
        if is_root() {
            processes_with("ensafer", "ENSAFER_HOME", &self.home)
        } else {
            self.recorded_daemon().into_iter().collect()
        }
    }

    /// The daemon that recorded itself in this home, if it still runs.
    fn recorded_daemon(&self) -> Option<u32> {
        let record = fs::read(self.home.join("data/daemon.lock")).ok()?;
        let record: Value = serde_json::from_slice(&record).ok()?;
        let id = u32::try_from(record["process_id"].as_u64()?).ok()?;
        is_running_program(id, "ensafer").then_some(id)
    }

    /// Kills the daemon, as a power failure does.
    pub fn kill_daemon(&self) {
        for id in self.processes() {
            kill_at_once(id);
        }
    }

    /// A path in the work folder.
    #[must_use]
    pub fn at(&self, relative: &str) -> PathBuf {
        self.work.join(relative)
    }

    /// Writes a file in the work folder, making its directories.
    #[track_caller]
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.at(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    }

    /// The text of a file in the work folder, if it is there.
    #[must_use]
    pub fn read(&self, relative: &str) -> Option<String> {
        fs::read(self.at(relative)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until a file of the work folder has this content.
    #[track_caller]
    pub fn wait_for_content(&self, relative: &str, content: &str) {
        let what = format!("{} holds {content:?}", self.at(relative).display());
        wait::until_true(&what, || self.read(relative).as_deref() == Some(content));
    }

    /// Waits until nothing is at this place of the work folder.
    #[track_caller]
    pub fn wait_for_absence(&self, relative: &str) {
        let what = format!("{} is gone", self.at(relative).display());
        wait::until_true(&what, || self.at(relative).symlink_metadata().is_err());
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill_daemon();
    }
}

/// The variable by which somebody types `password` where a password is asked for.
#[must_use]
pub fn typing(password: &str) -> (&'static str, String) {
    ("ENSAFER_PASSWORD_COMMAND", format!("printf '%s' '{password}'"))
}

/// The account key and the recovery key that `register --account-key` printed, each behind its label.
#[track_caller]
#[must_use]
pub fn printed_keys(made: &Finished) -> [&str; 2] {
    let lines: Vec<&str> = made.stdout.lines().collect();
    let keys = match lines[..] {
        [first, second] => first.strip_prefix("account key: ").zip(second.strip_prefix("recovery key: ")),
        _ => None,
    };
    keys.unwrap_or_else(|| panic!("both keys are printed with their labels: {made}")).into()
}

/// A path as an argument; the tests' own paths are UTF-8.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' own paths are UTF-8")
}

fn class_and_subject(problem: &Value) -> (String, String) {
    for field in ["class", "since", "what", "remedy"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field} is missing from {problem}"
        );
    }
    let subject = problem["object"].as_str().or(problem["path"].as_str()).expect("an object or a path");
    (problem["class"].as_str().expect("checked above").to_owned(), subject.to_owned())
}
