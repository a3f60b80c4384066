//! Bytes in JSON: lower-case hex, of a fixed size or of any, and secret or not. One value has one spelling.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexArray<const N: usize>(pub [u8; N]);

/// Any number of bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct HexBytes(pub Vec<u8>);

/// `N` secret bytes: wiped when dropped, and not printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretHex<const N: usize>(pub [u8; N]);

/// Lower-case hex. Sealed accounts are long: `hex::encode` goes digit by digit, which costs several times as much.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = vec![0; 2 * bytes.len()];
    ::hex::encode_to_slice(bytes, &mut text).expect("there is room for two digits a byte");
    String::from_utf8(text).expect("digits are ASCII")
}

/// The bytes, where the text is lower-case hex.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    (is_lower(text) && ::hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

impl<const N: usize> Serialize for HexArray<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(self.0))
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<const N: usize> Serialize for SecretHex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode(self.0)))
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexArray<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ArrayVisitor::<N>).map(Self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for SecretHex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ArrayVisitor::<N>).map(Self)
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(BytesVisitor).map(Self)
    }
}

struct ArrayVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for ArrayVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lower-case hex digits", N * 2)
    }

    // The text itself stays out of the error: it may be a secret.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let mut bytes = [0; N];
        if is_lower(text) && ::hex::decode_to_slice(text, &mut bytes).is_ok() {
            return Ok(bytes);
        }
        bytes.zeroize();
        Err(E::custom(format_args!("expected {} lower-case hex digits", N * 2)))
    }
}

/// A text that is not printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

struct BytesVisitor;

impl de::Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an even number of lower-case hex digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        decode(text).ok_or_else(|| E::custom("expected an even number of lower-case hex digits"))
    }
}

fn is_lower(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

impl<const N: usize> fmt::Debug for HexArray<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(self.0))
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<const N: usize> fmt::Debug for SecretHex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHex(…)")
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{HexArray, HexBytes, SecretHex, SecretText};

    fn text(pattern: String) -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
    }

    macro_rules! fixed {
        ($name:ident) => {
            impl<const N: usize> PartialSchema for $name<N> {
                fn schema() -> RefOr<Schema> {
                    text(format!("^[0-9a-f]{{{}}}$", N * 2))
                }
            }

            impl<const N: usize> ToSchema for $name<N> {
                fn name() -> Cow<'static, str> {
                    Cow::Owned(format!("Hex{N}"))
                }
            }
        };
    }
    fixed!(HexArray);
    fixed!(SecretHex);

    impl PartialSchema for HexBytes {
        fn schema() -> RefOr<Schema> {
            text("^([0-9a-f]{2})*$".to_owned())
        }
    }

    impl PartialSchema for SecretText {
        fn schema() -> RefOr<Schema> {
            String::schema()
        }
    }

    impl ToSchema for SecretText {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Text")
        }
    }

    impl ToSchema for HexBytes {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Hex")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_spelling() {
        assert_eq!(serde_json::to_string(&HexArray([0xab, 1])).unwrap(), r#""ab01""#);
        assert_eq!(serde_json::from_str::<HexArray<2>>(r#""ab01""#).unwrap(), HexArray([0xab, 1]));
        for wrong in [r#""AB01""#, r#""ab0""#, r#""ab0102""#, r#""abxx""#, "1", "null"] {
            assert!(serde_json::from_str::<HexArray<2>>(wrong).is_err(), "{wrong}");
            assert!(serde_json::from_str::<SecretHex<2>>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<HexBytes>(r#""""#).unwrap(), HexBytes(vec![]));
        for wrong in [r#""A0""#, r#""a""#, "[]"] {
            assert!(serde_json::from_str::<HexBytes>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_neither_printed_nor_repeated_in_errors() {
        assert_eq!(format!("{:?}", SecretHex([7; 4])), "SecretHex(…)");
        assert_eq!(format!("{:?}", SecretText("hunter2".to_owned())), "SecretText(…)");
        let error = serde_json::from_str::<SecretHex<4>>(r#""hunter2""#).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
