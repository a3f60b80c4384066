//! Much data: one big file in little memory, and the tree that every Rust programmer has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ensafer_tests::device::text;
use ensafer_tests::{Random, World, process, store, tree};

const LONG: Duration = Duration::from_secs(600);

/// What a process that streams may hold.
const MOST_MEMORY_KIB: u64 = 64 * 1024;

#[test]
fn a_file_of_a_gibibyte_passes_through_64_mebibytes() {
    let (world, laptop, desktop) = World::with_two_devices();
    let big = laptop.at("big");
    Random::new(30).write_file(&big, 1 << 30);
    let up = laptop.sync_within(LONG).expect(0);
    let down = desktop.sync_within(LONG).expect(0);
    for (what, finished) in [("encryption", up), ("decryption", down)] {
        assert!(finished.peak_kib > 1024, "the memory was measured");
        assert!(finished.peak_kib <= MOST_MEMORY_KIB, "{what} held {} KiB: {finished}", finished.peak_kib);
    }
    assert_eq!(tree::digest(&big), tree::digest(&desktop.at("big")));

    fs::remove_file(&big).unwrap();
    let alone = world.directory("alone");
    let object = store::object_of(&desktop, "big");
    let lone = desktop
        .start_verb(&["decrypt", text(&object), "--output", text(&alone)])
        .finish_within(LONG)
        .expect(0);
    assert!(lone.peak_kib <= MOST_MEMORY_KIB, "decrypt held {} KiB", lone.peak_kib);
    let decrypted = alone.join("big");
    assert_eq!(tree::digest(&desktop.at("big")), tree::digest(&decrypted));

    let own = desktop.json(&["account", "show"])["login"].as_str().unwrap().to_owned();
    let line = ["encrypt", text(&decrypted), "--name", "single", "--to", &own];
    let single = desktop.start_verb(&line).finish_within(LONG).expect(0);
    assert!(single.peak_kib <= MOST_MEMORY_KIB, "encrypt held {} KiB", single.peak_kib);
}

#[test]
fn the_rust_documentation_is_the_same_on_the_second_device() {
    let (world, laptop, desktop) = World::in_memory(3 << 30).and_two_devices();
    match rust_documentation() {
        Some(html) => {
            process::run(Command::new("cp").arg("-a").arg(html.join(".")).arg(&laptop.work)).expect(0);
        }
        None => grow_a_documentation(&laptop.work),
    }
    laptop.sync_within(LONG).expect(0);
    let before = tree::snapshot(&laptop.work);
    assert!(before.len() > 40_000, "{} entries", before.len());
    assert_eq!(
        store::objects(&world.encrypted()).len(),
        before.len() + 1,
        "one object an entry, and the roster"
    );
    desktop.sync_within(LONG).expect(0);
    tree::assert_equal(&before, &tree::snapshot(&desktop.work));

    // Nothing to do on either side: nothing is written, and nothing is read again.
    let again = laptop.sync_within(LONG).expect(0);
    tree::assert_equal(&before, &tree::snapshot(&laptop.work));
    assert!(again.elapsed < Duration::from_secs(60), "{again}");
}

/// The HTML documentation that comes with a toolchain, where it was installed.
fn rust_documentation() -> Option<PathBuf> {
    let sysroot = process::run(Command::new("rustc").args(["--print", "sysroot"])).expect(0).stdout;
    let html = Path::new(sysroot.trim()).join("share/doc/rust/html");
    html.is_dir().then_some(html)
}

/// A tree of the same shape: fifty thousand small files in some fourteen hundred directories.
fn grow_a_documentation(root: &Path) {
    let mut random = Random::new(31);
    for directory in 0..1400 {
        let directory = root.join(format!("crate {}/module {directory}", directory % 12));
        fs::create_dir_all(&directory).unwrap();
        for page in 0..36 {
            let size = random.below(28_000);
            fs::write(directory.join(format!("struct.Page{page}.html")), random.bytes(size)).unwrap();
        }
    }
}
