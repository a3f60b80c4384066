//! Other people's public keys: asked of the server, checked against what was seen before, and remembered.

use ensafer_client::home::Home;
use ensafer_core::account::{
    Account, AccountState, BundleError, Known, PinError, SafetyNumber, SignedBundle,
};
use ensafer_core::crypto::Login;

use super::files::read_sealed;
use super::refresh::change_state;
use super::session::{server_of, with_token};
use super::{AccountError, Unlocked};
use crate::config::Config;

/// Somebody whose keys may be used.
#[derive(Debug)]
pub struct Person {
    /// Their keys.
    pub bundle: SignedBundle,
    /// What they call themselves; nothing vouches for it.
    pub display_name: Option<String>,
    /// How these keys agree with what was seen before.
    pub known: Known,
    /// Whether they are not those that were seen before: only ever of somebody who was [looked at](look_at_person).
    pub has_changed: bool,
    /// What both sides compare to be sure of each other.
    pub safety_number: SafetyNumber,
}

/// Finds somebody by e-mail address. Who is seen for the first time is pinned, here and in the account's state, so that
/// no server can replace them later. One's own keys never come from the server.
///
/// # Errors
/// [`AccountError::Pin`] where the keys are not those that were seen before; [`AccountError::ServerLies`] where they are
/// no keys at all; nothing is remembered then.
pub fn find_person(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    login: &Login,
) -> Result<Person, AccountError> {
    if unlocked.account.login() == login {
        return Ok(oneself(unlocked));
    }
    let (bundle, display_name) = fetch(home, config, unlocked, login)?;
    let known = change_state(home, config, unlocked, |state| meet(state, login, &bundle))?;
    Ok(person(unlocked, bundle, display_name, known, false))
}

/// As [`find_person`], but nobody is pinned: for a dry run.
///
/// # Errors
/// As [`find_person`].
pub fn check_person(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    login: &Login,
) -> Result<Person, AccountError> {
    if unlocked.account.login() == login {
        return Ok(oneself(unlocked));
    }
    let (bundle, display_name) = fetch(home, config, unlocked, login)?;
    // On a copy of what is remembered.
    let known = meet(&mut read_sealed(home)?.read_state(&unlocked.account)?, login, &bundle)?;
    Ok(person(unlocked, bundle, display_name, known, false))
}

/// Looks at somebody's keys without remembering them, and without comparing them with what was seen before: only for
/// somebody whose keys have changed, to compare the new safety number.
///
/// # Errors
/// What the server says.
pub fn look_at_person(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    login: &Login,
) -> Result<Person, AccountError> {
    if unlocked.account.login() == login {
        return Ok(oneself(unlocked));
    }
    let (bundle, display_name) = fetch(home, config, unlocked, login)?;
    // On a copy of what is remembered. Keys that are not those of the pin are no first ones either.
    let mut state = read_sealed(home)?.read_state(&unlocked.account)?;
    let met = state.meet(login, &bundle);
    let has_changed = matches!(met, Err(PinError::IdentityChanged { .. }));
    Ok(person(unlocked, bundle, display_name, met.unwrap_or(Known::Pinned), has_changed))
}

/// Somebody who was met, or is known otherwise, by these keys. No server is asked, and nobody is remembered.
///
/// # Errors
/// [`AccountError::Pin`] where other keys were seen before, or the account's file cannot be read.
pub fn met_person(home: &Home, unlocked: &Unlocked, bundle: &SignedBundle) -> Result<Person, AccountError> {
    if unlocked.account.fingerprint() == bundle.fingerprint() {
        return Ok(oneself(unlocked));
    }
    // On a copy of what is remembered.
    let known = meet(&mut known_people(home, &unlocked.account)?, &bundle.bundle().login, bundle)?;
    Ok(person(unlocked, bundle.clone(), None, known, false))
}

/// What somebody of these very keys calls themselves, if the server says it.
#[must_use]
pub fn name_of(home: &Home, config: &Config, unlocked: &Unlocked, person: &SignedBundle) -> Option<String> {
    let (served, name) = fetch(home, config, unlocked, &person.bundle().login).ok()?;
    name.filter(|_| served.fingerprint() == person.fingerprint())
}

/// Remembers the keys that `person` has in the place of those that were seen before: only for keys whose safety number
/// was compared.
///
/// # Errors
/// [`AccountError::Pin`], or what the server says.
pub fn replace_person(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    person: &Person,
) -> Result<(), AccountError> {
    let login = &person.bundle.bundle().login;
    change_state(home, config, unlocked, |state| {
        let replaced = state.replace(login, &person.bundle);
        replaced.map_err(|source| AccountError::Pin { login: login.clone(), source })
    })
}

/// Whom the account knows, as this computer last heard. No server is asked.
///
/// # Errors
/// The state does not open, or a newer version wrote it.
pub fn known_people(home: &Home, account: &Account) -> Result<AccountState, AccountError> {
    Ok(read_sealed(home)?.read_state(account)?)
}

fn meet(state: &mut AccountState, login: &Login, bundle: &SignedBundle) -> Result<Known, AccountError> {
    state.meet(login, bundle).map_err(|source| AccountError::Pin { login: login.clone(), source })
}

fn oneself(unlocked: &Unlocked) -> Person {
    let own = &unlocked.account;
    Person {
        bundle: own.bundle().clone(),
        display_name: None,
        known: Known::Verified,
        has_changed: false,
        safety_number: SafetyNumber::of(&own.fingerprint(), &own.fingerprint()),
    }
}

/// Keys as the server serves them: signed by the identity in them, and nothing more.
fn fetch(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    login: &Login,
) -> Result<(SignedBundle, Option<String>), AccountError> {
    let report = with_token(home, config, &unlocked.account, |server, token| server.user(token, login))?;
    match SignedBundle::try_from(&report.bundle) {
        Ok(bundle) if bundle.bundle().login == *login => Ok((bundle, report.display_name)),
        Err(BundleError::NewerVersion) => Err(AccountError::NewerKeys { login: login.clone() }),
        _ => {
            let origin = server_of(home)?.ok_or(AccountError::NotLoggedIn)?;
            let what = "somebody's public keys are another's, malformed, or not signed";
            Err(AccountError::ServerLies { origin, what })
        }
    }
}

fn person(
    unlocked: &Unlocked,
    bundle: SignedBundle,
    display_name: Option<String>,
    known: Known,
    has_changed: bool,
) -> Person {
    let safety_number = SafetyNumber::of(&unlocked.account.fingerprint(), &bundle.fingerprint());
    Person { bundle, display_name, known, has_changed, safety_number }
}

/// Remembers that the safety number with `person` was compared.
///
/// # Errors
/// [`AccountError::Pin`] where other keys were pinned meanwhile, or what the server says.
pub fn set_person_verified(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    person: &Person,
) -> Result<(), AccountError> {
    let (login, served) = (&person.bundle.bundle().login, person.bundle.fingerprint());
    change_state(home, config, unlocked, |state| {
        if state.set_verified(login, &served) {
            return Ok(());
        }
        let pinned = state.pins().get(login).map_or(served, |pin| pin.fingerprint);
        let source = PinError::IdentityChanged { pinned, served };
        Err(AccountError::Pin { login: login.clone(), source })
    })
}
