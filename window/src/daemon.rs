//! The daemon whose page is shown.

use ensafer_client::home::Home;
use ensafer_client::launch::{installed, launch};
use ensafer_client::local_api::{Client, ClientError};

use crate::error::WindowError;

/// Sees to it that there is a daemon, and one that has a page.
///
/// # Errors
/// There is none, and none can be launched; or it is too old, or another user's.
pub fn find(home: &Home) -> Result<(), WindowError> {
    let client = match Client::connect_if_running(home)? {
        Some(client) => client,
        None => launch(home, &installed("ensafer"))?,
    };
    match client.version() {
        Err(ClientError::Refused(_)) => Err(WindowError::OlderDaemon),
        version => Ok(version.map(drop)?),
    }
}
