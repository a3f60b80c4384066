//! A deliberately naive client: what it leaves out is what an attack needs. A test shows first that the attack works on
//! it, so that the real client's refusal proves something.

use ensafer_core::account::{SealedAccount, SignedBundle};
use ensafer_core::api::server::{AccountDocument, BundleDocument};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};

/// A document of the protocol from what was heard.
#[must_use]
pub fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

/// Remembers nobody: whoever has signed the bundle that is served for `login` is who was asked for.
#[must_use]
pub fn takes_keys_without_a_pin(served: &Value, login: &str) -> bool {
    let bundle = SignedBundle::try_from(&parse::<BundleDocument>(served));
    bundle.is_ok_and(|bundle| bundle.bundle().login.as_str() == login)
}

/// Opens what is served with what the user typed, and compares it with nothing.
#[must_use]
pub fn opens_without_looking_back(served: &Value, password: &str) -> bool {
    let account = SealedAccount::from_document(&parse::<AccountDocument>(served));
    account.is_ok_and(|account| account.open_with_password(password).is_ok())
}

/// The proof of a password, derived with whatever the server asks for (`docs/protocol.md`, "Keys from the password").
#[must_use]
pub fn derive_auth(password: &str, login: &str, realm: &str, nonce: &[u8], iterations: u32) -> [u8; 32] {
    let with_length =
        |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let salt =
        Sha256::digest([b"ensafer/v1/salt\0", &*with_length(login), &with_length(realm), nonce].concat());
    let mut master = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, &mut master);
    // HKDF-Expand (RFC 5869 section 2.3), of which one block is enough.
    let mut mac = Hmac::<Sha512>::new_from_slice(&master).unwrap();
    mac.update(b"ensafer/v1/auth\0\x01");
    *mac.finalize().into_bytes().first_chunk().unwrap()
}
