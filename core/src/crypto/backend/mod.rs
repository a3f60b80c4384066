//! The cipher libraries, behind one trait. Nothing else in the project names them.

#[cfg(feature = "aws-lc")]
mod aws_lc;
// Beside the default backend it has work in tests only.
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc"))))]
mod rust_crypto;

use zeroize::Zeroizing;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc"))))]
pub use rust_crypto::RustCrypto;

use super::OpenError;

/// The backend that the crate works with.
#[cfg(feature = "aws-lc")]
pub type Active = AwsLc;
/// The backend that the crate works with.
#[cfg(not(feature = "aws-lc"))]
pub type Active = RustCrypto;

#[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
compile_error!("choose a cryptographic backend: feature `aws-lc` (the default) or `rust-crypto`");

/// AES-256-GCM key size in bytes (NIST SP 800-38D).
pub const KEY_BYTES: usize = 32;
/// AES-256-GCM nonce size in bytes.
pub const NONCE_BYTES: usize = 12;
/// AES-256-GCM tag size in bytes.
pub const TAG_BYTES: usize = 16;
/// RSA modulus and ciphertext size in bytes: 3072 bits.
pub const RSA_BYTES: usize = 384;

/// What a cipher library must offer. It is never a parameter of anything public: `Active` is used everywhere, and
/// tests compare the two.
pub trait Backend: Sized + 'static {
    /// AES-256-GCM with an expanded key.
    type Aead: Send + Sync;
    /// Ed25519 with an expanded seed.
    type Signer: Send + Sync;
    /// RSA-3072, private half.
    type RsaPrivate: Send + Sync;
    /// RSA-3072, public half.
    type RsaPublic: Send + Sync;

    /// Expands an AES-256 key.
    fn aead(key: &[u8; KEY_BYTES]) -> Self::Aead;
    /// Encrypts `data` in place with empty AAD, returning the tag.
    fn aead_seal(aead: &Self::Aead, nonce: [u8; NONCE_BYTES], data: &mut [u8]) -> [u8; TAG_BYTES];
    /// Decrypts in place what is `ciphertext ‖ tag`; after a failure the content of `data` is unspecified.
    fn aead_open<'a>(
        aead: &Self::Aead,
        nonce: [u8; NONCE_BYTES],
        data: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError>;

    /// HKDF-Expand-SHA-512 (RFC 5869 section 2.3). Panics unless `prk` ≤ 64 bytes and `out` ≤ 16,320 bytes.
    fn hkdf_expand_sha512(prk: &[u8], info: &[&[u8]], out: &mut [u8]);
    /// HMAC-SHA-256 (RFC 2104) over the concatenation of `parts`.
    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32];
    /// PBKDF2-HMAC-SHA-256 (RFC 8018 section 5.2) fills `out`. Panics at 0 `iterations`.
    fn pbkdf2_hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]);

    /// Expands an Ed25519 seed (RFC 8032 section 5.1.5).
    fn signer(seed: &[u8; 32]) -> Self::Signer;
    /// The public key.
    fn signer_public(signer: &Self::Signer) -> [u8; 32];
    /// Signs (RFC 8032 section 5.1.6).
    fn sign(signer: &Self::Signer, message: &[u8]) -> [u8; 64];
    /// Verifies without cofactor, refusing s ≥ L. The caller has refused weak and non-canonical points.
    fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;

    /// Makes an RSA-3072 key with e = 65537 from the library's own generator.
    fn rsa_generate() -> Self::RsaPrivate;
    /// Reads PKCS#8 DER (RFC 5958). `None` if it is not an RSA private key.
    fn rsa_private_from_pkcs8(der: &[u8]) -> Option<Self::RsaPrivate>;
    /// Writes PKCS#8 DER.
    fn rsa_private_to_pkcs8(key: &Self::RsaPrivate) -> Zeroizing<Vec<u8>>;
    /// The public half as SubjectPublicKeyInfo DER (RFC 8017 appendix A.1), recomputed from the private half.
    fn rsa_spki(key: &Self::RsaPrivate) -> Vec<u8>;
    /// Reads SubjectPublicKeyInfo DER. `None` if it is not an RSA public key.
    fn rsa_public_from_spki(der: &[u8]) -> Option<Self::RsaPublic>;
    /// RSAES-OAEP-ENCRYPT with SHA-256 and MGF1-SHA-256 (RFC 8017 section 7.1.1). `message` ≤ 318 bytes.
    fn oaep_seal(key: &Self::RsaPublic, label: &str, message: &[u8]) -> Vec<u8>;
    /// RSAES-OAEP-DECRYPT (RFC 8017 section 7.1.2).
    fn oaep_open(
        key: &Self::RsaPrivate,
        label: &str,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError>;
}
