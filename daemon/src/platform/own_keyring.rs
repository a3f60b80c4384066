//! macOS and Windows: the system's own keyring (Keychain, Credential Manager), through the facade.

use std::sync::Arc;

use keyring_core::api::CredentialStoreApi;

/// Connects to the keyring of this user.
///
/// # Errors
/// It cannot be used.
pub fn connect_keyring() -> keyring_core::Result<Arc<dyn CredentialStoreApi + Send + Sync>> {
    if keyring::Entry::store_status().is_err() {
        return Err(keyring_core::Error::NoDefaultStore);
    }
    keyring_core::get_default_store().ok_or(keyring_core::Error::NoDefaultStore)
}
