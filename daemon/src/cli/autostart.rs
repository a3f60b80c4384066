//! `autostart on|off|status`.

use anyhow::Result;
use clap::Subcommand;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::{AutostartMeans, AutostartReport};

use super::Format;
use crate::autostart::Autostart;
use crate::exit::Failure;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the daemon whenever you log in
    On,
    /// Start it by hand only
    Off,
    /// Show which of the two it is
    Status(Format),
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    let autostart = Autostart::from_environment().map_err(Failure::from)?;
    match command {
        Command::On => {
            shell.require_account()?;
            let means = autostart.switch_on().map_err(Failure::from)?;
            shell.output.note(format_args!("The daemon starts whenever you log in, by {}.", words(means)));
            if Client::connect_if_running(&shell.home)?.is_none() {
                shell.output.note("Now: ensafer start");
            }
        }
        Command::Off => {
            autostart.switch_off().map_err(Failure::from)?;
            shell.output.note("The daemon starts by hand only: ensafer start");
        }
        Command::Status(format) if format.json => {
            shell.output.document(&AutostartReport { autostart: autostart.means() })?;
        }
        Command::Status(_) => match autostart.means() {
            Some(means) => shell.output.line(format_args!("on, by {}", words(means)))?,
            None => shell.output.line("off")?,
        },
    }
    Ok(Exit::Success)
}

const fn words(means: AutostartMeans) -> &'static str {
    match means {
        AutostartMeans::SystemdUnit => "systemd's unit ensafer.service",
        AutostartMeans::DesktopEntry => "the desktop's entry ~/.config/autostart/ensafer.desktop",
        AutostartMeans::LaunchAgent => "launchd's agent ~/Library/LaunchAgents/org.ensafer.daemon.plist",
        AutostartMeans::RunKey => "the value Ensafer of the registry's key Run",
    }
}
