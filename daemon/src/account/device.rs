//! This device's own way into the account.

use ensafer_client::home::Home;
use ensafer_client::password::Password;
use ensafer_core::account::{Account, SealedAccount};
use ensafer_core::crypto::{AccountKey, DeviceKey, Random, SystemRandom};
use ensafer_core::ids::DeviceId;

use super::files::{Device, KeptIn, read_device, sealed_file, write_device};
use super::{AccountError, Unlocked};
use crate::config::{Config, Keyring};
use crate::secrets::{KeyringStore, SecretStore};

/// Name of the device key among this device's secrets.
pub(super) const DEVICE_KEY: &str = "device-key";

/// What becomes of the account key that this device keeps.
#[derive(Debug, Clone, Copy)]
pub enum KeepAccountKey<'a> {
    /// It stays, or there is none.
    AsItIs,
    /// This one is kept from now on.
    This(&'a AccountKey),
    /// The password is used without one from now on.
    Drop,
}

/// The account key that this device keeps, where the account has one.
///
/// # Errors
/// The device's file cannot be read.
pub fn account_key(home: &Home) -> Result<Option<AccountKey>, AccountError> {
    Ok(read_device(home)?.and_then(|device| device.account_key()))
}

/// Makes a new device key, keeps it in the keyring or, where there is none, in the sealed file, and seals the account
/// for it. The device keeps its id.
pub(super) fn bind_device(
    home: &Home,
    config: &Config,
    account: &Account,
    password: &Password,
    account_key: KeepAccountKey<'_>,
) -> Result<DeviceKey, AccountError> {
    let old = read_device(home)?;
    let id = old.as_ref().map_or_else(|| DeviceId::new(SystemRandom.array()), |device| device.id);
    let kept_account_key = old.and_then(|device| device.account_key);
    let account_key = match account_key {
        KeepAccountKey::AsItIs => kept_account_key,
        KeepAccountKey::This(key) => Some(key.to_text().to_string()),
        KeepAccountKey::Drop => None,
    };
    let key = DeviceKey::generate(&mut SystemRandom);
    let file = sealed_file(home, config, id);
    // Whatever password sealed it before.
    file.remove()?;
    let kept_in = if keep_in_keyring(config, id, &key) {
        KeptIn::Keyring
    } else {
        file.unlock(password)?;
        file.set(DEVICE_KEY, &*key.expose_for_keyring())?;
        KeptIn::SealedFile
    };
    let seal = account.seal_for_device(&key, &mut SystemRandom);
    write_device(home, &Device { id, kept_in, seal, account_key })?;
    Ok(key)
}

/// Whether the keyring took the key and gives it back: a keyring that is locked may do neither.
fn keep_in_keyring(config: &Config, id: DeviceId, key: &DeviceKey) -> bool {
    if config.keyring == Keyring::Off {
        return false;
    }
    let bytes = key.expose_for_keyring();
    let kept = KeyringStore::connect(id).and_then(|store| {
        store.set(DEVICE_KEY, &*bytes)?;
        store.get(DEVICE_KEY)
    });
    match kept {
        Ok(kept) => kept.is_some_and(|kept| kept[..] == bytes[..]),
        Err(error) => {
            tracing::info!(%error, "the device key goes into the sealed file");
            false
        }
    }
}

/// The account by way of the sealed file; `None` where there is no such way, and the account's own password seal has
/// to tell.
pub(super) fn open_with_sealed_file(
    home: &Home,
    config: &Config,
    sealed: &SealedAccount,
    password: &Password,
) -> Result<Option<Unlocked>, AccountError> {
    let Some(device) = read_device(home)? else { return Ok(None) };
    if device.kept_in != KeptIn::SealedFile {
        return Ok(None);
    }
    let file = sealed_file(home, config, device.id);
    match file.unlock(password).and_then(|()| file.get(DEVICE_KEY)) {
        Ok(Some(bytes)) => Ok(open_with_key(sealed, &device, &bytes)),
        // Also where the password is wrong: a crash may have left this file behind the account's own seal, which tells.
        Ok(None) | Err(_) => Ok(None),
    }
}

pub(super) fn open_with_key(sealed: &SealedAccount, device: &Device, bytes: &[u8]) -> Option<Unlocked> {
    let key = DeviceKey::from_keyring(bytes)?;
    let account = sealed.open_with_device(&device.seal, &key).ok()?;
    Some(Unlocked::new(account, key))
}
