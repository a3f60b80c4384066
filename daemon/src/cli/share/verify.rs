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
use crate::account::{self, Person};
use crate::output::printable;
use crate::people;
use crate::qr;
use crate::shell::Shell;

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
    let unlocked = opened(shell)?;
    let person = match &arguments.matches {
        Some(number) => people::verify(shell, &unlocked, &login, number, arguments.changed)?,
        None => people::find(shell, &unlocked, &login, arguments.changed)?,
    };
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

/// Draws the number for the other side's camera: both sides' pictures are the same.
fn draw(arguments: &Arguments, shell: &Shell, number: &str) -> Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let is_wanted = arguments.qr || (is_terminal && arguments.matches.is_none());
    if is_wanted && !shell.output.is_quiet() {
        shell.output.line(qr::draw(&number.replace(' ', ""), is_terminal)?)?;
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
