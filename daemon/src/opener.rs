//! Opens files and directories by the programs that the user has chosen for them.

use std::env;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::RefusalClass;

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
    require_there(path)?;
    run(Command::new(OPENER).arg(path))
}

/// Shows where the file or directory at `path` lies, in the file manager. The file is not opened: it may be a program, or
/// something that starts one, and others may have written it.
///
/// # Errors
/// As [`open`].
pub fn show(path: &Path) -> Result<()> {
    require_there(path)?;
    if cfg!(target_os = "macos") {
        // There, a directory can be an application; `-R` selects it in the Finder (open(1)).
        return run(Command::new(OPENER).arg("-R").arg(path));
    }
    let parent = path.parent().context("nothing lies outside of the root")?;
    // With a slash at its end it is a directory or nothing, also where it was exchanged just now.
    run(Command::new(OPENER).arg(parent.join("")))
}

fn require_there(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Error, format!("{} is not there", path.display()));
    Err(failure.with_class(RefusalClass::MissingDirectory).into())
}

fn run(command: &mut Command) -> Result<()> {
    if !cfg!(target_os = "macos") && !has_display(|name| env::var_os(name).is_some_and(|v| !v.is_empty())) {
        return Err(failed("there is no display"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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
    failed(format!("{OPENER} ended with {status}"))
}

fn failed(what: impl Into<String>) -> anyhow::Error {
    Failure::new(Exit::Error, what).with_class(RefusalClass::Failed).into()
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
