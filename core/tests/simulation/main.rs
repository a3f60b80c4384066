//! Several devices on one cloud, edited at random, interrupted anywhere: the engine's decisions must end, converge
//! and lose no edit, whatever the cloud does.

#![allow(clippy::unwrap_used, reason = "every file here is a test's, not only what is marked as one")]

mod cloud;
mod device;
mod disk;
mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ensafer_core::plan::{ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use proptest::prelude::*;

use cloud::{Cloud, Manners};
use device::{Device, Outcome};
use disk::{Diary, Edit};

/// Rounds, each of them a step of every device, in which everything must have come to rest.
const ROUNDS: usize = 60;

/// A history, one event a line, fit to be pasted into a test.
#[derive(Clone)]
struct Events(Vec<Event>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|event| write!(f, "\n    {event:?},"))
    }
}

#[derive(Debug, Clone)]
enum Event {
    Edit(u8, Edit),
    /// Plan and apply; switched off after so many parts.
    Step(u8, Option<u8>),
    /// Plan; then the user edits, and another device takes a step; then apply.
    Race(u8, Edit, u8),
    /// Plan and apply, seeing only a part of the work folder.
    Fog(u8, u8),
    /// The cloud's client brings some files together.
    Deliver(u8, u16),
    LoseState(u8),
    /// A writer becomes a reader, or a reader a writer.
    ChangeRole(u8),
}

struct World {
    devices: Vec<Device>,
    cloud: Cloud,
    diary: Diary,
    seconds: i64,
    /// Whether devices change their roles, so that nobody knows what a reader may throw away.
    roles_change: bool,
}

impl World {
    fn new(manners: Manners, devices: usize) -> Self {
        Self {
            devices: (0..devices).map(Device::new).collect(),
            cloud: Cloud::new(manners, devices),
            diary: Diary::default(),
            seconds: 1_000_000,
            roles_change: false,
        }
    }

    fn edit(&mut self, device: usize, edit: &Edit, now: Timestamp) {
        let device = &mut self.devices[device];
        self.diary.is_reader = device.is_reader && !self.roles_change;
        device.disk.edit(edit, &mut self.diary, now);
    }

    /// Every event happens ten seconds after the one before.
    fn now(&mut self) -> Timestamp {
        self.seconds += 10;
        Timestamp::from_parts(self.seconds, 0)
    }

    fn happen(&mut self, event: &Event) {
        let now = self.now();
        let count = self.devices.len();
        match event {
            Event::Edit(device, edit) => {
                self.edit(usize::from(*device) % count, edit, now);
            }
            Event::Step(device, budget) => {
                let budget = budget.map_or(usize::MAX, usize::from);
                self.devices[usize::from(*device) % count].step(&mut self.cloud, now, budget);
            }
            Event::Race(device, edit, other) => {
                let (device, other) = (usize::from(*device) % count, usize::from(*other) % count);
                let prepared = self.devices[device].prepare(&self.cloud, now, 0);
                self.edit(device, edit, now);
                if other != device {
                    self.devices[other].step(&mut self.cloud, now, usize::MAX);
                }
                let now = self.now();
                self.devices[device].carry_out(prepared, &mut self.cloud, now, usize::MAX);
            }
            Event::Fog(device, fog) => {
                let device = &mut self.devices[usize::from(*device) % count];
                let prepared = device.prepare(&self.cloud, now, *fog);
                device.carry_out(prepared, &mut self.cloud, now, usize::MAX);
            }
            Event::Deliver(device, mask) => {
                let mut turn = 0;
                self.cloud.sync(usize::from(*device) % count, |_| {
                    turn = (turn + 1) % 16;
                    mask >> turn & 1 == 1
                });
            }
            Event::LoseState(device) => self.devices[usize::from(*device) % count].lose_state(),
            Event::ChangeRole(device) => {
                let device = &mut self.devices[usize::from(*device) % count];
                device.is_reader = !device.is_reader;
            }
        }
    }

    /// Lets everything come to rest, and judges what came of it.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut busy = false;
            for device in 0..self.devices.len() {
                busy |= self.cloud.sync(device, |_| true);
                let now = self.now();
                busy |= self.devices[device].step(&mut self.cloud, now, usize::MAX) == Outcome::Busy;
                busy |= self.cloud.sync(device, |_| true);
            }
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet == 2 {
                return self.judge();
            }
        }
        let now = self.now();
        let plans: Vec<_> = self.devices.iter_mut().map(|device| device.look(&self.cloud, now)).collect();
        Err(TestCaseError::fail(format!("no rest after {ROUNDS} rounds: {plans:#?}")))
    }

    fn judge(&mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        let writer = self.devices.iter().position(|device| !device.is_reader).unwrap();
        let first = self.devices[writer].disk.picture();
        for device in 0..self.devices.len() {
            let mut picture = self.devices[device].disk.picture();
            let plan = self.devices[device].look(&self.cloud, now);
            let own = if self.devices[device].is_reader { take_own(&mut picture, &first) } else { vec![] };
            let both_keep_modes = [device, writer].iter().all(|&device| self.devices[device].keeps_modes);
            let seen =
                |picture: &_| if both_keep_modes { Clone::clone(picture) } else { without_modes(picture) };
            prop_assert_eq!(seen(&picture), seen(&first), "device {} shows another tree", device);
            let reported: Vec<_> = plan.problems.iter().map(|p| (p.class, p.subject.clone())).collect();
            prop_assert_eq!(reported, own, "device {} reports something else", device);
            let summary = |device: usize| -> BTreeMap<_, _> {
                self.cloud
                    .files(device)
                    .iter()
                    .map(|(key, file)| (key.clone(), file.object.clock.clone()))
                    .collect()
            };
            prop_assert_eq!(summary(device), summary(0));
        }
        let there: BTreeSet<_> = self.devices[writer].disk.contents().collect();
        let readers = || self.devices.iter().filter(|device| device.is_reader);
        let here: BTreeSet<_> = readers().flat_map(|device| device.disk.contents()).collect();
        for bytes in &self.diary.written {
            let may_be_here = self.roles_change || self.diary.by_readers.contains(bytes);
            prop_assert!(
                there.contains(bytes)
                    || (may_be_here && here.contains(bytes))
                    || self.diary.given_up.contains(bytes)
                    || self.devices.iter().any(|device| device.replaced_again.contains(bytes)),
                "content {} is lost; there are {:?}",
                bytes,
                first
            );
        }
        Ok(())
    }
}

/// The same, no file executable.
fn without_modes(picture: &BTreeMap<String, disk::Kind>) -> BTreeMap<String, disk::Kind> {
    let mut plain = picture.clone();
    for kind in plain.values_mut() {
        if let disk::Kind::File { executable, .. } = kind {
            *executable = false;
        }
    }
    plain
}

/// Takes out of a reader's `picture` what `folder` does not have, and returns what is to be reported of it.
fn take_own(
    picture: &mut BTreeMap<String, disk::Kind>,
    folder: &BTreeMap<String, disk::Kind>,
) -> Vec<(ProblemClass, Subject)> {
    let own: Vec<String> = picture.keys().filter(|path| !folder.contains_key(*path)).cloned().collect();
    picture.retain(|path, _| folder.contains_key(path));
    let is_top = |path: &&String| path.rsplit_once('/').is_none_or(|(above, _)| folder.contains_key(above));
    let mut tops: Vec<_> = own.iter().filter(is_top).cloned().collect();
    // As a scan lists: what lies higher first.
    tops.sort_by_cached_key(|path| (path.matches('/').count(), path.clone()));
    tops.into_iter().map(|path| (ProblemClass::ReadOnly, Subject::Path(path))).collect()
}

#[allow(clippy::print_stdout, reason = "the test runner shows it with a failure")]
/// Prints what happens where `SIMULATION_TRACE` is set.
pub fn trace(text: impl FnOnce() -> String) {
    if std::env::var_os("SIMULATION_TRACE").is_some() {
        println!("{}", text());
    }
}

fn run(manners: Manners, devices: usize, events: &[Event]) -> Result<(), TestCaseError> {
    play(World::new(manners, devices), events)
}

fn play(mut world: World, events: &[Event]) -> Result<(), TestCaseError> {
    for event in events {
        trace(|| format!("{event:?}"));
        world.happen(event);
    }
    world.settle()
}

/// Plays with readers: the last devices, of at least one writer.
fn play_with_readers(
    manners: Manners,
    readers: usize,
    writers: usize,
    events: &[Event],
) -> Result<(), TestCaseError> {
    let mut world = World::new(manners, writers + readers);
    world.devices[writers..].iter_mut().for_each(|device| device.is_reader = true);
    play(world, events)
}

/// Plays with devices that change their roles. In the end only the first writes, and then all of them do.
fn play_with_roles(manners: Manners, devices: usize, events: &[Event]) -> Result<(), TestCaseError> {
    let mut world = World::new(manners, devices);
    world.roles_change = true;
    for event in events {
        trace(|| format!("{event:?}"));
        world.happen(event);
    }
    world.devices.iter_mut().for_each(|device| device.is_reader = device.number > 0);
    world.settle()?;
    world.devices.iter_mut().for_each(|device| device.is_reader = false);
    world.settle()
}

fn edits() -> impl Strategy<Value = Edit> {
    let pick = any::<u8>;
    prop_oneof![
        4 => (pick(), pick()).prop_map(|(directory, name)| Edit::Create { directory, name }),
        2 => (pick(), pick()).prop_map(|(directory, name)| Edit::MakeDirectory { directory, name }),
        1 => (pick(), pick(), pick()).prop_map(|(directory, name, target)| Edit::Link { directory, name, target }),
        4 => pick().prop_map(|file| Edit::Write { file }),
        2 => pick().prop_map(|file| Edit::SaveByRename { file }),
        1 => pick().prop_map(|file| Edit::Touch { file }),
        1 => pick().prop_map(|file| Edit::ToggleExecutable { file }),
        4 => (pick(), pick(), pick()).prop_map(|(entry, directory, name)| Edit::Move { entry, directory, name }),
        1 => (pick(), pick()).prop_map(|(one, other)| Edit::Swap { one, other }),
        1 => (pick(), pick(), pick()).prop_map(|(file, directory, name)| Edit::Duplicate { file, directory, name }),
        2 => pick().prop_map(|entry| Edit::Delete { entry }),
    ]
}

fn events(losses: bool) -> impl Strategy<Value = Events> {
    histories(losses, false)
}

fn histories(losses: bool, roles: bool) -> impl Strategy<Value = Events> {
    let event = prop_oneof![
        8 => (0..3u8, edits()).prop_map(|(device, edit)| Event::Edit(device, edit)),
        5 => (0..3u8).prop_map(|device| Event::Step(device, None)),
        2 => (0..3u8, 0..12u8).prop_map(|(device, parts)| Event::Step(device, Some(parts))),
        2 => (0..3u8, edits(), 0..3u8).prop_map(|(device, edit, other)| Event::Race(device, edit, other)),
        2 => (0..3u8, 1..=255u8).prop_map(|(device, fog)| Event::Fog(device, fog)),
        4 => (0..3u8, any::<u16>()).prop_map(|(device, mask)| Event::Deliver(device, mask)),
        u32::from(losses) => (0..3u8).prop_map(Event::LoseState),
        2 * u32::from(roles) => (0..3u8).prop_map(Event::ChangeRole),
    ];
    prop::collection::vec(event, 1..40).prop_map(Events)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2 * ProptestConfig::default().cases,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn one_shared_directory(devices in 2..=3usize, events in events(false)) {
        run(Manners::Shared, devices, &events.0)?;
    }

    #[test]
    fn a_cloud_whose_last_writer_wins(devices in 2..=3usize, events in events(false)) {
        run(Manners::LastWriterWins, devices, &events.0)?;
    }

    #[test]
    fn a_cloud_that_makes_copies(devices in 2..=3usize, events in events(false)) {
        run(Manners::MakesCopies, devices, &events.0)?;
    }

    #[test]
    fn devices_that_lose_their_state(devices in 2..=3usize, events in events(true)) {
        run(Manners::Shared, devices, &events.0)?;
    }

    #[test]
    fn file_systems_without_stable_inodes(devices in 2..=3usize, events in events(false)) {
        let mut world = World::new(Manners::MakesCopies, devices);
        world.devices.iter_mut().for_each(|device| device.stable_inodes = false);
        play(world, &events.0)?;
    }

    #[test]
    fn a_file_system_without_modes(devices in 2..=3usize, events in events(true)) {
        let mut world = World::new(Manners::MakesCopies, devices);
        world.devices.last_mut().unwrap().keeps_modes = false;
        play(world, &events.0)?;
    }

    #[test]
    fn readers_of_one_shared_directory(writers in 1..=2usize, events in events(true)) {
        play_with_readers(Manners::Shared, 1, writers, &events.0)?;
    }

    #[test]
    fn readers_of_a_cloud_whose_last_writer_wins(events in events(false)) {
        play_with_readers(Manners::LastWriterWins, 1, 2, &events.0)?;
    }

    #[test]
    fn readers_of_a_cloud_that_makes_copies(events in events(false)) {
        play_with_readers(Manners::MakesCopies, 1, 2, &events.0)?;
    }

    #[test]
    fn readers_without_stable_inodes(events in events(false)) {
        let mut world = World::new(Manners::MakesCopies, 3);
        world.devices.iter_mut().for_each(|device| device.stable_inodes = false);
        world.devices[2].is_reader = true;
        play(world, &events.0)?;
    }

    #[test]
    fn roles_that_change(devices in 2..=3usize, events in histories(false, true)) {
        play_with_roles(Manners::Shared, devices, &events.0)?;
    }

    #[test]
    fn roles_that_change_in_a_cloud_that_makes_copies(devices in 2..=3usize, events in histories(false, true)) {
        play_with_roles(Manners::MakesCopies, devices, &events.0)?;
    }

    #[test]
    fn roles_that_change_in_a_cloud_whose_last_writer_wins(devices in 2..=3usize, events in histories(false, true)) {
        play_with_roles(Manners::LastWriterWins, devices, &events.0)?;
    }
}
