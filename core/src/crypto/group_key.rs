//! What is sealed under a group's key: the private halves of the group's common key pairs.

use super::envelope::{EnvelopePrivateKey, EnvelopePublicKey};
use super::folder_key::FolderKeyName;
use super::keys::{GroupKey, GroupPairKey, Key};
use super::random::Random;
use super::{OpenError, cobblestone};

const PAIR_KEY_LABEL: &[u8] = b"ensafer/v1/group-pair-key\0";
const PAIR_LABEL: &[u8] = b"ensafer/v1/group-pair\0";

impl GroupKey {
    /// Seals the private half of the epoch's pair, as PKCS#8. `name` must be this key's.
    #[must_use]
    pub fn seal_pair(
        &self,
        name: &FolderKeyName,
        pair: &EnvelopePrivateKey,
        rng: &mut (impl Random + ?Sized),
    ) -> Vec<u8> {
        cobblestone::seal(&self.pair_key(), rng, &pair_context(name, &pair.public()), &pair.to_pkcs8())
    }

    /// Opens what [`seal_pair`](Self::seal_pair) sealed, recomputing the public half, which must be `public`.
    ///
    /// # Errors
    /// [`OpenError`] if the key, its name or the public half is another, or anything was altered.
    pub fn open_pair(
        &self,
        name: &FolderKeyName,
        public: &EnvelopePublicKey,
        sealed: &[u8],
    ) -> Result<EnvelopePrivateKey, OpenError> {
        let plain = cobblestone::open(&self.pair_key(), &pair_context(name, public), sealed)?;
        let pair = EnvelopePrivateKey::from_pkcs8(&plain)?;
        if pair.spki() == public.spki() { Ok(pair) } else { Err(OpenError) }
    }

    fn pair_key(&self) -> GroupPairKey {
        Key::expand(self.bytes(), &[PAIR_KEY_LABEL])
    }
}

/// A label, `group_id ‖ epoch ‖ key_id`, and SHA-256 of the SPKI.
fn pair_context(name: &FolderKeyName, public: &EnvelopePublicKey) -> Vec<u8> {
    [PAIR_LABEL, &name.to_bytes(), &public.spki_hash()].concat()
}
