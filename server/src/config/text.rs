//! How values are written that TOML has no type for. A file has every key, so what is absent is the empty text.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Authorisation codes. Not printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Codes(Vec<String>);

impl From<Vec<String>> for Codes {
    fn from(codes: Vec<String>) -> Self {
        Self(codes)
    }
}

impl Deref for Codes {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Drop for Codes {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codes({})", self.0.len())
    }
}

/// A value as a text that may be empty.
pub trait OptionalText: Sized {
    /// Takes it from a text that is not empty.
    fn from_text(text: String) -> Self;
    /// The text.
    fn to_text(&self) -> String;
}

impl OptionalText for String {
    fn from_text(text: String) -> Self {
        text
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl OptionalText for PathBuf {
    fn from_text(text: String) -> Self {
        text.into()
    }

    fn to_text(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

/// `""` is none.
pub mod optional {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, OptionalText, Serialize};

    pub fn serialize<T: OptionalText, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(T::to_text).unwrap_or_default().serialize(to)
    }

    pub fn deserialize<'de, T: OptionalText, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(from)?;
        Ok(if text.is_empty() { None } else { Some(T::from_text(text)) })
    }
}

/// `"auto"` is none, `"yes"` and `"no"` are themselves.
pub mod auto {
    use serde::{Deserializer, Serializer, de};

    use super::{Deserialize, Serialize};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(value: &Option<bool>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            None => "auto",
            Some(true) => "yes",
            Some(false) => "no",
        }
        .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
        match String::deserialize(from)?.as_str() {
            "auto" => Ok(None),
            "yes" => Ok(Some(true)),
            "no" => Ok(Some(false)),
            other => Err(de::Error::unknown_variant(other, &["auto", "yes", "no"])),
        }
    }
}

/// Networks as `ADDRESS/BITS`, or an address alone.
pub mod networks {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserializer, Serializer, de};

    use super::{Deserialize, Serialize};

    pub fn serialize<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        networks.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| parse(text).ok_or_else(|| refused(text))).collect()
    }

    fn refused<E: de::Error>(text: &str) -> E {
        E::custom(format!("{text:?} is no network: expected 10.0.0.0/8 or 10.1.2.3"))
    }

    fn parse(text: &str) -> Option<IpNet> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    }
}
