//! One tray for each home.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use ensafer_client::home::Home;
use ensafer_client::platform::{keep_to_owner, try_lock};

use crate::error::TrayError;
use crate::platform;

/// Takes the place of the one tray of `home`. It is held until the file is dropped, or the process ends.
///
/// # Errors
/// [`TrayError::AlreadyRunning`].
pub fn take(home: &Home) -> Result<File, TrayError> {
    let path = platform::lock_file(home)?;
    hold(&path, std::process::id()).map_err(|error| match error {
        TryLockError::WouldBlock => TrayError::AlreadyRunning { process: holder(&path) },
        TryLockError::Error(source) => TrayError::Lock { path, source },
    })
}

fn hold(path: &Path, process: u32) -> Result<File, TryLockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = keep_to_owner(&mut options).open(path).map_err(TryLockError::Error)?;
    try_lock(&file)?;
    record(&mut file, process).map_err(TryLockError::Error)?;
    Ok(file)
}

fn record(file: &mut File, process: u32) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{process}")
}

fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_learns_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let first = take(&home).unwrap();
        let error = take(&home).unwrap_err();
        assert_eq!(error.exit(), ensafer_client::exit::Exit::AlreadyRunning);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        take(&home).unwrap();
    }
}
