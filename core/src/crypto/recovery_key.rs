//! The printable key that opens an account when its password is lost, and the way to it by a secret question.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::backend::{Active, Backend};
use super::hash::sha256;
use super::keys::{AccountMasterKey, Key, RecoveryAuth, RecoveryKek};
use super::printed::{ParsePrintedError, Print};
use super::random::{Random, random_array};
use super::{OpenError, cobblestone};

/// Bytes of secret: 160 bits.
const SECRET_BYTES: usize = 20;
/// Bytes of the printed half beside a secret question: 128 bits.
const HALF_BYTES: usize = 16;
/// Rounds of PBKDF2 over the answer to a secret question, fixed by the format.
const ANSWER_ITERATIONS: u32 = 1_000_000;

/// Nine groups of four, of which one is the checksum.
const PRINT: Print<SECRET_BYTES> =
    Print { what: "a recovery key", label: b"ensafer/v1/recovery-check\0", check_characters: 4 };
/// Seven groups of four: 26 characters for 128 bits, and two of checksum.
const HALF_PRINT: Print<HALF_BYTES> = Print {
    what: "the printed half of a recovery key",
    label: b"ensafer/v1/recovery-half-check\0",
    check_characters: 2,
};

/// A recovery key: 160 bits, random or made of a printed half and an answer; kept on paper.
#[derive(ZeroizeOnDrop)]
pub struct RecoveryKey([u8; SECRET_BYTES]);

impl RecoveryKey {
    /// Makes a random key.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// The key that a printed half and the answer to its owner's question make. Neither gives it alone. It takes a
    /// second or so.
    #[must_use]
    pub fn from_answer(half: &RecoveryHalf, answer: &str) -> Self {
        let answer = normalized_answer(answer);
        let mut master = Zeroizing::new([0; 32 + HALF_BYTES]);
        let salt = sha256(&[b"ensafer/v1/recovery-answer\0", &half.0]);
        Active::pbkdf2_hmac_sha256(answer.as_bytes(), &salt, ANSWER_ITERATIONS, &mut master[..32]);
        master[32..].copy_from_slice(&half.0);
        let mut key = Self([0; SECRET_BYTES]);
        Active::hkdf_expand_sha512(&*master, &[b"ensafer/v1/recovery-question\0"], &mut key.0);
        key
    }

    /// The key as it is printed: nine groups of four characters joined by hyphens, the last one a checksum.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        PRINT.to_text(&self.0)
    }

    /// The key that seals the account master key.
    #[must_use]
    pub fn derive_kek(&self) -> RecoveryKek {
        Key::expand(&self.0, &[b"ensafer/v1/recovery-kek\0"])
    }

    /// What a server gets to see of it.
    #[must_use]
    pub fn derive_auth(&self) -> RecoveryAuth {
        Key::expand(&self.0, &[b"ensafer/v1/recovery-auth\0"])
    }

    /// Seals the key itself, so that its owner can have it shown again.
    #[must_use]
    pub fn seal(&self, key: &AccountMasterKey, context: &[u8], rng: &mut (impl Random + ?Sized)) -> Vec<u8> {
        cobblestone::seal(key, rng, context, &self.0)
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// [`OpenError`] if the key or context is another, or anything was altered.
    pub fn open(key: &AccountMasterKey, context: &[u8], sealed: &[u8]) -> Result<Self, OpenError> {
        let secret = cobblestone::open(key, context, sealed)?;
        secret.as_slice().try_into().map(Self).map_err(|_| OpenError)
    }
}

impl FromStr for RecoveryKey {
    type Err = ParsePrintedError;

    /// Reads what [`to_text`](RecoveryKey::to_text) wrote, as people type it: either case, O for 0, I or L for 1, with
    /// or without hyphens and spaces.
    fn from_str(text: &str) -> Result<Self, ParsePrintedError> {
        PRINT.parse(text).map(|secret| Self(*secret))
    }
}

impl RecoveryAuth {
    /// The bytes that are sent to the server as proof of the recovery key.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes()
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(…)")
    }
}

/// What is printed where a secret question is used: 128 random bits, worth nothing without the answer.
#[derive(ZeroizeOnDrop)]
pub struct RecoveryHalf([u8; HALF_BYTES]);

impl RecoveryHalf {
    /// Makes a random half.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// The half as it is printed: seven groups of four characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        HALF_PRINT.to_text(&self.0)
    }
}

impl FromStr for RecoveryHalf {
    type Err = ParsePrintedError;

    fn from_str(text: &str) -> Result<Self, ParsePrintedError> {
        HALF_PRINT.parse(text).map(|secret| Self(*secret))
    }
}

impl fmt::Debug for RecoveryHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryHalf(…)")
    }
}

/// NFKC (UAX #15), lower case, each run of white space one space and none at the ends: as people remember an answer.
fn normalized_answer(answer: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(answer.len() * 4));
    folded.extend(answer.nfkc().flat_map(char::to_lowercase));
    let mut normal = Zeroizing::new(String::with_capacity(folded.len() * 2));
    for word in folded.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.extend(word.nfkc());
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    const LENGTH: ParsePrintedError = ParsePrintedError::Length { what: "a recovery key", characters: 36 };

    fn key() -> RecoveryKey {
        RecoveryKey::generate(&mut TestRandom::new(4))
    }

    #[test]
    fn text_round_trips_however_it_is_typed() {
        let text = key().to_text();
        assert_eq!(text.len(), 44);
        assert!(text.split('-').all(|group| group.len() == 4));
        let typed = [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!("  {}\n", text.replace('0', "O").replace('1', "l")),
            text.replace('0', "o").replace('1', "I"),
        ];
        for text in typed {
            assert_eq!(text.parse::<RecoveryKey>().unwrap().0, key().0, "{text}");
        }
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let text = key().to_text();
        for (index, _) in text.char_indices().filter(|(_, c)| *c != '-') {
            let mut wrong = text.to_string();
            let other = if &text[index..=index] == "7" { "8" } else { "7" };
            wrong.replace_range(index..=index, other);
            assert_eq!(
                wrong.parse::<RecoveryKey>().unwrap_err(),
                ParsePrintedError::Checksum { what: "a recovery key" }
            );
        }
        assert_eq!(text[1..].parse::<RecoveryKey>().unwrap_err(), LENGTH);
        assert_eq!(format!("{}0", *text).parse::<RecoveryKey>().unwrap_err(), LENGTH);
        assert_eq!(
            text.replacen(|c: char| c != '-', "U", 1).parse::<RecoveryKey>().unwrap_err(),
            ParsePrintedError::Character { what: "a recovery key", character: 'U' }
        );
        assert_eq!("".parse::<RecoveryKey>().unwrap_err(), LENGTH);
    }

    #[test]
    fn kek_and_auth_differ() {
        assert_ne!(key().derive_kek().bytes(), key().derive_auth().bytes());
    }

    #[test]
    fn half_and_answer_make_the_key_however_the_answer_is_typed() {
        let half = RecoveryHalf::generate(&mut TestRandom::new(5));
        let again: RecoveryHalf = half.to_text().to_lowercase().parse().unwrap();
        let key = RecoveryKey::from_answer(&half, "Rex  the\u{fb01}rst");
        assert_eq!(RecoveryKey::from_answer(&again, " rex thefirst\n").0, key.0);
        assert_ne!(RecoveryKey::from_answer(&half, "Max").0, key.0);
        let other = RecoveryHalf::generate(&mut TestRandom::new(6));
        assert_ne!(RecoveryKey::from_answer(&other, "Rex thefirst").0, key.0);
    }

    #[test]
    fn a_half_is_no_recovery_key_and_no_account_key() {
        let half = RecoveryHalf::generate(&mut TestRandom::new(5)).to_text();
        assert_eq!(half.split('-').count(), 7);
        assert_eq!(half.parse::<RecoveryKey>().unwrap_err(), LENGTH);
        assert!(half.parse::<super::super::AccountKey>().is_err());
    }
}
