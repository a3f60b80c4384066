//! The Secret Service of the session's D-Bus (specifications.freedesktop.org/secret-service).

use std::env;
use std::path::Path;
use std::sync::Arc;

use keyring_core::api::CredentialStoreApi;
use zbus_secret_service_keyring_store::Store;

/// Connects to the keyring of this session, anew each time.
///
/// # Errors
/// There is none, or it does not answer.
pub fn connect_keyring() -> keyring_core::Result<Arc<dyn CredentialStoreApi + Send + Sync>> {
    let by_address = env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|value| !value.is_empty());
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty());
    let by_path = runtime.is_some_and(|dir| Path::new(&dir).join("bus").exists());
    if !by_address && !by_path {
        return Err(keyring_core::Error::NotSupportedByStore("there is no D-Bus session".to_owned()));
    }
    Ok(Store::new()?)
}
