//! Secrets as people write them down: Crockford's base 32 in groups of four, the last characters a checksum.

use zeroize::Zeroizing;

use super::hash::sha256;

/// Crockford's base 32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How one kind of secret is printed. `SECRET` bytes take `⌈SECRET × 8 / 5⌉` characters.
pub struct Print<const SECRET: usize> {
    /// The kind, for messages: `a recovery key`.
    pub what: &'static str,
    /// Hashed before the secret for its checksum, so that no kind passes for another.
    pub label: &'static [u8],
    /// Characters of checksum.
    pub check_characters: usize,
}

/// The text is no secret of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrintedError {
    /// It has more or fewer characters, hyphens and spaces aside.
    #[error("{what} has {characters} letters and digits, in groups of four")]
    Length {
        /// What was expected.
        what: &'static str,
        /// The right number.
        characters: usize,
    },
    /// It has a character that printed secrets do not have.
    #[error("{character:?} does not occur in {what}")]
    Character {
        /// What was expected.
        what: &'static str,
        /// The character.
        character: char,
    },
    /// The checksum does not fit: something was mistyped, or it is a secret of another kind.
    #[error("it is mistyped: the checksum of {what} does not fit")]
    Checksum {
        /// What was expected.
        what: &'static str,
    },
}

impl<const SECRET: usize> Print<SECRET> {
    const SECRET_CHARACTERS: usize = (SECRET * 8).div_ceil(5);

    /// Groups of four characters joined by hyphens.
    pub fn to_text(&self, secret: &[u8; SECRET]) -> Zeroizing<String> {
        let digits = self.digits(secret);
        let mut text = Zeroizing::new(String::with_capacity(digits.len() + digits.len() / 4));
        for (index, digit) in digits.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*digit)]));
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote, as people type it: either case, O for 0, I or L for 1, with or
    /// without hyphens and spaces.
    pub fn parse(&self, text: &str) -> Result<Zeroizing<[u8; SECRET]>, ParsePrintedError> {
        let (what, length) = (self.what, Self::SECRET_CHARACTERS + self.check_characters);
        let wrong_length = ParsePrintedError::Length { what, characters: length };
        let mut digits = Zeroizing::new(Vec::with_capacity(length));
        for character in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—')) {
            let digit = digit_of(character).ok_or(ParsePrintedError::Character { what, character })?;
            if digits.len() == length {
                return Err(wrong_length);
            }
            digits.push(digit);
        }
        if digits.len() != length {
            return Err(wrong_length);
        }
        let mut secret = Zeroizing::new([0; SECRET]);
        for (index, bit) in (0..SECRET * 8).map(|at| (at, digits[at / 5] >> (4 - at % 5) & 1)) {
            secret[index / 8] |= bit << (7 - index % 8);
        }
        if *self.digits(&secret) == *digits { Ok(secret) } else { Err(ParsePrintedError::Checksum { what }) }
    }

    /// The secret and its checksum in digits of 5 bits, the first bits first.
    fn digits(&self, secret: &[u8; SECRET]) -> Zeroizing<Vec<u8>> {
        let check = sha256(&[self.label, secret]);
        let mut digits = Zeroizing::new(Vec::with_capacity(Self::SECRET_CHARACTERS + self.check_characters));
        digits.extend((0..Self::SECRET_CHARACTERS).map(|index| five_bits(secret, index)));
        digits.extend((0..self.check_characters).map(|index| five_bits(&check, index)));
        digits
    }
}

/// Digit `index` of `bytes` read as a sequence of 5-bit digits; bits behind the end are 0.
fn five_bits(bytes: &[u8], index: usize) -> u8 {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    (index * 5..index * 5 + 5).fold(0, |digit, at| digit << 1 | bit(at))
}

fn digit_of(character: char) -> Option<u8> {
    let plain = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    (0u8..).zip(ALPHABET).find(|&(_, &letter)| char::from(letter) == plain).map(|(digit, _)| digit)
}
