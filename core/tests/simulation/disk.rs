//! A file system in memory: inodes, which are given out again as ext4 does, and what users do to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ensafer_core::ids::Digest;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Name, Node, NodeId, NodeKind, Stamp, WorkTree};

pub type Inode = u64;
pub const ROOT: Inode = 0;

/// What a file holds: a number that stands for its bytes.
pub type Bytes = u64;

/// Few sizes, so that different contents often have the same.
pub fn size_of(bytes: Bytes) -> u64 {
    100 + bytes % 3
}

pub fn digest_of(bytes: Bytes) -> Digest {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&bytes.to_be_bytes());
    Digest::new(digest)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File { bytes: Bytes, executable: bool },
    Directory,
    Symlink { target: Arc<str> },
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub parent: Inode,
    pub name: Name,
    pub kind: Kind,
    pub modified: Timestamp,
    pub changed: Timestamp,
    pub born: Timestamp,
}

#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub entries: BTreeMap<Inode, Entry>,
}

impl Disk {
    pub fn child(&self, parent: Inode, name: &Name) -> Option<Inode> {
        self.entries.iter().find(|(_, e)| e.parent == parent && e.name == *name).map(|(&inode, _)| inode)
    }

    pub fn children(&self, parent: Inode) -> Vec<Inode> {
        let mut found: Vec<_> =
            self.entries.iter().filter(|(_, e)| e.parent == parent).map(|(&i, e)| (&e.name, i)).collect();
        found.sort();
        found.into_iter().map(|(_, inode)| inode).collect()
    }

    pub fn is_below(&self, inode: Inode, ancestor: Inode) -> bool {
        let mut at = inode;
        while at != ROOT {
            if at == ancestor {
                return true;
            }
            at = self.entries[&at].parent;
        }
        ancestor == ROOT
    }

    pub fn create(
        &mut self,
        parent: Inode,
        name: &Name,
        kind: Kind,
        modified: Timestamp,
        now: Timestamp,
    ) -> Inode {
        assert!(self.child(parent, name).is_none(), "{name} exists");
        let inode = (1..).find(|inode| !self.entries.contains_key(inode)).unwrap();
        let entry = Entry { parent, name: name.clone(), kind, modified, changed: now, born: now };
        self.entries.insert(inode, entry);
        inode
    }

    pub fn rename(&mut self, inode: Inode, parent: Inode, name: &Name, now: Timestamp) {
        let entry = self.entries.get_mut(&inode).unwrap();
        entry.parent = parent;
        entry.name = name.clone();
        entry.changed = now;
    }

    /// The entry and everything below it, from below.
    pub fn below(&self, inode: Inode) -> Vec<Inode> {
        let mut all = Vec::new();
        for child in self.children(inode) {
            all.extend(self.below(child));
        }
        all.push(inode);
        all
    }

    pub fn stamp(&self, inode: Inode) -> Stamp {
        let entry = &self.entries[&inode];
        let size = match entry.kind {
            Kind::File { bytes, .. } => size_of(bytes),
            _ => 0,
        };
        Stamp {
            size,
            modified: entry.modified,
            changed: entry.changed,
            born: Some(entry.born),
            inode,
            device: 1,
        }
    }

    /// What a scan sees, and the inode of each node.
    pub fn scan(&self, now: Timestamp) -> (WorkTree, Vec<Inode>) {
        let root = Node {
            parent: NodeId(0),
            name: Name::new("root").unwrap(),
            kind: NodeKind::Directory { complete: true },
            stamp: Stamp { device: 1, ..Stamp::default() },
            links: 1,
            rested: true,
            digest: None,
        };
        let mut tree = WorkTree { nodes: vec![root], scanned: now };
        let mut inodes = vec![ROOT];
        let mut at = 0;
        while at < inodes.len() {
            for child in self.children(inodes[at]) {
                let entry = &self.entries[&child];
                tree.nodes.push(Node {
                    parent: NodeId(u32::try_from(at).unwrap()),
                    name: entry.name.clone(),
                    kind: match &entry.kind {
                        Kind::File { executable, .. } => NodeKind::File { executable: Some(*executable) },
                        Kind::Directory => NodeKind::Directory { complete: true },
                        Kind::Symlink { target } => NodeKind::Symlink { target: target.clone() },
                    },
                    stamp: self.stamp(child),
                    links: 1,
                    rested: true,
                    digest: None,
                });
                inodes.push(child);
            }
            at += 1;
        }
        (tree, inodes)
    }

    /// Every path with what is there.
    pub fn picture(&self) -> BTreeMap<String, Kind> {
        let (tree, inodes) = self.scan(Timestamp::default());
        tree.iter()
            .map(|(id, _)| (tree.path(id), self.entries[&inodes[id.0 as usize]].kind.clone()))
            .collect()
    }

    pub fn contents(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.entries.values().filter_map(|entry| match entry.kind {
            Kind::File { bytes, .. } => Some(bytes),
            _ => None,
        })
    }
}

/// What a user does, with numbers that pick among what is there.
#[derive(Debug, Clone)]
pub enum Edit {
    Create {
        directory: u8,
        name: u8,
    },
    MakeDirectory {
        directory: u8,
        name: u8,
    },
    Link {
        directory: u8,
        name: u8,
        target: u8,
    },
    Write {
        file: u8,
    },
    /// As editors do: a new file in the old one's place.
    SaveByRename {
        file: u8,
    },
    Touch {
        file: u8,
    },
    ToggleExecutable {
        file: u8,
    },
    Move {
        entry: u8,
        directory: u8,
        name: u8,
    },
    Swap {
        one: u8,
        other: u8,
    },
    Duplicate {
        file: u8,
        directory: u8,
        name: u8,
    },
    Delete {
        entry: u8,
    },
}

/// What users wrote and threw away: contents, each of which is written only once.
#[derive(Debug, Default)]
pub struct Diary {
    pub written: Vec<Bytes>,
    pub given_up: Vec<Bytes>,
    /// Those of `written` that readers wrote.
    pub by_readers: Vec<Bytes>,
    /// Who writes now is a reader.
    pub is_reader: bool,
}

impl Diary {
    fn write(&mut self) -> Bytes {
        let bytes = self.written.len() as u64 + 1;
        self.written.push(bytes);
        if self.is_reader {
            self.by_readers.push(bytes);
        }
        bytes
    }

    /// What the folder has, readers cannot throw away.
    fn give_up(&mut self, bytes: Bytes) {
        if !self.is_reader || self.by_readers.contains(&bytes) {
            self.given_up.push(bytes);
        }
    }
}

const NAMES: [&str; 5] = ["a", "b", "c.txt", "d", "e.tar.gz"];

fn name(pick: u8) -> Name {
    Name::new(NAMES[usize::from(pick) % NAMES.len()]).unwrap()
}

fn any(from: &[Inode], pick: u8) -> Option<Inode> {
    from.get(usize::from(pick).checked_rem(from.len())?).copied()
}

impl Disk {
    fn directories(&self) -> Vec<Inode> {
        let is_directory = |e: &Entry| e.kind == Kind::Directory;
        std::iter::once(ROOT)
            .chain(self.entries.iter().filter(|(_, e)| is_directory(e)).map(|(&inode, _)| inode))
            .collect()
    }

    fn files(&self) -> Vec<Inode> {
        let is_file = |e: &Entry| matches!(e.kind, Kind::File { .. });
        self.entries.iter().filter(|(_, e)| is_file(e)).map(|(&inode, _)| inode).collect()
    }

    fn give_up(&self, inode: Inode, diary: &mut Diary) {
        if let Kind::File { bytes, .. } = self.entries[&inode].kind {
            diary.give_up(bytes);
        }
    }

    pub fn edit(&mut self, edit: &Edit, diary: &mut Diary, now: Timestamp) {
        match *edit {
            Edit::Create { directory, name } => self
                .make(directory, name, now, |_| Some(Kind::File { bytes: diary.write(), executable: false })),
            Edit::MakeDirectory { directory, name } => {
                self.make(directory, name, now, |_| Some(Kind::Directory));
            }
            Edit::Link { directory, name, target } => self.make(directory, name, now, |_| {
                Some(Kind::Symlink { target: NAMES[usize::from(target) % NAMES.len()].into() })
            }),
            Edit::Duplicate { file, directory, name } => self.make(directory, name, now, |disk| {
                any(&disk.files(), file).map(|inode| disk.entries[&inode].kind.clone())
            }),
            Edit::Write { file }
            | Edit::SaveByRename { file }
            | Edit::Touch { file }
            | Edit::ToggleExecutable { file } => {
                if let Some(inode) = any(&self.files(), file) {
                    self.change(edit, inode, diary, now);
                }
            }
            Edit::Move { entry, directory, name: n } => {
                let (parent, name) = (any(&self.directories(), directory).unwrap(), name(n));
                if let Some(inode) = any(&self.all(), entry)
                    && self.child(parent, &name).is_none()
                    && !self.is_below(parent, inode)
                {
                    self.rename(inode, parent, &name, now);
                }
            }
            Edit::Swap { one, other } => {
                if let (Some(one), Some(other)) = (any(&self.all(), one), any(&self.all(), other))
                    && !self.is_below(one, other)
                    && !self.is_below(other, one)
                {
                    let (a, b) = (self.entries[&one].clone(), self.entries[&other].clone());
                    self.rename(one, b.parent, &b.name, now);
                    self.rename(other, a.parent, &a.name, now);
                }
            }
            Edit::Delete { entry } => {
                for inode in any(&self.all(), entry).map(|inode| self.below(inode)).unwrap_or_default() {
                    self.give_up(inode, diary);
                    self.entries.remove(&inode);
                }
            }
        }
    }

    fn all(&self) -> Vec<Inode> {
        self.entries.keys().copied().collect()
    }

    fn make(&mut self, pick: u8, n: u8, now: Timestamp, kind: impl FnOnce(&Self) -> Option<Kind>) {
        let (parent, name) = (any(&self.directories(), pick).unwrap(), name(n));
        if self.child(parent, &name).is_none()
            && let Some(kind) = kind(self)
        {
            self.create(parent, &name, kind, now, now);
        }
    }

    fn change(&mut self, edit: &Edit, inode: Inode, diary: &mut Diary, now: Timestamp) {
        match edit {
            Edit::Write { .. } => {
                self.give_up(inode, diary);
                self.rewrite(inode, diary.write(), now);
            }
            Edit::SaveByRename { .. } => {
                self.give_up(inode, diary);
                let old = self.entries.remove(&inode).unwrap();
                let kind = Kind::File { bytes: diary.write(), executable: false };
                self.create(old.parent, &old.name, kind, now, now);
            }
            _ => {
                let entry = self.entries.get_mut(&inode).unwrap();
                entry.changed = now;
                match (edit, &mut entry.kind) {
                    (Edit::ToggleExecutable { .. }, Kind::File { executable, .. }) => {
                        *executable = !*executable;
                    }
                    _ => entry.modified = now,
                }
            }
        }
    }

    pub fn rewrite(&mut self, inode: Inode, new: Bytes, now: Timestamp) {
        let entry = self.entries.get_mut(&inode).unwrap();
        (entry.modified, entry.changed) = (now, now);
        if let Kind::File { bytes, .. } = &mut entry.kind {
            *bytes = new;
        }
    }
}
