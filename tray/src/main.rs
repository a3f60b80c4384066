//! The `ensafer-tray` program.

// On Windows it opens no terminal; elsewhere this says nothing.
#![windows_subsystem = "windows"]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::{env, thread};

use clap::{CommandFactory, Parser, Subcommand};
use ensafer_client::home::Home;
use ensafer_tray::action::{Action, Means, chain};
use ensafer_tray::error::TrayError;
use ensafer_tray::follow::follow;
use ensafer_tray::instance;
use ensafer_tray::notify::Notifications;
use ensafer_tray::platform::{self, MainThread, Panel};

/// Ensafer's icon in the panel: it shows the status and starts, pauses and stops syncing
///
/// The tray starts the daemon if none runs. It holds no keys: syncing goes on without it.
#[derive(Debug, Parser)]
#[command(name = "ensafer-tray", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
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
    ensafer_client::platform::reach_terminal();
    let done = match Arguments::parse().verb {
        None => platform::run(run),
        Some(Verb::Man { directory }) => {
            clap_mangen::generate_to(Arguments::command(), directory).map_err(TrayError::Manual)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            error.exit().into()
        }
    }
}

fn run(main: &MainThread) -> Result<(), TrayError> {
    // After an upgrade the running file has no name any more: it is asked for before.
    let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("ensafer-tray"));
    let home = Home::from_environment()?;
    home.create()?;
    let instance = instance::take(&home)?;
    let (sender, clicks) = mpsc::channel();
    let panel = Panel::show(main, &sender)?;
    let means = Means::new(home.clone());
    let notifications = Notifications::start(home.clone(), sender);
    watch_daemon(home, &means, &panel, notifications);
    for action in clicks {
        match action {
            Action::Quit => break,
            Action::RestartTray => {
                // The next one wants the same lock.
                drop(instance);
                let run = platform::run_instead(&program);
                return run.map_err(|source| TrayError::Restart { program, source });
            }
            action => {
                let (means, panel) = (means.clone(), panel.clone());
                thread::spawn(move || means.perform(&action, |change| panel.change(change)));
            }
        }
    }
    Ok(())
}

/// Launches the daemon if none runs, this once, and shows from then on how it is.
fn watch_daemon(home: Home, means: &Means, panel: &Panel, notifications: Notifications) {
    let (means, panel) = (means.clone(), panel.clone());
    thread::spawn(move || {
        if let Err(trouble) = means.launch() {
            panel.change(|scene| {
                scene.not_launched();
                scene.failed(trouble);
            });
        }
        let Err(error) = follow(&home, |link| {
            notifications.see(&link);
            panel.change(|scene| scene.linked(link));
        });
        // A tray that no longer sees the daemon would show what is wrong: it ends and says so.
        let error = TrayError::Watch(error);
        tell(&error);
        std::process::exit(error.exit() as i32);
    });
}

fn tell(error: &TrayError) {
    let mut out = io::stderr().lock();
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(out, "Error: {}", chain(error));
    if let Some(remedy) = error.remedy() {
        let _ = writeln!(out, "  Do: {remedy}");
    }
}
