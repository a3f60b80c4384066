//! The power fails at every moment of a round of changes, on the writing device and on the reading one. Whatever the
//! moment, the next start ends where an undisturbed round ends, and nothing is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::faults::{PowerCut, watched};
use super::world::{Device, TEN_MINUTES, World};

/// Whether the round ended before the power failed.
pub fn run_until_power_cut(device: &mut Device, moments: i64) -> bool {
    let power = PowerCut::after(moments);
    device.start_with(watched(power.clone()));
    let ended = catch_unwind(AssertUnwindSafe(|| device.settle())).is_ok();
    assert_eq!(ended, !power.has_happened());
    device.start();
    ended
}

/// A bit of everything: made, edited, renamed, moved, deleted.
fn change(device: &Device, round: i64) {
    let before = round - 1;
    device.write(&format!("new {round}"), &format!("new in {round}"));
    device.write("edited", &format!("as of {round}"));
    device.write(&format!("in {round}/deep/file"), &format!("deep {round}"));
    device.rename(&format!("moves {before}"), &format!("moves {round}"));
    device.rename(&format!("directory {before}"), &format!("directory {round}"));
    device.save_by_rename("saved", &format!("saved in {round}"));
    if before > 0 {
        device.remove(&format!("new {before}"));
        device.remove(&format!("in {before}"));
    }
}

fn prepare(device: &Device) {
    device.write("moves 0", "moves");
    device.write("directory 0/child", "child");
    device.write("edited", "at first");
    device.write("saved", "at first");
}

#[test]
fn rule_16_the_power_fails_at_any_moment_of_a_publication() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    prepare(&a);
    world.settle(&mut [&mut a, &mut b]);
    let mut round = 0;
    loop {
        round += 1;
        // Rounds that come faster would add up to what a brake stops.
        world.clock.advance(TEN_MINUTES);
        change(&a, round);
        let expected = a.tree();
        let ended = run_until_power_cut(&mut a, round);
        world.settle(&mut [&mut a, &mut b]);
        assert_eq!(a.tree(), expected, "round {round}");
        assert_eq!(b.tree(), expected, "round {round}");
        assert!(a.problems().is_empty() && b.problems().is_empty(), "round {round}: {:?}", a.problems());
        let left = world.names().into_iter().filter(|name| !name.ends_with(".ensafer")).count();
        assert_eq!(left, 0, "round {round} leaves temporary files");
        if ended {
            break;
        }
    }
    assert!(round > 50, "only {round} moments were tried");
}

#[test]
fn rule_16_the_power_fails_at_any_moment_of_a_reception() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    prepare(&a);
    world.settle(&mut [&mut a, &mut b]);
    let mut round = 0;
    loop {
        round += 1;
        // Rounds that come faster would add up to what a brake stops.
        world.clock.advance(TEN_MINUTES);
        change(&a, round);
        a.settle();
        let expected = a.tree();
        let ended = run_until_power_cut(&mut b, round);
        world.settle(&mut [&mut a, &mut b]);
        assert_eq!(b.tree(), expected, "round {round}");
        assert_eq!(a.tree(), expected, "round {round}");
        if ended {
            break;
        }
    }
    assert!(round > 10, "only {round} moments were tried");
}

/// A kill after the last rename and before base was committed is the same as base from before the round.
#[test]
fn rule_16_base_is_committed_last() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    prepare(&a);
    world.settle(&mut [&mut a, &mut b]);
    for round in 1..4 {
        change(&a, round);
        b.write(&format!("b's {round}"), "of b");
        for device in [&mut a, &mut b] {
            device.stop();
            let kept = std::fs::read(device.state_file()).unwrap();
            device.start();
            device.settle();
            device.stop();
            std::fs::write(device.state_file(), kept).unwrap();
            device.start();
        }
        let contents = a.contents();
        world.settle(&mut [&mut a, &mut b]);
        assert_eq!(a.tree(), b.tree(), "round {round}");
        assert!(a.tree().contains_key(&format!("b's {round}")));
        assert!(contents.iter().all(|text| a.contents().contains(text)), "round {round} lost something");
        assert!(a.problems().is_empty() && b.problems().is_empty());
    }
}
