//! `open`: the window's page in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::platform::beside_socket;
use ensafer_client::private_file;
use ensafer_client::screen::Screen;

use super::start::connect_or_launch;
use crate::opener;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print the address instead of opening it; it lets one browser in, once, within a minute
    #[arg(long)]
    print: bool,
    /// Begin with a screen: folders, add, people, problems, conflicts, settings
    #[arg(long)]
    screen: Option<Screen>,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    let visit = connect_or_launch(shell)?.invite_browser()?;
    let address =
        &arguments.screen.map_or(visit.address.0.clone(), |screen| format!("{}/{screen}", visit.address.0));
    if arguments.print {
        shell.output.line(address)?;
        return Ok(Exit::Success);
    }
    if let Err(why) = open(shell, address, visit.valid_s) {
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
fn open(shell: &Shell, address: &str, valid_s: u64) -> Result<()> {
    let socket = shell.home.running_socket().context("The daemon has ended")?;
    let socket = beside_socket(&socket, shell.home.state_dir());
    remove_old(&socket, Duration::from_secs(valid_s));
    let file = redirect_file(&socket);
    private_file::replace(&file, redirect(address).as_bytes())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    opener::open(&file)
}

/// The file that leads a browser to the page: beside the socket, whose directory several homes may share, and of this process
/// alone.
fn redirect_file(socket: &Path) -> PathBuf {
    let home = socket.file_stem().unwrap_or_default().to_string_lossy();
    socket.with_file_name(format!("{home}-{}.html", std::process::id()))
}

/// Removes the files by which nobody comes in any more, of the same home.
fn remove_old(socket: &Path, valid: Duration) {
    let home = socket.file_stem().unwrap_or_default().to_string_lossy();
    let is_ours = |name: &str| {
        let process =
            name.strip_prefix(&*home).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".html"));
        process.is_some_and(|process| process.bytes().all(|b| b.is_ascii_digit()))
    };
    let directory = socket.parent().unwrap_or(Path::new("/"));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > valid) && entry.file_name().to_str().is_some_and(is_ours) {
            // The next one tries again.
            let _ = private_file::remove(&entry.path());
        }
    }
}

fn redirect(address: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"><title>Ensafer</title>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_old_files_of_the_same_home_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["aa-1.html", "aa-2.html", "bb-1.html", "aa-x.html", "aa.sock"];
        for name in names {
            let file = File::create(directory.path().join(name)).unwrap();
            if name != "aa-2.html" {
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            }
        }
        let socket = directory.path().join("aa.sock");
        remove_old(&socket, Duration::from_secs(3600));
        let left: Vec<_> = names.into_iter().filter(|name| directory.path().join(name).exists()).collect();
        assert_eq!(left, names[1..]);
        let file = redirect_file(&socket);
        assert_eq!(file, directory.path().join(format!("aa-{}.html", std::process::id())));
    }
}
