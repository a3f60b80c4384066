//! The append-only log: entries that follow one another, and the union of two such logs.

use std::collections::{HashMap, HashSet};

use super::entry::{Entry, EntryHash, MAX_PREV, Operation, SignedEntry};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{ContentHasher, Signature, SigningKey};
use crate::ids::{FolderId, StatementHash};

/// Most entries of a log.
pub const MAX_ENTRIES: usize = 4096;
/// Hashed before the heads of a log.
const HEAD_LABEL: &[u8] = b"ensafer/v1/roster-head\0";

/// How two logs of one folder relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOrder {
    /// The same entries.
    Same,
    /// All that the other has, and more.
    Ahead,
    /// Lacks entries that the other has: a rollback, if the other was accepted before.
    Behind,
    /// Each has entries that the other lacks: to be merged. It is no rollback of what was seen.
    Diverged,
}

/// A roster's entries: causes before effects, signatures verified, one creating entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// By sequence number, then hash.
    entries: Vec<SignedEntry>,
}

impl Log {
    /// A log of these entries, in order.
    ///
    /// # Errors
    /// [`Malformed`] where they are not one folder's, out of order, too many, without their causes, or not begun by
    /// the one key that the folder's id comes from.
    pub(crate) fn new(entries: Vec<SignedEntry>) -> Result<Self, Malformed> {
        check(entries.len() <= MAX_ENTRIES && entries.is_sorted_by(|a, b| a.position() < b.position()))?;
        let first = entries.first().ok_or(Malformed)?;
        let Operation::Create { owner, nonce, epoch, .. } = &first.entry.operation else {
            return Err(Malformed);
        };
        let creator = first.entry.signer;
        let folder = first.entry.folder;
        check(first.entry.seq == 0 && first.entry.prev.is_empty() && *epoch == 1)?;
        check(owner.bundle().identity == creator && creator.folder_id(nonce) == folder)?;
        let mut seqs = HashMap::from([(first.hash, 0)]);
        for SignedEntry { entry, hash, .. } in &entries[1..] {
            check(entry.folder == folder && !matches!(entry.operation, Operation::Create { .. }))?;
            let mut highest = None;
            for prev in &entry.prev {
                highest = highest.max(Some(*seqs.get(prev).ok_or(Malformed)?));
            }
            check(highest.and_then(|seq: u64| seq.checked_add(1)) == Some(entry.seq))?;
            seqs.insert(*hash, entry.seq);
        }
        Ok(Self { entries })
    }

    /// The entries, causes before effects.
    #[must_use]
    pub fn entries(&self) -> &[SignedEntry] {
        &self.entries
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> FolderId {
        self.entries[0].entry.folder
    }

    /// The entries that no other follows, ascending.
    #[must_use]
    pub fn heads(&self) -> Vec<EntryHash> {
        let followed: HashSet<_> = self.entries.iter().flat_map(|e| &e.entry.prev).collect();
        let mut heads: Vec<_> =
            self.entries.iter().map(|e| e.hash).filter(|hash| !followed.contains(hash)).collect();
        heads.sort_unstable();
        heads
    }

    /// Names this state of the log: BLAKE3 of a label and the heads, ascending. Statements carry it as `roster_head`.
    #[must_use]
    pub fn head(&self) -> StatementHash {
        let mut hasher = ContentHasher::new();
        hasher.update(HEAD_LABEL);
        for head in self.heads() {
            hasher.update(head.as_bytes());
        }
        StatementHash::new(*hasher.finish().as_bytes())
    }

    /// How this log relates to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> LogOrder {
        match (self.has_all_of(other), other.has_all_of(self)) {
            (true, true) => LogOrder::Same,
            (true, false) => LogOrder::Ahead,
            (false, true) => LogOrder::Behind,
            (false, false) => LogOrder::Diverged,
        }
    }

    fn has_all_of(&self, other: &Self) -> bool {
        let mine: HashSet<_> = self.entries.iter().map(|e| e.hash).collect();
        other.entries.iter().all(|e| mine.contains(&e.hash))
    }

    /// All entries of both.
    ///
    /// # Errors
    /// [`Malformed`] for logs of two folders, or too many entries together.
    pub fn union(&self, other: &Self) -> Result<Self, Malformed> {
        check(self.entries[0].hash == other.entries[0].hash)?;
        let mut entries = self.entries.clone();
        entries.extend(other.entries.iter().cloned());
        entries.sort_by_key(SignedEntry::position);
        entries.dedup_by_key(|e| e.hash);
        Self::new(entries)
    }

    /// What the next entry follows: of the entries that are not `void`, those that no other such entry follows. So what
    /// strangers add bars nobody from writing. Of more than [`MAX_PREV`], the newest.
    pub(crate) fn next_prev(&self, void: &[EntryHash]) -> Vec<EntryHash> {
        let void: HashSet<_> = void.iter().collect();
        let sound = || self.entries.iter().filter(|entry| !void.contains(&entry.hash));
        let followed: HashSet<_> = sound().flat_map(|entry| &entry.entry.prev).collect();
        // In the order of the log: the newest come last.
        let ends = sound().map(|entry| entry.hash).filter(|hash| !followed.contains(hash));
        let mut prev: Vec<_> = ends.collect();
        prev.drain(..prev.len().saturating_sub(MAX_PREV));
        prev.sort_unstable();
        prev
    }

    /// This log and one more entry, which follows all others that are not `void`.
    pub(crate) fn with(
        &self,
        operation: Operation,
        void: &[EntryHash],
        signer: &SigningKey,
    ) -> Result<Self, Malformed> {
        let prev = self.next_prev(void);
        let before = self.entries.iter().filter(|entry| prev.contains(&entry.hash));
        let highest = before.map(|entry| entry.entry.seq).max().ok_or(Malformed)?;
        let seq = highest.checked_add(1).ok_or(Malformed)?;
        let entry = Entry { folder: self.folder(), seq, prev, operation, signer: signer.public() };
        let mut entries = self.entries.clone();
        entries.push(SignedEntry::sign(entry, signer)?);
        entries.sort_by_key(SignedEntry::position);
        Self::new(entries)
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.array(self.entries.len());
        for entry in &self.entries {
            w.array(2).bytes(&entry.bytes).bytes(entry.signature.as_bytes());
        }
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut entries = Vec::new();
        for _ in 0..r.array(MAX_ENTRIES as u64)? {
            r.tuple(2)?;
            let bytes = r.bytes(super::entry::MAX_ENTRY_LEN)?;
            entries.push(SignedEntry::verify(bytes, Signature::new(r.array_of()?))?);
        }
        Self::new(entries)
    }
}
