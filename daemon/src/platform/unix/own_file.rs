//! Files that Ensafer writes among those of others, on Linux and macOS alike: known by a mark, so that somebody else's is never
//! changed.

use std::fs;
use std::io;
use std::path::Path;

use ensafer_client::private_file;

use crate::autostart::AutostartError;

/// In every file that is written here. Both formats leave keys with `X-` to everybody (systemd.unit(5), Desktop Entry
/// Specification 1.5, "Extending the format").
pub(in crate::platform) const MARK: &str = "X-Ensafer=autostart";

/// Whether a file was written here.
pub(in crate::platform) fn is_own(text: &str) -> bool {
    text.lines().any(|line| line.trim() == MARK)
}

/// Writes a file of our own, in the place of an earlier one.
pub(in crate::platform) fn write_own(path: &Path, text: &str) -> Result<(), AutostartError> {
    refuse_foreign(path)?;
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    private_file::replace(path, text.as_bytes()).map_err(io_error(path))
}

/// Removes a file of our own; whether there was one.
pub(in crate::platform) fn remove_own(path: &Path) -> Result<bool, AutostartError> {
    if !refuse_foreign(path)? {
        return Ok(false);
    }
    private_file::remove(path).map_err(io_error(path))?;
    Ok(true)
}

/// Whether there is a file, which must be our own.
fn refuse_foreign(path: &Path) -> Result<bool, AutostartError> {
    match private_file::read(path).map_err(io_error(path))? {
        None => Ok(false),
        Some(found) if is_own(&String::from_utf8_lossy(&found)) => Ok(true),
        Some(_) => Err(AutostartError::Foreign { path: path.to_path_buf() }),
    }
}

pub(in crate::platform) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AutostartError {
    let path = path.to_path_buf();
    move |source| AutostartError::Io { path, source }
}
