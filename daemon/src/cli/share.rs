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
    /// Show the number of new keys, where somebody's have changed; with --matches, take them from now on
    #[arg(long)]
    changed: bool,
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
    let (home, config) = (&shell.home, &shell.config);
    let person = match (arguments.changed, arguments.matches) {
        (true, true) => account::replace_person(home, config, &unlocked, &login)?,
        (true, false) => account::look_at_person(home, config, &unlocked, &login)?,
        (false, _) => account::find_person(home, config, &unlocked, &login)?,
    };
    if arguments.matches && !arguments.changed {
        account::set_person_verified(home, config, &unlocked, &login)?;
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
    if arguments.changed && !arguments.matches {
        shell
            .output
            .note(format_args!("This is the number with the new keys of {login}. They are not used yet."));
    } else if verified.first_seen {
        shell
            .output
            .note(format_args!("{login} is seen for the first time; these keys are remembered from now on."));
    }
    shell.output.line(&verified.safety_number)?;
    shell.output.note(match (verified.verified, arguments.changed) {
        (true, _) => "Verified: the numbers were compared.",
        (false, false) => {
            "Compare it by telephone or face to face. Where it is the same: ensafer share verify EMAIL --matches"
        }
        (false, true) => {
            "Compare it by telephone or face to face. Only where it is the same: ensafer share verify EMAIL --changed --matches"
        }
    });
    Ok(Exit::Success)
}
