//! The access list: which recipients a file has beyond its folder's members, signed by the owner or an admin.

use super::access::{Access, Envelope, EnvelopeType, file_hint};
use super::prefix::{Prefix, SUITE, VERSION};
use super::statement::read_verifying_key;
use crate::cbor::{Keys, Malformed, Reader, Writer, check};
use crate::crypto::{Domain, EnvelopePublicKey, Signature, SigningKey, VerifyingKey};

/// Most recipients of one list; an encoded list has fewer than 65,536 bytes.
const MAX_RECIPIENTS: u64 = 1024;
/// Most bytes of an encoded list.
pub(crate) const MAX_ACCESS_LIST_LEN: usize = 65_535;

/// Somebody who may open this one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// User, group or code.
    pub kind: EnvelopeType,
    /// SHA-256 of a user's or group's SubjectPublicKeyInfo; a code's id, padded with zeros.
    pub id: [u8; 32],
}

impl Recipient {
    /// An account, by its envelope key.
    #[must_use]
    pub fn user(key: &EnvelopePublicKey) -> Self {
        Self { kind: EnvelopeType::USER, id: key.spki_hash() }
    }

    /// Whether `envelope` is this recipient's, by type and hint.
    fn is_of(&self, prefix: &Prefix, envelope: &Envelope<'_>) -> bool {
        let hint = match self.kind {
            EnvelopeType::USER | EnvelopeType::GROUP => file_hint(prefix.file_id, prefix.key_epoch, &self.id),
            _ => *self.id.first_chunk().expect("an id has 32 bytes"),
        };
        self.kind == envelope.kind && hint == envelope.hint
    }
}

/// The list, as it was signed. Whether `signer` is the owner or an admin is for the roster to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    /// Counts the changes of the list.
    pub access_seq: u64,
    /// Ascending, each once.
    pub recipients: Vec<Recipient>,
    /// Who signed it.
    pub signer: VerifyingKey,
}

impl AccessList {
    /// Signs the list for the file and key epoch of `prefix`.
    pub(crate) fn sign(
        &self,
        prefix: &Prefix,
        signer: &SigningKey,
    ) -> Result<(Vec<u8>, Signature), Malformed> {
        check(self.signer == signer.public())?;
        let bytes = self.encode()?;
        let signature = signer.sign(Domain::Access, &message(prefix, &bytes).each_ref().map(Vec::as_slice));
        Ok((bytes, signature))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        check(self.recipients.is_sorted_by(|a, b| a < b))?;
        let mut w = Writer::new();
        w.map(3).uint(1).uint(self.access_seq);
        w.uint(2).array(self.recipients.len());
        for recipient in &self.recipients {
            w.array(2).uint(u64::from(recipient.kind.0)).bytes(&recipient.id);
        }
        w.uint(3).bytes(self.signer.as_bytes());
        let bytes = w.into_bytes();
        check(bytes.len() <= MAX_ACCESS_LIST_LEN && self.recipients.len() as u64 <= MAX_RECIPIENTS)?;
        Ok(bytes)
    }

    /// Checks the signature and decodes the list.
    pub(crate) fn verify(prefix: &Prefix, bytes: &[u8], signature: &Signature) -> Result<Self, Malformed> {
        check(bytes.len() <= MAX_ACCESS_LIST_LEN)?;
        let list = Self::decode(bytes)?;
        let message = message(prefix, bytes);
        list.signer
            .verify(Domain::Access, &message.each_ref().map(Vec::as_slice), signature)
            .map_err(|_| Malformed)?;
        Ok(list)
    }

    /// Whether `envelope` is a listed recipient's, by its hint.
    pub(crate) fn lists(&self, prefix: &Prefix, envelope: &Envelope<'_>) -> bool {
        self.recipients.iter().any(|recipient| recipient.is_of(prefix, envelope))
    }

    /// How many of the recipients have no envelope any more: somebody took theirs out.
    pub(crate) fn count_missing(&self, prefix: &Prefix, access: &Access) -> usize {
        let has_envelope = |recipient: &&Recipient| access.envelopes().any(|e| recipient.is_of(prefix, &e));
        self.recipients.len() - self.recipients.iter().filter(has_envelope).count()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let mut keys = Keys::open(r, 3)?;
        let access_seq = keys.required(r, 1, Reader::uint)?;
        let recipients = keys.required(r, 2, read_recipients)?;
        let signer = keys.required(r, 3, read_verifying_key)?;
        keys.end()?;
        reader.end()?;
        Ok(Self { access_seq, recipients, signer })
    }
}

fn read_recipients(r: &mut Reader<'_>) -> Result<Vec<Recipient>, Malformed> {
    let mut recipients = Vec::new();
    for _ in 0..r.array(MAX_RECIPIENTS)? {
        r.tuple(2)?;
        let kind = EnvelopeType(u8::try_from(r.uint()?).map_err(|_| Malformed)?);
        check(matches!(kind, EnvelopeType::USER | EnvelopeType::GROUP | EnvelopeType::CODE))?;
        recipients.push(Recipient { kind, id: r.array_of()? });
    }
    check(recipients.is_sorted_by(|a, b| a < b))?;
    Ok(recipients)
}

/// version ‖ suite ‖ file_id ‖ key_epoch, then the list with its length.
fn message(prefix: &Prefix, list: &[u8]) -> [Vec<u8>; 2] {
    let mut scope = Vec::with_capacity(26);
    scope.extend_from_slice(&VERSION.to_be_bytes());
    scope.extend_from_slice(&SUITE.to_be_bytes());
    scope.extend_from_slice(prefix.file_id.as_bytes());
    scope.extend_from_slice(&prefix.key_epoch.to_be_bytes());
    let len = u16::try_from(list.len()).expect("longer lists are refused before they come here");
    scope.extend_from_slice(&len.to_be_bytes());
    [scope, list.to_vec()]
}
