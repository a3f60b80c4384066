//! Whose keys somebody's are.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::account::Known;
use ensafer_core::api::local::{PersonReport, QrReport};
use ensafer_core::crypto::Login;

use super::not_allowed;
use crate::account::{self, Person, Unlocked};
use crate::exit::Failure;
use crate::output::printable;
use crate::qr;
use crate::shell::Shell;

/// Digits of a safety number (`docs/protocol.md`, "Look-ups").
const SAFETY_NUMBER_DIGITS: usize = 60;

/// Finds somebody by e-mail address; their keys are remembered from now on. Where they have `changed`, the new ones are
/// looked at and not taken.
///
/// # Errors
/// It is one's own address, or as [`account::find_person`].
pub fn find(shell: &Shell, unlocked: &Unlocked, login: &Login, changed: bool) -> Result<Person> {
    refuse_oneself(unlocked, login)?;
    let (home, config) = (&shell.home, &shell.config);
    Ok(if changed {
        account::look_at_person(home, config, unlocked, login)?
    } else {
        account::find_person(home, config, unlocked, login)?
    })
}

/// As [`find`], and remembers that the other side shows the safety `number` of these very keys. Where they have `changed`,
/// the new ones are taken.
///
/// # Errors
/// As [`find`], or it is another number.
pub fn verify(
    shell: &Shell,
    unlocked: &Unlocked,
    login: &Login,
    number: &str,
    changed: bool,
) -> Result<Person> {
    refuse_fragment(number)?;
    let person = find(shell, unlocked, login, changed)?;
    check_number(number, &person)?;
    let (home, config) = (&shell.home, &shell.config);
    if changed {
        account::replace_person(home, config, unlocked, &person)?;
    } else {
        account::set_person_verified(home, config, unlocked, &person)?;
    }
    Ok(person)
}

/// Nobody stands between somebody and themselves: there is nothing to compare.
///
/// # Errors
/// It is one's own address.
pub fn refuse_oneself(unlocked: &Unlocked, login: &Login) -> Result<()> {
    if unlocked.account.login() != login {
        return Ok(());
    }
    let what = format!("{login} is your own address: safety numbers are compared with somebody else");
    let remedy = format!(
        "Name their address. On their computer it is: ensafer share verify {login}. Your own fingerprint: ensafer account show"
    );
    Err(not_allowed(Exit::Usage, what, remedy))
}

/// Somebody as reports have them; `verified` says that safety numbers have just been compared.
///
/// # Errors
/// The safety number does not fit into a QR code, which does not happen.
pub fn report(person: &Person, verified: bool) -> Result<PersonReport> {
    let safety_number = person.safety_number.to_string();
    let (size, path) = qr::svg(&digits(&safety_number))?;
    Ok(PersonReport {
        login: person.bundle.bundle().login.to_string(),
        name: person.display_name.as_deref().map(printable),
        fingerprint: person.bundle.fingerprint().to_string(),
        safety_number,
        qr: QrReport { size, path },
        verified: verified || person.known == Known::Verified,
        first_seen: person.known == Known::FirstSeen,
        has_changed: person.has_changed && !verified,
    })
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
