//! Opens files and directories by the programs that the user has chosen for them.

use std::io;
use std::path::Path;

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::RefusalClass;

use crate::exit::Failure;
use crate::platform;

/// Opens `path`, and does not wait for what opens it.
///
/// # Errors
/// There is no display, no program for it, or nothing at `path`.
pub fn open(path: &Path) -> Result<()> {
    require_there(path)?;
    platform::open_with_its_program(path).map_err(|error| failed(&error))
}

/// Shows the directory at `path` in the file manager.
///
/// # Errors
/// As [`open`].
pub fn open_directory(path: &Path) -> Result<()> {
    require_there(path)?;
    platform::open_directory(path).map_err(|error| failed(&error))
}

/// Shows where the file or directory at `path` lies, in the file manager. The file is not opened: it may be a program, or
/// something that starts one, and others may have written it.
///
/// # Errors
/// As [`open`].
pub fn show(path: &Path) -> Result<()> {
    require_there(path)?;
    platform::show_in_file_manager(path).map_err(|error| failed(&error))
}

fn require_there(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Error, format!("{} is not there", path.display()));
    Err(failure.with_class(RefusalClass::MissingDirectory).into())
}

fn failed(error: &io::Error) -> anyhow::Error {
    Failure::new(Exit::Error, error.to_string()).with_class(RefusalClass::Failed).into()
}
