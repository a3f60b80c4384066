//! New entries of the work folder: which of them the encrypted folder already has (engine rule 10), and an id for
//! each of the others.

use std::collections::{HashMap, HashSet};

use super::slots::{Decision, Local, PENDING, Slot, Slots};
use super::{ABSENT_AFTER, Ids};
use crate::clock::Order;
use crate::ids::FileId;
use crate::layout::{NONE, Positions, ROOT, position};
use crate::plan::Plan;
use crate::tree::{Content, Kind, Name, Node, NodeId, NodeKind, Object};

pub(super) fn adopt(slots: &mut Slots<'_>, plan: &mut Plan, ids: &mut Ids<'_>) {
    let open: Vec<NodeId> =
        slots.work.iter().map(|(id, _)| id).filter(|&id| slots.slot_of(id) == NONE).collect();
    if open.is_empty() {
        return;
    }
    let offers = Offers::new(slots);
    let blind = !slots.encrypted.complete && slots.all.iter().all(|slot| slot.base.is_none());
    for id in open {
        let parent = slots.slot_of(slots.node(id).parent);
        if slots.slot_of(id) != NONE || (parent >= PENDING && parent != ROOT) {
            continue;
        }
        match offers.of(slots, parent, slots.node(id)) {
            Offer::Same(at) => {
                slots.link(id, at);
                slots.get_mut(at).local = Local::Adopted;
            }
            Offer::Unread(rivals) => {
                slots.want_digest(id, plan);
                slots.suspend(id);
                for at in rivals {
                    slots.get_mut(at).local = Local::Held;
                }
            }
            // Without base and without a whole listing, nobody knows what is new.
            Offer::None if blind => slots.suspend(id),
            // What was here is of another kind and not certainly gone: it would be a rival, and the entry be renamed.
            Offer::None if awaits_absence(slots, parent, id) => {
                slots.suspend(id);
                plan.look_again_in(ABSENT_AFTER);
            }
            Offer::None => make_new(slots, id, plan, ids),
        }
    }
}

/// Whether base shows something at the place of `node` that the work folder had, and that was not seen anywhere. What was
/// deleted elsewhere, too, is not waited for, nor a deleted directory that only showed for what lay in it: nobody observes
/// its absence.
fn awaits_absence(slots: &Slots<'_>, parent: u32, node: NodeId) -> bool {
    let earlier = slots.shown.child(parent, &slots.node(node).name).map(|at| slots.get(at));
    earlier.is_some_and(|slot| {
        let was_here =
            slot.base.is_some_and(|base| base.work.is_some() && !base.object.content.is_tombstone());
        let since = slots.policy.absent_since.get(&slot.id);
        let is_gone = since.is_some_and(|&since| slots.work.scanned.since(since) >= ABSENT_AFTER);
        slot.node.is_none() && was_here && !is_gone && !slot.was_deleted_elsewhere()
    })
}

fn make_new(slots: &mut Slots<'_>, node: NodeId, plan: &mut Plan, ids: &mut Ids<'_>) {
    match slots.node(node).kind {
        NodeKind::Unknown => return slots.suspend(node),
        NodeKind::File { .. } if !slots.node(node).rested => {
            slots.suspend(node);
            return plan.look_again_in(slots.policy.settle);
        }
        // Of no object, now and at every plan: a reader's own.
        _ if !slots.policy.may_publish => return,
        _ => {}
    }
    let at = position(slots.all.len());
    let id = (ids.fresh)();
    slots.all.push(Slot {
        id,
        base: None,
        versions: &[],
        remote: None,
        node: None,
        local: Local::New,
        decision: Decision::Keep,
    });
    slots.index.insert(id, at);
    slots.link(node, at);
}

/// What the encrypted folder has for an entry.
enum Offer {
    None,
    /// The very same.
    Same(u32),
    /// Perhaps one of these: only the entry's digest can tell.
    Unread(Vec<u32>),
}

/// What is in the encrypted folder and not in the work folder.
struct Offers {
    /// Where it would show. `None` where there is nothing.
    shown: Option<Positions>,
    /// Tombstones that base does not know, by directory and folded name.
    tombstones: HashMap<(FileId, Name), Vec<u32>>,
    /// Directories in which such tombstones lie.
    mourning: HashSet<FileId>,
}

impl Offers {
    fn new(slots: &Slots<'_>) -> Self {
        let is_offer = |slot: &Slot<'_>| {
            slot.node.is_none() && slot.base.is_none_or(|base| base.work.is_none()) && slot.remote.is_some()
        };
        let mut offers = Self { shown: None, tombstones: HashMap::new(), mourning: HashSet::new() };
        if !slots.all.iter().any(is_offer) {
            return offers;
        }
        let objects: Vec<Option<&Object>> = slots.all.iter().map(expected).collect();
        offers.shown = Some(Positions::new(&objects, &slots.index, slots.policy.root, slots.policy.folding));
        for (slot, at) in slots.all.iter().zip(0u32..) {
            let Some(remote) = slot.remote.as_ref().filter(|_| slot.base.is_none()) else { continue };
            if remote.object.content.is_tombstone() {
                let object = &remote.object;
                let key = (object.parent, object.name.folded(slots.policy.folding));
                offers.tombstones.entry(key).or_default().push(at);
                offers.mourning.insert(object.parent);
            }
        }
        offers
    }

    fn of(&self, slots: &Slots<'_>, parent: u32, node: &Node) -> Offer {
        let Some(shown) = &self.shown else { return Offer::None };
        if let Some(at) = shown.child(parent, &node.name) {
            let slot = slots.get(at);
            let is_free = slot.node.is_none() && slot.base.is_none_or(|base| base.work.is_none());
            if let Some(object) = expected(slot).filter(|_| is_free) {
                match likeness(node, object) {
                    Some(true) => return Offer::Same(at),
                    None => return Offer::Unread(vec![at]),
                    Some(false) => {}
                }
            }
        }
        self.tombstone_of(slots, parent, node)
    }

    /// A tombstone that base does not know, of what `node` is: it was deleted while this device's state was lost, or
    /// before this device joined.
    fn tombstone_of(&self, slots: &Slots<'_>, parent: u32, node: &Node) -> Offer {
        let key = (slots.id(parent), node.name.folded(slots.policy.folding));
        let free = self.tombstones.get(&key).into_iter().flatten().copied();
        let mut unread = Vec::new();
        for at in free.filter(|&at| slots.get(at).node.is_none()) {
            let Some(object) = expected(slots.get(at)) else { continue };
            if object.content.kind() == Kind::Directory && !self.mourning.contains(&object.id) {
                continue;
            }
            match likeness(node, object) {
                Some(true) => return Offer::Same(at),
                None => unread.push(at),
                Some(false) => {}
            }
        }
        if unread.is_empty() { Offer::None } else { Offer::Unread(unread) }
    }
}

/// What an object is as far as the encrypted folder knows; edits of the work folder do not matter here.
fn expected<'s>(slot: &'s Slot<'_>) -> Option<&'s Object> {
    match (&slot.base, &slot.remote) {
        (Some(base), Some(remote)) => {
            let is_older = remote.object.clock.compare(&base.object.clock) == Order::Before;
            Some(if is_older { &base.object } else { &remote.object })
        }
        (Some(base), None) => Some(&base.object),
        (None, remote) => remote.as_ref().map(|remote| &*remote.object),
    }
}

/// Whether `node` holds what `object` holds, or held; `None` if only its digest can tell.
fn likeness(node: &Node, object: &Object) -> Option<bool> {
    match (&node.kind, &object.content) {
        (NodeKind::Directory { .. }, content) => Some(content.kind() == Kind::Directory),
        (NodeKind::Symlink { target }, Content::Symlink { target: other }) => Some(target == other),
        (
            NodeKind::File { .. },
            Content::File { size, digest, .. } | Content::Tombstone { was: Kind::File, size, digest },
        ) => {
            if node.stamp.size != *size {
                return Some(false);
            }
            node.digest.map(|is| Some(is) == *digest)
        }
        _ => Some(false),
    }
}
