//! Which entry of the work folder is which object of base (engine rules 2 and 3).

use std::collections::HashMap;

use super::slots::{Local, Slots};
use crate::ids::Digest;
use crate::layout::{NONE, ROOT, clash_name};
use crate::plan::Plan;
use crate::suffix::{Detail, stripped};
use crate::tree::{Content, Name, Node, NodeId, NodeKind, Object, Stamp};

/// Joins by path first, which keeps the id through an editor's save-by-rename; then finds what was renamed.
pub(super) fn join(slots: &mut Slots<'_>, plan: &mut Plan) {
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
    let Some(at) = disguised(slots, parent, node).or_else(|| slots.shown.child(parent, &node.name)) else {
        return false;
    };
    let slot = slots.get(at);
    let Some(base) = slot.base else { return false };
    if slot.node.is_some() || !could_be(node, &base.object, base.work.is_some()) {
        return false;
    }
    if let Some(work) = base.work {
        let (was, is) = (work.stamp, node.stamp);
        if was.device != is.device && was.inode == is.inode && was.born.is_some() && was.born == is.born {
            slots.renumbered.insert(was.device, is.device);
        }
    }
    slots.link(id, at);
    if node.kind == NodeKind::Unknown {
        slots.get_mut(at).local = Local::Held;
    }
    true
}

/// The object that `node` shows under a suffix which base's layout does not give it, or not any more: a plan was
/// interrupted. Only the very same file counts.
fn disguised(slots: &Slots<'_>, parent: u32, node: &Node) -> Option<u32> {
    let bare = stripped(&node.name)?;
    let at = slots.shown.child(parent, &bare)?;
    let base = slots.get(at).base?;
    let work = base.work?;
    (is_disguise(&node.name, &base.object) && same_inode(slots, &work.stamp, &node.stamp)).then_some(at)
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

fn same_inode(slots: &Slots<'_>, was: &Stamp, is: &Stamp) -> bool {
    let same_device = was.device == is.device || slots.renumbered.get(&was.device) == Some(&is.device);
    same_device && was.inode == is.inode && was.born == is.born
}

/// Objects that were in the work folder and are not where they were, by inode number.
struct Missing {
    by_inode: Vec<(u64, u32)>,
}

impl Missing {
    fn new(slots: &Slots<'_>) -> Self {
        let mut by_inode: Vec<(u64, u32)> = slots
            .all
            .iter()
            .zip(0u32..)
            .filter(|(slot, at)| slot.node.is_none() && slots.shown.shows(*at))
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
        if let ([node], [at]) = (&nodes[..], &old[..]) {
            if slots.get(*at).local != Local::Held {
                slots.link(*node, *at);
            }
        }
    }
}
