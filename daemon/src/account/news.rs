//! What `session.json` holds for people: devices that logged in, of which nobody on this computer was told yet.

use ensafer_core::api::server::DeviceReport;
use serde::Deserialize;

use super::AccountError;
use super::files::{WITHOUT_SESSION, read_own};
use crate::home::Home;

/// The part of the session's file that is news.
#[derive(Deserialize)]
struct News {
    #[serde(default)]
    new_devices: Vec<DeviceReport>,
}

/// Devices that logged in since somebody was last told of such ones.
///
/// # Errors
/// The file cannot be read.
pub fn new_devices(home: &Home) -> Result<Vec<DeviceReport>, AccountError> {
    let news: Option<News> = read_own(&home.data_dir().join("session.json"), WITHOUT_SESSION)?;
    Ok(news.map_or_else(Vec::new, |news| news.new_devices))
}
