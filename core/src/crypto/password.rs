//! Keys from a password (`docs/format.md`, "The account file").

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::backend::{Active, Backend};
use super::hash::{length_prefix, sha256};
use super::keys::{Key, PasswordAuth, PasswordKek};
use super::login::Login;
use super::printed::{ParsePrintedError, Print};
use super::random::{Random, random_array};

/// Fewest rounds that are accepted, from a server or a file.
pub const MIN_ITERATIONS: u32 = 600_000;
/// Most rounds that are accepted.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// Everything but the password that its keys depend on. It is public, and bound into what the keys seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordParameters {
    /// Who logs in.
    pub login: Login,
    /// Where: a server's canonical origin (RFC 6454, ASCII), or `local`.
    pub realm: String,
    /// Random, so that a password used twice gives two keys.
    pub nonce: [u8; 16],
    /// Rounds of PBKDF2.
    pub iterations: u32,
}

/// Keys cannot be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The rounds are outside of [`MIN_ITERATIONS`] and [`MAX_ITERATIONS`]. Nothing was derived.
    #[error("{0} rounds of password derivation are outside of what is safe (600,000 to 10,000,000)")]
    Iterations(u32),
    /// The realm is not short ASCII.
    #[error("the realm of the password is not a short ASCII text")]
    Realm,
    /// There is no password.
    #[error("the password is empty")]
    Empty,
}

/// 128 random bits that are mixed into the password's keys, where the owner wants them: a server that was robbed can
/// then not even begin to guess the password. It is kept on the account's devices and on paper, and never sent.
#[derive(ZeroizeOnDrop)]
pub struct AccountKey([u8; ACCOUNT_KEY_BYTES]);

const ACCOUNT_KEY_BYTES: usize = 16;

/// Seven groups of four: 26 characters for 128 bits, and two of checksum.
const ACCOUNT_KEY_PRINT: Print<ACCOUNT_KEY_BYTES> =
    Print { what: "an account key", label: b"ensafer/v1/account-key-check\0", check_characters: 2 };

impl AccountKey {
    /// Makes a random key.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// The key as it is printed: seven groups of four characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        ACCOUNT_KEY_PRINT.to_text(&self.0)
    }
}

impl FromStr for AccountKey {
    type Err = ParsePrintedError;

    /// Reads what [`to_text`](AccountKey::to_text) wrote, as people type it.
    fn from_str(text: &str) -> Result<Self, ParsePrintedError> {
        ACCOUNT_KEY_PRINT.parse(text).map(|secret| Self(*secret))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(…)")
    }
}

/// What a person knows, and what they may have beside it.
#[derive(Clone, Copy)]
pub struct Passphrase<'a> {
    /// The password, as it was typed.
    pub password: &'a str,
    /// The account key, where the account has one.
    pub account_key: Option<&'a AccountKey>,
}

impl<'a> From<&'a str> for Passphrase<'a> {
    /// A password alone.
    fn from(password: &'a str) -> Self {
        Self { password, account_key: None }
    }
}

/// The keys from one password.
#[derive(Debug)]
pub struct PasswordKeys {
    /// Seals the account master key; never leaves the device.
    pub kek: PasswordKek,
    /// What the server gets to see.
    pub auth: PasswordAuth,
}

impl PasswordParameters {
    /// Parameters with a new nonce.
    #[must_use]
    pub fn generate(
        login: Login,
        realm: impl Into<String>,
        iterations: u32,
        rng: &mut (impl Random + ?Sized),
    ) -> Self {
        Self { login, realm: realm.into(), nonce: random_array(rng), iterations }
    }

    /// Refuses parameters that would derive weak keys, or take a hostile amount of time.
    ///
    /// # Errors
    /// [`PasswordError::Iterations`] or [`PasswordError::Realm`].
    pub fn check(&self) -> Result<(), PasswordError> {
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&self.iterations) {
            return Err(PasswordError::Iterations(self.iterations));
        }
        let plain = |byte: u8| byte.is_ascii_graphic();
        if self.realm.is_empty() || self.realm.len() > 255 || !self.realm.bytes().all(plain) {
            return Err(PasswordError::Realm);
        }
        Ok(())
    }

    /// Derives the password's keys, after [`check`](Self::check). It takes a second or so: keep it off threads that
    /// others wait for.
    ///
    /// # Errors
    /// [`PasswordError`]; nothing is derived then.
    pub fn derive<'a>(&self, passphrase: impl Into<Passphrase<'a>>) -> Result<PasswordKeys, PasswordError> {
        self.check()?;
        let Passphrase { password, account_key } = passphrase.into();
        if password.is_empty() {
            return Err(PasswordError::Empty);
        }
        let normal = normalized(password);
        let mut master = Zeroizing::new([0u8; 32 + ACCOUNT_KEY_BYTES]);
        Active::pbkdf2_hmac_sha256(normal.as_bytes(), &self.salt(), self.iterations, &mut master[..32]);
        let length = match account_key {
            Some(key) => {
                master[32..].copy_from_slice(&key.0);
                master.len()
            }
            None => 32,
        };
        Ok(PasswordKeys {
            kek: Key::expand(&master[..length], &[b"ensafer/v1/kek\0"]),
            auth: Key::expand(&master[..length], &[b"ensafer/v1/auth\0"]),
        })
    }

    /// All fields in a fixed encoding, for the context of what the keys seal.
    pub(crate) fn context(&self) -> Vec<u8> {
        let (login, realm) = (self.login.as_str().as_bytes(), self.realm.as_bytes());
        [
            &length_prefix(login),
            login,
            &length_prefix(realm),
            realm,
            &self.nonce,
            &self.iterations.to_be_bytes(),
        ]
        .concat()
    }

    /// The salt is computed here, never taken from a server, so that no server can harvest what is meant for another.
    fn salt(&self) -> [u8; 32] {
        let (login, realm) = (self.login.as_str().as_bytes(), self.realm.as_bytes());
        sha256(&[
            b"ensafer/v1/salt\0",
            &length_prefix(login),
            login,
            &length_prefix(realm),
            realm,
            &self.nonce,
        ])
    }
}

impl PasswordAuth {
    /// The bytes that are sent to the server as proof of the password.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes()
    }
}

/// NFKC (UAX #15), so that every keyboard's spelling of a password is one.
fn normalized(password: &str) -> Zeroizing<String> {
    // NFKC grows a text to at most 18 times its bytes; no reallocation leaves a copy behind for usual ones.
    let mut normal = Zeroizing::new(String::with_capacity(password.len() * 4));
    normal.extend(password.nfkc());
    normal
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    fn parameters(iterations: u32) -> PasswordParameters {
        let login = "alice@example.com".parse().unwrap();
        PasswordParameters::generate(login, "local", iterations, &mut TestRandom::new(3))
    }

    #[test]
    fn weak_and_hostile_parameters_are_refused_before_deriving() {
        for iterations in [0, 1, 599_999, 10_000_001, 1_000_000_000, u32::MAX] {
            assert_eq!(
                parameters(iterations).derive("password").unwrap_err(),
                PasswordError::Iterations(iterations)
            );
        }
        for realm in ["", "https://exämple.com", "a b", &"a".repeat(256)] {
            let parameters = PasswordParameters { realm: realm.into(), ..parameters(MIN_ITERATIONS) };
            assert_eq!(parameters.derive("password").unwrap_err(), PasswordError::Realm);
        }
        assert_eq!(parameters(MIN_ITERATIONS).derive("").unwrap_err(), PasswordError::Empty);
    }

    #[test]
    fn every_parameter_changes_the_salt() {
        let original = parameters(MIN_ITERATIONS);
        let mut changed = vec![
            PasswordParameters { login: "bob@example.com".parse().unwrap(), ..original.clone() },
            PasswordParameters { realm: "https://example.com".into(), ..original.clone() },
            PasswordParameters { nonce: [0; 16], ..original.clone() },
        ];
        changed.push(original.clone());
        let salts: std::collections::HashSet<_> = changed.iter().map(PasswordParameters::salt).collect();
        assert_eq!(salts.len(), 4);
    }

    /// Threat 8: whoever has the server's database and even guesses the password opens nothing without this key.
    #[test]
    fn an_account_key_changes_both_keys() {
        let key = AccountKey::generate(&mut TestRandom::new(4));
        let again: AccountKey = key.to_text().parse().unwrap();
        let derive = |account_key| {
            let keys = parameters(MIN_ITERATIONS).derive(Passphrase { password: "password", account_key });
            keys.map(|keys| (*keys.kek.bytes(), *keys.auth.bytes())).unwrap()
        };
        let (with, without) = (derive(Some(&key)), derive(None));
        assert_eq!(derive(Some(&again)), with);
        assert!(with.0 != without.0 && with.1 != without.1);
    }

    #[test]
    fn spellings_of_one_password_are_one() {
        assert_eq!(*normalized("pa\u{308}ss\u{fb01}x"), *normalized("pässfix"));
        assert_ne!(*normalized("Password"), *normalized("password"));
    }
}
