//! `open`: the window's page in a browser.

use anyhow::{Context, Result};
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::private_file;
use ensafer_client::screen::Screen;

use super::start::connect_or_launch;
use crate::opener;
use crate::shell::Shell;

/// The file that leads a browser to the page, in the runtime directory.
const REDIRECT_FILE: &str = "window.html";

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
    private_file::replace(&file, redirect(address).as_bytes())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    opener::open(&file)
}

fn redirect(address: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"><title>Ensafer</title>\n"
    )
}
