//! `open`: the window's page in a browser.

use std::env;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::start::connect_or_launch;
use crate::exit::{Exit, Failure};
use crate::private_file;
use crate::shell::Shell;

/// What opens a file by the user's choice of programs (`xdg-utils`; macOS has its own).
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// An opener that has not failed by then is on its way: some end only with the browser.
const OPENER_LIMIT: Duration = Duration::from_secs(5);

/// The file that leads a browser to the page, in the runtime directory.
const REDIRECT_FILE: &str = "window.html";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print the address instead of opening it; it lets one browser in, once, within a minute
    #[arg(long)]
    print: bool,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    let visit = connect_or_launch(shell)?.invite_browser()?;
    let address = &visit.address.0;
    if arguments.print {
        shell.output.line(address)?;
        return Ok(Exit::Success);
    }
    if let Err(why) = open(shell, address) {
        shell.output.warn(format_args!(
            "No browser can be started here ({why:#}). Open this address in one on this computer within {} s:",
            visit.valid_s
        ));
        shell.output.line(address)?;
    }
    Ok(Exit::Success)
}

/// Every user of the computer can read the arguments of every process, so a file that only its owner can read has the
/// address, and the browser is given the file.
fn open(shell: &Shell, address: &str) -> Result<()> {
    let socket = shell.home.running_socket().context("The daemon has ended")?;
    let file = socket.with_file_name(REDIRECT_FILE);
    if !cfg!(target_os = "macos") && !has_display(|name| env::var_os(name).is_some_and(|v| !v.is_empty())) {
        return Err(Failure::new(Exit::Error, "there is no display").into());
    }
    private_file::replace(&file, redirect(address).as_bytes())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    start(&file)
}

/// Without one, `xdg-open` would look for a browser in the terminal.
fn has_display(is_set: impl Fn(&str) -> bool) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set)
}

fn redirect(address: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"><title>Ensafer</title>\n"
    )
}

fn start(file: &Path) -> Result<()> {
    let mut command = Command::new(OPENER);
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{OPENER} cannot be run"))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    match receiver.recv_timeout(OPENER_LIMIT) {
        Ok(Ok(status)) if !status.success() => Err(refused(status)),
        _ => Ok(()),
    }
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
