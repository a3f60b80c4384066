//! The only door to cryptography: keys typed by purpose, one construction of each kind (`docs/format.md`).
//!
//! Nothing outside this module sees the bytes of a key or names a cipher library. Keys seal other keys
//! ([`seal_key`]), sign, or derive; what leaves is ciphertext, signatures and public halves. Every failed opening is
//! the same [`OpenError`], whatever was wrong.
//!
//! | need | construction |
//! |---|---|
//! | symmetric | [`cobblestone`]: C2SP chunked encryption, AES-256-GCM |
//! | public-key wrap | [`EnvelopePublicKey`]: RSA-3072 OAEP with SHA-256 and a label |
//! | signature | [`SigningKey`]: Ed25519 |
//! | key derivation | HKDF-Expand-SHA-512 (RFC 5869), inside |
//! | password | [`PasswordParameters`]: PBKDF2-HMAC-SHA-256 |
//! | content digest | [`ContentHasher`]: BLAKE3 |
//! | fingerprints | [`sha256`] |

mod backend;
mod challenge;
pub mod cobblestone;
mod envelope;
mod file_key;
mod folder_key;
mod group_key;
mod hash;
mod invitation;
mod keys;
mod login;
mod password;
mod printed;
mod private_keys;
mod random;
mod recovery_key;
mod roster_key;
mod rsa;
mod server_keys;
mod session;
mod signing;
mod token;

#[cfg(test)]
pub(crate) mod test_keys;
#[cfg(test)]
mod tests;
// Examples that must not compile, which only rustdoc runs.
#[cfg(doctest)]
#[path = "tests/one_key_one_use.rs"]
mod one_key_one_use;

pub use challenge::{CHALLENGE_BYTES, ChallengeBinding, proofs_match};
pub use envelope::{
    ENVELOPE_BYTES, EnvelopePrivateKey, EnvelopePublicKey, LoginPrivateKey, LoginPublicKey, SPKI_BYTES,
};
pub use file_key::FileSubkeys;
pub use folder_key::FolderKeyName;
pub use hash::{ContentHasher, sha256};
pub use invitation::{
    AcceptanceBinding, InvitationKeys, InvitationPassword, InvitationSecrets, LinkFragment,
};
pub use keys::{
    AcceptanceKey, AccountMasterKey, ClaimKey, CodeKey, DeviceKey, FileKey, FolderKey, GroupKey, HeaderKey,
    InfoKey, InvitationRecordKey, InviteKey, Key, LoginSessionKey, PasswordAuth, PasswordKek, PayloadKey,
    RecoveryAuth, RecoveryKek, SEALED_KEY_BYTES, open_key, purpose, seal_key,
};
pub use login::{Login, LoginError, MAX_LOGIN_BYTES};
pub use password::{
    AccountKey, MAX_ITERATIONS, MIN_ITERATIONS, Passphrase, PasswordError, PasswordKeys, PasswordParameters,
};
pub use printed::ParsePrintedError;
pub use private_keys::PrivateKeys;
pub use random::{Random, SystemRandom, TestRandom};
pub use recovery_key::{RecoveryHalf, RecoveryKey};
pub use roster_key::RosterPurpose;
pub use server_keys::{ServerKeys, ServerSecret, VerifierKind};
pub use session::DeviceSession;
pub use signing::{Domain, Signature, SignatureError, SigningKey, VerifyingKey};
pub use token::Token;

/// Number of this set of constructions, in every prefix and every label.
pub const SUITE: u16 = 1;

/// A ciphertext cannot be opened. It does not say why: a wrong key, a wrong context and an altered byte look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened: the key is another, or the data was altered")]
pub struct OpenError;

/// The bytes are not a public key of the kind and size that suite 1 takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public key that suite 1 takes")]
pub struct PublicKeyError;
