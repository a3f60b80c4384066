//! Moves that stand in one another's way, carried out on a real file system (engine rules 3, 12 and 23).

use std::fs;

use super::world::{Device, World};

/// Gives every entry of `moves` its new name at once, as if nobody had seen what lies between.
fn permute(device: &Device, moves: &[(&str, &str)]) {
    for (n, (from, _)) in moves.iter().enumerate() {
        fs::rename(device.path(from), device.path(&format!("between {n}"))).unwrap();
    }
    for (n, (_, to)) in moves.iter().enumerate() {
        device.rename(&format!("between {n}"), to);
    }
}

/// Both devices end as the change left the first. Where a name passes from one entry to another, the object stays with
/// the name (engine rule 3: path beats inode), so that it is no move of objects.
fn check(prepare: impl Fn(&Device), change: impl Fn(&Device)) {
    mirror(prepare, change);
}

/// Also, every object stays what it was, and no content is written again.
fn check_moves(prepare: impl Fn(&Device), change: impl Fn(&Device)) {
    let (world, names, devices) = mirror(prepare, change);
    assert_eq!(world.names(), names, "what moves stays the object that it was");
    assert!(devices.iter().all(|device| device.trash().is_empty()));
}

fn mirror(prepare: impl Fn(&Device), change: impl Fn(&Device)) -> (World, Vec<String>, [Device; 2]) {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    prepare(&a);
    world.settle(&mut [&mut a, &mut b]);
    let names = world.names();
    change(&a);
    let expected = a.tree();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.tree(), expected);
    assert_eq!(b.tree(), expected);
    assert!(a.problems().is_empty() && b.problems().is_empty());
    (world, names, [a, b])
}

fn three_files(device: &Device) {
    for name in ["one", "two", "three"] {
        device.write(name, &format!("text of {name}"));
    }
}

fn three_directories(device: &Device) {
    for name in ["one", "two", "three"] {
        device.write(&format!("{name}/in {name}"), &format!("text of {name}"));
    }
}

#[test]
fn rule_23_files_exchange_their_names() {
    check(three_files, |a| permute(a, &[("one", "two"), ("two", "one")]));
}

#[test]
fn rule_23_three_files_take_turns() {
    check(three_files, |a| permute(a, &[("one", "two"), ("two", "three"), ("three", "one")]));
}

#[test]
fn rule_23_directories_exchange_their_names() {
    check_moves(three_directories, |a| permute(a, &[("one", "two"), ("two", "one")]));
}

#[test]
fn rule_23_three_directories_take_turns() {
    check_moves(three_directories, |a| permute(a, &[("one", "two"), ("two", "three"), ("three", "one")]));
}

#[test]
fn rule_23_a_directory_and_what_lies_in_it_exchange_places() {
    check_moves(
        |a| a.write("outer/inner/f", "text"),
        |a| permute(a, &[("outer/inner", "inner"), ("outer", "inner/outer")]),
    );
}

#[test]
fn rule_23_a_directory_moves_into_its_sibling_which_takes_its_name() {
    check(three_directories, |a| {
        a.rename("one", "between");
        a.rename("two", "one");
        a.rename("between", "one/one");
    });
}

#[test]
fn rule_12_a_chain_of_renames_finds_each_place_free() {
    check(three_files, |a| {
        a.rename("three", "four");
        a.rename("two", "three");
        a.rename("one", "two");
    });
}

#[test]
fn rule_12_a_file_becomes_a_directory_and_a_directory_a_file() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("was a file", "text");
    a.write("was a directory/f", "text in it");
    a.write("was a link's target", "t");
    a.link("was a link's target", "was a link");
    world.settle(&mut [&mut a, &mut b]);
    for name in ["was a file", "was a directory", "was a link"] {
        a.remove(name);
    }
    a.write("was a file/f", "now in a directory");
    a.write("was a directory", "now a file");
    a.write("was a link", "now a file, too");
    let expected = a.tree();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(a.tree(), expected);
    assert_eq!(b.tree(), expected);
    assert!(a.problems().is_empty() && b.problems().is_empty());
}

#[test]
fn rule_3_moves_beside_edits_deletions_and_new_things() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for n in 0..10 {
        a.write(&format!("d{}/f{n}", n % 3), &format!("text {n}"));
    }
    world.settle(&mut [&mut a, &mut b]);
    a.rename("d0", "d1/moved");
    a.rename("d1/f1", "d0/f1");
    a.write("d1/moved/f0", "edited after the move");
    a.remove("d2/f2");
    b.write("d0/f3", "edited on b");
    b.rename("d2", "renamed on b");
    b.remove("d1/f4");
    a.settle();
    world.settle(&mut [&mut b, &mut a]);
    assert_eq!(a.tree(), b.tree());
    assert_eq!(a.read("d1/moved/f0"), "edited after the move");
    assert_eq!(a.read("d1/moved/f3"), "edited on b");
    assert_eq!(a.read("d0/f1"), "text 1");
    assert!(!a.path("renamed on b/f2").exists() && !a.path("d1/f4").exists());
    assert_eq!(a.read("renamed on b/f5"), "text 5");
    assert!(a.problems().is_empty() && b.problems().is_empty());
}

#[test]
fn times_and_executable_bits_come_along() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.write("f", "text");
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    fs::File::options().write(true).open(a.path("f")).unwrap().set_modified(then).unwrap();
    fs::set_permissions(a.path("f"), fs::Permissions::from_mode(0o750)).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    let seen = |device: &Device| {
        let metadata = fs::metadata(device.path("f")).unwrap();
        (metadata.modified().unwrap(), metadata.permissions().mode() & 0o111 != 0)
    };
    assert_eq!(seen(&b), (then, true));
    let payload = fs::read(a.ciphertext("f")).unwrap();
    fs::set_permissions(a.path("f"), fs::Permissions::from_mode(0o640)).unwrap();
    world.settle(&mut [&mut a, &mut b]);
    assert_eq!(seen(&b), (then, false));
    assert!(b.trash().is_empty(), "the content was not written again");
    let now = fs::read(a.ciphertext("f")).unwrap();
    assert_eq!(now[now.len() - 20..], payload[payload.len() - 20..], "nor sealed again");
}
