//! Clouds in memory: one directory that all share, and replicas that a client brings together sooner or later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ensafer_core::ids::FileId;
use ensafer_core::tree::{EncryptedTree, Object, StoreKey, Version};

use crate::disk::Bytes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// One directory, seen by all at once.
    Shared,
    /// Whoever uploads last overwrites the others.
    LastWriterWins,
    /// Whoever comes second gets a conflict copy.
    MakesCopies,
}

#[derive(Debug, Clone)]
pub struct StoreFile {
    pub object: Arc<Object>,
    pub payload: Option<Bytes>,
    /// Tells one write from another.
    pub revision: u64,
}

type Files = BTreeMap<String, StoreFile>;

#[derive(Debug)]
pub struct Cloud {
    manners: Manners,
    server: Files,
    replicas: Vec<Replica>,
    revisions: u64,
}

#[derive(Debug, Default)]
struct Replica {
    files: Files,
    /// What replica and server last agreed on.
    synced: BTreeMap<String, u64>,
}

pub fn own_key(id: FileId) -> String {
    format!("{id}.ensafer")
}

impl Cloud {
    pub fn new(manners: Manners, devices: usize) -> Self {
        let replicas = (0..devices).map(|_| Replica::default()).collect();
        Self { manners, server: Files::new(), replicas, revisions: 0 }
    }

    pub fn files(&self, device: usize) -> &Files {
        match self.manners {
            Manners::Shared => &self.server,
            _ => &self.replicas[device].files,
        }
    }

    fn files_mut(&mut self, device: usize) -> &mut Files {
        match self.manners {
            Manners::Shared => &mut self.server,
            _ => &mut self.replicas[device].files,
        }
    }

    /// Gives the file's revision.
    pub fn write(&mut self, device: usize, key: &str, object: Arc<Object>, payload: Option<Bytes>) -> u64 {
        self.revisions += 1;
        let file = StoreFile { object, payload, revision: self.revisions };
        self.files_mut(device).insert(key.into(), file);
        self.revisions
    }

    pub fn remove(&mut self, device: usize, key: &str) {
        self.files_mut(device).remove(key);
    }

    pub fn tree(&self, device: usize) -> EncryptedTree {
        let mut tree = EncryptedTree { complete: true, ..EncryptedTree::default() };
        for (key, file) in self.files(device) {
            let version = Version { object: file.object.clone(), key: StoreKey(key.as_str().into()) };
            tree.versions.entry(file.object.id).or_default().push(version);
        }
        tree
    }

    /// Brings together those files that `chosen` picks. Returns whether anything happened.
    pub fn sync(&mut self, device: usize, mut chosen: impl FnMut(&str) -> bool) -> bool {
        if self.manners == Manners::Shared {
            return false;
        }
        let keys: BTreeSet<String> =
            self.server.keys().chain(self.replicas[device].files.keys()).cloned().collect();
        let mut moved = false;
        for key in keys {
            moved |= chosen(&key) && self.sync_one(device, &key);
        }
        moved
    }

    fn sync_one(&mut self, device: usize, key: &str) -> bool {
        let replica = &self.replicas[device];
        let local = replica.files.get(key).cloned();
        let synced = replica.synced.get(key).copied();
        let server = self.server.get(key).cloned();
        let revision = |file: &Option<StoreFile>| file.as_ref().map(|file| file.revision);
        if revision(&local) == revision(&server) {
            self.agree(device, key, revision(&server));
            return false;
        }
        let locally_changed = revision(&local) != synced;
        let changed_on_server = revision(&server) != synced;
        match local {
            Some(local) if locally_changed && changed_on_server && server.is_some() => {
                if self.manners == Manners::MakesCopies {
                    let stem = key.strip_suffix(".ensafer").unwrap();
                    let copy = format!("{stem} (conflicted copy {device} {}).ensafer", local.revision);
                    self.put_both(device, &copy, Some(&local));
                    self.put_both(device, key, server.as_ref());
                } else {
                    self.put_both(device, key, Some(&local));
                }
            }
            Some(local) if locally_changed => self.put_both(device, key, Some(&local)),
            None if locally_changed && !changed_on_server => self.put_both(device, key, None),
            _ => self.put_both(device, key, server.as_ref()),
        }
        true
    }

    fn put_both(&mut self, device: usize, key: &str, file: Option<&StoreFile>) {
        let revision = file.map(|file| file.revision);
        for files in [&mut self.server, &mut self.replicas[device].files] {
            match file {
                Some(file) => files.insert(key.into(), file.clone()),
                None => files.remove(key),
            };
        }
        self.agree(device, key, revision);
    }

    fn agree(&mut self, device: usize, key: &str, revision: Option<u64>) {
        let synced = &mut self.replicas[device].synced;
        match revision {
            Some(revision) => synced.insert(key.into(), revision),
            None => synced.remove(key),
        };
    }
}
