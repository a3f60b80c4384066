//! One pass over the work folder: what is there, without opening a file.
//!
//! Directories are listed by their handle and every entry is looked at once, relative to it. All directories of one
//! depth are listed in parallel, so the tree comes out breadth first and the same whatever the threads do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, Name, Node, NodeId, NodeKind, Stamp, WorkTree};
use rayon::prelude::*;

use crate::platform::facts_of;
use crate::watch::Hint;
use crate::work_dir::{PRIVATE, WorkDir};

mod hash;
mod listing;
#[cfg(test)]
mod tests;

pub use hash::hash_file;
use listing::{Directory, Earlier, Entry};

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// The time now.
    pub now: Timestamp,
    /// How long a file must have rested before it may be read (engine rule 4).
    pub settle: Duration,
    /// Which names the file system takes for the same: [`WorkDir::folding`].
    pub folding: Folding,
    /// Whether the file system knows which files are executable: [`WorkDir::keeps_modes`].
    pub keeps_modes: bool,
}

/// What a scan saw.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The work folder. Breadth first, siblings sorted by the bytes of their names and next to each other.
    pub tree: WorkTree,
    /// What is not in order, by path.
    pub problems: Vec<Problem>,
    /// The soonest time at which a file that has not rested may have; `None` when all have.
    pub restless: Option<Timestamp>,
    /// The problems by the directory whose listing found them.
    found: BTreeMap<String, Vec<Problem>>,
}

/// Looks at everything. `previous` helps where the clock was set back: a file that has not changed since then has
/// rested.
#[must_use]
pub fn scan(dir: &WorkDir, previous: Option<&Scan>, options: ScanOptions) -> Scan {
    Walk::new(dir, previous, None, options).run()
}

/// Looks at everything, until `cancelled`: then no directory is begun, and there is no scan.
#[must_use]
pub fn scan_unless(dir: &WorkDir, options: ScanOptions, cancelled: &AtomicBool) -> Option<Scan> {
    let walk = Walk { cancelled: Some(cancelled), ..Walk::new(dir, None, None, options) };
    let scan = walk.run();
    (!cancelled.load(Ordering::Relaxed)).then_some(scan)
}

/// Looks at the hinted directories, at what is new in them, and at every directory with a restless file; takes the
/// rest over from `previous`.
#[must_use]
pub fn rescan(dir: &WorkDir, previous: &Scan, hints: &BTreeSet<Hint>, options: ScanOptions) -> Scan {
    let dirty = if hints.contains(&Hint::Everything) { None } else { Some(Dirty::new(hints)) };
    Walk::new(dir, Some(previous), dirty, options).run()
}

/// Whether a scan passes over this name silently: Ensafer's own directory and temporary files, locks of office
/// programs, desktop litter. But for [`PRIVATE`] at the root, it passes over files and links only, not directories.
/// Files with such names cannot be shown in the work folder either.
#[must_use]
pub fn is_ignored(at_root: bool, name: &str) -> bool {
    const LITTER: [&str; 3] = [".ds_store", "desktop.ini", "thumbs.db"];
    (at_root && name.eq_ignore_ascii_case(PRIVATE))
        || name.starts_with("~$")
        || name.starts_with(".~lock.")
        || name.starts_with(".~ensafer-")
        || LITTER.iter().any(|litter| name.eq_ignore_ascii_case(litter))
}

/// Which directories must be listed again.
struct Dirty<'h> {
    directories: BTreeSet<&'h str>,
    trees: BTreeSet<&'h str>,
}

impl<'h> Dirty<'h> {
    fn new(hints: &'h BTreeSet<Hint>) -> Self {
        let mut dirty = Self { directories: BTreeSet::new(), trees: BTreeSet::new() };
        for hint in hints {
            match hint {
                Hint::Directory(path) => dirty.directories.insert(path),
                Hint::Tree(path) => dirty.trees.insert(path),
                Hint::Object(_) | Hint::Everything => false,
            };
        }
        dirty
    }
}

/// A directory whose entries come next.
struct Pending {
    id: NodeId,
    path: String,
    /// The same directory in the previous scan.
    before: Option<NodeId>,
    /// Whether everything below must be listed again.
    anew: bool,
}

struct Walk<'s> {
    dir: &'s WorkDir,
    previous: Option<&'s Scan>,
    /// For every node of the previous scan its children, which lie next to each other.
    children: Vec<Range<u32>>,
    dirty: Option<Dirty<'s>>,
    options: ScanOptions,
    /// Whoever may have it ended, in the middle.
    cancelled: Option<&'s AtomicBool>,
    scan: Scan,
}

impl<'s> Walk<'s> {
    fn new(
        dir: &'s WorkDir,
        previous: Option<&'s Scan>,
        dirty: Option<Dirty<'s>>,
        options: ScanOptions,
    ) -> Self {
        let capacity = previous.map_or(0, |p| p.tree.nodes.len());
        let tree = WorkTree { nodes: Vec::with_capacity(capacity + capacity / 64), scanned: options.now };
        let mut walk = Self {
            dir,
            previous,
            children: Vec::new(),
            dirty,
            options,
            cancelled: None,
            scan: Scan { tree, problems: Vec::new(), restless: None, found: BTreeMap::new() },
        };
        if let Some(previous) = previous {
            walk.children = child_ranges(&previous.tree);
        }
        walk
    }

    fn run(mut self) -> Scan {
        if !self.add_root() {
            return self.finish();
        }
        let before = self.previous.map(|_| WorkTree::ROOT);
        let root = Pending { id: WorkTree::ROOT, path: String::new(), before, anew: self.dirty.is_none() };
        let mut level = vec![root];
        while !level.is_empty() {
            let listed: Vec<Option<Directory>> =
                level.par_iter().map(|pending| self.must_list(pending).then(|| self.list(pending))).collect();
            let mut next = Vec::new();
            for (pending, directory) in level.iter().zip(listed) {
                match directory {
                    Some(directory) => self.add_listed(pending, directory, &mut next),
                    None => self.add_known(pending, &mut next),
                }
            }
            level = next;
        }
        self.finish()
    }

    /// Whether there is anything to look at: a root that was moved away or unmounted holds nothing, which must not
    /// look as if all had been deleted.
    fn add_root(&mut self) -> bool {
        let stamp = facts_of(self.dir.root()).map(|found| found.stamp).unwrap_or_default();
        self.scan.tree.nodes.push(Node {
            parent: WorkTree::ROOT,
            name: Name::new("root").expect("a plain word is a name"),
            kind: NodeKind::Directory { complete: false },
            stamp,
            links: 1,
            rested: true,
            digest: None,
        });
        let is_there = self.dir.is_in_place();
        if !is_there {
            let detail = "the folder was moved, removed or unmounted".into();
            let subject = Subject::Path(String::new());
            let problem = Problem { class: ProblemClass::Unreadable, subject, detail };
            self.scan.found.insert(String::new(), vec![problem]);
        }
        is_there
    }

    fn finish(mut self) -> Scan {
        self.scan.problems = self.scan.found.values().flatten().cloned().collect();
        self.scan.problems.sort_by(|a, b| (&a.subject, a.class).cmp(&(&b.subject, b.class)));
        self.scan
    }

    fn must_list(&self, pending: &Pending) -> bool {
        if self.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return false;
        }
        let (Some(dirty), Some(before), false) = (&self.dirty, pending.before, pending.anew) else {
            return true;
        };
        let previous = self.previous_nodes();
        let is_complete = previous[before.0 as usize].kind == NodeKind::Directory { complete: true };
        !is_complete
            || dirty.directories.contains(pending.path.as_str())
            || dirty.trees.contains(pending.path.as_str())
            || self.children_of(before).any(|child| !previous[child].rested)
    }

    fn list(&self, pending: &Pending) -> Directory {
        let root = self.scan.tree.node(WorkTree::ROOT).stamp;
        let range = pending.before.map_or(0..0, |before| self.children_of(before));
        let scanned = self.previous.map_or(self.options.now, |previous| previous.tree.scanned);
        let earlier = Earlier { nodes: &self.previous_nodes()[range], scanned };
        listing::list(self.dir, &pending.path, root.device, earlier, self.options)
    }

    fn add_listed(&mut self, pending: &Pending, directory: Directory, next: &mut Vec<Pending>) {
        let node = &mut self.scan.tree.nodes[pending.id.0 as usize];
        node.kind = directory.kind;
        node.rested = !directory.vanished;
        if let Some(stamp) = directory.stamp {
            node.stamp = stamp;
        }
        if !directory.problems.is_empty() {
            self.scan.found.insert(pending.path.clone(), directory.problems);
        }
        self.scan.restless = self.scan.restless.into_iter().chain(directory.restless).min();
        let anew = pending.anew
            || self.dirty.as_ref().is_some_and(|dirty| dirty.trees.contains(pending.path.as_str()));
        for entry in directory.entries {
            let Entry { name, kind, stamp, links, rested } = entry;
            let id = self.next_id();
            if matches!(kind, NodeKind::Directory { .. }) {
                let before = pending.before.and_then(|before| self.same_directory(before, &name, &stamp));
                let path = join(&pending.path, name.as_str());
                next.push(Pending { id, path, before, anew });
            }
            let node = Node { parent: pending.id, name, kind, stamp, links, rested, digest: None };
            self.scan.tree.nodes.push(node);
        }
    }

    fn add_known(&mut self, pending: &Pending, next: &mut Vec<Pending>) {
        let Some(before) = pending.before else { return };
        self.scan.tree.nodes[pending.id.0 as usize].kind = NodeKind::Directory { complete: true };
        if let Some(problems) = self.previous.and_then(|previous| previous.found.get(&pending.path)) {
            self.scan.found.insert(pending.path.clone(), problems.clone());
        }
        for child in self.children_of(before) {
            let node = &self.previous_nodes()[child];
            let id = self.next_id();
            if matches!(node.kind, NodeKind::Directory { .. }) {
                let path = join(&pending.path, node.name.as_str());
                let before = u32::try_from(child).ok().map(NodeId);
                next.push(Pending { id, path, before, anew: false });
            }
            let node = Node { parent: pending.id, digest: None, ..node.clone() };
            self.scan.tree.nodes.push(node);
        }
    }

    /// The directory of this name in the previous scan, if it is still the same one.
    fn same_directory(&self, before: NodeId, name: &Name, stamp: &Stamp) -> Option<NodeId> {
        let range = self.children.get(before.0 as usize)?.clone();
        let siblings = &self.previous_nodes()[self.children_of(before)];
        let found = siblings.binary_search_by(|node| node.name.cmp(name)).ok()?;
        let node = &siblings[found];
        let is_same = matches!(node.kind, NodeKind::Directory { .. })
            && (node.stamp.inode, node.stamp.born) == (stamp.inode, stamp.born);
        is_same.then(|| NodeId(range.start + u32::try_from(found).unwrap_or(u32::MAX)))
    }

    fn previous_nodes(&self) -> &'s [Node] {
        self.previous.map_or(&[], |previous| &previous.tree.nodes)
    }

    fn children_of(&self, before: NodeId) -> Range<usize> {
        self.children.get(before.0 as usize).map_or(0..0, |range| range.start as usize..range.end as usize)
    }

    fn next_id(&self) -> NodeId {
        NodeId(
            u32::try_from(self.scan.tree.nodes.len())
                .expect("four thousand million nodes do not fit in memory"),
        )
    }
}

/// In a tree made breadth first the children of a node lie next to each other.
fn child_ranges(tree: &WorkTree) -> Vec<Range<u32>> {
    let mut ranges = vec![0..0; tree.nodes.len()];
    for (id, node) in tree.iter() {
        let range = &mut ranges[node.parent.0 as usize];
        if range.end == 0 {
            range.start = id.0;
        }
        range.end = id.0 + 1;
    }
    ranges
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}
