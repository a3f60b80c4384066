//! Members who may only read: whatever they do stays on their computer, and their device writes nothing into the
//! encrypted folder but the roster that was accepted, where that is lost.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ensafer_core::clock::Dot;
use ensafer_core::format::roster::Role;
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::{Content, Kind, Object};

use super::accounts::bob;
use super::crash::run_until_power_cut;
use super::faults::{Op, watched};
use super::hostile::inject;
use super::world::{Device, EVIL, TEN_MINUTES, World, file};
use crate::engine::EngineError;

/// Alice's folder, and Bob, who may read.
fn with_reader(world: &World) -> (Device, Device) {
    let mut a = world.device("a");
    a.write("f", "f of the folder");
    a.write("g", "g of the folder");
    a.write("d/inner", "inner of the folder");
    a.write("d/deep/file", "deep in the folder");
    a.link("f", "link");
    a.settle();
    a.add(&bob(), Role::Reader).unwrap();
    let mut b = world.guest("b", &bob());
    mute(&mut b);
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.tree(), b.tree());
    (a, b)
}

/// Starts the device over an encrypted folder that fails the test where something is changed in it.
fn mute(device: &mut Device) {
    device.start_with(watched(Arc::new(|op: &Op| {
        let is_change = matches!(op, Op::Stage | Op::Write | Op::Commit(_) | Op::Remove(_));
        assert!(!is_change, "a reader's device changes the encrypted folder: {op:?}");
    })));
}

/// What of the device's tree is not in the other one.
fn own(device: &Device, other: &Device) -> BTreeMap<String, String> {
    let other = other.tree();
    device.tree().into_iter().filter(|(path, text)| other.get(path) != Some(text)).collect()
}

/// Checks that `b` shows what `a` shows, and beside it `kept` alone, which is reported.
#[track_caller]
fn assert_kept(what: &str, a: &Device, b: &Device, kept: &[&str]) {
    let own = own(b, a);
    let mut texts: Vec<&str> =
        own.iter().filter(|(path, _)| !path.ends_with('/')).map(|(_, text)| text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(texts, kept, "{what}: {own:?}");
    let shown = b.tree();
    assert!(a.tree().iter().all(|(path, text)| shown.get(path) == Some(text)), "{what}: {shown:?}");
    let problems = b.problems();
    assert!(problems.values().all(|class| *class == ProblemClass::ReadOnly), "{what}: {problems:?}");
    for path in own.keys() {
        let is_told = |told: &String| {
            let path = path.split(" -> ").next().unwrap().trim_end_matches('/');
            path == told || path.starts_with(&format!("{told}/"))
        };
        assert!(problems.keys().any(is_told), "{what}: {path} is not in {problems:?}");
    }
}

type Deed = (&'static str, fn(&Device), &'static [&'static str]);

/// What a reader does, and which contents are theirs alone then.
const DEEDS: [Deed; 17] = [
    ("edits", |b| b.write("f", "f of the reader"), &["f of the reader"]),
    ("saves", |b| b.save_by_rename("f", "f of the reader"), &["f of the reader"]),
    ("renames", |b| b.rename("f", "h"), &[]),
    ("moves", |b| b.rename("f", "d/deep/f"), &[]),
    ("moves into an own directory", |b| b.rename("f", "own/f"), &[]),
    ("renames a directory", |b| b.rename("d", "e"), &[]),
    ("deletes", |b| b.remove("f"), &[]),
    ("deletes a directory", |b| b.remove("d"), &[]),
    ("makes a file", |b| b.write("new", "new of the reader"), &["new of the reader"]),
    ("makes one below", |b| b.write("d/new", "new of the reader"), &["new of the reader"]),
    ("makes a directory", |b| b.write("own/deep/new", "new of the reader"), &["new of the reader"]),
    ("makes a link", |b| b.link("elsewhere", "away"), &[""]),
    (
        "renames and edits",
        |b| {
            b.rename("f", "h");
            b.write("h", "f of the reader");
        },
        &["f of the reader"],
    ),
    (
        "edits in a renamed directory",
        |b| {
            b.rename("d", "e");
            b.write("e/inner", "inner of the reader");
        },
        &["inner of the reader"],
    ),
    (
        "makes a directory of a file",
        |b| {
            b.remove("f");
            b.write("f/new", "new of the reader");
        },
        &["new of the reader"],
    ),
    (
        "makes a file of a directory",
        |b| {
            b.remove("d");
            b.write("d", "d of the reader");
        },
        &["d of the reader"],
    ),
    (
        "exchanges two",
        |b| {
            b.rename("f", "aside");
            b.rename("g", "f");
            b.rename("aside", "g");
        },
        // Path beats inode: both count as edited.
        &["f of the folder", "g of the folder"],
    ),
];

#[test]
fn nothing_that_a_reader_does_leaves_their_computer() {
    for (what, deed, kept) in DEEDS {
        let world = World::new();
        let (mut a, mut b) = with_reader(&world);
        let store = world.snapshot();
        let tree = a.tree();
        deed(&b);
        b.settle();
        assert_kept(what, &a, &b, kept);
        for _ in 0..2 {
            world.clock.advance(TEN_MINUTES);
            let settled = b.settle();
            assert_eq!((settled.published, settled.applied, settled.complete), (0, 0, true), "{what}");
            assert_kept(what, &a, &b, kept);
            mute(&mut b);
        }
        assert_eq!(world.snapshot(), store, "{what}");
        assert_eq!((a.settle().applied, a.tree()), (0, tree), "{what}");
        // The folder goes on, and what is the reader's own stays.
        a.write("f", "f of the folder, edited");
        a.rename("d/inner", "d/moved");
        a.remove("d/deep");
        world.settle(&mut [&mut a, &mut b]);
        assert_kept(what, &a, &b, kept);
    }
}

#[test]
fn the_executable_bit_goes_back() {
    let world = World::new();
    let (_a, mut b) = with_reader(&world);
    let mode = |device: &Device| fs::metadata(device.path("f")).unwrap().permissions().mode() & 0o111;
    fs::set_permissions(b.path("f"), fs::Permissions::from_mode(0o755)).unwrap();
    b.settle();
    assert_eq!((mode(&b), b.problems().len()), (0, 0));
}

#[test]
fn a_place_that_the_folder_wants_is_the_folders() {
    let world = World::new();
    let (mut a, mut b) = with_reader(&world);
    b.write("file", "file of the reader");
    b.write("directory/new", "new of the reader");
    b.write("both/new", "both of the reader");
    b.write("target", "target of the reader");
    b.write("same", "the same");
    b.link("elsewhere", "linked");
    b.settle();
    a.write("file", "file of the folder");
    a.write("directory", "a file of the folder");
    a.write("both/other", "both of the folder");
    a.rename("g", "target");
    a.write("same", "the same");
    a.write("linked/below", "below a name that was a link");
    world.settle(&mut [&mut a, &mut b]);
    let kept = ["", "both of the reader", "file of the reader", "new of the reader", "target of the reader"];
    assert_kept("wanted", &a, &b, &kept);
    assert_eq!(b.read("both/new"), "both of the reader", "directories of one name are one");
    assert!(!own(&b, &a).contains_key("same"), "equal content is the folder's");
}

/// The plan that parks a file and makes the object anew is cut at every moment, and base never gets ahead.
#[test]
fn rule_16_the_power_fails_at_any_moment_of_a_readers_round() {
    let world = World::new();
    let (mut a, mut b) = with_reader(&world);
    let mut kept = Vec::new();
    let (mut round, mut cut_between) = (0, 0);
    loop {
        round += 1;
        world.clock.advance(TEN_MINUTES);
        for name in ["f", "d/inner"] {
            kept.push(format!("{name} of the reader in {round}"));
            b.write(name, kept.last().unwrap());
        }
        kept.push(format!("new of the reader in {round}"));
        b.write(&format!("new {round}"), kept.last().unwrap());
        b.remove("d/deep");
        a.write("f", &format!("f of the folder in {round}"));
        a.write(&format!("new {round}"), &format!("new of the folder in {round}"));
        a.settle();
        let store = world.snapshot();
        let ended = run_until_power_cut(&mut b, round);
        cut_between += u32::from(!b.path("f").exists());
        mute(&mut b);
        b.settle();
        kept.sort();
        assert_kept(&format!("round {round}"), &a, &b, &kept.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(world.snapshot(), store, "round {round}");
        if ended {
            break;
        }
    }
    assert!(cut_between > 0, "no cut in {round} fell between parking and making anew");
}

/// As after a kill ahead of the commit of base.
#[test]
fn rule_16_a_readers_base_is_committed_last() {
    let world = World::new();
    let (mut a, mut b) = with_reader(&world);
    b.write("f", "f of the reader");
    b.write("new", "new of the reader");
    b.rename("g", "h");
    a.write("new", "new of the folder");
    a.settle();
    b.stop();
    let before = fs::read(b.state_file()).unwrap();
    mute(&mut b);
    b.settle();
    let tree = b.tree();
    b.stop();
    fs::write(b.state_file(), before).unwrap();
    mute(&mut b);
    b.settle();
    assert_eq!(b.tree(), tree);
    assert_kept("twice", &a, &b, &["f of the reader", "new of the reader"]);
}

#[test]
fn a_writer_who_becomes_a_reader_and_a_writer_again_loses_nothing() {
    let world = World::new();
    let mut a = world.device("a");
    for name in ["edited", "renamed", "deleted"] {
        a.write(name, "common");
    }
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    b.write("by bob", "as a writer");
    world.settle(&mut [&mut a, &mut b]);

    // What he has not published when it happens is his own.
    b.write("edited", "too late");
    b.write("by bob", "too late as well");
    b.rename("renamed", "elsewhere");
    b.remove("deleted");
    b.write("new", "nobody's yet");
    a.set_role(&bob(), Role::Reader).unwrap();
    let store = world.snapshot();
    let tree = a.tree();
    mute(&mut b);
    b.settle();
    assert_kept("a reader", &a, &b, &["nobody's yet", "too late", "too late as well"]);
    world.clock.advance(TEN_MINUTES);
    b.settle();
    assert_eq!(world.snapshot(), store);
    let mut fresh = world.device("fresh");
    fresh.settle();
    assert_eq!((a.settle().applied, a.tree(), fresh.tree()), (0, tree.clone(), tree));
    assert_eq!(fresh.read("by bob"), "as a writer", "what he wrote in time is in the manifest");

    // He may write again: his own are new files.
    a.set_role(&bob(), Role::Writer).unwrap();
    b.start();
    b.remove("deleted");
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!((a.tree(), fresh.tree()), (b.tree(), b.tree()));
    let expected = ["as a writer", "common", "common", "nobody's yet", "too late", "too late as well"];
    assert_eq!(a.contents(), expected);
    assert_eq!((a.read("edited").as_str(), a.read("by bob").as_str()), ("common", "as a writer"));
    for device in [&a, &b, &fresh] {
        assert!(device.problems().is_empty(), "{:?}", device.problems());
    }
}

/// Alice takes Bob's right to write, and the roster from before lies there still: its file, and what it will be.
fn demoted_unheard(world: &World, a: &mut Device) -> (PathBuf, Vec<u8>) {
    let roster = world.cloud().join(a.roster_key());
    let as_writer = fs::read(&roster).unwrap();
    a.set_role(&bob(), Role::Reader).unwrap();
    let as_reader = fs::read(&roster).unwrap();
    fs::write(&roster, as_writer).unwrap();
    (roster, as_reader)
}

#[test]
fn a_writer_who_was_demoted_hears_what_the_others_do_not_take() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    b.write("in time", "in time");
    b.write("gone", "deleted too late");
    world.settle(&mut [&mut a, &mut b]);
    // Bob's device has not heard of it, and goes on under the old roster.
    let (roster, as_reader) = demoted_unheard(&world, &mut a);
    b.write("d/late", "too late");
    b.write("f", "edited too late");
    b.remove("gone");
    b.settle();
    world.clock.advance(TEN_MINUTES);
    b.settle();
    fs::write(&roster, as_reader).unwrap();
    b.settle();
    let told = |device: &Device| {
        let told = device.problems().into_iter().filter(|(_, class)| *class == ProblemClass::ReadOnly);
        told.map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(told(&b), ["d", "d/late", "f", "gone"]);
    a.settle();
    assert_eq!((a.read("f").as_str(), a.read("gone").as_str()), ("text", "deleted too late"));
    // After a start without the keys, too.
    b.vault.is_locked.store(true, Ordering::Relaxed);
    b.start();
    b.look();
    b.vault.is_locked.store(false, Ordering::Relaxed);
    assert_eq!(told(&b), ["d", "d/late", "f", "gone"]);
    // Somebody who may write goes on with one of them.
    a.write("f", "edited by Alice");
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.read("f"), "edited by Alice");
    assert!(!told(&b).contains(&"f".to_owned()), "{:?}", b.problems());

    a.set_role(&bob(), Role::Writer).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(told(&b), Vec::<String>::new());
    assert_eq!(a.read("d/late"), "too late");
}

/// `f`, as a later version by the device that is not honest.
fn later(device: &Device, content: Content) -> Object {
    let mut object = (*device.base_of("f").object).clone();
    let dot = Dot { counter: 1_000_000, device: EVIL };
    object.clock.see(dot);
    (object.content_dot, object.content) = (dot, content);
    object
}

#[test]
fn row_12_what_a_reader_signs_all_the_same_is_refused() {
    let world = World::new();
    let (mut a, b) = with_reader(&world);
    let mut fresh = world.device("fresh");
    world.settle(&mut [&mut a, &mut fresh]);
    let (tree, good) = (a.tree(), fs::read(a.ciphertext("f")).unwrap());
    let keys = b.keys();
    let made = inject(&b, &b.object(1, "made", file("never")), "never", keys.signer());
    for (content, text) in
        [(file("forged"), "forged"), (Content::Tombstone { was: Kind::File, size: 4, digest: None }, "")]
    {
        let forged = inject(&b, &later(&a, content), text, keys.signer());
        let store = world.snapshot();
        for device in [&mut a, &mut fresh] {
            for _ in 0..2 {
                device.settle();
                let problems = device.problems();
                for name in [&made, &forged] {
                    assert_eq!(problems.get(name), Some(&ProblemClass::UnknownSigner), "{problems:?}");
                }
                assert_eq!(device.tree(), tree);
                world.clock.advance(TEN_MINUTES * 20);
            }
        }
        assert_eq!(world.snapshot(), store, "it is left as it is");
    }
    // His own device has the same rule.
    let mut other = world.guest("other", &bob());
    mute(&mut other);
    other.settle();
    assert_eq!(other.problems().get(&made), Some(&ProblemClass::UnknownSigner));
    assert!(!other.tree().contains_key("made") && !other.tree().contains_key("f"));
    fs::write(a.ciphertext("f"), good).unwrap();
    fs::remove_file(world.cloud().join(made)).unwrap();
    world.settle(&mut [&mut a, &mut fresh, &mut other]);
    assert_eq!(other.tree(), tree);
    assert!(a.problems().is_empty() && other.problems().is_empty());
}

#[test]
fn row_12_what_a_former_writer_signs_as_a_reader_is_refused() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    a.set_role(&bob(), Role::Reader).unwrap();
    b.settle();
    let keys = b.keys();
    let made = inject(&b, &b.object(1, "made", file("never")), "never", keys.signer());
    let forged = inject(&b, &later(&a, file("forged")), "forged", keys.signer());
    let mut fresh = world.device("fresh");
    for device in [&mut a, &mut fresh] {
        device.settle();
        let problems = device.problems();
        assert_eq!(problems.get(&made), Some(&ProblemClass::FormerMember), "{problems:?}");
        assert_eq!(problems.get(&forged), Some(&ProblemClass::FormerMember), "{problems:?}");
        assert_eq!(device.read("by bob"), "in time");
        assert!(!device.tree().contains_key("made"));
    }
    assert_eq!(a.read("f"), "text");
}

#[test]
fn rule_19_what_is_lost_damaged_rolled_back_or_copied_waits_for_a_writer() {
    let world = World::new();
    let (mut a, mut b) = with_reader(&world);
    let old = fs::read(a.ciphertext("inner")).unwrap();
    a.write("d/inner", "inner, edited");
    world.settle(&mut [&mut a, &mut b]);
    let (damaged, rolled_back) = (a.key_of("g"), a.key_of("inner"));
    let copy = a.key_of("file").replace(".ensafer", " (1).ensafer");
    fs::remove_file(a.ciphertext("f")).unwrap();
    let mut bytes = fs::read(a.ciphertext("g")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(a.ciphertext("g"), bytes).unwrap();
    fs::write(a.ciphertext("inner"), old).unwrap();
    fs::copy(a.ciphertext("file"), world.cloud().join(&copy)).unwrap();
    let (store, tree) = (world.snapshot(), a.tree());
    for _ in 0..4 {
        b.settle();
        world.clock.advance(TEN_MINUTES * 2);
    }
    assert_eq!((world.snapshot(), b.tree()), (store, tree.clone()));
    let problems = b.problems();
    assert_eq!(problems.get("f"), Some(&ProblemClass::Missing), "{problems:?}");
    assert_eq!(problems.get(&damaged), Some(&ProblemClass::Damaged), "{problems:?}");
    assert_eq!(problems.get(&rolled_back), Some(&ProblemClass::RolledBack), "{problems:?}");
    assert!(matches!(b.reencrypt(), Err(EngineError::ReadOnly)));
    // A writer mends it all.
    for _ in 0..3 {
        a.settle();
        world.clock.advance(TEN_MINUTES * 2);
    }
    world.settle(&mut [&mut a, &mut b]);
    assert!(!world.cloud().join(copy).exists());
    assert_eq!((a.tree(), b.tree()), (tree.clone(), tree));
    assert!(a.problems().is_empty() && b.problems().is_empty(), "{:?} {:?}", a.problems(), b.problems());
}

#[test]
fn rule_19_the_accepted_roster_is_put_back_by_a_reader_too() {
    let world = World::new();
    let (a, mut b) = with_reader(&world);
    b.start();
    let store = world.snapshot();
    fs::remove_file(world.cloud().join(a.roster_key())).unwrap();
    b.look();
    world.clock.advance(TEN_MINUTES);
    b.look();
    assert_eq!(world.snapshot(), store, "as it was accepted, to the last byte");
}

/// The cloud was slow: when Alice took his right, she had not seen what he wrote.
#[test]
fn what_a_writer_wrote_too_late_is_quarantined_and_counts_once_they_may_write() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "common");
    a.settle();
    a.add(&bob(), Role::Writer).unwrap();
    let mut b = world.guest("b", &bob());
    b.write("by bob", "in time");
    world.settle(&mut [&mut a, &mut b]);
    let (roster, as_reader) = demoted_unheard(&world, &mut a);
    b.write("f", "at the same moment");
    b.write("new", "at the same moment, too");
    b.settle();
    fs::write(&roster, as_reader).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let late = [b.key_of("f"), b.key_of("new")];
    let problems = a.problems();
    let told: Vec<_> = late.iter().filter_map(|name| problems.get(name)).collect();
    assert_eq!(told, [&ProblemClass::FormerMember; 2], "{problems:?}");
    // What Alice has of `f` is put back, as anything that went missing.
    assert_eq!(problems.get("f"), Some(&ProblemClass::Missing));
    assert_eq!((problems.len(), a.read("by bob").as_str()), (3, "in time"));
    assert_eq!((a.read("f").as_str(), b.read("f").as_str()), ("common", "at the same moment"));
    // It keeps nobody from going on with the file.
    a.write("f", "edited by Alice");
    let mut fresh = world.device("fresh");
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!(fresh.read("f"), "edited by Alice");
    a.set_role(&bob(), Role::Writer).unwrap();
    world.settle(&mut [&mut a, &mut b, &mut fresh]);
    assert_eq!(a.contents(), ["at the same moment", "at the same moment, too", "edited by Alice", "in time"]);
    assert_eq!((a.tree(), fresh.tree()), (b.tree(), b.tree()));
    assert!(a.problems().is_empty() && b.problems().is_empty());
}
