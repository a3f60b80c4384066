//! aws-lc: the default. Constant-time RSA-OAEP, AES-GCM in hardware, PBKDF2 in two thirds of the time.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk};
use aws_lc_rs::hmac;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{Backend, KEY_BYTES, NONCE_BYTES, OpenError, TAG_BYTES};

/// The aws-lc backend.
pub enum AwsLc {}

/// Output length of an HKDF expansion.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Backend for AwsLc {
    type Aead = LessSafeKey;
    type Signer = Ed25519KeyPair;
    type RsaPrivate = PrivateDecryptingKey;
    type RsaPublic = OaepPublicEncryptingKey;

    fn aead(key: &[u8; KEY_BYTES]) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are an AES-256 key"))
    }

    fn aead_seal(aead: &LessSafeKey, nonce: [u8; NONCE_BYTES], data: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = aead
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), data)
            .expect("a chunk is far below the limit of AES-GCM");
        tag.as_ref().try_into().expect("an AES-GCM tag has 16 bytes")
    }

    fn aead_open<'a>(
        aead: &LessSafeKey,
        nonce: [u8; NONCE_BYTES],
        data: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        aead.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), data).map_err(|_| OpenError)
    }

    fn hkdf_expand_sha512(prk: &[u8], info: &[&[u8]], out: &mut [u8]) {
        Prk::new_less_safe(HKDF_SHA512, prk)
            .expand(info, Length(out.len()))
            .and_then(|okm| okm.fill(out))
            .expect("every output length used is below 255 blocks");
    }

    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }

    fn pbkdf2_hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
        let iterations = NonZeroU32::new(iterations).expect("there is a first round");
        pbkdf2::derive(PBKDF2_HMAC_SHA256, iterations, salt, password, out);
    }

    fn signer(seed: &[u8; 32]) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed")
    }

    fn signer_public(signer: &Ed25519KeyPair) -> [u8; 32] {
        signer.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    fn sign(signer: &Ed25519KeyPair, message: &[u8]) -> [u8; 64] {
        signer.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
    }

    fn rsa_generate() -> PrivateDecryptingKey {
        PrivateDecryptingKey::generate(KeySize::Rsa3072).expect("the generator has memory and randomness")
    }

    fn rsa_private_from_pkcs8(der: &[u8]) -> Option<PrivateDecryptingKey> {
        PrivateDecryptingKey::from_pkcs8(der).ok()
    }

    fn rsa_private_to_pkcs8(key: &PrivateDecryptingKey) -> Zeroizing<Vec<u8>> {
        let der: Pkcs8V1Der<'_> = key.as_der().expect("a valid RSA key has an encoding");
        Zeroizing::new(der.as_ref().to_vec())
    }

    fn rsa_spki(key: &PrivateDecryptingKey) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().expect("a valid RSA key has an encoding");
        der.as_ref().to_vec()
    }

    fn rsa_public_from_spki(der: &[u8]) -> Option<OaepPublicEncryptingKey> {
        OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(der).ok()?).ok()
    }

    fn oaep_seal(key: &OaepPublicEncryptingKey, label: &str, message: &[u8]) -> Vec<u8> {
        let mut out = vec![0; key.ciphertext_size()];
        let sealed = key
            .encrypt(&OAEP_SHA256_MGF1SHA256, message, &mut out, Some(label.as_bytes()))
            .expect("the message fits the modulus");
        debug_assert_eq!(sealed.len(), key.ciphertext_size());
        out
    }

    fn oaep_open(
        key: &PrivateDecryptingKey,
        label: &str,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        Self::oaep_open_any_label(key, label.as_bytes(), ciphertext)
    }
}

impl AwsLc {
    /// RSAES-OAEP-DECRYPT with a label that need not be text (Wycheproof has such vectors).
    pub fn oaep_open_any_label(
        key: &PrivateDecryptingKey,
        label: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let key = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| OpenError)?;
        let mut out = Zeroizing::new(vec![0; key.min_output_size()]);
        let opened = key
            .decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut out, Some(label))
            .map_err(|_| OpenError)?
            .len();
        out.truncate(opened);
        Ok(out)
    }
}
