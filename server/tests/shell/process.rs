//! Starts the program.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::Address;

/// The program, with nothing of this process's environment that is a setting.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ensafer-server"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ENSAFER_SERVER_"))
    {
        command.env_remove(name);
    }
    command
}

/// Runs a verb to its end.
pub fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

/// What a verb that must fail says.
pub fn refusal(arguments: &[&str]) -> String {
    let output = run(arguments);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {words}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed to standard output");
    words
}

/// What a verb that must succeed prints.
pub fn answer(arguments: &[&str]) -> String {
    answer_and_log(arguments).0
}

/// The same, and what it logs.
pub fn answer_and_log(arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    let [answer, log] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {log}");
    (answer, log)
}

/// A running server, killed when it is dropped.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    /// The line that it printed.
    pub line: String,
    /// The log up to now.
    pub log: String,
    directory: TempDir,
}

impl Server {
    /// Starts one on a free port with its data in a new directory, and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    pub fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(directory.path().join("data"));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        if stdout.read_line(&mut line).unwrap() == 0 {
            let mut words = String::new();
            stderr.read_to_string(&mut words).unwrap();
            panic!("the server did not start: {words}");
        }
        Self { child, stdout, stderr, line, log: String::new(), directory }
    }

    pub fn address(&self) -> Address {
        let url = self.line.trim().strip_prefix("listening on ").unwrap();
        url.split_once("://").unwrap().1.parse().unwrap()
    }

    /// The data directory.
    pub fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the log until `words` come.
    pub fn wait_for(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "no {words:?} in {}", self.log);
            self.log += &line;
            if line.contains(words) {
                return;
            }
        }
    }

    /// Waits for the end; gives the status and what was printed after the first line. The log is read to its end.
    pub fn wait(mut self) -> (ExitStatus, String, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut self.log).unwrap();
        self.stdout.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        (status, rest, std::mem::take(&mut self.log))
    }

    /// Ends it as an administrator does; gives the log.
    pub fn end(self) -> String {
        self.signal(Signal::TERM);
        let (status, rest, log) = self.wait();
        assert!(status.success() && rest.is_empty(), "{status}: {rest}: {log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
