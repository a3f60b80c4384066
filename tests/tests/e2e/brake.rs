//! Mass deletion stops the folder until somebody says go on.

use std::fs;

use ensafer_tests::{Device, World, store, tree, wait};

/// Two settled devices with `files` files.
fn full_folder(files: usize) -> (World, Device, Device) {
    let (world, laptop, desktop) = World::with_two_devices();
    for n in 0..files {
        laptop.write(&format!("year {}/paper {n}", n % 4), format!("paper {n}"));
    }
    laptop.settle();
    desktop.settle();
    (world, laptop, desktop)
}

fn empty(device: &Device) {
    for name in 0..4 {
        fs::remove_dir_all(device.at(&format!("year {name}"))).unwrap();
    }
}

/// The token by which `status` names the brake that holds.
fn token(device: &Device) -> String {
    let status = device.json(&["status"]);
    let token = status["folders"][0]["brake"]["token"].as_str();
    token.unwrap_or_else(|| panic!("no token in {status}")).to_owned()
}

#[test]
fn an_emptied_work_folder_deletes_nothing_until_told() {
    let (world, laptop, desktop) = full_folder(40);
    empty(&laptop);
    laptop.sync().expect(7);
    assert_eq!(laptop.state(), "braked");
    desktop.settle();
    assert_eq!(tree::snapshot(&desktop.work).len(), 44, "nothing was deleted there");
    laptop.sync().expect(7);

    laptop.run(&["start"]).expect(0);
    laptop.wait_for_state("braked");
    laptop.run(&["resume", "--go-on", &token(&laptop)]).expect(0);
    laptop.wait_for_state("up-to-date");
    laptop.run(&["daemon", "--quit"]).expect(0);
    laptop.settle();
    desktop.sync().expect(7);
    assert_eq!(tree::snapshot(&desktop.work).len(), 44, "the other device brakes, too");
    assert!(!store::objects(&world.encrypted()).is_empty());
}

#[test]
fn go_on_is_for_what_was_listed_and_for_nothing_more() {
    let (world, laptop, desktop) = full_folder(100);
    for n in 0..60 {
        fs::remove_file(laptop.at(&format!("year {}/paper {n}", n % 4))).unwrap();
    }
    laptop.run(&["start"]).expect(0);
    laptop.wait_for_state("braked");
    let first = token(&laptop);
    laptop.run(&["resume", "--go-on", "00000000"]).expect_any(&[1, 2]);

    // Everything is gone by the time that somebody reads the list of sixty and agrees to it.
    empty(&laptop);
    laptop.run(&["resume", "--go-on", &first]);
    wait::until_true("it brakes for the rest", || laptop.state() == "braked" && token(&laptop) != first);
    laptop.sync().expect(7);
    let newcomer = world.device("newcomer");
    newcomer.settle();
    assert!(tree::snapshot(&newcomer.work).len() >= 40, "the last forty are still there");
    desktop.sync().expect_any(&[0, 7]);
    assert!(tree::snapshot(&desktop.work).len() >= 40);
}

#[test]
fn putting_the_files_back_releases_the_brake() {
    let (world, laptop, desktop) = full_folder(30);
    let aside = world.path("aside");
    fs::create_dir(&aside).unwrap();
    for n in 0..4 {
        fs::rename(laptop.at(&format!("year {n}")), aside.join(format!("year {n}"))).unwrap();
    }
    laptop.sync().expect(7);
    for n in 0..4 {
        fs::rename(aside.join(format!("year {n}")), laptop.at(&format!("year {n}"))).unwrap();
    }
    laptop.settle();
    desktop.settle();
    tree::assert_same(&laptop.work, &desktop.work);
}

#[test]
fn a_few_deletions_need_no_permission() {
    let (_world, laptop, desktop) = full_folder(40);
    for n in 0..10 {
        fs::remove_file(laptop.at(&format!("year {}/paper {n}", n % 4))).unwrap();
    }
    laptop.settle();
    desktop.settle();
    tree::assert_same(&laptop.work, &desktop.work);
}

#[test]
fn an_emptied_encrypted_folder_costs_no_plaintext() {
    let (world, laptop, _desktop) = full_folder(30);
    let before = tree::snapshot(&laptop.work);
    for object in store::objects(&world.encrypted()) {
        fs::remove_file(object).unwrap();
    }
    let finished = laptop.sync();
    assert!([3, 7].contains(&finished.code), "{finished}");
    tree::assert_equal(&tree::snapshot(&laptop.work), &before);
    assert!(finished.code == 7 || !laptop.problems().is_empty());
}

#[test]
fn an_object_that_vanished_is_no_deletion() {
    let (world, laptop, desktop) = full_folder(10);
    let object = store::object_of(&laptop, "year 1/paper 1");
    fs::remove_file(&object).unwrap();
    laptop.sync().expect_any(&[0, 3]);
    desktop.sync().expect_any(&[0, 3]);
    for device in [&laptop, &desktop] {
        assert_eq!(device.read("year 1/paper 1").as_deref(), Some("paper 1"));
    }
    assert!(store::count_objects(&world.encrypted()) >= 14);
}

#[test]
fn an_encrypted_folder_that_is_gone_costs_no_plaintext() {
    let (world, laptop, _desktop) = full_folder(30);
    let before = tree::snapshot(&laptop.work);
    let aside = world.path("aside");
    fs::rename(world.encrypted(), &aside).unwrap();
    assert_ne!(laptop.sync().code, 0);
    tree::assert_equal(&tree::snapshot(&laptop.work), &before);
    fs::rename(&aside, world.encrypted()).unwrap();
    laptop.settle();
}
