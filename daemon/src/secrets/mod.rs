//! Where this device keeps the few secrets that open everything else: the system's keyring, or a sealed file.

mod keyring;
mod sealed_file;

use std::io;
use std::path::PathBuf;

use ensafer_core::crypto::PasswordError;
use zeroize::Zeroizing;

pub use keyring::KeyringStore;
pub use sealed_file::SealedFile;

/// A secret's bytes, wiped when dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// Why a secret cannot be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no keyring, or it does not answer. Retry later, or use the sealed file.
    #[error("the system's keyring is not available: {reason}")]
    Unavailable {
        /// What it said.
        reason: String,
    },
    /// The store needs to be unlocked first.
    #[error("the secrets of this device are locked")]
    Locked,
    /// The passphrase does not open the file.
    #[error("the password is wrong")]
    WrongPassword,
    /// The file's parameters are outside of what is safe.
    #[error(transparent)]
    Parameters(#[from] PasswordError),
    /// The file is not one of these, or was altered.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// It.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Named secrets of one device. Every change is atomic and durable when the call returns.
pub trait SecretStore: Send + Sync {
    /// The secret; `None` if none is kept. A keyring that was never unlocked answers `None` too, so `None` is no proof
    /// that there was never one.
    ///
    /// # Errors
    /// [`SecretError`].
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretError>;

    /// Keeps `secret` under `name`, in place of what was there.
    ///
    /// # Errors
    /// [`SecretError`].
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretError>;

    /// Forgets the secret, if there is one.
    ///
    /// # Errors
    /// [`SecretError`].
    fn delete(&self, name: &str) -> Result<(), SecretError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::*;

    /// A store in memory.
    #[derive(Default)]
    pub(crate) struct MemoryStore(Mutex<HashMap<String, Vec<u8>>>);

    impl SecretStore for MemoryStore {
        fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretError> {
            Ok(self.0.lock().unwrap().get(name).cloned().map(Zeroizing::new))
        }

        fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretError> {
            self.0.lock().unwrap().insert(name.to_owned(), secret.to_vec());
            Ok(())
        }

        fn delete(&self, name: &str) -> Result<(), SecretError> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
    }

    /// What every store must do. `open` opens the same store again.
    pub(crate) fn conforms(mut open: impl FnMut() -> Box<dyn SecretStore>) {
        let store = open();
        assert!(store.get("a").unwrap().is_none());
        store.delete("a").unwrap();
        store.set("a", b"one").unwrap();
        store.set("b", &[0, 255, 10]).unwrap();
        store.set("a", b"two").unwrap();
        assert_eq!(**store.get("a").unwrap().unwrap(), *b"two");
        drop(store);

        let again = open();
        assert_eq!(**again.get("a").unwrap().unwrap(), *b"two");
        assert_eq!(**again.get("b").unwrap().unwrap(), [0, 255, 10]);
        again.delete("a").unwrap();
        again.delete("a").unwrap();
        assert!(again.get("a").unwrap().is_none());
        assert!(again.get("b").unwrap().is_some(), "the others stay");
        again.delete("b").unwrap();
    }

    #[test]
    fn the_memory_store_conforms() {
        let shared = std::sync::Arc::new(MemoryStore::default());
        struct Shared(std::sync::Arc<MemoryStore>);
        impl SecretStore for Shared {
            fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretError> {
                self.0.get(name)
            }
            fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretError> {
                self.0.set(name, secret)
            }
            fn delete(&self, name: &str) -> Result<(), SecretError> {
                self.0.delete(name)
            }
        }
        conforms(|| Box::new(Shared(shared.clone())));
    }
}
