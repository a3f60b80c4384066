//! What [`reconcile`](crate::reconcile) decides: changes, conflicts and problems, all of them data.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Dot;
use crate::ids::FileId;
use crate::tree::{Name, NodeId, Object, StoreKey};

/// A place in the work folder: a name in a directory that is itself an object (or the root).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The directory.
    pub parent: FileId,
    /// The shown name, which differs from the object's own where names clash (engine rule 12).
    pub name: Name,
}

/// Where a published version's payload comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nothing: directories, symbolic links, tombstones.
    Empty,
    /// Read and hashed from this node of the work tree.
    Work(NodeId),
    /// The payload of this version of the same object, kept as it is where its file key may be kept.
    Keep(StoreKey),
    /// Opened from this version of another object, sealed anew (a conflict copy).
    Reseal(StoreKey),
}

/// A version to be written into the encrypted folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Its payload.
    pub source: Source,
    /// The files that it replaces: those that the plan saw for this object. All but the one that carries the
    /// object's own name go to the trash afterwards.
    pub replaces: Vec<StoreKey>,
}

/// A change of the work folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkChange {
    /// Make the object here, from the encrypted folder.
    Create {
        /// Where.
        at: Place,
    },
    /// Change an entry that is there.
    Update {
        /// The entry.
        node: NodeId,
        /// Where it moves, if it does.
        to: Option<Place>,
        /// Replace its content with the encrypted folder's.
        content: bool,
        /// Set `modified` and the executable bit.
        metadata: bool,
    },
    /// Move an entry aside, because others wait for its place and it waits for theirs, or because it is a reader's own
    /// and the object needs the place. Base takes nothing of this change. The next plan moves the entry to where it
    /// belongs; a reader's own stays.
    Park {
        /// The entry.
        node: NodeId,
        /// Where it goes.
        to: Place,
    },
    /// Move an entry to the trash.
    Trash {
        /// The entry.
        node: NodeId,
    },
}

/// Everything to be done for one object. `base` takes `target` only when every part is done (and never of a
/// [`Park`](WorkChange::Park)); a change without parts is for `base` alone ("adopt").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What both sides will agree on. A file's digest is `None` while its content has yet to be read.
    pub target: Arc<Object>,
    /// The part in the encrypted folder, done first.
    pub publish: Option<Publish>,
    /// The part in the work folder.
    pub work: Option<WorkChange>,
    /// The work entry that shows the object now, if any: its stamp becomes base's.
    pub node: Option<NodeId>,
}

/// Two contents were both kept (engine rules 9 and 13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The object that keeps its id with the winning content.
    pub winner: FileId,
    /// The conflict copy.
    pub copy: FileId,
    /// The event that made the losing content.
    pub losing: Dot,
}

/// Why one object or path is not in order. The text for people is made where it is shown. States keep classes by their
/// place in this list: new ones come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemClass {
    /// A ciphertext that is not whole yet, or not parsable yet (engine rule 5).
    StillArriving,
    /// A ciphertext that will not become whole by itself.
    Damaged,
    /// Written by a newer version of Ensafer.
    NewerVersion,
    /// Belongs to another folder.
    Foreign,
    /// No envelope in it is for this account.
    NotARecipient,
    /// Signed by nobody who may write here.
    UnknownSigner,
    /// The file name belongs to another object than the header.
    Misnamed,
    /// An older version than one already seen (engine rule 9).
    RolledBack,
    /// Vanished from the encrypted folder without a tombstone.
    Missing,
    /// Two different statements with equal clocks.
    Inconsistent,
    /// The directory that holds it has not arrived.
    UnknownParent,
    /// A file or directory of the work folder that may not be read.
    Unreadable,
    /// A name that is not UTF-8 or not portable, or equal to another's under the file system's folding.
    BadName,
    /// A socket, pipe or device.
    Unsupported,
    /// Another file system is mounted inside the work folder.
    NestedMount,
    /// Writing failed: no space left.
    DiskFull,
    /// Writing failed otherwise.
    Failed,
    /// Signed by somebody who may not write here any more, and nothing says that it was written before.
    FormerMember,
    /// The account was removed from the folder.
    NotAMember,
    /// Admins removed each other: the owner decides.
    Disputed,
    /// A reader's own: new, changed or kept in a folder that this account may only read.
    ReadOnly,
    /// The same of a guest, whose invitation is not completed yet.
    NotYetAMember,
}

impl ProblemClass {
    /// Whether it is about the folder's members, and keeps the folder as a whole from being synced here.
    #[must_use]
    pub const fn shuts(self) -> bool {
        matches!(self, Self::NotAMember | Self::Disputed)
    }
}

/// One object or path that is not in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// Its class.
    pub class: ProblemClass,
    /// What it is about.
    pub subject: Subject,
    /// Details for people, such as the system's own error; empty where the class says all.
    pub detail: String,
}

/// What a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A file of the encrypted folder.
    Object(StoreKey),
    /// A path below the work folder, components joined by `/`.
    Path(String),
}

/// What reconcile decided.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What to do, in this order. A change whose [`target.parent`](Object::parent) is the target of an earlier change
    /// that could not be done is not to be done either: nobody would know the directory that it lies in.
    pub changes: Vec<Change>,
    /// Nodes whose digest is needed before more can be decided: hash them and reconcile again.
    pub hash: Vec<NodeId>,
    /// Contents that both were kept.
    pub conflicts: Vec<Conflict>,
    /// What is not in order.
    pub problems: Vec<Problem>,
    /// Objects absent from the work folder, the second observation outstanding (engine rule 1).
    pub absent: Vec<FileId>,
    /// Objects that vanished from the encrypted folder, or were rolled back: published again only when the policy
    /// says so (engine rules 9 and 19). Empty for readers, who only report them.
    pub lost: Vec<FileId>,
    /// Files of the encrypted folder that say nothing which their object's own file does not say: to the trash.
    pub surplus: Vec<StoreKey>,
    /// The entries that now show the directories which the changes name as [`Place::parent`]. A directory that is
    /// not among them is made by an earlier change of this plan; the root is never listed.
    pub directories: HashMap<FileId, NodeId>,
    /// Look again no later than this: something has not rested, or is absent only once.
    pub look_again: Option<Duration>,
    /// How many counters the plan used, from `policy.next_counter` on.
    pub counters_used: u64,
}

impl Plan {
    /// Asks to be looked at again after `wait` at the latest.
    pub fn look_again_in(&mut self, wait: Duration) {
        self.look_again = Some(self.look_again.map_or(wait, |before| before.min(wait)));
    }

    /// Whether both sides agree and nothing is outstanding. Problems do not count.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.changes.is_empty()
            && self.hash.is_empty()
            && self.surplus.is_empty()
            && self.look_again.is_none()
    }
}
