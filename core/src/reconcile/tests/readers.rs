//! What a reader's plans do, and what they never do.

use super::*;
use crate::plan::{Problem, Subject};

fn scene() -> Scene {
    Scene { may_publish: false, ..Scene::new() }
}

/// What the plan does in the work folder, in its order: `park f → g`, `make f`, `move g → f`, …
fn steps(scene: &Scene, plan: &Plan) -> Vec<String> {
    let name = |node: NodeId| scene.work.path(node);
    let step = |change: &Change| match change.work.as_ref() {
        None => format!("base takes {}", change.target.name),
        Some(WorkChange::Park { node, to }) => format!("park {} → {}", name(*node), to.name),
        Some(WorkChange::Create { at }) => format!("make {}", at.name),
        Some(WorkChange::Trash { node }) => format!("trash {}", name(*node)),
        Some(WorkChange::Update { node, to: Some(to), content: false, .. }) => {
            format!("move {} → {}", name(*node), to.name)
        }
        Some(WorkChange::Update { node, to: None, content: true, .. }) => format!("fill {}", name(*node)),
        Some(WorkChange::Update { node, metadata: true, .. }) => format!("dress {}", name(*node)),
        Some(other) => panic!("{other:?}"),
    };
    assert!(plan.surplus.is_empty() && plan.counters_used == 0 && plan.lost.is_empty(), "{plan:?}");
    assert!(plan.changes.iter().all(|change| change.publish.is_none()), "{plan:?}");
    plan.changes.iter().map(step).collect()
}

fn own(paths: &[&str]) -> Vec<Problem> {
    let problem = |path: &&str| {
        let subject = Subject::Path((*path).into());
        Problem { class: ProblemClass::ReadOnly, subject, detail: String::new() }
    };
    paths.iter().map(problem).collect()
}

fn rename(scene: &mut Scene, node: NodeId, name: &str) {
    scene.at(node).name = Name::new(name).unwrap();
}

const ASIDE: &str = "f (alice, laptop, 1970-01-12 13.47.30).txt";

#[test]
fn an_edited_file_moves_aside_and_the_folders_takes_its_place() {
    let mut scene = scene();
    let node = scene.agreed(&file(1, "f.txt", 1));
    scene.write(node, None);
    assert_eq!(scene.plan().hash, [node]);
    scene.write(node, Some(2));
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), [format!("park f.txt → {ASIDE}"), "make f.txt".into()]);
    assert_eq!(plan.problems, own(&["f.txt"]));

    // Interrupted after the first: the object is absent, and what was edited is not taken for it.
    rename(&mut scene, node, ASIDE);
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.absent == [id(1)], "{plan:?}");
    scene.absent_since.insert(id(1), at(90));
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["make f.txt"]);
    assert_eq!(plan.problems, own(&[ASIDE]));
}

#[test]
fn a_name_aside_is_free_and_never_nests() {
    let mut scene = scene();
    let node = scene.agreed(&file(1, "f.txt", 1));
    scene.write(node, Some(2));
    let taken = scene.new_file(ASIDE, Some(3));
    let short = "f (alice, laptop, 1970-01-12 13.47.30, 65656565).txt";
    assert_eq!(steps(&scene, &scene.plan()), [format!("park f.txt → {short}"), "make f.txt".into()]);
    // Somebody gives an object of the folder that very name.
    scene.stored(&file(2, ASIDE, 7));
    let mut plan = steps(&scene, &scene.plan());
    plan.sort();
    assert_eq!(
        plan[2..],
        [
            format!("park {ASIDE} → f (alice, laptop, 1970-01-12 13.46.40).txt"),
            format!("park f.txt → {short}")
        ]
    );
    assert!(plan[..2].contains(&format!("make {ASIDE}")), "{plan:?} {taken:?}");
}

#[test]
fn what_differs_in_times_or_the_executable_bit_is_set_back() {
    let mut scene = scene();
    let node = scene.agreed(&file(1, "f", 1));
    scene.write(node, Some(1));
    assert_eq!(steps(&scene, &scene.plan()), ["dress f"]);
    scene.stored(&file(1, "f", 1).edited(theirs(5), 3));
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["fill f"]);
    assert!(plan.problems.is_empty(), "{plan:?}");
    // The reader had copied the new version from elsewhere.
    scene.write(node, Some(3));
    assert_eq!(steps(&scene, &scene.plan()), ["dress f"]);
}

#[test]
fn what_was_moved_goes_back_even_out_of_a_directory_of_the_readers_own() {
    let mut scene = scene();
    let node = scene.agreed(&file(1, "f", 1));
    rename(&mut scene, node, "g");
    assert_eq!(steps(&scene, &scene.plan()), ["move g → f"]);

    let mut scene = self::scene();
    let own_directory = scene.found(WorkTree::ROOT, "own", NodeKind::Directory { complete: true }, 60);
    let node = scene.agreed(&file(1, "f", 1));
    rename(&mut scene, node, "g");
    scene.at(node).parent = own_directory;
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["move own/g → f"]);
    assert_eq!(plan.problems, own(&["own"]));
    // Edited as well, it stays where it was moved to.
    scene.write(node, Some(2));
    scene.absent_since.insert(id(1), at(0));
    assert_eq!(steps(&scene, &scene.plan()), ["make f"]);
}

#[test]
fn those_that_take_one_anothers_places_are_parked_on_their_way() {
    let mut scene = scene();
    let nodes = [scene.agreed(&directory(1, "a")), scene.agreed(&directory(2, "b"))];
    scene.stored(&directory(1, "a").renamed(theirs(5), "b"));
    scene.stored(&directory(2, "b").renamed(theirs(6), "a"));
    let plan = scene.plan();
    assert!(matches!(plan.changes[0].work, Some(WorkChange::Park { .. })), "{plan:?}");
    // Copied back from elsewhere, under a new inode: base learns it before it is parked.
    scene.at(nodes[0]).stamp.inode = 77;
    scene.at(nodes[1]).stamp.inode = 78;
    let plan = scene.plan();
    assert!(plan.changes[0].work.is_none() && plan.changes[0].node.is_some(), "{plan:?}");
    assert_eq!(plan.changes[0].target.clock, Clock::new().with(mine(1)));
}

#[test]
fn what_was_deleted_here_is_made_again_after_two_observations() {
    let mut scene = scene();
    let node = scene.agreed(&file(1, "f", 1));
    scene.gone(node);
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.absent == [id(1)] && plan.look_again.is_some());
    scene.absent_since.insert(id(1), at(98));
    assert_eq!(steps(&scene, &scene.plan()), ["make f"]);
    // Edited elsewhere meanwhile.
    scene.stored(&file(1, "f", 1).edited(theirs(5), 3));
    assert_eq!(steps(&scene, &scene.plan()), ["make f"]);
}

#[test]
fn new_entries_stay_and_only_the_topmost_are_reported() {
    let mut scene = scene();
    let known = scene.agreed(&directory(1, "d"));
    let file = NodeKind::File { executable: Some(false) };
    let new = scene.found(known, "new", NodeKind::Directory { complete: true }, 60);
    scene.found(new, "inner", file.clone(), 61);
    scene.found(known, "f", file.clone(), 62);
    scene.found(WorkTree::ROOT, "l", NodeKind::Symlink { target: "x".into() }, 63);
    let young = scene.found(WorkTree::ROOT, "young", file, 64);
    scene.at(young).rested = false;
    let plan = scene.plan();
    assert!(plan.changes.is_empty() && plan.hash.is_empty(), "{plan:?}");
    assert_eq!(plan.problems, own(&["d/new", "d/f", "l"]));
    assert!(plan.look_again.is_some());
    scene.at(young).rested = true;
    assert!(scene.plan().is_settled());

    // A writer again: they are new.
    scene.may_publish = true;
    let plan = scene.plan();
    assert!(plan.problems.is_empty() && plan.changes.len() == 5, "{plan:?}");
    assert!(plan.changes.iter().all(|change| change.publish.is_some()));
}

#[test]
fn rule_10_equal_content_is_adopted_and_other_content_makes_way() {
    let mut scene = scene();
    let node = scene.new_file("f.txt", None);
    scene.at(node).stamp.modified = at(50);
    scene.stored(&file(1, "f.txt", 1));
    assert_eq!(scene.plan().hash, [node]);
    scene.at(node).digest = Some(digest(1));
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["base takes f.txt"]);
    assert!(plan.changes[0].node == Some(node) && plan.problems.is_empty());
    scene.at(node).digest = Some(digest(2));
    assert_eq!(steps(&scene, &scene.plan()), [format!("park f.txt → {ASIDE}"), "make f.txt".into()]);
    // A directory takes the place of a file, and a file that of a directory.
    scene.encrypted.versions.clear();
    scene.stored(&directory(1, "f.txt"));
    scene.stored(&file(2, "inner", 1).within(1));
    let made = ["make f.txt".to_owned(), "make inner".to_owned()];
    assert_eq!(steps(&scene, &scene.plan()), [&[format!("park f.txt → {ASIDE}")][..], &made].concat());
    scene.at(node).kind = NodeKind::Directory { complete: true };
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["base takes f.txt", "make inner"]);
    assert_eq!(plan.changes[0].node, Some(node), "directories of one name are one");
}

#[test]
fn what_another_moves_to_the_place_of_a_readers_own_gets_it() {
    let mut scene = scene();
    scene.agreed(&file(1, "e", 1));
    let node = scene.found(WorkTree::ROOT, "f.txt", NodeKind::Directory { complete: true }, 60);
    scene.at(node).stamp.modified = at(50);
    scene.stored(&file(1, "e", 1).renamed(theirs(5), "f.txt"));
    assert_eq!(steps(&scene, &scene.plan()), [format!("park f.txt → {ASIDE}"), "move e → f.txt".into()]);
}

#[test]
fn a_deleted_directory_stays_for_what_a_reader_has_in_it() {
    let mut scene = scene();
    let parent = scene.agreed(&directory(1, "d"));
    let node = scene.agreed(&file(2, "f", 1).within(1));
    let edited = scene.agreed(&file(3, "g", 1).within(1));
    scene.write(edited, Some(2));
    for (n, object) in
        [(5, directory(1, "d")), (6, file(2, "f", 1).within(1)), (7, file(3, "g", 1).within(1))]
    {
        scene.stored(&object.deleted(theirs(n)));
    }
    let plan = scene.plan();
    assert_eq!(steps(&scene, &plan), ["base takes d", "base takes g", "trash d/f"]);
    assert!(plan.changes.iter().all(|change| change.target.content.is_tombstone()));
    assert!(plan.changes[..2].iter().all(|change| change.node.is_none()), "they show no object any more");

    // Somebody makes a file of that name at once.
    scene.stored(&file(9, "d", 3));
    scene.at(parent).stamp.modified = at(50);
    let steps = steps(&scene, &scene.plan());
    assert_eq!(
        (&steps[0][..], steps.len()),
        ("park d → d (alice, laptop, 1970-01-12 13.47.30)", 5),
        "{node:?}"
    );
    assert!(steps.contains(&"make d".into()));
}

#[test]
fn several_versions_show_as_writers_will_publish_them() {
    let mut scene = scene();
    let object = file(1, "f", 1);
    scene.agreed(&object);
    let (winner, loser) = (object.clone().edited(theirs(9), 3), object.clone().edited(theirs(8), 2));
    let loser = Object { clock: Clock::new().with(mine(1)).with(mine(4)), content_dot: mine(4), ..loser };
    let renamed = Object { place_dot: mine(4), name: Name::new("g").unwrap(), ..loser.clone() };
    scene.stored(&winner);
    scene.cloud_copy(&renamed);
    let plan = scene.plan();
    let change = only(&plan).clone();
    assert!(plan.conflicts.is_empty() && plan.problems.is_empty());
    assert!(
        matches!(&change.work, Some(WorkChange::Update { to: Some(to), content: true, .. }) if to.name.as_str() == "g")
    );

    // The next plan finds nothing to do, nor does the one that sees what writers made of it.
    let stamp = scene.base.entries[&id(1)].work;
    scene.base.entries.insert(id(1), BaseEntry { object: change.target.clone(), work: stamp });
    rename(&mut scene, NodeId(1), "g");
    assert!(scene.plan().is_settled(), "{:?}", scene.plan());
    scene.may_publish = true;
    let plan = scene.plan();
    assert_eq!(plan.conflicts.len(), 1, "what nobody has kept yet is kept by a reader that becomes a writer");
    scene.may_publish = false;
    let clock = winner.clock.join(&renamed.clock);
    scene.stored(&Object { clock, ..Object::clone(&change.target) });
    assert_eq!(steps(&scene, &scene.plan()), ["base takes g"]);
}

#[test]
fn what_the_cloud_overwrote_is_its_writers_to_merge() {
    for (device, expected) in [
        (theirs(3).device, vec!["fill f.txt".to_owned()]),
        (ME, vec!["park f.txt → f (alice, laptop, 1970-01-12 13.46.40).txt".into(), "make f.txt".into()]),
    ] {
        let mut scene = scene();
        let object = file(1, "f.txt", 1);
        let dot = crate::clock::Dot { counter: 3, device };
        scene.agreed(&object.clone().edited(dot, 2));
        let third = crate::clock::Dot { counter: 9, device: crate::ids::DeviceId::new([3; 16]) };
        scene.stored(&object.edited(third, 3));
        assert_eq!(steps(&scene, &scene.plan()), expected);
    }
}

#[test]
fn rule_19_what_is_lost_is_only_reported() {
    type Change = fn(&mut Scene, NodeId);
    let table: [(&str, Change, &[&str]); 5] = [
        ("untouched", |_, _| {}, &[]),
        ("edited", |scene, node| scene.write(node, Some(2)), &[]),
        ("moved", |scene, node| rename(scene, node, "g"), &["move g → f"]),
        ("deleted", |scene, node| scene.gone(node), &[]),
        (
            "in the way",
            |scene, _| scene.stored(&file(0, "f", 7)),
            &["move f → f (alice, laptop, 1970-01-12 13.46.40)", "make f"],
        ),
    ];
    for (what, change, expected) in table {
        for stored in [None, Some(file(1, "f", 1))] {
            let mut scene = scene();
            let node = scene.agreed(&file(1, "f", 1).edited(mine(9), 2));
            scene.at(node).digest = Some(digest(1));
            scene.encrypted.versions.clear();
            let class = if stored.is_some() { ProblemClass::RolledBack } else { ProblemClass::Missing };
            stored.iter().for_each(|object| scene.stored(object));
            scene.republish.insert(id(1));
            scene.absent_since.insert(id(1), at(0));
            scene.at(node).digest = Some(digest(2));
            change(&mut scene, node);
            if what == "edited" {
                scene.write(node, Some(5));
            }
            let plan = scene.plan();
            assert_eq!(steps(&scene, &plan), expected, "{what}");
            assert_eq!(plan.problems[0].class, class, "{what}");
            let reported = plan.problems.iter().filter(|p| p.class == ProblemClass::ReadOnly).count();
            assert_eq!(reported, usize::from(what == "edited"));
        }
    }
}

#[test]
fn rule_19_what_is_damaged_is_not_healed() {
    let mut scene = scene();
    scene.agreed(&file(1, "f", 1));
    scene.encrypted.versions.clear();
    scene.encrypted.unknown.insert(id(1));
    scene.republish.insert(id(1));
    let plan = scene.plan();
    assert!(plan.is_settled() && plan.problems.is_empty(), "the listing has reported it: {plan:?}");
}

#[test]
fn cloud_copies_and_descriptions_are_not_the_readers_business() {
    let mut scene = scene();
    scene.agreed(&file(1, "f", 1).edited(mine(5), 2));
    scene.cloud_copy(&file(1, "f", 1));
    assert!(scene.plan().is_settled());
    scene.descriptions.insert(id(1), Some("text".into()));
    assert!(scene.plan().is_settled());
    scene.may_publish = true;
    assert!(only(&scene.plan()).publish.is_some());
}

#[test]
fn an_edit_that_was_not_published_yet_is_a_readers_own_and_back() {
    let mut scene = Scene::new();
    let node = scene.agreed(&file(1, "f.txt", 1));
    scene.write(node, Some(2));
    assert!(only(&scene.plan()).publish.is_some());
    scene.may_publish = false;
    assert_eq!(steps(&scene, &scene.plan()).len(), 2);
    scene.may_publish = true;
    assert!(matches!(only(&scene.plan()).publish.as_ref().unwrap().source, Source::Work(_)));
}
