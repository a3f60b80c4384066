//! Bad objects among good ones: each is listed with its class, the rest goes on, and the files stay as they are.

use std::fs;
use std::path::{Path, PathBuf};

use ensafer_tests::account::Person;
use ensafer_tests::{Device, World, store, tree};

/// Offset of the version in a header (docs/format.md, PREFIX).
const VERSION_AT: usize = 8;

/// A settled folder of one device with three files, and an object of one of them.
fn folder_with_a_victim(world: &World) -> (Device, PathBuf) {
    let laptop = world.device("laptop");
    for name in ["good one", "victim", "good two"] {
        laptop.write(name, name.repeat(20_000));
    }
    laptop.settle();
    let victim = store::object_of(&laptop, "victim");
    (laptop, victim)
}

/// A new device meets the folder in which `spoil` has changed the victim's object: it lists it as one of `classes`,
/// shows everything else, and leaves the bytes as they are.
#[track_caller]
fn newcomer_meets(classes: &[&str], spoil: impl FnOnce(&Path)) {
    let world = World::new();
    let (_laptop, victim) = folder_with_a_victim(&world);
    spoil(&victim);
    let spoilt = fs::read(&victim).unwrap();

    let newcomer = world.device("newcomer");
    newcomer.sync().expect(3);
    assert_eq!(tree::names(&newcomer.work), [b"good one".to_vec(), b"good two".to_vec()]);
    let problems = newcomer.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(classes.contains(&problems[0].0.as_str()), "{problems:?}");
    assert!(problems[0].1.contains(&*victim.file_name().unwrap().to_string_lossy()), "{problems:?}");
    assert_eq!(fs::read(&victim).unwrap(), spoilt, "nobody touches it");
    assert_eq!(store::count_objects(&world.encrypted()), 4);

    // New files go on as ever beside it.
    newcomer.write("new", "new");
    newcomer.sync().expect(3);
    assert_eq!(store::count_objects(&world.encrypted()), 5);
    assert_eq!(fs::read(&victim).unwrap(), spoilt);
}

const ARRIVING: &[&str] = &["still-arriving", "damaged"];

#[test]
fn zero_length() {
    newcomer_meets(&["still-arriving"], |object| fs::write(object, "").unwrap());
}

#[test]
fn truncated_in_the_header() {
    newcomer_meets(&["still-arriving"], |object| cut(object, 100));
}

#[test]
fn truncated_in_the_payload() {
    newcomer_meets(&["still-arriving"], |object| {
        let length = object.metadata().unwrap().len();
        cut(object, length - 1);
    });
}

#[test]
fn a_bit_flipped_in_the_header() {
    newcomer_meets(ARRIVING, |object| store::flip_bit(object, 60));
}

#[test]
fn a_bit_flipped_in_the_payload() {
    newcomer_meets(ARRIVING, |object| store::flip_bit(object, -1000));
}

#[test]
fn bytes_appended() {
    newcomer_meets(ARRIVING, |object| {
        let mut bytes = fs::read(object).unwrap();
        bytes.extend_from_slice(b"more");
        fs::write(object, bytes).unwrap();
    });
}

#[test]
fn no_object_at_all() {
    newcomer_meets(ARRIVING, |object| fs::write(object, "this is a text file ".repeat(100)).unwrap());
}

#[test]
fn a_newer_version() {
    newcomer_meets(&["newer-version"], |object| {
        let mut bytes = fs::read(object).unwrap();
        bytes[VERSION_AT + 1] = 2;
        fs::write(object, bytes).unwrap();
    });
}

#[test]
fn another_objects_name() {
    newcomer_meets(&["misnamed", "damaged"], |object| {
        // Its own bytes are lost; those of some other good object lie under its name.
        let other =
            store::objects(object.parent().unwrap()).into_iter().find(|other| other != object).unwrap();
        fs::copy(other, object).unwrap();
    });
}

#[test]
fn objects_of_another_folder_and_of_another_account() {
    let world = World::new();
    let (laptop, _) = folder_with_a_victim(&world);
    let elsewhere = World::new();
    for (person, expected) in [(Person::Alice, "foreign"), (Person::Bob, "not-a-recipient")] {
        let name = format!("{person:?}");
        let mut stranger = elsewhere.idle_device_of(person, &name);
        stranger.encrypted = elsewhere.directory(&format!("{name}-cloud"));
        stranger.add_folder().expect(0);
        stranger.write("strange", "strange");
        stranger.settle();
        let object = store::object_of(&stranger, "strange");
        let copy = world.encrypted().join(object.file_name().unwrap());
        fs::copy(&object, &copy).unwrap();

        laptop.sync().expect(3);
        let problems = laptop.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!([expected, "foreign"].contains(&problems[0].0.as_str()), "{problems:?}");
        assert!(copy.exists(), "it is left alone");
        assert_eq!(tree::names(&laptop.work).len(), 3);
        fs::remove_file(&copy).unwrap();
        laptop.settle();
    }
}

#[test]
fn files_of_other_programs_are_left_alone() {
    let world = World::new();
    let (laptop, _) = folder_with_a_victim(&world);
    fs::write(world.encrypted().join("desktop.ini"), "not ours").unwrap();
    fs::create_dir(world.encrypted().join("a directory")).unwrap();
    laptop.sync().expect_any(&[0, 3]);
    assert_eq!(fs::read(world.encrypted().join("desktop.ini")).unwrap(), b"not ours");
    assert_eq!(tree::names(&laptop.work).len(), 3);
}

#[test]
fn a_copy_that_the_cloud_client_made_is_understood() {
    let world = World::new();
    let (laptop, victim) = folder_with_a_victim(&world);
    let stem = victim.file_stem().unwrap().to_string_lossy().into_owned();
    fs::copy(&victim, world.encrypted().join(format!("{stem} (conflicted copy 2026-01-01).ensafer")))
        .unwrap();
    laptop.sync().expect_any(&[0, 3]);
    assert_eq!(tree::names(&laptop.work).len(), 3, "an equal copy is no second file");
    let newcomer = world.device("newcomer");
    newcomer.sync().expect_any(&[0, 3]);
    tree::assert_same(&laptop.work, &newcomer.work);
}

#[test]
fn an_object_that_comes_whole_at_last_is_no_problem_any_more() {
    let world = World::new();
    let (laptop, victim) = folder_with_a_victim(&world);
    let whole = fs::read(&victim).unwrap();
    cut(&victim, 5000);
    let newcomer = world.device("newcomer");
    newcomer.sync().expect(3);
    fs::write(&victim, &whole).unwrap();
    newcomer.settle();
    assert!(newcomer.problems().is_empty());
    tree::assert_same(&laptop.work, &newcomer.work);
}

#[test]
fn verify_finds_one_flipped_bit() {
    let world = World::new();
    let (laptop, victim) = folder_with_a_victim(&world);
    laptop.run(&["verify"]).expect(0);
    store::flip_bit(&victim, -40_000);
    let found = laptop.run(&["verify", "--json"]).expect(26);
    let name = victim.file_name().unwrap().to_string_lossy().into_owned();
    assert!(found.says(&name), "{found}");
    assert_eq!(found.json()["failed"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(laptop.read("victim").unwrap().len(), "victim".len() * 20_000, "verify writes nothing");
}

fn cut(object: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(object).unwrap().set_len(length).unwrap();
}
