//! The bytes of a sealed account: the local account file and `account.ensafer-keys`.
//!
//! `magic 8 ‖ version u16 ‖` a deterministic CBOR map: 0 bundle, 1 its signature, 2 version and 3 bytes of the sealed
//! private keys; password seal: 4 version, 5 login, 6 realm, 7 nonce, 8 iterations, 9 bytes; recovery seal: 10 id,
//! 11 bytes, 12 the sealed recovery key; state: 13 version (0: none), 14 bytes or null.

use super::blob::{PasswordSeal, RecoverySeal, SealedAccount, SealedKeys, SealedState};
use super::bundle::{BundleError, SignedBundle, canonical_login};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{PasswordParameters, Signature};

/// Not text, and damaged visibly by whoever changes line ends.
const MAGIC: [u8; 8] = *b"\x89ENA\r\n\x1a\n";
const VERSION: u16 = 1;
/// An account has a few KiB; its state some more for each folder and pin.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The bytes are no sealed account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseAccountError {
    /// They do not begin like one.
    #[error("not an Ensafer account")]
    NotAnAccount,
    /// Written by a newer version of Ensafer.
    #[error("the account was written by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
    /// They begin like one and are damaged.
    #[error("the account is damaged")]
    Damaged,
}

impl From<Malformed> for ParseAccountError {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

impl From<BundleError> for ParseAccountError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::NewerVersion => Self::NewerVersion,
            BundleError::Malformed | BundleError::Signature => Self::Damaged,
        }
    }
}

impl SealedAccount {
    /// The account's one encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &VERSION.to_be_bytes(), &self.encode().into_bytes()].concat()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, checking the bundle's signature. Nothing sealed is opened yet.
    ///
    /// # Errors
    /// [`ParseAccountError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseAccountError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ParseAccountError::NotAnAccount)?;
        let (version, rest) = rest.split_first_chunk().ok_or(ParseAccountError::Damaged)?;
        match u16::from_be_bytes(*version) {
            VERSION if rest.len() <= MAX_BYTES => Self::decode(rest),
            0 | VERSION => Err(ParseAccountError::Damaged),
            _ => Err(ParseAccountError::NewerVersion),
        }
    }

    fn encode(&self) -> Writer {
        let (password, recovery) = (&self.password, &self.recovery);
        let parameters = &password.parameters;
        let mut out = Writer::new();
        out.map(15).key(0).bytes(self.bundle.bytes()).key(1).bytes(self.bundle.signature().as_bytes());
        out.key(2).uint(self.blob.version.into()).key(3).bytes(&self.blob.sealed);
        out.key(4).uint(password.version.into());
        out.key(5).text(parameters.login.as_str()).key(6).text(&parameters.realm);
        out.key(7).bytes(&parameters.nonce).key(8).uint(parameters.iterations.into());
        out.key(9).bytes(&password.sealed);
        out.key(10).bytes(&recovery.id).key(11).bytes(&recovery.sealed).key(12).bytes(&recovery.copy);
        out.key(13).uint(self.state_version()).key(14);
        match &self.state {
            Some(state) => out.bytes(&state.sealed),
            None => out.null(),
        };
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, ParseAccountError> {
        let mut reader = Reader::new(bytes);
        reader.whole_map(15)?;
        let bundle = reader.key(0)?.bytes(MAX_BYTES)?;
        let account = Self {
            bundle: SignedBundle::verify(bundle, Signature::new(reader.key(1)?.array_of()?))?,
            blob: SealedKeys {
                version: reader.key(2)?.u32()?,
                sealed: reader.key(3)?.bytes(MAX_BYTES)?.to_vec(),
            },
            password: PasswordSeal {
                version: reader.key(4)?.u32()?,
                parameters: PasswordParameters {
                    login: canonical_login(reader.key(5)?.text(MAX_BYTES)?)?,
                    realm: reader.key(6)?.text(MAX_BYTES)?.to_owned(),
                    nonce: reader.key(7)?.array_of()?,
                    iterations: reader.key(8)?.u32()?,
                },
                sealed: reader.key(9)?.array_of()?,
            },
            recovery: RecoverySeal {
                id: reader.key(10)?.array_of()?,
                sealed: reader.key(11)?.array_of()?,
                copy: reader.key(12)?.bytes(MAX_BYTES)?.to_vec(),
            },
            state: decode_state(&mut reader)?,
        };
        reader.end()?;
        Ok(account)
    }
}

fn decode_state(reader: &mut Reader<'_>) -> Result<Option<SealedState>, Malformed> {
    let version = reader.key(13)?.uint()?;
    let sealed = reader.key(14)?.optional(|reader| Ok(reader.bytes(MAX_BYTES)?.to_vec()))?;
    check((version == 0) == sealed.is_none())?;
    Ok(sealed.map(|sealed| SealedState { version, sealed }))
}
