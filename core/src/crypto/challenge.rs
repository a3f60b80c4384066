//! Proof of an account's login key (`docs/protocol.md`, "Login"): a server seals a session key to it, and whoever opens
//! that answers with a MAC over everything both sides saw. The opened key itself never travels, so that no answer helps
//! to open anything else.

use subtle::ConstantTimeEq;

use super::OpenError;
use super::backend::{Active, Backend, RSA_BYTES};
use super::envelope::{LoginPrivateKey, LoginPublicKey};
use super::hash::{length_prefix, sha256_hex};
use super::keys::LoginSessionKey;
use crate::ids::AccountId;

/// Size in bytes of a sealed challenge.
pub const CHALLENGE_BYTES: usize = RSA_BYTES;

const PROOF_LABEL: &[u8] = b"ensafer/v1/login-proof\0";

/// What a challenge is bound to: it opens for no other realm, account or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeBinding<'a> {
    /// The server's canonical origin, as the account knows it.
    pub realm: &'a str,
    /// The account that logs in.
    pub account: AccountId,
    /// When the challenge expires, in seconds since 1970.
    pub expires_at_s: u64,
}

impl ChallengeBinding<'_> {
    /// `ensafer/v1/login/` and the hex SHA-256 of realm, account and expiry. The text before the digits is no
    /// envelope's, so that no envelope passes for a challenge, even under one key.
    fn label(&self) -> String {
        let realm = self.realm.as_bytes();
        let bound = sha256_hex(&[
            &length_prefix(realm),
            realm,
            self.account.as_bytes(),
            &self.expires_at_s.to_be_bytes(),
        ]);
        format!("ensafer/v1/login/{bound}")
    }
}

impl LoginPublicKey {
    /// Seals a session key, which must be new, as a challenge.
    ///
    /// # Panics
    /// If the realm is 64 KiB or longer.
    #[must_use]
    pub fn seal_challenge(
        &self,
        binding: &ChallengeBinding<'_>,
        key: &LoginSessionKey,
    ) -> [u8; CHALLENGE_BYTES] {
        self.half().wrap(&binding.label(), key)
    }
}

impl LoginPrivateKey {
    /// Opens a challenge.
    ///
    /// # Errors
    /// [`OpenError`] if it was sealed to another key or for another binding, or is none.
    pub fn open_challenge(
        &self,
        binding: &ChallengeBinding<'_>,
        sealed: &[u8],
    ) -> Result<LoginSessionKey, OpenError> {
        self.half().unwrap(&binding.label(), sealed)
    }
}

impl LoginSessionKey {
    /// The answer: HMAC-SHA-256 (RFC 2104) over a label and the login's transcript.
    #[must_use]
    pub fn prove(&self, transcript: &[u8; 32]) -> [u8; 32] {
        Active::hmac_sha256(self.bytes(), &[PROOF_LABEL, transcript])
    }
}

/// Whether two proofs are the same, in constant time.
#[must_use]
pub fn proofs_match(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::super::test_keys;
    use super::super::{FileKey, TestRandom};
    use super::*;
    use crate::ids::FileId;

    const BINDING: ChallengeBinding<'static> = ChallengeBinding {
        realm: "https://keys.example.com",
        account: AccountId::new([7; 16]),
        expires_at_s: 1_900_000_000,
    };

    #[test]
    fn a_challenge_opens_for_its_binding_only() {
        let (alice, bob) = (test_keys::alice().login, test_keys::bob().login);
        let key = LoginSessionKey::generate(&mut TestRandom::new(1));
        let sealed = alice.public().seal_challenge(&BINDING, &key);
        let opened = alice.open_challenge(&BINDING, &sealed).unwrap();
        assert_eq!(opened.prove(&[1; 32]), key.prove(&[1; 32]));
        assert_ne!(key.prove(&[1; 32]), key.prove(&[2; 32]));
        for other in [
            ChallengeBinding { realm: "https://keys.example.org", ..BINDING },
            ChallengeBinding { account: AccountId::new([8; 16]), ..BINDING },
            ChallengeBinding { expires_at_s: 1_900_000_001, ..BINDING },
        ] {
            assert!(alice.open_challenge(&other, &sealed).is_err(), "{other:?}");
        }
        assert!(bob.open_challenge(&BINDING, &sealed).is_err());
        assert!(alice.open_challenge(&BINDING, &sealed[..383]).is_err());
    }

    /// Threats 4 and 5: what was wrapped as an envelope is no challenge, even where somebody used one RSA key for both.
    #[test]
    fn an_envelope_is_no_challenge() {
        let keys = test_keys::alice();
        let file_key = FileKey::generate(&mut TestRandom::new(2));
        let envelope = keys.envelope.public().wrap_file_key(FileId::new([1; 16]), 1, &file_key);
        let as_login = LoginPrivateKey::from_pkcs8(&keys.envelope.to_pkcs8()).unwrap();
        assert!(keys.login.open_challenge(&BINDING, &envelope).is_err());
        assert!(as_login.open_challenge(&BINDING, &envelope).is_err(), "the label alone keeps them apart");
    }
}
