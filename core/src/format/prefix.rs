//! PREFIX: the first 80 bytes, in the clear, under the header MAC.

use super::HeaderError;
use crate::ids::FileId;

/// What every `.ensafer` file begins with. As PNG's magic does, it shows a transfer that changed line ends.
pub const MAGIC: [u8; 8] = *b"\x89ENS\r\n\x1a\n";
/// The version of the format.
pub const VERSION: u16 = 1;
/// Suite 1: Cobblestone-256, RSA-3072-OAEP, Ed25519, HKDF-SHA-512, BLAKE3.
pub const SUITE: u16 = 1;
/// Bytes of PREFIX.
pub const PREFIX_LEN: usize = 80;
/// Most bytes of ACCESS.
pub const MAX_ACCESS_LEN: usize = 1 << 20;
/// Most bytes of INFO.
pub const MAX_INFO_LEN: usize = 128 << 10;

/// Bytes of PREFIX that the header MAC covers.
pub(crate) const MAC_OFFSET: usize = 48;
/// Critical flag: the object is a roster.
const FLAG_ROSTER: u32 = 1;

/// The fields of PREFIX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Bytes of ACCESS, at most [`MAX_ACCESS_LEN`].
    pub access_len: usize,
    /// Bytes of INFO, at most [`MAX_INFO_LEN`].
    pub info_len: usize,
    /// Whether the object is a roster: the only critical flag of version 1.
    pub roster: bool,
    /// The object.
    pub file_id: FileId,
    /// How often the file key changed.
    pub key_epoch: u32,
    /// HMAC over the header.
    pub header_mac: [u8; 32],
}

impl Prefix {
    /// Reads the first 80 of `bytes`.
    ///
    /// # Errors
    /// [`HeaderError::TooShort`], [`HeaderError::NotEnsafer`] for another magic, lengths above the limits or bytes
    /// that must be zero, [`HeaderError::NewerVersion`] for a version, suite or critical flag that is not known here.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX_LEN>() else {
            let begins_right =
                MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) || bytes.starts_with(&MAGIC);
            return Err(if begins_right {
                HeaderError::TooShort { needed: PREFIX_LEN as u64 }
            } else {
                HeaderError::NotEnsafer
            });
        };
        let u16_at = |at: usize| u16::from_be_bytes([prefix[at], prefix[at + 1]]);
        let u32_at =
            |at: usize| u32::from_be_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        if prefix[..8] != MAGIC {
            return Err(HeaderError::NotEnsafer);
        }
        let flags = u32_at(20);
        if u16_at(8) != VERSION || u16_at(10) != SUITE || flags & !FLAG_ROSTER != 0 {
            return Err(HeaderError::NewerVersion);
        }
        let (access_len, info_len) = (u32_at(12) as usize, u32_at(16) as usize);
        if access_len > MAX_ACCESS_LEN || info_len > MAX_INFO_LEN || u32_at(44) != 0 {
            return Err(HeaderError::NotEnsafer);
        }
        Ok(Self {
            access_len,
            info_len,
            roster: flags & FLAG_ROSTER != 0,
            file_id: FileId::new(array_at(prefix, 24)),
            key_epoch: u32_at(40),
            header_mac: array_at(prefix, MAC_OFFSET),
        })
    }

    /// The 80 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PREFIX_LEN] {
        let mut bytes = [0; PREFIX_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[10..12].copy_from_slice(&SUITE.to_be_bytes());
        bytes[12..16].copy_from_slice(&length(self.access_len));
        bytes[16..20].copy_from_slice(&length(self.info_len));
        bytes[20..24].copy_from_slice(&u32::from(self.roster).to_be_bytes());
        bytes[24..40].copy_from_slice(self.file_id.as_bytes());
        bytes[40..44].copy_from_slice(&self.key_epoch.to_be_bytes());
        bytes[MAC_OFFSET..].copy_from_slice(&self.header_mac);
        bytes
    }

    /// Bytes of PREFIX, ACCESS and INFO: where the payload begins.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        PREFIX_LEN + self.access_len + self.info_len
    }

    /// What INFO and the content signature are bound to: version, suite, flags, file id and key epoch
    /// (PREFIX\[8..12\] ‖ PREFIX\[20..44\]).
    pub(crate) fn binding(&self) -> [u8; 28] {
        let bytes = self.to_bytes();
        let mut binding = [0; 28];
        binding[..4].copy_from_slice(&bytes[8..12]);
        binding[4..].copy_from_slice(&bytes[20..44]);
        binding
    }

    /// What the payload is bound to: suite, file id and key epoch. Unlike [`binding`](Self::binding) without flags.
    pub(crate) fn payload_binding(&self) -> [u8; 22] {
        let bytes = self.to_bytes();
        let mut binding = [0; 22];
        binding[..2].copy_from_slice(&bytes[10..12]);
        binding[2..].copy_from_slice(&bytes[24..44]);
        binding
    }
}

fn array_at<const N: usize>(prefix: &[u8; PREFIX_LEN], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&prefix[at..at + N]);
    array
}

/// A length field. Lengths above the limits are refused before they come here.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Prefix {
        Prefix {
            access_len: 258,
            info_len: 1000,
            roster: true,
            file_id: FileId::new([7; 16]),
            key_epoch: 3,
            header_mac: [9; 32],
        }
    }

    #[test]
    fn round_trips() {
        assert_eq!(Prefix::parse(&sample().to_bytes()), Ok(sample()));
        assert_eq!(sample().header_len(), 80 + 258 + 1000);
    }

    #[test]
    fn each_fault_has_its_class() {
        let with = |at: usize, value: u8| {
            let mut bytes = sample().to_bytes();
            bytes[at] = value;
            Prefix::parse(&bytes)
        };
        for at in 0..8 {
            assert_eq!(with(at, 0), Err(HeaderError::NotEnsafer), "magic {at}");
        }
        for at in [8, 9, 10, 11] {
            assert_eq!(with(at, 2), Err(HeaderError::NewerVersion), "version or suite {at}");
        }
        for at in 20..23 {
            assert_eq!(with(at, 1), Err(HeaderError::NewerVersion), "flags {at}");
        }
        assert_eq!(with(23, 3), Err(HeaderError::NewerVersion));
        for at in [12, 16] {
            assert_eq!(with(at, 1), Err(HeaderError::NotEnsafer), "length {at}");
        }
        for at in 44..48 {
            assert_eq!(with(at, 1), Err(HeaderError::NotEnsafer), "zero {at}");
        }
    }

    #[test]
    fn short_files_are_told_from_foreign_ones() {
        let bytes = sample().to_bytes();
        for len in 0..PREFIX_LEN {
            assert_eq!(
                Prefix::parse(&bytes[..len]),
                Err(HeaderError::TooShort { needed: PREFIX_LEN as u64 }),
                "{len}"
            );
        }
        assert_eq!(Prefix::parse(b"hello"), Err(HeaderError::NotEnsafer));
    }
}
