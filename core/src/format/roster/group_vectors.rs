//! The frozen vectors of groups, `testdata/format-v1-group`: made once, and read for ever.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::group_tests::{forged, pair};
use super::object::encode_log_and_keys;
use super::tests::{fields, seal};
use super::*;
use crate::cbor::Writer;
use crate::crypto::{TestRandom, test_keys};
use crate::format::tests::{World, bundle_of};
use crate::format::{AccountAlone, HeaderError, open_bytes};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/format-v1-group");

fn read(file: &str) -> Vec<u8> {
    fs::read(Path::new(DIRECTORY).join(file)).unwrap()
}

/// Bob's group, in its second epoch, after Alice was in it; and Alice's folder, which lists it, in its second.
struct Vectors {
    world: World,
    group: Group,
    older: Log,
}

fn vectors() -> Vectors {
    let mut world = World::new();
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let bundle = bundle_of(&bob, "bob@example.com", 0xBB);
    let rng = &mut world.rng;
    let mut group = Group::create(bundle, &bob.identity, [9; 16], pair(0), rng).unwrap();
    group.add(bundle_of(&alice, "alice@example.com", 0xAA), Role::Admin, &bob.identity).unwrap();
    world.roster.share_with(group.log(), Role::Writer, Vec::new(), &alice.identity).unwrap();
    let older = group.log().clone();
    group.remove(alice.identity.public(), pair(1), &bob.identity, rng).unwrap();
    world.roster.share_with(group.log(), Role::Writer, Vec::new(), &alice.identity).unwrap();
    world.roster.start_epoch(FolderKey::generate(rng), &alice.identity).unwrap();
    world.envelopes = world.roster.member_envelopes(None).unwrap();
    Vectors { world, group, older }
}

/// Alice's roster with these logs of groups in it.
fn with_logs(world: &World, logs: &[&Log]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(if logs.is_empty() { 2 } else { 3 });
    encode_log_and_keys(&world.roster, &mut w, &mut TestRandom::new(8)).unwrap();
    if !logs.is_empty() {
        w.array(logs.len());
        logs.iter().for_each(|log| log.encode(&mut w));
    }
    forged(&world.roster, &w.into_bytes(), &world.alice.identity)
}

#[test]
#[ignore = "writes the vectors, which are frozen; it refuses to overwrite them"]
fn generate() {
    let Vectors { mut world, group, older } = vectors();
    let write = |file: &str, bytes: &[u8]| {
        let path = Path::new(DIRECTORY).join(file);
        assert!(!path.exists(), "vectors are never overwritten: {file}");
        fs::write(path, bytes).unwrap();
    };
    let bob = test_keys::bob();
    let envelopes = group.member_envelopes(None).unwrap();
    let object = seal_group_object(&group, &envelopes, fields(), &bob.identity, &mut world.rng).unwrap();
    write("good-group.ensafer", &object.bytes);
    write("good-roster.ensafer", &seal(&world.roster, &world.alice.identity, &mut world.rng));
    write("good-file.ensafer", &world.seal_file(b"for the group").bytes);
    write("bad-roster-without-group.ensafer", &with_logs(&world, &[]));
    write("bad-roster-with-older-group.ensafer", &with_logs(&world, &[&older]));
    write("bad-roster-with-folder-as-group.ensafer", &with_logs(&world, &[world.roster.log()]));
    let manifest = json!({
        "about": "Vectors of groups. Frozen: never edit them. docs/format.md explains them.",
        "keys": "Bob's group, of which Alice was an admin; Alice's folder, which it may write in. Keys as in ../format-v1.",
        "group_id": group.id(),
        "group_head": group.state().head,
        "folder_id": world.roster.state().folder,
        "roster_head": world.roster.state().head,
        "content": "for the group",
    });
    write("manifest.json", (serde_json::to_string_pretty(&manifest).unwrap() + "\n").as_bytes());
}

#[test]
fn the_group_opens_its_folder_for_its_member() {
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    let (alice, bob) = (test_keys::alice(), test_keys::bob());
    let group = open_group_object(&read("good-group.ensafer"), &bob.envelope, &[]).unwrap().group;
    assert_eq!(manifest["group_id"], json!(group.id()));
    assert_eq!(manifest["group_head"], json!(group.state().head));
    assert_eq!((group.state().epoch, group.pairs().count()), (2, 2));
    let removed = open_group_object(&read("good-group.ensafer"), &alice.envelope, &[]);
    assert_eq!(removed.map(drop), Err(HeaderError::NotARecipient));

    let keys = AccountAlone::new(&bob.envelope, Vec::new()).with_groups(group.pairs());
    let roster = open_roster_object(&read("good-roster.ensafer"), &keys).unwrap().roster;
    let state = roster.state();
    assert_eq!(manifest["folder_id"], json!(state.folder));
    assert_eq!(manifest["roster_head"], json!(state.head));
    assert_eq!((state.epoch, state.needs_epoch, state.groups.len()), (2, false, 1));
    assert_eq!(state.role_of(&bob.identity.public()), Some(Role::Writer));
    assert_eq!(state.login_of(&bob.identity.public()), Some("bob@example.com"));
    let (header, content) = open_bytes(&read("good-file.ensafer"), &keys).unwrap();
    assert_eq!(manifest["content"], json!(String::from_utf8(content).unwrap()));
    assert!(state.accepts(&header));
    // The same entries make the same groups as when the vectors were made.
    let made = vectors();
    assert_eq!(made.group.state(), group.state());
    assert_eq!(made.world.roster.state().groups, state.groups);
}

#[test]
fn bad_rosters_are_refused() {
    let alice = test_keys::alice();
    for what in ["without-group", "with-older-group", "with-folder-as-group"] {
        let bytes = read(&format!("bad-roster-{what}.ensafer"));
        let keys = AccountAlone::new(&alice.envelope, Vec::new());
        let refused = open_roster_object(&bytes, &keys).map(drop);
        assert_eq!(refused, Err(HeaderError::Unauthentic), "{what}");
    }
}
