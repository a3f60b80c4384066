//! Opening a header: everything before the payload, and the payload's head.

use super::HeaderError;
use super::access::{Access, Envelope, EnvelopeType};
use super::access_list::AccessList;
use super::alone;
use super::info::{Info, padded_info_len};
use super::key_source::{FileKeySource, FoundKey, OpenedFolderKey};
use super::prefix::{MAC_OFFSET, PREFIX_LEN, Prefix};
use super::statement::{ObjectKind, SignedStatement, Statement, StatementError};
use crate::crypto::cobblestone::{self, HEAD_BYTES};
use crate::crypto::{ContentHasher, Domain, FileSubkeys, FolderKeyName};
use crate::ids::{FolderId, StatementHash};

/// What a folder's roster carries.
const ROSTER_ENVELOPES: &[EnvelopeType] = &[EnvelopeType::MEMBER, EnvelopeType::INVITE];

/// Who made a file's content, where somebody else has since renamed or moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The earlier statement, its signature verified.
    pub statement: Statement,
    /// Its hash.
    pub statement_hash: StatementHash,
}

/// A header of which all holds but membership, which the caller checks
/// ([`RosterState::may_write`](super::roster::RosterState::may_write) with `statement.writer`).
#[derive(Debug)]
pub struct OpenedHeader {
    /// The first 80 bytes.
    pub prefix: Prefix,
    /// The envelopes.
    pub access: Access,
    /// What the writer says.
    pub statement: Statement,
    /// Names this version.
    pub statement_hash: StatementHash,
    /// Who made the content, where it was not the statement's writer.
    pub origin: Option<Origin>,
    /// The recipients beyond the folder's. That its signer is the owner or an admin is the caller's to check.
    pub access_list: Option<AccessList>,
    /// The folder key that opened the file, if one did.
    pub folder_key: Option<FolderKeyName>,
    /// Bytes before the payload.
    pub header_len: usize,
    /// Bytes that the whole file must have (engine rule 5).
    pub total_len: u64,
    pub(crate) subkeys: FileSubkeys,
    pub(crate) info: Info,
}

impl OpenedHeader {
    /// Whether the file belongs to no folder: its writer is its owner, and its readers are those of its access list.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.statement.folder == FolderId::NONE
    }

    /// Whether an envelope has a right to be here: those of the folder, if it has one, always, the others by the access
    /// list. The others are dropped when the header is next written.
    pub(crate) fn is_listed(&self, envelope: &Envelope<'_>) -> bool {
        (envelope.kind.is_of_folder() && !self.is_alone())
            || self.prefix.roster
            || self.access_list.as_ref().is_some_and(|list| {
                envelope.kind == EnvelopeType::DUMMY || list.lists(&self.prefix, envelope)
            })
    }

    /// Forgets the access list, because its signer turned out to be neither owner nor admin: what it lists is then
    /// unlisted.
    pub fn distrust_access_list(&mut self) {
        self.access_list = None;
        self.info.access = None;
    }

    /// The types of the envelopes that nobody who may has listed: to be reported.
    #[must_use]
    pub fn unlisted_envelopes(&self) -> Vec<EnvelopeType> {
        self.access.envelopes().filter(|e| !self.is_listed(e)).map(|e| e.kind).collect()
    }

    /// How many recipients of the access list have no envelope: to be reported.
    #[must_use]
    pub fn missing_recipients(&self) -> usize {
        self.access_list.as_ref().map_or(0, |list| list.count_missing(&self.prefix, &self.access))
    }
}

/// How many bytes PREFIX, ACCESS and INFO have, by the first 80 of them. [`open_header`] needs 56 more.
///
/// # Errors
/// As [`Prefix::parse`].
pub fn header_len(prefix: &[u8]) -> Result<usize, HeaderError> {
    Prefix::parse(prefix).map(|prefix| prefix.header_len())
}

/// Opens a header: `bytes` begins with the header and the payload's first 56 bytes, and may go on.
///
/// # Errors
/// [`HeaderError`]. What is not authentic is told from what is not for us only as far as the envelopes show it.
pub fn open_header(bytes: &[u8], keys: &impl FileKeySource) -> Result<OpenedHeader, HeaderError> {
    open(bytes, |prefix, access| find_key(prefix, access, keys), ROSTER_ENVELOPES, None)
}

/// Opens a header as [`open_header`] does, but for the signature of the statement that `known` names: it was verified
/// before, and the name covers all that it signs.
///
/// # Errors
/// As [`open_header`].
pub fn open_header_again(
    bytes: &[u8],
    keys: &impl FileKeySource,
    known: StatementHash,
) -> Result<OpenedHeader, HeaderError> {
    open(bytes, |prefix, access| find_key(prefix, access, keys), ROSTER_ENVELOPES, Some(known))
}

/// Opens the header of a group's roster, whose file key `find` finds.
pub(crate) fn open_group_header(
    bytes: &[u8],
    find: impl FnOnce(&Prefix, &Access) -> Result<FoundKey, HeaderError>,
) -> Result<OpenedHeader, HeaderError> {
    let header = open(bytes, find, &[EnvelopeType::GROUP_MEMBER], None)?;
    ensure(header.prefix.roster)?;
    Ok(header)
}

fn find_key(prefix: &Prefix, access: &Access, keys: &impl FileKeySource) -> Result<FoundKey, HeaderError> {
    if !prefix.roster {
        return keys.file_key(prefix, access);
    }
    // A roster's file key is derived, not wrapped: whoever has the folder key reads the roster.
    let OpenedFolderKey { name, key } = keys.roster_key(prefix, access)?;
    Ok(FoundKey { key: key.roster_file_key(name.folder, name.epoch), folder: Some(name) })
}

fn open(
    bytes: &[u8],
    find: impl FnOnce(&Prefix, &Access) -> Result<FoundKey, HeaderError>,
    in_roster: &[EnvelopeType],
    known: Option<StatementHash>,
) -> Result<OpenedHeader, HeaderError> {
    let prefix = Prefix::parse(bytes)?;
    let header_len = prefix.header_len();
    let needed = header_len + HEAD_BYTES;
    let Some(payload_head) = bytes.get(header_len..needed) else {
        return Err(HeaderError::TooShort { needed: needed as u64 });
    };
    let (access_bytes, info_bytes) = bytes[PREFIX_LEN..header_len].split_at(prefix.access_len);
    let access = Access::parse(access_bytes)?;
    let found = find(&prefix, &access)?;
    let subkeys = found.key.derive(prefix.file_id, prefix.key_epoch);
    let macced = [&bytes[..MAC_OFFSET], access_bytes, info_bytes];
    ensure(subkeys.header.verify(&macced, &prefix.header_mac))?;

    let plain = cobblestone::open(&subkeys.info, &prefix.binding(), info_bytes)
        .map_err(|_| HeaderError::Unauthentic)?;
    let (info, encoded_len) = Info::decode(&plain).map_err(|_| HeaderError::Unauthentic)?;
    let (statement, statement_hash) = verify_statement(&prefix, &info.signed, known)?;
    ensure(statement.payload_head == *payload_head)?;
    ensure(padded_info_len(encoded_len, prefix.access_len, statement.padded_len) == Some(plain.len()))?;
    check_kind(&prefix, &statement, found.folder.as_ref())?;
    ensure(!prefix.roster || access.envelopes().all(|e| in_roster.contains(&e.kind)))?;
    let origin = verify_origin(&prefix, &statement)?;
    let access_list = match &info.access {
        Some((list, signature)) => {
            Some(AccessList::verify(&prefix, list, signature).map_err(|_| HeaderError::Unauthentic)?)
        }
        None => None,
    };
    if statement.folder == FolderId::NONE {
        ensure(found.folder.is_none() && alone::may_list(&statement, access_list.as_ref()))?;
    }
    let total_len = header_len as u64 + cobblestone::sealed_len(statement.padded_len);
    Ok(OpenedHeader {
        prefix,
        access,
        statement,
        statement_hash,
        origin,
        access_list,
        folder_key: found.folder,
        header_len,
        total_len,
        subkeys,
        info,
    })
}

pub(crate) fn ensure(holds: bool) -> Result<(), HeaderError> {
    if holds { Ok(()) } else { Err(HeaderError::Unauthentic) }
}

/// What the content signature covers after its label: version, suite, flags, file id, key epoch, the statement's
/// length and the statement.
pub(crate) fn content_scope(prefix: &Prefix, statement: &[u8]) -> [u8; 30] {
    let mut scope = [0; 30];
    scope[..28].copy_from_slice(&prefix.binding());
    let len = u16::try_from(statement.len()).expect("longer statements are refused before they come here");
    scope[28..].copy_from_slice(&len.to_be_bytes());
    scope
}

/// BLAKE3 of exactly what the content signature signs.
pub(crate) fn statement_hash(prefix: &Prefix, statement: &[u8]) -> StatementHash {
    let mut hasher = ContentHasher::new();
    hasher.update(Domain::Content.label());
    hasher.update(&content_scope(prefix, statement));
    hasher.update(statement);
    StatementHash::new(*hasher.finish().as_bytes())
}

fn verify_statement(
    prefix: &Prefix,
    signed: &SignedStatement,
    known: Option<StatementHash>,
) -> Result<(Statement, StatementHash), HeaderError> {
    let statement = Statement::decode(&signed.statement).map_err(|error| match error {
        StatementError::Newer => HeaderError::NewerVersion,
        StatementError::Malformed(_) => HeaderError::Unauthentic,
    })?;
    let hash = statement_hash(prefix, &signed.statement);
    if known != Some(hash) {
        let scope = content_scope(prefix, &signed.statement);
        statement
            .writer
            .verify(Domain::Content, &[&scope, &signed.statement], &signed.signature)
            .map_err(|_| HeaderError::Unauthentic)?;
    }
    Ok((statement, hash))
}

/// Checks that flags and ids say the same as the statement.
fn check_kind(
    prefix: &Prefix,
    statement: &Statement,
    folder_key: Option<&FolderKeyName>,
) -> Result<(), HeaderError> {
    ensure(folder_key.is_none_or(|name| name.folder == statement.folder))?;
    ensure(prefix.roster == (statement.kind == ObjectKind::Roster))?;
    if prefix.roster {
        return ensure(prefix.file_id == statement.folder.root() && statement.parent == prefix.file_id);
    }
    ensure(prefix.file_id != statement.folder.root() && prefix.file_id != statement.parent)
}

fn verify_origin(prefix: &Prefix, statement: &Statement) -> Result<Option<Origin>, HeaderError> {
    let Some(signed) = &statement.origin else { return Ok(None) };
    let (origin, statement_hash) = verify_statement(prefix, signed, None)?;
    ensure(
        origin.origin.is_none()
            && origin.writer != statement.writer
            && origin.kind == statement.kind
            && origin.folder == statement.folder
            && origin.size == statement.size
            && origin.padded_len == statement.padded_len
            && origin.payload_head == statement.payload_head
            && origin.content_digest == statement.content_digest,
    )?;
    Ok(Some(Origin { statement: origin, statement_hash }))
}
