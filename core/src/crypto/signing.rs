//! Ed25519 signatures (RFC 8032), each under the label of its purpose.

use std::fmt;

use zeroize::Zeroizing;

use super::PublicKeyError;
use super::backend::{Active, Backend};
use super::hash::sha256;
use super::random::Random;
use crate::ids::{Fingerprint, FolderId, GroupId};

/// What a signature is about. The label is part of what is signed, so that none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// A file's statement.
    Content,
    /// A file's list of recipients.
    Access,
    /// An entry of a roster's log.
    RosterEntry,
    /// An account's public bundle.
    Bundle,
    /// A device's request to log in.
    DeviceLogin,
    /// A device's request for new tokens.
    DeviceRefresh,
}

impl Domain {
    /// The bytes before everything else that is signed.
    #[must_use]
    pub const fn label(self) -> &'static [u8] {
        match self {
            Self::Content => b"ensafer/v1/content\0",
            Self::Access => b"ensafer/v1/access\0",
            Self::RosterEntry => b"ensafer/v1/roster-entry\0",
            Self::Bundle => b"ensafer/v1/bundle\0",
            Self::DeviceLogin => b"ensafer/v1/device-login\0",
            Self::DeviceRefresh => b"ensafer/v1/device-refresh\0",
        }
    }

    /// The label, then the concatenation of `parts`.
    fn message(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut message = self.label().to_vec();
        message.reserve_exact(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            message.extend_from_slice(part);
        }
        message
    }
}

/// The signature does not belong to this key, purpose and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureError;

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Size in bytes.
    pub const LEN: usize = 64;

    /// Wraps the bytes as they are.
    #[must_use]
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// An identity's private key. Signs everything that its account writes.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    signer: <Active as Backend>::Signer,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes a random key.
    #[must_use]
    pub fn generate(rng: &mut (impl Random + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill(&mut *seed);
        Self::from_seed(&seed)
    }

    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        let signer = Active::signer(seed);
        let public = VerifyingKey(Active::signer_public(&signer));
        Self { seed: Zeroizing::new(*seed), signer, public }
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.public
    }

    /// Signs the concatenation of `parts`. Where more than one part varies in length, the caller adds the lengths.
    #[must_use]
    pub fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        Signature(Active::sign(&self.signer, &domain.message(parts)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// An identity's public key: canonical, and not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Size in bytes.
    pub const LEN: usize = 32;

    /// Takes a public key.
    ///
    /// # Errors
    /// [`PublicKeyError`] if it is of small order (such a key accepts signatures that nobody made) or not canonical.
    /// That it is a point at all shows when it first verifies something.
    pub fn new(bytes: [u8; 32]) -> Result<Self, PublicKeyError> {
        if is_canonical(&bytes) && !is_small_order(&bytes) { Ok(Self(bytes)) } else { Err(PublicKeyError) }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name that an account keeps for life, however its RSA keys change.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(sha256(&[b"ensafer/v1/identity\0", &self.0]))
    }

    /// The id of the folder that this identity creates with these random bytes: nobody else can be its creator.
    #[must_use]
    pub fn folder_id(&self, nonce: &[u8; 16]) -> FolderId {
        let hash = sha256(&[b"ensafer/v1/folder\0", &self.0, nonce]);
        FolderId::new(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
    }

    /// The id of the group that this identity creates with these random bytes: no folder's, as the label is another.
    #[must_use]
    pub fn group_id(&self, nonce: &[u8; 16]) -> GroupId {
        let hash = sha256(&[b"ensafer/v1/group\0", &self.0, nonce]);
        GroupId::new(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
    }

    /// Checks a signature over the concatenation of `parts`.
    ///
    /// # Errors
    /// [`SignatureError`] if it was not made by this key, for this domain, over these bytes.
    pub fn verify(
        &self,
        domain: Domain,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        verify_strict::<Active>(&self.0, &domain.message(parts), &signature.0)
            .then_some(())
            .ok_or(SignatureError)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", hex::encode(self.0))
    }
}

/// Verifies without cofactor, with both points canonical and neither of small order, so that every backend takes the
/// same signatures.
pub(super) fn verify_strict<B: Backend>(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let commitment = signature.first_chunk().expect("a signature begins with a point");
    [public, commitment].into_iter().all(|point| is_canonical(point) && !is_small_order(point))
        && B::verify(public, message, signature)
}

/// Whether y < 2²⁵⁵ − 19. (The other non-canonical encodings, x = 0 with its sign set, are of small order.)
fn is_canonical(point: &[u8; 32]) -> bool {
    point[0] < 0xed || point[31] & 0x7f != 0x7f || point[1..31].iter().any(|&byte| byte != 0xff)
}

/// Whether the point's order divides 8, whatever the sign of x. There are five such y (RFC 7748 section 7 has the
/// u-coordinates of these points): 0, 1, −1 and two of order 8.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    SMALL_ORDER_Y.contains(&y)
}

/// The canonical y of the points of small order, little-endian.
pub(super) const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];
