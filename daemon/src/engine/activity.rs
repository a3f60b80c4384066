//! What people are told of what was done: made of what base takes, and of what it had.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ensafer_core::api::local::Deed;
use ensafer_core::clock::Dot;
use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseTree, Object};

use crate::state::{BaseRecord, DoneDeed};

/// Longest path that is told, in bytes: `PATH_MAX` of Linux (limits.h). What leads there from the root is cut off first.
const MOST_PATH_BYTES: usize = 4096;

/// What was done where `records` come after `base`. What only changed its times, or was merely written anew, is nothing.
pub(super) fn deeds(
    base: &BaseTree,
    records: &[BaseRecord],
    device: DeviceId,
    now: Timestamp,
) -> Vec<DoneDeed> {
    let news: HashMap<FileId, &Object> = records.iter().map(|r| (r.object.id, &*r.object)).collect();
    let known = |id: &FileId| base.entries.get(id).map(|entry| &*entry.object);
    let after = |id: &FileId| news.get(id).copied().or_else(|| known(id));
    let mut deeds = Vec::new();
    for record in records {
        let object = &record.object;
        for (deed, dot) in changes(known(&object.id), object) {
            let from =
                (deed == Deed::Moved).then(|| known(&object.id).map(|was| path(was, &known))).flatten();
            deeds.push(DoneDeed {
                at: now,
                deed,
                path: path(object, &after),
                from,
                here: dot.device == device,
                author: Arc::clone(&object.author),
            });
        }
    }
    deeds
}

/// How `now` differs from what it `was`, and the events that made it so.
fn changes(was: Option<&Object>, now: &Object) -> Vec<(Deed, Dot)> {
    let was = was.filter(|was| !was.content.is_tombstone());
    match (was, now.content.is_tombstone()) {
        (None, true) => Vec::new(),
        (None, false) => vec![(Deed::Added, now.content_dot)],
        (Some(_), true) => vec![(Deed::Removed, now.content_dot)],
        (Some(was), false) => {
            let moved = (&was.name, was.parent) != (&now.name, now.parent);
            let changed = !was.content.same_bytes(&now.content);
            let moved = moved.then_some((Deed::Moved, now.place_dot));
            moved.into_iter().chain(changed.then_some((Deed::Changed, now.content_dot))).collect()
        }
    }
}

/// The path of `object`, as far as its directories are known. Directories that lie in each other (engine rule 12) come
/// once.
fn path<'a>(object: &'a Object, find: &dyn Fn(&FileId) -> Option<&'a Object>) -> String {
    let mut names = vec![object.name.as_str()];
    let (mut at, mut bytes, mut met) =
        (object.parent, object.name.as_str().len(), HashSet::from([object.id]));
    while let Some(directory) = find(&at).filter(|directory| met.insert(directory.id)) {
        bytes += 1 + directory.name.as_str().len();
        if bytes > MOST_PATH_BYTES {
            break;
        }
        names.push(directory.name.as_str());
        at = directory.parent;
    }
    names.reverse();
    names.join("/")
}
