//! What opens files and directories: `xdg-open`, which knows the user's choice of programs (xdg-utils).

use std::env;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::platform::unix::opener::run;

/// Opens a file or directory with the program that the user has chosen for it. Does not wait for that.
///
/// # Errors
/// There is no display, or no program for it.
pub fn open_with_its_program(path: &Path) -> io::Result<()> {
    if !has_display(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Err(io::Error::other("there is no display"));
    }
    let mut command = Command::new("xdg-open");
    command.arg(path);
    run(command)
}

/// Shows a directory in the file manager.
///
/// # Errors
/// As [`open_with_its_program`].
pub fn open_directory(path: &Path) -> io::Result<()> {
    open_with_its_program(path)
}

/// Shows the directory in which `path` lies in the file manager.
///
/// # Errors
/// As [`open_with_its_program`].
pub fn show_in_file_manager(path: &Path) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other("nothing lies outside of the root"))?;
    // With a slash at its end it is a directory or nothing, also where it was exchanged just now.
    open_directory(&parent.join(""))
}

/// Without one, `xdg-open` would look for a program in the terminal.
fn has_display(is_set: impl Fn(&str) -> bool) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_of_either_kind() {
        assert!(has_display(|name| name == "DISPLAY"));
        assert!(has_display(|name| name == "WAYLAND_DISPLAY"));
        assert!(!has_display(|_| false));
    }
}
