//! Any history of a folder, and what of it each person can open with every key that they ever had: what was written
//! while they had a part in it, all that is older, and nothing of what came after.

use std::collections::{BTreeSet, HashSet};

use ensafer_core::account::Account;
use ensafer_core::format::roster::{Role, open_roster_object};
use ensafer_core::format::{
    Access, AccountAlone, FileKeySource, FoundKey, HeaderError, ObjectKind, OpenedFolderKey, Prefix,
    open_bytes, open_header,
};
use proptest::prelude::*;

use super::accounts::{alice, bob, carol};
use super::world::{Device, TEN_MINUTES, World};
use crate::engine::MemberChange;

const ALICE: usize = 0;
const FILES: [&str; 3] = ["one", "two", "three"];

/// What somebody does. People are numbers: Alice, who owns the folder, Bob, Carol.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Add { by: usize, whom: usize, role: Role },
    Remove { by: usize, whom: usize },
    SetRole { by: usize, whom: usize, role: Role },
    Leave { by: usize },
    Write { by: usize, file: usize },
    Rename { by: usize, file: usize },
    Reencrypt { by: usize },
}

impl Deed {
    const fn by(self) -> usize {
        match self {
            Self::Add { by, .. }
            | Self::Remove { by, .. }
            | Self::SetRole { by, .. }
            | Self::Leave { by }
            | Self::Write { by, .. }
            | Self::Rename { by, .. }
            | Self::Reencrypt { by } => by,
        }
    }
}

/// An object as it once lay in the encrypted folder.
struct Version {
    bytes: Vec<u8>,
    is_roster: bool,
    /// Who shall be able to open it in the end.
    readers: BTreeSet<usize>,
}

struct History {
    world: World,
    accounts: [std::sync::Arc<Account>; 3],
    devices: [Option<Device>; 3],
    roles: [Option<Role>; 3],
    /// Who knows the folder's current key.
    insiders: BTreeSet<usize>,
    /// Who of them has left: an admin's device has not started a new epoch yet.
    left: BTreeSet<usize>,
    versions: Vec<Version>,
    seen: HashSet<(String, Vec<u8>)>,
    writes: usize,
}

impl History {
    fn new() -> Self {
        let world = World::new();
        let mut first = world.device("a");
        for file in FILES {
            first.write(file, "at first");
        }
        first.settle();
        let mut history = Self {
            world,
            accounts: [alice(), bob(), carol()],
            devices: [Some(first), None, None],
            roles: [Some(Role::Owner), None, None],
            insiders: BTreeSet::from([ALICE]),
            left: BTreeSet::new(),
            versions: Vec::new(),
            seen: HashSet::new(),
            writes: 0,
        };
        history.record(&BTreeSet::new());
        history
    }

    fn live(&mut self, deed: Deed) {
        // Rounds that come faster would add up to what a brake stops.
        self.world.clock.advance(TEN_MINUTES);
        let mut before = self.insiders.clone();
        if self.roles[deed.by()] >= Some(Role::Admin) {
            before.retain(|person| !self.left.contains(person));
        }
        match deed {
            Deed::Add { by, whom, role } => {
                let bundle = Box::new(self.accounts[whom].bundle().clone());
                if self.change(by, &MemberChange::Add { bundle, role }) {
                    self.roles[whom] = Some(role);
                    self.insiders.insert(whom);
                    self.versions.iter_mut().for_each(|version| _ = version.readers.insert(whom));
                    let account = &self.accounts[whom];
                    let name = ["a", "b", "c"][whom];
                    self.devices[whom].get_or_insert_with(|| self.world.guest(name, account));
                }
            }
            Deed::Remove { by, whom } => {
                let subject = self.accounts[whom].identity().public();
                if self.change(by, &MemberChange::Remove { subject }) {
                    self.roles[whom] = None;
                    self.insiders.remove(&whom);
                }
            }
            Deed::SetRole { by, whom, role } => {
                let subject = self.accounts[whom].identity().public();
                if self.change(by, &MemberChange::SetRole { subject, role }) {
                    self.roles[whom] = Some(role);
                }
            }
            Deed::Leave { by } => {
                if self.change(by, &MemberChange::Leave) {
                    self.roles[by] = None;
                    self.left.insert(by);
                }
            }
            Deed::Write { by, file } => {
                self.writes += 1;
                let text = format!("{} by {by}", self.writes);
                self.settle(by, |device| device.write(FILES[file], &text));
            }
            Deed::Rename { by, file } => self.settle(by, |device| {
                let (from, to) = (FILES[file], format!("{}, renamed", FILES[file]));
                match (device.path(from).exists(), device.path(&to).exists()) {
                    (true, false) => device.rename(from, &to),
                    (false, true) => device.rename(&to, from),
                    _ => {}
                }
            }),
            Deed::Reencrypt { by } => self.settle(by, |device| _ = device.reencrypt()),
        }
        self.record(&before);
    }

    /// Whether the change was made.
    fn change(&mut self, by: usize, change: &MemberChange) -> bool {
        let Some(device) = &mut self.devices[by] else { return false };
        let is_made = device.change(change).is_ok();
        self.note_look(by);
        is_made
    }

    fn settle(&mut self, by: usize, work: impl FnOnce(&mut Device)) {
        let Some(device) = &mut self.devices[by] else { return };
        work(device);
        device.settle();
        self.note_look(by);
    }

    /// An admin's device that looks starts the epoch that is due.
    fn note_look(&mut self, by: usize) {
        if self.roles[by] >= Some(Role::Admin) {
            for gone in std::mem::take(&mut self.left) {
                if self.roles[gone].is_none() {
                    self.insiders.remove(&gone);
                }
            }
        }
    }

    /// Keeps what is new in the encrypted folder. A manifest is written ahead of the change that it belongs to: `before`
    /// knew the key then.
    fn record(&mut self, before: &BTreeSet<usize>) {
        let first = self.devices[ALICE].as_ref().unwrap();
        let keys = first.keys();
        for (name, bytes) in self.world.snapshot() {
            if !self.seen.insert((name.clone(), bytes.clone())) {
                continue;
            }
            let is_roster = name == first.roster_key();
            let is_manifest = !is_roster
                && open_header(&bytes, &keys.source()).unwrap().statement.kind == ObjectKind::Manifest;
            let readers = if is_manifest { before.clone() } else { self.insiders.clone() };
            self.versions.push(Version { bytes, is_roster, readers });
        }
    }

    /// Which of the versions somebody opens who has kept every key that they ever came by.
    fn opened_by(&self, person: usize) -> Vec<bool> {
        let envelope = self.accounts[person].envelope();
        let mut keys: Vec<OpenedFolderKey> = Vec::new();
        loop {
            let hoard = AccountAlone::new(envelope, keys.clone());
            let mut opened: Vec<bool> = self.versions.iter().map(|version| opens(version, &hoard)).collect();
            let rosters = self.versions.iter().filter(|version| version.is_roster);
            let rosters: Vec<_> =
                rosters.filter_map(|version| open_roster_object(&version.bytes, &hoard).ok()).collect();
            let inside = rosters.iter().flat_map(|opened| opened.roster.keys());
            let inside = inside.map(|(name, key)| OpenedFolderKey { name, key: key.clone() });
            let found: Vec<_> = inside.chain(hoard.opened()).collect();
            let known = keys.len();
            for key in found {
                if keys.iter().all(|known| known.name != key.name) {
                    keys.push(key);
                }
            }
            if keys.len() == known {
                self.try_file_keys(&hoard, &mut opened);
                return opened;
            }
        }
    }

    /// Tries the file key of every version that opened on every other version of the object.
    fn try_file_keys(&self, hoard: &AccountAlone<'_>, opened: &mut [bool]) {
        let parts = |version: &Version| {
            let header = open_header(&version.bytes, hoard).ok()?;
            Some((header.prefix, header.access))
        };
        let had: Vec<_> =
            self.versions.iter().filter(|version| !version.is_roster).filter_map(parts).collect();
        for (version, opened) in self.versions.iter().zip(opened) {
            let id = Prefix::parse(&version.bytes).unwrap().file_id;
            for (prefix, access) in had.iter().filter(|(prefix, _)| prefix.file_id == id) {
                *opened |= opens(version, &Kept { hoard, prefix, access });
            }
        }
    }
}

fn opens(version: &Version, keys: &impl FileKeySource) -> bool {
    open_header(&version.bytes, keys).is_ok() || open_bytes(&version.bytes, keys).is_ok()
}

/// The file key of another version.
struct Kept<'a> {
    hoard: &'a AccountAlone<'a>,
    prefix: &'a Prefix,
    access: &'a Access,
}

impl FileKeySource for Kept<'_> {
    fn file_key(&self, _: &Prefix, _: &Access) -> Result<FoundKey, HeaderError> {
        self.hoard.file_key(self.prefix, self.access)
    }

    fn roster_key(&self, _: &Prefix, _: &Access) -> Result<OpenedFolderKey, HeaderError> {
        Err(HeaderError::NotARecipient)
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    let person = || 0usize..3;
    // Alice acts most, as nobody else may before she has made them an admin.
    let admin = || prop_oneof![3 => Just(ALICE), 1 => 1usize..3];
    let role = || prop_oneof![Just(Role::Reader), Just(Role::Writer), Just(Role::Admin)];
    prop_oneof![
        3 => (admin(), 1usize..3, role()).prop_map(|(by, whom, role)| Deed::Add { by, whom, role }),
        2 => (admin(), 1usize..3).prop_map(|(by, whom)| Deed::Remove { by, whom }),
        1 => (admin(), 1usize..3, role()).prop_map(|(by, whom, role)| Deed::SetRole { by, whom, role }),
        1 => (1usize..3).prop_map(|by| Deed::Leave { by }),
        4 => (person(), 0..FILES.len()).prop_map(|(by, file)| Deed::Write { by, file }),
        2 => (person(), 0..FILES.len()).prop_map(|(by, file)| Deed::Rename { by, file }),
        1 => person().prop_map(|by| Deed::Reencrypt { by }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.div_ceil(16),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn row_20_a_person_opens_what_was_written_until_they_went_and_nothing_newer(
        deeds in prop::collection::vec(deed(), 4..20),
    ) {
        let mut history = History::new();
        for deed in deeds {
            history.live(deed);
        }
        for person in 0..3 {
            let opened = history.opened_by(person);
            for (at, (version, opened)) in history.versions.iter().zip(opened).enumerate() {
                prop_assert_eq!(
                    opened,
                    version.readers.contains(&person),
                    "person {} and version {} of {} (roster: {})",
                    person, at, history.versions.len(), version.is_roster
                );
            }
        }
    }
}
