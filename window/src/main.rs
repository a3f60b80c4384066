//! The `ensafer-window` program.

// On Windows it opens no terminal; elsewhere this says nothing.
#![windows_subsystem = "windows"]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::home::Home;
use ensafer_client::screen::Screen;
use ensafer_window::error::WindowError;
use ensafer_window::platform;

/// Ensafer's window: folders, people, problems, settings
///
/// It starts the daemon if none runs. Where a window is open already, that one is raised. `ensafer open` shows the same
/// in a browser.
#[derive(Debug, Parser)]
#[command(name = "ensafer-window", version)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Begin with a screen: folders, add, people, problems, conflicts, settings
    #[arg(long)]
    screen: Option<Screen>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the manual page, for packages
    #[command(hide = true)]
    Man {
        /// An existing directory
        directory: PathBuf,
    },
}

fn main() -> ExitCode {
    platform::forbid_core_dumps();
    ensafer_client::platform::reach_terminal();
    match run(&Arguments::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            tell(&error);
            error.exit().into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<Exit, WindowError> {
    if let Some(Verb::Man { directory }) = &arguments.verb {
        let written = clap_mangen::generate_to(Arguments::command(), directory);
        return written.map(|()| Exit::Success).map_err(WindowError::Manual);
    }
    let home = Home::from_environment()?;
    home.create()?;
    platform::find_display()?;
    platform::show(&home, arguments.screen)
}

fn tell(error: &WindowError) {
    let mut out = io::stderr().lock();
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(out, "Error: {}", error.chain());
    if let Some(remedy) = error.remedy() {
        let _ = writeln!(out, "  Do: {remedy}");
    }
}
