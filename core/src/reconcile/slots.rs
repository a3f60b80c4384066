//! What is known of each object, side by side.

use std::collections::HashMap;
use std::sync::Arc;

use super::Policy;
use super::merge::{Merged, merge};
use crate::clock::{Dot, Order};
use crate::ids::FileId;
use crate::layout::{Index, NONE, Positions, ROOT, position};
use crate::plan::{Change, Plan, Publish};
use crate::time::Timestamp;
use crate::tree::{
    BaseEntry, BaseTree, Content, EncryptedTree, Name, Node, NodeId, NodeKind, Object, Version, WorkTree,
};

/// What happened to an object in the work folder since base.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Local {
    /// It was never there.
    None,
    /// Cannot be said now: nothing is planned for the object.
    Held,
    /// Nothing, but for what the file system says of it if `restamped`; `touched` where its stamps say that somebody had a
    /// hand in it.
    Same { restamped: bool, touched: bool },
    /// It was adopted: the work folder already has the content of the encrypted folder's version.
    Adopted,
    /// Edited, moved or described.
    Changed(Box<Delta>),
    /// Deleted.
    Absent,
    /// Made: base and the encrypted folder know nothing of it.
    New,
}

impl Local {
    /// Which parts changed.
    pub(super) fn delta(&self) -> Delta {
        if let Self::Changed(delta) = self { Delta::clone(delta) } else { Delta::default() }
    }
}

/// Which parts of an object changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Delta {
    pub content: Option<(Content, Timestamp)>,
    pub place: Option<(FileId, Name)>,
    pub description: Option<Option<Arc<str>>>,
}

impl Delta {
    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.content.is_none() && self.place.is_none() && self.description.is_none()
    }
}

/// What shall become of an object.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    /// Both sides agree; it may still have to show elsewhere.
    Keep,
    /// Nothing now; it shows where base has it.
    Hold,
    /// Both sides take this version.
    Take {
        /// The version.
        target: Arc<Object>,
        /// How to publish it, where the encrypted folder lacks it.
        publish: Option<Publish>,
        /// What the work folder's entry lacks, if there is one.
        lacks: Lacks,
    },
}

/// What an entry of the work folder lacks to be its object's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacks {
    Nothing,
    Metadata,
    Content,
}

#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub id: FileId,
    pub base: Option<&'a BaseEntry>,
    /// What the encrypted folder has.
    pub versions: &'a [Version],
    /// All versions as one; `None` where there are none, or they contradict one another.
    pub remote: Option<Merged>,
    /// The work entry that shows it.
    pub node: Option<NodeId>,
    pub local: Local,
    pub decision: Decision,
}

impl Slot<'_> {
    /// Whether the encrypted folder's version is a tombstone that has seen all of base's.
    pub(super) fn was_deleted_elsewhere(&self) -> bool {
        let (Some(base), Some(remote)) = (self.base, &self.remote) else { return false };
        remote.object.content.is_tombstone()
            && remote.object.clock.compare(&base.object.clock) == Order::After
    }
}

/// All objects, in the order of their ids; new ones at the end.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    pub work: &'a WorkTree,
    pub encrypted: &'a EncryptedTree,
    pub policy: &'a Policy<'a>,
    pub all: Vec<Slot<'a>>,
    pub index: Index,
    /// Where base's objects show.
    pub shown: Positions,
    /// For each node the object that it shows: [`ROOT`] for the root, [`NONE`] where it shows none, [`PENDING`] where
    /// that cannot be said now.
    pub of_node: Vec<u32>,
    /// Entries whose names have a suffix of ours, by their places.
    pub suffixed: HashMap<(NodeId, Name), NodeId>,
    /// Device numbers that changed while everything else stayed: base's to today's.
    pub renumbered: HashMap<u64, u64>,
    /// Conflict copies that this plan publishes first.
    pub copies: Vec<Change>,
    next_counter: u64,
}

/// An object with what base and the encrypted folder have of it.
type Known<'a> = (FileId, Option<&'a BaseEntry>, Option<&'a Vec<Version>>);

/// The position that stands for a node of which nothing can be said now.
pub(super) const PENDING: u32 = NONE - 1;

impl<'a> Slots<'a> {
    pub(super) fn new(
        base: &'a BaseTree,
        work: &'a WorkTree,
        encrypted: &'a EncryptedTree,
        policy: &'a Policy<'a>,
    ) -> Self {
        let versions = |id| encrypted.versions.get(&id);
        let mut known: Vec<Known<'a>> =
            base.entries.iter().map(|(&id, entry)| (id, Some(entry), versions(id))).collect();
        let shared = known.iter().filter(|(.., versions)| versions.is_some()).count();
        if shared < encrypted.versions.len() {
            let is_new = |id| !base.entries.contains_key(id);
            let new = encrypted.versions.iter().filter(|(id, _)| is_new(*id));
            known.extend(new.map(|(&id, versions)| (id, None, Some(versions))));
        }
        known.sort_unstable_by_key(|&(id, ..)| id);
        let all: Vec<Slot<'a>> = known
            .into_iter()
            .map(|(id, base, versions)| {
                let versions = versions.map_or(&[][..], Vec::as_slice);
                let remote = merge(versions.iter().map(|version| &version.object), base.map(|b| &*b.object));
                Slot { id, base, versions, remote, node: None, local: Local::None, decision: Decision::Keep }
            })
            .collect();
        let index: Index = all.iter().enumerate().map(|(at, slot)| (slot.id, position(at))).collect();
        let objects: Vec<_> = all.iter().map(|slot| slot.base.map(|entry| &*entry.object)).collect();
        let shown = Positions::new(&objects, &index, policy.root, policy.folding);
        let mut of_node = vec![NONE; work.nodes.len()];
        of_node[0] = ROOT;
        Self {
            work,
            encrypted,
            policy,
            all,
            index,
            shown,
            of_node,
            suffixed: HashMap::new(),
            renumbered: HashMap::new(),
            copies: Vec::new(),
            next_counter: policy.next_counter,
        }
    }

    pub(super) fn get(&self, at: u32) -> &Slot<'a> {
        &self.all[at as usize]
    }

    pub(super) fn get_mut(&mut self, at: u32) -> &mut Slot<'a> {
        &mut self.all[at as usize]
    }

    /// Where `node` is, with its name as names are compared.
    pub(super) fn place(&self, node: &Node) -> (NodeId, Name) {
        (node.parent, node.name.folded(self.policy.folding))
    }

    pub(super) fn node(&self, id: NodeId) -> &'a Node {
        self.work.node(id)
    }

    /// The object that `node` shows.
    pub(super) fn slot_of(&self, node: NodeId) -> u32 {
        self.of_node[node.0 as usize]
    }

    /// Says that `node` shows the object at `at`.
    pub(super) fn link(&mut self, node: NodeId, at: u32) {
        self.of_node[node.0 as usize] = at;
        self.get_mut(at).node = Some(node);
    }

    /// Says that no entry shows the object at `at`: the one that did is this device's own, and stays.
    pub(super) fn release(&mut self, at: u32) {
        if let Some(node) = self.get_mut(at).node.take() {
            self.of_node[node.0 as usize] = NONE;
        }
        self.get_mut(at).local = Local::None;
    }

    /// The id of what is at `at`.
    pub(super) fn id(&self, at: u32) -> FileId {
        if at == ROOT { self.policy.root } else { self.get(at).id }
    }

    /// The entry that shows the directory at `at`, by base's layout.
    pub(super) fn directory_node(&self, at: u32) -> Option<NodeId> {
        match at {
            ROOT => Some(WorkTree::ROOT),
            NONE => None,
            _ => self.get(self.shown.representative(at)).node,
        }
    }

    /// Whether "not listed" in this directory means "not there".
    pub(super) fn is_complete(&self, directory: NodeId) -> bool {
        matches!(self.node(directory).kind, NodeKind::Directory { complete: true })
    }

    /// Says that nothing can be said of `node` now, so that no object is made of it.
    pub(super) fn suspend(&mut self, node: NodeId) {
        self.of_node[node.0 as usize] = PENDING;
    }

    /// Asks for the digest of `node`, as soon as it has rested.
    pub(super) fn want_digest(&self, node: NodeId, plan: &mut Plan) {
        if self.node(node).rested {
            plan.hash.push(node);
        } else {
            plan.look_again_in(self.policy.settle);
        }
    }

    /// A new dot of this device, above `floor`.
    pub(super) fn allot(&mut self, floor: u64, plan: &mut Plan) -> Dot {
        debug_assert!(self.policy.may_publish, "readers make no events");
        let counter = self.next_counter.max(floor + 1);
        self.next_counter = counter + 1;
        plan.counters_used = self.next_counter - self.policy.next_counter;
        Dot { counter, device: self.policy.device }
    }
}
