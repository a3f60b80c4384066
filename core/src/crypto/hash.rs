//! Digests that need no key.

use sha2::{Digest as _, Sha256};

use crate::ids::Digest;

/// SHA-256 (FIPS 180-4) of the concatenation of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Lower-case hex SHA-256 of the concatenation of `parts`, as OAEP labels carry it.
pub(super) fn sha256_hex(parts: &[&[u8]]) -> String {
    hex::encode(sha256(parts))
}

/// The length of a variable-length field, as it precedes that field in every label, hash and signature input.
///
/// # Panics
/// If the field is 64 KiB or longer, which no field of the format is.
pub(super) fn length_prefix(field: &[u8]) -> [u8; 2] {
    u16::try_from(field.len()).expect("fields in labels are shorter than 64 KiB").to_be_bytes()
}

/// BLAKE3 of a file's content, fed piece by piece.
#[derive(Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Starts with nothing hashed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// BLAKE3 of bytes that lie in one piece.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> Digest {
        Digest::new(*blake3::hash(bytes).as_bytes())
    }

    /// Adds `bytes`, on this thread.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds `bytes`, spread over rayon's threads: worth it from about 128 KiB on.
    pub fn update_parallel(&mut self, bytes: &[u8]) {
        self.0.update_rayon(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest::new(*self.0.finalize().as_bytes())
    }
}
