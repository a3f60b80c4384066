//! One signed entry of a roster's log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::SignedBundle;
use crate::cbor::{Malformed, check};
use crate::crypto::{ContentHasher, Domain, EnvelopePublicKey, Signature, SigningKey, VerifyingKey};
use crate::ids::{FileId, FolderId, GroupId, StatementHash};

/// Most bytes of one encoded entry: its length precedes it as u16 where it is signed.
pub(crate) const MAX_ENTRY_LEN: usize = 65_535;
/// Most entries that one entry follows, or names of a group's log.
pub(crate) const MAX_PREV: usize = 64;
/// Hashed before what a manifest's id comes from.
const MANIFEST_LABEL: &[u8] = b"ensafer/v1/manifest-id\0";

/// BLAKE3 of exactly what an entry's signature signs: names the entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryHash(pub(crate) [u8; 32]);

impl EntryHash {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

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

/// What a member may do. Each may do all that those before it may. In a group there are no writers: what its members may
/// write, the folders say that list it.
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

/// What a log is of, and how a folder's objects lie in the encrypted folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FolderLayout {
    /// 0: all in one directory.
    #[default]
    Flat,
    /// 1: in 256 directories by the first two digits.
    FanOut,
    /// 2: the log is not a folder's, but a group's. Said when it is made, and never changed.
    Group,
}

impl FolderLayout {
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Flat => 0,
            Self::FanOut => 1,
            Self::Group => 2,
        }
    }
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

/// What somebody had written whose right to write ends with a group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Who.
    pub subject: VerifyingKey,
    /// Statement hash of the manifest of what they had written by then.
    pub manifest: StatementHash,
}

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum About {
    Person(VerifyingKey),
    Group(GroupId),
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// 1: makes the folder or the group, whose id comes from the signer's key and the nonce. Its signer is the owner.
    Create {
        /// The owner's bundle.
        owner: SignedBundle,
        /// What the folder's id was derived with.
        nonce: [u8; 16],
        /// The first epoch.
        epoch: u32,
        /// The id of its folder key.
        key_id: [u8; 32],
        /// How objects lie, or that it is a group.
        layout: FolderLayout,
        /// The first epoch's common public key, of a group.
        public: Option<EnvelopePublicKey>,
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
        /// Its common public key, of a group.
        public: Option<EnvelopePublicKey>,
    },
    /// 6: changes how objects lie.
    Layout {
        /// From now on.
        layout: FolderLayout,
    },
    /// 7: shares the folder with a group, changes what its members may do, or says how far its log has come.
    Group {
        /// The group.
        group: GroupId,
        /// Reader or writer: what its members may do.
        role: Role,
        /// The newest entries of its log, ascending: whoever reads the roster without them is shown an older group.
        heads: Vec<EntryHash>,
        /// What those had written who have lost the right to write with the group's news, by identity key.
        written: Vec<Written>,
    },
    /// 8: takes the folder away from a group.
    Ungroup {
        /// The group.
        group: GroupId,
        /// What its members had written, by identity key.
        written: Vec<Written>,
    },
}

impl Operation {
    pub(super) const fn number(&self) -> u64 {
        match self {
            Self::Create { .. } => 1,
            Self::Add { .. } => 2,
            Self::Remove { .. } => 3,
            Self::Role { .. } => 4,
            Self::Epoch { .. } => 5,
            Self::Layout { .. } => 6,
            Self::Group { .. } => 7,
            Self::Ungroup { .. } => 8,
        }
    }

    /// Whom the entry is about.
    pub(crate) fn about(&self) -> Option<About> {
        match self {
            Self::Create { owner: bundle, .. } | Self::Add { member: bundle, .. } => {
                Some(About::Person(bundle.bundle().identity))
            }
            Self::Remove { subject, .. } | Self::Role { subject, .. } => Some(About::Person(*subject)),
            Self::Group { group, .. } | Self::Ungroup { group, .. } => Some(About::Group(*group)),
            Self::Epoch { .. } | Self::Layout { .. } => None,
        }
    }

    /// What the subject may do afterwards; `None` for one that is removed.
    pub(crate) const fn outcome(&self) -> Option<Role> {
        match self {
            Self::Create { .. } => Some(Role::Owner),
            Self::Add { role, .. } | Self::Role { role, .. } | Self::Group { role, .. } => Some(*role),
            Self::Remove { .. } | Self::Ungroup { .. } | Self::Epoch { .. } | Self::Layout { .. } => None,
        }
    }

    /// The epoch that begins here, and its key's id.
    pub(crate) const fn epoch(&self) -> Option<(u32, [u8; 32])> {
        match self {
            Self::Create { epoch, key_id, .. } | Self::Epoch { epoch, key_id, .. } => Some((*epoch, *key_id)),
            _ => None,
        }
    }

    /// The common public key of the epoch that begins here, in a group.
    pub(crate) const fn public(&self) -> Option<&EnvelopePublicKey> {
        match self {
            Self::Create { public, .. } | Self::Epoch { public, .. } => public.as_ref(),
            _ => None,
        }
    }

    /// Whether it may stand in the log of a group, or of a folder: a group has a public key in each epoch and neither
    /// writers, manifests, a layout of files, nor groups.
    pub(crate) fn is_of(&self, is_group: bool) -> bool {
        match self {
            Self::Create { layout, public, .. } => {
                (*layout == FolderLayout::Group) == is_group && public.is_some() == is_group
            }
            Self::Epoch { public, .. } => public.is_some() == is_group,
            Self::Add { role, .. } => !is_group || *role != Role::Writer,
            Self::Role { role, manifest, .. } => !is_group || (*role != Role::Writer && manifest.is_none()),
            Self::Remove { manifest, .. } => !is_group || manifest.is_none(),
            Self::Layout { layout } => !is_group && *layout != FolderLayout::Group,
            Self::Group { role, heads, .. } => !is_group && *role < Role::Admin && !heads.is_empty(),
            Self::Ungroup { .. } => !is_group,
        }
    }

    /// What it says that people had written: each manifest's subject and statement.
    fn written(&self) -> Vec<Written> {
        match self {
            Self::Remove { subject, manifest: Some(manifest) }
            | Self::Role { subject, manifest: Some(manifest), .. } => {
                vec![Written { subject: *subject, manifest: *manifest }]
            }
            Self::Group { written, .. } | Self::Ungroup { written, .. } => written.clone(),
            _ => Vec::new(),
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
    /// Whether by it its signer leaves.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(&self.entry.operation, Operation::Remove { subject, .. } if *subject == self.entry.signer)
    }

    /// Encodes and signs.
    pub(crate) fn sign(entry: Entry, signer: &SigningKey) -> Result<Self, Malformed> {
        check(entry.signer == signer.public())?;
        let bytes = entry.encode();
        // Nothing is signed that others would refuse: a field out of bounds or out of order.
        check(bytes.len() <= MAX_ENTRY_LEN && Entry::decode(&bytes)? == entry)?;
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
    /// The manifests that it names.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = ManifestName> {
        self.operation.written().into_iter().map(|Written { subject, manifest }| ManifestName {
            subject,
            id: manifest_id(self.folder, &subject, &self.prev),
            statement: manifest,
        })
    }
}
