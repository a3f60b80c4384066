//! What a device keeps of its session with a server. It is sealed under the account's master key, so that it opens
//! however the account was opened, and stays on the device.

use zeroize::Zeroizing;

use super::keys::AccountMasterKey;
use super::random::Random;
use super::signing::SigningKey;
use super::token::Token;
use super::{OpenError, cobblestone};

/// A device's part of a session: the key that it signs its requests with, and the tokens that it was given last.
#[derive(Debug)]
pub struct DeviceSession {
    /// Signs this device's logins and refreshes; the server knows its public half.
    pub signer: SigningKey,
    /// Buys the next pair of tokens, once.
    pub refresh: Token,
    /// Counts refreshes. It is kept before each is sent, so that none is ever sent twice.
    pub counter: u64,
    /// Opens the server's doors until it expires.
    pub access: Token,
    /// When the access token expires, in seconds since 1970 by this device's clock.
    pub access_expires_at_s: u64,
}

/// Seed, two tokens, two numbers.
const PLAIN_BYTES: usize = 32 + 2 * Token::LEN + 2 * 8;

impl DeviceSession {
    /// Seals it; `context` must be given again to open it, and says whose it is.
    #[must_use]
    pub fn seal(&self, key: &AccountMasterKey, context: &[u8], rng: &mut (impl Random + ?Sized)) -> Vec<u8> {
        let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN_BYTES));
        plain.extend_from_slice(self.signer.seed());
        plain.extend_from_slice(self.refresh.as_bytes());
        plain.extend_from_slice(self.access.as_bytes());
        plain.extend_from_slice(&self.counter.to_be_bytes());
        plain.extend_from_slice(&self.access_expires_at_s.to_be_bytes());
        cobblestone::seal(key, rng, &[SESSION_LABEL, context].concat(), &plain)
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// [`OpenError`] if the key or context is another, or anything was altered.
    pub fn open(key: &AccountMasterKey, context: &[u8], sealed: &[u8]) -> Result<Self, OpenError> {
        let plain = cobblestone::open(key, &[SESSION_LABEL, context].concat(), sealed)?;
        let (seed, rest) = plain.split_first_chunk().ok_or(OpenError)?;
        let (refresh, rest) = rest.split_first_chunk().ok_or(OpenError)?;
        let (access, rest) = rest.split_first_chunk().ok_or(OpenError)?;
        let (counter, rest) = rest.split_first_chunk().ok_or(OpenError)?;
        let expires: &[u8; 8] = rest.try_into().map_err(|_| OpenError)?;
        Ok(Self {
            signer: SigningKey::from_seed(seed),
            refresh: Token::new(refresh),
            access: Token::new(access),
            counter: u64::from_be_bytes(*counter),
            access_expires_at_s: u64::from_be_bytes(*expires),
        })
    }
}

const SESSION_LABEL: &[u8] = b"ensafer/v1/device-session\0";

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    #[test]
    fn a_session_opens_with_its_key_and_context_only() {
        let mut rng = TestRandom::new(1);
        let (key, other) = (AccountMasterKey::generate(&mut rng), AccountMasterKey::generate(&mut rng));
        let session = DeviceSession {
            signer: SigningKey::generate(&mut rng),
            refresh: Token::generate(&mut rng),
            counter: 7,
            access: Token::generate(&mut rng),
            access_expires_at_s: 1_900_000_000,
        };
        let sealed = session.seal(&key, b"alice", &mut rng);
        let opened = DeviceSession::open(&key, b"alice", &sealed).unwrap();
        assert_eq!(opened.signer.public(), session.signer.public());
        assert_eq!(opened.refresh.hash(), session.refresh.hash());
        assert_eq!(opened.access.hash(), session.access.hash());
        assert_eq!((opened.counter, opened.access_expires_at_s), (7, 1_900_000_000));
        assert!(DeviceSession::open(&key, b"bob", &sealed).is_err());
        assert!(DeviceSession::open(&other, b"alice", &sealed).is_err());
        assert!(DeviceSession::open(&key, b"alice", &sealed[1..]).is_err());
    }
}
