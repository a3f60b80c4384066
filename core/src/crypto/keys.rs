//! Symmetric keys, each a type of its own purpose.

use std::fmt;
use std::marker::PhantomData;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::backend::{Active, Backend};
use super::random::Random;
use super::{OpenError, cobblestone};

/// Size in bytes of a key sealed by [`seal_key`].
pub const SEALED_KEY_BYTES: usize = cobblestone::HEAD_BYTES + 32 + cobblestone::TAG_BYTES;

/// 32 secret bytes for the purpose `P`. Wiped when dropped, never printed, cloned or serialized; the bytes are
/// visible to this module only.
pub struct Key<P> {
    bytes: [u8; 32],
    purpose: PhantomData<fn() -> P>,
}

impl<P> Key<P> {
    /// Makes a random key.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        let mut key = Self::zero();
        rng.fill(&mut key.bytes);
        key
    }

    fn zero() -> Self {
        Self { bytes: [0; 32], purpose: PhantomData }
    }

    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut key = Self::zero();
        key.bytes.copy_from_slice(bytes);
        key
    }

    /// HKDF-Expand-SHA-512 of `prk`, 32 bytes.
    pub(super) fn expand(prk: &[u8], info: &[&[u8]]) -> Self {
        let mut key = Self::zero();
        Active::hkdf_expand_sha512(prk, info, &mut key.bytes);
        key
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl<P> Drop for Key<P> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl<P> ZeroizeOnDrop for Key<P> {}

impl<P> fmt::Debug for Key<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = std::any::type_name::<P>().rsplit("::").next().unwrap_or_default();
        write!(f, "Key<{purpose}>(…)")
    }
}

/// What keys are for. A key of one purpose does not pass where another is asked for.
pub mod purpose {
    /// Purposes whose keys may seal with Cobblestone.
    pub trait Seals: sealed::Sealed {}

    mod sealed {
        pub trait Sealed {}
    }

    macro_rules! purposes {
        ($($(#[$doc:meta])* $name:ident $($seals:ident)?;)*) => {$(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub enum $name {}
            $(impl sealed::Sealed for $name {} impl $seals for $name {})?
        )*};
    }

    purposes! {
        /// One payload write of one file: source of the three subkeys.
        File;
        /// A folder's epoch: seals file keys and what else belongs to the folder.
        Folder Seals;
        /// A group's epoch: seals what belongs to the group, and no file.
        Group Seals;
        /// Seals the private half of a group's common key pair.
        GroupPair Seals;
        /// Authenticates a file's header.
        Header;
        /// Seals a file's INFO.
        Info Seals;
        /// Seals a file's payload.
        Payload Seals;
        /// Seals an account's private keys and state.
        AccountMaster Seals;
        /// From the password: seals the account master key.
        PasswordKek Seals;
        /// From the password: proves to the server that it is known.
        PasswordAuth;
        /// From the recovery key: seals the account master key.
        RecoveryKek Seals;
        /// From the recovery key: proves to the server that it is known.
        RecoveryAuth;
        /// One device's own: seals the account master key and what is cached on that device.
        Device Seals;
        /// An invitation's two secrets together: source of its keys.
        Invitation;
        /// An invitation: seals its record.
        InvitationRecord Seals;
        /// An invitation: claims it from the server, once.
        InvitationClaim;
        /// An invitation: authenticates the guest's acceptance.
        InvitationAcceptance;
        /// An invitation: seals a folder key for a guest.
        Invite Seals;
        /// An access code: seals one file key.
        Code Seals;
        /// One login: answers its challenge.
        LoginSession;
        /// A key server: verifies passwords and recovery keys.
        Pepper;
        /// A key server: answers about logins that do not exist.
        UnknownLogin;
        /// A key server: authenticates the tickets of login attempts.
        LoginAttempt;
    }
}

/// Source of a file's subkeys, new with every payload write.
pub type FileKey = Key<purpose::File>;
/// Key of a folder's epoch.
pub type FolderKey = Key<purpose::Folder>;
/// Key of a group's epoch.
pub type GroupKey = Key<purpose::Group>;
/// Seals the private half of a group's common key pair.
pub(super) type GroupPairKey = Key<purpose::GroupPair>;
/// Authenticates a file's header.
pub type HeaderKey = Key<purpose::Header>;
/// Seals a file's INFO.
pub type InfoKey = Key<purpose::Info>;
/// Seals a file's payload.
pub type PayloadKey = Key<purpose::Payload>;
/// Seals an account's private keys and state.
pub type AccountMasterKey = Key<purpose::AccountMaster>;
/// From the password: seals the account master key.
pub type PasswordKek = Key<purpose::PasswordKek>;
/// From the password: proves to the server that it is known.
pub type PasswordAuth = Key<purpose::PasswordAuth>;
/// From the recovery key: seals the account master key.
pub type RecoveryKek = Key<purpose::RecoveryKek>;
/// From the recovery key: proves to the server that it is known.
pub type RecoveryAuth = Key<purpose::RecoveryAuth>;
/// Seals what stays on one device; kept in its keyring.
pub type DeviceKey = Key<purpose::Device>;
/// Seals an invitation's record.
pub type InvitationRecordKey = Key<purpose::InvitationRecord>;
/// Shows a server that a guest has both of an invitation's secrets.
pub type ClaimKey = Key<purpose::InvitationClaim>;
/// Authenticates a guest's acceptance to the inviter.
pub type AcceptanceKey = Key<purpose::InvitationAcceptance>;
/// Seals a folder key for a guest.
pub type InviteKey = Key<purpose::Invite>;
/// Seals a file key for whoever holds an access code.
pub type CodeKey = Key<purpose::Code>;
/// Answers the challenge of one login; sealed to the account's login key.
pub type LoginSessionKey = Key<purpose::LoginSession>;

impl DeviceKey {
    /// The bytes as the device's keyring keeps them: the one key that is stored unsealed.
    #[must_use]
    pub fn expose_for_keyring(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.bytes)
    }

    /// Takes back what the keyring kept. `None` if it is not 32 bytes.
    #[must_use]
    pub fn from_keyring(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }
}

/// Seals `inner` under `outer`; `context` must be given again to open it, and must say what `inner` is.
#[must_use]
pub fn seal_key<O: purpose::Seals, I>(
    outer: &Key<O>,
    inner: &Key<I>,
    context: &[u8],
    rng: &mut (impl Random + ?Sized),
) -> [u8; SEALED_KEY_BYTES] {
    let (stream, head) = cobblestone::Stream::to_seal(outer, super::random::random_array(rng), context);
    let mut sealed = [0; SEALED_KEY_BYTES];
    let (front, chunk) = sealed.split_at_mut(cobblestone::HEAD_BYTES);
    front.copy_from_slice(&head);
    chunk[..32].copy_from_slice(&inner.bytes);
    stream.seal_chunk(0, chunk);
    sealed
}

/// Opens what [`seal_key`] sealed with the same `outer` and `context`.
///
/// # Errors
/// [`OpenError`] if either differs, or `sealed` was altered.
pub fn open_key<O: purpose::Seals, I>(
    outer: &Key<O>,
    context: &[u8],
    sealed: &[u8],
) -> Result<Key<I>, OpenError> {
    let (head, chunk) = sealed.split_first_chunk().ok_or(OpenError)?;
    let stream = cobblestone::Stream::to_open(outer, head, context)?;
    let mut chunk: [u8; 32 + cobblestone::TAG_BYTES] = chunk.try_into().map_err(|_| OpenError)?;
    let mut key = Key::zero();
    key.bytes.copy_from_slice(stream.open_chunk(0, &mut chunk)?);
    chunk.zeroize();
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::super::TestRandom;
    use super::*;

    #[test]
    fn keys_are_not_printed() {
        let key = DeviceKey::generate(&mut TestRandom::new(1));
        assert_eq!(format!("{key:?}"), "Key<Device>(…)");
    }

    #[test]
    fn a_sealed_key_opens_only_with_the_same_key_and_context() {
        let mut rng = TestRandom::new(2);
        let (device, other) = (DeviceKey::generate(&mut rng), DeviceKey::generate(&mut rng));
        let folder = FolderKey::generate(&mut rng);
        let sealed = seal_key(&device, &folder, b"context", &mut rng);
        let open = |key: &DeviceKey, context: &[u8], sealed: &[u8]| {
            open_key::<_, purpose::Folder>(key, context, sealed)
        };
        assert_eq!(open(&device, b"context", &sealed).unwrap().bytes(), folder.bytes());
        assert_eq!(open(&other, b"context", &sealed).unwrap_err(), OpenError);
        assert_eq!(open(&device, b"contexT", &sealed).unwrap_err(), OpenError);
        assert_eq!(open(&device, b"context", &sealed[..SEALED_KEY_BYTES - 1]).unwrap_err(), OpenError);
        assert_eq!(open(&device, b"context", &[]).unwrap_err(), OpenError);
    }
}
