//! What a process asks of its user's session and of its computer, on Linux and macOS alike.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::platform::Privacy;

/// Where the environment has the user's name.
pub const USER_VARIABLES: [&str; 2] = ["USER", "LOGNAME"];

/// Leaves the session of the terminal, so that closing it does not end this process.
pub fn leave_terminal() {
    // Fails only where this process leads a session already, which is what is wanted.
    let _ = rustix::process::setsid();
}

/// Wishes that this process ends: Ctrl-C, `kill`, the end of the session.
#[derive(Debug)]
pub struct Terminations {
    interrupt: Signal,
    terminate: Signal,
}

impl Terminations {
    /// From now on they do not end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// Signals cannot be received.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The name of this computer; empty if it has none.
#[must_use]
pub fn host_name() -> String {
    let system = rustix::system::uname();
    OsStr::from_bytes(system.nodename().to_bytes()).to_string_lossy().into_owned()
}

/// Name and version of the system's kernel.
#[must_use]
pub fn kernel() -> (String, String) {
    let system = rustix::system::uname();
    (system.sysname().to_string_lossy().into_owned(), system.release().to_string_lossy().into_owned())
}

/// Whom a file or directory is for.
///
/// # Errors
/// It is not there, or cannot be looked at.
pub fn privacy(path: &Path) -> io::Result<Privacy> {
    let found = fs::metadata(path)?;
    Ok(if found.uid() != rustix::process::geteuid().as_raw() {
        Privacy::OfAnother
    } else if found.mode() & 0o077 != 0 {
        Privacy::Open { remedy: format!("chmod 700 '{}'", path.display()) }
    } else {
        Privacy::Own
    })
}

/// Bytes that this user can still write to the file system of `path`.
///
/// # Errors
/// It cannot be looked at.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Renames a file to a name that must be free, by the system's own promise. `false` where the file system gives none; then
/// nothing is done.
///
/// # Errors
/// It is not there, the other is, or it must not be renamed.
pub fn rename_by_promise(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(error) if super::is_unsupported(error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
