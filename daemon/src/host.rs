//! Names of this computer.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// `user@host` of this session, offered as the name of a local account.
#[must_use]
pub fn user_at_host() -> String {
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "user".to_owned());
    format!("{user}@{}", host_name())
}

/// The name of this computer.
#[must_use]
pub fn host_name() -> String {
    let system = rustix::system::uname();
    let host = OsStr::from_bytes(system.nodename().to_bytes()).to_string_lossy().into_owned();
    if host.is_empty() { "localhost".to_owned() } else { host }
}
