//! Sealing a new version: the payload first, then the header that signs it.

use std::collections::BTreeMap;

use super::access::{Access, Envelope, EnvelopeType, file_hint, folder_hint};
use super::access_list::{AccessList, Recipient};
use super::header::{content_scope, statement_hash};
use super::info::{Info, padded_info_len};
use super::payload::{RUN_LEN, Shape, hash, seal_run};
use super::prefix::{MAC_OFFSET, Prefix};
use super::statement::{ObjectKind, SignedStatement, Statement};
use crate::cbor::Malformed;
use crate::crypto::cobblestone::{self, HEAD_BYTES, Stream};
use crate::crypto::{
    ContentHasher, Domain, ENVELOPE_BYTES, EnvelopePublicKey, FileKey, FileSubkeys, FolderKey, FolderKeyName,
    Key, Random, RosterPurpose, Signature, SigningKey,
};
use crate::ids::{Digest, FileId, FolderId, StatementHash};

/// Up to so many members a folder's files carry an envelope for each; beyond, only the roster does.
pub const MAX_FILE_MEMBERS: usize = 8;

/// Why a version cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A field is outside its limits, or contradicts another.
    #[error("a field of the statement is outside its limits")]
    Statement,
    /// The statement, with clock and access list, is too large.
    #[error("the header would be too large")]
    TooLarge,
    /// More or fewer bytes were given than the statement says: the file changed while it was read.
    #[error("the content has another size than its statement says")]
    SizeChanged,
    /// The signing key is not the statement's writer.
    #[error("the signing key is not the writer's")]
    WrongSigner,
    /// The file key is of an older epoch of the folder: the payload must be sealed anew.
    #[error("the file key is of an older epoch of the folder")]
    OldEpoch,
    /// The new statement is about another content than the payload that is to be kept.
    #[error("the statement is about another content")]
    OtherContent,
}

impl From<Malformed> for SealError {
    fn from(_: Malformed) -> Self {
        Self::Statement
    }
}

/// What a folder's files are sealed with, in one epoch. Made once, used for every file.
#[derive(Debug)]
pub struct FolderSeal<'a> {
    pub(crate) name: FolderKeyName,
    pub(crate) key: &'a FolderKey,
    pub(crate) members: &'a Access,
}

impl<'a> FolderSeal<'a> {
    /// With the folder's key of `epoch` and its [`member_envelopes`], which go into every file as they are.
    #[must_use]
    pub fn new(folder: FolderId, epoch: u32, key: &'a FolderKey, members: &'a Access) -> Self {
        Self { name: key.name(folder, epoch), key, members }
    }

    /// The name of the key.
    #[must_use]
    pub const fn key_name(&self) -> FolderKeyName {
        self.name
    }

    /// Refuses rosters, other folders' objects, and ids that belong to the folder itself.
    fn check_place(&self, id: FileId, statement: &Statement) -> Result<(), SealError> {
        let is_ordinary = statement.kind != ObjectKind::Roster && statement.folder == self.name.folder;
        let is_placed = id != statement.parent && id != statement.folder.root();
        if is_ordinary && is_placed { Ok(()) } else { Err(SealError::Statement) }
    }

    fn access(
        &self,
        file: FileId,
        key_epoch: u32,
        key: &FileKey,
        rng: &mut dyn Random,
    ) -> Result<Access, SealError> {
        let sealed = self.key.seal_file_key(&self.name, file, key_epoch, key, rng);
        let body = [&self.name.to_bytes()[..], &sealed].concat();
        let own = Envelope { kind: EnvelopeType::FOLDER, flags: 0, hint: [0; 8], body: &body };
        Ok(Access::build(std::iter::once(own).chain(self.members.envelopes()))?)
    }
}

/// One type 6 envelope for each member: for the roster, and, up to [`MAX_FILE_MEMBERS`], for every file of the epoch.
/// One RSA operation each, with the public key.
///
/// # Errors
/// [`SealError::Statement`] for more than 1,024 members.
pub fn member_envelopes<'k>(
    folder: FolderId,
    epoch: u32,
    key: &FolderKey,
    members: impl IntoIterator<Item = &'k EnvelopePublicKey>,
) -> Result<Access, SealError> {
    wrapped_envelopes(EnvelopeType::MEMBER, &key.name(folder, epoch), key, members)
}

/// One envelope of this type for each of `members`, with the key called `name`.
pub(crate) fn wrapped_envelopes<'k, P: RosterPurpose>(
    kind: EnvelopeType,
    name: &FolderKeyName,
    key: &Key<P>,
    members: impl IntoIterator<Item = &'k EnvelopePublicKey>,
) -> Result<Access, SealError> {
    let sealed: Vec<_> = members
        .into_iter()
        .map(|member| {
            let body = [&name.to_bytes()[..], &member.wrap_roster_key(name, key)].concat();
            (folder_hint(name.folder, name.epoch, &member.spki_hash()), body)
        })
        .collect();
    let envelope = |(hint, body)| Envelope { kind, flags: 0, hint, body };
    Ok(Access::build(sealed.iter().map(|(hint, body)| envelope((*hint, body.as_slice()))))?)
}

/// What lets one account open one file.
pub(crate) struct UserEnvelope {
    hint: [u8; 8],
    body: [u8; ENVELOPE_BYTES],
}

impl UserEnvelope {
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope { kind: EnvelopeType::USER, flags: 0, hint: self.hint, body: &self.body }
    }
}

/// The recipients of an access list, as it wants them, and one envelope for each, in the same order. One RSA operation
/// each, with the public key.
pub(crate) fn user_envelopes(
    users: &[EnvelopePublicKey],
    id: FileId,
    key_epoch: u32,
    key: &FileKey,
) -> (Vec<Recipient>, Vec<UserEnvelope>) {
    let by_recipient: BTreeMap<_, _> = users.iter().map(|user| (Recipient::user(user), user)).collect();
    by_recipient
        .into_iter()
        .map(|(recipient, user)| {
            let hint = file_hint(id, key_epoch, &recipient.id);
            (recipient, UserEnvelope { hint, body: user.wrap_file_key(id, key_epoch, key) })
        })
        .unzip()
}

/// A header, ready to be written in front of its payload.
#[derive(Debug)]
pub struct SealedHeader {
    /// PREFIX, ACCESS, INFO and the payload's 56 bytes of head: goes to offset 0.
    pub bytes: Vec<u8>,
    /// The statement as it was signed.
    pub statement: Statement,
    /// Names this version.
    pub statement_hash: StatementHash,
}

/// A whole small file.
#[derive(Debug)]
pub struct SealedObject {
    /// The file.
    pub bytes: Vec<u8>,
    /// The statement as it was signed.
    pub statement: Statement,
    /// Names this version.
    pub statement_hash: StatementHash,
}

/// Seals one new version of an object under a fresh file key.
///
/// The content is given in order, in runs of [`RUN_LEN`] bytes (the last one shorter); each run comes back sealed, to
/// be written from [`body_offset`](Self::body_offset) on. [`finish`](Self::finish) then gives the bytes for offset 0.
/// An interrupted seal is dropped, never resumed: no chunk number is used twice under one key.
pub struct FileSeal {
    prefix: Prefix,
    access: Access,
    list: Option<AccessList>,
    subkeys: FileSubkeys,
    statement: Statement,
    stream: Stream,
    shape: Shape,
    hasher: ContentHasher,
    next_chunk: u64,
}

impl FileSeal {
    /// Starts a version of `id`. `key_epoch` is one more than that of the version before (1 for the first). `size`
    /// and `padded_len` of `statement` must be right already; payload head and digest are set at the end.
    ///
    /// # Errors
    /// [`SealError::Statement`] and [`SealError::TooLarge`].
    pub fn begin(
        folder: &FolderSeal<'_>,
        id: FileId,
        key_epoch: u32,
        statement: Statement,
        rng: &mut dyn Random,
    ) -> Result<Self, SealError> {
        folder.check_place(id, &statement)?;
        let key = FileKey::generate(rng);
        let access = folder.access(id, key_epoch, &key, rng)?;
        Self::begin_with(&key, access, None, id, key_epoch, statement, rng)
    }

    /// As [`begin`](Self::begin), for a file with readers beyond the folder's members: one envelope for each of
    /// `users`, and the list of them, which the statement's writer signs and who must be the owner or an admin.
    /// `access_seq` is one more than that of the list before.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_shared(
        folder: &FolderSeal<'_>,
        users: &[EnvelopePublicKey],
        access_seq: u64,
        id: FileId,
        key_epoch: u32,
        statement: Statement,
        rng: &mut dyn Random,
    ) -> Result<Self, SealError> {
        folder.check_place(id, &statement)?;
        let key = FileKey::generate(rng);
        let (recipients, envelopes) = user_envelopes(users, id, key_epoch, &key);
        let own = folder.access(id, key_epoch, &key, rng)?;
        let access = Access::build(own.envelopes().chain(envelopes.iter().map(UserEnvelope::envelope)))?;
        let list = AccessList { access_seq, recipients, signer: statement.writer };
        Self::begin_with(&key, access, Some(list), id, key_epoch, statement, rng)
    }

    /// Starts with a key and envelopes that were made elsewhere.
    pub(crate) fn begin_with(
        key: &FileKey,
        access: Access,
        list: Option<AccessList>,
        id: FileId,
        key_epoch: u32,
        mut statement: Statement,
        rng: &mut dyn Random,
    ) -> Result<Self, SealError> {
        let roster = statement.kind == ObjectKind::Roster;
        let mut prefix = Prefix {
            access_len: access.as_bytes().len(),
            info_len: 0,
            roster,
            file_id: id,
            key_epoch,
            header_mac: [0; 32],
        };
        let subkeys = key.derive(id, key_epoch);
        let mut salt = [0; cobblestone::SALT_BYTES];
        rng.fill(&mut salt);
        let (stream, head) = Stream::to_seal(&subkeys.payload, salt, &prefix.payload_binding());
        statement.payload_head = head;
        let size = if statement.kind.has_payload() {
            statement.content_digest = Some(Digest::new([0; 32]));
            statement.size
        } else {
            0
        };
        let list_len = list.as_ref().map(AccessList::encode).transpose()?.map(|encoded| encoded.len());
        let encoded_len = Info::encoded_len(statement.encode()?.len(), list_len);
        let plain_info_len = padded_info_len(encoded_len, prefix.access_len, statement.padded_len)
            .ok_or(SealError::TooLarge)?;
        prefix.info_len = sealed_len(plain_info_len);
        let shape = Shape { size, padded_len: statement.padded_len };
        Ok(Self {
            prefix,
            access,
            list,
            subkeys,
            statement,
            stream,
            shape,
            hasher: ContentHasher::new(),
            next_chunk: 0,
        })
    }

    /// Where the first run goes: behind the header and the payload's head.
    #[must_use]
    pub const fn body_offset(&self) -> usize {
        self.prefix.header_len() + HEAD_BYTES
    }

    /// Bytes that the whole file will have.
    #[must_use]
    pub const fn total_len(&self) -> u64 {
        self.prefix.header_len() as u64 + cobblestone::sealed_len(self.shape.padded_len)
    }

    /// Bytes of content that the next run takes: [`RUN_LEN`], fewer at the end, 0 where only padding or nothing is
    /// left.
    #[must_use]
    pub fn next_run_len(&self) -> usize {
        self.shape.data_len(self.next_chunk)
    }

    /// Whether every run has been sealed. There is always at least one, be it empty.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.next_chunk >= self.shape.chunk_count()
    }

    /// Seals the next run in place: `run` holds [`next_run_len`](Self::next_run_len) bytes of content and comes back
    /// as ciphertext, padding included.
    ///
    /// # Errors
    /// [`SealError::SizeChanged`] where `run` has another length, or no run is left.
    pub fn seal_run(&mut self, run: &mut Vec<u8>) -> Result<(), SealError> {
        if self.is_complete() || run.len() != self.next_run_len() {
            return Err(SealError::SizeChanged);
        }
        hash(&mut self.hasher, run);
        run.resize(self.shape.run_len(self.next_chunk), 0);
        let chunks = self.shape.run_chunks(self.next_chunk);
        let chunk_count = usize::try_from(chunks).expect("a run has at most 64 chunks");
        seal_run(&self.stream, self.next_chunk, chunk_count, run);
        self.next_chunk += chunks;
        Ok(())
    }

    /// Signs what was sealed and makes the header.
    ///
    /// # Errors
    /// [`SealError::SizeChanged`] where runs are missing, [`SealError::WrongSigner`].
    pub fn finish(mut self, signer: &SigningKey, rng: &mut dyn Random) -> Result<SealedHeader, SealError> {
        if !self.is_complete() {
            return Err(SealError::SizeChanged);
        }
        if self.statement.kind.has_payload() {
            self.statement.content_digest = Some(self.hasher.finish());
        }
        let draft = HeaderDraft {
            prefix: self.prefix,
            access: &self.access,
            subkeys: &self.subkeys,
            statement: self.statement,
            list: self.list.as_ref().map(ListSource::New),
        };
        let sealed = draft.seal(signer, rng)?;
        debug_assert_eq!(sealed.bytes.len(), self.prefix.header_len() + HEAD_BYTES);
        Ok(sealed)
    }
}

/// Everything that a header is made of, but its signature and MAC.
pub(crate) struct HeaderDraft<'a> {
    pub prefix: Prefix,
    pub access: &'a Access,
    pub subkeys: &'a FileSubkeys,
    pub statement: Statement,
    pub list: Option<ListSource<'a>>,
}

/// Where a header's access list comes from.
pub(crate) enum ListSource<'a> {
    /// As it was signed for this file and key epoch.
    Kept(&'a (Vec<u8>, Signature)),
    /// To be signed now.
    New(&'a AccessList),
}

impl HeaderDraft<'_> {
    /// Signs the statement, seals INFO and makes the MAC.
    pub fn seal(self, signer: &SigningKey, rng: &mut dyn Random) -> Result<SealedHeader, SealError> {
        let Self { mut prefix, access, subkeys, statement, list } = self;
        if signer.public() != statement.writer {
            return Err(SealError::WrongSigner);
        }
        let encoded = statement.encode()?;
        let signature = signer.sign(Domain::Content, &[&content_scope(&prefix, &encoded), &encoded]);
        let statement_hash = statement_hash(&prefix, &encoded);
        let list = match list {
            Some(ListSource::Kept(list)) => Some(list.clone()),
            Some(ListSource::New(list)) => Some(list.sign(&prefix, signer)?),
            None => None,
        };
        let info = Info { signed: SignedStatement { statement: encoded, signature }, access: list };
        let mut plain = info.encode();
        prefix.access_len = access.as_bytes().len();
        let plain_len = padded_info_len(plain.len(), prefix.access_len, statement.padded_len)
            .ok_or(SealError::TooLarge)?;
        plain.resize(plain_len, 0);
        let sealed = cobblestone::seal(&subkeys.info, rng, &prefix.binding(), &plain);
        prefix.info_len = sealed.len();

        let start = prefix.to_bytes();
        prefix.header_mac = subkeys.header.mac(&[&start[..MAC_OFFSET], access.as_bytes(), &sealed]);
        let mut bytes = Vec::with_capacity(prefix.header_len() + HEAD_BYTES);
        bytes.extend_from_slice(&prefix.to_bytes());
        bytes.extend_from_slice(access.as_bytes());
        bytes.extend_from_slice(&sealed);
        bytes.extend_from_slice(&statement.payload_head);
        Ok(SealedHeader { bytes, statement, statement_hash })
    }
}

fn sealed_len(plain: usize) -> usize {
    usize::try_from(cobblestone::sealed_len(plain as u64)).expect("INFO has at most 128 KiB")
}

/// Seals a whole object whose content lies in memory: small files, directories, symbolic links, tombstones.
///
/// # Errors
/// As [`FileSeal::begin`]; [`SealError::SizeChanged`] where `content` has not the statement's size.
pub fn seal_bytes(
    folder: &FolderSeal<'_>,
    id: FileId,
    key_epoch: u32,
    statement: Statement,
    content: &[u8],
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedObject, SealError> {
    let seal = FileSeal::begin(folder, id, key_epoch, statement, rng)?;
    seal_content(seal, content, signer, rng)
}

/// Seals `content`, whole, and puts the header before it.
pub(crate) fn seal_content(
    mut seal: FileSeal,
    mut content: &[u8],
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedObject, SealError> {
    let body_offset = seal.body_offset();
    let mut bytes = vec![0; body_offset];
    let mut run = Vec::with_capacity(content.len().min(RUN_LEN) + 64);
    while !seal.is_complete() {
        let (next, rest) = content.split_at_checked(seal.next_run_len()).ok_or(SealError::SizeChanged)?;
        run.clear();
        run.extend_from_slice(next);
        seal.seal_run(&mut run)?;
        bytes.extend_from_slice(&run);
        content = rest;
    }
    if !content.is_empty() {
        return Err(SealError::SizeChanged);
    }
    let header = seal.finish(signer, rng)?;
    bytes[..body_offset].copy_from_slice(&header.bytes);
    Ok(SealedObject { bytes, statement: header.statement, statement_hash: header.statement_hash })
}
