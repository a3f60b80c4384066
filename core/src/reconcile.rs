//! Decides what both sides lack: `(base, work, encrypted, policy) → Plan`. No I/O, no clock; engine rules 1–3 and 8–14.
//!
//! One pass, in this order:
//! 1. `join`: which entry of the work folder is which object of base (rules 2, 3).
//! 2. `adopt`: which new entry is an object that only the encrypted folder has so far (rule 10).
//! 3. `local`: what happened to each object in the work folder since base (rules 1, 2).
//! 4. `decide`: what happened in the encrypted folder, and what both together come to (rules 9, 11, 13; `merge`); or, for
//!    those who may not publish, what the encrypted folder says (`readers`).
//! 5. `arrange`: where everything shows, and which steps lead there (rule 12).
//!
//! # How no edit is lost
//! A content in the work folder is overwritten only when the version that takes its place has seen it, or when its
//! conflict copy is in the store. Hence conflicts take two plans: the first only publishes the copy and leaves the
//! object alone, the second, which sees the copy, merges. A crash between them costs nothing.
//!
//! A local edit that has no statement yet gets a dot above every dot of the versions that it meets. So it always
//! keeps the id, and what loses is always a published version with a fixed dot, of which every device, in whatever
//! round, makes the same copy.
//!
//! # Readers
//! Without [`Policy::may_publish`] a plan has no publication, no surplus, no lost object, and uses no counter. The work
//! folder is brought to what the encrypted folder says. What was moved here goes back, what was deleted here is made again
//! (after rule 1's two observations), and times and executable bits are set back. What the encrypted folder does not have
//! stays, is the reader's **own**, and is one [`ReadOnly`](crate::plan::ProblemClass::ReadOnly) problem for each topmost
//! entry: new entries, edited files, and deleted directories that such things lie in. It makes way under a conflict name
//! where an object needs its place. Whoever may publish again finds it new, and publishes it.
//!
//! # What apply owes
//! - `next_counter + counters_used` is committed before anything else (rule 18).
//! - A change is left out if what it meets is not what the plan saw: a work entry (its stamp, name and directory), a
//!   store file that it replaces, keeps or reseals, a place that is taken, a directory to be trashed that is not
//!   empty. So is a change whose `target.parent` belongs to a change that was left out. Then plan again.
//! - Base takes `target`, with the digest of what was read, and the stamp of the entry as the plan saw it or as apply
//!   left it, never a newer one: an edit made meanwhile must still differ from base.
//! - [`Park`](crate::plan::WorkChange::Park) leaves base alone.

mod adopt;
mod arrange;
mod decide;
mod join;
mod local;
mod merge;
mod readers;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use local::same_stamp;

use crate::clock::Dot;
use crate::ids::{DeviceId, FileId};
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::tree::{BaseTree, EncryptedTree, Folding, WorkTree};

/// What a plan depends on besides the three trees.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// The id that entries at the top name as their parent.
    pub root: FileId,
    /// This device.
    pub device: DeviceId,
    /// Whether this device may write into the encrypted folder; readers may not, and only follow it.
    pub may_publish: bool,
    /// Person and device, as conflict copies name them (`alice, laptop`).
    pub author: Arc<str>,
    /// Now: the modification time of tombstones.
    pub now: Timestamp,
    /// The smallest counter that this device has not used. A plan may use counters far above it, because a local
    /// edit counts above what it meets: commit `next_counter + Plan::counters_used` durably before applying.
    pub next_counter: u64,
    /// How the work folder's file system compares names.
    pub folding: Folding,
    /// Whether inode numbers mean something there: not on NFS, SMB, FUSE and FAT.
    pub stable_inodes: bool,
    /// How long a file must rest before it is read; only for [`Plan::look_again`].
    pub settle: Duration,
    /// When each object of the previous plan's [`Plan::absent`] was first found absent.
    pub absent_since: &'a HashMap<FileId, Timestamp>,
    /// Objects of [`Plan::lost`], or of which the encrypted file is damaged, that may be published again as base
    /// has them (rules 9, 19). Ignored for an object of which a readable version has seen what base has not, and for all
    /// of them where nothing may be published.
    pub republish: &'a HashSet<FileId>,
    /// Descriptions that the user has set and that are not published yet.
    pub descriptions: &'a HashMap<FileId, Option<Arc<str>>>,
}

/// Makes the ids that a plan needs.
pub struct Ids<'a> {
    /// A random id for a new object.
    pub fresh: &'a mut dyn FnMut() -> FileId,
    /// The id of the conflict copy of an object's content that a dot names: the same on every device (rule 13).
    pub copy: &'a dyn Fn(FileId, Dot) -> FileId,
}

/// Time between two observations that make an entry absent (rule 1).
pub const ABSENT_AFTER: Duration = Duration::from_secs(2);

/// Versions with a counter above this are refused as inconsistent, so that a local edit can always count above what
/// it meets.
pub const MAX_COUNTER: u64 = 1 << 60;

/// Compares the three trees and says what to do.
///
/// The plan is complete only when [`Plan::hash`] is empty: else hash those nodes, and call again. Whatever is
/// uncertain is left out of the plan, so what is in it may always be done.
#[must_use]
pub fn reconcile(
    base: &BaseTree,
    work: &WorkTree,
    encrypted: &EncryptedTree,
    policy: &Policy<'_>,
    ids: &mut Ids<'_>,
) -> Plan {
    let mut plan = Plan::default();
    let mut slots = slots::Slots::new(base, work, encrypted, policy);
    join::join(&mut slots, &mut plan);
    adopt::adopt(&mut slots, &mut plan, ids);
    local::compare(&mut slots, &mut plan);
    decide::decide(&mut slots, &mut plan, ids);
    arrange::arrange(&mut slots, &mut plan, ids);
    if !policy.may_publish {
        readers::report(&slots, &mut plan);
    }
    plan
}
