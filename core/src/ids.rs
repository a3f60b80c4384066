//! Identifiers and digests: fixed-size byte strings, each a type of its own. People read them as lower-case hex; binary
//! encodings hold the bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not the lower-case hex of an identifier of the expected size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected_bytes} bytes as {} lower-case hex digits", expected_bytes * 2)]
pub struct ParseIdError {
    /// Size of the identifier in bytes.
    pub expected_bytes: usize,
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Size in bytes.
            pub const LEN: usize = $len;

            /// Wraps the bytes as they are.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let error = ParseIdError { expected_bytes: $len };
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(error);
                }
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| error)?;
                Ok(Self(bytes))
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::api::hex::HexArray::<$len>::schema()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; $len]>::deserialize(deserializer).map(Self);
                }
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

byte_id!(
    /// A file, directory, symbolic link or roster: random, fixed for the life of the object.
    FileId,
    16
);
byte_id!(
    /// A folder, that is, a synced pair of directories; derived from its creator's identity key.
    FolderId,
    16
);
byte_id!(
    /// A group of people; derived from its creator's identity key.
    GroupId,
    16
);
byte_id!(
    /// A state database: random, new with every new or restored one, so that counters are never reused.
    DeviceId,
    16
);
byte_id!(
    /// An account, 16 random bytes.
    AccountId,
    16
);
byte_id!(
    /// An invitation to a folder, 16 random bytes.
    InvitationId,
    16
);
byte_id!(
    /// BLAKE3 of a file's plaintext.
    Digest,
    32
);
byte_id!(
    /// Fingerprint of an account's identity key (SHA-256).
    Fingerprint,
    32
);
byte_id!(
    /// BLAKE3 of a signed statement: names one published version.
    StatementHash,
    32
);

impl FolderId {
    /// What a file says that belongs to no folder. No folder has it: ids are made of hashes.
    pub const NONE: Self = Self([0; 16]);

    /// The id that entries at the top of the folder name as their parent, and the roster's own file id.
    #[must_use]
    pub const fn root(&self) -> FileId {
        FileId(self.0)
    }
}

impl GroupId {
    /// The id where the group's own roster, which is one like a folder's, names its folder.
    #[must_use]
    pub const fn as_folder(&self) -> FolderId {
        FolderId(self.0)
    }

    /// The group of a roster that names this as its folder.
    pub(crate) const fn of_folder(folder: FolderId) -> Self {
        Self(folder.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_other_spellings() {
        let id = FileId::new([0xAB; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert!(wrong.parse::<FileId>().is_err(), "{wrong}");
        }
    }
}
