//! A terminal with somebody at its keyboard: what `ensafer` shows there, what it asks, and what it hides.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use pty_process::blocking;
use rustix::termios::{LocalModes, tcgetattr};

use crate::process::{DEADLINE, exit_code};
use crate::wait;

/// A program at a pseudo-terminal of its own, which is its standard streams and its `/dev/tty`. It is killed when this
/// is dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
    /// Up to where of `shown` the test has read.
    read_bytes: usize,
    /// What was typed and must not be seen.
    hidden: Vec<String>,
}

impl Terminal {
    /// Starts `command` at a new terminal.
    #[track_caller]
    #[must_use]
    pub fn start(command: Command) -> Self {
        let (pty, its_end) = blocking::open().unwrap();
        let child = blocking::Command::from(command).spawn(its_end).unwrap();
        let keyboard = File::from(OwnedFd::from(pty));
        let (screen, thread_pty) = (channel(), keyboard.try_clone().unwrap());
        thread::spawn(move || copy(thread_pty, |bytes| screen.0.send(bytes).is_ok()));
        Self { child, keyboard, screen: screen.1, shown: String::new(), read_bytes: 0, hidden: Vec::new() }
    }

    /// Waits until `text` is shown behind what was waited for before, and takes all up to its end for read.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        let began = Instant::now();
        loop {
            if let Some(at) = self.shown[self.read_bytes..].find(text) {
                self.read_bytes += at + text.len();
                return self;
            }
            let left = wait::PATIENCE.saturating_sub(began.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.show(&bytes),
                Err(why) => panic!("{text:?} is missing ({why}) from what was shown:\n{}", self.shown),
            }
        }
    }

    /// Types a line where what is typed must not be seen: waits until the terminal shows nothing of it.
    #[track_caller]
    pub fn type_hidden(&mut self, line: &str) -> &mut Self {
        wait::until_true("the terminal hides what is typed", || !self.echoes());
        self.hidden.push(line.to_owned());
        self.type_keys(&format!("{line}\n"))
    }

    /// Types a line where what is typed is seen.
    #[track_caller]
    pub fn type_line(&mut self, line: &str) -> &mut Self {
        wait::until_true("the terminal shows what is typed", || self.echoes());
        self.type_keys(&format!("{line}\n")).expect(line)
    }

    /// Waits for the end, checks the exit code and that nothing hidden was seen, and gives all that was ever shown.
    #[track_caller]
    pub fn finish(&mut self, code: i32) -> String {
        let began = Instant::now();
        // The sender goes with the last process that has the terminal.
        while let Ok(bytes) = self.screen.recv_timeout(DEADLINE.saturating_sub(began.elapsed())) {
            self.show(&bytes);
        }
        let ended = wait::until("the program at the terminal ends", || self.child.try_wait().unwrap());
        assert_eq!(exit_code(ended), code, "exit code, after it showed:\n{}", self.shown);
        for secret in self.hidden.iter().filter(|secret| !secret.is_empty()) {
            assert!(!self.shown.contains(secret), "{secret:?} is seen in what was shown:\n{}", self.shown);
        }
        std::mem::take(&mut self.shown)
    }

    #[track_caller]
    fn type_keys(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Both ends of a pseudo-terminal have the same modes (pty(7)).
    fn echoes(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn show(&mut self, bytes: &[u8]) {
        // Ensafer's own texts end a chunk anywhere, but what the tests look for is ASCII.
        self.shown += &String::from_utf8_lossy(bytes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on what is shown until nobody has the terminal any more (then Linux answers EIO), or nobody looks.
fn copy(mut pty: File, mut pass: impl FnMut(Vec<u8>) -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = pty.read(&mut bytes) {
        if !pass(bytes[..count].to_vec()) {
            return;
        }
    }
}
