//! The three trees as tests build them, and objects by few words.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::{Ids, Policy, reconcile};
use crate::clock::{Clock, Dot};
use crate::ids::{DeviceId, Digest, FileId};
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::tree::{
    BaseEntry, BaseTree, Content, EncryptedTree, Folding, Name, Node, NodeId, NodeKind, Object, Stamp,
    StoreKey, Version, WorkStamp, WorkTree,
};

pub const ROOT: FileId = FileId::new([0xFF; 16]);
pub const ME: DeviceId = DeviceId::new([1; 16]);
pub const OTHER: DeviceId = DeviceId::new([2; 16]);

pub fn id(n: u8) -> FileId {
    FileId::new([n; 16])
}

pub fn digest(n: u8) -> Digest {
    Digest::new([n; 32])
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_000_000 + seconds, 0)
}

pub fn mine(counter: u64) -> Dot {
    Dot { counter, device: ME }
}

pub fn theirs(counter: u64) -> Dot {
    Dot { counter, device: OTHER }
}

pub fn file(n: u8, name: &str, bytes: u8) -> Object {
    Object {
        id: id(n),
        parent: ROOT,
        name: Name::new(name).unwrap(),
        content: Content::File { size: 100, digest: Some(digest(bytes)), executable: false },
        modified: at(0),
        created: at(0),
        description: None,
        clock: Clock::new().with(mine(1)),
        content_dot: mine(1),
        place_dot: mine(1),
        author: "alice, laptop".into(),
    }
}

pub fn directory(n: u8, name: &str) -> Object {
    Object { content: Content::Directory, ..file(n, name, 0) }
}

impl Object {
    pub(super) fn within(self, parent: u8) -> Self {
        Self { parent: id(parent), ..self }
    }

    /// As `dot` edited it.
    pub(super) fn edited(self, dot: Dot, bytes: u8) -> Self {
        let content = Content::File { size: 100, digest: Some(digest(bytes)), executable: false };
        Self { content, content_dot: dot, clock: self.clock.clone().with(dot), ..self }
    }

    pub(super) fn renamed(self, dot: Dot, name: &str) -> Self {
        let name = Name::new(name).unwrap();
        Self { name, place_dot: dot, clock: self.clock.clone().with(dot), ..self }
    }

    pub(super) fn deleted(self, dot: Dot) -> Self {
        let digest = if let Content::File { digest, .. } = self.content { digest } else { None };
        let content = Content::Tombstone { was: self.content.kind(), size: 100, digest };
        Self { content, content_dot: dot, clock: self.clock.clone().with(dot), ..self }
    }
}

/// The three trees, built up by a test.
pub struct Scene {
    pub base: BaseTree,
    pub work: WorkTree,
    pub encrypted: EncryptedTree,
    pub absent_since: HashMap<FileId, Timestamp>,
    pub republish: HashSet<FileId>,
    pub stable_inodes: bool,
    pub may_publish: bool,
    pub descriptions: HashMap<FileId, Option<Arc<str>>>,
}

impl Scene {
    pub fn new() -> Self {
        let root = Node {
            parent: WorkTree::ROOT,
            name: Name::new("root").unwrap(),
            kind: NodeKind::Directory { complete: true },
            stamp: Stamp { device: 1, ..Stamp::default() },
            links: 1,
            rested: true,
            digest: None,
        };
        Self {
            base: BaseTree::default(),
            work: WorkTree { nodes: vec![root], scanned: at(100) },
            encrypted: EncryptedTree { complete: true, ..EncryptedTree::default() },
            absent_since: HashMap::new(),
            republish: HashSet::new(),
            stable_inodes: true,
            may_publish: true,
            descriptions: HashMap::new(),
        }
    }

    /// Both sides agree on `object`; its inode number is its id's first byte. Returns its node.
    pub fn agreed(&mut self, object: &Object) -> NodeId {
        let parent = self.base.entries.keys().copied().find(|&known| known == object.parent);
        let parent = parent.map_or(WorkTree::ROOT, |parent| self.node_of(parent));
        let kind = match &object.content {
            Content::Directory => NodeKind::Directory { complete: true },
            _ => NodeKind::File { executable: Some(false) },
        };
        let node = self.found(parent, object.name.as_str(), kind, object.id.as_bytes()[0]);
        let stamp = self.work.node(node).stamp;
        let work = Some(WorkStamp { stamp, racy: false });
        self.base.entries.insert(object.id, BaseEntry { object: Arc::new(object.clone()), work });
        self.stored(object);
        node
    }

    pub fn node_of(&self, id: FileId) -> NodeId {
        let inode = u64::from(id.as_bytes()[0]);
        self.work.iter().find(|(_, node)| node.stamp.inode == inode).unwrap().0
    }

    pub fn found(&mut self, parent: NodeId, name: &str, kind: NodeKind, inode: u8) -> NodeId {
        let size = if matches!(kind, NodeKind::File { .. }) { 100 } else { 0 };
        let (modified, inode) = (at(0), u64::from(inode));
        let stamp = Stamp { size, modified, changed: modified, born: Some(modified), inode, device: 1 };
        let name = Name::new(name).unwrap();
        self.work.nodes.push(Node { parent, name, kind, stamp, links: 1, rested: true, digest: None });
        NodeId(u32::try_from(self.work.nodes.len() - 1).unwrap())
    }

    pub fn new_file(&mut self, name: &str, bytes: Option<u8>) -> NodeId {
        let node = self.found(WorkTree::ROOT, name, NodeKind::File { executable: Some(false) }, 200);
        self.at(node).digest = bytes.map(digest);
        node
    }

    pub fn at(&mut self, node: NodeId) -> &mut Node {
        &mut self.work.nodes[node.0 as usize]
    }

    /// Leaves the node out of the scan: it must be the last.
    pub fn gone(&mut self, node: NodeId) {
        assert_eq!(node.0 as usize + 1, self.work.nodes.len());
        self.work.nodes.pop();
    }

    pub fn write(&mut self, node: NodeId, bytes: Option<u8>) {
        let node = self.at(node);
        node.stamp.modified = at(50);
        node.stamp.changed = at(50);
        node.digest = bytes.map(digest);
    }

    pub fn stored(&mut self, object: &Object) {
        let key = StoreKey(format!("{}.ensafer", object.id).into());
        let version = Version { object: Arc::new(object.clone()), key };
        self.encrypted.versions.insert(object.id, vec![version]);
    }

    pub fn cloud_copy(&mut self, object: &Object) -> StoreKey {
        let key = StoreKey(format!("{} (conflicted copy).ensafer", object.id).into());
        let version = Version { object: Arc::new(object.clone()), key: key.clone() };
        self.encrypted.versions.entry(object.id).or_default().push(version);
        key
    }

    pub fn plan(&self) -> Plan {
        let next = Cell::new(100);
        self.plan_with(&mut || {
            next.set(next.get() + 1);
            id(next.get())
        })
    }

    pub fn plan_with(&self, fresh: &mut dyn FnMut() -> FileId) -> Plan {
        let policy = Policy {
            root: ROOT,
            device: ME,
            may_publish: self.may_publish,
            author: "alice, laptop".into(),
            now: at(100),
            next_counter: 10,
            folding: Folding::Exact,
            stable_inodes: self.stable_inodes,
            settle: Duration::from_millis(200),
            absent_since: &self.absent_since,
            republish: &self.republish,
            descriptions: &self.descriptions,
        };
        let mut ids = Ids { fresh, copy: &copy };
        reconcile(&self.base, &self.work, &self.encrypted, &policy, &mut ids)
    }
}

pub fn copy(of: FileId, dot: Dot) -> FileId {
    FileId::new([of.as_bytes()[0] ^ dot.counter.to_le_bytes()[0] ^ 0x80; 16])
}
