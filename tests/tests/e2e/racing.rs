//! Two accounts whose daemons run, and who make, edit, rename and delete the same names at once. They come to the same
//! tree, and whatever nobody threw away is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use ensafer_tests::device::text;
use ensafer_tests::{Device, KeyServer, Random, World, tree, wait};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// How often both race before they have to agree.
const ROUNDS: usize = 4;
/// What each of them does in a round.
const DEEDS: usize = 25;
const DIRECTORIES: [&str; 3] = ["first", "second", "third"];
const NAMES: usize = 6;

/// Somebody at work. What they throw away is kept beside, so that it is known whatever a daemon did to it a moment ago.
struct Person<'d> {
    device: &'d Device,
    name: &'static str,
    beside: PathBuf,
    random: Random,
    /// Everything that they have written; no text is written twice.
    written: BTreeSet<String>,
}

impl Person<'_> {
    fn work(&mut self) {
        for deed in 0..DEEDS {
            if deed % 5 == 4 {
                // Meanwhile the daemons have a look at what was done so far.
                let _ = self.device.state();
            }
            match self.random.below(20) {
                0..8 => self.make(),
                8..12 => self.edit(),
                12..16 => self.rename(),
                16..19 => self.delete(),
                _ => self.rename_directory(),
            }
        }
    }

    fn somewhere(&mut self) -> PathBuf {
        let directory = DIRECTORIES[self.random.below(DIRECTORIES.len())];
        self.device.at(directory).join(format!("file {}", self.random.below(NAMES)))
    }

    /// A new text in a file of its own.
    fn fresh(&mut self) -> PathBuf {
        let text = format!("{} by {} {:x}", self.written.len(), self.name, self.random.bits());
        let path = self.beside.join(format!("{}", self.written.len()));
        fs::write(&path, &text).unwrap();
        self.written.insert(text);
        path
    }

    /// Whether it went well: a daemon or an earlier deed may have been there before.
    fn exchange(from: &Path, to: &Path, flags: RenameFlags) -> bool {
        renameat_with(CWD, from, CWD, to, flags).is_ok()
    }

    fn make(&mut self) {
        let (fresh, at) = (self.fresh(), self.somewhere());
        // It may be moved away at any moment.
        let _ = fs::create_dir_all(at.parent().unwrap());
        Self::exchange(&fresh, &at, RenameFlags::NOREPLACE);
    }

    /// What was there before comes out, and counts as thrown away.
    fn edit(&mut self) {
        let (fresh, at) = (self.fresh(), self.somewhere());
        if !at.is_dir() {
            Self::exchange(&fresh, &at, RenameFlags::EXCHANGE);
        }
    }

    fn rename(&mut self) {
        let (from, to) = (self.somewhere(), self.somewhere());
        Self::exchange(&from, &to, RenameFlags::NOREPLACE);
    }

    fn rename_directory(&mut self) {
        let [from, to] = [0, 1].map(|_| self.device.at(DIRECTORIES[self.random.below(DIRECTORIES.len())]));
        Self::exchange(&from, &to, RenameFlags::NOREPLACE);
    }

    fn delete(&mut self) {
        let at = self.somewhere();
        let beside = self.beside.join(format!("deleted {:x}", self.random.bits()));
        Self::exchange(&at, &beside, RenameFlags::NOREPLACE);
    }

    /// The texts that they threw away, or never put into the work folder.
    fn thrown_away(&self) -> BTreeSet<String> {
        texts(&self.beside).expect("nobody changes it now").into_values().collect()
    }
}

/// What the files below a directory say; `None` where something changes meanwhile.
fn texts(directory: &Path) -> Option<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).ok()? {
            let path = entry.ok()?.path();
            if path.ends_with(tree::OWN_DIRECTORY) {
                continue;
            }
            if path.is_dir() {
                left.push(path);
            } else {
                let text = fs::read_to_string(&path).ok()?;
                found.insert(path.strip_prefix(directory).ok()?.to_path_buf(), text);
            }
        }
    }
    Some(found)
}

/// Says how both stand where a test fails.
struct Report<'d>([&'d Device; 2]);

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            for device in self.0 {
                let (problems, files) = (device.problems(), texts(&device.work));
                let files = files.unwrap_or_default();
                let raced: Vec<_> = files.iter().filter(|(path, _)| !path.starts_with("still")).collect();
                eprintln!("{}: {} {problems:?} {raced:#?}", device.home.display(), device.state());
            }
        }
    }
}

/// Waits until both work folders hold the same files and neither daemon has anything left to do.
#[track_caller]
fn agree(alice: &Device, bob: &Device) {
    let _report = Report([alice, bob]);
    wait::until_true("both agree", || {
        let [one, other] = [alice, bob].map(|device| texts(&device.work));
        let is_same = one.is_some() && one == other;
        let is_idle = is_same && [alice, bob].iter().all(|device| device.state() == "up-to-date");
        is_idle && texts(&alice.work) == one && texts(&bob.work) == other
    });
    tree::assert_same(&alice.work, &bob.work);
}

/// Alice's folder, and Bob as a writer; both daemons run.
fn two_accounts(world: &World, server: &KeyServer) -> [Device; 2] {
    let [alice, bob] = ["alice", "bob"].map(|name| {
        let mut device = world.bare_device(name);
        device.work = world.directory(&format!("{name}-work"));
        device.encrypted = world.encrypted();
        device.register(&format!("{name}@example.com"), &server.url).expect(0);
        device
    });
    alice.add_folder().expect(0);
    // Enough that what is deleted in a race is no reason to brake.
    for n in 0..200 {
        alice.write(&format!("still/{n}"), format!("still {n}"));
    }
    alice.settle();
    alice.run(&["share", "add", text(&alice.work), "bob@example.com"]).expect(0);
    bob.run(&["folder", "add", text(&bob.work), text(&bob.encrypted), "--from", "alice@example.com"])
        .expect(0);
    bob.settle();
    for device in [&alice, &bob] {
        device.start_daemon();
    }
    [alice, bob]
}

/// The seed of this run, which is printed where the test fails.
fn seed() -> u64 {
    let given = std::env::var("ENSAFER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given
        .unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()));
    eprintln!("ENSAFER_TEST_SEED={seed}");
    seed
}

#[test]
fn two_accounts_that_race_agree_and_lose_nothing() {
    let seed = seed();
    let world = World::new();
    let server = KeyServer::start(&world);
    let [alice, bob] = two_accounts(&world, &server);
    let mut people = [(&alice, "alice"), (&bob, "bob")].map(|(device, name)| Person {
        device,
        name,
        beside: world.directory(&format!("{name}-beside")),
        random: Random::new(seed ^ name.len() as u64),
        written: BTreeSet::new(),
    });
    for round in 0..ROUNDS {
        thread::scope(|scope| {
            for person in &mut people {
                scope.spawn(|| person.work());
            }
        });
        agree(&alice, &bob);
        let kept: BTreeSet<String> = texts(&alice.work).expect("all is still").into_values().collect();
        let thrown_away: BTreeSet<String> = people.iter().flat_map(Person::thrown_away).collect();
        for person in &people {
            let lost: Vec<_> = person
                .written
                .iter()
                .filter(|text| !kept.contains(*text) && !thrown_away.contains(*text))
                .collect();
            assert!(lost.is_empty(), "seed {seed}, round {round}: {lost:?} of {}", person.name);
        }
    }
    let names = texts(&alice.work).expect("all is still").into_keys();
    let is_copy =
        |path: &PathBuf| ["(alice, ", "(bob, "].iter().any(|by| path.to_string_lossy().contains(by));
    let copies = names.filter(is_copy);
    assert!(copies.count() > 0, "seed {seed}: they never met");
    for device in [&alice, &bob] {
        assert_eq!(device.problems(), [], "seed {seed}");
    }
}
