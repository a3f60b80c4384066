//! The public bundle: who an account is, signed by its identity key.

use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{
    Domain, EnvelopePublicKey, Login, LoginPublicKey, MAX_LOGIN_BYTES, SPKI_BYTES, Signature, SigningKey,
    VerifyingKey, sha256,
};
use crate::ids::{AccountId, Fingerprint};

/// Version of the bundle's encoding.
const VERSION: u64 = 1;

/// An account's public keys, and what they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The account.
    pub account: AccountId,
    /// E-mail address or name.
    pub login: Login,
    /// Verifies what the account signed.
    pub identity: VerifyingKey,
    /// Wraps keys for the account.
    pub envelope: EnvelopePublicKey,
    /// Seals login challenges for the account.
    pub login_key: LoginPublicKey,
    /// Counts the account's bundles: an older one than the newest seen is refused.
    pub sequence: u64,
}

/// A bundle cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not the one encoding of a bundle, or a key in it is none.
    #[error("the public bundle is malformed")]
    Malformed,
    /// Written by a newer version of Ensafer.
    #[error("the public bundle was made by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
    /// Not signed by the identity in it.
    #[error("the public bundle's signature does not verify")]
    Signature,
}

impl From<Malformed> for BundleError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A bundle whose signature was checked, with the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBundle {
    bundle: Bundle,
    bytes: Vec<u8>,
    signature: Signature,
}

impl Bundle {
    /// The bundle's one encoding: a CBOR map with the keys 0 to 6.
    fn encode(&self) -> Writer {
        let mut out = Writer::new();
        out.map(7).key(0).uint(VERSION).key(1).bytes(self.account.as_bytes());
        out.key(2).text(self.login.as_str()).key(3).bytes(self.identity.as_bytes());
        out.key(4).bytes(self.envelope.spki()).key(5).bytes(self.login_key.spki()).key(6).uint(self.sequence);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        // A newer one may have more fields.
        let mut reader = Reader::new(bytes);
        reader.map(64)?;
        if reader.key(0)?.uint()? > VERSION {
            return Err(BundleError::NewerVersion);
        }
        let mut reader = Reader::new(bytes);
        reader.whole_map(7)?;
        check(reader.key(0)?.uint()? == VERSION)?;
        let bundle = Self {
            account: AccountId::new(reader.key(1)?.array_of()?),
            login: canonical_login(reader.key(2)?.text(MAX_LOGIN_BYTES)?)?,
            identity: VerifyingKey::new(reader.key(3)?.array_of()?).map_err(|_| Malformed)?,
            envelope: EnvelopePublicKey::from_spki(reader.key(4)?.bytes(SPKI_BYTES)?)
                .map_err(|_| Malformed)?,
            login_key: LoginPublicKey::from_spki(reader.key(5)?.bytes(SPKI_BYTES)?).map_err(|_| Malformed)?,
            sequence: reader.key(6)?.uint()?,
        };
        reader.end()?;
        Ok(bundle)
    }
}

impl SignedBundle {
    /// Signs `bundle`, whose identity must be `identity`'s public half.
    #[must_use]
    pub fn sign(bundle: Bundle, identity: &SigningKey) -> Self {
        let bytes = bundle.encode().into_bytes();
        let signature = identity.sign(Domain::Bundle, &[&bytes]);
        Self { bundle, bytes, signature }
    }

    /// Takes a bundle from elsewhere: the bytes are verified as they are, then decoded.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn verify(bytes: &[u8], signature: Signature) -> Result<Self, BundleError> {
        let bundle = Bundle::decode(bytes)?;
        bundle.identity.verify(Domain::Bundle, &[bytes], &signature).map_err(|_| BundleError::Signature)?;
        Ok(Self { bundle, bytes: bytes.to_vec(), signature })
    }

    /// What was signed.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The signed bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature over [`bytes`](Self::bytes).
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// SHA-256 of the signed bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.bytes])
    }

    /// The fingerprint of the identity key: it survives a change of everything else.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.bundle.identity.fingerprint()
    }
}

/// The login, if the text is its canonical spelling.
pub(super) fn canonical_login(text: &str) -> Result<Login, Malformed> {
    let login: Login = text.parse().map_err(|_| Malformed)?;
    if login.as_str() == text { Ok(login) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_keys;

    fn signed() -> SignedBundle {
        let keys = test_keys::alice();
        let bundle = Bundle {
            account: AccountId::new([7; 16]),
            login: "alice@example.com".parse().unwrap(),
            identity: keys.identity.public(),
            envelope: keys.envelope.public(),
            login_key: keys.login.public(),
            sequence: 1,
        };
        SignedBundle::sign(bundle, &keys.identity)
    }

    /// Signs bytes that no honest program would sign, so that only the decoder is left to refuse them.
    fn verify_resigned(bytes: &[u8]) -> Result<SignedBundle, BundleError> {
        SignedBundle::verify(bytes, test_keys::alice().identity.sign(Domain::Bundle, &[bytes]))
    }

    #[test]
    fn a_bundle_round_trips() {
        let signed = signed();
        assert_eq!(SignedBundle::verify(signed.bytes(), *signed.signature()), Ok(signed.clone()));
        assert_eq!(signed.fingerprint(), test_keys::alice().identity.public().fingerprint());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let signed = signed();
        for at in 0..signed.bytes().len() {
            for bit in 0..8 {
                let mut bytes = signed.bytes().to_vec();
                bytes[at] ^= 1 << bit;
                assert!(SignedBundle::verify(&bytes, *signed.signature()).is_err(), "byte {at} bit {bit}");
            }
        }
        for at in 0..Signature::LEN {
            let mut signature = *signed.signature().as_bytes();
            signature[at] ^= 1;
            let verified = SignedBundle::verify(signed.bytes(), Signature::new(signature));
            assert_eq!(verified, Err(BundleError::Signature));
        }
    }

    #[test]
    fn other_encodings_are_refused_even_when_signed() {
        let bytes = signed().bytes().to_vec();
        assert!(verify_resigned(&bytes).is_ok());
        assert_eq!(verify_resigned(&bytes[..bytes.len() - 1]), Err(BundleError::Malformed));
        assert_eq!(verify_resigned(&[&bytes[..], &[0]].concat()), Err(BundleError::Malformed));
        // The sequence 1 in a longer head; an unknown key; a repeated key; an indefinite map; keys out of order.
        let front = &bytes[..bytes.len() - 2];
        assert_eq!(bytes[bytes.len() - 2..], [6, 1]);
        assert_eq!(verify_resigned(&[front, &[6, 0x18, 1]].concat()), Err(BundleError::Malformed));
        assert_eq!(verify_resigned(&[&[0xa8], &bytes[1..], &[7, 1]].concat()), Err(BundleError::Malformed));
        assert_eq!(verify_resigned(&[&[0xa8], &bytes[1..], &[6, 1]].concat()), Err(BundleError::Malformed));
        assert_eq!(verify_resigned(&[&[0xbf], &bytes[1..], &[0xff]].concat()), Err(BundleError::Malformed));
        assert_eq!(verify_resigned(&[&[0xa7, 6, 1], &front[1..]].concat()), Err(BundleError::Malformed));
        // Version 2, version 0.
        assert_eq!(bytes[..3], [0xa7, 0, 1]);
        assert_eq!(verify_resigned(&[&[0xa7, 0, 2], &bytes[3..]].concat()), Err(BundleError::NewerVersion));
        let longer = [&[0xa8, 0, 2], &bytes[3..], &[7, 0]].concat();
        assert_eq!(verify_resigned(&longer), Err(BundleError::NewerVersion));
        assert_eq!(verify_resigned(&[&[0xa7, 0, 0], &bytes[3..]].concat()), Err(BundleError::Malformed));
    }

    #[test]
    fn a_bundle_signed_by_somebody_else_is_refused() {
        let signed = signed();
        let signature = test_keys::bob().identity.sign(Domain::Bundle, &[signed.bytes()]);
        assert_eq!(SignedBundle::verify(signed.bytes(), signature), Err(BundleError::Signature));
        // A signature made for another purpose does not pass either.
        let signature = test_keys::alice().identity.sign(Domain::Content, &[signed.bytes()]);
        assert_eq!(SignedBundle::verify(signed.bytes(), signature), Err(BundleError::Signature));
    }

    #[test]
    fn a_login_in_another_spelling_is_refused() {
        let bytes = signed().bytes().to_vec();
        let at = bytes.windows(5).position(|window| window == b"alice").unwrap();
        let mut upper = bytes.clone();
        upper[at] = b'A';
        assert_eq!(verify_resigned(&upper), Err(BundleError::Malformed));
    }
}
