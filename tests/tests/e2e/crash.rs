//! Killed at any moment, nothing is lost and nobody is needed.

use std::path::Path;
use std::time::{Duration, Instant};

use ensafer_tests::{Device, Random, World, store, tree};

/// Kills that a test survives.
const ROUNDS: usize = 20;

/// Starts `sync --once` and kills it as soon as `progress`, which grows while it works, has grown by `steps`. False if
/// it ended before that.
fn kill_after(device: &Device, steps: usize, progress: impl Fn() -> usize) -> bool {
    let began = Instant::now();
    let before = progress();
    let mut running = device.start_verb(&["sync", "--once"]);
    while running.is_running() {
        // What a killed run left unfinished is swept at first, so the number may fall.
        if progress().abs_diff(before) >= steps {
            running.kill();
            return true;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it neither ends nor makes progress");
    }
    let ended = running.finish();
    assert_eq!(ended.code, 0, "{ended}");
    false
}

/// Kills a device at work [`ROUNDS`] times. `more` gives it something to do when all is done.
fn torment(
    device: &Device,
    random: &mut Random,
    most: usize,
    progress: impl Fn() -> usize,
    mut more: impl FnMut(usize),
) {
    let mut kills = 0;
    for round in 0.. {
        assert!(round < 5 * ROUNDS, "only {kills} of {round} runs were alive when their moment came");
        if kill_after(device, random.below(most), &progress) {
            kills += 1;
        } else {
            more(round);
        }
        if kills == ROUNDS {
            return;
        }
    }
}

#[test]
fn killed_while_encrypting() {
    let world = World::in_memory(1 << 30);
    let laptop = world.device("laptop");
    let random = &mut Random::new(20);
    tree::grow(&laptop.work, random, "first", 1500, 20_000);
    let encrypted = world.encrypted();
    let work = laptop.work.clone();
    let mut contents = Random::new(21);
    torment(
        &laptop,
        random,
        300,
        || store::count_entries(&encrypted),
        |round| tree::grow(&work, &mut contents, &format!("round {round}"), 400, 20_000),
    );
    nothing_was_lost(&world, &laptop);
}

#[test]
fn killed_while_decrypting() {
    let world = World::in_memory(1 << 30);
    let laptop = world.device("laptop");
    let random = &mut Random::new(22);
    tree::grow(&laptop.work, random, "first", 1500, 20_000);
    laptop.settle();

    let desktop = world.device("desktop");
    let mut contents = Random::new(23);
    let progress = || count_below(&desktop.work);
    torment(&desktop, random, 300, progress, |round| {
        tree::grow(&laptop.work, &mut contents, &format!("round {round}"), 400, 20_000);
        laptop.settle();
    });
    desktop.settle();
    tree::assert_same(&laptop.work, &desktop.work);
    nothing_was_lost(&world, &laptop);
}

#[test]
fn a_killed_daemon_leaves_nothing_that_the_next_one_stumbles_over() {
    let (world, laptop, desktop) = World::with_two_devices();
    let random = &mut Random::new(24);
    for round in 0..5 {
        laptop.run(&["start"]).expect(0);
        tree::grow(&laptop.work, random, &format!("round {round}"), 60, 5000);
        let wanted = store::count_objects(&world.encrypted()) + random.below(50);
        ensafer_tests::wait::until_true("it makes progress", || {
            store::count_objects(&world.encrypted()) >= wanted
        });
        laptop.kill_daemon();
    }
    laptop.settle();
    desktop.settle();
    tree::assert_same(&laptop.work, &desktop.work);
}

/// The device settles with the files that it had, and a new device gets all of them.
#[track_caller]
fn nothing_was_lost(world: &World, device: &Device) {
    let before = tree::snapshot(&device.work);
    device.settle();
    tree::assert_equal(&before, &tree::snapshot(&device.work));
    assert!(!store::objects(&world.encrypted()).is_empty());
    device.run(&["verify"]).expect(0);
    let newcomer = world.device("newcomer");
    newcomer.settle();
    tree::assert_equal(&before, &tree::snapshot(&newcomer.work));
    assert!(newcomer.problems().is_empty());
}

/// How many entries lie anywhere below `directory`, unfinished ones included.
fn count_below(directory: &Path) -> usize {
    let Ok(listing) = directory.read_dir() else { return 0 };
    listing
        .flatten()
        .map(|entry| {
            1 + if entry.file_type().is_ok_and(|t| t.is_dir()) { count_below(&entry.path()) } else { 0 }
        })
        .sum()
}
