//! Which entry of the work folder is which object of base (engine rules 2 and 3).

use std::collections::HashMap;

use super::slots::{Local, Slots};
use crate::ids::{Digest, FileId};
use crate::layout::{NONE, ROOT, clash_name};
use crate::plan::Plan;
use crate::suffix::{Detail, id_digits, stripped};
use crate::tree::{BaseEntry, Content, Name, Node, NodeId, NodeKind, Object, Stamp};

/// Joins by path first, which keeps the id through an editor's save-by-rename; then finds what was renamed.
pub(super) fn join(slots: &mut Slots<'_>, plan: &mut Plan) {
    find_suffixed(slots);
    for (id, _) in slots.work.iter() {
        join_by_path(slots, id);
    }
    let open: Vec<NodeId> = unjoined(slots);
    if open.is_empty() {
        return;
    }
    let missing = Missing::new(slots);
    if missing.is_empty() {
        return;
    }
    if slots.policy.stable_inodes {
        for &id in &open {
            if !join_by_path(slots, id) && matches!(slots.node(id).kind, NodeKind::Directory { .. }) {
                join_directory_by_inode(slots, id, &missing);
            }
        }
        for id in unjoined(slots) {
            join_by_inode(slots, id, &missing, plan);
        }
    } else {
        join_by_digest(slots, &open, &missing, plan);
    }
}

fn unjoined(slots: &Slots<'_>) -> Vec<NodeId> {
    slots.work.iter().map(|(id, _)| id).filter(|&id| slots.slot_of(id) == NONE).collect()
}

fn join_by_path(slots: &mut Slots<'_>, id: NodeId) -> bool {
    let node = slots.node(id);
    let parent = slots.slot_of(node.parent);
    if parent >= super::slots::PENDING && parent != ROOT {
        return false;
    }
    if slots.slot_of(id) != NONE {
        return true;
    }
    if let Some(at) = parked(slots, parent, id) {
        join_to(slots, id, at);
        return true;
    }
    let Some(at) = slots.shown.child(parent, &node.name) else { return false };
    let slot = slots.get(at);
    let Some(base) = slot.base.filter(|_| slot.node.is_none()) else { return false };
    if let Some(other) = beside(slots, base, node) {
        join_to(slots, other, at);
        return false;
    }
    if !could_be(node, &base.object, base.work.is_some()) {
        return false;
    }
    if let Some(work) = base.work {
        let (was, is) = (work.stamp, node.stamp);
        if was.device != is.device && was.inode == is.inode && was.born.is_some() && was.born == is.born {
            slots.renumbered.insert(was.device, is.device);
        }
    }
    join_to(slots, id, at);
    true
}

/// Says that `id` shows the object at `at`; nothing is planned for it if the entry could not be looked at.
fn join_to(slots: &mut Slots<'_>, id: NodeId, at: u32) {
    slots.link(id, at);
    if slots.node(id).kind == NodeKind::Unknown {
        slots.get_mut(at).local = Local::Held;
    }
}

/// Finds the entries whose names have a suffix of ours. An interrupted plan may have left an object under such a name,
/// and another at its place.
fn find_suffixed(slots: &mut Slots<'_>) {
    let has_suffix = |node: &Node| stripped(&node.name).is_some();
    let found = slots.work.iter().filter(|(_, node)| has_suffix(node));
    slots.suffixed = found.map(|(id, node)| ((node.parent, node.name.clone()), id)).collect();
}

/// The object that was parked as `id`: its name tells.
fn parked(slots: &Slots<'_>, parent: u32, id: NodeId) -> Option<u32> {
    if slots.suffixed.is_empty() {
        return None;
    }
    let node = slots.node(id);
    let digits = id_digits(&node.name)?.to_owned();
    let starts = |id: FileId| id.to_string()[..digits.len()].to_owned();
    let first = slots.all.partition_point(|slot| starts(slot.id) < digits);
    let candidates = (0u32..).zip(&slots.all).skip(first).take_while(|(_, slot)| starts(slot.id) == digits);
    let mut known =
        candidates.filter_map(|(at, slot)| Some((at, slot.base.filter(|_| slot.node.is_none())?)));
    let found = known.find(|(at, base)| {
        slots.shown.parent(*at) == slots.shown.representative(parent)
            && is_disguise(&node.name, &base.object)
            && could_be(node, &base.object, true)
            && base.work.is_some_and(|work| is_likely(slots, &work.stamp, &node.stamp))
    });
    found.map(|(at, _)| at)
}

/// The entry beside `node` that is the very file that base has at `node`'s place.
fn beside(slots: &Slots<'_>, base: &BaseEntry, node: &Node) -> Option<NodeId> {
    let was = base.work?.stamp;
    if slots.suffixed.is_empty() || is_likely(slots, &was, &node.stamp) {
        return None;
    }
    Detail::ALL.iter().find_map(|&detail| {
        let id = *slots.suffixed.get(&(node.parent, clash_name(&base.object, detail)))?;
        let is_it = slots.slot_of(id) == NONE && is_likely(slots, &was, &slots.node(id).stamp);
        is_it.then_some(id)
    })
}

/// Whether both are stamps of one file, as far as that can be said where inode numbers may mean nothing.
fn is_likely(slots: &Slots<'_>, was: &Stamp, is: &Stamp) -> bool {
    if slots.policy.stable_inodes {
        same_inode(slots, was, is)
    } else {
        (was.size, was.modified) == (is.size, is.modified)
    }
}

/// Whether `name` is one under which `object` may show.
pub(super) fn is_disguise(name: &Name, object: &Object) -> bool {
    *name == object.name
        || stripped(name).is_some() && Detail::ALL.iter().any(|&detail| clash_name(object, detail) == *name)
}

/// Whether an entry at an object's path can be that object. One that was never in the work folder is joined only
/// where nothing can be mistaken; [`adopt`](super::adopt) sees to the others.
fn could_be(node: &Node, object: &Object, was_there: bool) -> bool {
    match (&node.kind, &object.content) {
        (NodeKind::Unknown, _) => was_there,
        (NodeKind::Directory { .. }, content) => content.kind() == crate::tree::Kind::Directory,
        (NodeKind::File { .. }, Content::File { .. }) => was_there,
        (NodeKind::Symlink { target }, Content::Symlink { target: old }) => was_there || target == old,
        _ => false,
    }
}

/// Whether both are stamps of one file, as far as inode numbers mean something: they are given out again.
pub(super) fn same_inode(slots: &Slots<'_>, was: &Stamp, is: &Stamp) -> bool {
    let same_device = was.device == is.device || slots.renumbered.get(&was.device) == Some(&is.device);
    same_device && was.inode == is.inode && was.born == is.born
}

/// Objects that were in the work folder and are not where they were, by inode number. Among them are those whose
/// directory is not known: an interrupted plan may have published a child of a directory that it did not come to.
struct Missing {
    by_inode: Vec<(u64, u32)>,
}

impl Missing {
    fn new(slots: &Slots<'_>) -> Self {
        let mut by_inode: Vec<(u64, u32)> = slots
            .all
            .iter()
            .zip(0u32..)
            .filter(|(slot, at)| slot.node.is_none() && (slots.shown.shows(*at) || slots.shown.waits(*at)))
            .filter_map(|(slot, at)| Some((slot.base?.work?.stamp.inode, at)))
            .collect();
        by_inode.sort_unstable();
        Self { by_inode }
    }

    fn is_empty(&self) -> bool {
        self.by_inode.is_empty()
    }

    fn with_inode(&self, inode: u64) -> impl Iterator<Item = u32> + '_ {
        let start = self.by_inode.partition_point(|&(i, _)| i < inode);
        self.by_inode[start..].iter().take_while(move |&&(i, _)| i == inode).map(|&(_, at)| at)
    }
}

fn candidates<'s>(
    slots: &'s Slots<'_>,
    missing: &'s Missing,
    stamp: &'s Stamp,
) -> impl Iterator<Item = (u32, &'s Object, Stamp)> {
    missing.with_inode(stamp.inode).filter_map(move |at| {
        let slot = slots.get(at);
        let base = slot.base.filter(|_| slot.node.is_none())?;
        let was = base.work?.stamp;
        same_inode(slots, &was, stamp).then_some((at, &*base.object, was))
    })
}

fn join_directory_by_inode(slots: &mut Slots<'_>, id: NodeId, missing: &Missing) {
    let node = slots.node(id);
    let found = candidates(slots, missing, &node.stamp).find(|(_, object, _)| could_be(node, object, true));
    if let Some((at, ..)) = found {
        slots.link(id, at);
    }
}

fn join_by_inode(slots: &mut Slots<'_>, id: NodeId, missing: &Missing, plan: &mut Plan) {
    let node = slots.node(id);
    if node.links != 1 || matches!(node.kind, NodeKind::Directory { .. } | NodeKind::Unknown) {
        return;
    }
    let found = candidates(slots, missing, &node.stamp)
        .filter(|(_, object, _)| could_be(node, object, true))
        .find_map(|(at, object, was)| Some((at, same_file(node, object, &was)?)));
    match found {
        Some((at, Likeness::Same)) => slots.link(id, at),
        Some((at, Likeness::Unread)) => {
            slots.want_digest(id, plan);
            slots.suspend(id);
            slots.get_mut(at).local = Local::Held;
        }
        None => {}
    }
}

enum Likeness {
    Same,
    /// Only its digest can tell.
    Unread,
}

/// Whether the file behind one inode is still the one that base knows.
fn same_file(node: &Node, object: &Object, was: &Stamp) -> Option<Likeness> {
    match (&node.kind, &object.content) {
        (NodeKind::Symlink { target }, Content::Symlink { target: old }) => {
            (target == old).then_some(Likeness::Same)
        }
        (NodeKind::File { .. }, Content::File { digest, .. }) => {
            let is = &node.stamp;
            if is.size != was.size {
                None
            } else if is.modified == was.modified {
                Some(Likeness::Same)
            } else if node.digest.is_none() {
                Some(Likeness::Unread)
            } else {
                (node.digest == *digest).then_some(Likeness::Same)
            }
        }
        _ => None,
    }
}

/// Where inode numbers mean nothing: a file is the one with the same digest, if there is only one on both sides.
fn join_by_digest(slots: &mut Slots<'_>, open: &[NodeId], missing: &Missing, plan: &mut Plan) {
    let mut gone: HashMap<u64, Vec<(u32, Digest)>> = HashMap::new();
    for &(_, at) in &missing.by_inode {
        if let Some(Content::File { size, digest: Some(digest), .. }) =
            slots.get(at).base.map(|base| &base.object.content)
        {
            gone.entry(*size).or_default().push((at, *digest));
        }
    }
    let mut found: HashMap<Digest, Vec<NodeId>> = HashMap::new();
    for &id in open {
        let node = slots.node(id);
        let Some(old) = gone.get(&node.stamp.size).filter(|_| matches!(node.kind, NodeKind::File { .. }))
        else {
            continue;
        };
        if let Some(digest) = node.digest {
            found.entry(digest).or_default().push(id);
        } else {
            let held: Vec<u32> = old.iter().map(|&(at, _)| at).collect();
            slots.want_digest(id, plan);
            slots.suspend(id);
            for at in held {
                slots.get_mut(at).local = Local::Held;
            }
        }
    }
    for (digest, nodes) in found {
        let old: Vec<u32> =
            gone.values().flatten().filter(|(_, d)| *d == digest).map(|&(at, _)| at).collect();
        if let ([node], [at]) = (&nodes[..], &old[..])
            && slots.get(*at).local != Local::Held
        {
            slots.link(*node, *at);
        }
    }
}
