//! Directory trees: made at random, remembered, compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::random::Random;

/// What a work folder keeps for itself and never syncs.
pub const OWN_DIRECTORY: &str = ".ensafer";

/// One entry, as far as another device must show the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// BLAKE3 of the content.
        digest: blake3::Hash,
        /// Last change of the content, nanoseconds since 1970.
        modified_ns: i128,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored.
        target: PathBuf,
    },
}

/// A tree: every entry by its path below the root.
pub type Snapshot = BTreeMap<PathBuf, Entry>;

/// Reads the whole tree below `root`, but for the folder's own directory of trash and marker.
#[must_use]
pub fn snapshot(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    collect(root, Path::new(""), &mut found);
    found
}

fn collect(root: &Path, below: &Path, found: &mut Snapshot) {
    let listing = fs::read_dir(root.join(below)).unwrap_or_else(|e| panic!("{}: {e}", below.display()));
    for entry in listing {
        let relative = below.join(entry.unwrap().file_name());
        if relative == Path::new(OWN_DIRECTORY) {
            continue;
        }
        let entry = read_entry(&root.join(&relative));
        if entry == Entry::Directory {
            collect(root, &relative, found);
        }
        found.insert(relative, entry);
    }
}

fn read_entry(path: &Path) -> Entry {
    let metadata = path.symlink_metadata().unwrap();
    if metadata.is_dir() {
        return Entry::Directory;
    }
    if metadata.is_symlink() {
        return Entry::Symlink { target: fs::read_link(path).unwrap() };
    }
    Entry::File {
        size: metadata.len(),
        digest: digest(path),
        modified_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        executable: metadata.mode() & 0o100 != 0,
    }
}

/// BLAKE3 of a file of any size.
#[must_use]
pub fn digest(path: &Path) -> blake3::Hash {
    let file = fs::File::open(path).unwrap();
    blake3::Hasher::new().update_reader(file).unwrap().finalize()
}

/// Panics with the first differences of two trees, one a line.
#[track_caller]
pub fn assert_equal(left: &Snapshot, right: &Snapshot) {
    let differences = differences(left, right);
    let mut shown = String::new();
    for line in differences.iter().take(20) {
        let _ = writeln!(shown, "  {line}");
    }
    assert!(differences.is_empty(), "the trees differ in {} places:\n{shown}", differences.len());
}

/// Panics with the first differences of what is below two directories.
#[track_caller]
pub fn assert_same(left: &Path, right: &Path) {
    assert_equal(&snapshot(left), &snapshot(right));
}

fn differences(left: &Snapshot, right: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    for (path, entry) in left {
        match right.get(path) {
            None => found.push(format!("only left: {path:?} ({entry:?})")),
            Some(other) if other != entry => found.push(format!("{path:?}: {entry:?} and {other:?}")),
            Some(_) => {}
        }
    }
    for (path, entry) in right {
        if !left.contains_key(path) {
            found.push(format!("only right: {path:?} ({entry:?})"));
        }
    }
    found
}

/// Contents of all files by digest: to look for a text wherever it may have gone.
#[must_use]
pub fn holds_content(root: &Path, content: &[u8]) -> bool {
    let wanted = blake3::hash(content);
    snapshot(root).values().any(|entry| matches!(entry, Entry::File { digest, .. } if *digest == wanted))
}

/// Whether a file with this content lies anywhere below `directory`, the folder's own directory included.
#[must_use]
pub fn find_content(directory: &Path, content: &[u8]) -> Option<PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        let found = if kind.is_dir() {
            find_content(&path, content)
        } else {
            (kind.is_file() && fs::read(&path).is_ok_and(|bytes| bytes == content)).then_some(path)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Sets a file's time of last change, `nanos` after (or before) 1970.
pub fn set_modified(path: &Path, nanos: i64) {
    let offset = Duration::from_nanos(nanos.unsigned_abs());
    let time = if nanos < 0 { SystemTime::UNIX_EPOCH - offset } else { SystemTime::UNIX_EPOCH + offset };
    let file = fs::File::open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Makes a file executable, or not.
pub fn set_executable(path: &Path, executable: bool) {
    fs::set_permissions(path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 })).unwrap();
}

/// Makes `files` files of at most `largest` bytes below `root`, in directories, some of them executable, some empty,
/// all with times of their own, and a link now and then. Names never clash with those of another `prefix`.
pub fn grow(root: &Path, random: &mut Random, prefix: &str, files: usize, largest: usize) {
    let mut directories = vec![root.to_path_buf()];
    for n in 0..files {
        if random.one_in(12) {
            let parent = &directories[random.below(directories.len())];
            let directory = parent.join(format!("{prefix} directory {n}"));
            fs::create_dir(&directory).unwrap();
            directories.push(directory);
        }
        let parent = &directories[random.below(directories.len())];
        if random.one_in(40) {
            symlink(format!("{prefix}-{n}"), parent.join(format!("{prefix}-link-{n}"))).unwrap();
        }
        let path = parent.join(format!("{prefix}-{n}.dat"));
        let size = if random.one_in(10) { 0 } else { random.below(largest + 1) };
        fs::write(&path, random.bytes(size)).unwrap();
        set_executable(&path, random.one_in(5));
        set_modified(&path, i64::try_from(random.bits() % 1_700_000_000_000_000_000).unwrap());
    }
}

/// The names of a directory, as bytes, sorted; the folder's own directory left out.
#[must_use]
pub fn names(directory: &Path) -> Vec<Vec<u8>> {
    let listing =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec());
    let mut names: Vec<_> = listing.filter(|name| name != OWN_DIRECTORY.as_bytes()).collect();
    names.sort();
    names
}

/// All files below a directory, whatever becomes of them meanwhile.
#[must_use]
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = pending.pop() {
        let Ok(listing) = fs::read_dir(directory) else { continue };
        for entry in listing.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let (left, right) = (root.path().join("l"), root.path().join("r"));
        for side in [&left, &right] {
            fs::create_dir(side).unwrap();
            grow(side, &mut Random::new(1), "x", 60, 500);
        }
        assert_same(&left, &right);
        let before = snapshot(&right);
        let (file, _) = before.iter().find(|(_, entry)| matches!(entry, Entry::File { .. })).unwrap();
        set_modified(&right.join(file), -1);
        set_executable(&right.join(file), true);
        fs::write(right.join("new"), "").unwrap();
        assert_eq!(differences(&snapshot(&left), &snapshot(&right)).len(), 2);
    }
}
