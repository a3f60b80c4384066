//! Folders that are shared with groups: made, joined, changed by people on several computers, and what a lying server can
//! do with a group.

use std::fs;
use std::path::Path;

use ensafer_tests::device::{PASSWORD, text};
use ensafer_tests::{Device, EvilServer, Finished, KeyServer, World, naive, tree, wait};
use serde_json::Value;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";

/// Three people on one key server, and Alice's folder.
struct Circle {
    alice: Device,
    bob: Device,
    carol: Device,
    evil: EvilServer,
    _server: KeyServer,
    /// Outlives the devices.
    world: World,
}

impl Circle {
    /// Alice has a folder with one file, and a group with Bob in it; the folder is not shared yet.
    fn new() -> Self {
        let world = World::new();
        let server = KeyServer::start(&world);
        let evil = EvilServer::start(&server.url);
        let device = |email: &str| {
            let device = bare(&world, email.split('@').next().unwrap());
            device.register(email, &evil.url).expect(0);
            device
        };
        let (alice, bob, carol) = (device(ALICE), device(BOB), device(CAROL));
        alice.add_folder().expect(0);
        alice.write("plans/old.txt", "older than the group");
        alice.settle();
        alice.run(&["group", "create", "Family"]).expect(0);
        alice.run(&["group", "add", "Family", BOB]).expect(0);
        Self { alice, bob, carol, evil, _server: server, world }
    }

    /// Alice shares her folder with the group, and her sync puts the group's file beside the roster.
    #[track_caller]
    fn share(&self, role: &str) -> Finished {
        let shared = self.alice.run(&["share", "add", text(&self.alice.work), "Family", "--role", role]);
        self.alice.settle();
        shared
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

    /// Another computer of Alice's, with her folder.
    fn fresh(&self) -> Device {
        let fresh = bare(&self.world, "fresh");
        fresh.log_in(ALICE, &self.evil.url).expect(0);
        fresh.add_folder().expect(0);
        fresh.settle();
        fresh
    }

    fn group(&self) -> String {
        let groups = self.alice.json(&["group", "list", "Family"]);
        groups[0]["id"].as_str().unwrap().to_owned()
    }
}

fn bare(world: &World, name: &str) -> Device {
    let mut device = world.bare_device(name);
    device.work = world.directory(&format!("{name}-work"));
    device.encrypted = world.encrypted();
    device
}

/// `folder add … --from` Alice.
#[track_caller]
fn join(device: &Device, work: &Path, encrypted: &Path) -> Finished {
    device.run(&["folder", "add", text(work), text(encrypted), "--from", ALICE])
}

/// Who is in the first group that the device lists, and as what.
#[track_caller]
fn people(device: &Device) -> Vec<String> {
    let groups = device.json(&["group", "list"]);
    let person = |person: &Value| {
        format!("{} {}", person["login"].as_str().unwrap(), person["role"].as_str().unwrap())
    };
    groups[0]["members"].as_array().expect("members").iter().map(person).collect()
}

#[test]
fn a_group_is_made_shared_with_and_taken_off_again() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    let work = text(&alice.work);
    alice.run(&["group", "create", "Family"]).expect(2).expect_says("another group");
    alice.run(&["group", "create", "family@home"]).expect(2).expect_says("no @");
    alice.run(&["group", "add", "Family", BOB]).expect(0).expect_says("already");
    alice.run(&["group", "add", "Family", ALICE]).expect(2).expect_says("this account");
    alice.run(&["group", "add", "Family", "Family"]).expect(2).expect_says("a group cannot be in a group");
    let unknown = alice.run(&["group", "add", "Family", "dave@example.com"]).expect(1);
    unknown.expect_says("Nobody has that address").expect_says("needs an account");
    alice.run(&["group", "remove", "Family", CAROL, "-y"]).expect(2).expect_says("not in");
    alice.run(&["group", "leave", "Family", "-y"]).expect(2).expect_says("group delete");
    alice.run(&["share", "add", work, "Friends"]).expect(2).expect_says("no group");

    // Nobody is in the folder by a group that it is not shared with.
    join(bob, &bob.work, &bob.encrypted).expect(13);
    circle.share("admin").expect(2).expect_says("cannot administer");
    circle.share("writer").expect(0).expect_says("--from alice@example.com");
    circle.share("writer").expect(0).expect_says("already");
    circle.share("reader").expect(2).expect_says("share role");
    join(carol, &carol.work, &carol.encrypted).expect(13);
    join(bob, &bob.work, &bob.encrypted).expect(0);
    bob.write("by bob.txt", "a new file");
    bob.sync().expect(0);
    bob.write("plans/old.txt", "edited by Bob");
    circle.meet(&[bob, alice]);
    assert_eq!(alice.read("plans/old.txt").as_deref(), Some("edited by Bob"));
    assert_eq!(people(bob), ["alice@example.com owner", "bob@example.com member"]);
    let of_bob = bob.json(&["group", "list"]);
    assert_eq!((&of_bob[0]["name"], &of_bob[0]["role"]), (&"alice's group".into(), &"member".into()));
    assert_eq!(of_bob[0]["folders"][0]["role"], "writer");
    bob.run(&["group", "add", "alice's group", CAROL]).expect(1).expect_says("owner and its admins");
    bob.run(&["group", "leave", "alice's group", "-y"]).expect(1).expect_says(ALICE);
    bob.run(&["group", "delete", "alice's group", "-y"]).expect(2).expect_says("somebody else's");
    alice.run(&["verify"]).expect(0);

    // Whoever comes later reads what is older.
    alice.run(&["group", "add", "Family", CAROL, "--admin"]).expect(0);
    alice.settle();
    join(carol, &carol.work, &carol.encrypted).expect(0);
    circle.meet(&[carol, bob, alice]);
    assert_eq!(carol.read("plans/old.txt").as_deref(), Some("edited by Bob"));
    let listed = alice.json(&["share", "list", work]);
    assert_eq!((&listed[0]["login"], &listed[1]["name"]), (&ALICE.into(), &"Family".into()), "{listed}");
    assert_eq!(listed[1]["members"].as_array().unwrap().len(), 3);
    alice.run(&["share", "list", work]).expect(0).expect_says("group Family").expect_says(CAROL);

    // As readers they read.
    alice.run(&["share", "role", work, "Family", "reader"]).expect(0);
    bob.sync().expect(0);
    bob.write("late.txt", "only his own");
    bob.sync().expect(3);
    alice.settle();
    assert_eq!((alice.read("late.txt"), alice.read("by bob.txt").as_deref()), (None, Some("a new file")));
    alice.write("for readers.txt", "they read it");
    alice.settle();
    bob.sync().expect(3);
    assert_eq!(bob.read("for readers.txt").as_deref(), Some("they read it"));

    // Taken away, and deleted.
    alice.run(&["group", "delete", "Family", "-y"]).expect(2).expect_says("share remove");
    alice.run(&["share", "remove", work, "Family", "-y"]).expect(0).expect_says("cannot undo");
    alice.write("after.txt", "not for the group");
    alice.settle();
    bob.sync().expect(3);
    assert_eq!((bob.problems()[0].0.as_str(), bob.read("after.txt")), ("not-a-member", None));
    alice.run(&["group", "delete", "Family", "-y"]).expect(0);
    assert_eq!(alice.json(&["group", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn row_20_a_removal_from_a_group_reaches_every_folder() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    alice.run(&["group", "add", "Family", CAROL]).expect(0);
    let second = |name: &str| circle.world.directory(&format!("{name}-second"));
    let (cloud, of_alice) = (circle.world.directory("second-cloud"), second("alice"));
    alice.run(&["folder", "add", text(&of_alice), text(&cloud)]).expect(0);
    alice.settle();
    circle.share("writer").expect(0);
    alice.run(&["share", "add", text(&of_alice), "Family"]).expect(0);
    alice.settle();
    for (device, name) in [(bob, "bob"), (carol, "carol")] {
        join(device, &device.work, &device.encrypted).expect(0);
        join(device, &second(name), &cloud).expect(0);
    }
    bob.write("by bob.txt", "in time");
    fs::write(second("bob").join("by bob.txt"), "in time").unwrap();
    circle.meet(&[bob, alice, carol]);

    let removed = alice.run(&["group", "remove", "Family", BOB, "-y"]).expect(0);
    removed.expect_says("cannot undo");
    alice.write("secret.txt", "not for Bob");
    fs::write(of_alice.join("secret.txt"), "not for Bob").unwrap();
    circle.meet(&[alice, carol]);
    bob.write("late.txt", "too late");
    bob.sync().expect(3);
    let problems = bob.problems();
    assert_eq!(problems.iter().filter(|(class, _)| class == "not-a-member").count(), 2, "{problems:?}");
    assert!(bob.read("secret.txt").is_none() && !second("bob").join("secret.txt").exists());
    circle.meet(&[alice, carol]);
    assert_eq!((carol.read("late.txt"), carol.read("by bob.txt").as_deref()), (None, Some("in time")));
    tree::assert_same(&of_alice, &second("carol"));
    let fresh = circle.fresh();
    assert_eq!(fresh.read("by bob.txt").as_deref(), Some("in time"), "who had never seen it, too");
    assert_eq!(people(&fresh), ["alice@example.com owner", "carol@example.com member"]);

    // He comes back, and what he wrote meanwhile with him.
    alice.run(&["group", "add", "Family", BOB]).expect(0);
    alice.settle();
    circle.meet(&[bob, alice, carol]);
    assert_eq!(bob.read("secret.txt").as_deref(), Some("not for Bob"));
    assert_eq!(carol.read("late.txt").as_deref(), Some("too late"));
}

#[test]
fn a_running_daemon_hears_of_a_group_that_another_admin_changed() {
    let circle = Circle::new();
    let (alice, bob, carol) = (&circle.alice, &circle.bob, &circle.carol);
    alice.run(&["group", "add", "Family", CAROL, "--admin"]).expect(0);
    circle.share("writer").expect(0);
    alice.start_daemon();
    for device in [bob, carol] {
        join(device, &device.work, &device.encrypted).expect(0);
    }
    bob.start_daemon();
    bob.wait_for_content("plans/old.txt", "older than the group");
    // Carol has never synced the folder: what she changes lies on the server only.
    carol.run(&["folder", "remove", text(&carol.work)]).expect(0);
    carol.run(&["group", "remove", "alice's group", BOB, "-y"]).expect(0);
    // Wakes the daemon's look.
    alice.run(&["invite", "list"]).expect(0);
    bob.wait_for_state("attention");
    alice.write("later.txt", "after Bob");
    alice.wait_for_state("up-to-date");
    assert_eq!(bob.read("later.txt"), None);
    assert_eq!(bob.problems()[0].0, "not-a-member");
    // An admin leaves by the server, and the owner's computer starts a new epoch.
    carol.run(&["group", "leave", "alice's group", "-y"]).expect(0);
    assert_eq!(carol.json(&["group", "list"]).as_array().unwrap().len(), 0);
    wait::until_true("Carol is out", || !people(alice).iter().any(|person| person.starts_with(CAROL)));
}

/// The last file of a group that somebody put on the server.
fn put_last(evil: &EvilServer, group: &str) -> Value {
    let heard = evil.heard_at(&format!("/v1/groups/{group}"));
    let put = heard.iter().rev().find(|exchange| exchange.method == "PUT").expect("a group was put");
    put.request["object"].clone()
}

/// Serves another file in the place of a group's, under the version that is there.
fn serve(evil: &EvilServer, group: &str, object: Value) {
    let path = format!("/v1/groups/{group}");
    evil.play(move |exchange| {
        if exchange.method == "GET" && exchange.path == path {
            exchange.answer["object"] = object.clone();
        }
    });
}

/// Alice's account, as the server hands it out.
fn served_account(circle: &Circle) -> Value {
    let device = bare(&circle.world, "ear");
    device.log_in(ALICE, &circle.evil.url).expect(0);
    circle.evil.heard_at("/v1/login/verify").last().unwrap().answer["account"].clone()
}

#[test]
fn row_22_an_old_group_that_the_server_shows_is_not_used() {
    let circle = Circle::new();
    let (alice, bob) = (&circle.alice, &circle.bob);
    circle.share("writer").expect(0);
    join(bob, &bob.work, &bob.encrypted).expect(0);
    let (group, old) = (circle.group(), put_last(&circle.evil, &circle.group()));
    alice.run(&["group", "remove", "Family", BOB, "-y"]).expect(0);
    alice.settle();
    let account = served_account(&circle);
    let seen = naive::opens_any_group(&account, PASSWORD, &old);
    assert_eq!(seen, [ALICE, BOB], "the attack works on who remembers nothing");

    serve(&circle.evil, &group, old);
    // A computer that has seen nothing but the account's state.
    let fresh = bare(&circle.world, "fresh");
    fresh.log_in(ALICE, &circle.evil.url).expect(0);
    let refused = fresh.run(&["group", "add", "Family", CAROL]);
    assert!([2, 26].contains(&refused.code), "{refused}");
    assert_eq!(fresh.json(&["group", "list"]).as_array().unwrap().len(), 0, "an old group is none");
    // One that holds it goes on from what it has.
    alice.run(&["group", "add", "Family", CAROL]).expect(0);
    assert_eq!(people(alice), ["alice@example.com owner", "carol@example.com member"]);
    alice.write("secret.txt", "not for Bob");
    alice.settle();
    bob.sync().expect(3);
    assert_eq!(bob.read("secret.txt"), None);
    circle.evil.be_honest();
    fresh.add_folder().expect(0);
    fresh.settle();
    assert_eq!(people(&fresh), ["alice@example.com owner", "carol@example.com member"]);
}

#[test]
fn row_02_a_groups_key_that_the_server_replaces_is_not_used() {
    let circle = Circle::new();
    let (alice, eve) = (&circle.alice, &circle.carol);
    eve.run(&["group", "create", "Trap"]).expect(0);
    eve.run(&["group", "add", "Trap", ALICE]).expect(0);
    let trap = eve.json(&["group", "list"])[0]["id"].as_str().unwrap().to_owned();
    let object = put_last(&circle.evil, &trap);
    let account = served_account(&circle);
    let seen = naive::opens_any_group(&account, PASSWORD, &object);
    assert_eq!(seen, [ALICE, CAROL], "the attack works on who takes what is served");

    serve(&circle.evil, &circle.group(), object);
    alice.run(&["group", "add", "Family", CAROL]).expect(26).expect_says("another than was asked for");
    circle.share("writer").expect(0);
    join(eve, &eve.work, &eve.encrypted).expect(13);
    let bob = &circle.bob;
    circle.evil.be_honest();
    join(bob, &bob.work, &bob.encrypted).expect(0);
    circle.meet(&[bob, alice]);
}

/// The server does what it is asked at this door once, and its answer is lost; from then on the doors that `also` names
/// answer nothing.
fn lose_answer(evil: &EvilServer, lost: (&'static str, &'static str), also: fn(&str) -> bool) {
    let mut has_lost = false;
    evil.play(move |exchange| {
        let is_it = exchange.method == lost.0 && exchange.path.starts_with(lost.1);
        if (!has_lost && is_it) || (has_lost && also(&exchange.path)) {
            has_lost = true;
            exchange.status = 504;
            exchange.answer = Value::Null;
        }
    });
}

fn names(device: &Device) -> Vec<String> {
    let groups = device.json(&["group", "list"]);
    let all = groups.as_array().unwrap().iter();
    all.map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_group_whose_making_lost_its_answers_is_whole() {
    let circle = Circle::new();
    let (alice, evil) = (&circle.alice, &circle.evil);
    for (name, door) in [("State", "/v1/account/state"), ("File", "/v1/groups/")] {
        lose_answer(evil, ("PUT", door), |_| false);
        alice.run(&["group", "create", name]).expect(0);
        evil.be_honest();
        alice.run(&["group", "add", name, BOB]).expect(0);
    }
    // Nobody can be asked whether it was made: the next look has it made.
    lose_answer(evil, ("PUT", "/v1/account/state"), |_| true);
    alice.run(&["group", "create", "Asked"]).expect(14);
    evil.be_honest();
    assert_eq!(names(alice), ["Asked", "Family", "File", "State"]);
    alice.run(&["group", "add", "Asked", BOB]).expect(0);
    let fresh = circle.fresh();
    assert_eq!(names(&fresh), ["Asked", "Family", "File", "State"]);
}

#[test]
fn a_group_that_was_deleted_does_not_come_back() {
    let circle = Circle::new();
    let (alice, evil) = (&circle.alice, &circle.evil);
    let fresh = circle.fresh();
    assert_eq!(names(&fresh), ["Family"]);
    // The deletion never arrives at the server; the other computer's look has it made.
    evil.lose("DELETE", "/v1/groups/");
    alice.run(&["group", "delete", "Family", "-y"]).expect(14);
    evil.be_honest();
    assert!(names(&fresh).is_empty() && names(alice).is_empty());
    assert!(!fresh.run(&["group", "delete", "Family", "-y"]).expect(2).says("is deleted"));
    assert!(evil.heard().iter().any(|exchange| exchange.method == "DELETE" && exchange.status == 204));
    alice.run(&["group", "create", "Family"]).expect(0);
    assert_eq!(names(&fresh), ["Family"]);
}

#[test]
fn of_a_group_that_the_server_lost_the_name_can_be_given_up() {
    let circle = Circle::new();
    let (bob, fresh) = (&circle.bob, circle.fresh());
    circle.share("writer").expect(0);
    join(bob, &bob.work, &bob.encrypted).expect(0);
    assert_eq!(names(bob), ["alice's group"]);
    circle.alice.run(&["share", "remove", text(&circle.alice.work), "Family", "-y"]).expect(0);
    circle.alice.run(&["group", "delete", "Family", "-y"]).expect(0);
    // Its people are told that it is gone.
    let listed = bob.run(&["group", "list"]).expect(0);
    assert!(listed.says("does not have it") && listed.says("group leave"), "{listed}");
    let name = names(bob).remove(0);
    bob.run(&["group", "leave", &name, "-y"]).expect(0);
    assert!(names(bob).is_empty() && names(&fresh).is_empty());
}

/// From now on the server answers so to who asks for a group.
fn answer_groups(evil: &EvilServer, status: u16, answer: Value) {
    evil.play(move |exchange| {
        if exchange.method == "GET" && exchange.path.starts_with("/v1/groups/") {
            (exchange.status, exchange.answer) = (status, answer.clone());
        }
    });
}

#[test]
fn a_group_of_which_only_the_name_is_left_is_given_up_and_no_other() {
    let circle = Circle::new();
    let (fresh, evil) = (bare(&circle.world, "fresh"), &circle.evil);
    fresh.log_in(ALICE, &evil.url).expect(0);
    // Whether the server has it, nobody knows.
    answer_groups(evil, 504, Value::Null);
    fresh.run(&["group", "delete", "Family", "-y"]).expect(14);
    let unknown = serde_json::json!({
        "type": "urn:ensafer:problem:group-unknown", "title": "No such group", "status": 404,
    });
    answer_groups(evil, 404, unknown);
    fresh.run(&["group", "delete", "Family"]).expect(2).expect_says("-y");
    fresh.run(&["group", "delete", "Family", "-y"]).expect(0).expect_says("forgotten");
    fresh.run(&["group", "create", "Family"]).expect(0);
}
