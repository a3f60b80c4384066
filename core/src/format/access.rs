//! ACCESS: the envelopes, each of which lets somebody reach the file key (or, in a roster, the folder key).

use crate::cbor::{Malformed, check};
use crate::crypto::{ENVELOPE_BYTES, FolderKeyName, SEALED_KEY_BYTES, sha256};
use crate::ids::{FileId, FolderId, InvitationId};

/// Most envelopes of one file.
pub const MAX_ENVELOPES: usize = 1024;
/// Bytes of an envelope before its body.
const HEAD_LEN: usize = 12;

/// Whom an envelope is for. Every number is carried; those without a name here are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeType(pub u8);

impl EnvelopeType {
    /// The file key for an account's RSA key.
    pub const USER: Self = Self(1);
    /// The file key for a group's RSA key.
    pub const GROUP: Self = Self(2);
    /// The file key under a key derived from an access code.
    pub const CODE: Self = Self(3);
    /// The file key under a folder key.
    pub const FOLDER: Self = Self(5);
    /// A folder key for a member's RSA key.
    pub const MEMBER: Self = Self(6);
    /// A folder key under an invitation's key; in rosters only.
    pub const INVITE: Self = Self(7);
    /// A group's key for a member's RSA key; in a group's roster only.
    pub const GROUP_MEMBER: Self = Self(8);
    /// Nothing: hides how many recipients there are.
    pub const DUMMY: Self = Self(0x7F);

    /// Whether an ordinary file carries it without being told to by an access list.
    pub(crate) const fn is_of_folder(self) -> bool {
        matches!(self, Self::FOLDER | Self::MEMBER)
    }
}

/// One envelope, as it lies in ACCESS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Whom it is for.
    pub kind: EnvelopeType,
    /// Zero in version 1. An envelope with others is carried and not opened.
    pub flags: u8,
    /// Lets a recipient find its own among many.
    pub hint: [u8; 8],
    /// What is sealed, at most 65,535 bytes.
    pub body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// For types 5, 6, 7 and 8: the folder key, or group's key, that the body begins with the name of, and the sealed part after it.
    #[must_use]
    pub fn folder_key(&self) -> Option<(FolderKeyName, &'a [u8])> {
        let has_name = matches!(
            self.kind,
            EnvelopeType::FOLDER | EnvelopeType::MEMBER | EnvelopeType::INVITE | EnvelopeType::GROUP_MEMBER
        );
        if !has_name {
            return None;
        }
        let (name, sealed) = self.body.split_first_chunk()?;
        Some((FolderKeyName::from_bytes(name), sealed))
    }

    /// Appends the envelope as it lies in ACCESS.
    ///
    /// # Panics
    /// Where the body has more than 65,535 bytes; parsed ones never do.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let len = u16::try_from(self.body.len())
            .expect("bodies are made by this crate, or parsed from a u16 length");
        out.extend_from_slice(&[self.kind.0, self.flags]);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&self.hint);
        out.extend_from_slice(self.body);
    }

    fn has_right_size(&self) -> bool {
        match self.kind {
            EnvelopeType::USER | EnvelopeType::GROUP => self.body.len() == ENVELOPE_BYTES,
            EnvelopeType::FOLDER => self.body.len() == FolderKeyName::LEN + SEALED_KEY_BYTES,
            EnvelopeType::MEMBER | EnvelopeType::GROUP_MEMBER => {
                self.body.len() == FolderKeyName::LEN + ENVELOPE_BYTES
            }
            EnvelopeType::INVITE => self.body.len() == FolderKeyName::LEN + SEALED_KEY_BYTES,
            _ => true,
        }
    }
}

/// ACCESS, parsed: its bytes as received and where each envelope lies in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
}

impl Default for Access {
    /// Without envelopes.
    fn default() -> Self {
        Self { bytes: vec![0; 2], offsets: Vec::new() }
    }
}

impl Access {
    /// Parses the whole of `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] for more than [`MAX_ENVELOPES`], bodies that reach past the end or have not their type's size,
    /// or bytes left over.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (count, mut rest) = bytes.split_first_chunk::<2>().ok_or(Malformed)?;
        let count = usize::from(u16::from_be_bytes(*count));
        check(count <= MAX_ENVELOPES)?;
        check(rest.len() >= count * HEAD_LEN)?;
        let mut offsets = Vec::with_capacity(count);
        for _ in 0..count {
            offsets.push(u32::try_from(bytes.len() - rest.len()).map_err(|_| Malformed)?);
            let (envelope, after) = split_envelope(rest).ok_or(Malformed)?;
            check(envelope.has_right_size())?;
            rest = after;
        }
        check(rest.is_empty())?;
        Ok(Self { bytes: bytes.to_vec(), offsets })
    }

    /// ACCESS with these envelopes.
    ///
    /// # Errors
    /// [`Malformed`] where there are more than [`MAX_ENVELOPES`].
    pub fn build<'a>(envelopes: impl IntoIterator<Item = Envelope<'a>>) -> Result<Self, Malformed> {
        let mut access = Self::default();
        for envelope in envelopes {
            access.offsets.push(u32::try_from(access.bytes.len()).map_err(|_| Malformed)?);
            check(access.offsets.len() <= MAX_ENVELOPES && envelope.has_right_size())?;
            envelope.write(&mut access.bytes);
        }
        let count = u16::try_from(access.offsets.len()).map_err(|_| Malformed)?;
        access.bytes[..2].copy_from_slice(&count.to_be_bytes());
        Ok(access)
    }

    /// The bytes, as received or as built.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The envelopes, in order.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope<'_>> {
        self.offsets
            .iter()
            .filter_map(|&at| split_envelope(&self.bytes[at as usize..]))
            .map(|(envelope, _)| envelope)
    }

    /// The envelopes that version 1 understands, of one type.
    pub(crate) fn of(&self, kind: EnvelopeType) -> impl Iterator<Item = Envelope<'_>> {
        self.envelopes().filter(move |e| e.kind == kind && e.flags == 0)
    }

    /// The types of those envelopes that a file without an access list has no business to carry. They are reported,
    /// and dropped when the header is next written.
    pub fn unlisted(&self) -> impl Iterator<Item = EnvelopeType> {
        self.envelopes().map(|e| e.kind).filter(|kind| !kind.is_of_folder())
    }

    /// The envelopes that `keep` keeps.
    pub(crate) fn retain(&self, keep: impl Fn(&Envelope<'_>) -> bool) -> Self {
        Self::build(self.envelopes().filter(keep))
            .expect("a part of what was parsed fits where the whole did")
    }
}

/// The hint by which a recipient of types 1 and 2 finds its envelope in this file.
pub(crate) fn file_hint(file: FileId, key_epoch: u32, spki_hash: &[u8; 32]) -> [u8; 8] {
    hint(&[file.as_bytes(), &key_epoch.to_be_bytes(), spki_hash])
}

/// The hint by which a member finds its envelope (types 6 and 8) for this epoch of the folder or group.
pub(crate) fn folder_hint(folder: FolderId, folder_epoch: u32, spki_hash: &[u8; 32]) -> [u8; 8] {
    hint(&[folder.as_bytes(), &folder_epoch.to_be_bytes(), spki_hash])
}

/// The hint by which a guest finds the envelope of an invitation (type 7): the start of its id.
pub(crate) fn invitation_hint(id: InvitationId) -> [u8; 8] {
    *id.as_bytes().first_chunk().expect("an id has 16 bytes")
}

fn hint([scope_id, scope_epoch, spki_hash]: &[&[u8]; 3]) -> [u8; 8] {
    let hash = sha256(&[b"ensafer/v1/hint\0", scope_id, scope_epoch, spki_hash]);
    *hash.first_chunk().expect("SHA-256 has 32 bytes")
}

fn split_envelope(bytes: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let (&[kind, flags], rest) = bytes.split_first_chunk::<2>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (hint, rest) = rest.split_first_chunk::<8>()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    Some((Envelope { kind: EnvelopeType(kind), flags, hint: *hint, body }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(kind: u8, body: &[u8]) -> Envelope<'_> {
        Envelope { kind: EnvelopeType(kind), flags: 0, hint: [kind; 8], body }
    }

    #[test]
    fn every_type_is_carried() {
        let bodies = [
            (1, 384),
            (2, 384),
            (3, 0),
            (4, 77),
            (5, 156),
            (6, 436),
            (7, 156),
            (8, 436),
            (0x7F, 65_535),
            (200, 1),
        ];
        let bodies: Vec<_> = bodies.into_iter().map(|(kind, len)| (kind, vec![kind; len])).collect();
        let built = Access::build(bodies.iter().map(|(kind, body)| envelope(*kind, body))).unwrap();
        let parsed = Access::parse(built.as_bytes()).unwrap();
        assert_eq!(parsed, built);
        assert!(parsed.envelopes().map(|e| (e.kind.0, e.body)).eq(bodies.iter().map(|(k, b)| (*k, &b[..]))));
        assert_eq!(parsed.unlisted().map(|kind| kind.0).collect::<Vec<_>>(), [1, 2, 3, 4, 7, 8, 0x7F, 200]);
        assert!(parsed.retain(|e| e.kind.is_of_folder()).envelopes().map(|e| e.kind.0).eq([5, 6]));
        let (key, sealed) = parsed.envelopes().nth(4).unwrap().folder_key().unwrap();
        assert_eq!((key.epoch, sealed.len()), (0x0505_0505, SEALED_KEY_BYTES));
    }

    #[test]
    fn hostile_counts_and_lengths_are_refused() {
        let whole = Access::build([envelope(3, &[1; 40]), envelope(0x7F, &[2; 9])]).unwrap();
        let whole = whole.as_bytes();
        for len in 0..whole.len() {
            assert_eq!(Access::parse(&whole[..len]), Err(Malformed), "{len}");
        }
        assert_eq!(Access::parse(&[whole, &[0]].concat()), Err(Malformed), "left over");
        assert_eq!(Access::parse(&[0xFF; 1 << 16]), Err(Malformed), "count");
        for (kind, len) in [(1, 383), (2, 385), (5, 155), (6, 437), (7, 0), (8, 435)] {
            let mut bytes = vec![0, 1];
            envelope(kind, &vec![0; len]).write(&mut bytes);
            assert_eq!(Access::parse(&bytes), Err(Malformed), "type {kind}");
        }
        let many = std::iter::repeat_n(envelope(9, &[]), MAX_ENVELOPES + 1);
        assert_eq!(Access::build(many), Err(Malformed));
    }

    proptest! {
        #[test]
        fn whatever_parses_is_kept_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(access) = Access::parse(&bytes) {
                prop_assert_eq!(access.as_bytes(), &bytes[..]);
                prop_assert_eq!(Access::build(access.envelopes()).unwrap(), access);
            }
        }
    }
}
