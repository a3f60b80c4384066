//! Manifests: the statements that somebody had written before they were removed from a folder, or lost the right to
//! write. The roster's entry names the manifest, so that what they wrote by then stays theirs to have written, and nothing
//! that they sign later passes for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::HeaderError;
use super::header::{OpenedHeader, ensure};
use super::key_source::FileKeySource;
use super::payload::open_bytes;
use super::roster::ManifestName;
use super::seal::{FolderSeal, SealError, SealedObject, seal_bytes};
use super::statement::{Authorship, ObjectKind, Statement};
use crate::clock::{Clock, Dot};
use crate::crypto::{Random, SigningKey};
use crate::ids::{FileId, StatementHash};
use crate::time::Timestamp;
use crate::tree::Name;

/// Most bytes of a manifest's payload: a million statements.
pub const MAX_MANIFEST_LEN: u64 = 48 << 20;
/// Bytes of one line: the object's id, the statement's hash.
const LINE_LEN: usize = FileId::LEN + StatementHash::LEN;
/// What manifests are called in their statements.
const MANIFEST_NAME: &str = "manifest";

/// Which statements somebody had written: objects and statement hashes, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest(BTreeSet<(FileId, StatementHash)>);

impl Manifest {
    /// Whether it lists this version.
    #[must_use]
    pub fn lists(&self, header: &OpenedHeader) -> bool {
        self.0.contains(&(header.prefix.file_id, header.statement_hash))
    }

    fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(id, hash)| [&id.as_bytes()[..], hash.as_bytes()].concat()).collect()
    }

    /// Reads what [`encode`](Self::encode) wrote: whole lines, strictly ascending.
    fn decode(payload: &[u8]) -> Result<Self, HeaderError> {
        let (lines, rest) = payload.as_chunks::<LINE_LEN>();
        ensure(rest.is_empty() && lines.is_sorted_by(|a, b| a < b))?;
        let line = |line: &[u8; LINE_LEN]| {
            let (id, hash) = line.split_first_chunk().expect("a line begins with an id");
            let hash = hash.first_chunk().expect("a hash follows");
            (FileId::new(*id), StatementHash::new(*hash))
        };
        Ok(Self(lines.iter().map(line).collect()))
    }

    /// Seals it as the object `id` ([`Roster::manifest_id`](super::roster::Roster::manifest_id)), which is written once,
    /// at `now`, as the event `dot`.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] for more than a million lines, and as [`seal_bytes`].
    pub fn seal(
        &self,
        folder: &FolderSeal<'_>,
        id: FileId,
        (authorship, dot, now): (&Authorship, Dot, Timestamp),
        signer: &SigningKey,
        rng: &mut dyn Random,
    ) -> Result<SealedObject, SealError> {
        let payload = self.encode();
        if payload.len() as u64 > MAX_MANIFEST_LEN {
            return Err(SealError::TooLarge);
        }
        let statement = statement(payload.len() as u64, authorship, dot, now)?;
        seal_bytes(folder, id, 1, statement, &payload, signer, rng)
    }

    /// Opens the manifest that a roster's entry names: exactly the version that was named, whoever wrote the file.
    ///
    /// # Errors
    /// [`HeaderError::Unauthentic`] for another one, or one that is malformed, and what [`open_bytes`] refuses.
    pub fn open(bytes: &[u8], name: &ManifestName, keys: &impl FileKeySource) -> Result<Self, HeaderError> {
        let (header, payload) = open_bytes(bytes, keys)?;
        ensure(header.statement.kind == ObjectKind::Manifest)?;
        ensure(header.prefix.file_id == name.id && header.statement_hash == name.statement)?;
        Self::decode(&payload)
    }
}

fn statement(
    size: u64,
    authorship: &Authorship,
    dot: Dot,
    now: Timestamp,
) -> Result<Statement, SealError> {
    Ok(Statement {
            name: Name::new(MANIFEST_NAME).map_err(|_| SealError::Statement)?,
            parent: authorship.folder.root(),
            folder: authorship.folder,
            owner: authorship.owner,
            writer: authorship.writer,
            device: authorship.device,
            device_name: Arc::clone(&authorship.device_name),
            clock: Clock::new().with(dot),
            roster_head: authorship.roster_head,
            kind: ObjectKind::Manifest,
            size,
            modified: now,
            created: now,
            executable: false,
            target: None,
            description: None,
            payload_head: [0; 56],
            content_digest: None,
            padded_len: size,
            content_dot: dot,
            place_dot: dot,
            origin: None,
    })
}

impl FromIterator<(FileId, StatementHash)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (FileId, StatementHash)>>(statements: I) -> Self {
        Self(statements.into_iter().collect())
    }
}
