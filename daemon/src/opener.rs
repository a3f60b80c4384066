//! Opens files and directories by the programs that the user has chosen for them.

use std::env;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;

use crate::exit::Failure;

/// What knows the user's choice of programs (`xdg-utils`; macOS has its own).
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// An opener that has not failed by then is on its way: some end only with what they have opened.
const LIMIT: Duration = Duration::from_secs(5);

/// Opens `path`, and does not wait for what opens it.
///
/// # Errors
/// There is no display, no program for it, or nothing at `path`.
pub fn open(path: &Path) -> Result<()> {
    if !cfg!(target_os = "macos") && !has_display(|name| env::var_os(name).is_some_and(|v| !v.is_empty())) {
        return Err(Failure::new(Exit::Error, "there is no display").into());
    }
    if !path.exists() {
        return Err(Failure::new(Exit::Error, format!("{} is not there", path.display())).into());
    }
    let mut command = Command::new(OPENER);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{OPENER} cannot be run"))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    match receiver.recv_timeout(LIMIT) {
        Ok(Ok(status)) if !status.success() => Err(refused(status)),
        _ => Ok(()),
    }
}

/// Without one, `xdg-open` would look for a program in the terminal.
fn has_display(is_set: impl Fn(&str) -> bool) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
}

fn refused(status: ExitStatus) -> anyhow::Error {
    Failure::new(Exit::Error, format!("{OPENER} ended with {status}")).into()
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
