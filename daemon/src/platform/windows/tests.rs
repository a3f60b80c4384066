//! What the rest of the daemon relies on.

use std::fs::{self, File};
use std::path::Path;

use ensafer_core::time::Timestamp;

use super::super::FileSystem;
use super::*;

struct Scene {
    dir: tempfile::TempDir,
    root: OwnedFd,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let root = open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    Scene { dir, root }
}

impl Scene {
    fn at(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        open_beneath(self.root.as_fd(), path, flags, Mode::empty())
    }

    fn names(&self, path: &str) -> Vec<(String, FileType)> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
        let mut names = Vec::new();
        list(directory.as_fd(), |name, kind| names.push((name.to_str().unwrap().to_owned(), kind))).unwrap();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names
    }
}

#[test]
fn paths_are_opened_component_by_component() {
    let s = scene();
    fs::create_dir_all(s.at("a/b")).unwrap();
    fs::write(s.at("a/b/file"), b"f").unwrap();
    assert!(s.open("a/b/file", OFlags::RDONLY).is_ok());
    assert!(s.open("", OFlags::PATH | OFlags::DIRECTORY).is_ok());
    assert_eq!(s.open("a/none", OFlags::RDONLY).unwrap_err(), Errno::NOENT);
    assert_eq!(s.open("none/file", OFlags::RDONLY).unwrap_err(), Errno::NOENT);
    assert_eq!(s.open("a/b/file", OFlags::RDONLY | OFlags::DIRECTORY).unwrap_err(), Errno::NOTDIR);
    assert_eq!(s.open("a/b/file/x", OFlags::RDONLY).unwrap_err(), Errno::NOTDIR);
    for outside in ["..", "a/../a", "a/./b", r"a\b", "a//b", "/a", "C:", r"\\?\C:\"] {
        assert_eq!(s.open(outside, OFlags::RDONLY).unwrap_err(), Errno::NOENT, "{outside}");
    }
}

#[test]
fn facts_are_of_the_entry_itself() {
    let s = scene();
    fs::write(s.at("file"), b"12345").unwrap();
    fs::create_dir(s.at("dir")).unwrap();
    let file = facts_at(&s.root, "file").unwrap();
    assert_eq!((file.kind, file.stamp.size, file.links), (FileType::RegularFile, 5, 1));
    assert_eq!(file, facts_of(File::open(s.at("file")).unwrap()).unwrap());
    assert_eq!(file, facts_at(CWD, s.at("file")).unwrap());
    assert_eq!(file, facts_at(&s.root, "FILE").unwrap());
    let dir = facts_at(&s.root, c"dir").unwrap();
    assert_eq!((dir.kind, dir.stamp.size), (FileType::Directory, 0));
    assert_eq!(dir.stamp.device, file.stamp.device);
    assert_ne!(dir.stamp.inode, file.stamp.inode);
    let modified = fs::metadata(s.at("file")).unwrap().modified().unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    let known = Timestamp::from_parts(since.as_secs().cast_signed(), since.subsec_nanos().into());
    assert_eq!(file.stamp.modified, known);
    assert_eq!(facts_at(&s.root, "none").unwrap_err(), Errno::NOENT);
    assert_eq!(facts_at(&s.root, "file:stream").unwrap_err(), Errno::NOENT);
}

#[test]
fn a_short_name_is_no_name() {
    let s = scene();
    fs::write(s.at("a rather long name.text"), b"1").unwrap();
    fs::write(s.at("~$a~1.txt"), b"1").unwrap();
    assert!(facts_at(&s.root, "~$A~1.TXT").is_ok());
    assert!(s.open("~$a~1.txt", OFlags::RDONLY).is_ok());
    let short = short_name(&s.at("a rather long name.text"));
    // Volumes may be without them.
    if let Some(short) = short.filter(|short| short.contains('~')) {
        assert!(s.at(&short).exists());
        assert_eq!(facts_at(&s.root, short.as_str()).unwrap_err(), Errno::NOENT, "{short}");
        assert_eq!(s.open(&short, OFlags::RDONLY).unwrap_err(), Errno::NOENT, "{short}");
    }
}

fn short_name(path: &Path) -> Option<String> {
    use windows_sys::Win32::Storage::FileSystem::GetShortPathNameW;
    let wide = ensafer_client::platform::wide(path);
    let mut short = [0; 1024];
    // SAFETY: the path ends with a NUL, and the buffer is as long as is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let length = unsafe { GetShortPathNameW(wide.as_ptr(), short.as_mut_ptr(), 1024) };
    let short = String::from_utf16(short.get(..length as usize)?).ok()?;
    short.rsplit('\\').next().map(str::to_owned)
}

#[test]
fn every_entry_is_listed_once_and_again() {
    let s = scene();
    assert!(s.names("").is_empty());
    fs::create_dir(s.at("dir")).unwrap();
    for number in 0..2000 {
        fs::write(s.at(&format!("dir/{number:04} with a name that fills buffers")), b"").unwrap();
    }
    fs::create_dir(s.at("dir/ä 𝄞")).unwrap();
    let names = s.names("dir");
    assert_eq!(names.len(), 2001);
    assert_eq!(names.iter().filter(|(_, kind)| *kind == FileType::RegularFile).count(), 2000);
    assert!(names.contains(&("ä 𝄞".to_owned(), FileType::Directory)));
    let directory = s.open("dir", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
    for _ in 0..2 {
        let mut count = 0;
        list(directory.as_fd(), |_, _| count += 1).unwrap();
        assert_eq!(count, 2001);
    }
}

#[test]
fn a_new_name_never_replaces() {
    let s = scene();
    fs::write(s.at("a"), b"a").unwrap();
    fs::write(s.at("b"), b"b").unwrap();
    fs::create_dir_all(s.at("d/inside")).unwrap();
    assert_eq!(rename_new(&s.root, "a", &s.root, "b"), Err(Errno::EXIST));
    assert_eq!(rename_new(&s.root, "d", &s.root, "b"), Err(Errno::EXIST));
    assert_eq!(rename_new(&s.root, "none", &s.root, "c"), Err(Errno::NOENT));
    let inside = s.open("d/inside", OFlags::PATH | OFlags::DIRECTORY).unwrap();
    // A file that is open is moved all the same.
    let held = s.open("a", OFlags::RDWR).unwrap();
    rename_new(&s.root, "a", &inside, "c").unwrap();
    rename_new(&inside, "c", CWD, s.at("whole")).unwrap();
    assert_eq!(facts_of(&held).unwrap().stamp.inode, facts_at(&s.root, "whole").unwrap().stamp.inode);
    drop((held, inside));
    rename_new(&s.root, "d", &s.root, "e").unwrap();
    assert_eq!(fs::read(s.at("b")).unwrap(), b"b");
    assert_eq!(fs::read(s.at("whole")).unwrap(), b"a");
    let names: Vec<String> = s.names("").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "e", "whole"]);
}

#[test]
fn an_ordinary_rename_replaces() {
    let s = scene();
    fs::write(s.at("a"), b"a").unwrap();
    fs::write(s.at("b"), b"b").unwrap();
    renameat(&s.root, "a", &s.root, "b").unwrap();
    assert_eq!(fs::read(s.at("b")).unwrap(), b"a");
    assert!(!s.at("a").exists());
    assert_eq!(exchange(&s.root, "b", &s.root, "b"), Ok(false));
}

#[test]
fn what_windows_cannot_hold_is_never_made() {
    let s = scene();
    fs::write(s.at("a"), b"a").unwrap();
    let make = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    for name in ["a:b", "a:b:$DATA", "con", "NUL.txt", "x.", "x ", "x*", r"x\y", "x<"] {
        assert_eq!(openat(&s.root, name, make, Mode::RUSR).unwrap_err(), Errno::ILSEQ, "{name}");
        assert_eq!(mkdirat(&s.root, name, Mode::RWXU), Err(Errno::ILSEQ), "{name}");
        assert_eq!(rename_new(&s.root, "a", &s.root, name), Err(Errno::ILSEQ), "{name}");
        assert_eq!(symlinkat("a", &s.root, name), Err(Errno::ILSEQ), "{name}");
    }
    assert_eq!(s.names("").len(), 1);
    assert_eq!(fs::read(s.at("a")).unwrap(), b"a");
}

#[test]
fn files_and_directories_are_made_and_removed() {
    let s = scene();
    let make = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    let made = File::from(openat(&s.root, "f", make, Mode::RUSR | Mode::WUSR).unwrap());
    made.write_all_at(b"hello", 3).unwrap();
    made.write_all_at(b"abc", 0).unwrap();
    write_out(&made).unwrap();
    let mut bytes = [0; 8];
    made.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"abchello");
    assert_eq!(made.read_exact_at(&mut bytes, 1).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(openat(&s.root, "f", make, Mode::RUSR).unwrap_err(), Errno::EXIST);
    mkdirat(&s.root, "d", Mode::RWXU).unwrap();
    assert_eq!(mkdirat(&s.root, "d", Mode::RWXU), Err(Errno::EXIST));
    write_out(&s.root).unwrap();
    fs::write(s.at("d/x"), b"").unwrap();
    assert_eq!(unlinkat(&s.root, "d", AtFlags::REMOVEDIR), Err(Errno::NOTEMPTY));
    assert_eq!(unlinkat(&s.root, "d", AtFlags::empty()), Err(Errno::ISDIR));
    assert_eq!(unlinkat(&s.root, "f", AtFlags::REMOVEDIR), Err(Errno::NOTDIR));
    let d = s.open("d", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
    unlinkat(&d, "x", AtFlags::empty()).unwrap();
    drop(d);
    unlinkat(&s.root, "d", AtFlags::REMOVEDIR).unwrap();
    drop(made);
    unlinkat(&s.root, "f", AtFlags::empty()).unwrap();
    assert_eq!(unlinkat(&s.root, "f", AtFlags::empty()), Err(Errno::NOENT));
    assert!(s.names("").is_empty());
}

#[test]
fn times_and_the_read_only_attribute_are_set() {
    let s = scene();
    fs::write(s.at("f"), b"f").unwrap();
    let file = s.open("f", OFlags::RDONLY).unwrap();
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let set = Timestamps {
        last_access: omit,
        last_modification: Timespec { tv_sec: 1_000_000_000, tv_nsec: 123_456_700 },
    };
    futimens(&file, &set).unwrap();
    let found = facts_of(&file).unwrap();
    assert_eq!(found.stamp.modified, Timestamp::from_parts(1_000_000_000, 123_456_700));
    utimensat(&s.root, "f", &Timestamps { last_modification: omit, ..set }, AtFlags::SYMLINK_NOFOLLOW)
        .unwrap();
    assert_eq!(facts_of(&file).unwrap().stamp.modified, found.stamp.modified);
    let directory = s.open("", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
    futimens(&directory, &set).unwrap();
    assert_eq!(facts_of(&directory).unwrap().stamp.modified, found.stamp.modified);
    assert_eq!(found.mode & 0o100, 0);
    set_mode(&file, 0o444).unwrap();
    assert_eq!(facts_of(&file).unwrap().mode & 0o200, 0);
    assert!(fs::metadata(s.at("f")).unwrap().permissions().readonly());
    drop(file);
    rename_new(&s.root, "f", &s.root, "g").unwrap();
    unlinkat(&s.root, "g", AtFlags::empty()).unwrap();
    assert!(!s.at("g").exists());
}

#[test]
fn a_writer_is_noticed() {
    let s = scene();
    let writer = File::create(s.at("f")).unwrap();
    let reader = File::from(s.open("f", OFlags::RDONLY).unwrap());
    assert_eq!(is_open_for_writing(&reader), Some(true));
    drop(writer);
    assert_eq!(is_open_for_writing(&reader), Some(false));
    File::options().append(true).open(s.at("f")).unwrap();
}

#[test]
fn this_machine_is_known() {
    let s = scene();
    let known = FileSystem::of(&s.root);
    assert!(known.has_events && known.stable_inodes && !known.trusts_syncfs, "{known:?}");
    let room = fstatvfs(&s.root).unwrap();
    assert!(room.f_bavail > 0 && room.f_frsize >= 512, "{room:?}");
    let ask = |name: &str| accessat(&s.root, name, Access::READ_OK, AtFlags::EACCESS);
    assert_eq!(ask("none"), Err(Errno::NOENT));
    give_memory_back();
}

#[test]
fn a_link_is_never_followed() {
    let s = scene();
    fs::create_dir(s.at("dir")).unwrap();
    fs::write(s.at("dir/file"), b"f").unwrap();
    match symlinkat("dir", &s.root, "link") {
        Ok(()) => {}
        // Neither an administrator nor the developer mode; and wine has no such links at all.
        Err(error) => {
            assert!(matches!(error, Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::INVAL), "{error:?}");
            assert_eq!(facts_at(&s.root, "link").unwrap_err(), Errno::NOENT);
            return;
        }
    }
    assert_eq!(facts_at(&s.root, "link").unwrap().kind, FileType::Symlink);
    assert_eq!(readlinkat(&s.root, "link", Vec::new()).unwrap().to_str(), Ok("dir"));
    assert_eq!(s.open("link/file", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
    assert_eq!(s.open("link", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
    assert_eq!(readlinkat(&s.root, "dir", Vec::new()).unwrap_err(), Errno::INVAL);
    unlinkat(&s.root, "link", AtFlags::empty()).unwrap();
    assert!(Path::new(&s.at("dir/file")).exists());
}
