//! Readers: the work folder shows what the encrypted folder holds, and nothing is published.
//!
//! What a reader writes is its **own**: an entry that shows no object. It stays where it is and is reported, and makes
//! way under a conflict name where the encrypted folder needs its place. An edited file is no longer its object's: it
//! becomes the reader's own, and the object is made anew. So there is nothing to merge, and a reader's base has only
//! what the encrypted folder says. A reader that becomes a writer finds its own entries new, and publishes them.
//!
//! # Several versions
//! The merged version is shown at once, as writers are going to publish it. The losers need not be kept first, as no
//! version goes by what a reader does; and where no writer is awake, waiting for their copies would never end. Base takes
//! the merged version with the clock of the version whose content it has, because no statement says yet that somebody
//! has seen them all: a reader that becomes a writer still has to make the copies.
//!
//! A version that base has and the encrypted folder no longer, since a cloud whose last writer wins has put a concurrent
//! one in its place, is its writer's to merge. Here it only goes to the trash. If this device wrote it, as it still
//! could, it is kept as the reader's own.

use std::collections::HashSet;
use std::sync::Arc;

use super::Ids;
use super::arrange::{Arrangement, Step, target};
use super::decide::{
    Side, adopted_lacks, differs_in_words, encrypted_side, is_dressed, is_unread, lacks, problem,
    report_lost, take,
};
use super::merge::agree;
use super::slots::{Decision, Lacks, Local, PENDING, Slot, Slots};
use crate::layout::{NONE, ROOT};
use crate::plan::{Change, Place, Plan, ProblemClass, Subject, WorkChange};
use crate::suffix::{Detail, suffixed};
use crate::tree::{Kind, Name, NodeId, Object};

/// Lets the object at `at` be what the encrypted folder says.
pub(super) fn follow(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    let slot = slots.get(at);
    if slot.local == Local::Held {
        return Decision::Hold;
    }
    match encrypted_side(slots, slot, plan) {
        Side::Uncertain => Decision::Hold,
        Side::Lost | Side::Gone => leave(slots, at, plan),
        Side::Untouched | Side::Moved => show(slots, at, plan),
    }
}

/// What the encrypted folder says of an object, as one version.
fn said(slot: &Slot<'_>) -> Option<Arc<Object>> {
    let merged = &slot.remote.as_ref()?.object;
    if slot.versions.iter().any(|version| agree(&version.object, merged)) {
        return Some(merged.clone());
    }
    let has_content = slot.versions.iter().filter(|version| version.object.content_dot == merged.content_dot);
    let clock = has_content.min_by_key(|version| &version.key)?.object.clock.clone();
    Some(Arc::new(Object { clock, ..Object::clone(merged) }))
}

fn show(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    let slot = slots.get(at);
    let Some(said) = said(slot) else { return Decision::Hold };
    let base = slot.base.map(|base| base.object.clone());
    let lacks = match (&slot.local, &base) {
        (Local::Adopted, _) => adopted_lacks(slots, slot, &said),
        (Local::Same { .. } | Local::Changed(_), Some(base)) => match holding(slots, slot, base, &said) {
            Holding::Folders(lacks) => lacks,
            Holding::Own => {
                slots.release(at);
                Lacks::Content
            }
            Holding::Unread => {
                if let Some(node) = slot.node {
                    slots.want_digest(node, plan);
                }
                return Decision::Hold;
            }
        },
        _ => Lacks::Content,
    };
    let is_known = base.is_some_and(|base| agree(&said, &base) && !differs_in_words(&said, &base));
    match slots.get(at).local {
        Local::None | Local::Absent | Local::Same { restamped: false, .. } if is_known => Decision::Keep,
        _ => take(said, None, lacks),
    }
}

/// What is in an entry that shows an object.
enum Holding {
    /// Something that the folder has or had; it lacks so much to be what the encrypted folder says.
    Folders(Lacks),
    /// What somebody wrote here and the encrypted folder does not have.
    Own,
    /// Only its digest can tell.
    Unread,
}

fn holding(slots: &Slots<'_>, slot: &Slot<'_>, base: &Object, said: &Object) -> Holding {
    if base.content.kind() == Kind::Directory {
        return Holding::Folders(Lacks::Nothing);
    }
    let changed = slot.local.delta().content.map(|(content, _)| content);
    let content = changed.as_ref().unwrap_or(&base.content);
    if is_unread(content, &said.content) {
        return Holding::Unread;
    }
    if content.same_bytes(&said.content) {
        return Holding::Folders(match (&changed, slot.node) {
            (Some(_), Some(node)) if is_dressed(slots, node, said) => Lacks::Nothing,
            (Some(_), _) => Lacks::Metadata,
            (None, _) => lacks(slots, slot, base, said),
        });
    }
    let is_seen = || slot.versions.iter().any(|version| version.object.clock.covers(base.content_dot));
    let is_bases = changed.is_none() || content.same_bytes(&base.content);
    if is_bases && (base.content_dot.device != slots.policy.device || is_seen()) {
        let is_gone = said.content.is_tombstone();
        return Holding::Folders(if is_gone { Lacks::Nothing } else { Lacks::Content });
    }
    Holding::Own
}

/// Reports an object that vanished or was rolled back, and leaves what the work folder has of it. Only the place that the
/// layout gives it counts, so that it is in nobody's way.
fn leave(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    report_lost(slots, at, plan);
    let slot = slots.get(at);
    let Some(base) = slot.base.filter(|_| slot.node.is_some()) else { return Decision::Hold };
    match &slot.local {
        Local::Changed(delta) if delta.content.is_some() => {
            slots.release(at);
            Decision::Hold
        }
        Local::Changed(_) | Local::Same { restamped: true, .. } => {
            take(base.object.clone(), None, Lacks::Nothing)
        }
        Local::Same { .. } => Decision::Keep,
        _ => Decision::Hold,
    }
}

/// Moves aside the reader's own entries at whose places objects are to show.
pub(super) fn evict(arrangement: &mut Arrangement<'_, '_>, ids: &mut Ids<'_>) -> Vec<Change> {
    if arrangement.own.is_empty() {
        return Vec::new();
    }
    let slots = arrangement.slots;
    let mut taken: HashSet<(NodeId, Name)> = slots.work.iter().map(|(_, node)| slots.place(node)).collect();
    let mut evictions = Vec::new();
    for at in (0u32..).take(slots.all.len()) {
        let Step::Work(WorkChange::Create { at: place } | WorkChange::Update { to: Some(place), .. }) =
            &arrangement.steps[at as usize]
        else {
            continue;
        };
        let parent = arrangement.positions.parent(at);
        let Some(directory) = arrangement.entry(parent) else { continue };
        let key = (directory, place.name.folded(slots.policy.folding));
        let Some(&node) = arrangement.own.get(&key) else { continue };
        let is_free = |name: &Name| {
            arrangement.positions.child(parent, name).is_none()
                && !taken.contains(&(directory, name.folded(slots.policy.folding)))
        };
        let to = conflict_name(slots, node, is_free, ids).map(|name| Place { parent: place.parent, name });
        match (to, target(slots.get(at))) {
            (Some(to), Some(object)) => {
                taken.insert((directory, to.name.folded(slots.policy.folding)));
                let work = Some(WorkChange::Park { node, to });
                let target = Arc::new(object.clone());
                evictions.push(Change { target, publish: None, work, node: Some(node) });
            }
            _ => arrangement.steps[at as usize] = Step::Blocked,
        }
    }
    evictions
}

/// A free name that says whose the entry is. The id in it is no object's, so that it is never taken for one.
fn conflict_name(
    slots: &Slots<'_>,
    node: NodeId,
    is_free: impl Fn(&Name) -> bool,
    ids: &mut Ids<'_>,
) -> Option<Name> {
    let (node, id) = (slots.node(node), (ids.fresh)());
    let name = |detail| suffixed(&node.name, &slots.policy.author, node.stamp.modified, id, detail);
    Detail::ALL.into_iter().map(name).find(is_free)
}

/// Reports the reader's own entries, but not what lies in them.
pub(super) fn report(slots: &Slots<'_>, plan: &mut Plan) {
    for (id, node) in slots.work.iter() {
        let parent = slots.slot_of(node.parent);
        if slots.slot_of(id) == NONE && (parent < PENDING || parent == ROOT) {
            let path = slots.work.path(id);
            plan.problems.push(problem(ProblemClass::ReadOnly, Subject::Path(path)));
        }
    }
}
