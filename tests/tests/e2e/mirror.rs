//! What is done in one work folder is found in the other: kinds, names, times, moves, deletions.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use ensafer_tests::{Device, Random, World, store, tree};

/// Settles both devices and checks that they show the same.
#[track_caller]
fn carry_over(from: &Device, to: &Device) {
    from.settle();
    to.settle();
    tree::assert_same(&from.work, &to.work);
}

#[test]
fn every_step_is_mirrored_both_ways() {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.write("letter.txt", "first");
    laptop.write("a/b/c/deep.txt", "deep");
    fs::create_dir(laptop.at("empty directory")).unwrap();
    laptop.write("empty file", "");
    carry_over(&laptop, &desktop);

    desktop.write("letter.txt", "second, from the other side");
    desktop.write("reply.txt", "reply");
    carry_over(&desktop, &laptop);
    assert_eq!(laptop.read("letter.txt").as_deref(), Some("second, from the other side"));

    fs::rename(laptop.at("letter.txt"), laptop.at("renamed.txt")).unwrap();
    fs::rename(laptop.at("a/b"), laptop.at("moved")).unwrap();
    carry_over(&laptop, &desktop);
    assert_eq!(desktop.read("moved/c/deep.txt").as_deref(), Some("deep"));

    fs::remove_dir_all(desktop.at("moved")).unwrap();
    fs::remove_file(desktop.at("empty file")).unwrap();
    fs::remove_dir(desktop.at("empty directory")).unwrap();
    carry_over(&desktop, &laptop);
    assert!(!laptop.at("moved").exists() && !laptop.at("empty directory").exists());
    assert!(!store::objects(&world.encrypted()).is_empty());
    assert!(laptop.problems().is_empty());
}

#[test]
fn a_directory_move_rewrites_one_object() {
    let (world, laptop, desktop) = World::with_two_devices();
    for n in 0..30 {
        laptop.write(&format!("project/part {n}"), format!("part {n}"));
    }
    carry_over(&laptop, &desktop);
    let before = stamps(&world);
    fs::create_dir(laptop.at("archive")).unwrap();
    fs::rename(laptop.at("project"), laptop.at("archive/old project")).unwrap();
    carry_over(&laptop, &desktop);
    let after = stamps(&world);
    let rewritten = after.iter().filter(|entry| !before.contains(entry)).count();
    assert_eq!(rewritten, 2, "the new directory and the moved one");
    assert_eq!(after.len(), before.len() + 1);
}

/// Name, inode and length of each object.
fn stamps(world: &World) -> Vec<(std::path::PathBuf, u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    let objects = store::objects(&world.encrypted()).into_iter();
    objects
        .map(|path| {
            let m = path.metadata().unwrap();
            (path, m.ino(), m.len())
        })
        .collect()
}

#[test]
fn names_are_kept_as_found() {
    let (_world, laptop, desktop) = World::with_two_devices();
    let long = "ü".repeat(125) + ".xyz1";
    assert_eq!(long.len(), 255);
    let names = [
        "with space",
        " leading and trailing ",
        "-leading-dash",
        "--help",
        ".leading dot",
        "...",
        "emoji 🦀👩‍👩‍👧‍👦",
        "composed \u{e9}",
        "decomposed e\u{301}",
        "Case",
        "case",
        "tab\tand\nnewline",
        "quote\"'`$(x)*?",
        "ends with dot.",
        "CON",
        "a:b",
        "%41%00",
        &long,
    ];
    for name in names {
        laptop.write(name, name);
    }
    // One letter, two spellings: both are files of their own here.
    laptop.write("twin \u{e9}", "composed");
    laptop.write("twin e\u{301}", "decomposed");
    carry_over(&laptop, &desktop);
    assert_eq!(tree::names(&laptop.work), tree::names(&desktop.work));
    assert_eq!(desktop.read("twin e\u{301}").as_deref(), Some("decomposed"));
}

#[test]
fn a_name_that_is_not_text_is_a_problem_and_the_rest_goes_on() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("good", "good");
    fs::write(laptop.work.join(OsStr::from_bytes(b"bad \xff name")), "bad").unwrap();
    laptop.sync().expect(3);
    let problems = laptop.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, "bad-name");
    desktop.settle();
    assert_eq!(tree::names(&desktop.work), [b"good".to_vec()]);
}

#[test]
fn links_are_carried_and_never_followed() {
    let (world, laptop, desktop) = World::with_two_devices();
    let outside = world.directory("outside");
    fs::write(outside.join("secret.txt"), "outside of the folder").unwrap();
    laptop.write("inside.txt", "inside");
    symlink("inside.txt", laptop.at("to a file")).unwrap();
    symlink("nowhere at all", laptop.at("dangling")).unwrap();
    symlink(&outside, laptop.at("to a directory outside")).unwrap();
    symlink(".", laptop.at("loop")).unwrap();
    carry_over(&laptop, &desktop);
    assert_eq!(
        store::count_objects(&world.encrypted()),
        6,
        "roster, file and four links, nothing from outside"
    );

    fs::remove_file(desktop.at("dangling")).unwrap();
    symlink("inside.txt", desktop.at("dangling")).unwrap();
    fs::remove_file(desktop.at("to a directory outside")).unwrap();
    carry_over(&desktop, &laptop);
    assert!(outside.join("secret.txt").exists());
    assert_eq!(fs::read_link(laptop.at("dangling")).unwrap().to_str(), Some("inside.txt"));
}

#[test]
fn times_and_executable_bits_are_kept() {
    let (_world, laptop, desktop) = World::with_two_devices();
    let times = [
        ("nanoseconds", 1_700_000_000_123_456_789),
        ("long ago", 1),
        ("before 1970", -86_400_000_000_001),
        ("1901", -2_145_916_800_000_000_000),
        ("the year 2200", 7_258_118_400_000_000_001),
    ];
    for (name, nanos) in times {
        laptop.write(name, name);
        tree::set_modified(&laptop.at(name), nanos);
    }
    laptop.write("program", "#!/bin/sh\n");
    tree::set_executable(&laptop.at("program"), true);
    carry_over(&laptop, &desktop);

    // Neither changes the content.
    tree::set_executable(&laptop.at("program"), false);
    tree::set_modified(&laptop.at("long ago"), 1_600_000_000_000_000_000);
    carry_over(&laptop, &desktop);
}

#[test]
fn a_file_becomes_a_directory_and_a_link_becomes_a_file() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("thing", "a file");
    symlink("thing", laptop.at("link")).unwrap();
    laptop.write("dir/inside", "x");
    carry_over(&laptop, &desktop);
    fs::remove_file(laptop.at("thing")).unwrap();
    laptop.write("thing/now a directory", "y");
    fs::remove_file(laptop.at("link")).unwrap();
    laptop.write("link", "now a file");
    fs::remove_dir_all(laptop.at("dir")).unwrap();
    laptop.write("dir", "now a file");
    carry_over(&laptop, &desktop);
}

#[test]
fn two_names_are_exchanged() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("one", "first");
    laptop.write("two", "second");
    laptop.write("x/inner", "x");
    laptop.write("y/inner", "y");
    carry_over(&laptop, &desktop);
    for (a, b) in [("one", "two"), ("x", "y")] {
        fs::rename(laptop.at(a), laptop.at("aside")).unwrap();
        fs::rename(laptop.at(b), laptop.at(a)).unwrap();
        fs::rename(laptop.at("aside"), laptop.at(b)).unwrap();
    }
    carry_over(&laptop, &desktop);
    assert_eq!(desktop.read("one").as_deref(), Some("second"));
    assert_eq!(desktop.read("x/inner").as_deref(), Some("y"));
}

#[test]
fn editors_that_save_by_rename_keep_the_object() {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.write("essay.txt", "draft 0");
    carry_over(&laptop, &desktop);
    let object = store::object_of(&laptop, "essay.txt");
    let count = store::count_objects(&world.encrypted());

    // gedit, LibreOffice, rsync: a new file is renamed over the old one.
    laptop.write(".essay.txt.tmp", "draft 1");
    fs::rename(laptop.at(".essay.txt.tmp"), laptop.at("essay.txt")).unwrap();
    carry_over(&laptop, &desktop);
    assert_eq!(desktop.read("essay.txt").as_deref(), Some("draft 1"));

    // vim: the old file becomes the backup, a new one is written in its place, the backup goes.
    fs::rename(laptop.at("essay.txt"), laptop.at("essay.txt~")).unwrap();
    laptop.write("essay.txt", "draft 2");
    fs::remove_file(laptop.at("essay.txt~")).unwrap();
    carry_over(&laptop, &desktop);
    assert_eq!(desktop.read("essay.txt").as_deref(), Some("draft 2"));

    assert_eq!(store::object_of(&laptop, "essay.txt"), object);
    assert_eq!(store::count_objects(&world.encrypted()), count);
}

#[test]
fn lock_files_of_office_programs_stay_at_home() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("budget.ods", "budget");
    laptop.write("~$budget.docx", "lock");
    laptop.write(".~lock.budget.ods#", "lock");
    laptop.settle();
    desktop.settle();
    assert_eq!(tree::names(&desktop.work), [b"budget.ods".to_vec()]);
}

#[test]
fn a_random_tree_is_the_same_on_both_sides_and_the_cloud_sees_none_of_it() {
    let (world, laptop, desktop) = World::with_two_devices();
    tree::grow(&laptop.work, &mut Random::new(42), "tree", 300, 40_000);
    laptop.write("plain-marker-name/x", "plain-marker-content ".repeat(3000));
    carry_over(&laptop, &desktop);
    store::assert_holds_no_plaintext(&world.encrypted(), &["plain-marker", "tree-1", ".dat"]);
    assert_eq!(laptop.run(&["verify"]).expect(0).code, 0);
}

#[test]
fn a_settled_folder_is_left_alone() {
    let (world, laptop, desktop) = World::with_two_devices();
    tree::grow(&laptop.work, &mut Random::new(7), "quiet", 40, 2000);
    carry_over(&laptop, &desktop);
    let before = (stamps(&world), tree::snapshot(&laptop.work));
    laptop.settle();
    desktop.settle();
    laptop.settle();
    assert_eq!(stamps(&world), before.0);
    tree::assert_equal(&tree::snapshot(&laptop.work), &before.1);
}

#[test]
fn what_was_deleted_or_replaced_lies_in_the_trash() {
    let (_world, laptop, desktop) = World::with_two_devices();
    laptop.write("doomed.txt", "the only copy of doomed");
    laptop.write("changed.txt", "the older content");
    carry_over(&laptop, &desktop);
    fs::remove_file(laptop.at("doomed.txt")).unwrap();
    laptop.write("changed.txt", "the newer content");
    carry_over(&laptop, &desktop);
    let trash = desktop.at(".ensafer/trash");
    for content in ["the only copy of doomed", "the older content"] {
        assert!(tree::find_content(&trash, content.as_bytes()).is_some(), "{content:?} is not in the trash");
    }
}

#[test]
fn a_third_device_that_comes_late_finds_everything() {
    let (world, laptop, desktop) = World::with_two_devices();
    laptop.write("from the laptop", "1");
    laptop.write("gone", "gone");
    carry_over(&laptop, &desktop);
    desktop.write("from the desktop", "2");
    fs::remove_file(desktop.at("gone")).unwrap();
    carry_over(&desktop, &laptop);
    let late = world.device("late");
    late.settle();
    tree::assert_same(&late.work, &laptop.work);
}

#[test]
fn equal_files_on_both_sides_are_adopted() {
    let world = World::new();
    let laptop = world.device("laptop");
    tree::grow(&laptop.work, &mut Random::new(3), "same", 30, 3000);
    laptop.settle();
    let before = stamps(&world);

    let desktop = world.idle_device("desktop");
    tree::grow(&desktop.work, &mut Random::new(3), "same", 30, 3000);
    desktop.write("only here", "mine");
    desktop.add_folder().expect(0);
    desktop.settle();
    laptop.settle();
    let after = stamps(&world);
    assert_eq!(before.iter().filter(|stamp| !after.contains(stamp)).count(), 0, "nothing was written again");
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(laptop.read("only here").as_deref(), Some("mine"));
    tree::assert_same(&laptop.work, &desktop.work);
}
