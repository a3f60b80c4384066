//! Secrets that a server hands out or checks, and never keeps: bearer tokens.

use std::fmt;
use std::str::FromStr;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::hash::sha256;
use super::random::{Random, random_array};
use crate::ids::ParseIdError;

/// 256 random bits that stand for a session. Whoever has it is let in; a server keeps only its [hash](Token::hash).
#[derive(ZeroizeOnDrop)]
pub struct Token([u8; Self::LEN]);

impl Token {
    /// Size in bytes.
    pub const LEN: usize = 32;

    /// Makes a random token.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// Takes a token from a document.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LEN]) -> Self {
        Self(*bytes)
    }

    /// The bytes, for a document.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// What a server keeps of it: SHA-256 under a label. No slow derivation is needed for 256 random bits.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[b"ensafer/v1/token\0", &self.0])
    }

    /// The token as it travels: 64 lower-case hex digits.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }
}

impl FromStr for Token {
    type Err = ParseIdError;

    /// Reads what [`expose`](Token::expose) wrote.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = ParseIdError { expected_bytes: Self::LEN };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(error);
        }
        let mut token = Self([0; Self::LEN]);
        hex::decode_to_slice(text, &mut token.0).map_err(|_| error)?;
        Ok(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    #[test]
    fn a_token_round_trips_and_is_not_printed() {
        let token = Token::generate(&mut TestRandom::new(1));
        let again: Token = token.expose().parse().unwrap();
        assert_eq!(again.hash(), token.hash());
        assert_eq!(format!("{token:?}"), "Token(…)");
        for wrong in ["", "00", &token.expose().to_uppercase(), &"g".repeat(64), &"0".repeat(66)] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }
}
