//! Files that keep changing (engine rule 4): they are given more time to rest, and in the end read all the same.

use std::collections::HashMap;
use std::time::Duration;

use ensafer_core::time::Timestamp;
use ensafer_core::tree::{NodeId, NodeKind, WorkTree};

/// A file that changed again while it was waited for must rest so long.
const LONG_REST: Duration = Duration::from_secs(2);

/// A file that has not rested for so long is read anyway; the reading is checked before and after.
const PATIENCE: Duration = Duration::from_secs(60);

/// Since when which files have been changing.
#[derive(Debug, Default)]
pub struct Restless {
    since: HashMap<String, Timestamp>,
}

impl Restless {
    /// Corrects what a scan says about rest: a file that has been changing for a while must rest longer, and one that
    /// never rests is read once in [`PATIENCE`]. Returns how soon a file that has to rest longer may have.
    pub fn judge(&mut self, tree: &mut WorkTree, now: Timestamp) -> Option<Duration> {
        let mut before = std::mem::take(&mut self.since);
        let mut soonest: Option<Duration> = None;
        for id in candidates(tree, now) {
            let path = tree.path(id);
            let node = &mut tree.nodes[id.0 as usize];
            let known = before.remove(&path);
            if node.rested && known.is_none() {
                continue;
            }
            let since = known.unwrap_or(now);
            if now.since(since) >= PATIENCE {
                node.rested = true;
                self.since.insert(path, now);
                continue;
            }
            if now.since(since) >= LONG_REST {
                node.rested = false;
                let left = LONG_REST.saturating_sub(now.since(node.stamp.modified));
                soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
            }
            self.since.insert(path, since);
        }
        soonest
    }
}

/// Files that were changed a moment ago.
fn candidates(tree: &WorkTree, now: Timestamp) -> Vec<NodeId> {
    let is_fresh = |(_, node): &(NodeId, &ensafer_core::tree::Node)| {
        matches!(node.kind, NodeKind::File { .. })
            && (!node.rested || now.since(node.stamp.modified) < LONG_REST && node.stamp.modified <= now)
    };
    tree.iter().filter(is_fresh).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use ensafer_core::tree::{Name, Node, Stamp};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }

    /// A tree with one file, last changed at `modified`, as a scan with a settle time of 200 ms sees it at `now`.
    fn seen(modified: i64, now: i64) -> WorkTree {
        let node = |name: &str, kind, modified| Node {
            parent: NodeId(0),
            name: Name::new(name).unwrap(),
            kind,
            stamp: Stamp { modified, ..Stamp::default() },
            links: 1,
            rested: at(now).since(modified) >= Duration::from_millis(200),
            digest: None,
        };
        let root = node("root", NodeKind::Directory { complete: true }, at(0));
        let file = node("file", NodeKind::File { executable: Some(false) }, at(modified));
        WorkTree { nodes: vec![root, file], scanned: at(now) }
    }

    fn rests(restless: &mut Restless, modified: i64, now: i64) -> bool {
        let mut tree = seen(modified, now);
        restless.judge(&mut tree, at(now));
        tree.nodes[1].rested
    }

    #[test]
    fn rule_04_a_file_that_was_changed_once_rests_for_the_settle_time() {
        let mut restless = Restless::default();
        assert!(!rests(&mut restless, 0, 50));
        assert!(rests(&mut restless, 0, 250));
    }

    #[test]
    fn rule_04_a_file_that_keeps_changing_rests_for_two_seconds() {
        let mut restless = Restless::default();
        for now in (0..2_500).step_by(100) {
            assert!(!rests(&mut restless, now, now + 10), "changed at {now}");
        }
        assert!(!rests(&mut restless, 2_400, 2_900), "500 ms are not enough any more");
        assert!(!rests(&mut restless, 2_400, 4_300));
        assert!(rests(&mut restless, 2_400, 4_400));
    }

    #[test]
    fn rule_04_a_file_that_never_rests_is_read_once_a_minute() {
        let mut restless = Restless::default();
        let read = (0..120_000).step_by(100).filter(|&now| rests(&mut restless, now, now + 10)).count();
        assert_eq!(read, 1, "at 60 s, and again at 120 s");
    }
}
