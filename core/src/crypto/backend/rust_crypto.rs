//! The pure-Rust crates: the portable backend, and the oracle in tests. Its RSA does not run in constant time
//! (RUSTSEC-2023-0071; openings are blinded), hence it is never the default.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey, rand_core};
use sha2::{Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::{Backend, KEY_BYTES, NONCE_BYTES, OpenError, RSA_BYTES, TAG_BYTES};
use crate::crypto::random::{Random, SystemRandom};

/// The pure-Rust backend.
pub enum RustCrypto {}

/// HMAC-SHA-512 output size in bytes: one block of an HKDF expansion.
const EXPAND_BLOCK_BYTES: usize = 64;

impl Backend for RustCrypto {
    type Aead = Aes256Gcm;
    type Signer = SigningKey;
    type RsaPrivate = RsaPrivateKey;
    type RsaPublic = RsaPublicKey;

    fn aead(key: &[u8; KEY_BYTES]) -> Aes256Gcm {
        Aes256Gcm::new(key.into())
    }

    fn aead_seal(aead: &Aes256Gcm, nonce: [u8; NONCE_BYTES], data: &mut [u8]) -> [u8; TAG_BYTES] {
        aead.encrypt_inout_detached(&Nonce::from(nonce), &[], data.into())
            .expect("a chunk is far below the limit of AES-GCM")
            .into()
    }

    fn aead_open<'a>(
        aead: &Aes256Gcm,
        nonce: [u8; NONCE_BYTES],
        data: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        let (text, tag) = data.split_last_chunk_mut::<TAG_BYTES>().ok_or(OpenError)?;
        aead.decrypt_inout_detached(&Nonce::from(nonce), &[], (&mut *text).into(), &Tag::from(*tag))
            .map_err(|_| OpenError)?;
        Ok(text)
    }

    fn hkdf_expand_sha512(prk: &[u8], info: &[&[u8]], out: &mut [u8]) {
        assert!(out.len() <= 255 * EXPAND_BLOCK_BYTES, "every output length used is below 255 blocks");
        let keyed = <Hmac<Sha512> as KeyInit>::new_from_slice(prk).expect("HMAC takes keys of any length");
        let mut previous = Zeroizing::new([0u8; EXPAND_BLOCK_BYTES]);
        for (counter, block) in (1u8..=255).zip(out.chunks_mut(EXPAND_BLOCK_BYTES)) {
            let mut mac = keyed.clone();
            if counter > 1 {
                mac.update(&*previous);
            }
            for part in info {
                mac.update(part);
            }
            mac.update(&[counter]);
            let mut output = mac.finalize().into_bytes();
            previous.copy_from_slice(&output);
            output.zeroize();
            block.copy_from_slice(&previous[..block.len()]);
        }
    }

    fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn pbkdf2_hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
        assert!(iterations > 0, "there is a first round");
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, out);
    }

    fn signer(seed: &[u8; 32]) -> SigningKey {
        SigningKey::from_bytes(seed)
    }

    fn signer_public(signer: &SigningKey) -> [u8; 32] {
        signer.verifying_key().to_bytes()
    }

    fn sign(signer: &SigningKey, message: &[u8]) -> [u8; 64] {
        signer.sign(message).to_bytes()
    }

    fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(public)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }

    fn rsa_generate() -> RsaPrivateKey {
        RsaPrivateKey::new(&mut LibraryRandom, RSA_BYTES * 8).expect("the size and exponent are valid")
    }

    fn rsa_private_from_pkcs8(der: &[u8]) -> Option<RsaPrivateKey> {
        RsaPrivateKey::from_pkcs8_der(der).ok()
    }

    fn rsa_private_to_pkcs8(key: &RsaPrivateKey) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(key.to_pkcs8_der().expect("a valid RSA key has an encoding").as_bytes().to_vec())
    }

    fn rsa_spki(key: &RsaPrivateKey) -> Vec<u8> {
        key.to_public_key().to_public_key_der().expect("a valid RSA key has an encoding").into_vec()
    }

    fn rsa_public_from_spki(der: &[u8]) -> Option<RsaPublicKey> {
        RsaPublicKey::from_public_key_der(der).ok()
    }

    fn oaep_seal(key: &RsaPublicKey, label: &str, message: &[u8]) -> Vec<u8> {
        key.encrypt(&mut LibraryRandom, oaep(label), message).expect("the message fits the modulus")
    }

    fn oaep_open(
        key: &RsaPrivateKey,
        label: &str,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        key.decrypt_blinded(&mut LibraryRandom, oaep(label), ciphertext)
            .map(Zeroizing::new)
            .map_err(|_| OpenError)
    }
}

/// OAEP with SHA-256 for the label and for MGF1.
fn oaep(label: &str) -> Oaep {
    Oaep::new_with_label::<sha2_rsa::Sha256, _>(label)
}

/// The operating system's randomness in the shape that `rsa` takes.
struct LibraryRandom;

impl rand_core::RngCore for LibraryRandom {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes(SystemRandom.array())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_ne_bytes(SystemRandom.array())
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        SystemRandom.fill(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core::CryptoRng for LibraryRandom {}
