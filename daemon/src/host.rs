//! Names of this computer.

use std::env;

use crate::platform;

/// `user@host` of this session, offered as the name of a local account.
#[must_use]
pub fn user_at_host() -> String {
    let user = platform::USER_VARIABLES.iter().find_map(|variable| env::var(variable).ok());
    let user = user.unwrap_or_else(|| "user".to_owned());
    format!("{user}@{}", host_name())
}

/// The name of this computer.
#[must_use]
pub fn host_name() -> String {
    let host = platform::host_name();
    if host.is_empty() { "localhost".to_owned() } else { host }
}
