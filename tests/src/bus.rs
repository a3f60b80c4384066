//! A message bus of a test's own.

use std::process::Command;

use rustix::process::Signal;
use zbus::blocking::connection::Builder;

use crate::process::Running;
use crate::wait;

/// A bus, of a session or of a system: nothing but who uses it tells them apart. It ends when this is dropped.
#[derive(Debug)]
pub struct Bus {
    daemon: Running,
    address: String,
}

impl Bus {
    /// Starts a bus; `None`, with a word, where this machine has none.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&mut Command::new("dbus-daemon"))
    }

    /// Starts a bus in an environment of its own, which is that of the services that it starts.
    #[must_use]
    pub fn start_with(command: &mut Command) -> Option<Self> {
        if Command::new("dbus-daemon").arg("--version").output().is_err() {
            crate::skipped("no dbus-daemon");
            return None;
        }
        command.args(["--session", "--nofork", "--print-address=1"]);
        let daemon = Running::start(command);
        let address = wait::until("the bus says its address", || {
            let said = daemon.stdout_so_far();
            said.ends_with('\n').then(|| said.trim().to_owned())
        });
        Some(Self { daemon, address })
    }

    /// Where it is, as in `DBUS_SESSION_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection.
    pub fn connect(&self) -> Builder<'static> {
        Builder::address(self.address.as_str()).unwrap()
    }

    /// Ends it.
    pub fn end(self) {
        self.daemon.signal(Signal::TERM);
        self.daemon.finish();
    }
}
