//! Where everything shows in the end, and the steps that lead there (engine rules 11 and 12).

use std::collections::{HashMap, HashSet};

use super::join::same_inode;
use super::local::same_name;
use super::slots::{Decision, Lacks, Local, PENDING, Slot, Slots};
use super::{Ids, readers};
use crate::layout::{NONE, Positions, ROOT, clash_name};
use crate::plan::{Change, Place, Plan, Problem, ProblemClass, Subject, WorkChange};
use crate::suffix::Detail;
use crate::tree::{Kind, Name, NodeId, Object, WorkTree};

pub(super) fn arrange(slots: &mut Slots<'_>, plan: &mut Plan, ids: &mut Ids<'_>) {
    let copies = std::mem::take(&mut slots.copies);
    if !is_settled(slots) {
        let mut arrangement = Arrangement::new(slots);
        arrangement.steps();
        arrangement.trash();
        let evictions = readers::evict(&mut arrangement, ids);
        arrangement.emit(evictions, plan);
    }
    plan.changes.splice(0..0, copies);
}

/// Whether everything is, and stays, where base's layout has it.
fn is_settled(slots: &Slots<'_>) -> bool {
    let in_place = |at: u32, slot: &Slot<'_>| match slot.node {
        Some(node) => slots.shown.name(at).is_some_and(|name| *name == slots.node(node).name),
        None => !slots.shown.shows(at) || slot.local == Local::Held,
    };
    (0u32..).zip(&slots.all).all(|(at, slot)| match slot.decision {
        Decision::Keep => in_place(at, slot),
        Decision::Hold => true,
        Decision::Take { .. } => false,
    })
}

/// What an object shall be, as far as that is decided.
pub(super) fn target<'s>(slot: &'s Slot<'_>) -> Option<&'s Object> {
    match (&slot.decision, slot.base, &slot.remote) {
        (Decision::Take { target, .. }, ..) => Some(target),
        (_, Some(base), _) => Some(&base.object),
        (_, None, remote) => remote.as_ref().map(|remote| &*remote.object),
    }
}

/// What becomes of an object's entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Nothing,
    Work(WorkChange),
    /// Not possible now, so nothing is done for the object.
    Blocked,
}

pub(super) struct Arrangement<'s, 'a> {
    pub slots: &'s Slots<'a>,
    pub positions: Positions,
    depths: Vec<u32>,
    /// The entry that shall show each object.
    entries: Vec<Option<NodeId>>,
    /// For each entry the object that it shall show; [`NONE`] for those to be trashed or left alone.
    owners: Vec<u32>,
    pub steps: Vec<Step>,
    /// Places taken by entries that are no objects and must not be touched.
    occupied: HashSet<(NodeId, Name)>,
    /// Places taken by a reader's own entries, which make way.
    pub own: HashMap<(NodeId, Name), NodeId>,
}

impl<'s, 'a> Arrangement<'s, 'a> {
    fn new(slots: &'s Slots<'a>) -> Self {
        let objects: Vec<Option<&Object>> = slots.all.iter().map(target).collect();
        let positions = Positions::new(&objects, &slots.index, slots.policy.root, slots.policy.folding);
        let is_own = |id: NodeId| !slots.policy.may_publish && slots.slot_of(id) == NONE;
        let no_objects = || slots.work.iter().filter(|&(id, _)| slots.slot_of(id) >= PENDING);
        let occupied =
            no_objects().filter(|&(id, _)| !is_own(id)).map(|(_, node)| slots.place(node)).collect();
        let own =
            no_objects().filter(|&(id, _)| is_own(id)).map(|(id, node)| (slots.place(node), id)).collect();
        let count = slots.all.len();
        let mut made = Self {
            slots,
            positions,
            depths: vec![0; count],
            entries: vec![None; count],
            owners: vec![NONE; slots.work.nodes.len()],
            steps: vec![Step::Nothing; count],
            occupied,
            own,
        };
        made.assign_entries();
        made
    }

    /// Gives each shown object the entry that it has; a directory that shows for several takes over one of theirs.
    fn assign_entries(&mut self) {
        let all = || (0u32..).zip(&self.slots.all);
        let mut claims: Vec<(u8, u32, NodeId)> = Vec::new();
        for (at, slot) in all() {
            let shows_as = self.positions.representative(at);
            if !self.positions.shows(shows_as) {
                continue;
            }
            if let Some(node) = slot.node {
                claims.push((u8::from(shows_as != at), shows_as, node));
            } else if slot.base.is_some() {
                let before = self.slots.shown.representative(at);
                if let Some(node) = (before != at).then(|| self.slots.directory_node(before)).flatten() {
                    claims.push((2, shows_as, node));
                }
            }
        }
        claims.sort_by_key(|&(rank, ..)| rank);
        for (_, at, node) in claims {
            if self.entries[at as usize].is_none() && self.owners[node.0 as usize] == NONE {
                self.entries[at as usize] = Some(node);
                self.owners[node.0 as usize] = at;
            }
        }
    }

    pub(super) fn entry(&self, at: u32) -> Option<NodeId> {
        if at == ROOT { Some(WorkTree::ROOT) } else { self.entries[at as usize] }
    }

    fn is_blocked(&self, at: u32) -> bool {
        at != ROOT && self.steps[at as usize] == Step::Blocked
    }

    /// What each shown object needs, directories before what lies in them.
    fn steps(&mut self) {
        for at in std::mem::take(&mut self.positions.order) {
            let parent = self.positions.parent(at);
            self.depths[at as usize] = if parent == ROOT { 1 } else { self.depths[parent as usize] + 1 };
            self.steps[at as usize] = self.step(at, parent);
        }
        for at in (0u32..).take(self.slots.all.len()) {
            if self.positions.waits(at) {
                self.steps[at as usize] = Step::Blocked;
            }
        }
    }

    fn step(&self, at: u32, parent: u32) -> Step {
        let slot = self.slots.get(at);
        let Some(name) = self.positions.name(at) else { return Step::Nothing };
        if matches!(slot.decision, Decision::Hold) {
            return if self.entry(at).is_some() { Step::Nothing } else { Step::Blocked };
        }
        if slot.local == Local::Held || (self.is_blocked(parent) && self.entry(parent).is_none()) {
            return Step::Blocked;
        }
        let at_place = || Place { parent: self.slots.id(parent), name: name.clone() };
        let lacks = match &slot.decision {
            Decision::Take { lacks, .. } => *lacks,
            _ => Lacks::Nothing,
        };
        let Some(id) = self.entry(at) else {
            return if self.is_free(parent, name) {
                Step::Work(WorkChange::Create { at: at_place() })
            } else {
                Step::Blocked
            };
        };
        let node = self.slots.node(id);
        let stays =
            self.entry(parent) == Some(node.parent) && same_name(name, &node.name, self.slots.policy.folding);
        if !stays && !self.is_free(parent, name) {
            return Step::Blocked;
        }
        let to = (!stays).then(at_place);
        let is_file = !matches!(target(slot).map(|o| o.content.kind()), Some(Kind::Directory) | None);
        let (content, metadata) = (is_file && lacks == Lacks::Content, is_file && lacks != Lacks::Nothing);
        if to.is_none() && !content && !metadata {
            return Step::Nothing;
        }
        Step::Work(WorkChange::Update { node: id, to, content, metadata })
    }

    /// Whether no entry that is no object stands there.
    fn is_free(&self, parent: u32, name: &Name) -> bool {
        self.occupied.is_empty()
            || self.entry(parent).is_none_or(|directory| {
                !self.occupied.contains(&(directory, name.folded(self.slots.policy.folding)))
            })
    }

    /// What shows no longer goes to the trash; a directory only if everything in it leaves with this plan.
    fn trash(&mut self) {
        let mut keeps = vec![false; self.slots.work.nodes.len()];
        let nodes: Vec<NodeId> = self.slots.work.iter().map(|(id, _)| id).collect();
        for id in nodes.into_iter().rev() {
            if !self.leaves(id, &keeps) {
                keeps[self.slots.node(id).parent.0 as usize] = true;
            }
        }
    }

    /// Plans the trash for `id` if it shows nothing any more. Returns whether it leaves its directory.
    fn leaves(&mut self, id: NodeId, keeps: &[bool]) -> bool {
        let owner = self.owners[id.0 as usize];
        if owner != NONE {
            let parent = self.slots.node(id).parent;
            return matches!(
                &self.steps[owner as usize],
                Step::Work(WorkChange::Update { to: Some(_), .. })
                    if self.entry(self.positions.parent(owner)) != Some(parent)
            );
        }
        let at = self.slots.slot_of(id);
        if at >= PENDING {
            return false;
        }
        let is_over = match &self.slots.get(at).decision {
            Decision::Take { target, .. } => target.content.is_tombstone() || self.is_part(at),
            Decision::Keep => self.slots.get(at).base.is_some() && !self.positions.waits(at),
            Decision::Hold => false,
        };
        let goes = is_over && !keeps[id.0 as usize];
        self.steps[at as usize] = if goes {
            Step::Work(WorkChange::Trash { node: id })
        } else if is_over && !self.slots.policy.may_publish {
            // What a reader has put into it keeps it: base lets go of it, and it is the reader's own.
            self.own.insert(self.slots.place(self.slots.node(id)), id);
            Step::Nothing
        } else {
            Step::Blocked
        };
        goes
    }

    /// Whether the object is a directory that shows as part of another.
    fn is_part(&self, at: u32) -> bool {
        self.positions.representative(at) != at
    }

    fn emit(mut self, first: Vec<Change>, plan: &mut Plan) {
        let mut changes: Vec<Option<Change>> = Vec::with_capacity(self.slots.all.len());
        for (slot, at) in self.slots.all.iter().zip(0u32..) {
            if self.positions.waits(at) {
                report_waiting(slot, plan);
            }
            changes.push(self.change(slot, at));
        }
        let mut order: Vec<((u8, u32), u32)> = (0u32..)
            .zip(&changes)
            .filter_map(|(at, change)| Some((self.rank(change.as_ref()?, at), at)))
            .collect();
        order.sort_unstable();
        let mut sequence = Sequence::new(&self, changes);
        for (_, at) in order {
            sequence.visit(at, Need::Other);
        }
        for change in first.into_iter().chain(sequence.done) {
            self.name_directory(&change, plan);
            plan.changes.push(change);
        }
    }

    fn change(&mut self, slot: &Slot<'_>, at: u32) -> Option<Change> {
        let step = std::mem::replace(&mut self.steps[at as usize], Step::Nothing);
        let shows_as = self.positions.representative(at);
        let node = if self.positions.shows(shows_as) { self.entry(shows_as) } else { None };
        match (&slot.decision, step) {
            (Decision::Hold, _) | (Decision::Keep, Step::Nothing | Step::Blocked) => None,
            // What is only here is published even where it cannot show as it should.
            (Decision::Take { target, publish: Some(publish), .. }, Step::Blocked) => (slot.local
                == Local::New)
                .then(|| Change { target: target.clone(), publish: Some(publish.clone()), work: None, node }),
            (Decision::Take { .. }, Step::Blocked) => None,
            (Decision::Keep, Step::Work(work)) => {
                let target = slot.base?.object.clone();
                Some(Change { target, publish: None, work: Some(work), node })
            }
            (Decision::Take { target, publish, .. }, step) => {
                let work = if let Step::Work(work) = step { Some(work) } else { None };
                Some(Change { target: target.clone(), publish: publish.clone(), work, node })
            }
        }
    }

    /// What of the others depends on comes first: publications; then what frees places; directories from the top;
    /// files; and directories to be trashed, from below.
    fn rank(&self, change: &Change, at: u32) -> (u8, u32) {
        let depth = self.depths[at as usize];
        let is_directory = change.target.content.kind() == Kind::Directory;
        match &change.work {
            None => (0, depth),
            Some(WorkChange::Trash { .. }) if !is_directory => (1, 0),
            Some(WorkChange::Trash { node }) => (4, u32::MAX - node.0),
            Some(_) if is_directory => (2, depth),
            Some(_) => (3, depth),
        }
    }

    fn name_directory(&self, change: &Change, plan: &mut Plan) {
        let Some(
            WorkChange::Create { at: place }
            | WorkChange::Update { to: Some(place), .. }
            | WorkChange::Park { to: place, .. },
        ) = &change.work
        else {
            return;
        };
        if let Some(node) = self.slots.index.get(&place.parent).and_then(|&at| self.entry(at)) {
            plan.directories.insert(place.parent, node);
        }
    }
}

/// Brings changes into an order in which each finds its place free.
///
/// Where entries take one another's places there is no such order. Then one of them is parked under the name with
/// which it would show beside a rival, a name by which the next plan knows it again, and goes to its place then.
struct Sequence<'s, 'a> {
    arrangement: &'s Arrangement<'s, 'a>,
    changes: Vec<Option<Change>>,
    marks: Vec<Mark>,
    /// What leaves its place, by that place.
    leaving: HashMap<(NodeId, Name), u32>,
    /// What leaves each directory.
    leaving_from: HashMap<NodeId, Vec<u32>>,
    done: Vec<Change>,
    /// What is being visited: each needs the next.
    waiting: Vec<(u32, Need)>,
}

/// Why a change is done before another.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Need {
    /// It leaves the place that the other goes to.
    Place,
    /// Any other reason.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mark {
    Unseen,
    /// Waits for what it needs first.
    Active,
    Parked,
    Done,
}

/// Chains of changes that need one another are followed so far; what is left, apply finds out, and the next plan.
const MAX_CHAIN: usize = 1_000;

impl<'s, 'a> Sequence<'s, 'a> {
    fn new(arrangement: &'s Arrangement<'s, 'a>, changes: Vec<Option<Change>>) -> Self {
        let mut leaving = HashMap::new();
        let mut leaving_from: HashMap<NodeId, Vec<u32>> = HashMap::new();
        for (change, at) in changes.iter().zip(0u32..) {
            let node = match change.as_ref().and_then(|change| change.work.as_ref()) {
                Some(WorkChange::Update { node, to: Some(_), .. } | WorkChange::Trash { node }) => {
                    arrangement.slots.node(*node)
                }
                _ => continue,
            };
            leaving.insert((node.parent, node.name.folded(arrangement.slots.policy.folding)), at);
            leaving_from.entry(node.parent).or_default().push(at);
        }
        let marks = vec![Mark::Unseen; changes.len()];
        Self { arrangement, changes, marks, leaving, leaving_from, done: Vec::new(), waiting: Vec::new() }
    }

    fn visit(&mut self, at: u32, need: Need) {
        if self.marks[at as usize] != Mark::Unseen || self.waiting.len() > MAX_CHAIN {
            return;
        }
        let Some(change) = self.changes[at as usize].take() else { return };
        self.marks[at as usize] = Mark::Active;
        self.waiting.push((at, need));
        match &change.work {
            Some(WorkChange::Create { at: place } | WorkChange::Update { to: Some(place), .. }) => {
                self.make_way(at, place);
            }
            Some(WorkChange::Trash { node }) => {
                for inner in self.leaving_from.get(node).cloned().unwrap_or_default() {
                    self.before(at, inner, Need::Other);
                }
            }
            _ => {}
        }
        self.waiting.pop();
        if self.marks[at as usize] != Mark::Parked {
            self.marks[at as usize] = Mark::Done;
            self.done.push(change);
        }
    }

    /// Does first what makes or moves a directory above `place`, and what leaves it.
    fn make_way(&mut self, at: u32, place: &Place) {
        let parent = self.arrangement.positions.parent(at);
        let mut above = parent;
        while above < PENDING {
            if self.marks[above as usize] != Mark::Unseen || self.changes[above as usize].is_some() {
                self.before(at, above, Need::Other);
                break;
            }
            above = self.arrangement.positions.parent(above);
        }
        let Some(directory) = self.arrangement.entry(parent) else { return };
        let key = (directory, place.name.folded(self.arrangement.slots.policy.folding));
        if let Some(&occupant) = self.leaving.get(&key) {
            self.before(at, occupant, Need::Place);
        }
    }

    /// Does `first` before `at`. If `first` itself waits for `at`, the first that can be is parked of those that wait for
    /// one another, and whose place another waits for.
    fn before(&mut self, at: u32, first: u32, need: Need) {
        if first == at {
            return;
        }
        if self.marks[first as usize] != Mark::Active {
            return self.visit(first, need);
        }
        let start = self.waiting.iter().position(|&(waits, _)| waits == first).unwrap_or(0);
        let mut in_the_way: Vec<(u32, Need)> = self.waiting[start + 1..].to_vec();
        in_the_way.push((first, need));
        in_the_way.retain(|(_, need)| *need == Need::Place);
        // Until one of them is.
        let _is_parked = in_the_way.into_iter().any(|(occupant, _)| self.park(occupant));
    }

    /// Parks what is at `at`; returns whether that can be done.
    fn park(&mut self, at: u32) -> bool {
        let slots = self.arrangement.slots;
        let slot = slots.get(at);
        let (Some(base), Some(id)) = (slot.base, slot.node) else { return false };
        // One that the user has moved would lose its new name, which matters as long as it lives, and as long as the
        // encrypted folder does not have it; a reader's never does.
        let is_reader = !slots.policy.may_publish;
        let was_moved = !is_reader && matches!(&slot.local, Local::Changed(delta) if delta.place.is_some());
        let matters = !matches!(&slot.decision, Decision::Take { target, publish, .. }
            if target.content.is_tombstone() || publish.is_none());
        if was_moved && matters {
            return false;
        }
        if self.marks[at as usize] == Mark::Parked {
            return true;
        }
        self.marks[at as usize] = Mark::Parked;
        let node = slots.node(id);
        let is_known = base.work.is_some_and(|work| same_inode(slots, &work.stamp, &node.stamp));
        // Under another name it would not be known again: base learns its inode first, the next plan parks it.
        let learns = !is_known && slots.policy.stable_inodes && matches!(slot.local, Local::Same { .. });
        let free_name = || {
            let names = [Detail::Short, Detail::Full].map(|detail| clash_name(&base.object, detail));
            names.into_iter().find(|name| !slots.suffixed.contains_key(&(node.parent, name.clone())))
        };
        let parent = slots.id(slots.slot_of(node.parent));
        let work = match free_name() {
            _ if learns => None,
            Some(name) => Some(WorkChange::Park { node: id, to: Place { parent, name } }),
            None => return true,
        };
        self.done.push(Change { target: base.object.clone(), publish: None, work, node: Some(id) });
        true
    }
}

fn report_waiting(slot: &Slot<'_>, plan: &mut Plan) {
    for version in slot.versions {
        let subject = Subject::Object(version.key.clone());
        plan.problems.push(Problem { class: ProblemClass::UnknownParent, subject, detail: String::new() });
    }
}
