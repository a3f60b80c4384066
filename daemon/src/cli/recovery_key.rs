//! `recovery-key show|use|new`.

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::crypto::{RecoveryHalf, RecoveryKey, SystemRandom};
use serde::Serialize;

use super::account::own_password;
use super::login::Whom;
use super::{Format, lock, register};
use crate::account;
use crate::enrol;
use crate::exit::{self, Failure};
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the recovery key; asks for the password
    Show(Format),
    /// Set a new password with the recovery key
    Use(UseArguments),
    /// Make a new recovery key; the old one is worth nothing then
    New {
        /// Make it of a printed half and the answer to a question that only you know
        #[arg(long)]
        question: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct UseArguments {
    #[command(flatten)]
    whom: Whom,
    /// Ask for the printed half and the answer instead of the whole key
    #[arg(long)]
    question: bool,
    /// Set the password on this computer only: for a server that is gone
    #[arg(long, conflicts_with_all = ["email", "server", "realm"])]
    here: bool,
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    match command {
        Command::Show(format) => show(shell, format)?,
        Command::Use(arguments) => use_key(arguments, shell)?,
        Command::New { question } => {
            shell.require_account()?;
            if *question { new_with_question(shell)? } else { new(shell)? }
        }
    }
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct Shown<'a> {
    recovery_key: &'a str,
}

/// Shows the key that counts: another computer may have made a new one since this one last asked the server.
fn show(shell: &Shell, format: &Format) -> Result<()> {
    shell.require_account()?;
    let password = own_password(shell, "Password: ")?;
    let shown = enrol::show_recovery_key(shell, &password)?;
    if let Some((origin, error)) = shown.unchecked {
        let why = exit::describe(&error.into());
        shell
            .output
            .warn(format_args!("This is what this computer last saw, {origin} was asked in vain: {why}"));
    }
    if format.json {
        shell.output.document(&Shown { recovery_key: &shown.key })?;
    } else {
        register::show_recovery_key(shell.output, &shown.key)?;
    }
    Ok(account::note_unwritten(&shell.home, false)?)
}

/// On the server where the account is on one, else on this computer.
fn use_key(arguments: &UseArguments, shell: &Shell) -> Result<()> {
    let whom = arguments.whom.named().to_recover(shell, arguments.here)?;
    let key = asked_key(arguments.question)?;
    let login = match &whom {
        Some(whom) => whom.login.clone(),
        None => account::login_of(&shell.home)?,
    };
    let password = register::new_password(shell, &login)?;
    enrol::recover(shell, whom.as_ref(), &key, &password)?;
    lock::unlock_daemon(shell, &password)?;
    shell.output.note("The new password is set. The recovery key stays the same.");
    Ok(())
}

fn asked_key(question: bool) -> Result<RecoveryKey> {
    if !question {
        return Ok(account::parse_recovery_key(&prompt::asked("Recovery key: ")?)?);
    }
    let half = account::parse_recovery_half(&prompt::asked("Printed half: ")?)?;
    let answer = prompt::asked("Answer: ")?;
    Ok(RecoveryKey::from_answer(&half, answer.expose()))
}

fn new(shell: &Shell) -> Result<()> {
    enrol::refuse_logged_out(shell)?;
    let password = own_password(shell, "Password: ")?;
    let key = RecoveryKey::generate(&mut SystemRandom);
    // Shown first: if the answer gets lost, nobody is left without the key that counts.
    register::show_recovery_key(shell.output, &key.to_text())?;
    set(shell, &password, &key)?;
    shell.output.note("It is valid from now on, and the old one is worth nothing.");
    Ok(())
}

/// Sets a key that was shown, and says so where that failed and the key is to be thrown away.
fn set(shell: &Shell, password: &Password, key: &RecoveryKey) -> Result<()> {
    let set = enrol::change_recovery_key(shell, password, key);
    if set.as_ref().is_err_and(|error| !enrol::may_hold(error)) {
        shell.output.warn("The key that was just shown opens nothing: the old one stays.");
    }
    set?;
    Ok(account::note_unwritten(&shell.home, false)?)
}

fn new_with_question(shell: &Shell) -> Result<()> {
    enrol::refuse_logged_out(shell)?;
    let password = own_password(shell, "Password: ")?;
    let question = if prompt::is_terminal() { prompt::line("The question: ")? } else { String::new() };
    let answer = prompt::new_answer(shell.output, "The answer: ", refuse_short)?;
    let half = RecoveryHalf::generate(&mut SystemRandom);
    let key = RecoveryKey::from_answer(&half, answer.expose());
    shell.output.note(
        "Printed half of the recovery key: it opens the account together with the answer. Write both lines down, and not the answer.",
    );
    if !question.is_empty() {
        shell.output.line(question)?;
    }
    shell.output.line(&*half.to_text())?;
    set(shell, &password, &key)?;
    shell.output.note("It is valid from now on, and the old recovery key is worth nothing.");
    Ok(())
}

/// An answer of one or two characters is as good as none.
fn refuse_short(answer: &Password) -> Result<()> {
    if answer.expose().trim().chars().count() >= 3 {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, "The answer is too short");
    Err(failure.with_remedy("Take a question whose answer has at least three letters").into())
}
