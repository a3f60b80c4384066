//! A folder of several people: each an account and a home of their own, one encrypted folder that a cloud carries.

use std::fs;
use std::path::PathBuf;

use ensafer_tests::device::text;
use ensafer_tests::{Device, KeyServer, World, tree};
use serde_json::Value;

/// Three people on one key server, and Alice's folder.
struct Circle {
    alice: Device,
    bob: Device,
    carol: Device,
    server: KeyServer,
    /// Outlives the devices.
    world: World,
}

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";

impl Circle {
    /// Alice has a folder with one file; nobody else is in it yet.
    fn new() -> Self {
        let world = World::new();
        let server = KeyServer::start(&world);
        let device = |email: &str| {
            let name = email.split('@').next().unwrap();
            let mut device = world.bare_device(name);
            device.work = world.directory(&format!("{name}-work"));
            device.encrypted = world.encrypted();
            device.register(email, &server.url).expect(0);
            device
        };
        let (alice, bob, carol) = (device(ALICE), device(BOB), device(CAROL));
        alice.add_folder().expect(0);
        alice.write("plans/old.txt", "older than everybody else");
        alice.settle();
        Self { alice, bob, carol, server, world }
    }

    /// Alice adds somebody, who joins.
    #[track_caller]
    fn let_in(&self, device: &Device, role: &str) {
        let email = format!("{}@example.com", name_of(device));
        self.alice.run(&["share", "add", text(&self.alice.work), &email, "--role", role]).expect(0);
        join(device).expect(0);
    }

    /// Has everybody sync until all see the same.
    #[track_caller]
    fn meet(&self, devices: &[&Device]) {
        for device in devices.iter().chain(devices) {
            device.sync().expect_any(&[0, 4]);
        }
        for device in &devices[1..] {
            tree::assert_same(&devices[0].work, &device.work);
        }
    }
}

fn name_of(device: &Device) -> String {
    let home = device.home.file_name().unwrap().to_str().unwrap();
    home.strip_suffix("-home").unwrap().to_owned()
}

/// `folder add … --from` Alice.
#[track_caller]
fn join(device: &Device) -> ensafer_tests::Finished {
    device.run(&["folder", "add", text(&device.work), text(&device.encrypted), "--from", ALICE])
}

#[track_caller]
fn members(device: &Device) -> Vec<(String, String, String)> {
    let list = device.json(&["share", "list", text(&device.work)]);
    let field = |member: &Value, name: &str| member[name].as_str().expect("a text").to_owned();
    let member = |member: &Value| (field(member, "login"), field(member, "role"), field(member, "standing"));
    list.as_array().expect("a list").iter().map(member).collect()
}

fn of(members: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    members
        .iter()
        .map(|(login, role, standing)| ((*login).into(), (*role).into(), (*standing).into()))
        .collect()
}

#[test]
fn a_folder_is_shared_by_one_line_and_joined_by_another() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    let added = alice.run(&["share", "add", text(&alice.work), "Bob@Example.com"]).expect(0);
    added.expect_says("--from alice@example.com").expect_says("share verify bob@example.com");
    let joined = join(bob).expect(0);
    let number = |said: &str| {
        let is_number = |line: &&str| line.replace(' ', "").len() == 60 && line.starts_with(char::is_numeric);
        said.lines().find(is_number).expect("a safety number").to_owned()
    };
    let of_alice = alice.run(&["share", "verify", BOB]).expect(0);
    assert_eq!(number(&joined.stderr), number(&of_alice.stdout), "both sides have one number");
    bob.write("plans/new.txt", "by Bob");
    circle.meet(&[alice, bob]);
    assert_eq!(bob.read("plans/old.txt").as_deref(), Some("older than everybody else"));
    assert_eq!(alice.read("plans/new.txt").as_deref(), Some("by Bob"));

    circle.let_in(carol, "admin");
    bob.write("plans/old.txt", "edited by Bob");
    circle.meet(&[alice, bob, carol]);
    assert_eq!(
        members(alice),
        of(&[(ALICE, "owner", "self"), (CAROL, "admin", "pinned"), (BOB, "writer", "pinned"),])
    );
    assert_eq!(
        members(bob),
        of(&[(ALICE, "owner", "pinned"), (CAROL, "admin", "unknown"), (BOB, "writer", "self"),])
    );
    // The same once more is no error, another role is.
    alice.run(&["share", "add", text(&alice.work), BOB]).expect(0).expect_says("already");
    alice
        .run(&["share", "add", text(&alice.work), BOB, "--role", "admin"])
        .expect(2)
        .expect_says("share role");
    alice.run(&["share", "verify", BOB, "--matches", &number(&of_alice.stdout)]).expect(0);
    assert_eq!(members(alice)[2].2, "verified");
}

#[test]
fn a_folder_of_somebody_unmet_is_not_joined() {
    let circle = Circle::new();
    let (alice, bob) = (&circle.alice, &circle.bob);
    // Before she adds him, and after.
    join(bob).expect(13).expect_says("not shared");
    alice.run(&["share", "add", text(&alice.work), BOB]).expect(0);
    let stranger = &circle.carol;
    stranger.add_folder().expect(13).expect_says("not shared");
    let mut fresh = circle.world.bare_device("fresh");
    (fresh.work, fresh.encrypted) = (circle.world.directory("fresh-work"), circle.world.encrypted());
    fresh.log_in(BOB, &circle.server.url).expect(0);
    // He met Alice on his other computer, and an account's pins are everywhere.
    fresh.add_folder().expect(0);
    fresh.settle();
    assert_eq!(fresh.read("plans/old.txt").as_deref(), Some("older than everybody else"));
}

#[test]
fn whoever_never_met_the_owner_is_told_the_option() {
    let circle = Circle::new();
    let (alice, bob) = (&circle.alice, &circle.bob);
    alice.run(&["share", "add", text(&alice.work), BOB]).expect(0);
    let refused = bob.add_folder().expect(13);
    refused.expect_says("--from alice@example.com");
    assert!(
        tree::names(&bob.work).is_empty() && bob.json(&["folder", "list"]).as_array().unwrap().is_empty()
    );
    // Somebody else's address is not hers.
    bob.run(&["folder", "add", text(&bob.work), text(&bob.encrypted), "--from", CAROL]).expect(13);
    join(bob).expect(0);
}

#[test]
fn roles_are_kept_to_and_only_admins_change_them() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    circle.let_in(bob, "writer");
    let work = text(&bob.work);
    bob.run(&["share", "add", work, CAROL]).expect(1).expect_says("owner and its admins");
    bob.run(&["share", "remove", work, ALICE, "-y"]).expect(1);
    alice.run(&["share", "role", text(&alice.work), BOB, "admin"]).expect(0);
    bob.settle();
    bob.run(&["share", "add", work, CAROL, "--role", "reader"]).expect(0);
    join(carol).expect(0);
    circle.meet(&[alice, bob, carol]);
    bob.run(&["share", "remove", work, ALICE, "-y"]).expect(1).expect_says("owner");
    bob.run(&["share", "role", work, ALICE, "reader"]).expect(1).expect_says("owner");
    let owned = text(&alice.work);
    for refused in [
        vec!["share", "leave", owned, "-y"],
        vec!["share", "remove", owned, ALICE],
        vec!["share", "role", owned, ALICE, "writer"],
    ] {
        let refused = alice.run(&refused).expect(1);
        refused.expect_says("You are the owner").expect_says("ensafer folder remove");
    }
    bob.run(&["share", "remove", work, BOB]).expect(2).expect_says("ensafer share leave");
    bob.run(&["share", "role", work, BOB, "writer"]).expect(2).expect_says("only another admin");
    alice
        .run(&["share", "remove", text(&alice.work), "nobody@example.com"])
        .expect(2)
        .expect_says("no member");
    alice
        .run(&["share", "add", text(&alice.work), "nobody@example.com"])
        .expect(1)
        .expect_says("Nobody has that address");
    for oneself in [vec!["share", "add", owned, ALICE], vec!["invite", "add", owned, ALICE]] {
        alice.run(&oneself).expect(2).expect_says("your own address");
    }
    alice.run(&["share", "verify", ALICE]).expect(2).expect_says("your own address");
    bob.run(&["share", "role", work, BOB, "writer", "-y"]).expect(0);
    assert_eq!(members(bob)[1], (BOB.into(), "writer".into(), "self".into()));
    alice.run(&["share", "list", text(&circle.world.path("elsewhere"))]).expect_any(&[1, 2]);
}

#[test]
fn whoever_is_removed_keeps_what_they_had_and_gets_nothing_new() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    circle.let_in(bob, "writer");
    circle.let_in(carol, "writer");
    bob.write("by bob.txt", "in time");
    circle.meet(&[alice, bob, carol]);
    let removed = alice.run(&["share", "remove", text(&alice.work), BOB, "-y"]).expect(0);
    removed.expect_says("cannot undo").expect_says("work folder");
    alice.write("secret.txt", "not for Bob");
    circle.meet(&[alice, carol]);
    bob.sync().expect(3);
    assert_eq!(bob.problems()[0].0, "not-a-member");
    assert_eq!((bob.read("by bob.txt").as_deref(), bob.read("secret.txt")), (Some("in time"), None));
    bob.write("late.txt", "too late");
    bob.sync().expect(3);
    carol.settle();
    assert_eq!((carol.read("late.txt"), carol.read("by bob.txt").as_deref()), (None, Some("in time")));

    // What lies in the cloud since before his removal gets the new key, and nobody has to do anything about it.
    let before = tree::snapshot(&circle.world.encrypted());
    alice.run(&["folder", "reencrypt", text(&alice.work)]).expect(0).expect_says("newest key");
    let after = tree::snapshot(&circle.world.encrypted());
    let changed = before.iter().filter(|(name, bytes)| after.get(*name) != Some(*bytes)).count();
    assert_eq!(
        (before.len() - changed, after.len()),
        (3, before.len()),
        "roster, manifest and secret.txt stay"
    );
    let said = carol.json(&["sync", "--once"]);
    assert_eq!((&said["applied"], &said["published"]), (&Value::from(0), &Value::from(0)));
    let work = text(&bob.work);
    for line in
        [vec!["folder", "reencrypt", work], vec!["share", "list", work], vec!["share", "leave", work, "-y"]]
    {
        let refused = bob.run(&line).expect(13);
        refused.expect_says("no longer a member").expect_says("ensafer folder remove");
    }
    let status = bob.run(&["status"]).expect(0).expect_says("no longer a member");
    assert!(!status.says("Some files need attention"), "{status}");

    // He comes back, and what he wrote meanwhile comes with him.
    circle.alice.run(&["share", "add", text(&alice.work), BOB]).expect(0);
    circle.meet(&[bob, alice, carol]);
    assert_eq!(bob.read("secret.txt").as_deref(), Some("not for Bob"));
    assert_eq!(carol.read("late.txt").as_deref(), Some("too late"));
    carol.run(&["share", "leave", text(&carol.work), "-y"]).expect(0).expect_says("folder remove");
    carol.run(&["share", "list", text(&carol.work)]).expect(13);
    carol.run(&["share", "leave", text(&carol.work), "-y"]).expect(13);
    carol.sync().expect(3);
    circle.meet(&[alice, bob]);
    assert_eq!(members(alice).len(), 2);
    assert_eq!(carol.read("secret.txt").as_deref(), Some("not for Bob"));
}

#[test]
fn a_running_daemon_changes_members_and_its_friends_follow() {
    let circle = Circle::new();
    let (alice, bob) = (&circle.alice, &circle.bob);
    alice.start_daemon();
    circle.let_in(bob, "writer");
    bob.start_daemon();
    alice.wait_for_state("up-to-date");
    bob.write("live.txt", "by Bob");
    alice.wait_for_content("live.txt", "by Bob");
    alice.run(&["share", "remove", text(&alice.work), BOB, "-y"]).expect(0);
    bob.wait_for_state("attention");
    assert_eq!(bob.json(&["status"])["folders"][0]["shut"], "not-a-member");
    bob.run(&["status"]).expect_says("A folder is not synced").expect_says("ensafer folder remove");
    for line in [vec!["share", "list", text(&bob.work)], vec!["share", "leave", text(&bob.work), "-y"]] {
        bob.run(&line).expect(13).expect_says("no longer a member");
    }
    bob.run(&["folder", "reencrypt", text(&bob.work)]).expect(13);
    alice.write("later.txt", "after Bob");
    alice.wait_for_state("up-to-date");
    let before = tree::snapshot(&circle.world.encrypted());
    alice.run(&["folder", "reencrypt", text(&alice.work)]).expect(0);
    assert_ne!(tree::snapshot(&circle.world.encrypted()), before);
    alice.run(&["share", "add", text(&alice.work), BOB, "--role", "reader"]).expect(0);
    bob.wait_for_content("later.txt", "after Bob");
    alice.run(&["stop"]).expect(0);
    alice.run(&["share", "role", text(&alice.work), BOB, "writer"]).expect(0);
    assert_eq!(members(alice)[1].1, "writer");
}

#[test]
fn nothing_is_shared_without_a_server() {
    let (_world, laptop) = World::with_one_device();
    laptop.run(&["share", "add", text(&laptop.work), BOB]).expect(10).expect_says("register --server");
    let list = laptop.json(&["share", "list", text(&laptop.work)]);
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_encrypted_anew_is_counted_and_named() {
    let circle = Circle::new();
    let (alice, bob) = (&circle.alice, &circle.bob);
    circle.let_in(bob, "writer");
    circle.meet(&[alice, bob]);
    alice.run(&["share", "remove", text(&alice.work), BOB, "-y"]).expect(0);
    let damaged = circle.world.encrypted().join(format!("{}.ensafer", "5a".repeat(16)));
    fs::write(&damaged, [0x5a; 4096]).unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let reencrypt = ["folder", "reencrypt", text(&alice.work)];
    alice.run(&reencrypt).expect(3).expect_says("All but 1 encrypted files").expect_says(name);
    alice.run(&["start"]).expect(0);
    let again = alice.run(&reencrypt).expect(3).expect_says(name);
    assert!(!again.says("Everything"), "{again}");
    fs::remove_file(&damaged).unwrap();
    alice.wait_for_state("up-to-date");
    alice.run(&reencrypt).expect(0).expect_says("Everything in");
}

#[test]
fn a_dispute_is_told_with_who_decides_it() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    circle.let_in(bob, "admin");
    let before = tree::snapshot(&circle.world.encrypted());
    circle.let_in(carol, "admin");
    let encrypted = circle.world.encrypted();
    let with_both = tree::snapshot(&encrypted);
    let is_roster = |name: &&PathBuf| before.get(*name) != with_both.get(*name);
    let roster = encrypted.join(with_both.keys().find(is_roster).expect("the roster was changed"));
    for device in [bob, carol] {
        device.sync().expect_any(&[0, 4]);
    }
    let both = fs::read(&roster).unwrap();
    bob.run(&["share", "remove", text(&bob.work), CAROL, "-y"]).expect(0);
    let of_bob = fs::read(&roster).unwrap();
    fs::write(&roster, both).unwrap();
    carol.run(&["share", "remove", text(&carol.work), BOB, "-y"]).expect(0);
    alice.sync().expect_any(&[0, 4]);
    fs::write(&roster, of_bob).unwrap();
    alice.sync().expect(3);
    let told = "removed each other";
    alice.run(&["share", "list", text(&alice.work)]).expect(0).expect_says(told).expect_says("you decide");
    alice.run(&["status"]).expect(0).expect_says(told);
    bob.sync().expect(3);
    bob.run(&["share", "list", text(&bob.work)]).expect(0).expect_says(told).expect_says(ALICE);
}

#[test]
fn a_server_that_is_gone_is_told_in_the_same_words_by_all() {
    let mut circle = Circle::new();
    circle.server.stop().expect(0);
    let (alice, plain) = (&circle.alice, circle.alice.at("plans/old.txt"));
    let work = text(&alice.work);
    for line in [
        vec!["share", "add", work, BOB],
        vec!["share", "verify", BOB],
        vec!["invite", "add", work, "dave@example.com"],
        vec!["invite", "list"],
        vec!["encrypt", text(&plain), "--to", BOB],
    ] {
        let refused = alice.run(&line).expect(14);
        let words =
            format!("Error: The key server {} cannot be reached: Connection refused", circle.server.url);
        assert!(refused.says(&words), "{refused}");
    }
}
