//! One table or story per rule. The simulation of several devices is in `tests/simulation`.

mod readers;
mod scene;

use std::sync::Arc;
use std::time::Duration;

use scene::*;

use crate::clock::Clock;
use crate::ids::FileId;
use crate::plan::{Change, Plan, ProblemClass, Source, WorkChange};
use crate::tree::{
    BaseEntry, Content, Name, Node, NodeId, NodeKind, Object, Stamp, StoreKey, Version, WorkStamp, WorkTree,
};

fn only(plan: &Plan) -> &Change {
    assert_eq!(plan.changes.len(), 1, "{plan:#?}");
    &plan.changes[0]
}

fn trashed(change: &Change) -> bool {
    matches!(change.work, Some(WorkChange::Trash { .. }))
}

#[test]
fn nothing_changed_nothing_planned() {
    let mut scene = Scene::new();
    scene.agreed(&directory(1, "d"));
    scene.agreed(&file(2, "f", 1).within(1));
    let plan = scene.plan();
    assert!(plan.is_settled() && plan.problems.is_empty(), "{plan:?}");
}

#[test]
fn rule_01_absent_only_after_two_observations_two_seconds_apart() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.gone(node);
    for (since, expected) in [(None, false), (Some(at(99)), false), (Some(at(98)), true)] {
        scene.absent_since = since.map(|since| (id(1), since)).into_iter().collect();
        let plan = scene.plan();
        assert_eq!(plan.absent, [id(1)]);
        assert_eq!(!plan.changes.is_empty(), expected, "absent since {since:?}");
        assert_eq!(plan.look_again.is_none(), expected);
    }
    let plan = scene.plan();
    let change = only(&plan);
    assert!(change.target.content.is_tombstone() && change.publish.is_some() && change.work.is_none());
    assert_eq!(
        change.target.content,
        Content::Tombstone { was: crate::tree::Kind::File, size: 100, digest: Some(digest(1)) }
    );
}

#[test]
fn rule_01_unknown_plans_nothing() {
    type Cover = fn(&mut Scene);
    let covers: [(&str, Cover); 3] = [
        ("listing with an error", |scene| scene.at(NodeId(0)).kind = NodeKind::Directory { complete: false }),
        ("another device", |scene| scene.at(NodeId(0)).stamp.device = 2),
        ("cannot be looked at", |scene| {
            scene.new_file("f", None);
            scene.at(NodeId(1)).kind = NodeKind::Unknown;
        }),
    ];
    for (why, cover) in covers {
        let mut scene = Scene::new();
        let node = scene.agreed(&file(1, "f", 1));
        scene.gone(node);
        scene.absent_since.insert(id(1), at(0));
        cover(&mut scene);
        let plan = scene.plan();
        assert!(plan.changes.is_empty() && plan.absent.is_empty(), "{why}: {plan:?}");
    }
}

#[test]
fn rule_01_what_is_parked_and_cannot_be_looked_at_plans_nothing() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.stored(&file(1, "f", 1).renamed(theirs(5), "g"));
    let parked = scene.at(node);
    parked.name = Name::new("f (alice, laptop, 1970-01-12 13.46.40, 01010101)").unwrap();
    (parked.kind, parked.stamp.size) = (NodeKind::Unknown, 7);
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.absent.is_empty(), "{plan:?}");
}

#[test]
fn rule_02_unchanged_means_size_mtime_ctime_and_inode() {
    type Change = fn(&mut Stamp);
    let changes: [(&str, Change, bool); 4] = [
        ("mtime", |s| s.modified = at(9), true),
        ("ctime", |s| s.changed = at(9), true),
        ("inode", |s| s.inode = 9, true),
        ("device", |s| s.device = 9, false),
    ];
    for (what, change, hashes) in changes {
        let mut scene = Scene::new();
        let node = scene.agreed(&file(1, "f", 1));
        change(&mut scene.at(node).stamp);
        assert_eq!(scene.plan().hash, if hashes { vec![node] } else { vec![] }, "{what}");
        scene.at(node).digest = Some(digest(1));
        let plan = scene.plan();
        let published = only(&plan).publish.is_some();
        assert_eq!(published, what == "mtime", "equal bytes and another {what}");
        assert_eq!(only(&plan).node, Some(node));
    }
}

#[test]
fn rule_02_young_files_are_hashed_again() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    if let Some(work) = &mut scene.base.entries.get_mut(&id(1)).unwrap().work {
        work.racy = true;
    }
    assert_eq!(scene.plan().hash, [node]);
    scene.at(node).digest = Some(digest(2));
    assert!(matches!(only(&scene.plan()).publish.as_ref().unwrap().source, Source::Work(_)));
}

#[test]
fn rule_03_renames() {
    type Change = fn(&mut Node);
    let table: [(&str, Change, bool); 6] = [
        ("same inode, birth, size and time", |_| {}, true),
        ("another birth: the inode was given out again", |n| n.stamp.born = Some(at(40)), false),
        ("two links", |n| n.links = 2, false),
        ("another size", |n| n.stamp.size = 7, false),
        ("another time, same bytes", |n| (n.stamp.modified, n.digest) = (at(40), Some(digest(1))), true),
        ("another time, other bytes", |n| (n.stamp.modified, n.digest) = (at(40), Some(digest(2))), false),
    ];
    for (what, change, is_rename) in table {
        let mut scene = Scene::new();
        let node = scene.agreed(&file(1, "old", 1));
        let moved = scene.at(node);
        moved.name = Name::new("new").unwrap();
        change(moved);
        let plan = scene.plan();
        let targets: Vec<_> = plan.changes.iter().map(|c| (c.target.id, c.target.name.as_str())).collect();
        let expected = if is_rename { id(1) } else { id(101) };
        assert_eq!(targets, [(expected, "new")], "{what}");
        assert_eq!(plan.absent.is_empty(), is_rename, "{what}");
    }
}

#[test]
fn rule_03_a_renamed_directory_takes_its_children_along() {
    let mut scene = Scene::new();
    let node = scene.agreed(&directory(1, "old"));
    scene.agreed(&file(2, "f", 1).within(1));
    scene.at(node).name = Name::new("new").unwrap();
    let plan = scene.plan();
    assert_eq!(only(&plan).target.name.as_str(), "new");
    assert_eq!(only(&plan).target.id, id(1));
}

#[test]
fn rule_03_path_beats_inode() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    let old = scene.at(node);
    old.stamp.inode = 77;
    old.stamp.modified = at(40);
    old.digest = Some(digest(2));
    // The editor kept the old file as a backup.
    let backup = scene.found(WorkTree::ROOT, "f~", NodeKind::File { executable: Some(false) }, 1);
    let plan = scene.plan();
    let of = |n: NodeId| plan.changes.iter().find(|c| c.node == Some(n)).unwrap();
    assert_eq!(of(node).target.id, id(1));
    assert_ne!(of(backup).target.id, id(1));
}

/// The file system of the work folder does not know which files are executable.
const NO_MODES: NodeKind = NodeKind::File { executable: None };

#[test]
fn where_no_modes_are_kept_an_object_keeps_its_executable_bit() {
    for is_executable in [true, false] {
        let mut object = file(1, "f", 1);
        if let Content::File { executable, .. } = &mut object.content {
            *executable = is_executable;
        }
        let mut scene = Scene::new();
        let node = scene.agreed(&object);
        scene.at(node).kind = NO_MODES;
        assert_eq!(scene.plan().changes.len(), 0);
        // It was only touched: the digest is base's.
        scene.write(node, Some(1));
        scene.at(node).stamp.modified = at(0);
        assert!(scene.plan().changes.iter().all(|change| change.publish.is_none()));
        scene.write(node, Some(2));
        let said = only(&scene.plan()).target.content.clone();
        assert!(matches!(said, Content::File { executable, .. } if executable == is_executable), "{said:?}");
    }
}

#[test]
fn where_no_modes_are_kept_a_new_file_is_not_executable_and_none_lacks_the_bit() {
    let mut scene = Scene::new();
    let node = scene.new_file("new", Some(1));
    scene.at(node).kind = NO_MODES;
    let plan = scene.plan();
    assert!(matches!(only(&plan).target.content, Content::File { executable: false, .. }));

    // Others have made it executable since: nothing is to be done to the entry here.
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.at(node).kind = NO_MODES;
    let mut remote = file(1, "f", 1).edited(theirs(5), 1);
    if let Content::File { executable, .. } = &mut remote.content {
        *executable = true;
    }
    remote.modified = scene.at(node).stamp.modified;
    scene.stored(&remote);
    let plan = scene.plan();
    assert_eq!(only(&plan).target.content, remote.content);
    assert_eq!(only(&plan).work, None);
}

#[test]
fn rule_03_where_inodes_mean_nothing_a_unique_digest_counts() {
    let mut scene = Scene::new();
    scene.stable_inodes = false;
    let node = scene.agreed(&file(1, "old", 1));
    scene.at(node).name = Name::new("new").unwrap();
    scene.at(node).stamp.inode = 50;
    assert_eq!(scene.plan().hash, [node]);
    scene.at(node).digest = Some(digest(1));
    assert_eq!(only(&scene.plan()).target.id, id(1));
    let twin = scene.new_file("twin", Some(1));
    let plan = scene.plan();
    assert_eq!(plan.changes.len(), 2, "neither of two is known again");
    assert!(plan.changes.iter().all(|c| c.target.id != id(1)), "{twin:?}");
}

#[test]
fn rule_09_both_sides_edited_first_the_copy_then_the_merge() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f.txt", 1));
    scene.write(node, Some(2));
    let remote = file(1, "f.txt", 1).edited(theirs(500), 3);
    scene.stored(&remote);
    let plan = scene.plan();
    let conflict = plan.conflicts[0].clone();
    let change = only(&plan).clone();
    assert_eq!((conflict.losing, change.target.id), (theirs(500), conflict.copy));
    assert!(matches!(change.publish.as_ref().unwrap().source, Source::Reseal(_)) && change.work.is_none());
    assert_eq!(change.target.name.as_str(), "f (alice, laptop, 1970-01-12 13.46.40).txt");
    assert_eq!(change.target.clock, Clock::new().with(theirs(500)));
    assert_eq!(plan.look_again, Some(Duration::ZERO));

    scene.stored(&change.target);
    let plan = scene.plan();
    let winner = plan.changes.iter().find(|c| c.target.id == id(1)).unwrap();
    assert!(winner.target.content_dot > theirs(500), "a local edit counts above what it meets");
    assert!(winner.target.clock.covers(theirs(500)) && winner.work.is_none());
    assert!(plan.counters_used > 490);
}

#[test]
fn rule_09_rename_beside_edit_is_no_conflict() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.at(node).name = Name::new("g").unwrap();
    scene.stored(&file(1, "f", 1).edited(theirs(5), 3));
    let plan = scene.plan();
    let change = only(&plan);
    assert!(plan.conflicts.is_empty());
    assert_eq!(change.target.name.as_str(), "g");
    assert_eq!(change.target.content_dot, theirs(5));
    assert!(matches!(change.publish.as_ref().unwrap().source, Source::Keep(_)));
    assert!(matches!(change.work, Some(WorkChange::Update { to: None, content: true, .. })));
}

#[test]
fn rule_09_a_last_writer_who_won_is_merged_even_though_the_work_file_equals_base() {
    let mut scene = Scene::new();
    let ours = file(1, "f", 1).edited(mine(9), 2);
    let node = scene.agreed(&ours);
    scene.stored(&file(1, "f", 1).edited(theirs(5), 3));
    // Ours has the greater dot: theirs becomes the copy.
    let plan = scene.plan();
    assert!(matches!(only(&plan).publish.as_ref().unwrap().source, Source::Reseal(_)));
    // Theirs has the greater dot: ours becomes the copy, from the work folder.
    scene.stored(&file(1, "f", 1).edited(theirs(50), 3));
    let plan = scene.plan();
    assert_eq!(only(&plan).publish.as_ref().unwrap().source, Source::Work(node));
    assert_eq!(plan.conflicts[0].losing, mine(9));
    let copy = only(&plan).target.clone();
    scene.stored(&copy);
    let plan = scene.plan();
    let winner = plan.changes.iter().find(|c| c.target.id == id(1)).unwrap();
    assert!(matches!(winner.work, Some(WorkChange::Update { content: true, .. })));
    assert_eq!(winner.target.clock, [mine(9), theirs(50)].into_iter().collect());
    assert_eq!(plan.counters_used, 0, "a merge has no dot of its own");
}

#[test]
fn rule_09_what_was_taken_back_after_an_interruption_is_younger_than_what_others_made_of_it() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.at(node).stamp.changed = at(9);
    scene.at(node).digest = Some(digest(1));
    let published = file(1, "f", 1).edited(mine(5), 2);
    scene.stored(&published.clone().edited(theirs(6), 3));
    let plan = scene.plan();
    assert_eq!((plan.conflicts.len(), plan.conflicts[0].losing), (1, theirs(6)));
    assert!(only(&plan).target.id == plan.conflicts[0].copy && only(&plan).work.is_none());
    scene.stored(&published.deleted(theirs(6)));
    let plan = scene.plan();
    assert!(!only(&plan).target.content.is_tombstone() && only(&plan).publish.is_some());
    // Only a name was published.
    scene.stored(&file(1, "f", 1).renamed(mine(5), "g").edited(theirs(6), 3));
    let plan = scene.plan();
    assert!(matches!(only(&plan).work, Some(WorkChange::Update { content: true, .. })), "{plan:?}");
}

#[test]
fn rule_09_rolled_back_vanished_and_contradicting() {
    let table = [
        (Some(file(1, "f", 1)), ProblemClass::RolledBack, true),
        (None, ProblemClass::Missing, true),
        (Some(file(1, "f", 1).edited(mine(9), 7)), ProblemClass::Inconsistent, false),
    ];
    for (stored, class, heals) in table {
        let mut scene = Scene::new();
        let ours = file(1, "f", 1).edited(mine(9), 2);
        let node = scene.agreed(&ours);
        scene.encrypted.versions.clear();
        if let Some(stored) = &stored {
            scene.stored(stored);
        }
        let plan = scene.plan();
        assert_eq!((plan.problems[0].class, plan.changes.len()), (class, 0));
        assert_eq!(plan.lost == [id(1)], heals);

        // Rule 19: with the policy's leave base's version is published again, its clock unchanged.
        scene.republish.insert(id(1));
        let plan = scene.plan();
        assert_eq!(plan.changes.len(), usize::from(heals), "{class:?}");
        if heals {
            assert_eq!(only(&plan).publish.as_ref().unwrap().source, Source::Work(node));
            assert_eq!(*only(&plan).target, ours);
        }
    }
}

#[test]
fn rule_09_what_cannot_be_read_or_was_not_listed_plans_nothing() {
    for unknown in [true, false] {
        let mut scene = Scene::new();
        let node = scene.agreed(&file(1, "f", 1));
        scene.write(node, Some(2));
        scene.encrypted.versions.clear();
        if unknown {
            scene.encrypted.unknown.insert(id(1));
        } else {
            scene.encrypted.complete = false;
        }
        let plan = scene.plan();
        assert!(plan.changes.is_empty() && plan.lost.is_empty(), "{plan:?}");
    }
}

#[test]
fn rule_09_cloud_copies_are_versions_and_go_when_they_say_nothing_new() {
    let mut scene = Scene::new();
    scene.agreed(&file(1, "f", 1).edited(mine(5), 2));
    let stale = scene.cloud_copy(&file(1, "f", 1));
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && !plan.is_settled());
    assert_eq!(plan.surplus, [stale]);
}

#[test]
fn rule_10_equal_content_is_adopted() {
    let mut scene = Scene::new();
    let node = scene.new_file("f", None);
    scene.stored(&file(1, "f", 1));
    assert_eq!(scene.plan().hash, [node]);
    scene.at(node).digest = Some(digest(1));
    let plan = scene.plan();
    let change = only(&plan);
    assert_eq!((change.target.id, change.node), (id(1), Some(node)));
    assert!(change.publish.is_none() && change.work.is_none());
    // Other bytes: a file of its own; the smaller id keeps the name.
    scene.at(node).digest = Some(digest(2));
    let plan = scene.plan();
    let moved = plan.changes.iter().find(|c| c.target.id == id(101)).unwrap();
    assert!(matches!(&moved.work, Some(WorkChange::Update { to: Some(to), .. })
        if to.name.as_str() == "f (alice, laptop, 1970-01-12 13.46.40)"));
}

#[test]
fn rule_10_a_file_that_was_deleted_while_the_state_was_lost_goes_to_the_trash() {
    let mut scene = Scene::new();
    scene.new_file("f", Some(1));
    scene.stored(&file(1, "f", 1).deleted(theirs(5)));
    assert!(trashed(only(&scene.plan())));
    // Base knows the tombstone: the user has made the file again.
    let base = BaseEntry { object: Arc::new(file(1, "f", 1).deleted(theirs(5))), work: None };
    scene.base.entries.insert(id(1), base);
    assert_eq!(only(&scene.plan()).target.id, id(101));
}

#[test]
fn rule_11_a_tombstone_wins_only_when_its_clock_dominates() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.stored(&file(1, "f", 1).deleted(theirs(5)));
    assert!(trashed(only(&scene.plan())));
    // An edit beats it.
    scene.write(node, Some(2));
    let plan = scene.plan();
    assert!(!only(&plan).target.content.is_tombstone() && only(&plan).target.clock.covers(theirs(5)));
    // So does a deletion here against an edit there.
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    scene.gone(node);
    scene.absent_since.insert(id(1), at(0));
    scene.stored(&file(1, "f", 1).edited(theirs(5), 2));
    let plan = scene.plan();
    assert!(matches!(only(&plan).work, Some(WorkChange::Create { .. })) && only(&plan).publish.is_none());
}

#[test]
fn rule_11_a_directory_with_something_living_in_it_is_alive() {
    let mut scene = Scene::new();
    scene.agreed(&directory(1, "d"));
    scene.agreed(&file(2, "f", 1).within(1));
    scene.stored(&directory(1, "d").deleted(theirs(5)));
    let plan = scene.plan();
    assert!(only(&plan).work.is_none() && only(&plan).node.is_some(), "kept for the sake of the file");
    scene.stored(&file(2, "f", 1).within(1).deleted(theirs(6)));
    let plan = scene.plan();
    let ids: Vec<_> = plan.changes.iter().map(|c| (c.target.id, trashed(c))).collect();
    assert_eq!(ids, [(id(2), true), (id(1), true)], "what lies in it goes first");
}

#[test]
fn rule_11_a_directory_is_not_trashed_over_what_nobody_has_read() {
    let mut scene = Scene::new();
    let parent = scene.agreed(&directory(1, "d"));
    let young = scene.found(parent, "young", NodeKind::File { executable: Some(false) }, 50);
    scene.at(young).rested = false;
    scene.stored(&directory(1, "d").deleted(theirs(5)));
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.look_again.is_some(), "{plan:?}");
}

#[test]
fn rule_12_a_suffix_of_the_layout_is_never_published() {
    let mut scene = Scene::new();
    let shown = "f (alice, laptop, 1970-01-12 13.46.40)";
    scene.agreed(&file(1, "f", 1));
    let node = scene.agreed(&file(2, "f", 2));
    scene.at(node).name = Name::new(shown).unwrap();
    assert!(scene.plan().is_settled());
    // Moved with the suffix that it shows: the name stays the object's own.
    let elsewhere = scene.agreed(&directory(3, "d"));
    scene.at(node).parent = elsewhere;
    let plan = scene.plan();
    assert_eq!((only(&plan).target.name.as_str(), only(&plan).target.parent), ("f", id(3)));
}

#[test]
fn rule_23_those_that_swap_places_are_parked_not_stuck() {
    let mut scene = Scene::new();
    scene.agreed(&file(1, "a", 1));
    scene.agreed(&file(2, "b", 2));
    scene.stored(&file(1, "a", 1).renamed(theirs(5), "b"));
    scene.stored(&file(2, "b", 2).renamed(theirs(6), "a"));
    let plan = scene.plan();
    assert!(matches!(plan.changes[0].work, Some(WorkChange::Park { .. })), "{plan:?}");
    assert_eq!(plan.changes.len(), 2);
}

#[test]
fn rule_23_what_was_made_anew_under_its_old_inode_is_learnt_before_it_is_parked() {
    let mut scene = Scene::new();
    let nodes = [scene.agreed(&directory(1, "a")), scene.agreed(&directory(2, "b"))];
    scene.stored(&directory(1, "a").renamed(theirs(5), "b"));
    scene.stored(&directory(2, "b").renamed(theirs(6), "a"));
    for node in nodes {
        scene.at(node).stamp.born = Some(at(40));
    }
    let plan = scene.plan();
    assert!(plan.changes[0].work.is_none() && plan.changes[0].node.is_some(), "{plan:?}");
}

#[test]
fn rule_23_the_name_of_a_parked_directory_is_not_published_for_another_that_shows_as_it() {
    let mut scene = Scene::new();
    let node = scene.agreed(&directory(1, "d"));
    let work = scene.base.entries[&id(1)].work;
    scene.base.entries.insert(id(2), BaseEntry { object: Arc::new(directory(2, "d")), work });
    scene.stored(&directory(2, "d"));
    scene.stored(&directory(1, "d").renamed(theirs(5), "d").within(2));
    let plan = scene.plan();
    let Some(WorkChange::Park { to, .. }) = &plan.changes[0].work else { panic!("{plan:?}") };
    // The power goes.
    scene.at(node).name = to.name.clone();
    let plan = scene.plan();
    assert!(plan.changes.len() == 2 && plan.counters_used == 0, "{plan:?}");
}

#[test]
fn rule_04_restless_files_wait() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f", 1));
    let young = scene.new_file("young", None);
    scene.write(node, None);
    for restless in [node, young] {
        scene.at(restless).rested = false;
    }
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.hash.is_empty());
    assert_eq!(plan.look_again, Some(Duration::from_millis(200)));
}

#[test]
fn rule_12_what_waits_for_its_directory_is_reported() {
    let mut scene = Scene::new();
    scene.stored(&file(1, "f", 1).within(9));
    let plan = scene.plan();
    assert!(plan.changes.is_empty());
    assert_eq!(plan.problems[0].class, ProblemClass::UnknownParent);
    scene.stored(&directory(9, "d"));
    assert_eq!(scene.plan().changes.len(), 2);
}

/// A folder of `count` files in directories of fifty, on both sides alike.
fn large(count: usize) -> Scene {
    let mut scene = Scene::new();
    let wide = |n: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        FileId::new(bytes)
    };
    let mut parent = (ROOT, WorkTree::ROOT);
    for n in 1..=count {
        let is_directory = n % 50 == 1;
        let holder = if is_directory { (ROOT, WorkTree::ROOT) } else { parent };
        let name = format!("entry {n}");
        let template = if is_directory { directory(0, &name) } else { file(0, &name, 1) };
        let object = Arc::new(Object { id: wide(n), parent: holder.0, ..template });
        let kind = if is_directory {
            NodeKind::Directory { complete: true }
        } else {
            NodeKind::File { executable: Some(false) }
        };
        let node = scene.found(holder.1, &name, kind, 0);
        scene.at(node).stamp.inode = n as u64;
        let work = Some(WorkStamp { stamp: scene.work.node(node).stamp, racy: false });
        scene.base.entries.insert(object.id, BaseEntry { object: object.clone(), work });
        let key = StoreKey(format!("{}.ensafer", object.id).into());
        scene.encrypted.versions.insert(object.id, vec![Version { object: object.clone(), key }]);
        if is_directory {
            parent = (object.id, node);
        }
    }
    scene
}

#[test]
fn a_hundred_thousand_entries() {
    let mut scene = large(100_000);
    let once = || {
        let start = std::time::Instant::now();
        assert!(scene.plan().is_settled());
        start.elapsed()
    };
    let settled = (0..5).map(|_| once()).min().unwrap();
    scene.encrypted.versions.clear();
    scene.base.entries.clear();
    let mut fresh = 0u64;
    let start = std::time::Instant::now();
    let plan = scene.plan_with(&mut || {
        fresh += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&fresh.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        FileId::new(bytes)
    });
    assert_eq!(plan.changes.len(), 100_000);
    println!("settled: {settled:?}; all new: {:?}", start.elapsed());
    // Far above what it takes, yet far below anything quadratic.
    assert!(settled < Duration::from_secs(5) && start.elapsed() < Duration::from_secs(10));
}
