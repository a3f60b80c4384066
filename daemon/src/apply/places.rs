//! Where directories lie in the work folder while a plan is carried out.

use std::collections::HashMap;

use ensafer_core::ids::FileId;
use ensafer_core::plan::Place;
use ensafer_core::tree::{Name, NodeId, WorkTree};

/// Paths of the work folder, kept true as directories are made and moved.
pub struct Places<'a> {
    tree: &'a WorkTree,
    root: FileId,
    /// Where each directory is: the directory that holds it, and its name there.
    directories: HashMap<FileId, Place>,
    /// Which directory a node is.
    nodes: HashMap<NodeId, FileId>,
}

impl<'a> Places<'a> {
    /// The places that a scan saw. `directories` says which node shows which directory.
    pub fn new(tree: &'a WorkTree, root: FileId, directories: &HashMap<FileId, NodeId>) -> Self {
        let mut nodes: HashMap<_, _> = directories.iter().map(|(&id, &node)| (node, id)).collect();
        nodes.insert(WorkTree::ROOT, root);
        let mut places = Self { tree, root, directories: HashMap::new(), nodes };
        for (&id, &node) in directories {
            if id != root
                && let Some(place) = places.scanned(node)
            {
                places.directories.insert(id, place);
            }
        }
        places
    }

    /// The place at which the scan saw `node`; `None` if its directory is no object.
    pub fn scanned(&self, node: NodeId) -> Option<Place> {
        let node = self.tree.node(node);
        Some(Place { parent: *self.nodes.get(&node.parent)?, name: node.name.clone() })
    }

    /// Where `directory` is, from the top; `None` if it is not in the work folder.
    pub fn directory_path(&self, directory: FileId) -> Option<String> {
        let mut components: Vec<&Name> = Vec::new();
        let mut at = directory;
        while at != self.root {
            let place = self.directories.get(&at)?;
            if components.len() > self.directories.len() {
                return None;
            }
            components.push(&place.name);
            at = place.parent;
        }
        let names: Vec<&str> = components.iter().rev().map(|name| name.as_str()).collect();
        Some(names.join("/"))
    }

    /// The path of `place`; `None` if its directory is not in the work folder.
    pub fn path(&self, place: &Place) -> Option<String> {
        let mut path = self.directory_path(place.parent)?;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(place.name.as_str());
        Some(path)
    }

    /// Where the node that the scan saw is now, as long as it was not itself moved.
    pub fn node_path(&self, node: NodeId) -> Option<String> {
        match self.nodes.get(&node) {
            Some(&directory) => self.directory_path(directory),
            None => self.path(&self.scanned(node)?),
        }
    }

    /// Directory `id` is at `place` from now on.
    pub fn put(&mut self, id: FileId, place: Place) {
        self.directories.insert(id, place);
    }

    /// Directory `id` is no more.
    pub fn remove(&mut self, id: FileId) {
        self.directories.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::time::Timestamp;
    use ensafer_core::tree::{Node, NodeKind, Stamp};

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
        let [root, a, b] = [0, 1, 2].map(|n| FileId::new([n; 16]));
        let directories = HashMap::from([(a, NodeId(1)), (b, NodeId(2))]);
        let mut places = Places::new(&tree, root, &directories);
        assert_eq!(places.node_path(NodeId(3)).as_deref(), Some("a/b/file"));
        let name = |text| Name::new(text).unwrap();
        places.put(b, Place { parent: root, name: name("c") });
        assert_eq!(places.node_path(NodeId(3)).as_deref(), Some("c/file"));
        places.put(a, Place { parent: b, name: name("a") });
        assert_eq!(places.path(&Place { parent: a, name: name("x") }).as_deref(), Some("c/a/x"));
        places.remove(b);
        assert_eq!(places.node_path(NodeId(3)), None);
    }
}
