//! The printable key that opens an account when its password is lost.

use std::fmt;
use std::str::FromStr;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::hash::sha256;
use super::keys::{AccountMasterKey, Key, RecoveryAuth, RecoveryKek};
use super::random::{Random, random_array};
use super::{OpenError, cobblestone};

/// Bytes of secret: 160 bits, 32 characters of 5 bits.
const SECRET_BYTES: usize = 20;
/// Characters of checksum: the first 20 bits of a hash.
const CHECK_CHARACTERS: usize = 4;
/// Characters in all, without the hyphens between groups of four.
const CHARACTERS: usize = SECRET_BYTES * 8 / 5 + CHECK_CHARACTERS;
/// Crockford's base 32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery key: 160 random bits, shown once and kept on paper.
#[derive(ZeroizeOnDrop)]
pub struct RecoveryKey([u8; SECRET_BYTES]);

/// The text is no recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseRecoveryKeyError {
    /// It has more or fewer than 36 characters, hyphens and spaces aside.
    #[error("a recovery key has 36 letters and digits, in nine groups of four")]
    Length,
    /// It has a character that recovery keys do not have.
    #[error("{0:?} does not occur in a recovery key")]
    Character(char),
    /// The checksum does not fit: something was mistyped.
    #[error("the recovery key is mistyped: its checksum does not fit")]
    Checksum,
}

impl RecoveryKey {
    /// Makes a random key.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self(random_array(rng))
    }

    /// The key as it is printed: nine groups of four characters joined by hyphens, the last one a checksum.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / 4));
        for (index, digit) in self.digits().iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*digit)]));
        }
        text
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

    /// The secret and its checksum in digits of 5 bits, the first bits first.
    fn digits(&self) -> Zeroizing<[u8; CHARACTERS]> {
        let check = sha256(&[b"ensafer/v1/recovery-check\0", &self.0]);
        let mut digits = Zeroizing::new([0; CHARACTERS]);
        for (index, digit) in digits.iter_mut().enumerate() {
            *digit = match index.checked_sub(SECRET_BYTES * 8 / 5) {
                None => five_bits(&self.0, index),
                Some(index) => five_bits(&check, index),
            };
        }
        digits
    }
}

impl FromStr for RecoveryKey {
    type Err = ParseRecoveryKeyError;

    /// Reads what [`to_text`](RecoveryKey::to_text) wrote, as people type it: either case, O for 0, I or L for 1, with
    /// or without hyphens and spaces.
    fn from_str(text: &str) -> Result<Self, ParseRecoveryKeyError> {
        let mut digits = Zeroizing::new([0u8; CHARACTERS]);
        let mut length = 0;
        for character in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—')) {
            let digit = digit_of(character).ok_or(ParseRecoveryKeyError::Character(character))?;
            *digits.get_mut(length).ok_or(ParseRecoveryKeyError::Length)? = digit;
            length += 1;
        }
        if length != CHARACTERS {
            return Err(ParseRecoveryKeyError::Length);
        }
        let mut key = Self([0; SECRET_BYTES]);
        for (index, bit) in (0..SECRET_BYTES * 8).map(|at| (at, digits[at / 5] >> (4 - at % 5) & 1)) {
            key.0[index / 8] |= bit << (7 - index % 8);
        }
        if *key.digits() == *digits { Ok(key) } else { Err(ParseRecoveryKeyError::Checksum) }
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(…)")
    }
}

/// Digit `index` of `bytes` read as a sequence of 5-bit digits.
fn five_bits(bytes: &[u8], index: usize) -> u8 {
    (index * 5..index * 5 + 5).fold(0, |digit, at| digit << 1 | (bytes[at / 8] >> (7 - at % 8) & 1))
}

fn digit_of(character: char) -> Option<u8> {
    let plain = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    (0u8..).zip(ALPHABET).find(|&(_, &letter)| char::from(letter) == plain).map(|(digit, _)| digit)
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

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
            assert_eq!(wrong.parse::<RecoveryKey>().unwrap_err(), ParseRecoveryKeyError::Checksum);
        }
        assert_eq!(text[1..].parse::<RecoveryKey>().unwrap_err(), ParseRecoveryKeyError::Length);
        assert_eq!(format!("{}0", *text).parse::<RecoveryKey>().unwrap_err(), ParseRecoveryKeyError::Length);
        assert_eq!(
            text.replacen(|c: char| c != '-', "U", 1).parse::<RecoveryKey>().unwrap_err(),
            ParseRecoveryKeyError::Character('U')
        );
        assert_eq!("".parse::<RecoveryKey>().unwrap_err(), ParseRecoveryKeyError::Length);
    }

    #[test]
    fn kek_and_auth_differ() {
        assert_ne!(key().derive_kek().bytes(), key().derive_auth().bytes());
    }
}
