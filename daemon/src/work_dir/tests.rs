//! Rule 17, hostile directories and full disks.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use ensafer_core::ids::{DeviceId, FolderId};
use ensafer_core::plan::ProblemClass;
use ensafer_core::time::Timestamp;

use super::*;

const NOW: Timestamp = Timestamp::from_parts(1_795_269_802, 0);

struct Folder {
    temporary: tempfile::TempDir,
    dir: WorkDir,
}

fn folder() -> Folder {
    let temporary = tempfile::tempdir().unwrap();
    let dir = WorkDir::open(temporary.path()).unwrap();
    Folder { temporary, dir }
}

impl Folder {
    fn at(&self, path: &str) -> PathBuf {
        self.temporary.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> Stamp {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
        self.stamp(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn stamp(&self, path: &str) -> Stamp {
        self.dir.look(path).unwrap().unwrap().stamp
    }

    fn stage(&self, text: &str) -> StagedFile {
        let mut staged = self.dir.stage().unwrap();
        staged.write_at(0, text.as_bytes()).unwrap();
        staged.finish(NOW, false, None).unwrap();
        staged
    }

    /// Every file below a directory, with its content.
    fn files(&self, below: &str) -> Vec<(String, String)> {
        let mut files = Vec::new();
        let mut directories = vec![self.at(below)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(self.at(below)).unwrap().to_str().unwrap().to_owned();
                    files.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn a_new_file_is_placed_whole_with_its_time_and_permissions() {
    let f = folder();
    f.dir.make_directory("sub").unwrap();
    let mut staged = f.dir.stage().unwrap();
    staged.write_at(5, b" there").unwrap();
    staged.write_at(0, b"hello").unwrap();
    assert_eq!(staged.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    staged.finish(NOW, true, None).unwrap();
    f.dir.barrier(std::slice::from_ref(&staged)).unwrap();
    let stamp = f.dir.place_new(staged, "sub/greeting").unwrap();
    f.dir.sync_directories().unwrap();
    assert_eq!(f.read("sub/greeting"), "hello there");
    assert_eq!(f.stamp("sub/greeting"), stamp);
    assert_eq!((stamp.modified, stamp.size), (NOW, 11));
    let mode = fs::metadata(f.at("sub/greeting")).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o777 & !f.dir.inner.umask);
    assert_eq!(f.files(".ensafer"), []);

    let occupied = f.dir.place_new(f.stage("other"), "sub/greeting");
    assert!(matches!(occupied, Err(WorkError::Occupied { .. })), "{occupied:?}");
    assert!(matches!(f.dir.make_directory("sub"), Err(WorkError::Occupied { .. })));
    assert!(matches!(f.dir.place_new(f.stage("x"), "none/x"), Err(WorkError::Missing { .. })));
    assert_eq!(f.read("sub/greeting"), "hello there");
    assert_eq!(f.files(".ensafer"), [], "nothing staged is left behind");
}

#[test]
fn permissions_of_a_replaced_file_live_on() {
    for (like, executable, wanted) in
        [(0o640, false, 0o640), (0o640, true, 0o750), (0o755, false, 0o644), (0o711, true, 0o711)]
    {
        let f = folder();
        let mut staged = f.dir.stage().unwrap();
        staged.finish(NOW, executable, Some(like)).unwrap();
        f.dir.place_new(staged, "x").unwrap();
        assert_eq!(fs::metadata(f.at("x")).unwrap().mode() & 0o777, wanted, "{like:o}");
    }
}

#[test]
fn what_is_replaced_goes_to_the_trash() {
    let f = folder();
    let old = f.write("a/b.txt", "old");
    let trash = f.dir.open_trash(NOW);
    let stamp = f.dir.replace(f.stage("new"), "a/b.txt", &old, &trash).unwrap();
    assert_eq!((f.read("a/b.txt").as_str(), f.stamp("a/b.txt")), ("new", stamp));
    let newer = f.dir.replace(f.stage("newer"), "a/b.txt", &stamp, &trash).unwrap();
    f.dir.replace_with_symlink("elsewhere", "a/b.txt", &newer, &trash).unwrap();
    assert_eq!(fs::read_link(f.at("a/b.txt")).unwrap(), Path::new("elsewhere"));
    let day = ".ensafer/trash/2026-11-21";
    let found = f.files(day);
    let found: Vec<_> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let wanted =
        [("140322-000/a/b.txt", "old"), ("140322-001/a/b.txt", "new"), ("140322-002/a/b.txt", "newer")];
    assert_eq!(found, wanted);
}

#[test]
fn nothing_is_replaced_that_the_plan_did_not_see() {
    let f = folder();
    let seen = f.write("x", "seen");
    let trash = f.dir.open_trash(NOW);
    f.write("x", "changed since");
    let result = f.dir.replace(f.stage("ours"), "x", &seen, &trash);
    assert!(matches!(result, Err(WorkError::Changed { .. })), "{result:?}");
    assert!(matches!(f.dir.trash("x", &seen, &trash), Err(WorkError::Changed { .. })));
    assert!(matches!(f.dir.rename("x", "y", &seen), Err(WorkError::Changed { .. })));
    assert!(matches!(f.dir.set_metadata("x", &seen, Some(NOW), None), Err(WorkError::Changed { .. })));
    assert_eq!(f.files(""), [("x".into(), "changed since".into())]);
}

/// The file changes after the last look and before the exchange. Seen from the exchange, that is an entry that is not
/// the expected one.
#[test]
fn what_comes_out_unexpectedly_is_put_back() {
    for stepwise in [false, true] {
        let f = folder();
        let seen = f.write("x", "seen");
        f.write("x", "edited in between");
        let trash = f.dir.open_trash(NOW);
        let mut staged = f.stage("ours");
        let slot = trash
            .take("x", |slot| {
                rustix::fs::renameat(staged.directory(), staged.name(), &slot.directory, &slot.name)
            })
            .unwrap();
        staged.disarm();
        let (parent, name) = f.dir.inner.parent("x").unwrap();
        let result = if stepwise {
            f.dir.exchange_in_steps(&slot, &parent, name, "x", &seen)
        } else {
            f.dir.exchange_with(&slot, &parent, name, "x", &seen)
        };
        assert!(matches!(result, Err(WorkError::Changed { .. })), "{result:?}");
        assert_eq!(f.files(""), [("x".into(), "edited in between".into())]);
    }
}

#[test]
fn what_cannot_be_put_back_is_kept_beside() {
    let f = folder();
    let trash = f.dir.open_trash(NOW);
    f.write("d/x.txt", "edited in between");
    let slot = trash
        .take("d/x.txt", |slot| rustix::fs::renameat(f.dir.root(), "d/x.txt", &slot.directory, &slot.name))
        .unwrap();
    f.write("d/x.txt", "made since");
    let error = f.dir.settle(&slot, 0, "d/x.txt");
    assert!(
        matches!(&error, WorkError::KeptBeside { beside, .. } if beside == "d/x (changed meanwhile).txt"),
        "{error}"
    );
    assert_eq!(f.read("d/x (changed meanwhile).txt"), "edited in between");
    assert_eq!(f.read("d/x.txt"), "made since");
}

#[test]
fn files_links_and_empty_directories_are_trashed() {
    let f = folder();
    let file = f.write("d/e/file", "text");
    symlink("/etc/passwd", f.at("d/link")).unwrap();
    let link = f.stamp("d/link");
    let trash = f.dir.open_trash(NOW);
    let directory = f.stamp("d/e");
    let full = f.dir.trash("d/e", &directory, &trash);
    assert!(matches!(full, Err(WorkError::NotEmpty { .. })), "{full:?}");
    let kept = f.dir.trash("d/e/file", &file, &trash).unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "text");
    f.write("d/e/desktop.ini", "litter");
    f.dir.trash("d/e", &directory, &trash).unwrap();
    f.dir.trash("d/link", &link, &trash).unwrap();
    f.dir.trash("d", &f.stamp("d"), &trash).unwrap();
    assert_eq!(fs::read_dir(f.temporary.path()).unwrap().count(), 1, "only .ensafer is left");
    let part = ".ensafer/trash/2026-11-21/140322-000";
    assert_eq!(fs::read_link(f.at(&format!("{part}/d/link"))).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(f.read(&format!("{part}/d/e/desktop.ini")), "litter");
    let gone = f.dir.trash("d", &directory, &trash);
    assert!(matches!(gone, Err(WorkError::Missing { .. })), "{gone:?}");
}

#[test]
fn the_trash_keeps_ciphertexts_and_never_overwrites() {
    let f = folder();
    let trash = f.dir.open_trash(NOW);
    let first = trash.reserve("aa.ensafer").unwrap();
    fs::write(&first, b"1").unwrap();
    assert!(first.ends_with(".ensafer/trash/2026-11-21/encrypted/140322-000/aa.ensafer"), "{first:?}");
    let second = trash.reserve("aa.ensafer").unwrap();
    fs::write(&second, b"2").unwrap();
    assert_ne!(first, second);
    // Another batch within the same second has a part of its own.
    let third = f.dir.open_trash(NOW).reserve("aa.ensafer").unwrap();
    assert!(!third.exists() && third.parent().unwrap().is_dir());
    assert!(matches!(trash.reserve("../aa.ensafer"), Err(WorkError::BadPath { .. })));
}

#[test]
fn entries_move_only_to_free_places() {
    let f = folder();
    let a = f.write("a", "a");
    let b = f.write("d/b", "b");
    assert!(matches!(f.dir.rename("a", "d/b", &a), Err(WorkError::Occupied { .. })));
    let a = f.dir.rename("a", "d/c", &a).unwrap();
    assert_eq!(a, f.stamp("d/c"));
    let (a, b) = f.dir.exchange("d/c", &a, "d/b", &b).unwrap();
    assert_eq!((f.stamp("d/b"), f.stamp("d/c")), (a, b));
    assert_eq!((f.read("d/b").as_str(), f.read("d/c").as_str()), ("a", "b"));
    f.dir.rename("d", "e", &f.stamp("d")).unwrap();
    assert_eq!(f.read("e/b"), "a");
    f.dir.sync_directories().unwrap();
}

#[test]
fn a_file_system_that_keeps_modes_is_known_by_trying() {
    let f = folder();
    assert!(f.dir.keeps_modes());
    assert_eq!(fs::read_dir(f.at(".ensafer/tmp")).unwrap().count(), 0, "what it was tried with is gone");
    // What refuses to be tried may do it later.
    let f = folder();
    fs::write(f.at(".ensafer"), "in the way").unwrap();
    assert!(f.dir.keeps_modes());
    assert_eq!(f.dir.inner.keeps_modes.get(), None);
}

#[test]
fn where_no_modes_are_kept_none_is_shown_and_none_is_set() {
    let f = folder();
    f.dir.inner.keeps_modes.set(false).unwrap();
    let stamp = f.write("x", "text");
    let mode = fs::metadata(f.at("x")).unwrap().mode();
    assert_eq!(f.dir.look("x").unwrap().unwrap().kind, NodeKind::File { executable: None });
    f.dir.set_metadata("x", &stamp, Some(NOW), Some(true)).unwrap();
    assert_eq!((fs::metadata(f.at("x")).unwrap().mode(), f.stamp("x").modified), (mode, NOW));
    let mut staged = f.stage("new");
    staged.finish(NOW, true, None).unwrap();
    assert_eq!(staged.file().metadata().unwrap().mode() & 0o700, 0o700, "a new file is told all the same");
}

#[test]
fn metadata_changes_without_the_content() {
    let f = folder();
    let stamp = f.write("x", "text");
    let later = NOW.plus(Duration::from_nanos(5));
    let stamp = f.dir.set_metadata("x", &stamp, Some(later), Some(true)).unwrap();
    assert_eq!((stamp, stamp.modified), (f.stamp("x"), later));
    let seen = f.dir.look("x").unwrap().unwrap();
    assert_eq!(seen.kind, NodeKind::File { executable: Some(true) });
    f.dir.set_metadata("x", &stamp, None, Some(false)).unwrap();
    assert_eq!(f.dir.look("x").unwrap().unwrap().kind, NodeKind::File { executable: Some(false) });
    assert_eq!(f.stamp("x").modified, later);
    let link = f.dir.make_symlink("/nowhere", "link").unwrap();
    assert_eq!(f.dir.set_metadata("link", &link, Some(NOW), None).unwrap().modified, NOW);
    f.dir.make_directory("d").unwrap();
    assert_eq!(f.dir.set_directory_time("d", NOW).unwrap().modified, NOW);
}

/// Threat 25: nothing leaves the root, whatever the path says and whatever is swapped in.
#[test]
fn no_path_leaves_the_folder() {
    let f = folder();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let secret = stamp_of(&File::open(outside.path().join("secret")).unwrap()).unwrap();
    f.write("d/secret", "inside");
    // Between look and open the directory becomes a link.
    fs::rename(f.at("d"), f.at("old")).unwrap();
    symlink(outside.path(), f.at("d")).unwrap();
    let trash = f.dir.open_trash(NOW);
    for result in [
        f.dir.open_file("d/secret").map(drop),
        f.dir.place_new(f.stage("x"), "d/new").map(drop),
        f.dir.replace(f.stage("x"), "d/secret", &secret, &trash).map(drop),
        f.dir.trash("d/secret", &secret, &trash).map(drop),
        f.dir.rename("d/secret", "stolen", &secret).map(drop),
        f.dir.rename("old/secret", "d/x", &f.stamp("old/secret")).map(drop),
        f.dir.set_metadata("d/secret", &secret, Some(NOW), None).map(drop),
        f.dir.make_directory("d/new").map(drop),
        f.dir.make_symlink("x", "d/new").map(drop),
        f.dir.set_directory_time("d", NOW).map(drop),
    ] {
        assert!(matches!(result, Err(WorkError::Outside { .. } | WorkError::Missing { .. })), "{result:?}");
    }
    let hostile = ["", "/etc/passwd", "..", "../x", "old/../../x", "./x", "a//b", "a/", "x\0y", "a\\b"];
    for path in hostile.into_iter().chain([".ensafer", ".ensafer/folder", ".ENSAFER/folder"]) {
        let placed = f.dir.place_new(f.stage("x"), path);
        assert!(matches!(placed, Err(WorkError::BadPath { .. })), "{path:?}: {placed:?}");
        let opened = f.dir.open_file(path);
        assert!(matches!(opened, Err(WorkError::BadPath { .. })), "{path:?}: {opened:?}");
    }
    let names: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["secret"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

#[test]
fn only_regular_files_are_opened() {
    let f = folder();
    symlink("/etc/passwd", f.at("link")).unwrap();
    fs::create_dir(f.at("directory")).unwrap();
    rustix::fs::mkfifoat(CWD, f.at("pipe"), Mode::RWXU).unwrap();
    for path in ["link", "directory", "pipe"] {
        let opened = f.dir.open_file(path);
        assert!(matches!(opened, Err(WorkError::Outside { .. })), "{path}: {opened:?}");
    }
    assert_eq!(f.dir.look("pipe").unwrap().unwrap().kind, NodeKind::Unknown);
    assert_eq!(f.dir.look("none").unwrap(), None);
    assert_eq!(f.dir.look("none/below").unwrap(), None);
    assert!(matches!(f.dir.look("").unwrap().unwrap().kind, NodeKind::Directory { .. }));
}

#[test]
fn the_marker_is_written_whole_and_read_back() {
    let f = folder();
    assert_eq!(f.dir.read_marker().unwrap(), None);
    let marker = Marker { folder_id: FolderId::new([1; 16]), device_id: DeviceId::new([2; 16]), made: NOW };
    f.dir.write_marker(&marker).unwrap();
    let newer = Marker { made: NOW.plus(Duration::from_secs(1)), ..marker };
    f.dir.write_marker(&newer).unwrap();
    assert_eq!(f.dir.read_marker().unwrap(), Some(newer));
    fs::write(f.at(".ensafer/folder"), "nonsense").unwrap();
    assert!(matches!(f.dir.read_marker(), Err(WorkError::Io { .. })));
}

#[test]
fn what_a_killed_process_left_is_swept() {
    let f = folder();
    std::mem::forget(f.stage("left"));
    assert_eq!(f.files(".ensafer/tmp").len(), 1);
    assert_eq!(f.dir.sweep_temporaries().unwrap(), 1);
    assert_eq!(f.files(".ensafer"), []);
    fs::remove_dir_all(f.at(".ensafer")).unwrap();
    f.dir.probe().unwrap();
    assert_eq!(f.dir.sweep_temporaries().unwrap(), 0);
}

#[test]
fn a_folder_that_was_moved_or_replaced_is_noticed() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("work");
    fs::create_dir(&path).unwrap();
    let dir = WorkDir::open(&path).unwrap();
    assert!(dir.is_in_place());
    assert_eq!(dir.folding(), Folding::Exact);
    fs::rename(&path, temporary.path().join("moved")).unwrap();
    assert!(!dir.is_in_place());
    fs::create_dir(&path).unwrap();
    assert!(!dir.is_in_place());
    fs::write(temporary.path().join("file"), "").unwrap();
    for not_a_directory in ["file", "none"] {
        assert!(WorkDir::open(&temporary.path().join(not_a_directory)).is_err());
    }
}

/// Runs one test of this binary again, alone, by a command in front of it.
fn again(test: &str, command: &[&str]) {
    let output = std::process::Command::new(command[0])
        .args(&command[1..])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_half_made() {
    let mount = "mount -t tmpfs -o size=256k none /mnt && exec \"$@\"";
    let name = "work_dir::tests::on_a_small_file_system_at_mnt";
    again(name, &["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]);
}

#[test]
#[ignore = "run by a_full_disk_is_said_and_leaves_nothing_half_made"]
fn on_a_small_file_system_at_mnt() {
    let dir = WorkDir::open(Path::new("/mnt")).unwrap();
    fs::write("/mnt/x", "before").unwrap();
    let stamp = dir.look("x").unwrap().unwrap().stamp;
    let staged = dir.stage().unwrap();
    let block = [7; 64 * 1024];
    let full = (0..8).find_map(|n| staged.write_at(n * 64 * 1024, &block).err()).unwrap();
    assert_eq!(full.class(), Some(ProblemClass::DiskFull), "{full}");
    drop(staged);
    assert!(dir.free_bytes().unwrap() > 128 * 1024, "what was staged is gone");
    assert_eq!(dir.look("x").unwrap().unwrap().stamp, stamp);
    dir.probe().unwrap();
}

/// An editor that saves by rename, as fast as it can, while the same file is replaced: its last save is always found.
#[test]
fn an_editors_last_save_is_never_lost() {
    for round in 0..5 {
        let f = folder();
        f.write("doc", "0");
        let trash = f.dir.open_trash(NOW);
        std::thread::scope(|scope| {
            let editor = scope.spawn(|| {
                for save in 0..=50 {
                    fs::write(f.at("save"), format!("save {save}")).unwrap();
                    fs::rename(f.at("save"), f.at("doc")).unwrap();
                }
            });
            while !editor.is_finished() {
                let Some(seen) = f.dir.look("doc").unwrap() else { continue };
                match f.dir.replace(f.stage("ours"), "doc", &seen.stamp, &trash) {
                    Ok(_) | Err(WorkError::Changed { .. } | WorkError::KeptBeside { .. }) => {}
                    Err(other) => panic!("round {round}: {other}"),
                }
            }
        });
        let files = f.files("");
        assert!(files.iter().any(|(_, text)| text == "save 50"), "round {round}: {files:?}");
    }
}
