//! The system's keyring. Every call is bounded in time, and every call may succeed where an earlier one failed: the
//! keyring may come up, or be unlocked, after the daemon has started.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ensafer_core::ids::DeviceId;
use keyring_core::api::CredentialStoreApi;
use zeroize::Zeroizing;

use super::{SecretBytes, SecretError, SecretStore};
use crate::platform::connect_keyring;

/// The service under which the entries are listed.
const SERVICE: &str = "ensafer";

/// Longest wait for the keyring. Somebody may have to type a password into its own window.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for the connection, which nobody has to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Backend = Arc<dyn CredentialStoreApi + Send + Sync>;

/// Secrets in the system's keyring, under the device's id, so that two homes on one machine do not collide.
#[derive(Debug)]
pub struct KeyringStore {
    backend: Backend,
    device: DeviceId,
}

impl KeyringStore {
    /// Connects to the keyring of this session. Returns at once where there is none, and soon where it hangs.
    ///
    /// # Errors
    /// [`SecretError::Unavailable`].
    pub fn connect(device: DeviceId) -> Result<Self, SecretError> {
        let backend = within(CONNECT_TIMEOUT, connect_keyring)?;
        Ok(Self { backend, device })
    }

    #[cfg(test)]
    fn with(backend: Backend, device: DeviceId) -> Self {
        Self { backend, device }
    }

    fn entry(&self, name: &str) -> keyring_core::Result<keyring_core::Entry> {
        self.backend.build(SERVICE, &format!("{}/{name}", self.device), None)
    }
}

impl SecretStore for KeyringStore {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretError> {
        let entry = self.entry(name).map_err(|e| from_keyring(&e))?;
        within(TIMEOUT, move || match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretError> {
        let entry = self.entry(name).map_err(|e| from_keyring(&e))?;
        let secret = Zeroizing::new(secret.to_vec());
        within(TIMEOUT, move || entry.set_secret(&secret))
    }

    fn delete(&self, name: &str) -> Result<(), SecretError> {
        let entry = self.entry(name).map_err(|e| from_keyring(&e))?;
        within(TIMEOUT, move || match entry.delete_credential() {
            Err(keyring_core::Error::NoEntry) => Ok(()),
            other => other,
        })
    }
}

/// Runs `work` on a thread of its own, which is left behind when it does not answer in time.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
) -> Result<T, SecretError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // The receiver is gone after the timeout.
        let _ = sender.send(work());
    });
    spawned.map_err(|e| SecretError::Unavailable { reason: e.to_string() })?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(from_keyring(&error)),
        Err(_) => Err(SecretError::Unavailable { reason: format!("no answer within {} s", limit.as_secs()) }),
    }
}

fn from_keyring(error: &keyring_core::Error) -> SecretError {
    match error {
        keyring_core::Error::NoStorageAccess(_) => SecretError::Locked,
        other => SecretError::Unavailable { reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::conforms;
    use super::*;

    #[test]
    fn it_conforms() {
        let backend: Backend = keyring_core::mock::Store::new().unwrap();
        conforms(|| Box::new(KeyringStore::with(Arc::clone(&backend), DeviceId::new([1; 16]))));
    }

    #[test]
    fn two_devices_do_not_collide() {
        let backend: Backend = keyring_core::mock::Store::new().unwrap();
        let one = KeyringStore::with(Arc::clone(&backend), DeviceId::new([1; 16]));
        let two = KeyringStore::with(Arc::clone(&backend), DeviceId::new([2; 16]));
        one.set("key", b"one").unwrap();
        assert!(two.get("key").unwrap().is_none());
    }

    #[test]
    fn a_keyring_that_hangs_is_left_alone() {
        let (_keep, never) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = never.recv();
            Ok(())
        };
        let error = within(Duration::from_millis(1), hangs).unwrap_err();
        assert!(matches!(error, SecretError::Unavailable { .. }), "{error}");
    }
}
