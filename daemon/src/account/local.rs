//! The account without a server: making, opening, exporting and recovering it.

use std::io;
use std::path::Path;

use ensafer_client::home::Home;
use ensafer_client::password::Password;
use ensafer_client::private_file;
use ensafer_core::account::{Account, SealedAccount};
use ensafer_core::crypto::{AccountKey, Login, Passphrase, PasswordParameters, RecoveryKey, SystemRandom};

use super::device::{self, DEVICE_KEY, KeepAccountKey, bind_device, open_with_key, open_with_sealed_file};
use super::files::{
    KeptIn, create_file, io_error, parse, read_device, read_sealed, sealed_file, store, write_device,
};
use super::{AccountError, Unlocked, refuse_if_present};
use crate::config::{Config, Keyring};
use crate::key_server::Origin;
use crate::secrets::{KeyringStore, SecretStore};

/// The realm of an account without a server (`docs/format.md`, "The account file").
pub(super) const REALM: &str = "local";

/// Longest exported file that is read: an account is a few KiB, its state at most 1 MiB.
pub const MAX_EXPORT_BYTES: usize = 2 * 1024 * 1024;

/// Makes the account of this computer. Takes a second or more.
///
/// # Errors
/// [`AccountError::Exists`], or it cannot be written; nothing is there afterwards then.
pub fn register(
    home: &Home,
    config: &Config,
    login: &Login,
    password: &Password,
    account_key: Option<&AccountKey>,
) -> Result<(Unlocked, RecoveryKey), AccountError> {
    refuse_if_present(home)?;
    let iterations = config.pbkdf2_iterations;
    let parameters = PasswordParameters::generate(login.clone(), REALM, iterations, &mut SystemRandom);
    let kek = parameters.derive(password.with(account_key))?.kek;
    let (sealed, account, recovery_key) = SealedAccount::create(parameters, &kek, &mut SystemRandom);
    create_file(home, &sealed)?;
    let keep = account_key.map_or(KeepAccountKey::Drop, KeepAccountKey::This);
    let device = bind_device(home, config, &account, password, keep)?;
    Ok((Unlocked::new(account, device), recovery_key))
}

/// Opens the account with its password, and renews this device's own way into it. Takes a second.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::NotSetUp`].
pub fn unlock(home: &Home, config: &Config, password: &Password) -> Result<Unlocked, AccountError> {
    let sealed = read_sealed(home)?;
    if let Some(unlocked) = open_with_sealed_file(home, config, &sealed, password)? {
        return Ok(unlocked);
    }
    let account = sealed.open_with_password(password.with(device::account_key(home)?.as_ref()))?;
    let device = bind_device(home, config, &account, password, KeepAccountKey::AsItIs)?;
    Ok(Unlocked::new(account, device))
}

/// Opens the account with this device's key from the system's keyring. `None` where the key is not at hand: there is
/// no keyring now, it is locked, or the key is kept in the sealed file. Then [`unlock`] it is.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::Damaged`].
pub fn open_with_device(home: &Home, config: &Config) -> Result<Option<Unlocked>, AccountError> {
    let sealed = read_sealed(home)?;
    let Some(device) = read_device(home)? else { return Ok(None) };
    if device.kept_in != KeptIn::Keyring || config.keyring == Keyring::Off {
        return Ok(None);
    }
    let kept = KeyringStore::connect(device.id).and_then(|store| store.get(DEVICE_KEY));
    match kept {
        Ok(Some(bytes)) => Ok(open_with_key(&sealed, &device, &bytes)),
        Ok(None) => Ok(None),
        Err(error) => {
            tracing::info!(%error, "the keyring does not give the device key");
            Ok(None)
        }
    }
}

/// Forgets this device's key, so that only the password opens the account.
///
/// # Errors
/// The key cannot be removed.
pub fn lock(home: &Home, config: &Config) -> Result<(), AccountError> {
    let Some(mut device) = read_device(home)? else { return Ok(()) };
    if device.kept_in == KeptIn::Keyring {
        KeyringStore::connect(device.id)?.delete(DEVICE_KEY)?;
    }
    sealed_file(home, config, device.id).remove()?;
    device.kept_in = KeptIn::Nowhere;
    write_device(home, &device)
}

/// Removes the account from this computer, as if it had never been made: only for one that nobody has seen yet.
///
/// # Errors
/// A file cannot be removed.
pub fn forget(home: &Home, config: &Config) -> Result<(), AccountError> {
    lock(home, config)?;
    for path in [super::files::account_file(home), super::files::device_file(home)] {
        private_file::remove(&path).map_err(io_error(&path))?;
    }
    note_unwritten(home, false)?;
    super::session::forget(home)
}

/// Notes that the recovery key was shown and that nobody has said yet that it is written down, or that somebody has.
///
/// # Errors
/// The note cannot be written or removed.
pub fn note_unwritten(home: &Home, is_unwritten: bool) -> Result<(), AccountError> {
    let path = super::files::unwritten_file(home);
    let done = if is_unwritten { private_file::replace(&path, b"") } else { private_file::remove(&path) };
    done.map_err(io_error(&path))
}

/// Whether the recovery key was shown, and nobody has said that it is written down.
#[must_use]
pub fn is_unwritten(home: &Home) -> bool {
    super::files::unwritten_file(home).exists()
}

/// The sealed account, as a file carries it to another computer.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::Damaged`].
pub fn exported(home: &Home) -> Result<Vec<u8>, AccountError> {
    Ok(read_sealed(home)?.to_bytes())
}

/// Writes the sealed account to `output`, mode 0600. What belongs to this device stays here.
///
/// # Errors
/// [`AccountError::OutputExists`], [`AccountError::Io`].
pub fn export(home: &Home, output: &Path) -> Result<(), AccountError> {
    match private_file::create(output, &exported(home)?) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(AccountError::OutputExists { path: output.to_path_buf() })
        }
        other => other.map_err(io_error(output)),
    }
}

/// Reads a file that [`export`] wrote; checks its form, not its password.
///
/// # Errors
/// [`AccountError::Damaged`].
pub fn read_exported(file: &Path) -> Result<SealedAccount, AccountError> {
    let length = std::fs::metadata(file).map_err(io_error(file))?.len();
    if length > MAX_EXPORT_BYTES as u64 {
        let source = format!("{length} bytes are too many").into();
        return Err(AccountError::Damaged { path: file.to_path_buf(), source });
    }
    parse_exported(&std::fs::read(file).map_err(io_error(file))?, file)
}

/// What [`exported`] gave; checks its form, not its password. `file` is what errors call it.
///
/// # Errors
/// [`AccountError::Damaged`].
pub fn parse_exported(bytes: &[u8], file: &Path) -> Result<SealedAccount, AccountError> {
    parse(bytes, file)
}

/// Sets up an exported account here, once `password` has opened it.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::WrongPassword`]; nothing is there afterwards then.
pub fn import(
    home: &Home,
    config: &Config,
    sealed: &SealedAccount,
    password: &Password,
    account_key: Option<&AccountKey>,
) -> Result<Account, AccountError> {
    refuse_if_present(home)?;
    let account = sealed.open_with_password(password.with(account_key))?;
    create_file(home, sealed)?;
    let keep = account_key.map_or(KeepAccountKey::Drop, KeepAccountKey::This);
    bind_device(home, config, &account, password, keep)?;
    remember_server(home, sealed)?;
    Ok(account)
}

/// Sets up an exported account here, once its recovery key has opened it, with a new password.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::WrongRecoveryKey`]; nothing is there afterwards then.
pub fn import_with_recovery_key(
    home: &Home,
    config: &Config,
    mut sealed: SealedAccount,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Account, AccountError> {
    refuse_if_present(home)?;
    let server = server_in(&sealed);
    let account = open_with_recovery_key(config, &mut sealed, key, password.with(None))?;
    create_file(home, &sealed)?;
    bind_device(home, config, &account, password, KeepAccountKey::Drop)?;
    server.map_or(Ok(()), |server| super::session::keep_server(home, &server, false))?;
    Ok(account)
}

/// An account that comes from a server names it in its password's parameters; nobody is logged in there yet.
fn remember_server(home: &Home, sealed: &SealedAccount) -> Result<(), AccountError> {
    server_in(sealed).map_or(Ok(()), |server| super::session::keep_server(home, &server, false))
}

/// The server that the password's parameters name, if any knows the password.
pub(super) fn server_in(sealed: &SealedAccount) -> Option<Origin> {
    let realm = &sealed.password_parameters().realm;
    // Without a scheme it would be read as the name of a computer.
    realm.parse().ok().filter(|origin: &Origin| origin.as_str() == realm)
}

/// The recovery key, which the account itself holds sealed.
///
/// # Errors
/// [`AccountError::WrongPassword`].
pub fn recovery_key(home: &Home, password: &Password) -> Result<RecoveryKey, AccountError> {
    let sealed = read_sealed(home)?;
    let account = sealed.open_with_password(password.with(device::account_key(home)?.as_ref()))?;
    sealed.recovery_key(&account).map_err(|_| AccountError::Inconsistent)
}

/// Opens the account with the recovery key and gives it a new password.
///
/// # Errors
/// [`AccountError::WrongRecoveryKey`]; nothing is changed then.
pub fn recover(
    home: &Home,
    config: &Config,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Account, AccountError> {
    let mut sealed = read_sealed(home)?;
    let account_key = device::account_key(home)?;
    let account = open_with_recovery_key(config, &mut sealed, key, password.with(account_key.as_ref()))?;
    store(home, &sealed)?;
    bind_device(home, config, &account, password, KeepAccountKey::AsItIs)?;
    Ok(account)
}

/// Opens `sealed` with the recovery key and gives it a new password.
fn open_with_recovery_key(
    config: &Config,
    sealed: &mut SealedAccount,
    key: &RecoveryKey,
    passphrase: Passphrase<'_>,
) -> Result<Account, AccountError> {
    let account = sealed.open_with_recovery(key).map_err(|_| AccountError::WrongRecoveryKey)?;
    // No server knows this password yet.
    let parameters = sealed.new_password_parameters(REALM, config.pbkdf2_iterations, &mut SystemRandom);
    let kek = parameters.derive(passphrase)?.kek;
    sealed
        .change_password(&account, parameters, &kek, &mut SystemRandom)
        .map_err(|_| AccountError::Inconsistent)?;
    Ok(account)
}
