//! Battery power and metered networks: syncing rests there, and goes on by itself.

use ensafer_tests::surroundings::{NetworkService, PowerService, claim_battery_power};
use ensafer_tests::{Bus, Device, World, store, wait};

/// `NMMetered`.
const YES: u32 = 1;
const NO: u32 = 2;
const GUESS_YES: u32 = 3;

/// A device that does not run yet, on a computer with a system bus.
fn computer() -> Option<(World, Bus, Device)> {
    let bus = Bus::start()?;
    let (world, mut device) = World::with_one_device();
    device.join_system_bus(&bus);
    Some((world, bus, device))
}

/// Why the device rests.
fn why(device: &Device) -> String {
    device.json(&["status"])["folders"][0]["why"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn wait_for_why(device: &Device, expected: &str) {
    wait::until_true(expected, || why(device) == expected);
    assert_eq!(device.state(), "paused");
}

#[test]
fn syncing_rests_on_battery_power_and_goes_on_by_itself() {
    let Some((world, bus, device)) = computer() else { return };
    let power = PowerService::start(&bus, false);
    device.start_daemon();
    let before = store::count_objects(&world.encrypted());

    power.set(true);
    wait_for_why(&device, "on battery power");
    device.write("waits", "x");
    device.run(&["status"]).expect(0).expect_says("Paused (on battery power)");
    assert_eq!(store::count_objects(&world.encrypted()), before);

    power.set(false);
    wait::until_true("the file is encrypted", || store::count_objects(&world.encrypted()) == before + 1);
    device.wait_for_state("up-to-date");
}

#[test]
fn nothing_is_written_by_a_daemon_that_starts_on_battery_power() {
    let Some((world, bus, device)) = computer() else { return };
    let power = PowerService::start(&bus, true);
    let before = store::count_objects(&world.encrypted());
    device.write("waits", "x");
    device.run(&["start"]).expect(0).expect_says("Paused (on battery power)");
    assert_eq!(store::count_objects(&world.encrypted()), before);
    // Whoever asks for it gets it.
    device.settle();
    let after_sync = store::count_objects(&world.encrypted());
    assert!(after_sync > before);
    wait_for_why(&device, "on battery power");

    device.write("waits, too", "x");
    device.run(&["daemon", "--quit"]).expect(0);
    assert_eq!(store::count_objects(&world.encrypted()), after_sync);
    device.settle();
    assert_eq!(
        store::count_objects(&world.encrypted()),
        after_sync + 1,
        "a command that runs once does not rest"
    );
    drop(power);
}

#[test]
fn whoever_resumes_is_believed_until_that_is_over() {
    let Some((world, bus, device)) = computer() else { return };
    let power = PowerService::start(&bus, false);
    let network = NetworkService::start(&bus, NO);
    device.start_daemon();
    power.set(true);
    wait_for_why(&device, "on battery power");
    let before = store::count_objects(&world.encrypted());
    device.write("waits", "x");
    device.run(&["resume"]).expect(0).expect_says("Going on");
    wait::until_true("the file is encrypted", || store::count_objects(&world.encrypted()) == before + 1);
    device.wait_for_state("up-to-date");

    network.set(GUESS_YES);
    wait_for_why(&device, "on a metered network");
    network.set(NO);
    device.wait_for_state("up-to-date");
    power.set(false);
    network.set(YES);
    wait_for_why(&device, "on a metered network");
    power.set(true);
    wait_for_why(&device, "on battery power and on a metered network");
    network.set(NO);
    wait_for_why(&device, "on battery power");
}

#[test]
fn pauses_and_stops_by_hand_are_apart_from_it() {
    let Some((_world, bus, device)) = computer() else { return };
    let power = PowerService::start(&bus, false);
    device.start_daemon();
    device.run(&["pause"]).expect(0);
    power.set(true);
    wait_for_why(&device, "until resumed");
    device.run(&["stop"]).expect(0);
    device.wait_for_state("stopped");
    device.run(&["resume"]).expect(0).expect_says("ensafer start");
    // A start is no word about battery power.
    device.run(&["start"]).expect(0).expect_says("Paused (on battery power)");
    device.run(&["pause"]).expect(0);
    power.set(false);
    wait_for_why(&device, "until resumed");
    device.run(&["resume"]).expect(0);
    device.wait_for_state("up-to-date");
}

#[test]
fn services_come_and_go_and_only_they_are_believed() {
    let Some((_world, bus, device)) = computer() else { return };
    device.start_daemon();
    let power = PowerService::start(&bus, true);
    wait_for_why(&device, "on battery power");
    drop(power);
    device.wait_for_state("up-to-date");
    let power = PowerService::start(&bus, false);
    let network = NetworkService::start(&bus, YES);
    wait_for_why(&device, "on a metered network");
    claim_battery_power(&bus);
    network.set(GUESS_YES);
    network.set(NO);
    // What came after the claim has been seen.
    device.wait_for_state("up-to-date");
    power.set(true);
    wait_for_why(&device, "on battery power");
    bus.end();
    device.wait_for_state("up-to-date");
}

#[test]
fn both_can_be_switched_off() {
    let Some((_world, bus, device)) = computer() else { return };
    let _power = PowerService::start(&bus, true);
    let network = NetworkService::start(&bus, NO);
    device.run(&["config", "set", "pause_on_battery", "false"]).expect(0);
    device.start_daemon();
    network.set(YES);
    wait_for_why(&device, "on a metered network");
    device.run(&["daemon", "--quit"]).expect(0);
    device.run(&["config", "set", "pause_on_metered", "false"]).expect(0);
    device.start_daemon();
}
