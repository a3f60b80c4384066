//! The account of this computer: one sealed file, this device's own way into it, and its session with a key server.
//!
//! `account.ensafer-account` holds the account sealed under its password and its recovery key; `keys export` copies
//! it. `device.json` belongs to this computer: it names the device, holds the seal that the device key opens, and
//! says where that key is kept: in the system's keyring, or in `device.secrets`, which needs the password.
//! `session.json`, where the account is on a server, says on which, and holds the sealed tokens.

mod changes;
mod device;
mod directory;
mod error;
mod files;
mod group_server;
mod groups;
mod guest;
mod invite;
mod local;
mod login;
mod online;
mod refresh;
mod session;
mod strength;

use std::sync::Arc;

use ensafer_client::home::Home;
use ensafer_client::password::Password;
use ensafer_core::account::Account;
use ensafer_core::crypto::{AccountKey, DeviceKey, Login, RecoveryHalf, RecoveryKey};
use ensafer_core::ids::{AccountId, Fingerprint};

pub use changes::{change_login, change_password, change_recovery_key, delete, leave_server};
pub use device::{KeepAccountKey, account_key};
pub use directory::{
    Person, check_person, find_person, known_people, look_at_person, met_person, name_of, replace_person,
    set_person_verified,
};
pub use error::AccountError;
pub use group_server::{FreshGroups, GroupError, Groups, was_left};
pub use groups::GroupFiles;
pub use guest::{accepted_folder, accepted_invitation, keep_invitation};
pub use invite::{
    Invitation, Received, accept, end_invitation, fetch_invitation, invite, link, mail_link, meet_guest,
    now_s, open_invitation, open_invitations, proven_guest, served_invitations,
};
pub use local::{
    MAX_EXPORT_BYTES, export, exported, forget, import, import_with_recovery_key, is_unwritten, lock,
    note_unwritten, open_with_device, parse_exported, read_exported, recover, recovery_key, register, unlock,
};
pub use online::{Published, confirm, log_in, log_out, move_server, publish, recover_online};
pub use refresh::{Fresh, devices, export_from_server, refresh, report, revoke_device, set_display_name};
pub use session::{
    MAX_NEW_DEVICES, forget_new_devices, is_logged_in, new_devices, server_of, standing, was_ended_by_server,
};
pub use strength::check_strength;

/// An account whose keys are at hand, and this device's own key, which seals what is cached here.
#[derive(Debug, Clone)]
pub struct Unlocked {
    /// The account.
    pub account: Arc<Account>,
    /// This device's key.
    pub device: Arc<DeviceKey>,
}

impl Unlocked {
    fn new(account: Account, device: DeviceKey) -> Self {
        Self { account: Arc::new(account), device: Arc::new(device) }
    }
}

/// Whether an account is set up here.
#[must_use]
pub fn exists(home: &Home) -> bool {
    files::account_file(home).exists()
}

/// Refuses where an account is set up here.
///
/// # Errors
/// [`AccountError::Exists`].
pub fn refuse_if_present(home: &Home) -> Result<(), AccountError> {
    if exists(home) { Err(AccountError::Exists { path: files::account_file(home) }) } else { Ok(()) }
}

/// Reads a name for an account.
///
/// # Errors
/// [`AccountError::Login`].
pub fn parse_login(text: &str) -> Result<Login, AccountError> {
    text.parse().map_err(|source| AccountError::Login { login: text.to_owned(), source })
}

/// Reads a recovery key as somebody typed it.
///
/// # Errors
/// [`AccountError::RecoveryKey`].
pub fn parse_recovery_key(text: &Password) -> Result<RecoveryKey, AccountError> {
    Ok(text.expose().parse()?)
}

/// Whose account is set up here.
///
/// # Errors
/// [`AccountError::NotSetUp`].
pub fn login_of(home: &Home) -> Result<Login, AccountError> {
    Ok(files::read_sealed(home)?.login().clone())
}

/// What everybody may know of the account that is set up here.
///
/// # Errors
/// [`AccountError::NotSetUp`].
pub fn public_of(home: &Home) -> Result<(Login, AccountId, Fingerprint), AccountError> {
    let sealed = files::read_sealed(home)?;
    Ok((sealed.login().clone(), sealed.id(), sealed.bundle().fingerprint()))
}

/// Reads an account key as somebody typed it.
///
/// # Errors
/// [`AccountError::RecoveryKey`].
pub fn parse_account_key(text: &Password) -> Result<AccountKey, AccountError> {
    Ok(text.expose().parse()?)
}

/// Reads the printed half of a recovery key as somebody typed it.
///
/// # Errors
/// [`AccountError::RecoveryKey`].
pub fn parse_recovery_half(text: &Password) -> Result<RecoveryHalf, AccountError> {
    Ok(text.expose().parse()?)
}

#[cfg(test)]
mod tests;
