//! An account's three private keys, sealed together.

use zeroize::Zeroizing;

use super::envelope::{EnvelopePrivateKey, LoginPrivateKey};
use super::keys::AccountMasterKey;
use super::random::Random;
use super::signing::SigningKey;
use super::{OpenError, cobblestone};

/// Two PKCS#8 RSA-3072 keys have under 3,700 bytes together: a buffer of this size never grows, and so leaves no copy
/// behind.
const BUFFER_BYTES: usize = 8 * 1024;

/// An account's private keys: one key, one use.
#[derive(Debug)]
pub struct PrivateKeys {
    /// Signs everything that the account writes.
    pub identity: SigningKey,
    /// Opens envelopes.
    pub envelope: EnvelopePrivateKey,
    /// Answers login challenges.
    pub login: LoginPrivateKey,
}

impl PrivateKeys {
    /// Makes three new key pairs; the RSA ones take about a second each.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        Self {
            identity: SigningKey::generate(rng),
            envelope: EnvelopePrivateKey::generate(),
            login: LoginPrivateKey::generate(),
        }
    }

    /// Seals all three: the CBOR byte strings identity seed, envelope PKCS#8, login PKCS#8, under Cobblestone.
    #[must_use]
    pub fn seal(&self, key: &AccountMasterKey, context: &[u8], rng: &mut (impl Random + ?Sized)) -> Vec<u8> {
        let mut plain = Zeroizing::new(Vec::with_capacity(BUFFER_BYTES));
        let mut encoder = minicbor::Encoder::new(&mut *plain);
        let parts: [&[u8]; 3] = [self.identity.seed(), &self.envelope.to_pkcs8(), &self.login.to_pkcs8()];
        for part in parts {
            encoder.bytes(part).expect("a Vec takes all bytes");
        }
        cobblestone::seal(key, rng, context, &plain)
    }

    /// Opens what [`seal`](Self::seal) sealed, recomputing every public half.
    ///
    /// # Errors
    /// [`OpenError`] if the key or context is another, or anything was altered.
    pub fn open(key: &AccountMasterKey, context: &[u8], sealed: &[u8]) -> Result<Self, OpenError> {
        let plain = cobblestone::open(key, context, sealed)?;
        let mut decoder = minicbor::Decoder::new(&plain);
        let mut decode = || decoder.bytes().map_err(|_| OpenError);
        let keys = Self {
            identity: SigningKey::from_seed(decode()?.try_into().map_err(|_| OpenError)?),
            envelope: EnvelopePrivateKey::from_pkcs8(decode()?)?,
            login: LoginPrivateKey::from_pkcs8(decode()?)?,
        };
        if decoder.position() == plain.len() { Ok(keys) } else { Err(OpenError) }
    }
}
