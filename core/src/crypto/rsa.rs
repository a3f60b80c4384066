//! RSA-3072 keys of suite 1, without a purpose yet: `envelope` gives them one.

use zeroize::Zeroizing;

use super::backend::{Active, Backend, RSA_BYTES};
use super::keys::Key;
use super::{OpenError, PublicKeyError};

/// Size in bytes of a suite-1 SubjectPublicKeyInfo.
pub const SPKI_BYTES: usize = SPKI_START.len() + RSA_BYTES + SPKI_END.len();

/// DER before the modulus of any 3072-bit key: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) with rsaEncryption and
/// NULL parameters, around RSAPublicKey (RFC 8017 appendix A.1.1). As size and exponent are fixed, so is all of DER.
const SPKI_START: &[u8] = &[
    0x30, 0x82, 0x01, 0xa2, // SEQUENCE
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
    0x00, // rsaEncryption, NULL
    0x03, 0x82, 0x01, 0x8f, 0x00, // BIT STRING
    0x30, 0x82, 0x01, 0x8a, // SEQUENCE
    0x02, 0x82, 0x01, 0x81, 0x00, // INTEGER, 385 bytes: the modulus has its top bit set
];
/// DER after the modulus: INTEGER 65537.
const SPKI_END: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];

/// A public key.
pub struct PublicHalf {
    spki: [u8; SPKI_BYTES],
    key: <Active as Backend>::RsaPublic,
}

/// A private key with its public half.
pub struct PrivateHalf {
    spki: [u8; SPKI_BYTES],
    key: <Active as Backend>::RsaPrivate,
}

impl PublicHalf {
    /// Reads canonical SubjectPublicKeyInfo DER of an RSA-3072 key with e = 65537; anything else is refused.
    pub fn from_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
        let spki = checked_spki(der)?;
        let key = Active::rsa_public_from_spki(der).ok_or(PublicKeyError)?;
        Ok(Self { spki, key })
    }

    pub fn spki(&self) -> &[u8; SPKI_BYTES] {
        &self.spki
    }

    /// Wraps a symmetric key.
    pub fn wrap<P>(&self, label: &str, key: &Key<P>) -> [u8; RSA_BYTES] {
        Active::oaep_seal(&self.key, label, key.bytes())
            .try_into()
            .expect("an RSA-3072 ciphertext has 384 bytes")
    }
}

impl PrivateHalf {
    pub fn generate() -> Self {
        let key = Active::rsa_generate();
        let spki = checked_spki(&Active::rsa_spki(&key)).expect("a generated key is of suite 1");
        Self { spki, key }
    }

    /// Reads PKCS#8 DER, recomputing the public half.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, OpenError> {
        let key = Active::rsa_private_from_pkcs8(der).ok_or(OpenError)?;
        let spki = checked_spki(&Active::rsa_spki(&key)).map_err(|_| OpenError)?;
        Ok(Self { spki, key })
    }

    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Active::rsa_private_to_pkcs8(&self.key)
    }

    pub fn spki(&self) -> &[u8; SPKI_BYTES] {
        &self.spki
    }

    /// Unwraps a symmetric key.
    pub fn unwrap<P>(&self, label: &str, wrapped: &[u8]) -> Result<Key<P>, OpenError> {
        let opened = Active::oaep_open(&self.key, label, wrapped)?;
        Ok(Key::from_bytes(opened.as_slice().try_into().map_err(|_| OpenError)?))
    }
}

/// The bytes, if they are the SPKI of an odd 3072-bit modulus with e = 65537.
fn checked_spki(der: &[u8]) -> Result<[u8; SPKI_BYTES], PublicKeyError> {
    let spki: [u8; SPKI_BYTES] = der.try_into().map_err(|_| PublicKeyError)?;
    let modulus =
        spki.strip_prefix(SPKI_START).and_then(|rest| rest.strip_suffix(SPKI_END)).ok_or(PublicKeyError)?;
    if modulus[0] & 0x80 != 0 && modulus[RSA_BYTES - 1] & 1 == 1 { Ok(spki) } else { Err(PublicKeyError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spki_of_suite_1_has_422_bytes() {
        assert_eq!(SPKI_BYTES, 422);
    }
}
