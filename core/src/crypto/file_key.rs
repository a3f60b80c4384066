//! A file key and what is derived from it (`docs/format.md`, "Keys").

use zeroize::Zeroizing;

use super::backend::{Active, Backend};
use super::keys::{FileKey, HeaderKey, InfoKey, Key, PayloadKey};
use crate::ids::FileId;
use subtle::ConstantTimeEq;

const KEYS_LABEL: &[u8] = b"ensafer/v1/keys\0";

/// The three keys of one file.
#[derive(Debug)]
pub struct FileSubkeys {
    /// Authenticates the header.
    pub header: HeaderKey,
    /// Seals the INFO section.
    pub info: InfoKey,
    /// Seals the payload.
    pub payload: PayloadKey,
}

impl FileKey {
    /// `K_header ‖ K_info ‖ K_payload`, in one expansion bound to the file and the key's epoch.
    #[must_use]
    pub fn derive(&self, file: FileId, key_epoch: u32) -> FileSubkeys {
        let mut derived = Zeroizing::new([0u8; 96]);
        let info: [&[u8]; 3] = [KEYS_LABEL, file.as_bytes(), &key_epoch.to_be_bytes()];
        Active::hkdf_expand_sha512(self.bytes(), &info, &mut *derived);
        let part = |index: usize| derived[index * 32..].first_chunk().expect("three keys of 32 bytes");
        FileSubkeys {
            header: Key::from_bytes(part(0)),
            info: Key::from_bytes(part(1)),
            payload: Key::from_bytes(part(2)),
        }
    }
}

impl HeaderKey {
    /// HMAC-SHA-256 (RFC 2104) of the concatenation of `parts`.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        Active::hmac_sha256(self.bytes(), parts)
    }

    /// Whether `mac` belongs to the concatenation of `parts`, in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8; 32]) -> bool {
        self.mac(parts).ct_eq(mac).into()
    }
}
