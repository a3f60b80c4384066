//! `share verify`: whose keys somebody's are.

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_core::account::Known;
use serde::Serialize;

use super::Format;
use super::account::opened;
use crate::account::{self, Person};
use crate::exit::{Exit, Failure};
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
    /// Remember that the other side shows this number: the 60 digits, with or without spaces
    #[arg(long, value_name = "NUMBER")]
    matches: Option<String>,
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
    let person = if arguments.changed {
        account::look_at_person(home, config, &unlocked, &login)?
    } else {
        account::find_person(home, config, &unlocked, &login)?
    };
    if let Some(number) = &arguments.matches {
        check_number(number, &person)?;
        if arguments.changed {
            account::replace_person(home, config, &unlocked, &person)?;
        } else {
            account::set_person_verified(home, config, &unlocked, &person)?;
        }
    }
    let verified = Verified {
        login: login.to_string(),
        name: person.display_name.as_deref().map(printable),
        fingerprint: person.bundle.fingerprint().to_string(),
        safety_number: person.safety_number.to_string(),
        verified: arguments.matches.is_some() || person.known == Known::Verified,
        first_seen: person.known == Known::FirstSeen,
    };
    if arguments.format.json {
        shell.output.document(&verified)?;
        return Ok(Exit::Success);
    }
    if arguments.changed && arguments.matches.is_none() {
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
            "Compare it by telephone or face to face. Where it is the same: ensafer share verify EMAIL --matches NUMBER"
        }
        (false, true) => {
            "Compare it by telephone or face to face. Only where it is the same: ensafer share verify EMAIL --changed --matches NUMBER"
        }
    });
    Ok(Exit::Success)
}

/// Refuses unless the number that the other side shows is that of the very keys that are about to be marked.
fn check_number(number: &str, person: &Person) -> Result<()> {
    let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    if digits(number) == digits(&person.safety_number.to_string()) {
        return Ok(());
    }
    Err(Failure::new(Exit::VerificationFailed, "The number is another than with these keys")
        .with_remedy("Compare it once more. Where it stays another one, somebody is in between: do not share with these keys")
        .into())
}
