//! RSA-OAEP envelopes (`docs/format.md`, ACCESS types 1, 2, 6 and 8), and the two kinds of RSA keys: a key for envelopes
//! does not compile where a key for logging in is asked for, nor the other way round.

use std::fmt;
use std::sync::Arc;

use super::backend::RSA_BYTES;
use super::folder_key::{FolderKeyName, named};
use super::hash::{length_prefix, sha256, sha256_hex};
use super::keys::{FileKey, FolderKey, GroupKey, Key};
use super::roster_key::RosterPurpose;
use super::rsa::{PrivateHalf, PublicHalf};
use super::{OpenError, PublicKeyError, SUITE};
use crate::ids::FileId;

pub use super::rsa::SPKI_BYTES;

/// Size in bytes of an RSA-OAEP envelope's ciphertext.
pub const ENVELOPE_BYTES: usize = RSA_BYTES;

macro_rules! rsa_key_pair {
    ($(#[$public_doc:meta])* $public:ident, $(#[$private_doc:meta])* $private:ident) => {
        $(#[$public_doc])*
        #[derive(Clone)]
        pub struct $public(Arc<PublicHalf>);

        impl $public {
            /// Reads a DER SubjectPublicKeyInfo.
            ///
            /// # Errors
            /// [`PublicKeyError`] unless it is the canonical encoding of an RSA-3072 key with e = 65537.
            pub fn from_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
                PublicHalf::from_spki(der).map(Arc::new).map(Self)
            }

            /// The DER SubjectPublicKeyInfo.
            #[must_use]
            pub fn spki(&self) -> &[u8; SPKI_BYTES] {
                self.0.spki()
            }

            #[allow(dead_code, reason = "each kind of key has operations of its own")]
            pub(super) fn half(&self) -> &PublicHalf {
                &self.0
            }

            /// SHA-256 of the SubjectPublicKeyInfo.
            #[must_use]
            pub fn spki_hash(&self) -> [u8; 32] {
                sha256(&[self.spki()])
            }
        }

        impl PartialEq for $public {
            fn eq(&self, other: &Self) -> bool {
                self.spki() == other.spki()
            }
        }

        impl Eq for $public {}

        impl fmt::Debug for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($public), "({})"), hex::encode(self.spki_hash()))
            }
        }

        $(#[$private_doc])*
        pub struct $private(PrivateHalf);

        impl $private {
            /// Makes a key with e = 65537. It takes about a second, and its randomness is the cipher library's own,
            /// as that takes none from outside.
            #[must_use]
            pub fn generate() -> Self {
                Self(PrivateHalf::generate())
            }

            /// The public half, as recomputed from the private one.
            #[must_use]
            pub fn public(&self) -> $public {
                $public::from_spki(self.spki()).expect("a private key's public half is valid")
            }

            /// The public half's DER SubjectPublicKeyInfo.
            #[must_use]
            pub fn spki(&self) -> &[u8; SPKI_BYTES] {
                self.0.spki()
            }

            #[allow(dead_code, reason = "each kind of key has operations of its own")]
            pub(super) fn half(&self) -> &PrivateHalf {
                &self.0
            }

            pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, OpenError> {
                PrivateHalf::from_pkcs8(der).map(Self)
            }

            pub(super) fn to_pkcs8(&self) -> zeroize::Zeroizing<Vec<u8>> {
                self.0.to_pkcs8()
            }
        }

        impl fmt::Debug for $private {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($private), "(…)"))
            }
        }
    };
}

rsa_key_pair!(
    /// A member's or group's RSA-3072 key to which file and folder keys are wrapped.
    EnvelopePublicKey,
    /// Opens what was wrapped to an [`EnvelopePublicKey`].
    EnvelopePrivateKey
);
rsa_key_pair!(
    /// An account's RSA-3072 key to which login challenges are sealed, and nothing else.
    LoginPublicKey,
    /// Answers login challenges, and opens nothing else.
    LoginPrivateKey
);

impl EnvelopePublicKey {
    /// Wraps a file key: the body of a type 1 or 2 envelope.
    #[must_use]
    pub fn wrap_file_key(&self, file: FileId, key_epoch: u32, key: &FileKey) -> [u8; ENVELOPE_BYTES] {
        self.0.wrap(&file_key_label(file, key_epoch, self.spki()), key)
    }

    /// Wraps a folder key: what follows the name in a type 6 envelope. `name` must be that key's.
    #[must_use]
    pub fn wrap_folder_key(&self, name: &FolderKeyName, key: &FolderKey) -> [u8; ENVELOPE_BYTES] {
        self.wrap_roster_key(name, key)
    }

    /// Wraps a group's key: what follows the name in a type 8 envelope. `name` must be that key's.
    #[must_use]
    pub fn wrap_group_key(&self, name: &FolderKeyName, key: &GroupKey) -> [u8; ENVELOPE_BYTES] {
        self.wrap_roster_key(name, key)
    }

    /// Wraps the key of a folder or of a group.
    pub(crate) fn wrap_roster_key<P: RosterPurpose>(
        &self,
        name: &FolderKeyName,
        key: &Key<P>,
    ) -> [u8; ENVELOPE_BYTES] {
        self.0.wrap(&roster_key_label::<P>(name, self.spki()), key)
    }
}

impl EnvelopePrivateKey {
    /// Unwraps a file key.
    ///
    /// # Errors
    /// [`OpenError`] if it was wrapped to another key, for another file or epoch, or altered.
    pub fn unwrap_file_key(
        &self,
        file: FileId,
        key_epoch: u32,
        wrapped: &[u8],
    ) -> Result<FileKey, OpenError> {
        self.0.unwrap(&file_key_label(file, key_epoch, self.spki()), wrapped)
    }

    /// Unwraps a folder key, checking that it is the one that `name` names.
    ///
    /// # Errors
    /// [`OpenError`] if it was wrapped to another key or under another name, altered, or is another key.
    pub fn unwrap_folder_key(&self, name: &FolderKeyName, wrapped: &[u8]) -> Result<FolderKey, OpenError> {
        self.unwrap_roster_key(name, wrapped)
    }

    /// Unwraps a group's key, checking that it is the one that `name` names.
    ///
    /// # Errors
    /// As [`unwrap_folder_key`](Self::unwrap_folder_key).
    pub fn unwrap_group_key(&self, name: &FolderKeyName, wrapped: &[u8]) -> Result<GroupKey, OpenError> {
        self.unwrap_roster_key(name, wrapped)
    }

    fn unwrap_roster_key<P: RosterPurpose>(
        &self,
        name: &FolderKeyName,
        wrapped: &[u8],
    ) -> Result<Key<P>, OpenError> {
        named(self.0.unwrap(&roster_key_label::<P>(name, self.spki()), wrapped)?, name)
    }
}

/// `ensafer/v1/envelope/` and the hex SHA-256 of suite, file_id, key_epoch and SPKI.
fn file_key_label(file: FileId, key_epoch: u32, spki: &[u8; SPKI_BYTES]) -> String {
    let bound = sha256_hex(&[
        &SUITE.to_be_bytes(),
        file.as_bytes(),
        &key_epoch.to_be_bytes(),
        &length_prefix(spki),
        spki,
    ]);
    format!("ensafer/v1/envelope/{bound}")
}

/// `ensafer/v1/member/` or `ensafer/v1/group-member/`, and the hex SHA-256 of suite, folder_id, folder_epoch, key_id and
/// SPKI.
fn roster_key_label<P: RosterPurpose>(name: &FolderKeyName, spki: &[u8; SPKI_BYTES]) -> String {
    let bound = sha256_hex(&[&SUITE.to_be_bytes(), &name.to_bytes(), &length_prefix(spki), spki]);
    format!("ensafer/v1/{}/{bound}", P::WRAP_USE)
}
