//! What happened to each object in the work folder since base (engine rules 1 and 2).

use super::ABSENT_AFTER;
use super::join::is_disguise;
use super::slots::{Delta, Local, PENDING, Slots};
use crate::ids::FileId;
use crate::layout::{NONE, ROOT};
use crate::plan::Plan;
use crate::tree::{BaseEntry, Content, Folding, Name, Node, NodeId, NodeKind, Stamp};

pub(super) fn compare(slots: &mut Slots<'_>, plan: &mut Plan) {
    for at in (0u32..).take(slots.all.len()) {
        let slot = slots.get(at);
        let (Some(base), Local::None) = (slot.base, &slot.local) else { continue };
        let local = look(slots, at, base, plan);
        slots.get_mut(at).local = local;
    }
}

fn look(slots: &Slots<'_>, at: u32, base: &BaseEntry, plan: &mut Plan) -> Local {
    let representative = slots.shown.representative(at);
    if !slots.shown.shows(representative) && slots.get(at).node.is_none() {
        return Local::None;
    }
    let shown = slots.get(representative);
    if shown.local == Local::Held {
        return Local::Held;
    }
    match shown.node {
        Some(node) => present(slots, at, base, node, plan),
        None if shown.base.is_some_and(|base| base.work.is_some()) => absent(slots, at, base, plan),
        None => Local::None,
    }
}

fn present(slots: &Slots<'_>, at: u32, base: &BaseEntry, id: NodeId, plan: &mut Plan) -> Local {
    let node = slots.node(id);
    let Ok(place) = moved(slots, at, base, node) else { return Local::Held };
    let (content, restamped, touched) = match content(base, node, slots.policy.stable_inodes) {
        Look::Same { restamped, touched } => (None, restamped, touched),
        Look::Changed(content) => (Some((content, node.stamp.modified)), false, true),
        Look::Unread => {
            slots.want_digest(id, plan);
            return Local::Held;
        }
        Look::Restless => {
            plan.look_again_in(slots.policy.settle);
            return Local::Held;
        }
    };
    let description = slots
        .policy
        .descriptions
        .get(&slots.id(at))
        .filter(|text| slots.policy.may_publish && **text != base.object.description)
        .cloned();
    let delta = Delta { content, place, description };
    if delta.is_empty() { Local::Same { restamped, touched } } else { Local::Changed(Box::new(delta)) }
}

/// The place that the user gave it, if that is not base's; `Err` if the directory cannot be named now.
fn moved(
    slots: &Slots<'_>,
    at: u32,
    base: &BaseEntry,
    node: &Node,
) -> Result<Option<(FileId, Name)>, Unnamed> {
    let representative = slots.shown.representative(at);
    let holder = slots.slot_of(node.parent);
    if holder == NONE && !slots.policy.may_publish {
        // In a directory that is a reader's own. That it is elsewhere is enough: it is moved back.
        return Ok(Some((base.object.parent, node.name.clone())));
    }
    if holder == NONE || holder == PENDING {
        return Err(Unnamed);
    }
    let object = &base.object;
    let stayed = slots.shown.representative(holder) == slots.shown.parent(representative);
    let shown = slots.shown.name(representative);
    // A suffix that only the layout or the sequence of steps gave is never written to the store.
    let named_as_shown = shown.is_some_and(|shown| same_name(shown, &node.name, slots.policy.folding))
        || slots.get(representative).base.is_some_and(|base| is_disguise(&node.name, &base.object));
    if stayed && named_as_shown {
        return Ok(None);
    }
    let name = if named_as_shown { object.name.clone() } else { node.name.clone() };
    let parent = if stayed { object.parent } else { slots.id(holder) };
    Ok((parent != object.parent || name != object.name).then_some((parent, name)))
}

struct Unnamed;

/// Whether a file system that keeps names in its own normal form may have made one of the other.
pub(super) fn same_name(a: &Name, b: &Name, folding: Folding) -> bool {
    a == b || (folding != Folding::Exact && a.folded(Folding::Normalised) == b.folded(Folding::Normalised))
}

enum Look {
    /// As base has it, perhaps with other stamps; `touched` where somebody had a hand in it, by its stamps.
    Same {
        restamped: bool,
        touched: bool,
    },
    Changed(Content),
    /// Only its digest can tell.
    Unread,
    /// Too young to be read.
    Restless,
}

fn content(base: &BaseEntry, node: &Node, stable_inodes: bool) -> Look {
    let was = base.work.map(|work| work.stamp);
    match (&node.kind, &base.object.content) {
        (NodeKind::File { executable }, Content::File { size, digest, executable: was_executable }) => {
            let Some(work) = base.work else { return Look::Restless };
            if same_stamp(&work.stamp, &node.stamp, stable_inodes) && !work.racy {
                let restamped = work.stamp.device != node.stamp.device;
                return Look::Same { restamped, touched: false };
            }
            let executable = executable.unwrap_or(*was_executable);
            let now = Content::File { size: node.stamp.size, digest: node.digest, executable };
            if !node.rested {
                return Look::Restless;
            }
            if node.stamp.size != *size {
                return Look::Changed(now);
            }
            if node.digest.is_none() {
                return Look::Unread;
            }
            let same_metadata = executable == *was_executable && work.stamp.modified == node.stamp.modified;
            if node.digest == *digest && same_metadata {
                Look::Same { restamped: true, touched: true }
            } else {
                Look::Changed(now)
            }
        }
        (NodeKind::Symlink { target }, Content::Symlink { target: old }) if target != old => {
            Look::Changed(Content::Symlink { target: target.clone() })
        }
        _ if !stable_inodes => Look::Same { restamped: was.is_none(), touched: false },
        (NodeKind::Symlink { .. }, _) => {
            let restamped = was != Some(node.stamp);
            Look::Same { restamped, touched: restamped }
        }
        // A directory's times and size change with what lies in it, and mean nothing.
        _ => Look::Same {
            restamped: was.is_none_or(|was| {
                (was.inode, was.device, was.born) != (node.stamp.inode, node.stamp.device, node.stamp.born)
            }),
            touched: false,
        },
    }
}

/// Whether a file is as it was by what the file system says of it (engine rule 2). The device number is left out: it may be
/// another after the next boot. Inode numbers that mean nothing are left out too, or every file would be read at every scan.
#[must_use]
pub fn same_stamp(was: &Stamp, is: &Stamp, stable_inodes: bool) -> bool {
    (was.size, was.modified, was.changed) == (is.size, is.modified, is.changed)
        && (was.inode == is.inode || !stable_inodes)
}

fn absent(slots: &Slots<'_>, at: u32, base: &BaseEntry, plan: &mut Plan) -> Local {
    if base.object.content.is_tombstone() {
        // A tombstoned directory that showed for the sake of what lay in it.
        return Local::None;
    }
    if !surely_unlisted(slots, slots.shown.representative(at)) {
        return Local::Held;
    }
    let slot = slots.get(at);
    if slot.was_deleted_elsewhere() {
        return Local::Absent;
    }
    plan.absent.push(slot.id);
    let absent_for = slots.policy.absent_since.get(&slot.id).map(|&since| slots.work.scanned.since(since));
    match absent_for {
        Some(duration) if duration >= ABSENT_AFTER => Local::Absent,
        _ => {
            plan.look_again_in(ABSENT_AFTER - absent_for.unwrap_or_default());
            Local::Held
        }
    }
}

/// Whether the nearest directory above that is there was listed without an error and is the one that base knew, not
/// one mounted in its place.
fn surely_unlisted(slots: &Slots<'_>, at: u32) -> bool {
    let Some(work) = slots.get(at).base.and_then(|base| base.work) else { return true };
    let mut up = slots.shown.parent(at);
    loop {
        if let Some(node) = slots.directory_node(up) {
            let device = slots.node(node).stamp.device;
            let same_device =
                device == work.stamp.device || slots.renumbered.get(&work.stamp.device) == Some(&device);
            return same_device && slots.is_complete(node);
        }
        if up == NONE || up == ROOT {
            return false;
        }
        up = slots.shown.parent(up);
    }
}
