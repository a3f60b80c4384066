//! The command line: one file for each verb.

mod accept;
mod account;
mod activity;
mod autostart;
mod check;
mod completions;
mod config;
mod conflicts;
mod control;
mod decrypt;
mod describe;
mod encrypt;
pub mod engine;
mod filestatus;
mod folder;
mod group;
mod guests;
mod invite;
mod keys;
mod locate;
mod lock;
mod login;
mod ls;
mod man;
mod open;
mod problems;
mod process;
mod recovery_key;
mod register;
mod rosters;
mod share;
mod start;
mod status;
mod sync;
mod trash;
mod up;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::home::Home;

use crate::account::{forget_new_devices, new_devices};
use crate::account_watch::describe_new_device;
use crate::config::Config;
use crate::exit;
use crate::logging;
use crate::output::Output;
use crate::shell::Shell;

use engine::Engine;

/// End-to-end encrypted folder sync: ordinary folders, mirrored through any cloud that sees only ciphertext.
#[derive(Debug, Parser)]
#[command(name = "ensafer", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Globals {
    /// Print results and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Override a setting for this command, as in --set settle_ms=500
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// On verbs that print something to read.
#[derive(Debug, Args)]
struct Format {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up what is missing, then sync two directories until Ctrl-C
    Up(up::Arguments),
    /// Run the daemon in the foreground, or end the one that runs
    Daemon(process::Arguments),
    /// Launch the daemon if none runs, and begin syncing
    Start,
    /// Stop syncing, also after a restart
    Stop,
    /// Show how far everything is
    Status(status::Arguments),
    /// Open Ensafer's window in a browser
    Open(open::Arguments),
    /// Stop syncing for a while
    Pause(control::PauseArguments),
    /// Go on after a pause or a brake
    Resume(control::ResumeArguments),
    /// Make an account, on this computer or on a key server
    Register(register::Arguments),
    /// Log in to the account on a key server
    Login(login::Arguments),
    /// End this computer's session on the key server, and forget its keys
    Logout,
    /// Show and change the account: password, profile, devices, server
    #[command(subcommand)]
    Account(account::Command),
    /// Share folders: add people by e-mail, make sure of their keys
    #[command(subcommand)]
    Share(share::Command),
    /// Make groups of people, with whom folders are shared as with one person
    #[command(subcommand)]
    Group(group::Command),
    /// Invite people who have no account yet
    #[command(subcommand)]
    Invite(invite::Command),
    /// Accept an invitation: makes an account where you have none, and joins the folder
    Accept(accept::Arguments),
    /// Open this computer's keys with the password
    Unlock,
    /// Forget this computer's keys until they are unlocked
    Lock,
    /// Show the recovery key, set a new password with it, or make another
    #[command(subcommand)]
    RecoveryKey(recovery_key::Command),
    /// Take the account to another computer
    #[command(subcommand)]
    Keys(keys::Command),
    /// Add, list and remove the folders of this computer
    #[command(subcommand)]
    Folder(folder::Command),
    /// Settle both sides of every folder, then exit
    Sync(sync::Arguments),
    /// Check every encrypted file to the last byte, writing nothing
    Verify(verify::Arguments),
    /// Encrypt single files for people with an account
    #[command(override_usage = "ensafer encrypt <FILE>... --to <EMAIL>... [OPTIONS]")]
    Encrypt(encrypt::Arguments),
    /// Decrypt files without a configured folder, and say who signed them
    Decrypt(decrypt::Arguments),
    /// List what a folder holds
    Ls(ls::Arguments),
    /// Find a file's encrypted file, or the other way round
    Locate(locate::Arguments),
    /// Show how far one file is
    Filestatus(filestatus::Arguments),
    /// Give a file a description in readable text; an empty one removes it
    Describe(describe::Arguments),
    /// List what is not in order
    Problems(problems::Arguments),
    /// List and resolve conflicts: contents that were kept twice
    #[command(subcommand)]
    Conflicts(conflicts::Command),
    /// List what was done in the folders
    Activity(activity::Arguments),
    /// List what Ensafer deleted or replaced on this computer
    Trash(trash::TrashArguments),
    /// Bring something back from the trash
    Restore(trash::RestoreArguments),
    /// Check this computer: one line and a remedy each
    Check(check::Arguments),
    /// Show and change settings
    #[command(subcommand)]
    Config(config::Command),
    /// Have the daemon started whenever you log in, or not
    #[command(subcommand)]
    Autostart(autostart::Command),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Write the manual pages, for packages
    #[command(hide = true)]
    Man(man::Arguments),
}

impl Command {
    /// Whether it is about the account on its server.
    fn is_of_account(&self) -> bool {
        matches!(
            self,
            Self::Account(_)
                | Self::Login(_)
                | Self::Share(_)
                | Self::Group(_)
                | Self::RecoveryKey(_)
                | Self::Encrypt(_)
        )
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main(engine: &dyn Engine) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // The only failure is that nobody reads it.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    let output = Output::new(cli.globals.quiet);
    match run(cli, output, engine) {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Success.into(),
        Err(error) => {
            output.error(&error);
            exit::of(&error).into()
        }
    }
}

fn run(cli: Cli, output: Output, engine: &dyn Engine) -> Result<Exit> {
    let home = Home::from_environment()?;
    // These must work when the settings do not.
    let command = match cli.command {
        Command::Completions(arguments) => return completions::run(&arguments),
        Command::Man(arguments) => return man::run(&arguments),
        Command::Check(arguments) => return check::run(&arguments, &home, output, &cli.globals.settings),
        Command::Config(config::Command::Set(arguments)) => return config::set(&arguments, &home, output),
        other => other,
    };
    let config = Config::load(&home.config_file(), &cli.globals.settings)?;
    home.create()?;
    let is_daemon = matches!(command, Command::Daemon(_));
    logging::start(&config, is_daemon, cli.globals.verbose);
    let shell = Shell::new(home, config, output);
    let is_of_account = command.is_of_account();
    let done = dispatch(command, &shell, engine);
    if is_of_account {
        tell_new_devices(&shell);
    }
    done
}

/// Tells of devices that logged in to the account: any verb that renews the session may be the one that learns of them,
/// and the server stops once it knows that it was heard.
fn tell_new_devices(shell: &Shell) {
    let told = new_devices(&shell.home).and_then(|devices| {
        if devices.is_empty() {
            return Ok(());
        }
        devices.iter().for_each(|device| shell.output.warn(describe_new_device(device)));
        forget_new_devices(&shell.home, &devices)
    });
    if let Err(error) = told {
        tracing::info!(%error, "the session's file cannot be used");
    }
}

fn dispatch(command: Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    match command {
        Command::Up(arguments) => up::run(&arguments, shell, engine),
        Command::Daemon(arguments) => process::run(&arguments, shell, engine),
        Command::Start => start::start(shell),
        Command::Stop => start::stop(shell),
        Command::Status(arguments) => status::run(&arguments, shell, engine),
        Command::Open(arguments) => open::run(&arguments, shell),
        Command::Pause(arguments) => control::pause(&arguments, shell),
        Command::Resume(arguments) => control::resume(arguments, shell, engine),
        Command::Register(arguments) => register::run(&arguments, shell),
        Command::Login(arguments) => login::run(&arguments, shell),
        Command::Logout => login::log_out(shell),
        Command::Account(command) => account::run(&command, shell),
        Command::Share(command) => share::run(&command, shell, engine),
        Command::Group(command) => group::run(&command, shell, engine),
        Command::Invite(command) => invite::run(&command, shell, engine),
        Command::Accept(arguments) => accept::run(&arguments, shell, engine),
        Command::Unlock => lock::unlock(shell),
        Command::Lock => lock::lock(shell),
        Command::RecoveryKey(command) => recovery_key::run(&command, shell),
        Command::Keys(command) => keys::run(&command, shell),
        Command::Folder(command) => folder::run(&command, shell, engine),
        Command::Sync(arguments) => sync::run(&arguments, shell, engine),
        Command::Verify(arguments) => verify::run(&arguments, shell, engine),
        Command::Encrypt(arguments) => encrypt::run(&arguments, shell),
        Command::Decrypt(arguments) => decrypt::run(&arguments, shell, engine),
        Command::Ls(arguments) => ls::run(&arguments, shell, engine),
        Command::Locate(arguments) => locate::run(&arguments, shell, engine),
        Command::Filestatus(arguments) => filestatus::run(&arguments, shell, engine),
        Command::Describe(arguments) => describe::run(&arguments, shell, engine),
        Command::Problems(arguments) => problems::run(&arguments, shell, engine),
        Command::Conflicts(command) => conflicts::run(&command, shell, engine),
        Command::Activity(arguments) => activity::run(&arguments, shell, engine),
        Command::Trash(arguments) => trash::trash(&arguments, shell, engine),
        Command::Restore(arguments) => trash::restore(&arguments, shell, engine),
        Command::Config(command) => config::run(&command, shell),
        Command::Autostart(command) => autostart::run(&command, shell),
        Command::Check(_) | Command::Completions(_) | Command::Man(_) => Ok(Exit::Success),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|link| {
        let io = link.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = link.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// A path that the user named, as the folders' list spells paths: absolute, its existing part without symbolic links.
fn named_path(path: &Path) -> Result<PathBuf> {
    crate::refusals::resolve(path).with_context(|| format!("{} cannot be resolved", path.display()))
}

/// A file, directory or link that the user named: as [`named_path`], but a link is itself and not what it leads to.
fn named_entry(path: &Path) -> Result<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
    match path.parent().zip(path.file_name()).filter(|_| is_link) {
        Some((directory, name)) => {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            Ok(named_path(directory)?.join(name))
        }
        None => named_path(path),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Lines that scripts rely on.
    const LINES: &[&str] = &[
        "ensafer register --email alice@example.com",
        "ensafer register --email alice@example.com --server http://127.0.0.1:8080",
        "ensafer login --email alice@example.com --server http://127.0.0.1:8080",
        "ensafer logout",
        "ensafer account password",
        "ensafer account profile --name Alice",
        "ensafer account profile --json",
        "ensafer account devices --json",
        "ensafer account server https://keys.example.com --same",
        "ensafer account export -o account.json",
        "ensafer account delete -y",
        "ensafer recovery-key use --email a@b.example --server https://keys.example.com",
        "ensafer recovery-key new --question",
        "ensafer share verify bob@example.com",
        "ensafer share add /w bob@example.com",
        "ensafer share add /w bob@example.com --role reader",
        "ensafer share remove /w bob@example.com -y",
        "ensafer share role /w bob@example.com admin",
        "ensafer share list /w --json",
        "ensafer share leave /w",
        "ensafer share add /w Family --role reader",
        "ensafer group create Family",
        "ensafer group add Family bob@example.com --admin",
        "ensafer group remove Family bob@example.com -y",
        "ensafer group list",
        "ensafer group list Family --json",
        "ensafer group leave Family -y",
        "ensafer group delete Family -y",
        "ensafer invite add /w carol@example.com --role reader --print-link --json",
        "ensafer invite list --json",
        "ensafer invite resend carol@example.com",
        "ensafer invite revoke carol@example.com -y",
        "ensafer accept https://keys.example.com/invite/00#X --work /w --encrypted /e",
        "ensafer folder add /w /e --from alice@example.com",
        "ensafer folder reencrypt /w",
        "ensafer folder add /w /e",
        "ensafer folder add /w",
        "ensafer folder find --json",
        "ensafer sync --once",
        "ensafer start",
        "ensafer status --json",
        "ensafer stop",
        "ensafer open",
        "ensafer open --print",
        "ensafer problems --json",
        "ensafer conflicts list --json",
        "ensafer conflicts resolve /w/a --keep copy",
        "ensafer activity -n 10 --json",
        "ensafer trash /w --json",
        "ensafer restore 2026-11-21/140322-000/a --folder /w",
        "ensafer keys export --output account.ensafer-keys",
        "ensafer keys import account.ensafer-keys",
        "ensafer encrypt /d/a /d/b --to bob@example.com carol@example.com --output /e",
        "ensafer encrypt a --to bob@example.com --to carol@example.com --name a --json",
        "ensafer decrypt /e/00.ensafer /e/01.ensafer --output /d",
        "ensafer up --work /w --encrypted /e",
        "ensafer up --work /w",
        "ensafer up --work /w --encrypted /e --email a@b.example -y",
        "ensafer daemon --quit",
        "ensafer pause --for 1h",
        "ensafer resume --go-on 12ab",
        "ensafer recovery-key show --json",
        "ensafer recovery-key use",
        "ensafer folder list --json",
        "ensafer folder remove /w",
        "ensafer verify --json",
        "ensafer ls --json",
        "ensafer locate /w/a --json",
        "ensafer filestatus /w/a --json",
        "ensafer describe /w/a text",
        "ensafer check --json",
        "ensafer config get settle_ms",
        "ensafer config set settle_ms 100",
        "ensafer config show --json",
        "ensafer autostart on",
        "ensafer autostart off",
        "ensafer autostart status --json",
        "ensafer completions bash",
        "ensafer man /d",
        "ensafer -q sync --once --set settle_ms=0 -vv",
    ];

    #[test]
    fn the_lines_that_scripts_rely_on_are_understood() {
        for line in LINES {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn secrets_are_no_arguments() {
        let mut pending = vec![Cli::command()];
        while let Some(command) = pending.pop() {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(!name.contains("password") && !name.contains("secret"), "{name}");
            }
            pending.extend(command.get_subcommands().cloned());
        }
    }
}
