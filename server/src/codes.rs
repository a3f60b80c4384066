//! Codes that are mailed: eight characters of Crockford's base32, that is, 40 random bits, kept as hashes.

use ensafer_core::crypto::{Login, Random, ServerKeys, VerifierKind, sha256};
use ensafer_core::ids::AccountId;
use zeroize::Zeroizing;

/// Characters of a code.
pub const CODE_CHARACTERS: usize = 8;

/// Crockford's base32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LABEL: &[u8] = b"ensafer/v1/mailed-code\0";

/// A code that was mailed or typed.
pub struct Code(Zeroizing<String>);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    /// Makes a random code.
    #[must_use]
    pub fn generate(rng: &mut impl Random) -> Self {
        // 32 divides 256: every character is as likely as every other.
        let bytes = Zeroizing::new(rng.array::<CODE_CHARACTERS>());
        Self(Zeroizing::new(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()))
    }

    /// Reads a code as people type it: in any case, with spaces and dashes, I and L for 1, O for 0. `None` if it can be
    /// none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(CODE_CHARACTERS));
        for typed in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let character = match typed.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            if code.len() == CODE_CHARACTERS || !ALPHABET.iter().any(|&known| char::from(known) == character)
            {
                return None;
            }
            code.push(character);
        }
        (code.len() == CODE_CHARACTERS).then_some(Self(code))
    }

    /// The code, for the mail.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it: like a proof of a password, it cannot be guessed by whoever has the database alone.
    #[must_use]
    pub fn hash(&self, keys: &ServerKeys, account: AccountId, login: &Login) -> [u8; 32] {
        let hash = sha256(&[LABEL, self.0.as_bytes(), login.as_str().as_bytes()]);
        keys.verifier(VerifierKind::MailedCode, account, &hash)
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::crypto::{ServerSecret, TestRandom};

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::generate(&mut TestRandom::new(1));
        assert_eq!(code.expose().len(), CODE_CHARACTERS);
        let (front, back) = code.expose().split_at(4);
        for typed in [code.expose().to_owned(), format!(" {front}-{back}\n").to_lowercase()] {
            assert_eq!(Code::parse(&typed).unwrap().expose(), code.expose());
        }
        assert_eq!(Code::parse("ilo1 abcd").unwrap().expose(), "1101ABCD");
        for wrong in ["", "ABCDEFG", "ABCDEFGHJ", "ABCDEFGU", "ABCDEFG\u{e9}"] {
            assert!(Code::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_code_belongs_to_account_and_address() {
        let mut rng = TestRandom::new(2);
        let keys = ServerKeys::derive(&ServerSecret::generate(&mut rng));
        let code = Code::generate(&mut rng);
        let (a, b) = ("a@example.com".parse().unwrap(), "b@example.com".parse().unwrap());
        let account = AccountId::new([1; 16]);
        assert_eq!(code.hash(&keys, account, &a), code.hash(&keys, account, &a));
        assert_ne!(code.hash(&keys, account, &a), code.hash(&keys, account, &b));
        assert_ne!(code.hash(&keys, account, &a), code.hash(&keys, AccountId::new([2; 16]), &a));
        assert!(!format!("{code:?}").contains(code.expose()));
    }
}
