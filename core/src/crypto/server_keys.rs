//! What a key server computes with its own secret: verifiers of passwords, answers about logins that do not exist, and
//! tickets for login attempts.

use subtle::ConstantTimeEq;
use zeroize::ZeroizeOnDrop;

use super::backend::{Active, Backend};
use super::keys::{Key, purpose};
use super::login::Login;
use super::random::{Random, random_array};
use crate::ids::AccountId;

/// The one secret of a key server, shared by its replicas. Whoever has the database but not this can test no guess of a
/// password against it.
#[derive(ZeroizeOnDrop)]
pub struct ServerSecret([u8; Self::LEN]);

impl ServerSecret {
    /// Size in bytes.
    pub const LEN: usize = 32;

    /// Makes a random secret.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// Takes back what [`expose`](Self::expose) gave. `None` if it is not 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The bytes, for the secret's own file.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl std::fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerSecret(…)")
    }
}

/// What is shown as proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum VerifierKind {
    /// The password.
    Password = 1,
    /// The recovery key.
    Recovery = 2,
    /// A code that was mailed.
    MailedCode = 3,
}

/// The keys that a server derives from its secret, one for each use.
#[derive(Debug)]
pub struct ServerKeys {
    pepper: Key<purpose::Pepper>,
    unknown: Key<purpose::UnknownLogin>,
    attempt: Key<purpose::LoginAttempt>,
}

impl ServerKeys {
    /// Derives them.
    #[must_use]
    pub fn derive(secret: &ServerSecret) -> Self {
        Self {
            pepper: Key::expand(&secret.0, &[b"ensafer/v1/server/pepper\0"]),
            unknown: Key::expand(&secret.0, &[b"ensafer/v1/server/unknown-login\0"]),
            attempt: Key::expand(&secret.0, &[b"ensafer/v1/server/login-attempt\0"]),
        }
    }

    /// What is kept of a proof: HMAC-SHA-256 of kind, account and proof.
    #[must_use]
    pub fn verifier(&self, kind: VerifierKind, account: AccountId, auth: &[u8; 32]) -> [u8; 32] {
        Active::hmac_sha256(self.pepper.bytes(), &[&[kind as u8], account.as_bytes(), auth])
    }

    /// Whether `auth` is what `verifier` was made of, in constant time.
    #[must_use]
    pub fn verify(
        &self,
        kind: VerifierKind,
        account: AccountId,
        auth: &[u8; 32],
        verifier: &[u8; 32],
    ) -> bool {
        self.verifier(kind, account, auth).ct_eq(verifier).into()
    }

    /// The nonce of a login that does not exist: always the same for one login, and like that of any other.
    #[must_use]
    pub fn unknown_nonce(&self, login: &Login) -> [u8; 16] {
        let mac = Active::hmac_sha256(self.unknown.bytes(), &[b"nonce\0", login.as_str().as_bytes()]);
        *mac.first_chunk().expect("an HMAC has 32 bytes")
    }

    /// An account id that no login has, so that what is computed for an unknown login takes as long as for another.
    #[must_use]
    pub fn unknown_account(&self, login: &Login) -> AccountId {
        let mac = Active::hmac_sha256(self.unknown.bytes(), &[b"account\0", login.as_str().as_bytes()]);
        AccountId::new(*mac.first_chunk().expect("an HMAC has 32 bytes"))
    }

    /// Authenticates a login attempt's ticket, so that a server keeps nothing until a proof comes.
    #[must_use]
    pub fn attempt_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        Active::hmac_sha256(self.attempt.bytes(), parts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    #[test]
    fn a_verifier_belongs_to_secret_kind_account_and_proof() {
        let mut rng = TestRandom::new(1);
        let (one, other) = (ServerSecret::generate(&mut rng), ServerSecret::generate(&mut rng));
        let keys = ServerKeys::derive(&one);
        let (alice, bob) = (AccountId::new([1; 16]), AccountId::new([2; 16]));
        let verifier = keys.verifier(VerifierKind::Password, alice, &[3; 32]);
        assert!(keys.verify(VerifierKind::Password, alice, &[3; 32], &verifier));
        for other in [VerifierKind::Recovery, VerifierKind::MailedCode] {
            assert!(!keys.verify(other, alice, &[3; 32], &verifier));
        }
        assert!(!keys.verify(VerifierKind::Password, bob, &[3; 32], &verifier));
        assert!(!keys.verify(VerifierKind::Password, alice, &[4; 32], &verifier));
        assert!(!ServerKeys::derive(&other).verify(VerifierKind::Password, alice, &[3; 32], &verifier));
        assert_eq!(ServerSecret::from_bytes(one.expose()).unwrap().expose(), one.expose());
        assert!(ServerSecret::from_bytes(&[0; 31]).is_none());
    }

    #[test]
    fn an_unknown_login_always_gets_the_same_answer() {
        let keys = ServerKeys::derive(&ServerSecret::generate(&mut TestRandom::new(2)));
        let (a, b) = ("a@example.com".parse().unwrap(), "b@example.com".parse().unwrap());
        assert_eq!(keys.unknown_nonce(&a), keys.unknown_nonce(&a));
        assert_ne!(keys.unknown_nonce(&a), keys.unknown_nonce(&b));
        assert_ne!(keys.unknown_account(&a), keys.unknown_account(&b));
    }
}
