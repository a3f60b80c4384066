//! Several devices on one cloud, edited at random, interrupted anywhere: the engine's decisions must end, converge
//! and lose no edit, whatever the cloud does.

#![allow(clippy::unwrap_used, reason = "every file here is a test's, not only what is marked as one")]

mod cloud;
mod device;
mod disk;
mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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
}

struct World {
    devices: Vec<Device>,
    cloud: Cloud,
    diary: Diary,
    seconds: i64,
}

impl World {
    fn new(manners: Manners, devices: usize) -> Self {
        Self {
            devices: (0..devices).map(Device::new).collect(),
            cloud: Cloud::new(manners, devices),
            diary: Diary::default(),
            seconds: 1_000_000,
        }
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
                self.devices[usize::from(*device) % count].disk.edit(edit, &mut self.diary, now);
            }
            Event::Step(device, budget) => {
                let budget = budget.map_or(usize::MAX, usize::from);
                self.devices[usize::from(*device) % count].step(&mut self.cloud, now, budget);
            }
            Event::Race(device, edit, other) => {
                let (device, other) = (usize::from(*device) % count, usize::from(*other) % count);
                let prepared = self.devices[device].prepare(&self.cloud, now, 0);
                self.devices[device].disk.edit(edit, &mut self.diary, now);
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
        let first = self.devices[0].disk.picture();
        for device in 0..self.devices.len() {
            prop_assert_eq!(
                &self.devices[device].disk.picture(),
                &first,
                "device {} shows another tree",
                device
            );
            let plan = self.devices[device].look(&self.cloud, now);
            prop_assert!(plan.problems.is_empty(), "{:?}", plan.problems);
            let summary = |device: usize| -> BTreeMap<_, _> {
                self.cloud
                    .files(device)
                    .iter()
                    .map(|(key, file)| (key.clone(), file.object.clock.clone()))
                    .collect()
            };
            prop_assert_eq!(summary(device), summary(0));
        }
        let there: BTreeSet<_> = self.devices[0].disk.contents().collect();
        for bytes in &self.diary.written {
            prop_assert!(
                there.contains(bytes) || self.diary.given_up.contains(bytes),
                "content {} is lost; there are {:?}",
                bytes,
                first
            );
        }
        Ok(())
    }
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
    let event = prop_oneof![
        8 => (0..3u8, edits()).prop_map(|(device, edit)| Event::Edit(device, edit)),
        5 => (0..3u8).prop_map(|device| Event::Step(device, None)),
        2 => (0..3u8, 0..12u8).prop_map(|(device, parts)| Event::Step(device, Some(parts))),
        2 => (0..3u8, edits(), 0..3u8).prop_map(|(device, edit, other)| Event::Race(device, edit, other)),
        2 => (0..3u8, 1..=255u8).prop_map(|(device, fog)| Event::Fog(device, fog)),
        4 => (0..3u8, any::<u16>()).prop_map(|(device, mask)| Event::Deliver(device, mask)),
        u32::from(losses) => (0..3u8).prop_map(Event::LoseState),
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
}
