//! Single files for people with an account: made, mailed, opened, and what somebody in between may try.

use std::fs;
use std::path::{Path, PathBuf};

use ensafer_core::account::SignedBundle;
use ensafer_core::clock::{Clock, Dot};
use ensafer_core::crypto::{SigningKey, SystemRandom};
use ensafer_core::format::roster::{
    OpenedRoster, Role, Roster, RosterStatement, open_roster_object, seal_roster_object,
};
use ensafer_core::format::{AccountAlone, Authorship, Statement, object_name, seal_bytes};
use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Content, Name, Object};
use ensafer_tests::device::text;
use ensafer_tests::forger::{Forger, account_of};
use ensafer_tests::{Device, Finished, KeyServer, Random, World, store};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";
const DAVE: &str = "dave@example.com";
const SECRET: &str = "meet me under the third palm";

/// A server, and people on it.
struct Scene {
    server: KeyServer,
    // Last, because the others live in it.
    world: World,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        Self { server: KeyServer::start(&world), world }
    }

    fn person(&self, login: &str) -> Device {
        let device = self.world.bare_device(login);
        device.register(login, &self.server.url).expect(0);
        device
    }

    /// A file that is no secret of a folder's.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.world.directory("plain").join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// `from` encrypts one file for `to`.
    fn encrypt(&self, from: &Device, file: &Path, to: &[&str]) -> PathBuf {
        let output = self.world.directory("mailed");
        let line = [&["encrypt", text(file), "--output", text(&output), "--to"], to].concat();
        from.run(&line).expect(0).stdout.trim_end().into()
    }

    fn decrypt(&self, by: &Device, file: &Path, more: &[&str]) -> Finished {
        let output = self.world.directory("output");
        fs::remove_dir_all(&output).unwrap();
        by.run(&[&["decrypt", text(file), "--output", text(&output)], more].concat())
    }

    /// What the last decryption wrote.
    fn written(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.world.path("output").join(name)).ok()
    }

    /// Decrypts and gives the one file's report.
    fn report(&self, by: &Device, file: &Path, more: &[&str]) -> Value {
        self.decrypt(by, file, &[more, &["--json"]].concat()).json()[0].clone()
    }
}

fn fingerprint(device: &Device) -> String {
    device.json(&["account", "show"])["fingerprint"].as_str().unwrap().to_owned()
}

/// The two have compared their safety numbers.
fn compare(one: &Device, other: &str) {
    let number = one.json(&["share", "verify", other])["safety_number"].as_str().unwrap().to_owned();
    one.run(&["share", "verify", other, "--matches", &number]).expect(0);
}

#[test]
fn files_reach_those_they_are_for_and_nobody_else() {
    let mut scene = Scene::new();
    let [alice, bob, carol, dave] = [ALICE, BOB, CAROL, DAVE].map(|login| scene.person(login));
    let small = scene.file("small.txt", SECRET.as_bytes());
    let big = scene.file("big.bin", &Random::new(40).bytes(5 << 20));
    let mailed = scene.world.directory("mailed");
    let made = alice
        .run(&["encrypt", text(&small), text(&big), "-o", text(&mailed), "--to", BOB, CAROL])
        .expect(0)
        .expect_says("For bob@example.com: seen for the first time, not verified")
        .expect_says("ensafer share verify carol@example.com");
    // Random names, which say nothing; the lines of standard output name them.
    assert_eq!(store::objects(&mailed).len(), 2);
    store::assert_holds_no_plaintext(&mailed, &[SECRET, "small.txt", "big.bin", ALICE]);
    let made: Vec<PathBuf> = made.stdout.lines().map(PathBuf::from).collect();
    let [small, big] = &made[..] else { panic!("two files: {made:?}") };

    // Nobody needs the server from here on, but to make sure of each other.
    let alices = fingerprint(&alice);
    compare(&carol, ALICE);
    bob.run(&["share", "verify", CAROL]).expect(0);
    scene.server.stop().expect(0);
    let refused = scene.decrypt(&bob, small, &[]).expect(26);
    assert!(refused.says(&format!("--accept-signer {alices}")), "{refused}");
    assert_eq!(scene.written("small.txt"), None, "nothing before its signer is known");
    let bobs = fingerprint(&bob);
    scene.decrypt(&bob, small, &["--accept-signer", &bobs]).expect(26);
    scene
        .decrypt(&bob, small, &["--accept-signer", &alices])
        .expect(0)
        .expect_says("unknown, accepted by you");
    assert_eq!(scene.written("small.txt").unwrap(), SECRET.as_bytes());
    let shown = scene.report(&bob, small, &[]);
    let unknown = json!({ "fingerprint": alices, "standing": "unknown", "membership": "none" });
    assert_eq!((&shown["class"], &shown["signer"]), (&json!("unknown-signer"), &unknown));

    for file in [small, big] {
        scene.decrypt(&carol, file, &[]).expect(0).expect_says("signed by alice@example.com (verified)");
        scene.decrypt(&alice, file, &[]).expect(0).expect_says("signed by you");
        scene.decrypt(&dave, file, &["--accept-signer", &alices]).expect(13);
    }
    scene.decrypt(&carol, big, &[]).expect(0);
    assert_eq!(scene.written("big.bin").unwrap(), Random::new(40).bytes(5 << 20));

    let address = scene.server.address().to_owned();
    scene.server.listen(&address);
    bob.run(&["share", "verify", ALICE]).expect(0);
    scene.decrypt(&bob, small, &[]).expect(0).expect_says(
        "signed by alice@example.com (seen before, not verified: ensafer share verify alice@example.com)",
    );
    let shown = scene.report(&bob, small, &[]);
    let pinned = json!({ "login": ALICE, "fingerprint": alices, "standing": "pinned", "membership": "none" });
    assert_eq!((&shown["signer"], &shown["recipients"]), (&pinned, &Value::Null));
    compare(&bob, ALICE);
    assert_eq!(scene.report(&bob, small, &[])["signer"]["standing"], "verified");
    let shown = bob.json(&["encrypt", text(small), "--name", "again", "--to", ALICE, BOB]);
    assert_eq!(shown["recipients"].as_array().unwrap().len(), 1, "oneself is no other: {shown}");
    assert_eq!(
        (&shown["recipients"][0]["login"], &shown["recipients"][0]["verified"]),
        (&json!(ALICE), &json!(true))
    );
    assert_eq!(shown["files"][0]["output"], text(&mailed.join("again.ensafer")), "beside the file");
}

#[test]
fn nothing_is_encrypted_where_anything_is_wrong_with_the_line() {
    let scene = Scene::new();
    let [alice, _bob] = [ALICE, BOB].map(|login| scene.person(login));
    let plain = scene.file("a.txt", b"a");
    let directory = scene.world.directory("directory");
    let output = scene.world.directory("mailed");
    let there = output.join("there.ensafer");
    fs::write(&there, "mine").unwrap();
    let refuse = |arguments: &[&str], code: i32, says: &str| {
        alice.run(&[&["encrypt"], arguments].concat()).expect(code).expect_says(says);
    };
    let (plain, to) = (text(&plain), text(&output));
    let missing = scene.world.path("missing");
    refuse(&[plain, text(&missing), "-o", to, "--to", BOB], 2, "No such file");
    refuse(&[text(&directory), "-o", to, "--to", BOB], 2, "is a directory");
    refuse(&["/dev/null", "-o", to, "--to", BOB], 2, "no ordinary file");
    refuse(&[plain, "-o", plain, "--to", BOB], 2, "is not a directory");
    refuse(&[plain, "-o", to, "--name", "there", "--to", BOB], 1, "exists already");
    refuse(&[plain, plain, "-o", to, "--name", "two", "--to", BOB], 2, "--name is for one file");
    refuse(&[plain, "-o", to, "--name", "../x", "--to", BOB], 2, "cannot name a file");
    refuse(&[plain, "-o", to, "--to", BOB, plain], 2, "is no e-mail address");
    refuse(&[plain, "-o", to, "--to", "bob\n@example.com"], 2, "cannot name an account");
    refuse(&[plain, "-o", to], 2, "--to");
    refuse(
        &[plain, "-o", to, "--to", BOB, DAVE],
        1,
        "dave@example.com has no account on this server: invite them",
    );
    assert_eq!(store::count_entries(&output), 1, "and nobody else gets it");
    assert_eq!(fs::read(&there).unwrap(), b"mine");

    // An encrypted folder is for its own files.
    let (work, encrypted) = (scene.world.directory("work"), scene.world.encrypted());
    alice.run(&["folder", "add", text(&work), text(&encrypted)]).expect(0);
    refuse(&[plain, "-o", text(&encrypted), "--to", BOB], 2, "is the encrypted folder of");
    refuse(&[plain, "-o", text(&encrypted.join("deeper")), "--to", BOB], 2, "is the encrypted folder of");

    // Without a server others cannot be found; oneself can.
    let hermit = Device::bare(&scene.world.path("hermit"));
    hermit.run(&["encrypt", plain, "-o", to, "--to", BOB]).expect(10);
    hermit.run(&["register", "--email", "hermit@example.com"]).expect(0);
    hermit.run(&["encrypt", plain, "-o", to, "--to", BOB]).expect(10).expect_says("register --server URL");
    hermit.run(&["encrypt", plain, "-o", to, "--name", "own", "--to", "hermit@example.com"]).expect(0);
    scene.decrypt(&hermit, &output.join("own.ensafer"), &[]).expect(0).expect_says("signed by you");
    assert_eq!(store::count_entries(&output), 2);
    let twice = scene.encrypt(&hermit, Path::new(plain), &["hermit@example.com"]);
    let both = scene.decrypt(&hermit, &twice, &[text(&output.join("own.ensafer"))]).expect(0);
    assert!(both.says("/a.txt\n") && both.says("/a (hermit, 2"), "{both}");
    assert!(both.says("All 2 files: signed by you"), "{both}");
}

#[test]
fn what_is_not_there_and_what_is_in_the_way_are_no_damaged_files() {
    let scene = Scene::new();
    let alice = scene.person(ALICE);
    let mailed = scene.encrypt(&alice, &scene.file("a.txt", b"a"), &[ALICE]);
    let (missing, output) = (scene.world.path("missing.ensafer"), scene.world.directory("twice"));
    scene
        .decrypt(&alice, &missing, &[])
        .expect(2)
        .expect_says("missing.ensafer failed: there is no such file");
    scene.decrypt(&alice, &missing, &[text(&mailed)]).expect(3);
    let decrypt = ["decrypt", text(&mailed), "--output", text(&output)];
    alice.run(&decrypt).expect(0);
    let existing = format!("{} exists already", output.join("a.txt").display());
    alice.run(&decrypt).expect(1).expect_says(&existing);
}

#[test]
fn row_01_changed_keys_stop_an_encryption() {
    let scene = Scene::new();
    let [alice, bob] = [ALICE, BOB].map(|login| scene.person(login));
    let plain = scene.file("a.txt", b"a");
    scene.encrypt(&alice, &plain, &[BOB]);
    bob.run(&["account", "delete", "-y"]).expect(0);
    let impostor = Device::bare(&scene.world.path("impostor"));
    impostor.register(BOB, &scene.server.url).expect(0);
    let before = store::count_entries(&scene.world.path("mailed"));
    let mailed = scene.world.directory("mailed");
    alice
        .run(&["encrypt", text(&plain), "-o", text(&mailed), "--to", BOB])
        .expect(26)
        .expect_says("identity key has changed")
        .expect_says("share verify EMAIL --changed");
    assert_eq!(store::count_entries(&mailed), before);
}

#[test]
fn row_12_a_file_that_nobody_signed_is_not_opened() {
    let scene = Scene::new();
    let [alice, bob] = [ALICE, BOB].map(|login| scene.person(login));
    bob.run(&["share", "verify", ALICE]).expect(0);
    let mailed = scene.encrypt(&alice, &scene.file("a.txt", SECRET.as_bytes()), &[BOB]);
    let mut forged = Forger::open(&mailed, &account_of(&bob)).unwrap();
    forged.unsign();
    let injected = scene.world.path("injected.ensafer");
    forged.write(&injected);
    // Whoever asks for no signature takes it.
    let naive = Forger::open(&injected, &account_of(&bob)).unwrap();
    assert!(naive.content().starts_with(SECRET.as_bytes()));
    let refused = scene.report(&bob, &injected, &["--accept-signer", &fingerprint(&alice)]);
    assert_eq!((&refused["class"], &refused["signer"]), (&json!("damaged"), &Value::Null));
    scene.decrypt(&bob, &injected, &[]).expect(26);
    assert_eq!(scene.written("a.txt"), None);
}

#[test]
fn row_15_parts_of_two_files_do_not_make_a_third() {
    let scene = Scene::new();
    let [alice, bob] = [ALICE, BOB].map(|login| scene.person(login));
    bob.run(&["share", "verify", ALICE]).expect(0);
    let one = scene.encrypt(&alice, &scene.file("one.txt", b"the one content"), &[BOB]);
    let other = scene.encrypt(&alice, &scene.file("two.txt", b"the two content"), &[BOB]);
    let holder = account_of(&bob);
    let open = |path: &Path| Forger::open(path, &holder).unwrap();
    let mixed = scene.world.path("mixed.ensafer");
    let with_info_of_one = |forged: &mut Forger| forged.info = open(&one).info;
    // Hints are bound to their file, so nobody finds an envelope of their own.
    let with_access_of_one = |forged: &mut Forger| forged.access = open(&one).access;
    for (code, transplant) in [(26, &with_info_of_one as &dyn Fn(&mut Forger)), (13, &with_access_of_one)] {
        let mut forged = open(&other);
        transplant(&mut forged);
        forged.write(&mixed);
        scene.decrypt(&bob, &mixed, &[]).expect(code);
        scene.decrypt(&alice, &mixed, &[]).expect(code);
        assert_eq!(store::count_entries(&scene.world.path("output")), 0);
    }
    // Taken for what it says without its signature, the first of them is the one file with the other's content.
    let mut forged = open(&other);
    with_info_of_one(&mut forged);
    forged.write(&mixed);
    assert!(open(&mixed).content().starts_with(b"the two content"));
}

#[test]
fn rows_18_and_19_a_changed_list_of_readers_is_reported() {
    let scene = Scene::new();
    let [alice, bob, carol, dave] = [ALICE, BOB, CAROL, DAVE].map(|login| scene.person(login));
    for device in [&bob, &dave] {
        device.run(&["share", "verify", ALICE]).expect(0);
    }
    let mailed = scene.encrypt(&alice, &scene.file("a.txt", SECRET.as_bytes()), &[BOB, CAROL]);
    scene.decrypt(&dave, &mailed, &[]).expect(13);

    // Bob lets Dave read it, who would take it for a letter to him.
    let mut forged = Forger::open(&mailed, &account_of(&bob)).unwrap();
    forged.add(&account_of(&dave).envelope().public());
    let passed_on = scene.world.path("passed-on.ensafer");
    forged.write(&passed_on);
    assert!(Forger::open(&passed_on, &account_of(&dave)).unwrap().content().starts_with(SECRET.as_bytes()));
    scene.decrypt(&dave, &passed_on, &[]).expect(0).expect_says("its signer has not listed you");
    assert_eq!(scene.report(&dave, &passed_on, &[])["recipients"], json!(["passed-on"]));
    assert_eq!(scene.report(&bob, &passed_on, &[])["recipients"], json!(["envelope-added"]));
    // Or nobody but himself.
    let mut forged = Forger::open(&mailed, &account_of(&bob)).unwrap();
    forged.drop_all_but(&account_of(&bob));
    let dropped = scene.world.path("dropped.ensafer");
    forged.write(&dropped);
    assert_eq!(scene.report(&bob, &dropped, &[])["recipients"], json!(["envelope-dropped"]));
    scene.decrypt(&carol, &dropped, &[]).expect(13);
}

#[test]
fn row_34_a_file_that_is_passed_on_shows_who_signed_it_last() {
    let scene = Scene::new();
    let [alice, bob, carol] = [ALICE, BOB, CAROL].map(|login| scene.person(login));
    for device in [&bob, &carol] {
        device.run(&["share", "verify", ALICE]).expect(0);
    }
    carol.run(&["share", "verify", BOB]).expect(0);
    let from_alice = scene.encrypt(&alice, &scene.file("a.txt", SECRET.as_bytes()), &[BOB, CAROL]);
    scene.decrypt(&bob, &from_alice, &[]).expect(0);
    let copy = scene.world.path("output").join("a.txt");
    let from_bob = scene.encrypt(&bob, &copy, &[CAROL]);
    let signer = |file: &Path| scene.report(&carol, file, &[])["signer"]["login"].clone();
    assert_eq!((signer(&from_alice), signer(&from_bob)), (json!(ALICE), json!(BOB)));
    assert_eq!(scene.written("a.txt").unwrap(), SECRET.as_bytes());
}

/// Somebody who holds the keys of Alice's folder: as a member would, or a thief.
struct Insider {
    roster: OpenedRoster,
    directory: PathBuf,
}

impl Insider {
    fn new(alice: &Device, encrypted: &Path) -> Self {
        let account = account_of(alice);
        let keys = AccountAlone::new(account.envelope(), Vec::new());
        let rosters = store::objects(encrypted)
            .into_iter()
            .find_map(|path| open_roster_object(&fs::read(path).unwrap(), &keys).ok());
        Self { roster: rosters.unwrap(), directory: encrypted.to_path_buf() }
    }

    fn roster_file(&self) -> PathBuf {
        self.directory.join(object_name(self.roster.roster.state().folder.root()))
    }

    /// Writes a file at the top of the folder, signed by `signer`.
    fn write(&self, id: u8, signer: &SigningKey) -> PathBuf {
        let roster = &self.roster.roster;
        let (state, device) = (roster.state(), DeviceId::new([7; 16]));
        let dot = Dot { counter: 1, device };
        let object = Object {
            id: FileId::new([id; 16]),
            parent: state.folder.root(),
            name: Name::new("inside.txt").unwrap(),
            content: Content::File { size: SECRET.len() as u64, digest: None, executable: false },
            modified: Timestamp::from_parts(1_700_000_000, 0),
            created: Timestamp::from_parts(1_700_000_000, 0),
            description: None,
            clock: Clock::new().with(dot),
            content_dot: dot,
            place_dot: dot,
            author: "".into(),
        };
        let authorship = Authorship {
            folder: state.folder,
            owner: state.owner(),
            writer: signer.public(),
            device,
            device_name: "pc".into(),
            roster_head: state.head,
        };
        let envelopes = Roster::file_envelopes(&self.roster.header.access);
        let seal = roster.folder_seal(&envelopes).unwrap();
        let statement = Statement::from_object(&object, &authorship);
        let content = SECRET.as_bytes();
        let sealed = seal_bytes(&seal, object.id, 1, statement, content, signer, &mut SystemRandom).unwrap();
        let path = self.directory.join(object_name(object.id));
        fs::write(&path, sealed.bytes).unwrap();
        path
    }

    /// Alice makes this person a writer of the folder.
    fn add(&mut self, alice: &Device, bundle: SignedBundle) {
        let account = account_of(alice);
        self.roster.roster.add(bundle, Role::Writer, account.identity()).unwrap();
        let (device, roster) = (DeviceId::new([8; 16]), &self.roster.roster);
        let dot = Dot { counter: 1, device };
        let fields = RosterStatement {
            device,
            device_name: "pc".into(),
            clock: Clock::new().with(dot),
            dot,
            modified: Timestamp::from_parts(1_700_000_000, 0),
            created: Timestamp::from_parts(1_700_000_000, 0),
        };
        let envelopes = roster.member_envelopes(None).unwrap();
        let sealed =
            seal_roster_object(roster, &envelopes, fields, account.identity(), &mut SystemRandom).unwrap();
        fs::write(self.roster_file(), &sealed.bytes).unwrap();
        *self = Self::new(alice, &self.directory);
    }
}

#[test]
fn the_roster_beside_a_folders_file_says_who_may_write() {
    let scene = Scene::new();
    let [alice, bob] = [ALICE, BOB].map(|login| scene.person(login));
    let (work, encrypted) = (scene.world.directory("work"), scene.world.encrypted());
    alice.run(&["folder", "add", text(&work), text(&encrypted)]).expect(0);
    fs::write(work.join("own.txt"), "own").unwrap();
    alice.run(&["sync", "--once"]).expect(0);
    let mut insider = Insider::new(&alice, &encrypted);
    let roster_file = insider.roster_file();
    let own = store::objects(&encrypted).into_iter().find(|path| *path != roster_file).unwrap();
    scene.decrypt(&alice, &own, &[]).expect(0).expect_says("signed by you; may write in its folder");

    // Bob, whom Alice knows, has got hold of the folder's key.
    let (bobs, bob_account) = (fingerprint(&bob), account_of(&bob));
    let written = insider.write(0x51, bob_account.identity());
    let standing = |file: &Path, more: &[&str]| {
        let report = scene.report(&alice, file, more);
        let signer = &report["signer"];
        (report["class"].clone(), signer["standing"].clone(), signer["membership"].clone())
    };
    let unknown = json!("unknown-signer");
    assert_eq!(standing(&written, &[]), (unknown.clone(), json!("unknown"), json!("refused")));
    alice.run(&["share", "verify", BOB]).expect(0);
    assert_eq!(standing(&written, &[]), (unknown, json!("pinned"), json!("refused")));
    scene.decrypt(&alice, &written, &[]).expect(26).expect_says("who may not write in its folder");
    assert_eq!(standing(&written, &["--accept-signer", &bobs]).0, Value::Null);
    // Mailed without the roster nobody can tell.
    let mailed = scene.world.directory("mailed").join(written.file_name().unwrap());
    fs::copy(&written, &mailed).unwrap();
    scene.decrypt(&alice, &mailed, &[]).expect(0).expect_says("membership not checked");
    assert_eq!(standing(&mailed, &[]), (Value::Null, json!("pinned"), json!("not-checked")));

    // In a folder with fan-out it lies in a directory of its own.
    let fanned_out = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let copy = scene.world.directory(&format!("fan-out/{}", &name[..2])).join(name);
        fs::copy(path, &copy).unwrap();
        copy
    };
    let copies = [&written, &roster_file].map(|path| fanned_out(path));
    assert_eq!(standing(&copies[0], &[]).2, "refused");

    // As a member he is taken, also by who has never seen him, because Alice vouches for him.
    insider.add(&alice, bob_account.bundle().clone());
    assert_eq!(standing(&written, &[]), (Value::Null, json!("pinned"), json!("checked")));
    let carol = scene.person(CAROL);
    insider.add(&alice, account_of(&carol).bundle().clone());
    let written = insider.write(0x52, bob_account.identity());
    let report = scene.report(&carol, &written, &[]);
    assert_eq!(report["class"], "unknown-signer", "nobody vouches for the folder: {report}");
    carol.run(&["share", "verify", ALICE]).expect(0);
    let report = scene.report(&carol, &written, &[]);
    let member = json!({ "login": BOB, "fingerprint": bobs, "standing": "member", "membership": "checked" });
    assert_eq!((&report["class"], &report["signer"]), (&Value::Null, &member));
}
