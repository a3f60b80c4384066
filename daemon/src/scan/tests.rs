//! Rules 1, 2, 4 and 8 on real directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;

const SETTLE: Duration = Duration::from_millis(200);

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

/// Late enough for everything to have rested.
fn later() -> ScanOptions {
    let now = now().plus(Duration::from_secs(10));
    ScanOptions { now, settle: SETTLE, folding: Folding::Exact, keeps_modes: true }
}

fn folder() -> (tempfile::TempDir, WorkDir) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = WorkDir::open(temporary.path()).unwrap();
    (temporary, dir)
}

fn make(root: &Path, paths: &[&str]) {
    for path in paths {
        match path.strip_suffix('/') {
            Some(directory) => fs::create_dir_all(root.join(directory)).unwrap(),
            None => {
                fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
                fs::write(root.join(path), path).unwrap();
            }
        }
    }
}

fn paths(scan: &Scan) -> Vec<String> {
    scan.tree.iter().map(|(id, _)| scan.tree.path(id)).collect()
}

fn find<'s>(scan: &'s Scan, path: &str) -> &'s Node {
    let found = scan.tree.iter().find(|(id, _)| scan.tree.path(*id) == path);
    found.unwrap_or_else(|| panic!("no {path} in {:?}", paths(scan))).1
}

fn problems(scan: &Scan) -> Vec<(ProblemClass, String)> {
    let path = |problem: &Problem| match &problem.subject {
        Subject::Path(path) => path.clone(),
        Subject::Object(key) => key.to_string(),
    };
    scan.problems.iter().map(|problem| (problem.class, path(problem))).collect()
}

fn assert_same(a: &Scan, b: &Scan) {
    let nodes = |scan: &Scan| -> Vec<_> {
        let nodes = scan.tree.iter();
        nodes.map(|(id, n)| (scan.tree.path(id), n.kind.clone(), n.stamp, n.links, n.rested)).collect()
    };
    assert_eq!(nodes(a), nodes(b));
    assert_eq!(a.problems, b.problems);
    assert_eq!(a.restless, b.restless);
}

fn hints<const N: usize>(hints: [Hint; N]) -> BTreeSet<Hint> {
    hints.into()
}

#[test]
fn parents_come_first_and_siblings_in_order() {
    let (root, dir) = folder();
    make(root.path(), &["b/two", "a", "b/c/three", "é", "empty/", "b/A", "Z"]);
    symlink("../gone", root.path().join("b/link")).unwrap();
    let scan = scan(&dir, None, later());
    assert_eq!(paths(&scan), ["Z", "a", "b", "empty", "é", "b/A", "b/c", "b/link", "b/two", "b/c/three"]);
    assert_eq!(find(&scan, "b").kind, NodeKind::Directory { complete: true });
    assert_eq!(find(&scan, "b/link").kind, NodeKind::Symlink { target: "../gone".into() });
    assert_eq!(find(&scan, "a").kind, NodeKind::File { executable: Some(false) });
    let on_disk = fs::metadata(root.path().join("b/two")).unwrap();
    let node = find(&scan, "b/two");
    assert_eq!((node.stamp.size, node.stamp.inode, node.links), (5, on_disk.ino(), 1));
    assert!(node.stamp.born.is_some() && node.rested);
    assert!(scan.problems.is_empty() && scan.restless.is_none());
    let root_node = scan.tree.node(WorkTree::ROOT);
    assert_eq!(root_node.kind, NodeKind::Directory { complete: true });
}

#[test]
fn own_files_locks_and_litter_are_passed_over() {
    let (root, dir) = folder();
    let ignored =
        [".ensafer/folder", ".DS_Store", "d/Thumbs.db", "d/~$x.docx", "d/.~lock.x#", "d/.~ensafer-1.tmp"];
    make(root.path(), &ignored);
    make(root.path(), &["d/.ensafer/kept", "d/~x", "d/desktop.ini.txt", "~$directory/"]);
    let scan = scan(&dir, None, later());
    assert_eq!(
        paths(&scan),
        ["d", "~$directory", "d/.ensafer", "d/desktop.ini.txt", "d/~x", "d/.ensafer/kept"]
    );
    assert!(scan.problems.is_empty());
}

#[test]
fn what_cannot_be_synced_is_a_problem_and_the_rest_goes_on() {
    use std::os::unix::ffi::OsStrExt;
    let (root, dir) = folder();
    make(root.path(), &["good", "d/back\\slash"]);
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    let pipe = root.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let scan = scan(&dir, None, later());
    assert_eq!(paths(&scan), ["d", "good", "pipe"]);
    assert_eq!(find(&scan, "pipe").kind, NodeKind::Unknown);
    assert_eq!(find(&scan, "d").kind, NodeKind::Directory { complete: true });
    let wanted = [
        (ProblemClass::BadName, "bad\u{fffd}".into()),
        (ProblemClass::BadName, "d/back\\slash".into()),
        (ProblemClass::Unsupported, "pipe".into()),
    ];
    assert_eq!(problems(&scan), wanted);
}

#[test]
fn a_second_name_equal_under_folding_is_a_problem() {
    let (root, dir) = folder();
    make(root.path(), &["README", "readme", "other"]);
    let folded = scan(&dir, None, ScanOptions { folding: Folding::CaseInsensitive, ..later() });
    assert_eq!(find(&folded, "README").kind, NodeKind::File { executable: Some(false) });
    assert_eq!(find(&folded, "readme").kind, NodeKind::Unknown);
    assert_eq!(problems(&folded), [(ProblemClass::BadName, "readme".into())]);
    assert!(scan(&dir, None, later()).problems.is_empty());
}

#[test]
fn a_file_has_rested_when_nothing_touched_it_for_the_settle_time() {
    let (root, dir) = folder();
    make(root.path(), &["f"]);
    let node = find(&scan(&dir, None, later()), "f").clone();
    let touched = node.stamp.changed;
    let at = |now: Timestamp| scan(&dir, None, ScanOptions { now, ..later() });
    let early = at(touched.plus(SETTLE / 2));
    assert!(!find(&early, "f").rested);
    assert_eq!(early.restless, Some(touched.plus(SETTLE)));
    assert!(find(&at(touched.plus(SETTLE)), "f").rested);
    // A modification time in the future was set by hand.
    let future = std::time::SystemTime::now() + Duration::from_secs(1_000_000);
    fs::File::options().append(true).open(root.path().join("f")).unwrap().set_modified(future).unwrap();
    assert!(find(&scan(&dir, None, later()), "f").rested);
}

#[test]
fn a_clock_that_was_set_back_keeps_no_file_waiting() {
    let (root, dir) = folder();
    make(root.path(), &["f"]);
    let back = Timestamp::from_parts(1_000_000, 0);
    let at = |previous: Option<&Scan>, now| scan(&dir, previous, ScanOptions { now, ..later() });
    let first = at(None, back);
    assert!(!find(&first, "f").rested);
    assert_eq!(first.restless, Some(back.plus(SETTLE)));
    let second = at(Some(&first), back.plus(SETTLE));
    assert!(find(&second, "f").rested && second.restless.is_none());
    fs::write(root.path().join("f"), "changed").unwrap();
    assert!(!find(&at(Some(&first), back.plus(SETTLE)), "f").rested);
}

#[test]
fn a_folder_that_is_gone_is_unknown_not_empty() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("work");
    make(&path, &["f"]);
    let dir = WorkDir::open(&path).unwrap();
    fs::rename(&path, temporary.path().join("moved")).unwrap();
    let scan = scan(&dir, None, later());
    assert_eq!(scan.tree.nodes.len(), 1);
    assert_eq!(scan.tree.node(WorkTree::ROOT).kind, NodeKind::Directory { complete: false });
    assert_eq!(problems(&scan), [(ProblemClass::Unreadable, String::new())]);
}

#[test]
fn a_hint_is_enough_to_see_what_a_full_scan_sees() {
    let (root, dir) = folder();
    make(root.path(), &["a/one", "a/b/two", "c/three", "d/e/f/four", "gone/x", "c/back\\slash"]);
    let options = later();
    let before = scan(&dir, None, options);
    make(root.path(), &["a/new", "a/made/deep/er", "c/more"]);
    fs::write(root.path().join("c/three"), "longer than before").unwrap();
    fs::remove_dir_all(root.path().join("gone")).unwrap();
    fs::rename(root.path().join("d/e"), root.path().join("moved")).unwrap();
    let hinted = ["", "a", "c", "d"].map(|path| Hint::Directory(path.into()));
    let options = later();
    let partial = rescan(&dir, &before, &hints(hinted), options);
    let full = scan(&dir, None, options);
    assert_same(&partial, &full);
    assert_eq!(partial.problems.len(), 1);
    assert_same(&rescan(&dir, &before, &hints([Hint::Everything]), options), &full);
    assert_same(&rescan(&dir, &partial, &hints([]), options), &full);
}

#[test]
fn what_is_not_hinted_is_taken_over() {
    let (root, dir) = folder();
    make(root.path(), &["a/one", "b/two", "b/c/three"]);
    let before = scan(&dir, None, later());
    make(root.path(), &["a/new", "b/new", "b/c/new"]);
    let partial = rescan(&dir, &before, &hints([Hint::Directory("a".into())]), later());
    assert_eq!(paths(&partial), ["a", "b", "a/new", "a/one", "b/c", "b/two", "b/c/three"]);
    let tree = rescan(&dir, &before, &hints([Hint::Tree("b".into())]), later());
    assert_eq!(paths(&tree), ["a", "b", "a/one", "b/c", "b/new", "b/two", "b/c/new", "b/c/three"]);
}

#[test]
fn what_has_not_rested_is_looked_at_again_without_a_hint() {
    let (root, dir) = folder();
    make(root.path(), &["a/f"]);
    let touched = find(&scan(&dir, None, later()), "a/f").stamp.changed;
    let before = scan(&dir, None, ScanOptions { now: touched, ..later() });
    fs::write(root.path().join("a/f"), "still being written").unwrap();
    let after = rescan(&dir, &before, &hints([]), later());
    assert_eq!(find(&after, "a/f").stamp.size, 19);
    assert!(find(&after, "a/f").rested);
}

#[test]
fn a_directory_replaced_by_another_is_listed_anew() {
    let (root, dir) = folder();
    make(root.path(), &["d/e/old"]);
    let before = scan(&dir, None, later());
    fs::rename(root.path().join("d"), root.path().join("aside")).unwrap();
    make(root.path(), &["d/e/new"]);
    let after = rescan(&dir, &before, &hints([Hint::Directory(String::new())]), later());
    assert_eq!(paths(&after), ["aside", "d", "aside/e", "d/e", "aside/e/old", "d/e/new"]);
}

#[test]
fn a_digest_belongs_to_the_expected_file_or_there_is_none() {
    let (root, dir) = folder();
    let large: Vec<u8> = (0..9_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (name, bytes) in [("empty", &[][..]), ("small", b"abc"), ("large", &large)] {
        fs::write(root.path().join(name), bytes).unwrap();
        let stamp = dir.look(name).unwrap().unwrap().stamp;
        let digest = hash_file(&dir, name, &stamp).unwrap();
        assert_eq!(digest.as_bytes(), blake3::hash(bytes).as_bytes(), "{name}");
        fs::File::options().append(true).open(root.path().join(name)).unwrap().set_len(10).unwrap();
        let changed = hash_file(&dir, name, &stamp);
        assert!(matches!(changed, Err(crate::work_dir::WorkError::Changed { .. })), "{changed:?}");
    }
}

/// Tests may run as root, who may read everything: these run once more as somebody else, or in a world of their own.
fn again(test: &str, command: &[&str]) {
    let output = std::process::Command::new(command[0])
        .args(&command[1..])
        .args(["sh", "-c", "exec \"$0\" \"$@\""])
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
fn unreadable_files_and_directories_are_unknown() {
    let test = "scan::tests::as_somebody_who_may_not_read_everything";
    if rustix::process::geteuid().is_root() {
        again(test, &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    } else {
        again(test, &["env"]);
    }
}

#[test]
#[ignore = "run by unreadable_files_and_directories_are_unknown"]
fn as_somebody_who_may_not_read_everything() {
    assert!(!rustix::process::geteuid().is_root());
    let (root, dir) = folder();
    make(root.path(), &["good", "secret", "closed/x", "blind/y"]);
    let chmod = |path: &str, mode| {
        fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("secret", 0o000);
    chmod("closed", 0o000);
    chmod("blind", 0o400);
    let closed = scan(&dir, None, later());
    assert_eq!(find(&closed, "good").kind, NodeKind::File { executable: Some(false) });
    assert_eq!(find(&closed, "secret").kind, NodeKind::Unknown);
    assert_eq!(find(&closed, "closed").kind, NodeKind::Directory { complete: false });
    assert_eq!(find(&closed, "blind").kind, NodeKind::Directory { complete: false });
    assert_eq!(find(&closed, "blind/y").kind, NodeKind::Unknown);
    let wanted = ["blind", "closed", "secret"].map(|path| (ProblemClass::Unreadable, path.to_owned()));
    assert_eq!(problems(&closed), wanted);
    chmod("closed", 0o700);
    chmod("blind", 0o700);
    // Incomplete directories are listed again without a hint.
    let open = rescan(&dir, &closed, &hints([]), later());
    assert_eq!(problems(&open), [(ProblemClass::Unreadable, "secret".into())]);
    assert_eq!(find(&open, "closed/x").kind, NodeKind::File { executable: Some(false) });
}

#[test]
fn a_mount_inside_is_a_problem_and_unknown() {
    let test = "scan::tests::with_mounts_of_its_own";
    again(test, &["unshare", "--user", "--map-root-user", "--mount"]);
}

#[test]
#[ignore = "run by a_mount_inside_is_a_problem_and_unknown"]
fn with_mounts_of_its_own() {
    let (root, dir) = folder();
    make(root.path(), &["mounted/", "bound/", "d/other/in", "file", "good"]);
    let mount = |arguments: &[&str], at: &str| {
        let status = std::process::Command::new("mount").args(arguments).arg(root.path().join(at)).status();
        assert!(status.unwrap().success());
    };
    mount(&["-t", "tmpfs", "none"], "mounted");
    // The same file system once more: only the kernel's own check sees that.
    mount(&["--bind", root.path().join("d").to_str().unwrap()], "bound");
    mount(&["--bind", "/proc/version"], "file");
    make(root.path(), &["mounted/f"]);
    let scan = scan(&dir, None, later());
    assert_eq!(paths(&scan), ["bound", "d", "file", "good", "mounted", "d/other", "d/other/in"]);
    assert_eq!(find(&scan, "mounted").kind, NodeKind::Unknown);
    assert_eq!(find(&scan, "bound").kind, NodeKind::Unknown);
    assert_eq!(find(&scan, "file").kind, NodeKind::Unknown);
    let wanted = ["bound", "file", "mounted"].map(|path| (ProblemClass::NestedMount, path.to_owned()));
    assert_eq!(problems(&scan), wanted);
    for path in ["mounted", "bound", "file"] {
        let _ = std::process::Command::new("umount").arg(root.path().join(path)).status();
    }
}
