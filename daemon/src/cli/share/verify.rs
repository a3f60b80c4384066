//! `share verify`: whose keys somebody's are.

use std::io::{self, IsTerminal};

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::account::Known;
use ensafer_core::crypto::Login;
use serde::Serialize;

use super::super::Format;
use super::super::account::opened;
use crate::account::{self, Person, Unlocked};
use crate::exit::Failure;
use crate::output::printable;
use crate::qr;
use crate::shell::Shell;

/// Digits of a safety number (`docs/protocol.md`, "Look-ups").
const SAFETY_NUMBER_DIGITS: usize = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The other's e-mail address
    email: String,
    /// Remember that the other side shows this number: the 60 digits, with or without spaces
    #[arg(long, value_name = "NUMBER")]
    matches: Option<String>,
    /// Show the number of new keys, where somebody's have changed; with --matches, take them from now on
    #[arg(long)]
    changed: bool,
    /// Draw the number as a QR code, too, where standard output is no terminal
    #[arg(long, conflicts_with = "json")]
    qr: bool,
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

pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    let login = account::parse_login(&arguments.email)?;
    arguments.matches.as_deref().map_or(Ok(()), refuse_fragment)?;
    let unlocked = opened(shell)?;
    refuse_oneself(&unlocked, &login)?;
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
    if let Some(note) = note_on_keys(arguments, &person, &login) {
        shell.output.note(note);
    }
    shell.output.line(&verified.safety_number)?;
    draw(arguments, shell, &verified.safety_number)?;
    shell.output.note(match (verified.verified, person.has_changed) {
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

/// Nobody stands between somebody and themselves: there is nothing to compare.
fn refuse_oneself(unlocked: &Unlocked, login: &Login) -> Result<()> {
    if unlocked.account.login() != login {
        return Ok(());
    }
    let what = format!("{login} is your own address: safety numbers are compared with somebody else");
    let remedy = format!(
        "Name their address. On their computer it is: ensafer share verify {login}. Your own fingerprint: ensafer account show"
    );
    Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
}

/// Draws the number for the other side's camera: both sides' pictures are the same.
fn draw(arguments: &Arguments, shell: &Shell, number: &str) -> Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let is_wanted = arguments.qr || (is_terminal && arguments.matches.is_none());
    if is_wanted && !shell.output.is_quiet() {
        shell.output.line(qr::draw(&digits(number), is_terminal)?)?;
    }
    Ok(())
}

/// What is to be known of the keys before their number is read.
fn note_on_keys(arguments: &Arguments, person: &Person, login: &Login) -> Option<String> {
    let first_seen = person.known == Known::FirstSeen;
    match (arguments.changed, arguments.matches.is_some()) {
        (true, false) if person.has_changed => {
            Some(format!("This is the number with the new keys of {login}. They are not used yet."))
        }
        (true, false) if first_seen => Some(format!("{login} was never seen before: no keys have changed.")),
        (true, _) if !person.has_changed && !first_seen => Some("The keys have not changed.".to_owned()),
        (false, _) if first_seen => {
            Some(format!("{login} is seen for the first time; these keys are remembered from now on."))
        }
        _ => None,
    }
}

/// The number without the spaces that make it readable.
fn digits(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Half a number is a slip of whoever types it, and says nothing about the keys.
fn refuse_fragment(number: &str) -> Result<()> {
    let digits = digits(number);
    if digits.len() == SAFETY_NUMBER_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    let what = format!("A safety number has {SAFETY_NUMBER_DIGITS} digits");
    Err(Failure::new(Exit::Usage, what)
        .with_remedy("Type all that the other side reads to you, in quotes")
        .into())
}

/// Refuses unless the number that the other side shows is that of the very keys that are about to be marked.
fn check_number(number: &str, person: &Person) -> Result<()> {
    if digits(number) == digits(&person.safety_number.to_string()) {
        return Ok(());
    }
    Err(Failure::new(Exit::VerificationFailed, "The number is another than with these keys")
        .with_remedy("Compare it once more. Where it stays another one, somebody is in between: do not share with these keys")
        .into())
}
