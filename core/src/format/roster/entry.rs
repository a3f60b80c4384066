//! One signed entry of a roster's log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::SignedBundle;
use crate::cbor::{Keys, Malformed, Reader, Writer, check};
use crate::crypto::{ContentHasher, Domain, Signature, SigningKey, VerifyingKey};
use crate::format::statement::read_verifying_key;
use crate::ids::{FileId, FolderId, StatementHash};

/// Most bytes of one encoded entry: its length precedes it as u16 where it is signed.
pub(crate) const MAX_ENTRY_LEN: usize = 65_535;
/// Most entries that one entry follows.
pub(crate) const MAX_PREV: usize = 64;
/// Hashed before what a manifest's id comes from.
const MANIFEST_LABEL: &[u8] = b"ensafer/v1/manifest-id\0";

/// BLAKE3 of exactly what an entry's signature signs: names the entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryHash(pub(crate) [u8; 32]);

impl EntryHash {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryHash({})", hex::encode(self.0))
    }
}

/// What a member may do. Each may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// 1: reads.
    Reader,
    /// 2: writes files.
    Writer,
    /// 3: changes the roster.
    Admin,
    /// 4: made the folder; cannot be removed.
    Owner,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        })
    }
}

impl Role {
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Reader => 1,
            Self::Writer => 2,
            Self::Admin => 3,
            Self::Owner => 4,
        }
    }

    pub(crate) fn from_number(number: u64) -> Result<Self, Malformed> {
        match number {
            1 => Ok(Self::Reader),
            2 => Ok(Self::Writer),
            3 => Ok(Self::Admin),
            4 => Ok(Self::Owner),
            _ => Err(Malformed),
        }
    }
}

/// How objects lie in the encrypted folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FolderLayout {
    /// 0: all in one directory.
    #[default]
    Flat,
    /// 1: in 256 directories by the first two digits.
    FanOut,
}

/// The manifest of what somebody had written before they were removed, or lost the right to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestName {
    /// Whose statements it lists.
    pub subject: VerifyingKey,
    /// The object.
    pub id: FileId,
    /// Its one version.
    pub statement: StatementHash,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// 1: makes the folder, whose id comes from the signer's key and the nonce. Its signer is the owner.
    Create {
        /// The owner's bundle.
        owner: SignedBundle,
        /// What the folder's id was derived with.
        nonce: [u8; 16],
        /// The first epoch.
        epoch: u32,
        /// The id of its folder key.
        key_id: [u8; 32],
        /// How objects lie.
        layout: FolderLayout,
    },
    /// 2: adds a member, or replaces a member's bundle and role.
    Add {
        /// The member's bundle.
        member: SignedBundle,
        /// What the member may do.
        role: Role,
    },
    /// 3: removes a member.
    Remove {
        /// The member's identity key.
        subject: VerifyingKey,
        /// Statement hash of the manifest of what the member had written by then.
        manifest: Option<StatementHash>,
    },
    /// 4: changes what a member may do.
    Role {
        /// The member's identity key.
        subject: VerifyingKey,
        /// From now on.
        role: Role,
        /// As for a removal, where this takes the right to write.
        manifest: Option<StatementHash>,
    },
    /// 5: starts an epoch with a new folder key.
    Epoch {
        /// One more than the highest before.
        epoch: u32,
        /// The id of its folder key.
        key_id: [u8; 32],
    },
    /// 6: changes how objects lie.
    Layout {
        /// From now on.
        layout: FolderLayout,
    },
}

impl Operation {
    const fn number(&self) -> u64 {
        match self {
            Self::Create { .. } => 1,
            Self::Add { .. } => 2,
            Self::Remove { .. } => 3,
            Self::Role { .. } => 4,
            Self::Epoch { .. } => 5,
            Self::Layout { .. } => 6,
        }
    }

    /// Whom the entry is about.
    pub(crate) fn subject(&self) -> Option<VerifyingKey> {
        match self {
            Self::Create { owner: bundle, .. } | Self::Add { member: bundle, .. } => {
                Some(bundle.bundle().identity)
            }
            Self::Remove { subject, .. } | Self::Role { subject, .. } => Some(*subject),
            Self::Epoch { .. } | Self::Layout { .. } => None,
        }
    }

    /// What the subject may do afterwards; `None` for one that is removed.
    pub(crate) const fn outcome(&self) -> Option<Role> {
        match self {
            Self::Create { .. } => Some(Role::Owner),
            Self::Add { role, .. } | Self::Role { role, .. } => Some(*role),
            Self::Remove { .. } | Self::Epoch { .. } | Self::Layout { .. } => None,
        }
    }

    /// The epoch that begins here, and its key's id.
    pub(crate) const fn epoch(&self) -> Option<(u32, [u8; 32])> {
        match self {
            Self::Create { epoch, key_id, .. } | Self::Epoch { epoch, key_id } => Some((*epoch, *key_id)),
            _ => None,
        }
    }
}

/// An entry's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The folder.
    pub folder: FolderId,
    /// One more than the highest of the entries before; 0 for the creating one.
    pub seq: u64,
    /// The newest entries that the signer knew, ascending. Only the creating entry has none.
    pub prev: Vec<EntryHash>,
    /// What it does.
    pub operation: Operation,
    /// Who signs.
    pub signer: VerifyingKey,
}

/// An entry whose signature holds; whether its signer was entitled to it is the fold's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    /// Its fields.
    pub entry: Entry,
    /// Its name.
    pub hash: EntryHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Signature,
}

impl SignedEntry {
    /// Encodes and signs.
    pub(crate) fn sign(entry: Entry, signer: &SigningKey) -> Result<Self, Malformed> {
        check(entry.signer == signer.public())?;
        let bytes = entry.encode();
        check(bytes.len() <= MAX_ENTRY_LEN)?;
        let len = entry_len(&bytes);
        let signature = signer.sign(Domain::RosterEntry, &[&len, &bytes]);
        let hash = entry_hash(&len, &bytes);
        Ok(Self { entry, hash, bytes, signature })
    }

    /// Decodes, and checks the signature.
    pub(crate) fn verify(bytes: &[u8], signature: Signature) -> Result<Self, Malformed> {
        check(bytes.len() <= MAX_ENTRY_LEN)?;
        let entry = Entry::decode(bytes)?;
        let len = entry_len(bytes);
        entry.signer.verify(Domain::RosterEntry, &[&len, bytes], &signature).map_err(|_| Malformed)?;
        Ok(Self { entry, hash: entry_hash(&len, bytes), bytes: bytes.to_vec(), signature })
    }

    /// The order of a log: causes before effects, the same on every device.
    pub(crate) fn position(&self) -> (u64, EntryHash) {
        (self.entry.seq, self.hash)
    }
}

/// The id of the manifest that an entry after `prev` names for `subject`: BLAKE3 of a label and the three, its first 16
/// bytes. So whoever has the entry finds the manifest.
pub(crate) fn manifest_id(folder: FolderId, subject: &VerifyingKey, prev: &[EntryHash]) -> FileId {
    let mut hasher = ContentHasher::new();
    hasher.update(MANIFEST_LABEL);
    hasher.update(folder.as_bytes());
    hasher.update(subject.as_bytes());
    for prev in prev {
        hasher.update(prev.as_bytes());
    }
    let digest = hasher.finish();
    let (id, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
    FileId::new(*id)
}

fn entry_len(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).expect("longer entries are refused before they come here").to_be_bytes()
}

fn entry_hash(len: &[u8; 2], bytes: &[u8]) -> EntryHash {
    let mut hasher = ContentHasher::new();
    hasher.update(Domain::RosterEntry.label());
    hasher.update(len);
    hasher.update(bytes);
    EntryHash(*hasher.finish().as_bytes())
}

impl Entry {
    /// The manifest that it names.
    pub(crate) fn manifest(&self) -> Option<ManifestName> {
        match &self.operation {
            Operation::Remove { subject, manifest: Some(statement) }
            | Operation::Role { subject, manifest: Some(statement), .. } => Some(ManifestName {
                subject: *subject,
                id: manifest_id(self.folder, subject, &self.prev),
                statement: *statement,
            }),
            _ => None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let own_fields = match &self.operation {
            Operation::Create { .. } => 5,
            Operation::Add { .. } | Operation::Epoch { .. } => 2,
            Operation::Remove { manifest, .. } => 1 + usize::from(manifest.is_some()),
            Operation::Role { manifest, .. } => 2 + usize::from(manifest.is_some()),
            Operation::Layout { .. } => 1,
        };
        w.map(5 + own_fields);
        w.uint(1).bytes(self.folder.as_bytes());
        w.uint(2).uint(self.seq);
        w.uint(3).array(self.prev.len());
        for prev in &self.prev {
            w.bytes(prev.as_bytes());
        }
        w.uint(4).uint(self.operation.number());
        match &self.operation {
            Operation::Create { owner: bundle, .. } | Operation::Add { member: bundle, .. } => {
                w.uint(5).array(2).bytes(bundle.bytes()).bytes(bundle.signature().as_bytes());
            }
            Operation::Remove { subject, .. } | Operation::Role { subject, .. } => {
                w.uint(6).bytes(subject.as_bytes());
            }
            Operation::Epoch { .. } | Operation::Layout { .. } => {}
        }
        if let Operation::Add { role, .. } | Operation::Role { role, .. } = &self.operation {
            w.uint(7).uint(role.number());
        }
        if let Some((epoch, key_id)) = self.operation.epoch() {
            w.uint(8).uint(u64::from(epoch)).uint(9).bytes(&key_id);
        }
        w.uint(10).bytes(self.signer.as_bytes());
        if let Operation::Create { nonce, .. } = &self.operation {
            w.uint(11).bytes(nonce);
        }
        if let Operation::Create { layout, .. } | Operation::Layout { layout } = &self.operation {
            w.uint(12).uint(u64::from(*layout == FolderLayout::FanOut));
        }
        if let Operation::Remove { manifest: Some(manifest), .. }
        | Operation::Role { manifest: Some(manifest), .. } = &self.operation
        {
            w.uint(13).bytes(manifest.as_bytes());
        }
        w.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let mut keys = Keys::open(r, 13)?;
        let folder = FolderId::new(keys.required(r, 1, Reader::array_of)?);
        let seq = keys.required(r, 2, Reader::uint)?;
        let prev = keys.required(r, 3, read_prev)?;
        let number = keys.required(r, 4, Reader::uint)?;
        let bundle = keys.optional(r, 5, read_bundle)?;
        let subject = keys.optional(r, 6, read_verifying_key)?;
        let role = keys.optional(r, 7, |r| Role::from_number(r.uint()?))?;
        let epoch = keys.optional(r, 8, Reader::u32)?;
        let key_id = keys.optional(r, 9, Reader::array_of)?;
        let signer = keys.required(r, 10, read_verifying_key)?;
        let nonce = keys.optional(r, 11, Reader::array_of)?;
        let layout = keys.optional(r, 12, read_layout)?;
        let manifest = keys.optional(r, 13, Reader::array_of)?.map(StatementHash::new);
        keys.end()?;
        reader.end()?;
        let operation = match (number, bundle, subject, role, epoch, key_id, nonce, layout, manifest) {
            (1, Some(owner), None, None, Some(epoch), Some(key_id), Some(nonce), Some(layout), None) => {
                Operation::Create { owner, nonce, epoch, key_id, layout }
            }
            (2, Some(member), None, Some(role), None, None, None, None, None) => {
                Operation::Add { member, role }
            }
            (3, None, Some(subject), None, None, None, None, None, manifest) => {
                Operation::Remove { subject, manifest }
            }
            (4, None, Some(subject), Some(role), None, None, None, None, manifest) => {
                Operation::Role { subject, role, manifest }
            }
            (5, None, None, None, Some(epoch), Some(key_id), None, None, None) => {
                Operation::Epoch { epoch, key_id }
            }
            (6, None, None, None, None, None, None, Some(layout), None) => Operation::Layout { layout },
            _ => return Err(Malformed),
        };
        Ok(Self { folder, seq, prev, operation, signer })
    }
}

fn read_prev(r: &mut Reader<'_>) -> Result<Vec<EntryHash>, Malformed> {
    let count = r.array(MAX_PREV as u64)?;
    let prev = (0..count).map(|_| Ok(EntryHash(r.array_of()?))).collect::<Result<Vec<_>, Malformed>>()?;
    check(prev.is_sorted_by(|a, b| a < b))?;
    Ok(prev)
}

fn read_bundle(r: &mut Reader<'_>) -> Result<SignedBundle, Malformed> {
    r.tuple(2)?;
    let bytes = r.bytes(MAX_ENTRY_LEN)?;
    SignedBundle::verify(bytes, Signature::new(r.array_of()?)).map_err(|_| Malformed)
}

fn read_layout(r: &mut Reader<'_>) -> Result<FolderLayout, Malformed> {
    match r.uint()? {
        0 => Ok(FolderLayout::Flat),
        1 => Ok(FolderLayout::FanOut),
        _ => Err(Malformed),
    }
}
