//! A desktop session's keyring of a test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;
use zbus::blocking::Proxy;
use zbus::blocking::fdo::DBusProxy;

use crate::bus::Bus;
use crate::process::{self, Running};
use crate::wait;

/// A bus with an unlocked GNOME Keyring on it, as after a log-in to the desktop. Both end when this is dropped.
///
/// A device on it opens its keys without a password, hence without a second's work at each command: what a test that is
/// not about passwords spends most of its time with.
#[derive(Debug)]
pub struct Keyring {
    _daemon: Running,
    bus: Bus,
    _directory: TempDir,
}

impl Keyring {
    /// Starts one; `None`, with a word, where this machine has no such keyring.
    #[must_use]
    pub fn start() -> Option<Self> {
        if !process::are_installed(&["gnome-keyring-daemon"]) {
            return None;
        }
        let bus = Bus::start()?;
        // Not below the build's directory: a socket's path is short.
        let directory = tempfile::Builder::new().prefix("ensafer-keyring-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new("gnome-keyring-daemon");
        command
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .env("HOME", directory.path())
            .env_remove("XDG_DATA_HOME")
            .env("XDG_RUNTIME_DIR", directory.path());
        let daemon = Running::start_with_input(&mut command, b"ci");
        let keyring = Self { _daemon: daemon, bus, _directory: directory };
        wait::until("the keyring is unlocked", || keyring.is_locked().filter(|locked| !locked));
        Some(keyring)
    }

    /// Where its bus is, as in `DBUS_SESSION_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.bus.address()
    }

    /// `None` while it is not there yet. A bus starts another one for whoever asks before.
    fn is_locked(&self) -> Option<bool> {
        let connection = self.bus.connect().build().ok()?;
        let service = "org.freedesktop.secrets";
        let is_there = DBusProxy::new(&connection).ok()?.name_has_owner(service.try_into().ok()?).ok()?;
        if !is_there {
            return None;
        }
        let (path, interface) =
            ("/org/freedesktop/secrets/aliases/default", "org.freedesktop.Secret.Collection");
        Proxy::new(&connection, service, path, interface).ok()?.get_property("Locked").ok()
    }
}
