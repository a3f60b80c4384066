//! What each object becomes: base, work folder and encrypted folder put together (engine rules 9, 11, 13, 18, 19).

use std::sync::Arc;
use std::time::Duration;

use super::merge::{Merged, agree, merge};
use super::slots::{Decision, Delta, Lacks, Local, Slot, Slots};
use super::{Ids, readers};
use crate::clock::{Clock, Dot, Order};
use crate::plan::{Change, Conflict, Plan, Problem, ProblemClass, Publish, Source, Subject};
use crate::suffix::{Detail, suffixed};
use crate::tree::{Content, NodeId, NodeKind, Object, StoreKey, Version};

pub(super) fn decide(slots: &mut Slots<'_>, plan: &mut Plan, ids: &Ids<'_>) {
    let author = Arc::clone(&slots.policy.author);
    for at in (0u32..).take(slots.all.len()) {
        let decision = if slots.policy.may_publish {
            decide_one(slots, at, plan, ids)
        } else {
            readers::follow(slots, at, plan)
        };
        slots.get_mut(at).decision = signed(decision, &author);
    }
}

fn decide_one(slots: &mut Slots<'_>, at: u32, plan: &mut Plan, ids: &Ids<'_>) -> Decision {
    let slot = slots.get(at);
    match slot.local {
        Local::Held => return Decision::Hold,
        Local::New => return publish_new(slots, at, plan),
        _ => {}
    }
    match encrypted_side(slots, slot, plan) {
        Side::Untouched => mine(slots, at, plan),
        Side::Uncertain => Decision::Hold,
        Side::Lost => match slot.local {
            Local::Changed(_) | Local::Absent => mine(slots, at, plan),
            _ => report_lost(slots, at, plan),
        },
        Side::Gone => put_back(slots, at, plan),
        Side::Moved => both(slots, at, plan, ids),
    }
}

/// The encrypted folder's version against base's.
pub(super) enum Side {
    /// As base has it.
    Untouched,
    /// Nothing can be said now.
    Uncertain,
    /// Vanished or rolled back.
    Lost,
    /// Vanished or rolled back, and the policy allows to publish base's version again.
    Gone,
    /// Base has not seen all of it.
    Moved,
}

pub(super) fn encrypted_side(slots: &Slots<'_>, slot: &Slot<'_>, plan: &mut Plan) -> Side {
    let Some(base) = slot.base else {
        return if slot.remote.is_none() {
            contradiction(slot, plan)
        } else if slots.encrypted.unknown.contains(&slot.id) {
            Side::Uncertain
        } else {
            Side::Moved
        };
    };
    let is_seen = |v: &Version| {
        v.object.clock.compare(&base.object.clock) == Order::Before || agree(&v.object, &base.object)
    };
    let may_republish = slots.policy.may_publish && slots.policy.republish.contains(&slot.id);
    if may_republish && slot.versions.iter().all(is_seen) {
        let is_whole = slot.remote.as_ref().is_some_and(|remote| agree(&remote.object, &base.object));
        return if is_whole && !slots.encrypted.unknown.contains(&slot.id) {
            Side::Untouched
        } else {
            Side::Gone
        };
    }
    if slots.encrypted.unknown.contains(&slot.id) {
        return Side::Uncertain;
    }
    if slot.versions.is_empty() {
        return if slots.encrypted.complete { Side::Lost } else { Side::Uncertain };
    }
    let Some(remote) = &slot.remote else { return contradiction(slot, plan) };
    let (theirs, ours) = (&*remote.object, &*base.object);
    if agree(theirs, ours) {
        return Side::Untouched;
    }
    if theirs.content_dot == ours.content_dot && !theirs.content.same_bytes(&ours.content) {
        return contradiction(slot, plan);
    }
    match theirs.clock.compare(&ours.clock) {
        Order::Before => Side::Lost,
        Order::Equal | Order::After | Order::Concurrent => Side::Moved,
    }
}

fn contradiction(slot: &Slot<'_>, plan: &mut Plan) -> Side {
    for version in slot.versions {
        plan.problems.push(problem(ProblemClass::Inconsistent, Subject::Object(version.key.clone())));
    }
    Side::Uncertain
}

pub(super) fn problem(class: ProblemClass, subject: Subject) -> Problem {
    Problem { class, subject, detail: String::new() }
}

/// Nothing but the work folder has changed.
fn mine(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    tidy(slots.get(at), None, plan);
    let slot = slots.get(at);
    let Some(base) = slot.base else { return Decision::Hold };
    match &slot.local {
        Local::Changed(delta) => {
            let delta = delta.clone();
            let floor = floor(slot);
            let target = edited(slots, &base.object, &delta, floor, plan);
            take_mine(slots.get(at), target)
        }
        Local::Absent => {
            let floor = floor(slot);
            let target = deleted(slots, &base.object, floor, plan);
            take_mine(slots.get(at), target)
        }
        // Of two that agree, what lies in the store counts.
        Local::Same { restamped, .. } => match &slot.remote {
            Some(remote) if differs_in_words(&remote.object, &base.object) => {
                take(remote.object.clone(), None, Lacks::Nothing)
            }
            _ if *restamped => take(base.object.clone(), None, Lacks::Nothing),
            _ => Decision::Keep,
        },
        Local::Adopted => take(base.object.clone(), None, adopted_lacks(slots, slot, &base.object)),
        Local::None | Local::Held | Local::New => Decision::Keep,
    }
}

/// Whether statements that agree name the object differently: two devices made one conflict copy.
pub(super) fn differs_in_words(a: &Object, b: &Object) -> bool {
    !std::ptr::eq(a, b) && (a.name != b.name || a.parent != b.parent || a.author != b.author)
}

pub(super) fn take(target: Arc<Object>, publish: Option<Publish>, lacks: Lacks) -> Decision {
    Decision::Take { target, publish, lacks }
}

/// What this device publishes is by its author, because that is whom others take for it: names are made of it.
fn signed(mut decision: Decision, author: &Arc<str>) -> Decision {
    if let Decision::Take { target, publish: Some(_), .. } = &mut decision
        && target.author != *author
    {
        Arc::make_mut(target).author = Arc::clone(author);
    }
    decision
}

/// Takes what only the work folder has.
fn take_mine(slot: &Slot<'_>, target: Object) -> Decision {
    let publish = publish(slot, &target);
    take(Arc::new(target), Some(publish), Lacks::Nothing)
}

fn publish(slot: &Slot<'_>, target: &Object) -> Publish {
    Publish { source: source(slot, target), replaces: keys(slot) }
}

fn keys(slot: &Slot<'_>) -> Vec<StoreKey> {
    slot.versions.iter().map(|version| version.key.clone()).collect()
}

fn source(slot: &Slot<'_>, target: &Object) -> Source {
    if !matches!(target.content, Content::File { .. }) {
        return Source::Empty;
    }
    match (slot.versions.iter().find(|v| v.object.content.same_bytes(&target.content)), slot.node) {
        (Some(version), _) => Source::Keep(version.key.clone()),
        (None, Some(node)) => Source::Work(node),
        (None, None) => Source::Empty,
    }
}

/// A local edit's counter is above this, so that the edit wins against all that it meets.
fn floor(slot: &Slot<'_>) -> u64 {
    let counters = |object: &Object| object.content_dot.counter.max(object.place_dot.counter);
    let versions = slot.versions.iter().map(|version| counters(&version.object));
    versions.chain(slot.base.map(|base| counters(&base.object))).max().unwrap_or(0).min(super::MAX_COUNTER)
}

fn edited(slots: &mut Slots<'_>, base: &Object, delta: &Delta, floor: u64, plan: &mut Plan) -> Object {
    let mut object = base.clone();
    if delta.is_empty() {
        return object;
    }
    let dot = slots.allot(floor, plan);
    object.clock.see(dot);
    if let Some((content, modified)) = &delta.content {
        object.content = content.clone();
        object.modified = *modified;
        object.author = slots.policy.author.clone();
        object.content_dot = dot;
    }
    if let Some((parent, name)) = &delta.place {
        object.parent = *parent;
        object.name = name.clone();
        object.place_dot = dot;
    }
    if let Some(description) = &delta.description {
        object.description = description.clone();
        object.place_dot = dot;
    }
    object
}

fn deleted(slots: &mut Slots<'_>, base: &Object, floor: u64, plan: &mut Plan) -> Object {
    let (size, digest) = match base.content {
        Content::File { size, digest, .. } => (size, digest),
        _ => (0, None),
    };
    let dot = slots.allot(floor, plan);
    Object {
        content: Content::Tombstone { was: base.content.kind(), size, digest },
        modified: slots.policy.now,
        author: slots.policy.author.clone(),
        clock: base.clock.clone().with(dot),
        content_dot: dot,
        ..base.clone()
    }
}

fn publish_new(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    let slot = slots.get(at);
    let Some(id) = slot.node else { return Decision::Hold };
    let node = slots.node(id);
    let content = match &node.kind {
        NodeKind::File { executable } => {
            let executable = executable.unwrap_or(false);
            Content::File { size: node.stamp.size, digest: node.digest, executable }
        }
        NodeKind::Directory { .. } => Content::Directory,
        NodeKind::Symlink { target } => Content::Symlink { target: target.clone() },
        NodeKind::Unknown => return Decision::Hold,
    };
    let parent = slots.id(slots.slot_of(node.parent));
    let id = slot.id;
    let dot = slots.allot(0, plan);
    let target = Object {
        id,
        parent,
        name: node.name.clone(),
        content,
        modified: node.stamp.modified,
        created: node.stamp.born.unwrap_or(node.stamp.modified),
        description: None,
        clock: Clock::new().with(dot),
        content_dot: dot,
        place_dot: dot,
        author: slots.policy.author.clone(),
    };
    take_mine(slots.get(at), target)
}

pub(super) fn report_lost(slots: &Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    let slot = slots.get(at);
    if slots.policy.may_publish {
        plan.lost.push(slot.id);
    }
    match slot.versions.first() {
        Some(version) => {
            plan.problems.push(problem(ProblemClass::RolledBack, Subject::Object(version.key.clone())));
        }
        None => plan.problems.push(problem(ProblemClass::Missing, Subject::Path(path(slots, slot, at)))),
    }
    Decision::Hold
}

fn path(slots: &Slots<'_>, slot: &Slot<'_>, at: u32) -> String {
    let name = || slot.base.map(|base| base.object.name.to_string()).unwrap_or_default();
    slots.directory_node(at).map_or_else(name, |node| slots.work.path(node))
}

/// Publishes base's version again, its clock unchanged, or what the work folder made of it.
fn put_back(slots: &mut Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    let slot = slots.get(at);
    let Some(base) = slot.base else { return Decision::Hold };
    match slot.local {
        Local::Changed(_) | Local::Absent => mine(slots, at, plan),
        _ if matches!(base.object.content, Content::File { .. }) && slot.node.is_none() => {
            report_lost(slots, at, plan)
        }
        _ => {
            let mut publish = publish(slot, &base.object);
            // What lies there is older or unreadable: the payload comes from the work folder.
            if let (Source::Keep(_), Some(node)) = (&publish.source, slot.node) {
                publish.source = Source::Work(node);
            }
            take(base.object.clone(), Some(publish), Lacks::Nothing)
        }
    }
}

/// Both sides may have changed: merges them.
fn both(slots: &mut Slots<'_>, at: u32, plan: &mut Plan, ids: &Ids<'_>) -> Decision {
    let slot = slots.get(at);
    let Some(remote) = slot.remote.clone() else { return Decision::Hold };
    let base = slot.base.map(|base| base.object.clone());
    let is_taken_back = base.as_ref().is_some_and(|base| is_taken_back(slots, slot, base, &remote.object));
    let (merged, local) = match (&base, &slot.local) {
        // Edit beats delete, and so does a move: the deletion is as if it had not been.
        (_, Local::Absent) if !remote.object.content.is_tombstone() => (remote, None),
        (Some(base), Local::Absent) => {
            let dominated = remote.object.clock.dominates(&base.clock);
            if dominated {
                (remote, None)
            } else {
                let floor = floor(slot);
                let mine = Arc::new(deleted(slots, base, floor, plan));
                let Some(merged) = merge_with(slots.get(at), &mine) else {
                    return contradict(slots, at, plan);
                };
                (merged, Some(mine))
            }
        }
        (Some(base), Local::Same { .. }) if !is_taken_back => {
            let Some(merged) = merge_with(slot, base) else { return contradict(slots, at, plan) };
            (merged, Some(base.clone()))
        }
        (Some(base), Local::Same { .. } | Local::Changed(_)) => {
            let mut delta = slot.local.delta();
            if let (true, Some(node)) = (is_taken_back, slot.node) {
                delta.content = Some((base.content.clone(), slots.node(node).stamp.modified));
            }
            let mut start = Object::clone(base);
            if let Err(Unread) = recognise(slot, base, &mut delta, &mut start) {
                if let Some(node) = slot.node {
                    slots.want_digest(node, plan);
                }
                return Decision::Hold;
            }
            let floor = floor(slot);
            let mine = Arc::new(edited(slots, &start, &delta, floor, plan));
            let Some(mut merged) = merge_with(slots.get(at), &mine) else {
                return contradict(slots, at, plan);
            };
            // Or the state is an old one that was restored, with the files of its time: nothing is lost either way.
            let is_loser = |loser: &Arc<Object>| loser.content_dot == remote.object.content_dot;
            if is_taken_back && !remote.object.content.is_tombstone() && !merged.losers.iter().any(is_loser) {
                merged.losers.push(remote.object);
            }
            (merged, Some(mine))
        }
        _ => (remote, None),
    };
    if copies_first(slots, at, &merged, plan, ids) {
        return Decision::Hold;
    }
    let slot = slots.get(at);
    let slot_lacks = match (&slot.local, &local) {
        (Local::Adopted, _) => adopted_lacks(slots, slot, &merged.object),
        (_, Some(local)) => lacks(slots, slot, local, &merged.object),
        _ => Lacks::Content,
    };
    if tidy(slot, Some(&merged.object), plan) {
        return take(merged.object, None, slot_lacks);
    }
    let publish = publish(slot, &merged.object);
    take(merged.object, Some(publish), slot_lacks)
}

/// Whether this device published another content before it was interrupted, so that base does not know it, and somebody
/// has put back since what base had: that is younger then, and than what others have made of the other content.
fn is_taken_back(slots: &Slots<'_>, slot: &Slot<'_>, base: &Object, remote: &Object) -> bool {
    let has_hand_in_it = match &slot.local {
        Local::Same { touched, .. } => *touched,
        Local::Changed(delta) => delta.content.is_none() && delta.place.is_some(),
        _ => false,
    };
    let device = slots.policy.device;
    let is_unknown = |dot: Dot| dot.device == device && !base.clock.covers(dot);
    // Where others have changed the content since, only the clock tells of this device's part.
    let last = Dot { device, counter: remote.clock.get(device) };
    has_hand_in_it
        && (is_unknown(remote.content_dot) || (is_unknown(last) && last != remote.place_dot))
        && !remote.content.same_bytes(&base.content)
}

/// All versions and this device's together; `None` where they contradict one another.
fn merge_with(slot: &Slot<'_>, mine: &Arc<Object>) -> Option<Merged> {
    let all = slot.versions.iter().map(|version| &version.object).chain([mine]);
    merge(all, slot.base.map(|base| &*base.object))
}

/// Versions that contradict one another settle nothing: they are reported and left as they are.
fn contradict(slots: &Slots<'_>, at: u32, plan: &mut Plan) -> Decision {
    contradiction(slots.get(at), plan);
    Decision::Hold
}

/// The digest is needed to see whether both sides made the same change.
struct Unread;

/// Takes out of `delta` what a version says as well and has seen base's part of, and puts that part into `start`
/// (rule 10: equal content is adopted). So a plan that was interrupted before base was committed is recognised.
fn recognise(slot: &Slot<'_>, base: &Object, delta: &mut Delta, start: &mut Object) -> Result<(), Unread> {
    for version in slot.versions.iter().map(|version| &version.object) {
        if let Some((content, _)) = &delta.content {
            let is_news = !base.clock.covers(version.content_dot) && version.clock.covers(base.content_dot);
            if is_news && is_unread(content, &version.content) {
                return Err(Unread);
            }
            if is_news && content.same_bytes(&version.content) {
                start.content = version.content.clone();
                start.modified = version.modified;
                start.author = version.author.clone();
                start.content_dot = version.content_dot;
                delta.content = None;
            }
        }
        if let Some((parent, name)) = &delta.place {
            let is_news = !base.clock.covers(version.place_dot) && version.clock.covers(base.place_dot);
            if is_news && version.parent == *parent && version.name == *name {
                start.parent = *parent;
                start.name = name.clone();
                start.place_dot = version.place_dot;
                delta.place = None;
            }
        }
    }
    Ok(())
}

pub(super) fn is_unread(content: &Content, other: &Content) -> bool {
    matches!(
        (content, other),
        (Content::File { size: a, digest: None, .. }, Content::File { size: b, .. }) if a == b
    )
}

/// What the entry lacks of `target`, its content being `local`'s.
pub(super) fn lacks(slots: &Slots<'_>, slot: &Slot<'_>, local: &Object, target: &Object) -> Lacks {
    if target.content.is_tombstone() || target.content_dot == local.content_dot {
        // Recognised as the encrypted folder's content; its times may be the user's.
        return match (&slot.local, slot.node) {
            (Local::Changed(_), Some(node))
                if slot.base.is_some_and(|b| !b.object.clock.covers(target.content_dot)) =>
            {
                if is_dressed(slots, node, target) { Lacks::Nothing } else { Lacks::Metadata }
            }
            _ => Lacks::Nothing,
        };
    }
    if !target.content.same_bytes(&local.content) {
        return Lacks::Content;
    }
    match slot.node {
        Some(node) if !is_dressed(slots, node, target) => Lacks::Metadata,
        _ => Lacks::Nothing,
    }
}

/// Whether the entry's time and executable bit are the object's.
pub(super) fn is_dressed(slots: &Slots<'_>, node: NodeId, target: &Object) -> bool {
    let node = slots.node(node);
    match (&node.kind, &target.content) {
        (NodeKind::File { executable }, Content::File { executable: wanted, .. }) => {
            executable.is_none_or(|is| is == *wanted) && node.stamp.modified == target.modified
        }
        _ => true,
    }
}

/// An adopted file keeps the time that it has; only the executable bit is set.
pub(super) fn adopted_lacks(slots: &Slots<'_>, slot: &Slot<'_>, target: &Object) -> Lacks {
    match (slot.node.map(|node| &slots.node(node).kind), &target.content) {
        (Some(NodeKind::File { executable }), Content::File { executable: wanted, .. })
            if executable.is_some_and(|is| is != *wanted) =>
        {
            Lacks::Metadata
        }
        _ => Lacks::Nothing,
    }
}

/// Whether the encrypted folder's own file of the object says `target` (base's version where `None`); the other files
/// are surplus then.
fn tidy(slot: &Slot<'_>, target: Option<&Object>, plan: &mut Plan) -> bool {
    let Some(target) = target.or(slot.base.map(|base| &*base.object)) else { return false };
    if let [only] = slot.versions {
        return agree(&only.object, target);
    }
    let own = slot.versions.iter().filter(|v| v.key.is_own_of(slot.id) && agree(&v.object, target));
    let Some(keeper) = own.min_by_key(|v| &v.key) else { return false };
    plan.surplus.extend(slot.versions.iter().filter(|v| v.key != keeper.key).map(|v| v.key.clone()));
    true
}

/// Plans the conflict copies that are not in the store yet. Returns whether the object has to wait for them.
fn copies_first(slots: &mut Slots<'_>, at: u32, merged: &Merged, plan: &mut Plan, ids: &Ids<'_>) -> bool {
    let mut wait = false;
    for loser in &merged.losers {
        let losing = loser.content_dot;
        let id = (ids.copy)(loser.id, losing);
        plan.conflicts.push(Conflict { winner: loser.id, copy: id, losing });
        let known = slots.index.get(&id).map(|&at| slots.get(at));
        if known.is_some_and(|copy| is_kept(copy, losing)) {
            continue;
        }
        wait = true;
        let uncertain = !slots.encrypted.complete || slots.encrypted.unknown.contains(&id);
        if let (false, Some(source)) = (uncertain, copy_source(slots.get(at), loser)) {
            let author = slots.policy.author.clone();
            let target = Arc::new(Object { author, ..copy_of(loser, id) });
            let publish = Some(Publish { source, replaces: Vec::new() });
            slots.copies.push(Change { target, publish, work: None, node: None });
            plan.look_again_in(Duration::ZERO);
        }
    }
    wait
}

fn is_kept(copy: &Slot<'_>, losing: Dot) -> bool {
    let versions = copy.versions.iter().map(|version| &version.object);
    versions.chain(copy.base.map(|base| &base.object)).any(|object| object.clock.covers(losing))
}

fn copy_source(slot: &Slot<'_>, loser: &Object) -> Option<Source> {
    if !matches!(loser.content, Content::File { .. }) {
        return Some(Source::Empty);
    }
    let version = slot.versions.iter().find(|version| version.object.content_dot == loser.content_dot);
    version.map(|version| Source::Reseal(version.key.clone())).or(slot.node.map(Source::Work))
}

/// The same statement on every device: its clock has seen the losing dot and nothing else.
fn copy_of(loser: &Object, id: crate::ids::FileId) -> Object {
    Object {
        id,
        name: suffixed(&loser.name, &loser.author, loser.modified, id, Detail::Plain),
        clock: Clock::new().with(loser.content_dot),
        place_dot: loser.content_dot,
        ..loser.clone()
    }
}
