//! Where directories lie in the work folder while a plan is carried out.

use std::collections::HashMap;

use ensafer_core::ids::FileId;
use ensafer_core::plan::Place;
use ensafer_core::tree::{NodeId, WorkTree};

/// Paths of the work folder, kept true as directories are made and moved.
pub struct Places<'a> {
    tree: &'a WorkTree,
    root: FileId,
    /// The node that shows each directory that the scan saw.
    seen: &'a HashMap<FileId, NodeId>,
    /// Directories made since.
    made: HashMap<FileId, Place>,
    /// Entries moved since.
    moved: HashMap<NodeId, Place>,
}

impl<'a> Places<'a> {
    /// The places that a scan saw. `seen` says which node shows which directory.
    pub fn new(tree: &'a WorkTree, root: FileId, seen: &'a HashMap<FileId, NodeId>) -> Self {
        Self { tree, root, seen, made: HashMap::new(), moved: HashMap::new() }
    }

    /// The path of `place`; `None` if its directory is not in the work folder.
    pub fn path(&self, place: &Place) -> Option<String> {
        self.place_path(place, 0)
    }

    /// Where directory `id` is; `None` if it is not in the work folder.
    pub fn directory_path(&self, id: FileId) -> Option<String> {
        self.directory(id, 0)
    }

    /// Where the node is that the scan saw; `None` if a directory above it is gone.
    pub fn node_path(&self, node: NodeId) -> Option<String> {
        self.node(node, 0)
    }

    /// Directory `id` was made at `place`.
    pub fn made(&mut self, id: FileId, place: Place) {
        self.made.insert(id, place);
    }

    /// `node` was moved to `place`.
    pub fn moved(&mut self, node: NodeId, place: Place) {
        self.moved.insert(node, place);
    }

    fn place_path(&self, place: &Place, depth: usize) -> Option<String> {
        Some(join(self.directory(place.parent, depth + 1)?, place.name.as_str()))
    }

    fn directory(&self, id: FileId, depth: usize) -> Option<String> {
        if id == self.root {
            return Some(String::new());
        }
        match self.made.get(&id) {
            Some(place) => self.place_path(place, self.bounded(depth)?),
            None => self.node(*self.seen.get(&id)?, depth),
        }
    }

    fn node(&self, node: NodeId, depth: usize) -> Option<String> {
        if node == WorkTree::ROOT {
            return Some(String::new());
        }
        let depth = self.bounded(depth)?;
        match self.moved.get(&node) {
            Some(place) => self.place_path(place, depth),
            None => {
                let seen = self.tree.node(node);
                Some(join(self.node(seen.parent, depth + 1)?, seen.name.as_str()))
            }
        }
    }

    /// Moves that contradict each other end here instead of running in circles.
    fn bounded(&self, depth: usize) -> Option<usize> {
        (depth <= self.tree.nodes.len() + self.made.len()).then_some(depth)
    }
}

fn join(mut directory: String, name: &str) -> String {
    if !directory.is_empty() {
        directory.push('/');
    }
    directory.push_str(name);
    directory
}

#[cfg(test)]
mod tests {
    use ensafer_core::time::Timestamp;
    use ensafer_core::tree::{Name, Node, NodeKind, Stamp};

    use super::*;

    fn node(parent: u32, name: &str) -> Node {
        Node {
            parent: NodeId(parent),
            name: Name::new(name).unwrap(),
            kind: NodeKind::Directory { complete: true },
            stamp: Stamp::default(),
            links: 1,
            rested: true,
            digest: None,
        }
    }

    #[test]
    fn paths_follow_the_directories_that_move() {
        let tree = WorkTree {
            nodes: vec![node(0, "root"), node(0, "a"), node(1, "b"), node(2, "file")],
            scanned: Timestamp::default(),
        };
        let [root, a, b, new] = [0, 1, 2, 3].map(|n| FileId::new([n; 16]));
        let seen = HashMap::from([(a, NodeId(1)), (b, NodeId(2))]);
        let mut places = Places::new(&tree, root, &seen);
        let place = |parent, name| Place { parent, name: Name::new(name).unwrap() };
        assert_eq!(places.node_path(NodeId(3)).as_deref(), Some("a/b/file"));
        places.made(new, place(root, "new"));
        places.moved(NodeId(2), place(new, "c"));
        assert_eq!(places.node_path(NodeId(3)).as_deref(), Some("new/c/file"));
        places.moved(NodeId(1), place(b, "a"));
        assert_eq!(places.path(&place(a, "x")).as_deref(), Some("new/c/a/x"));
        assert_eq!(places.path(&place(FileId::new([9; 16]), "x")), None);
        places.moved(NodeId(2), place(a, "round"));
        assert_eq!(places.node_path(NodeId(3)), None, "a circle has no path");
    }
}
