//! A device: plans by `reconcile`, and an apply in memory that keeps to its contract.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ensafer_core::clock::Dot;
use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::plan::{Change, Place, Plan, Publish, Source, WorkChange};
use ensafer_core::reconcile::{Ids, Policy, reconcile};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{
    BaseEntry, BaseTree, Content, EncryptedTree, Folding, NodeId, NodeKind, Object, Stamp, WorkStamp,
    WorkTree,
};

use crate::cloud::{Cloud, own_key};
use crate::disk::{self, Bytes, Disk, Entry, Inode, digest_of};
use crate::trace;

pub const FOLDER_ROOT: FileId = FileId::new([0xF0; 16]);

#[derive(Debug)]
pub struct Device {
    pub number: usize,
    pub id: DeviceId,
    pub disk: Disk,
    pub base: BaseTree,
    pub next_counter: u64,
    pub stable_inodes: bool,
    /// Whether its file system knows which files are executable.
    pub keeps_modes: bool,
    /// May not publish.
    pub is_reader: bool,
    /// Contents that apply has replaced or removed.
    pub trash: Vec<Bytes>,
    /// Contents that were replaced once, which base does not know because the power went, and then once more: decision
    /// 0040 leaves them to the trash.
    pub replaced_again: Vec<Bytes>,
    /// Contents that were replaced, before base knows.
    uncommitted: HashSet<(FileId, Bytes)>,
    absent_since: HashMap<FileId, Timestamp>,
    lost_for: HashMap<FileId, u32>,
    fresh: u64,
    /// What it published, as it meant it, by the file's revision.
    published: HashMap<u64, Arc<Object>>,
}

/// What a plan was made from.
#[derive(Debug)]
struct Seen {
    work: WorkTree,
    inodes: Vec<Inode>,
    encrypted: EncryptedTree,
    /// Revision of each store file.
    revisions: HashMap<String, u64>,
}

/// A plan and what it was made from.
#[derive(Debug)]
pub struct Prepared {
    seen: Seen,
    plan: Plan,
}

impl Seen {
    /// Makes some entries unreadable, restless, or not listed to the end.
    fn cover(&mut self, fog: u64) {
        let mut hidden = vec![false; self.work.nodes.len()];
        let mut kept: Vec<usize> = Vec::new();
        for at in 0..self.work.nodes.len() {
            let node = &mut self.work.nodes[at];
            if at > 0 && hidden[node.parent.0 as usize] {
                hidden[at] = true;
                continue;
            }
            kept.push(at);
            match (node.stamp.inode + 1).wrapping_mul(fog).wrapping_mul(0x9E37_79B9) >> 5 & 15 {
                0 | 1 => node.rested = false,
                2 if at > 0 => {
                    node.kind = NodeKind::Unknown;
                    hidden[at] = true;
                }
                3 => {
                    if let NodeKind::Directory { complete } = &mut node.kind {
                        *complete = false;
                        // And something of it was not listed.
                        hidden[at] = at > 0;
                    }
                }
                _ => {}
            }
        }
        let number =
            |old: usize| NodeId(u32::try_from(kept.iter().position(|&k| k == old).unwrap()).unwrap());
        let nodes = kept.iter().map(|&at| {
            let node = self.work.nodes[at].clone();
            ensafer_core::tree::Node { parent: number(node.parent.0 as usize), ..node }
        });
        let nodes: Vec<_> = nodes.collect();
        self.inodes = kept.iter().map(|&at| self.inodes[at]).collect();
        self.work.nodes = nodes;
    }
}

/// The id of a conflict copy: any function that all devices share.
pub fn copy_id(id: FileId, dot: Dot) -> FileId {
    let mut bytes = *id.as_bytes();
    let mut state = dot.counter.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xABCD;
    for (at, byte) in bytes.iter_mut().enumerate() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(u64::from(dot.device.as_bytes()[at]) + 1);
        *byte ^= u8::try_from(state >> 56).unwrap();
    }
    FileId::new(bytes)
}

fn author(device: usize) -> Arc<str> {
    format!("user{device}").into()
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do and nothing outstanding.
    Settled,
    /// Something was done, or is outstanding.
    Busy,
}

impl Device {
    pub fn new(number: usize) -> Self {
        let n = u8::try_from(number).unwrap();
        Self {
            number,
            id: DeviceId::new([n + 1; 16]),
            disk: Disk::default(),
            base: BaseTree::default(),
            next_counter: 1,
            stable_inodes: true,
            keeps_modes: true,
            is_reader: false,
            trash: Vec::new(),
            replaced_again: Vec::new(),
            uncommitted: HashSet::new(),
            absent_since: HashMap::new(),
            lost_for: HashMap::new(),
            fresh: 0,
            published: HashMap::new(),
        }
    }

    /// A new state database, and hence a new device id.
    pub fn lose_state(&mut self) {
        let mut id = *self.id.as_bytes();
        id[1] += 1;
        self.id = DeviceId::new(id);
        self.base = BaseTree::default();
        self.published.clear();
        self.next_counter = 1;
        self.uncommitted.clear();
        self.absent_since.clear();
        self.lost_for.clear();
    }

    /// Notes what goes to the trash.
    fn discard(&mut self, inode: Inode) -> Option<Bytes> {
        let disk::Kind::File { bytes, .. } = self.disk.entries[&inode].kind else { return None };
        self.trash.push(bytes);
        Some(bytes)
    }

    /// Notes what the encrypted folder's content of `id` takes the place of.
    fn replace(&mut self, inode: Inode, id: FileId) {
        if let Some(bytes) = self.discard(inode)
            && !self.uncommitted.insert((id, bytes))
        {
            self.replaced_again.push(bytes);
        }
    }

    /// A stamp as the file system reports it: with inode numbers of its own invention, if they are not stable.
    fn reported(&self, stamp: Stamp, now: Timestamp) -> Stamp {
        if self.stable_inodes {
            return stamp;
        }
        let inode = stamp.inode ^ now.as_nanos().unsigned_abs();
        Stamp { inode, born: None, ..stamp }
    }

    fn observe(&self, cloud: &Cloud, now: Timestamp) -> Seen {
        let (mut work, inodes) = self.disk.scan(now);
        if !self.stable_inodes {
            work.nodes.iter_mut().for_each(|node| node.stamp = self.reported(node.stamp, now));
        }
        if !self.keeps_modes {
            for node in &mut work.nodes {
                if let NodeKind::File { executable } = &mut node.kind {
                    *executable = None;
                }
            }
        }
        let revisions: HashMap<_, _> =
            cloud.files(self.number).iter().map(|(key, file)| (key.clone(), file.revision)).collect();
        let mut encrypted = cloud.tree(self.number);
        // What it has published itself it does not read again.
        for version in encrypted.versions.values_mut().flatten() {
            if let Some(own) = self.published.get(&revisions[&*version.key.0]) {
                version.object = Arc::clone(own);
            }
        }
        Seen { work, inodes, encrypted, revisions }
    }

    fn plan(&mut self, seen: &mut Seen, now: Timestamp) -> Plan {
        let republish: HashSet<FileId> =
            self.lost_for.iter().filter(|&(_, &rounds)| rounds >= 3).map(|(&id, _)| id).collect();
        let (number, mut fresh) = (self.number, self.fresh);
        let mut make_fresh = || {
            fresh += 1;
            // Spread over the ids, so that either of two devices may have the smaller one.
            let mixed = (fresh * 2 + number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut bytes = [u8::try_from(number).unwrap(); 16];
            bytes[..8].copy_from_slice(&mixed.to_be_bytes());
            FileId::new(bytes)
        };
        let mut rounds = 0;
        let plan = loop {
            let policy = Policy {
                root: FOLDER_ROOT,
                device: self.id,
                may_publish: !self.is_reader,
                author: author(number),
                now,
                next_counter: self.next_counter,
                folding: Folding::Exact,
                stable_inodes: self.stable_inodes,
                settle: Duration::from_millis(200),
                absent_since: &self.absent_since,
                republish: &republish,
                descriptions: &HashMap::new(),
            };
            let mut ids = Ids { fresh: &mut make_fresh, copy: &copy_id };
            let plan = reconcile(&self.base, &seen.work, &seen.encrypted, &policy, &mut ids);
            if plan.hash.is_empty() {
                break plan;
            }
            for &id in &plan.hash {
                let inode = seen.inodes[id.0 as usize];
                let disk::Kind::File { bytes, .. } = self.disk.entries[&inode].kind else {
                    panic!("no file")
                };
                seen.work.nodes[id.0 as usize].digest = Some(digest_of(bytes));
            }
            rounds += 1;
            assert!(rounds < 5, "asks for digests again and again");
        };
        assert!(!self.is_reader || is_silent(&plan), "a reader publishes: {plan:#?}");
        self.fresh = fresh;
        self.absent_since =
            plan.absent.iter().map(|&id| (id, *self.absent_since.get(&id).unwrap_or(&now))).collect();
        self.lost_for = plan.lost.iter().map(|&id| (id, self.lost_for.get(&id).unwrap_or(&0) + 1)).collect();
        plan
    }

    /// Plans, and applies the first `budget` parts of the plan; then the device is switched off.
    pub fn step(&mut self, cloud: &mut Cloud, now: Timestamp, budget: usize) -> Outcome {
        let prepared = self.prepare(cloud, now, 0);
        self.carry_out(prepared, cloud, now, budget)
    }

    /// Observes and plans. `fog` hides some entries of the work folder, or makes them restless.
    pub fn prepare(&mut self, cloud: &Cloud, now: Timestamp, fog: u8) -> Prepared {
        let mut seen = self.observe(cloud, now);
        if fog > 0 {
            seen.cover(u64::from(fog));
        }
        let plan = self.plan(&mut seen, now);
        self.next_counter += plan.counters_used;
        Prepared { seen, plan }
    }

    /// Applies the first `budget` parts of a plan, in a world that may have changed since.
    pub fn carry_out(
        &mut self,
        prepared: Prepared,
        cloud: &mut Cloud,
        now: Timestamp,
        budget: usize,
    ) -> Outcome {
        let Prepared { seen, plan } = prepared;
        trace(|| describe(self.number, &plan, &seen.work));
        let outcome =
            if plan.is_settled() && plan.lost.is_empty() { Outcome::Settled } else { Outcome::Busy };
        let mut run = Run {
            device: self,
            cloud,
            seen: &seen,
            plan: &plan,
            now,
            budget,
            undone: HashSet::new(),
            directories: HashMap::new(),
        };
        if run.all().is_none() {
            // Rule 18: after a crash the counter starts at the limit that was committed.
            self.next_counter += 10_000;
        }
        outcome
    }

    /// The plan as it would be now.
    pub fn look(&mut self, cloud: &Cloud, now: Timestamp) -> Plan {
        let mut seen = self.observe(cloud, now);
        self.plan(&mut seen, now)
    }
}

/// Whether nothing of the plan shows outside of the work folder.
fn is_silent(plan: &Plan) -> bool {
    plan.surplus.is_empty()
        && plan.counters_used == 0
        && plan.changes.iter().all(|change| change.publish.is_none())
}

fn describe(device: usize, plan: &Plan, work: &WorkTree) -> String {
    use std::fmt::Write as _;
    let mut text = format!("  device {device}: ");
    for (id, node) in work.iter() {
        let _ = write!(text, "[{} {} i{}] ", id.0, work.path(id), node.stamp.inode);
    }
    for change in &plan.changes {
        let object = &change.target;
        let short = |id: FileId| id.to_string()[..4].to_owned();
        let _ = write!(
            text,
            "\n    {} {}/{} {:?} c{:?} p{:?} clock {:?}: {:?} {:?} node {:?}",
            short(object.id),
            short(object.parent),
            object.name,
            object.content.kind(),
            object.content_dot.counter,
            object.place_dot.counter,
            object.clock.iter().map(|dot| (dot.device.as_bytes()[0], dot.counter)).collect::<Vec<_>>(),
            change.publish.as_ref().map(|publish| &publish.source),
            change.work,
            change.node.map(|node| node.0),
        );
        if object.content.is_tombstone() {
            text.push_str(" TOMBSTONE");
        }
    }
    let _ = write!(
        text,
        "\n    absent {:?} lost {:?} surplus {:?} again {:?}",
        plan.absent, plan.lost, plan.surplus, plan.look_again
    );
    text
}

struct Run<'a> {
    device: &'a mut Device,
    cloud: &'a mut Cloud,
    seen: &'a Seen,
    plan: &'a Plan,
    now: Timestamp,
    budget: usize,
    /// What could not be done: nor can what lies in it.
    undone: HashSet<FileId>,
    /// Directories that this plan made.
    directories: HashMap<FileId, Inode>,
}

/// A change that cannot be done now: what it meets is not what the plan saw.
struct Deferred;

impl Run<'_> {
    /// Takes one part from the budget; `None` is the crash.
    fn part(&mut self) -> Option<()> {
        self.budget = self.budget.checked_sub(1)?;
        Some(())
    }

    fn all(&mut self) -> Option<()> {
        for change in &self.plan.changes {
            let undone = self.undone.contains(&change.target.parent);
            if undone || self.one(change)?.is_err() {
                self.undone.insert(change.target.id);
            }
        }
        for key in &self.plan.surplus {
            if self.is_as_seen(&key.0) {
                self.part()?;
                self.cloud.remove(self.device.number, &key.0);
            }
        }
        Some(())
    }

    fn one(&mut self, change: &Change) -> Option<Result<(), Deferred>> {
        let mut target = change.target.clone();
        if change.node.is_some_and(|node| self.check_unchanged(node).is_err()) {
            return Some(Err(Deferred));
        }
        if let Some(publish) = &change.publish {
            self.part()?;
            match self.publish(publish, &target) {
                Ok(published) => target = published,
                Err(Deferred) => return Some(Err(Deferred)),
            }
        }
        let mut entry = change.node.map(|node| self.seen.inodes[node.0 as usize]);
        if let Some(work) = &change.work {
            self.part()?;
            match self.work(work, &target) {
                Ok(made) => entry = made.or(entry),
                Err(Deferred) => return Some(Err(Deferred)),
            }
        }
        if matches!(change.work, Some(WorkChange::Park { .. })) {
            return Some(Ok(()));
        }
        self.part()?;
        self.commit(target, entry.filter(|_| !matches!(change.work, Some(WorkChange::Trash { .. }))));
        Some(Ok(()))
    }

    fn commit(&mut self, target: Arc<Object>, entry: Option<Inode>) {
        if let (Content::File { digest, .. }, Some(inode)) = (&target.content, entry) {
            // What the user wrote meanwhile is not what base means.
            let disk::Kind::File { bytes, .. } = self.device.disk.entries[&inode].kind else {
                panic!("no file")
            };
            assert_eq!(*digest, Some(digest_of(bytes)), "base and work folder differ");
        }
        let work = entry.map(|inode| WorkStamp {
            stamp: self.device.reported(self.device.disk.stamp(inode), self.now),
            racy: false,
        });
        self.device.uncommitted.retain(|&(id, _)| id != target.id);
        self.device.base.entries.insert(target.id, BaseEntry { object: target, work });
    }

    fn is_as_seen(&self, key: &str) -> bool {
        let now = self.cloud.files(self.device.number).get(key).map(|file| file.revision);
        now == self.seen.revisions.get(key).copied()
    }

    fn publish(&mut self, publish: &Publish, target: &Arc<Object>) -> Result<Arc<Object>, Deferred> {
        let key = own_key(target.id);
        if !self.is_as_seen(&key) || publish.replaces.iter().any(|key| !self.is_as_seen(&key.0)) {
            return Err(Deferred);
        }
        let payload = match &publish.source {
            Source::Empty => None,
            Source::Work(node) => {
                self.check_unchanged(*node)?;
                let inode = self.seen.inodes[node.0 as usize];
                let disk::Kind::File { bytes, .. } = self.device.disk.entries[&inode].kind else {
                    panic!("no file")
                };
                Some(bytes)
            }
            Source::Keep(key) | Source::Reseal(key) if !self.is_as_seen(&key.0) => return Err(Deferred),
            Source::Keep(key) | Source::Reseal(key) => {
                self.cloud.files(self.device.number).get(&*key.0).ok_or(Deferred)?.payload
            }
        };
        let mut object = target.clone();
        if let Content::File { size, digest, executable } = target.content {
            let bytes = payload.expect("a file has a payload");
            assert!(digest.is_none_or(|digest| digest == digest_of(bytes)), "the source has other bytes");
            assert_eq!(size, disk::size_of(bytes));
            let content = Content::File { size, digest: Some(digest_of(bytes)), executable };
            object = Arc::new(Object { content, ..Object::clone(target) });
        }
        // Whoever reads a file takes its author from who signed it.
        let author = author(self.device.number);
        let signed = Arc::new(Object { author, ..Object::clone(&object) });
        let revision = self.cloud.write(self.device.number, &key, signed, payload);
        self.device.published.insert(revision, Arc::clone(&object));
        for old in publish.replaces.iter().filter(|old| *old.0 != *key) {
            self.cloud.remove(self.device.number, &old.0);
        }
        Ok(object)
    }

    fn work(&mut self, work: &WorkChange, target: &Object) -> Result<Option<Inode>, Deferred> {
        match work {
            WorkChange::Create { at } => {
                let parent = self.free_place(at)?;
                let kind = match &target.content {
                    Content::File { executable, .. } => {
                        disk::Kind::File { bytes: self.fetch(target)?, executable: *executable }
                    }
                    Content::Symlink { target } => disk::Kind::Symlink { target: target.clone() },
                    _ => disk::Kind::Directory,
                };
                let is_directory = kind == disk::Kind::Directory;
                let inode = self.device.disk.create(parent, &at.name, kind, target.modified, self.now);
                if is_directory {
                    self.directories.insert(target.id, inode);
                }
                Ok(Some(inode))
            }
            WorkChange::Update { node, to, content, metadata } => {
                let inode = self.seen.inodes[node.0 as usize];
                self.check_unchanged(*node)?;
                if let Some(place) = to {
                    let parent = self.free_place(place)?;
                    if self.device.disk.is_below(parent, inode) {
                        return Err(Deferred);
                    }
                    self.device.disk.rename(inode, parent, &place.name, self.now);
                }
                self.update(inode, target, *content, *metadata)?;
                Ok(Some(inode))
            }
            WorkChange::Park { node, to } => {
                let inode = self.seen.inodes[node.0 as usize];
                let parent = self.free_place(to)?;
                self.device.disk.rename(inode, parent, &to.name, self.now);
                Ok(None)
            }
            WorkChange::Trash { node } => {
                let inode = self.seen.inodes[node.0 as usize];
                self.check_unchanged(*node)?;
                if !self.device.disk.children(inode).is_empty() {
                    return Err(Deferred);
                }
                self.device.discard(inode);
                self.device.disk.entries.remove(&inode);
                Ok(None)
            }
        }
    }

    fn update(
        &mut self,
        inode: Inode,
        target: &Object,
        content: bool,
        metadata: bool,
    ) -> Result<(), Deferred> {
        if content {
            let kind = match &target.content {
                Content::Symlink { target } => disk::Kind::Symlink { target: target.clone() },
                _ => disk::Kind::File { bytes: self.fetch(target)?, executable: false },
            };
            self.device.replace(inode, target.id);
            // Exchanged with a new file, hence a new birth.
            let entry = self.device.disk.entries.get_mut(&inode).unwrap();
            (entry.kind, entry.born, entry.changed) = (kind, self.now, self.now);
        }
        if metadata {
            let entry = self.device.disk.entries.get_mut(&inode).unwrap();
            (entry.modified, entry.changed) = (target.modified, self.now);
            if let (disk::Kind::File { executable, .. }, Content::File { executable: wanted, .. }) =
                (&mut entry.kind, &target.content)
            {
                *executable = *wanted;
            }
        }
        Ok(())
    }

    fn check_unchanged(&self, node: NodeId) -> Result<(), Deferred> {
        let inode = self.seen.inodes[node.0 as usize];
        let seen = self.seen.work.node(node);
        let parent = self.seen.inodes[seen.parent.0 as usize];
        match self.device.disk.entries.get(&inode) {
            Some(entry) if entry.name != seen.name || entry.parent != parent => Err(Deferred),
            Some(Entry { kind: disk::Kind::Directory, .. }) => Ok(()),
            Some(_)
                if Stamp { inode: 0, born: None, ..self.device.disk.stamp(inode) }
                    == Stamp { inode: 0, born: None, ..seen.stamp } =>
            {
                Ok(())
            }
            _ => Err(Deferred),
        }
    }

    /// The directory of a place in which nothing is.
    fn free_place(&self, place: &Place) -> Result<Inode, Deferred> {
        let parent = if place.parent == FOLDER_ROOT {
            disk::ROOT
        } else if let Some(&made) = self.directories.get(&place.parent) {
            made
        } else {
            let node = self.plan.directories.get(&place.parent).ok_or(Deferred)?;
            self.seen.inodes[node.0 as usize]
        };
        let is_directory = parent == disk::ROOT
            || self.device.disk.entries.get(&parent).is_some_and(|entry| entry.kind == disk::Kind::Directory);
        match self.device.disk.child(parent, &place.name) {
            None if is_directory => Ok(parent),
            _ => Err(Deferred),
        }
    }

    fn fetch(&self, target: &Object) -> Result<Bytes, Deferred> {
        self.cloud
            .files(self.device.number)
            .values()
            .find(|file| file.object.id == target.id && file.object.content.same_bytes(&target.content))
            .and_then(|file| file.payload)
            .ok_or(Deferred)
    }
}
