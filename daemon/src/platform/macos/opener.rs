//! What opens files and directories: open(1).

use std::io;
use std::path::Path;
use std::process::Command;

use crate::platform::unix::opener::run;

/// Opens a file or directory with the program that the user has chosen for it. Does not wait for that.
///
/// # Errors
/// There is no program for it.
pub fn open_with_its_program(path: &Path) -> io::Result<()> {
    let mut command = Command::new("open");
    command.arg(path);
    run(command)
}

/// Shows a directory in the Finder: one that is an application, too, is not started.
///
/// # Errors
/// As [`show_in_file_manager`].
pub fn open_directory(path: &Path) -> io::Result<()> {
    show_in_file_manager(path)
}

/// Selects `path` in the Finder: there, a directory can be an application.
///
/// # Errors
/// The Finder cannot be asked.
pub fn show_in_file_manager(path: &Path) -> io::Result<()> {
    let mut command = Command::new("open");
    command.arg("-R").arg(path);
    run(command)
}
