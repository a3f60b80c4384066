//! The statement: what a writer says, and signs, about one version of one object.

use std::sync::Arc;

use super::alone;
use super::padding::padme;
use crate::cbor::{Keys, Malformed, Reader, Writer, check};
use crate::clock::{Clock, Dot};
use crate::crypto::{Signature, VerifyingKey, cobblestone::HEAD_BYTES};
use crate::ids::{DeviceId, Digest, FileId, Fingerprint, FolderId, StatementHash};
use crate::time::Timestamp;
use crate::tree::{Content, Kind, Name, Object};

/// Most bytes of an encoded statement: its length precedes it as u16 where it is signed.
pub const MAX_STATEMENT_LEN: usize = 65_535;
/// Most bytes of plaintext of one file: 64 TiB.
pub const MAX_SIZE: u64 = 1 << 46;
/// Most devices in a clock.
pub const MAX_CLOCK_ENTRIES: u64 = 1024;
/// Most bytes of a device's name.
pub const MAX_DEVICE_NAME_LEN: usize = 64;
/// Most bytes of a symbolic link's target.
pub const MAX_TARGET_LEN: usize = 4096;
/// Most bytes of a description.
pub const MAX_DESCRIPTION_LEN: usize = 4096;

/// What an object is, as statements number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// 0: a regular file.
    File,
    /// 1: a directory.
    Directory,
    /// 2: a symbolic link.
    Symlink,
    /// 3: a deleted object, and what it was.
    Tombstone(Kind),
    /// 4: a folder's roster.
    Roster,
    /// 5: a device's list of what it has seen.
    Manifest,
}

impl ObjectKind {
    /// Whether the payload holds something, of which size and digest are said.
    #[must_use]
    pub const fn has_payload(self) -> bool {
        matches!(self, Self::File | Self::Roster | Self::Manifest)
    }

    const fn number(self) -> u64 {
        match self {
            Self::File => 0,
            Self::Directory => 1,
            Self::Symlink => 2,
            Self::Tombstone(_) => 3,
            Self::Roster => 4,
            Self::Manifest => 5,
        }
    }
}

const fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Symlink => 2,
    }
}

fn kind_from_number(number: u64) -> Result<Kind, Malformed> {
    match number {
        0 => Ok(Kind::File),
        1 => Ok(Kind::Directory),
        2 => Ok(Kind::Symlink),
        _ => Err(Malformed),
    }
}

/// The earlier signed statement of the same content, where somebody else has since renamed or moved the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement's bytes, as they were signed.
    pub statement: Vec<u8>,
    /// Its content signature.
    pub signature: Signature,
}

/// A statement's fields. `docs/format.md` numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The object's name; `roster` for a roster, `manifest` for a manifest.
    pub name: Name,
    /// Its directory; the folder's root for what lies at the top, for rosters and for manifests.
    pub parent: FileId,
    /// The folder that it belongs to.
    pub folder: FolderId,
    /// The folder's owner.
    pub owner: Fingerprint,
    /// Who wrote and signed this.
    pub writer: VerifyingKey,
    /// On which device.
    pub device: DeviceId,
    /// What the writer calls that device, at most 64 bytes: names conflict copies.
    pub device_name: Arc<str>,
    /// What this version has seen.
    pub clock: Clock,
    /// The roster that it was written under; for a roster itself, the head of the log that it holds.
    pub roster_head: StatementHash,
    /// What the object is.
    pub kind: ObjectKind,
    /// Bytes of plaintext; of a tombstone what it had, 0 for directories and symbolic links.
    pub size: u64,
    /// Last change of the content, by the writer's file system.
    pub modified: Timestamp,
    /// When it was made, by the writer's file system.
    pub created: Timestamp,
    /// Whether the owner may execute it; files only.
    pub executable: bool,
    /// Where a symbolic link points, 1 to 4,096 bytes without NUL.
    pub target: Option<Arc<str>>,
    /// Readable text about it, at most 4,096 bytes.
    pub description: Option<Arc<str>>,
    /// Salt and commitment of the payload.
    pub payload_head: [u8; HEAD_BYTES],
    /// BLAKE3 of the plaintext; of a tombstone what the file had.
    pub content_digest: Option<Digest>,
    /// Bytes of plaintext with padding: at least `size`, at most [`padme`] of it.
    pub padded_len: u64,
    /// The event that last changed content, `modified` or the executable bit.
    pub content_dot: Dot,
    /// The event that last changed name, parent or description.
    pub place_dot: Dot,
    /// Who made the content, where that was not `writer`; files only.
    pub origin: Option<SignedStatement>,
}

/// Who writes, where, and under which roster: the part of a statement that an object does not have.
#[derive(Debug, Clone)]
pub struct Authorship {
    /// The folder.
    pub folder: FolderId,
    /// Its owner.
    pub owner: Fingerprint,
    /// The writer.
    pub writer: VerifyingKey,
    /// The writer's device.
    pub device: DeviceId,
    /// Its name.
    pub device_name: Arc<str>,
    /// Head of the roster that is in force.
    pub roster_head: StatementHash,
}

/// Why a statement cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatementError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("of a kind that a newer version writes")]
    Newer,
}

impl Statement {
    /// The statement of `object`, its payload neither made nor padded yet: `payload_head` is zero and a digest that
    /// is not known is `None`, until [`FileSeal::finish`](super::FileSeal::finish) sets both.
    #[must_use]
    pub fn from_object(object: &Object, by: &Authorship) -> Self {
        let (kind, size, executable, target, digest) = match &object.content {
            Content::File { size, digest, executable } => {
                (ObjectKind::File, *size, *executable, None, *digest)
            }
            Content::Directory => (ObjectKind::Directory, 0, false, None, None),
            Content::Symlink { target } => (ObjectKind::Symlink, 0, false, Some(Arc::clone(target)), None),
            Content::Tombstone { was, size, digest } => {
                (ObjectKind::Tombstone(*was), *size, false, None, *digest)
            }
        };
        Self {
            name: object.name.clone(),
            parent: object.parent,
            folder: by.folder,
            owner: by.owner,
            writer: by.writer,
            device: by.device,
            device_name: Arc::clone(&by.device_name),
            clock: object.clock.clone(),
            roster_head: by.roster_head,
            kind,
            size,
            modified: object.modified,
            created: object.created,
            executable,
            target,
            description: object.description.clone(),
            payload_head: [0; HEAD_BYTES],
            content_digest: digest,
            padded_len: if kind.has_payload() { size } else { 0 },
            content_dot: object.content_dot,
            place_dot: object.place_dot,
            origin: None,
        }
    }

    /// The object that the statement describes; `None` for rosters and manifests.
    #[must_use]
    pub fn to_object(&self, id: FileId, author: Arc<str>) -> Option<Object> {
        let (size, digest) = (self.size, self.content_digest);
        let content = match (self.kind, &self.target) {
            (ObjectKind::File, _) => Content::File { size, digest, executable: self.executable },
            (ObjectKind::Directory, _) => Content::Directory,
            (ObjectKind::Symlink, Some(target)) => Content::Symlink { target: Arc::clone(target) },
            (ObjectKind::Tombstone(was), _) => Content::Tombstone { was, size, digest },
            (ObjectKind::Symlink | ObjectKind::Roster | ObjectKind::Manifest, _) => return None,
        };
        Some(Object {
            id,
            parent: self.parent,
            name: self.name.clone(),
            content,
            modified: self.modified,
            created: self.created,
            description: self.description.clone(),
            clock: self.clock.clone(),
            content_dot: self.content_dot,
            place_dot: self.place_dot,
            author,
        })
    }

    /// Has the payload padded, so that its length says less about the size.
    #[must_use]
    pub fn padded(mut self) -> Self {
        if self.kind.has_payload() {
            self.padded_len = padme(self.size);
        }
        self
    }

    /// Encodes the statement. The length depends on no field that is only known once the payload was read.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.validate()?;
        let mut w = Writer::new();
        let optional = [
            self.kind == ObjectKind::File,
            self.target.is_some(),
            self.description.is_some(),
            self.content_digest.is_some(),
            matches!(self.kind, ObjectKind::Tombstone(_)),
            self.origin.is_some(),
        ];
        w.map(17 + optional.iter().filter(|present| **present).count());
        self.encode_place(&mut w);
        w.uint(10).uint(self.kind.number());
        w.uint(11).uint(self.size);
        w.uint(12).int(self.modified.as_nanos());
        w.uint(13).int(self.created.as_nanos());
        if self.kind == ObjectKind::File {
            w.uint(14).bool(self.executable);
        }
        if let Some(target) = &self.target {
            w.uint(15).text(target);
        }
        if let Some(description) = &self.description {
            w.uint(16).text(description);
        }
        w.uint(17).bytes(&self.payload_head);
        if let Some(digest) = &self.content_digest {
            w.uint(18).bytes(digest.as_bytes());
        }
        w.uint(19).uint(self.padded_len);
        if let ObjectKind::Tombstone(was) = self.kind {
            w.uint(20).uint(kind_number(was));
        }
        write_dot(w.uint(21), self.content_dot);
        write_dot(w.uint(22), self.place_dot);
        if let Some(origin) = &self.origin {
            w.uint(23).array(2).bytes(&origin.statement).bytes(origin.signature.as_bytes());
        }
        let bytes = w.into_bytes();
        check(bytes.len() <= MAX_STATEMENT_LEN)?;
        Ok(bytes)
    }

    fn encode_place(&self, w: &mut Writer) {
        w.uint(1).text(self.name.as_str());
        w.uint(2).bytes(self.parent.as_bytes());
        w.uint(3).bytes(self.folder.as_bytes());
        w.uint(4).bytes(self.owner.as_bytes());
        w.uint(5).bytes(self.writer.as_bytes());
        w.uint(6).bytes(self.device.as_bytes());
        w.uint(7).text(&self.device_name);
        w.uint(8).map(self.clock.len());
        for dot in self.clock.iter() {
            w.bytes(dot.device.as_bytes()).uint(dot.counter);
        }
        w.uint(9).bytes(self.roster_head.as_bytes());
    }

    /// Decodes what [`encode`](Self::encode) writes and nothing else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        check(bytes.len() <= MAX_STATEMENT_LEN)?;
        let r = &mut Reader::new(bytes);
        let mut keys = Keys::open(r, 23)?;
        let name = keys.required(r, 1, |r| Name::new(r.text(Name::MAX_BYTES)?).map_err(|_| Malformed))?;
        let parent = FileId::new(keys.required(r, 2, Reader::array_of)?);
        let folder = FolderId::new(keys.required(r, 3, Reader::array_of)?);
        let owner = Fingerprint::new(keys.required(r, 4, Reader::array_of)?);
        let writer = keys.required(r, 5, read_verifying_key)?;
        let device = DeviceId::new(keys.required(r, 6, Reader::array_of)?);
        let device_name = keys.required(r, 7, |r| Ok(r.text(MAX_DEVICE_NAME_LEN)?.into()))?;
        let clock = keys.required(r, 8, read_clock)?;
        let roster_head = StatementHash::new(keys.required(r, 9, Reader::array_of)?);
        let kind = keys.required(r, 10, Reader::uint)?;
        if kind > ObjectKind::Manifest.number() {
            // 6 (info) and 7 (tombstone-set) are reserved, the others unheard of. Their fields may be others, too.
            return Err(StatementError::Newer);
        }
        let size = keys.required(r, 11, Reader::uint)?;
        let modified = Timestamp::from_nanos(keys.required(r, 12, Reader::int)?);
        let created = Timestamp::from_nanos(keys.required(r, 13, Reader::int)?);
        let executable = keys.optional(r, 14, Reader::bool)?;
        let target = keys.optional(r, 15, |r| Ok(r.text(MAX_TARGET_LEN)?.into()))?;
        let description = keys.optional(r, 16, |r| Ok(r.text(MAX_DESCRIPTION_LEN)?.into()))?;
        let payload_head = keys.required(r, 17, Reader::array_of)?;
        let content_digest = keys.optional(r, 18, Reader::array_of)?.map(Digest::new);
        let padded_len = keys.required(r, 19, Reader::uint)?;
        let was = keys.optional(r, 20, |r| kind_from_number(r.uint()?))?;
        let content_dot = keys.required(r, 21, read_dot)?;
        let place_dot = keys.required(r, 22, read_dot)?;
        let origin = keys.optional(r, 23, read_origin)?;
        keys.end()?;
        check(std::mem::replace(r, Reader::new(&[])).rest().is_empty())?;
        let kind = object_kind(kind, was)?;
        check(executable.is_some() == (kind == ObjectKind::File))?;
        let statement = Self {
            name,
            parent,
            folder,
            owner,
            writer,
            device,
            device_name,
            clock,
            roster_head,
            kind,
            size,
            modified,
            created,
            executable: executable.unwrap_or(false),
            target,
            description,
            payload_head,
            content_digest,
            padded_len,
            content_dot,
            place_dot,
            origin,
        };
        statement.validate()?;
        Ok(statement)
    }

    /// Checks what must hold between fields, read or to be written.
    fn validate(&self) -> Result<(), Malformed> {
        check(self.device_name.len() <= MAX_DEVICE_NAME_LEN)?;
        check(self.clock.len() as u64 <= MAX_CLOCK_ENTRIES)?;
        for dot in [self.content_dot, self.place_dot] {
            check(dot.counter > 0 && self.clock.covers(dot))?;
        }
        check(self.description.as_ref().is_none_or(|text| text.len() <= MAX_DESCRIPTION_LEN))?;
        check(self.target.is_some() == (self.kind == ObjectKind::Symlink))?;
        let is_target = |text: &Arc<str>| (1..=MAX_TARGET_LEN).contains(&text.len()) && !text.contains('\0');
        check(self.target.as_ref().is_none_or(is_target))?;
        check(self.kind == ObjectKind::File || (!self.executable && self.origin.is_none()))?;
        check(self.size <= MAX_SIZE)?;
        check(self.folder != FolderId::NONE || alone::may_say(self))?;
        if self.kind.has_payload() {
            check(self.content_digest.is_some())?;
            return check((self.size..=padme(self.size)).contains(&self.padded_len));
        }
        check(self.padded_len == 0)?;
        check(
            self.kind == ObjectKind::Tombstone(Kind::File)
                || (self.size == 0 && self.content_digest.is_none()),
        )
    }
}

fn object_kind(number: u64, was: Option<Kind>) -> Result<ObjectKind, Malformed> {
    match (number, was) {
        (0, None) => Ok(ObjectKind::File),
        (1, None) => Ok(ObjectKind::Directory),
        (2, None) => Ok(ObjectKind::Symlink),
        (3, Some(was)) => Ok(ObjectKind::Tombstone(was)),
        (4, None) => Ok(ObjectKind::Roster),
        (5, None) => Ok(ObjectKind::Manifest),
        _ => Err(Malformed),
    }
}

pub(super) fn read_verifying_key(r: &mut Reader<'_>) -> Result<VerifyingKey, Malformed> {
    VerifyingKey::new(r.array_of()?).map_err(|_| Malformed)
}

fn read_clock(r: &mut Reader<'_>) -> Result<Clock, Malformed> {
    let mut clock = Clock::new();
    let mut last: Option<DeviceId> = None;
    for _ in 0..r.map(MAX_CLOCK_ENTRIES)? {
        let device = DeviceId::new(r.array_of()?);
        let counter = r.uint()?;
        check(counter > 0 && last.is_none_or(|last| last < device))?;
        clock.see(Dot { counter, device });
        last = Some(device);
    }
    Ok(clock)
}

fn write_dot(w: &mut Writer, dot: Dot) {
    w.array(2).bytes(dot.device.as_bytes()).uint(dot.counter);
}

fn read_dot(r: &mut Reader<'_>) -> Result<Dot, Malformed> {
    r.tuple(2)?;
    Ok(Dot { device: DeviceId::new(r.array_of()?), counter: r.uint()? })
}

fn read_origin(r: &mut Reader<'_>) -> Result<SignedStatement, Malformed> {
    r.tuple(2)?;
    let statement = r.bytes(MAX_STATEMENT_LEN)?.to_vec();
    Ok(SignedStatement { statement, signature: Signature::new(r.array_of()?) })
}
