//! A deliberately naive client, and a naive server: what they leave out is what an attack needs. A test shows first that
//! the attack works on them, so that the real one's refusal proves something.

use std::collections::HashMap;

use ensafer_core::account::{AccountState, SealedAccount, SignedBundle};
use ensafer_core::api::server::{AccountDocument, BundleDocument};
use ensafer_core::crypto::RecoveryKey;
use ensafer_core::format::roster::open_group_object;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};

use crate::evil_server::Exchange;

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

/// Opens what is served with a recovery key, which may be one that its owner has replaced.
#[must_use]
pub fn opens_with_any_recovery_key(served: &Value, key: &RecoveryKey) -> bool {
    let account = SealedAccount::from_document(&parse::<AccountDocument>(served));
    account.is_ok_and(|account| account.open_with_recovery(key).is_ok())
}

/// What an account remembers, by what is served and nothing else.
#[must_use]
pub fn remembers_what_is_served(served: &Value, password: &str) -> AccountState {
    let sealed = SealedAccount::from_document(&parse::<AccountDocument>(served)).unwrap();
    let account = sealed.open_with_password(password).unwrap();
    let state = sealed.state(&account).unwrap();
    state.map_or_else(AccountState::default, |state| AccountState::from_bytes(&state).unwrap())
}

/// Who is in a group by the file that is served, whatever was seen of the group, and whichever group it is.
#[must_use]
pub fn opens_any_group(served: &Value, password: &str, object: &Value) -> Vec<String> {
    let sealed = SealedAccount::from_document(&parse::<AccountDocument>(served)).unwrap();
    let account = sealed.open_with_password(password).unwrap();
    let object = hex::decode(object.as_str().unwrap()).unwrap();
    let opened = open_group_object(&object, account.envelope(), &[]).unwrap();
    let members = opened.group.state().members.iter();
    let mut people: Vec<_> = members.map(|member| member.bundle.bundle().login.to_string()).collect();
    people.sort();
    people
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

/// A server that leaves the proof to the client: it hands the sealed account out with the ticket, as whoever has the
/// password can open it, and nobody else.
pub fn serves_before_the_proof(account: Value) -> impl FnMut(&mut Exchange) + Send + 'static {
    move |exchange| {
        if exchange.path == "/v1/login/start" {
            exchange.answer["account"] = account.clone();
        }
    }
}

/// A server that compares secrets and remembers nothing else: the proof, answer or token that was right once is right
/// again, whatever stands around it.
pub fn takes_secrets_again(heard: &[Exchange]) -> impl FnMut(&mut Exchange) + Send + 'static {
    let answered: HashMap<_, _> =
        heard.iter().filter_map(|exchange| Some((shown(exchange)?, exchange.answer.clone()))).collect();
    move |exchange| {
        if let Some(answer) = shown(exchange).and_then(|secret| answered.get(&secret)) {
            exchange.status = 200;
            exchange.answer = answer.clone();
        }
    }
}

/// Where a request shows a secret, and which.
fn shown(exchange: &Exchange) -> Option<(String, String)> {
    let secret = ["auth", "proof", "refresh"].iter().find_map(|field| exchange.request[*field].as_str())?;
    Some((exchange.path.clone(), secret.to_owned()))
}
