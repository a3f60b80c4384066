//! Conformance, and what only a directory shared with others can do.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn store(dir: &tempfile::TempDir) -> DirectoryStore {
    DirectoryStore::open(dir.path(), DeviceId::new([7; 16])).unwrap()
}

fn key(text: &str) -> StoreKey {
    StoreKey(text.into())
}

fn staged(store: &DirectoryStore, bytes: &[u8]) -> Box<dyn StagedObject> {
    let staged = store.stage().unwrap();
    staged.write_at(0, bytes).unwrap();
    staged
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn conforms() {
    let kept = tempfile::tempdir().unwrap();
    let dirs = std::sync::Mutex::new(Vec::new());
    let make = || -> Arc<dyn EncryptedStore> {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        dirs.lock().unwrap().push(dir);
        Arc::new(store)
    };
    super::super::conformance::check(&make, kept.path());
}

#[test]
fn keeps_across_file_systems() {
    let dir = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
    assert_ne!(device(dir.path()), device(kept.path()), "this test needs two file systems");
    let store = store(&dir);
    let stamp = store.commit(staged(&store, b"one"), &key("aa.ensafer"), None, None).unwrap();
    let keep = kept.path().join("aa");
    store.commit(staged(&store, b"two"), &key("aa.ensafer"), Some(stamp), Some(&keep)).unwrap();
    assert_eq!(fs::read(keep).unwrap(), b"one");
    assert_eq!(names(&dir), ["aa.ensafer"]);
}

#[test]
fn without_an_exchange_the_old_comes_back_in_steps() {
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let key = key("aa.ensafer");
    // What lies under the object's name and under the outgoing one, before and after.
    for (ours_is_there, old_is_there, after) in [
        (true, true, ["old", "ours"]),
        // Something still newer keeps its place, and the old one gets one beside it.
        (false, true, ["newer", ""]),
        // Where nothing is to come back, ours is better than nothing.
        (true, false, ["ours", ""]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        let at = |name: &str| dir.path().join(name);
        let outgoing = store.temporary(OUTGOING);
        fs::write(at("ours"), "ours").unwrap();
        let own_inode = inode(&at("ours"));
        if ours_is_there {
            fs::rename(at("ours"), at("aa.ensafer")).unwrap();
        } else {
            fs::write(at("aa.ensafer"), "newer").unwrap();
        }
        if old_is_there {
            fs::write(at(&outgoing), "old").unwrap();
        }
        let (parent, directory, name) = store.parent(&key, false).unwrap();
        let place = Place { parent, directory, name, key: &key };
        store.exchange_back_in_steps(&outgoing, own_inode, &place).unwrap();
        let read = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
        assert_eq!([read("aa.ensafer"), read(&outgoing)], after);
        assert_eq!(read("aa (1).ensafer") == "old", !ours_is_there);
    }
}

#[test]
fn lists_only_objects_and_follows_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("ff.ensafer"), b"x").unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["aa.ensafer", "UP.ENSAFER", "note.txt", "ensafer", ".hidden.ensafer", "aa (1).ensafer"] {
        fs::write(at(name), b"x").unwrap();
    }
    fs::create_dir_all(at("Renamed by cloud/ab")).unwrap();
    fs::write(at("Renamed by cloud/ab/bb.ensafer"), b"x").unwrap();
    fs::create_dir(at(".stversions")).unwrap();
    fs::write(at(".stversions/cc.ensafer"), b"x").unwrap();
    symlink(elsewhere.path(), at("link")).unwrap();
    symlink(elsewhere.path().join("ff.ensafer"), at("dd.ensafer")).unwrap();
    fs::create_dir(at("directory.ensafer")).unwrap();
    let other = format!(".~ensafer-{}-0000000000000000.tmp", DeviceId::new([9; 16]));
    fs::write(at(&other), b"x").unwrap();
    let store = store(&dir);
    let _staged = store.stage().unwrap();

    let listing = store.list().unwrap();
    let keys: Vec<_> = listing.objects.iter().map(|o| o.key.to_string()).collect();
    assert_eq!(keys, ["Renamed by cloud/ab/bb.ensafer", "UP.ENSAFER", "aa (1).ensafer", "aa.ensafer"]);
    assert!(listing.complete && listing.problems.is_empty());
    let own: Vec<_> = listing.temporaries.iter().map(|t| (t.own, t.path == other)).collect();
    assert_eq!(own, [(true, false), (false, true)]);
    for through_a_link in ["dd.ensafer", "link/ff.ensafer"] {
        assert!(
            matches!(store.open(&key(through_a_link)), Err(StoreError::BadKey { .. })),
            "{through_a_link}"
        );
    }
    assert!(matches!(store.open(&key("directory.ensafer")), Err(StoreError::BadKey { .. })));
}

#[test]
fn a_folder_that_is_gone_is_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cloud");
    fs::create_dir(&root).unwrap();
    let store = DirectoryStore::open(&root, DeviceId::new([7; 16])).unwrap();
    assert!(store.list().unwrap().complete);
    fs::rename(&root, dir.path().join("moved")).unwrap();
    assert!(matches!(store.list(), Err(StoreError::Gone)));
    fs::create_dir(&root).unwrap();
    assert!(matches!(store.list(), Err(StoreError::Gone)));
    assert!(matches!(store.probe(), Err(StoreError::Gone)));
}

#[test]
fn sweeps_own_temporaries_only_and_keeps_what_was_going_out() {
    let dir = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let name = |device: u8, ending: &str| {
        format!(".~ensafer-{}-0123456789abcdef{ending}", DeviceId::new([device; 16]))
    };
    for name in [name(7, ".tmp"), name(7, ".out"), name(8, ".tmp"), name(8, ".out")] {
        fs::write(dir.path().join(name), b"bytes").unwrap();
    }
    fs::write(dir.path().join("aa.ensafer"), b"x").unwrap();
    assert_eq!(store.sweep(kept.path()).unwrap(), 2);
    assert_eq!(names(&dir), [name(8, ".out"), name(8, ".tmp"), "aa.ensafer".into()]);
    let saved = names(&kept);
    assert_eq!(saved.len(), 1);
    assert_eq!(fs::read(kept.path().join(&saved[0])).unwrap(), b"bytes");
}

/// Somebody replaces the object after it was looked at and before the exchange: engine rule 17.
#[test]
fn what_comes_out_unexpectedly_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let at = key("aa.ensafer");
    let seen = store.commit(staged(&store, b"seen"), &at, None, None).unwrap();
    fs::write(dir.path().join("theirs"), b"theirs").unwrap();
    fs::rename(dir.path().join("theirs"), dir.path().join("aa.ensafer")).unwrap();

    let out = store.temporary(OUTGOING);
    for stepwise in [false, true] {
        fs::write(dir.path().join(&out), b"ours").unwrap();
        let own = store.stamp_of_name(&out).unwrap().inode;
        let (parent, directory, name) = store.parent(&at, false).unwrap();
        let place = Place { parent, directory, name, key: &at };
        let result = if stepwise {
            store.exchange_in_steps(&out, &place, &seen)
        } else {
            store.exchange_expected(&out, own, &place, &seen)
        };
        assert!(matches!(result, Err(CommitError::Changed { .. })), "{result:?}");
        assert_eq!(fs::read(dir.path().join("aa.ensafer")).unwrap(), b"theirs");
        assert_eq!(fs::read(dir.path().join(&out)).unwrap(), b"ours", "the caller removes its own");
        assert_eq!(names(&dir), [out.as_str(), "aa.ensafer"]);
    }
}

#[test]
fn without_an_atomic_exchange_the_steps_do_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let at = key("aa.ensafer");
    let seen = store.commit(staged(&store, b"seen"), &at, None, None).unwrap();
    let out = store.temporary(OUTGOING);
    fs::write(dir.path().join(&out), b"ours").unwrap();
    let (parent, directory, name) = store.parent(&at, false).unwrap();
    store.exchange_in_steps(&out, &Place { parent, directory, name, key: &at }, &seen).unwrap();
    assert_eq!(fs::read(dir.path().join("aa.ensafer")).unwrap(), b"ours");
    assert_eq!(fs::read(dir.path().join(&out)).unwrap(), b"seen");
}

#[test]
fn a_third_version_in_the_place_of_ours_is_kept_beside() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let at = key("aa.ensafer");
    fs::write(dir.path().join("aa.ensafer"), b"newest").unwrap();
    let out = store.temporary(OUTGOING);
    fs::write(dir.path().join(&out), b"unexpected").unwrap();
    let (parent, directory, name) = store.parent(&at, false).unwrap();
    store.exchange_back(&out, 0, &Place { parent, directory, name, key: &at }).unwrap();
    assert_eq!(names(&dir), ["aa (1).ensafer", "aa.ensafer"]);
    let mut contents = [
        fs::read(dir.path().join("aa (1).ensafer")).unwrap(),
        fs::read(dir.path().join("aa.ensafer")).unwrap(),
    ];
    contents.sort();
    assert_eq!(contents, [b"newest".to_vec(), b"unexpected".to_vec()]);
}

#[test]
fn a_full_disk_is_said_and_leaves_the_object_as_it_was() {
    let mount = "mount -t tmpfs -o size=256k none /mnt && exec \"$@\"";
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "store::directory::tests::on_a_small_file_system_at_mnt",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

#[test]
#[ignore = "run by a_full_disk_is_said_and_leaves_the_object_as_it_was"]
fn on_a_small_file_system_at_mnt() {
    let store = DirectoryStore::open(Path::new("/mnt"), DeviceId::new([7; 16])).unwrap();
    let at = key("aa.ensafer");
    let stamp = store.commit(staged(&store, b"small"), &at, None, None).unwrap();
    let large = store.stage().unwrap();
    let full = (0..8).find_map(|n| large.write_at(n * 65_536, &[7; 65_536]).err()).unwrap();
    assert!(matches!(full, StoreError::DiskFull { .. }), "{full:?}");
    drop(large);
    assert_eq!(store.look(&at).unwrap(), Some(stamp));
    assert!(store.list().unwrap().temporaries.is_empty());
    assert!(store.free_bytes().unwrap().unwrap() > 128 * 1024);
}
