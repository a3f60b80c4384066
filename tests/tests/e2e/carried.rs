//! The whole story of a folder of several people, carried by a real Syncthing and by a directory that all share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ensafer_tests::device::text;
use ensafer_tests::{Device, KeyServer, Syncthing, World, tree};

/// What brings the encrypted folder from one computer to the others.
trait Carrier {
    /// Brings everything to everybody.
    fn carry(&self);
    /// From now on nothing arrives anywhere.
    fn part(&self);
    /// Ends that.
    fn meet(&self);
    /// Whether people can be apart at all.
    fn has_distance(&self) -> bool;
}

/// One directory that everybody has mounted.
struct Shared;

impl Carrier for Shared {
    fn carry(&self) {}
    fn part(&self) {}
    fn meet(&self) {}
    fn has_distance(&self) -> bool {
        false
    }
}

impl Carrier for Syncthing {
    fn carry(&self) {
        self.carry();
    }
    fn part(&self) {
        self.part();
    }
    fn meet(&self) {
        self.meet();
    }
    fn has_distance(&self) -> bool {
        true
    }
}

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";
const DAVE: &str = "dave@example.com";
const ERIN: &str = "erin@example.com";

/// Three computers with an encrypted folder each, and what carries it.
struct Story<'c> {
    alice: Device,
    bob: Device,
    carol: Device,
    carrier: &'c dyn Carrier,
}

impl Story<'_> {
    /// Has everybody sync in turns until nobody finds anything to do.
    #[track_caller]
    fn meet(&self, devices: &[&Device]) {
        for _ in 0..4 {
            for device in devices {
                device.sync().expect_any(&[0, 4]);
                self.carrier.carry();
            }
            if devices[1..].iter().all(|device| is_same(&devices[0].work, &device.work)) {
                break;
            }
        }
        for device in &devices[1..] {
            tree::assert_same(&devices[0].work, &device.work);
        }
        for device in devices {
            assert_eq!(device.problems(), [], "{}", device.home.display());
        }
    }

    /// `share VERB WORK …` on a computer, carried to all.
    #[track_caller]
    fn share(&self, device: &Device, verb: &str, rest: &[&str]) {
        let words: Vec<&str> =
            ["share", verb, text(&device.work)].into_iter().chain(rest.iter().copied()).collect();
        device.run(&words).expect(0);
        self.carrier.carry();
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    files(one) == files(other)
}

/// The contents of the files that lie in a directory and below, but for Ensafer's own.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let path = entry.path();
            match path.file_name().unwrap().to_str() {
                Some(".ensafer" | ".stfolder") => {}
                _ if path.is_dir() => left.push(path),
                _ => _ = found.insert(path.strip_prefix(directory).unwrap().into(), fs::read(&path).unwrap()),
            }
        }
    }
    found
}

/// What the files say, sorted.
fn texts(device: &Device) -> Vec<String> {
    let mut texts: Vec<String> =
        files(&device.work).into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    texts.sort();
    texts
}

fn device(world: &World, server: &KeyServer, email: &str, encrypted: &Path) -> Device {
    let name = email.split('@').next().unwrap();
    let mut device = world.bare_device(name);
    device.work = world.directory(&format!("{name}-work"));
    device.encrypted = encrypted.to_path_buf();
    device.register(email, &server.url).expect(0);
    device
}

/// `folder add … --from` Alice.
#[track_caller]
fn join(device: &Device) {
    device.run(&["folder", "add", text(&device.work), text(&device.encrypted), "--from", ALICE]).expect(0);
}

/// Login and role, as the device's roster says.
#[track_caller]
fn members(device: &Device) -> Vec<String> {
    let list = device.json(&["share", "list", text(&device.work)]);
    let member = |member: &serde_json::Value| {
        format!("{} {}", member["login"].as_str().unwrap(), member["role"].as_str().unwrap())
    };
    let mut members: Vec<String> = list.as_array().unwrap().iter().map(member).collect();
    members.sort();
    members
}

#[test]
fn a_directory_that_all_share_carries_the_whole_story() {
    let world = World::new();
    let encrypted = world.encrypted();
    tell(&world, [&encrypted, &encrypted, &encrypted], &Shared);
}

#[test]
fn a_real_syncthing_carries_the_whole_story() {
    let world = World::new();
    let directories = ["alice-cloud", "bob-cloud", "carol-cloud"].map(|name| world.directory(name));
    let Some(syncthing) = Syncthing::start(world.root(), &directories) else { return };
    tell(&world, directories.each_ref().map(PathBuf::as_path), &syncthing);
}

fn tell(world: &World, encrypted: [&Path; 3], carrier: &dyn Carrier) {
    let server = KeyServer::start(world);
    let [alice, bob, carol] =
        [(ALICE, 0), (BOB, 1), (CAROL, 2)].map(|(email, n)| device(world, &server, email, encrypted[n]));
    let story = Story { alice, bob, carol, carrier };
    everybody_joins_and_edits(&story);
    a_reader_keeps_their_edits(&story);
    whoever_is_removed_gets_nothing_new(&story);
    the_owner_stays_and_an_admin_stands_in(&story);
    two_admins_add_somebody_at_once(&story, world, &server);
}

fn everybody_joins_and_edits(story: &Story<'_>) {
    let Story { alice, bob, carol, carrier } = story;
    alice.add_folder().expect(0);
    alice.write("plans/old.txt", "older than everybody else");
    alice.settle();
    for device in [bob, carol] {
        let name = if std::ptr::eq(device, bob) { BOB } else { CAROL };
        story.share(alice, "add", &[name]);
        join(device);
    }
    for (device, name) in [(alice, "alice"), (bob, "bob"), (carol, "carol")] {
        device.write(&format!("by {name}.txt"), format!("by {name}"));
    }
    story.meet(&[alice, bob, carol]);
    assert_eq!(texts(alice), ["by alice", "by bob", "by carol", "older than everybody else"]);
    bob.write("by carol.txt", "by carol, edited by bob");
    fs::rename(carol.at("plans"), carol.at("drafts")).unwrap();
    fs::remove_file(alice.at("by alice.txt")).unwrap();
    story.meet(&[alice, bob, carol]);
    assert_eq!(texts(carol), ["by bob", "by carol, edited by bob", "older than everybody else"]);

    // The same file at the same time, apart where that can be.
    carrier.part();
    bob.write("by bob.txt", "one of two");
    carol.write("by bob.txt", "two of two, and longer");
    for device in [bob, carol] {
        device.sync().expect_any(&[0, 4]);
    }
    carrier.meet();
    carrier.carry();
    story.meet(&[alice, bob, carol]);
    assert_eq!(
        texts(alice),
        ["by carol, edited by bob", "older than everybody else", "one of two", "two of two, and longer"]
    );
}

fn a_reader_keeps_their_edits(story: &Story<'_>) {
    let Story { alice, bob, carol, carrier } = story;
    story.share(alice, "role", &[CAROL, "reader"]);
    carol.sync().expect_any(&[0, 4]);
    carrier.carry();
    let before = files(&carol.encrypted);
    carol.write("drafts/old.txt", "edited by a reader");
    carol.write("reader.txt", "new by a reader");
    carol.sync().expect(3);
    let problems = carol.problems();
    assert!(problems.iter().all(|(class, _)| class == "read-only") && problems.len() == 2, "{problems:?}");
    carrier.carry();
    assert!(files(&carol.encrypted) == before, "nothing is published");
    story.meet(&[alice, bob]);
    assert!(!texts(alice).iter().any(|text| text.ends_with("by a reader")));
    assert!(texts(carol).contains(&"edited by a reader".to_owned()), "and nothing is lost");
    assert_eq!(carol.read("drafts/old.txt").as_deref(), Some("older than everybody else"));
    bob.write("drafts/old.txt", "edited by a writer");
    story.meet(&[bob, alice]);
    carol.sync().expect(3);
    assert_eq!(carol.read("drafts/old.txt").as_deref(), Some("edited by a writer"));

    story.share(alice, "role", &[CAROL, "writer"]);
    story.meet(&[carol, alice, bob]);
    let published = texts(bob).iter().filter(|text| text.ends_with("by a reader")).count();
    assert_eq!(published, 2);
}

fn whoever_is_removed_gets_nothing_new(story: &Story<'_>) {
    let Story { alice, bob, carol, carrier } = story;
    let had = texts(bob);
    for name in [BOB, CAROL] {
        story.share(alice, "remove", &[name, "-y"]);
    }
    alice.write("secret.txt", "for nobody else");
    story.meet(&[alice]);
    for device in [bob, carol] {
        device.write("late.txt", "too late");
        device.sync().expect(3);
        assert_eq!(device.problems()[0].0, "not-a-member");
        assert_eq!((device.read("secret.txt"), device.read("late.txt").as_deref()), (None, Some("too late")));
        fs::remove_file(device.at("late.txt")).unwrap();
    }
    assert_eq!(texts(bob), had, "their own copies stay");
    carrier.carry();
    story.meet(&[alice]);
    assert_eq!((alice.read("late.txt"), members(alice)), (None, vec![format!("{ALICE} owner")]));

    // He comes back, and what he writes meanwhile comes with him.
    bob.write("meanwhile.txt", "written while removed");
    bob.sync().expect(3);
    story.share(alice, "add", &[BOB, "--role", "admin"]);
    story.meet(&[bob, alice]);
    assert_eq!(bob.read("secret.txt").as_deref(), Some("for nobody else"));
    assert_eq!(alice.read("meanwhile.txt").as_deref(), Some("written while removed"));
    assert_eq!(carol.read("meanwhile.txt"), None);
}

fn the_owner_stays_and_an_admin_stands_in(story: &Story<'_>) {
    let Story { alice, bob, carol, .. } = story;
    alice.run(&["share", "leave", text(&alice.work), "-y"]).expect(1).expect_says("owner");
    bob.run(&["share", "remove", text(&bob.work), ALICE, "-y"]).expect(1).expect_says("owner");
    // Alice's computer is off.
    story.share(bob, "add", &[CAROL, "--role", "admin"]);
    carol.write("back.txt", "by carol again");
    story.meet(&[carol, bob]);
    assert_eq!(carol.read("secret.txt").as_deref(), Some("for nobody else"));
    story.meet(&[alice, bob, carol]);
    assert_eq!(alice.read("back.txt").as_deref(), Some("by carol again"));
    assert_eq!(members(alice), [ALICE, BOB, CAROL].map(|name| format!("{name} {}", role_of(name))));
}

fn role_of(name: &str) -> &str {
    match name {
        ALICE => "owner",
        BOB | CAROL => "admin",
        _ => "writer",
    }
}

fn two_admins_add_somebody_at_once(story: &Story<'_>, world: &World, server: &KeyServer) {
    let Story { alice, bob, carol, carrier } = story;
    // They come to Bob's and to Carol's computer.
    let dave = device(world, server, DAVE, &bob.encrypted);
    let erin = device(world, server, ERIN, &carol.encrypted);
    carrier.part();
    bob.run(&["share", "add", text(&bob.work), DAVE]).expect(0);
    carol.run(&["share", "add", text(&carol.work), ERIN]).expect(0);
    carrier.meet();
    carrier.carry();
    let is_copy = |name: &PathBuf| name.to_string_lossy().contains("sync-conflict");
    // One where a member list gave way to the other; another, of a second later, where Alice's computer had heard of that one.
    let has_copies = files(&alice.encrypted).keys().any(is_copy);
    assert_eq!(has_copies, carrier.has_distance(), "copies of the member list");
    story.meet(&[alice, bob, carol]);
    assert!(!files(&alice.encrypted).keys().any(is_copy), "it was merged");
    let everybody = [ALICE, BOB, CAROL, DAVE, ERIN].map(|name| format!("{name} {}", role_of(name)));
    for device in [alice, bob, carol] {
        assert_eq!(members(device), everybody);
    }
    for device in [&dave, &erin] {
        join(device);
        device.write(&format!("by {}", device.home.file_stem().unwrap().display()), "by a new member");
        device.sync().expect_any(&[0, 4]);
        carrier.carry();
    }
    story.meet(&[alice, bob, carol, &dave, &erin]);
    assert_eq!(texts(alice).iter().filter(|text| *text == "by a new member").count(), 2);
    assert_eq!(erin.read("secret.txt").as_deref(), Some("for nobody else"));
}
