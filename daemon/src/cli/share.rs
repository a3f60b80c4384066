//! `share verify`: whose keys somebody's are.

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_core::account::Known;
use serde::Serialize;

use super::Format;
use super::account::opened;
use crate::account;
use crate::exit::Exit;
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the safety number with somebody: the same on both sides if nobody is in between
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The other's e-mail address
    email: String,
    /// Remember that the numbers were compared and are the same
    #[arg(long)]
    matches: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Serialize)]
struct Verified {
    login: String,
    name: Option<String>,
    fingerprint: String,
    safety_number: String,
    verified: bool,
    first_seen: bool,
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    let Command::Verify(arguments) = command;
    shell.require_account()?;
    let login = account::parse_login(&arguments.email)?;
    let unlocked = opened(shell)?;
    let person = account::find_person(&shell.home, &shell.config, &unlocked, &login)?;
    if arguments.matches {
        account::set_person_verified(&shell.home, &shell.config, &unlocked, &login)?;
    }
    let verified = Verified {
        login: login.to_string(),
        name: person.display_name.as_deref().map(printable),
        fingerprint: person.bundle.fingerprint().to_string(),
        safety_number: person.safety_number.to_string(),
        verified: arguments.matches || person.known == Known::Verified,
        first_seen: person.known == Known::FirstSeen,
    };
    if arguments.format.json {
        shell.output.document(&verified)?;
        return Ok(Exit::Success);
    }
    if verified.first_seen {
        shell
            .output
            .note(format_args!("{login} is seen for the first time; these keys are remembered from now on."));
    }
    shell.output.line(&verified.safety_number)?;
    shell.output.note(if verified.verified {
        "Verified: the numbers were compared."
    } else {
        "Compare it by telephone or face to face. Where it is the same: ensafer share verify EMAIL --matches"
    });
    Ok(Exit::Success)
}
