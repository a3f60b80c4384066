//! The three trees that [`reconcile`](crate::reconcile) compares.
//!
//! The **encrypted tree** and the **base tree** are keyed by [`FileId`]; the **work tree** is what a scan saw: nodes
//! under their parents, each by its name. Objects refer to their parent by id, so a directory's move is one change.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::clock::{Clock, Dot};
use crate::ids::{Digest, FileId};
use crate::time::Timestamp;

/// One plain path component, 1 to 255 bytes of UTF-8: neither `.` nor `..`, without `/` and NUL. Kept as found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// The text is not one plain path component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, `.` or `..`.
    #[error("a name is neither empty nor `.` nor `..`")]
    Special,
    /// More than 255 bytes.
    #[error("a name has at most 255 bytes")]
    TooLong,
    /// Contains `/`, `\` or NUL.
    #[error("a name contains no `/`, `\\` or NUL")]
    Separator,
}

impl Name {
    /// Most bytes that a name may have; file systems' own limit.
    pub const MAX_BYTES: usize = 255;

    /// Checks and keeps `text`.
    pub fn new(text: &str) -> Result<Self, NameError> {
        match text {
            "" | "." | ".." => Err(NameError::Special),
            _ if text.len() > Self::MAX_BYTES => Err(NameError::TooLong),
            _ if text.contains(['/', '\\', '\0']) => Err(NameError::Separator),
            _ => Ok(Self(text.into())),
        }
    }

    /// The name as found.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which two names are the same to a file system that folds as `folding` says.
    #[must_use]
    pub fn folded(&self, folding: Folding) -> Self {
        match folding {
            Folding::Exact => self.clone(),
            Folding::Normalised if is_nfc(&self.0) => self.clone(),
            Folding::Normalised => Self(self.0.nfc().collect::<String>().into()),
            Folding::CaseInsensitive => {
                Self(self.0.nfc().flat_map(char::to_lowercase).nfc().collect::<String>().into())
            }
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Which names a file system takes for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Folding {
    /// Only equal bytes (Linux).
    #[default]
    Exact,
    /// Equal after NFC (a case-sensitive macOS volume).
    Normalised,
    /// Equal after NFC and lower-casing (macOS, Windows, ext4 with casefold).
    CaseInsensitive,
}

/// What an object is, said without its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A regular file.
    File {
        /// Bytes of plaintext.
        size: u64,
        /// BLAKE3 of the plaintext; `None` only in a plan, for what apply has yet to read.
        digest: Option<Digest>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored: never resolved.
        target: Arc<str>,
    },
    /// A deleted object (engine rule 11). It keeps its name and parent.
    Tombstone {
        /// What was deleted.
        was: Kind,
        /// Bytes of plaintext that it had.
        size: u64,
        /// BLAKE3 of the plaintext that it had (files only).
        digest: Option<Digest>,
    },
}

impl Content {
    /// What this is, or was before it was deleted.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::File { .. } => Kind::File,
            Self::Directory => Kind::Directory,
            Self::Symlink { .. } => Kind::Symlink,
            Self::Tombstone { was, .. } => *was,
        }
    }

    /// Whether this is a deleted object.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        matches!(self, Self::Tombstone { .. })
    }

    /// Whether both hold the same bytes, target, or nothing. Unknown digests are never the same; times and the
    /// executable bit do not count.
    #[must_use]
    pub fn same_bytes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { digest: Some(a), .. }, Self::File { digest: Some(b), .. }) => a == b,
            (Self::Directory, Self::Directory) => true,
            (Self::Symlink { target: a }, Self::Symlink { target: b }) => a == b,
            (Self::Tombstone { .. }, Self::Tombstone { .. }) => true,
            _ => false,
        }
    }
}

/// One version of one object: what a signed statement says, without its cryptography.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The object.
    pub id: FileId,
    /// Its directory; the folder's [root](crate::ids::FolderId::root) for entries at the top.
    pub parent: FileId,
    /// Its name there.
    pub name: Name,
    /// What it holds.
    pub content: Content,
    /// When its content was last changed, by the writer's file system.
    pub modified: Timestamp,
    /// When it was made, by the writer's file system.
    pub created: Timestamp,
    /// Readable text about it.
    pub description: Option<Arc<str>>,
    /// What this version has seen.
    pub clock: Clock,
    /// The event that last changed content, `modified` or the executable bit.
    pub content_dot: Dot,
    /// The event that last changed name, parent or description.
    pub place_dot: Dot,
    /// Person and device that signed this version, as the names of conflict copies and of files whose names clash show them
    /// (`alice, laptop`). All devices make those names, so what a device publishes is by itself, in its own base too.
    pub author: Arc<str>,
}

/// What the file system says of an entry. Equal stamps mean "unchanged" (engine rule 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Bytes; 0 for what is not a regular file.
    pub size: u64,
    /// Last change of the content.
    pub modified: Timestamp,
    /// Last change of the inode, 0 where unknown.
    pub changed: Timestamp,
    /// Birth, where the file system knows it.
    pub born: Option<Timestamp>,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
}

/// Index of a node of one [`WorkTree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What a scan found in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File {
        /// Whether its owner may execute it; `None` where the file system does not keep that (FAT, many network drives): the
        /// entry neither changes the bit of its object nor lacks it.
        executable: Option<bool>,
    },
    /// A directory; `complete` only if its listing ended without an error and lies on the root's device.
    Directory {
        /// Whether "not listed" means "not there".
        complete: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: Arc<str>,
    },
    /// Something is there that could not be looked at, or that cannot be synced: present, otherwise unknown.
    Unknown,
}

/// One entry of the work folder.
#[derive(Debug, Clone)]
pub struct Node {
    /// The directory that holds it; the root is its own parent.
    pub parent: NodeId,
    /// Its name there.
    pub name: Name,
    /// What it is.
    pub kind: NodeKind,
    /// What the file system says of it.
    pub stamp: Stamp,
    /// Number of hard links.
    pub links: u64,
    /// Whether it has rested long enough to be read (engine rule 4).
    pub rested: bool,
    /// BLAKE3 of the content that belongs to `stamp`, where it was asked for.
    pub digest: Option<Digest>,
}

/// What a scan of the work folder saw. Node 0 is the root; parents come before their children.
#[derive(Debug, Clone)]
pub struct WorkTree {
    /// Every node; a [`NodeId`] indexes it.
    pub nodes: Vec<Node>,
    /// When the scan began.
    pub scanned: Timestamp,
}

impl WorkTree {
    /// The root's index.
    pub const ROOT: NodeId = NodeId(0);

    /// The node at `id`.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Every node but the root, with its index, parents before children.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0u32..).map(NodeId).zip(&self.nodes).skip(1)
    }

    /// For every node its children, in scan order.
    #[must_use]
    pub fn children(&self) -> Vec<Vec<NodeId>> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.iter() {
            children[node.parent.0 as usize].push(id);
        }
        children
    }

    /// The path below the root, components joined by `/`; empty for the root.
    #[must_use]
    pub fn path(&self, id: NodeId) -> String {
        let mut components = Vec::new();
        let mut at = id;
        while at != Self::ROOT {
            let node = self.node(at);
            components.push(node.name.as_str());
            at = node.parent;
        }
        components.reverse();
        components.join("/")
    }
}

/// Name of an object's file in the encrypted folder, relative to it: usually `<hex>.ensafer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreKey(pub Arc<str>);

impl StoreKey {
    /// Whether this is the name that objects with `id` are written under, not one that a cloud client gave a copy.
    #[must_use]
    pub fn is_own_of(&self, id: FileId) -> bool {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".ensafer").is_some_and(|stem| stem.parse() == Ok(id))
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One readable, verified version in the encrypted folder.
#[derive(Debug, Clone)]
pub struct Version {
    /// What its statement says.
    pub object: Arc<Object>,
    /// Where it lies.
    pub key: StoreKey,
}

/// What the encrypted folder holds, as far as it could be verified.
#[derive(Debug, Clone, Default)]
pub struct EncryptedTree {
    /// The versions of each object: one, or more where a cloud client made copies.
    pub versions: HashMap<FileId, Vec<Version>>,
    /// Objects of which some file cannot be read or verified at present: nothing is planned for them.
    pub unknown: HashSet<FileId>,
    /// Whether the listing ended without an error, so that "not listed" means "not there".
    pub complete: bool,
}

/// What both sides last agreed on for one object.
#[derive(Debug, Clone)]
pub struct BaseEntry {
    /// The version.
    pub object: Arc<Object>,
    /// The work folder's entry that belonged to it; `None` for tombstones and for what is not shown.
    pub work: Option<WorkStamp>,
}

/// A work entry as it was when base was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStamp {
    /// What the file system said.
    pub stamp: Stamp,
    /// Its content was changed less than 2 s before it was looked at: hash again before trusting `stamp` (rule 2).
    pub racy: bool,
}

/// The last state on which both sides agreed.
#[derive(Debug, Clone, Default)]
pub struct BaseTree {
    /// By object; tombstones are kept.
    pub entries: HashMap<FileId, BaseEntry>,
}
