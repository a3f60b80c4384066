//! What other devices and people changed: looked at, verified, taken over; and what the account remembers of it.

use std::sync::Arc;

use ensafer_client::home::Home;
use ensafer_core::account::{Account, AccountState, ParseAccountError, SealedAccount, SucceedError};
use ensafer_core::api::server::{
    AccountDocument, AccountExport, AccountReport, DeviceReport, ProblemKind, ProfileRequest,
};
use ensafer_core::crypto::SystemRandom;
use ensafer_core::ids::DeviceId;

use super::files::{lock, read_sealed, replace_file, store};
use super::{AccountError, Unlocked, session};
use crate::config::Config;
use crate::key_server::{KeyServer, Origin, ServerError};

/// How often a change of the account's state is tried again when other devices change it at the same time.
const STATE_ATTEMPTS: usize = 8;

/// What a look at the server brought.
#[derive(Debug)]
pub struct Fresh {
    /// The account, with what other devices changed.
    pub unlocked: Unlocked,
    /// Devices that logged in since the last look.
    pub new_devices: Vec<DeviceReport>,
}

/// Asks the server what other devices changed, and takes it over once it was verified; learns which devices are new.
///
/// # Errors
/// [`AccountError::ServerLies`] where what it serves cannot be true; nothing is changed then.
pub fn refresh(home: &Home, config: &Config, unlocked: &Unlocked) -> Result<Fresh, AccountError> {
    let new_devices = session::renew_now(home, config, &unlocked.account)?;
    let account = take_over(home, config, &unlocked.account)?;
    let unlocked = Unlocked { account: Arc::new(account), device: unlocked.device.clone() };
    let unlocked = match check_own_keys(home, config, &unlocked.account) {
        // Another device may have changed them since the account was fetched.
        Err(AccountError::ServerLies { .. }) => {
            let account = Arc::new(take_over(home, config, &unlocked.account)?);
            check_own_keys(home, config, &account)?;
            Unlocked { account, device: unlocked.device }
        }
        other => other.map(|()| unlocked)?,
    };
    Ok(Fresh { unlocked, new_devices })
}

/// The account as the server has it.
///
/// # Errors
/// As [`refresh`].
pub fn report(home: &Home, config: &Config, account: &Account) -> Result<AccountReport, AccountError> {
    session::with_token(home, config, account, KeyServer::account)
}

/// The account's devices.
///
/// # Errors
/// What the server says.
pub fn devices(home: &Home, config: &Config, account: &Account) -> Result<Vec<DeviceReport>, AccountError> {
    Ok(session::with_token(home, config, account, KeyServer::devices)?.devices)
}

/// Ends another device's session.
///
/// # Errors
/// What the server says.
pub fn revoke_device(
    home: &Home,
    config: &Config,
    account: &Account,
    device: DeviceId,
) -> Result<(), AccountError> {
    session::with_token(home, config, account, |server, token| server.revoke_device(token, device))
}

/// Sets what others read beside the address; none removes it.
///
/// # Errors
/// What the server says.
pub fn set_display_name(
    home: &Home,
    config: &Config,
    account: &Account,
    name: Option<String>,
) -> Result<(), AccountError> {
    let body = ProfileRequest { display_name: name };
    session::with_token(home, config, account, |server, token| server.set_profile(token, &body))
}

/// Everything that the server keeps about the account.
///
/// # Errors
/// What the server says.
pub fn export_from_server(
    home: &Home,
    config: &Config,
    account: &Account,
) -> Result<AccountExport, AccountError> {
    session::with_token(home, config, account, KeyServer::export)
}

/// Changes the account's state, on the server and here. Where another device changes it at the same time, or the answer
/// is lost, `change` is asked again, with what that made of it.
pub(super) fn change_state<T>(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    mut change: impl FnMut(&mut AccountState) -> Result<T, AccountError>,
) -> Result<T, AccountError> {
    let mut account = Arc::clone(&unlocked.account);
    let mut was_lost = false;
    for _ in 0..STATE_ATTEMPTS {
        let mut sealed = read_sealed(home)?;
        let mut state = sealed.read_state(&account)?;
        let before = state.clone();
        let result = change(&mut state)?;
        if state == before && sealed.state_version() > 0 {
            return Ok(result);
        }
        let changed = sealed.set_state(&account, &state.to_bytes(), &mut SystemRandom);
        if changed.is_err() {
            // Another process took over another address since the account was opened.
            account = Arc::new(take_over(home, config, &account)?);
            continue;
        }
        let document = sealed.state_document().expect("it was set just now");
        let sent = session::with_token(home, config, &account, |s, t| s.set_state(t, &document));
        match sent {
            Ok(()) => {
                store(home, &sealed)?;
                return Ok(result);
            }
            Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::VersionConflict) => {
                account = Arc::new(take_over(home, config, &account)?);
            }
            Err(AccountError::Server(error)) if error.leaves_open() && !was_lost => {
                was_lost = true;
                let Ok(taken_over) = take_over(home, config, &account) else { return Err(error.into()) };
                account = Arc::new(taken_over);
            }
            Err(error) => return Err(error),
        }
    }
    let kind = ProblemKind::VersionConflict;
    Err(ServerError::Refused { kind, problem: Box::new(kind.problem()) }.into())
}

/// Takes over what other devices changed, and gives the account as it is then.
pub(super) fn take_over(home: &Home, config: &Config, account: &Account) -> Result<Account, AccountError> {
    take_over_and_look(home, config, account).map(|(account, _)| account)
}

/// The same, and the version of the password that the server knows: its seal is not taken over.
pub(super) fn take_over_and_look(
    home: &Home,
    config: &Config,
    account: &Account,
) -> Result<(Account, u32), AccountError> {
    loop {
        let (asked, before) = (session::server_of(home)?, read_sealed(home)?);
        let report = session::with_token(home, config, account, KeyServer::account)?;
        let _lock = lock(home)?;
        let mut sealed = read_sealed(home)?;
        let server = session::server_of(home)?;
        if sealed != before || server != asked {
            // Another process kept what that server had not yet when it was asked, or has never had.
            continue;
        }
        let origin = server.ok_or(AccountError::NotLoggedIn)?;
        let served = parse_served(&report.account, &origin)?;
        let adopted = sealed.adopt(account, &served).map_err(|error| match error {
            SucceedError::NewerVersion => AccountError::NewerVersion,
            SucceedError::Refused => AccountError::ServerLies {
                origin,
                what: "the account is older than what this computer has seen, or does not open",
            },
        })?;
        if sealed != before {
            replace_file(home, &sealed)?;
        }
        return Ok((adopted, report.account.password.version));
    }
}

/// Takes an account that was served, its signature verified.
pub(super) fn parse_served(
    document: &AccountDocument,
    origin: &Origin,
) -> Result<SealedAccount, AccountError> {
    SealedAccount::from_document(document).map_err(|error| match error {
        ParseAccountError::NewerVersion => AccountError::NewerVersion,
        _ => AccountError::ServerLies {
            origin: origin.clone(),
            what: "the account is malformed, or its signature does not verify",
        },
    })
}

/// Compares what the server tells everybody about this account with what is true.
fn check_own_keys(home: &Home, config: &Config, account: &Account) -> Result<(), AccountError> {
    let login = account.login().clone();
    let served = session::with_token(home, config, account, |server, token| server.user(token, &login))?;
    if served.bundle.bundle.0 == account.bundle().bytes() {
        return Ok(());
    }
    let origin = session::server_of(home)?.ok_or(AccountError::NotLoggedIn)?;
    Err(AccountError::ServerLies { origin, what: "it gives others other keys under this account's name" })
}
