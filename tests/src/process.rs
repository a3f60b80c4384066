//! Child processes: started, watched, killed by their own id, never waited for without end.

use std::fs::{self, File};
use std::io::Seek;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// After this long a command that should have ended is killed, and its test fails.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The `ensafer` program under test: `ENSAFER_BIN`, or the one that the same build put beside this test's own
/// executable.
#[must_use]
pub fn ensafer() -> PathBuf {
    if let Some(given) = env::var_os("ENSAFER_BIN") {
        return given.into();
    }
    of_this_build("ensafer")
}

/// The `ensafer-tray` program of the same build.
#[must_use]
pub fn ensafer_tray() -> PathBuf {
    of_this_build("ensafer-tray")
}

/// The `ensafer-window` program of the same build.
#[must_use]
pub fn ensafer_window() -> PathBuf {
    of_this_build("ensafer-window")
}

fn of_this_build(program: &str) -> PathBuf {
    let built = target_directory().join(program);
    assert!(built.exists(), "{} is not there: run `cargo build --workspace` first", built.display());
    built
}

/// Where cargo put the programs of this build: `target/debug`, as a rule.
#[must_use]
pub fn target_directory() -> PathBuf {
    let own = env::current_exe().unwrap();
    let directory = own.parent().unwrap();
    if directory.ends_with("deps") { directory.parent().unwrap().into() } else { directory.into() }
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The most memory that it held at once, in KiB (`VmHWM` of proc(5)), as last seen while it ran.
    pub peak_kib: u64,
    /// From start to end.
    pub elapsed: Duration,
    command: String,
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Checks the exit code against several.
    #[track_caller]
    pub fn expect_any(self, codes: &[i32]) -> Self {
        assert!(codes.contains(&self.code), "exit code not in {codes:?} of {self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON ({e}): {self}"))
    }

    /// Whether `text` occurs in what it said, on either stream.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// Checks that `text` occurs in what it said, on either stream.
    #[track_caller]
    pub fn expect_says(self, text: &str) -> Self {
        assert!(self.says(text), "{text:?} is missing from {self}");
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, elapsed, stdout, stderr, .. } = self;
        write!(
            f,
            "{command}\n(ended with {code} after {elapsed:?})\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---"
        )
    }
}

/// A process that this test started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    began: Instant,
    peak_kib: u64,
    command: String,
}

impl Running {
    /// Starts `command` without standard input.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_input(command, b"")
    }

    /// Starts `command` with `input` as standard input. What it prints goes to files, so that a daemon which inherits
    /// them keeps nobody waiting.
    #[track_caller]
    pub fn start_with_input(command: &mut Command, input: &[u8]) -> Self {
        let stdin = if input.is_empty() {
            Stdio::null()
        } else {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, input).unwrap();
            file.rewind().unwrap();
            file.into()
        };
        let stdout = tempfile::tempfile().unwrap();
        let stderr = tempfile::tempfile().unwrap();
        command.stdin(stdin).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let shown = shown(command);
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
        Self { child, stdout, stderr, began: Instant::now(), peak_kib: 0, command: shown }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.peak_kib = peak_memory_kib(self.child.id()).unwrap_or(self.peak_kib);
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn stdout_so_far(&self) -> String {
        read_all(&self.stdout)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn stderr_so_far(&self) -> String {
        read_all(&self.stderr)
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: Signal) {
        // A process that has ended meanwhile is what the signal was for.
        let _ = kill_process(pid(self.child.id()), signal);
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        self.end_at_once();
    }

    /// Waits for its end, at most [`DEADLINE`].
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.finish_within(DEADLINE)
    }

    /// Waits for its end; after `deadline` it is killed and the test fails.
    #[track_caller]
    pub fn finish_within(mut self, deadline: Duration) -> Finished {
        while self.is_running() {
            if self.began.elapsed() > deadline {
                self.end_at_once();
                let seen = self.report(ExitStatus::from_raw(9));
                panic!("still ran after {deadline:?}: {seen}");
            }
            thread::sleep(LOOK_EVERY);
        }
        let status = self.child.wait().unwrap();
        self.report(status)
    }

    fn report(&self, status: ExitStatus) -> Finished {
        Finished {
            code: exit_code(status),
            stdout: read_all(&self.stdout),
            stderr: read_all(&self.stderr),
            peak_kib: self.peak_kib,
            elapsed: self.began.elapsed(),
            command: self.command.clone(),
        }
    }

    fn end_at_once(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_at_once();
    }
}

/// The exit code; 128 and the signal's number where a signal ended it.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// The program and its arguments, without the environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ")
}

/// Whether this machine has all of `programs`; a word about the first that it lacks.
#[must_use]
pub fn are_installed(programs: &[&str]) -> bool {
    let is_there = |program: &str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
        found.status.success()
    };
    let missing = programs.iter().find(|program| !is_there(program));
    if let Some(program) = missing {
        crate::skipped(&format!("no {program}"));
    }
    missing.is_none()
}

/// Starts `command` and waits for its end, at most [`DEADLINE`].
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    Running::start(command).finish()
}

/// The most memory that the process `id` ever held at once, in KiB; `None` once it has ended.
#[must_use]
pub fn peak_memory_kib(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The processes of `program` in whose environment `variable` is `directory`. That is a fresh temporary directory, so
/// nobody else's process can be among them.
#[must_use]
pub fn processes_with(program: &str, variable: &str, directory: &Path) -> Vec<u32> {
    let wanted = format!("{variable}={}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let ours = environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
        if ours && runs(&entry.path(), program) {
            found.push(id);
        }
    }
    found
}

/// Also true where the program's file was replaced meanwhile, of which the kernel tells by a suffix.
fn runs(process: &Path, program: &str) -> bool {
    let Ok(file) = fs::read_link(process.join("exe")) else { return false };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(" (deleted)").unwrap_or(&name) == program
}

/// Ends the process `id` at once, as a crash does, and waits until it is gone.
pub fn kill_at_once(id: u32) {
    if kill_process(pid(id), Signal::KILL).is_ok() {
        crate::wait::until_true("the killed process is gone", || has_ended(id));
    }
}

/// Whether `id` has ended with all of its threads: a zombie that nobody has waited for yet has, too.
fn has_ended(id: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { return true };
    let is_dead = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']));
    // The first thread is a zombie while others still hold files and sockets.
    is_dead && fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count) <= 1
}

/// Whether `id` runs and is called `name`.
#[must_use]
pub fn is_running_program(id: u32, name: &str) -> bool {
    let called = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    called.trim_end() == name && !has_ended(id)
}

/// Whether these tests run as the superuser, whom no permission bit stops.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

fn read_all(file: &File) -> String {
    use std::os::unix::fs::FileExt;

    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
