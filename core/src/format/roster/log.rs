//! The append-only log: entries that follow one another, and the union of two such logs.

use std::collections::{HashMap, HashSet};

use super::entry::{Entry, EntryHash, FolderLayout, MAX_PREV, Operation, SignedEntry};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{ContentHasher, Signature, SigningKey};
use crate::ids::{FolderId, GroupId, StatementHash};

/// Most entries of a log.
pub const MAX_ENTRIES: usize = 4096;
/// Hashed before the heads of a log.
const HEAD_LABEL: &[u8] = b"ensafer/v1/roster-head\0";

/// How two logs of one folder or group relate.
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

impl LogOrder {
    /// By whether this has all of the other, and the other all of this.
    pub(crate) const fn of(has_all: bool, is_all_had: bool) -> Self {
        match (has_all, is_all_had) {
            (true, true) => Self::Same,
            (true, false) => Self::Ahead,
            (false, true) => Self::Behind,
            (false, false) => Self::Diverged,
        }
    }
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
    /// [`Malformed`] where they are not one folder's or group's, out of order, too many, without their causes, not begun
    /// by the one key that the id comes from, or of a folder in a group's log or the other way round.
    pub(crate) fn new(entries: Vec<SignedEntry>) -> Result<Self, Malformed> {
        check(entries.len() <= MAX_ENTRIES && entries.is_sorted_by(|a, b| a.position() < b.position()))?;
        let first = entries.first().ok_or(Malformed)?;
        let Operation::Create { owner, nonce, epoch, layout, .. } = &first.entry.operation else {
            return Err(Malformed);
        };
        let creator = first.entry.signer;
        let folder = first.entry.folder;
        check(first.entry.seq == 0 && first.entry.prev.is_empty() && *epoch == 1)?;
        let is_group = *layout == FolderLayout::Group;
        // The ids of folders and groups are derived under labels of their own.
        let id = if is_group { creator.group_id(nonce).as_folder() } else { creator.folder_id(nonce) };
        check(owner.bundle().identity == creator && id == folder)?;
        check(entries.iter().all(|entry| entry.entry.operation.is_of(is_group)))?;
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

    /// The group, if it is the log of one.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        match &self.entries[0].entry.operation {
            Operation::Create { layout: FolderLayout::Group, .. } => Some(GroupId::of_folder(self.folder())),
            _ => None,
        }
    }

    /// Whether each of these entries is here.
    pub(crate) fn has(&self, entries: &[EntryHash]) -> bool {
        let mine: HashSet<_> = self.entries.iter().map(|e| e.hash).collect();
        entries.iter().all(|hash| mine.contains(hash))
    }

    /// Whether `entry` is one of `heads`, or one that they follow.
    pub(crate) fn reaches(&self, heads: &[EntryHash], entry: EntryHash) -> bool {
        self.reached(heads).contains(&entry)
    }

    /// `heads`, and what they follow.
    pub(crate) fn reached(&self, heads: &[EntryHash]) -> HashSet<EntryHash> {
        let mut reached: HashSet<_> = heads.iter().copied().collect();
        // Causes come before effects: from the end, every follower is met before what it follows.
        for SignedEntry { entry, hash, .. } in self.entries.iter().rev() {
            if reached.contains(hash) {
                reached.extend(&entry.prev);
            }
        }
        reached
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
        LogOrder::of(self.has_all_of(other), other.has_all_of(self))
    }

    /// Those of its entries that `heads` are or follow, with their causes; `None` where it has none of them.
    pub(crate) fn until(&self, heads: &[EntryHash]) -> Option<Self> {
        let reached = self.reached(heads);
        let entries: Vec<_> = self.entries.iter().filter(|e| reached.contains(&e.hash)).cloned().collect();
        Self::new(entries).ok()
    }

    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
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
    /// strangers add bars nobody from writing. Of more than [`MAX_PREV`], the newest; but people's own leaving, which always
    /// counts and of which one person can sign any number, only as far as there is room.
    pub(crate) fn next_prev(&self, void: &[EntryHash]) -> Vec<EntryHash> {
        let void: HashSet<_> = void.iter().collect();
        let sound = || self.entries.iter().filter(|entry| !void.contains(&entry.hash));
        let followed: HashSet<_> = sound().flat_map(|entry| &entry.entry.prev).collect();
        let ends = sound().filter(|entry| !followed.contains(&entry.hash));
        // In the order of the log: the newest come last.
        let (leavings, others): (Vec<_>, Vec<_>) = ends.partition(|entry| entry.is_leaving());
        let mut prev: Vec<_> = leavings.iter().chain(&others).map(|entry| entry.hash).collect();
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
