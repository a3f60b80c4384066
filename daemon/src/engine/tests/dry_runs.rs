//! What joining a folder would do, before it is done.

use std::fs;

use super::world::World;
use crate::engine::Preview;

#[test]
fn a_dry_run_counts_both_sides_and_leaves_them_alone() {
    let world = World::new();
    let mut laptop = world.device("laptop");
    laptop.write("same.txt", "the same");
    laptop.write("differs.txt", "of the laptop");
    laptop.write("sub/only there.txt", "12 bytes..!.");
    laptop.settle();
    let desktop = world.device("desktop");
    desktop.write("same.txt", "the same");
    desktop.write("differs.txt", "of the desktop, longer");
    desktop.write("only here.txt", "five!");
    let (cloud, work) = (world.snapshot(), desktop.tree());

    let counted = desktop.dry_run(false).unwrap();
    let Preview { encrypt, decrypt, same, twice, delete, encrypt_bytes, decrypt_bytes } = counted;
    assert_eq!((same, twice, delete), (1, 1, 0), "{counted:?}");
    // The directory, the file in it, and the other text of that name.
    assert_eq!((decrypt, decrypt_bytes), (3, 12 + 13), "{counted:?}");
    assert_eq!((encrypt, encrypt_bytes), (2, 22 + 5), "{counted:?}");
    assert_eq!((world.snapshot(), desktop.tree()), (cloud, work), "nothing was written");
}

#[test]
fn a_cancelled_dry_run_reads_no_file() {
    let world = World::new();
    let mut laptop = world.device("laptop");
    laptop.write("same.txt", "the same");
    laptop.settle();
    let desktop = world.device("desktop");
    desktop.write("same.txt", "the same");
    assert_eq!(desktop.dry_run(true), None);
    assert_eq!(desktop.dry_run(false).unwrap().same, 1);
}

#[test]
fn a_dry_run_makes_no_room_for_what_it_does_not_remove() {
    let world = World::new();
    let mut laptop = world.device("laptop");
    laptop.settle();
    let desktop = world.device("desktop");
    let name = laptop.roster_key();
    let copy = name.replace(".ensafer", " (conflicted copy 2026-11-22).ensafer");
    fs::copy(world.cloud().join(name), world.cloud().join(&copy)).unwrap();
    desktop.dry_run(false).unwrap();
    assert!(!desktop.path(".ensafer/trash").exists());
    assert!(world.names().contains(&copy));
}
