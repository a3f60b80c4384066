//! Looking at an encrypted folder from outside, as a cloud would.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The files of an encrypted folder, sorted by name. Panics when anything lies there that is not
/// `<32 hex digits>.ensafer`.
#[track_caller]
#[must_use]
pub fn objects(encrypted: &Path) -> Vec<PathBuf> {
    let strangers = strangers(encrypted);
    assert!(strangers.is_empty(), "these do not belong in an encrypted folder: {strangers:?}");
    entries(encrypted)
}

/// Names of objects only.
#[track_caller]
#[must_use]
pub fn object_names(encrypted: &Path) -> BTreeSet<String> {
    objects(encrypted).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// What lies in an encrypted folder and is no object by its name.
#[must_use]
pub fn strangers(encrypted: &Path) -> Vec<PathBuf> {
    entries(encrypted).into_iter().filter(|path| !is_object_name(path)).collect()
}

/// How many files lie there that are objects by their name; cheap enough for a loop.
#[must_use]
pub fn count_objects(encrypted: &Path) -> usize {
    entries(encrypted).iter().filter(|path| is_object_name(path)).count()
}

/// How many files lie there at all, unfinished ones included.
#[must_use]
pub fn count_entries(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

/// Panics when one of `markers` occurs in any byte or any name of the encrypted folder.
#[track_caller]
pub fn assert_holds_no_plaintext(encrypted: &Path, markers: &[&str]) {
    for path in entries(encrypted) {
        assert_holds_none(&path, markers);
    }
}

/// Panics when one of `markers` occurs in the name or in the bytes of the file.
#[track_caller]
pub fn assert_holds_none(path: &Path, markers: &[&str]) {
    let name = path.to_string_lossy();
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).unwrap();
    for marker in markers {
        let inside = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
        assert!(!inside && !name.contains(marker), "{marker:?} can be read in {name}");
    }
}

/// The object whose file `ensafer locate` names for a path of the work folder.
#[track_caller]
#[must_use]
pub fn object_of(device: &crate::Device, relative: &str) -> PathBuf {
    let work = device.at(relative);
    let located = device.run(&["locate", crate::device::text(&work)]).expect(0);
    let own = objects(&device.encrypted).into_iter().find(|object| {
        let name = object.file_name().unwrap().to_string_lossy();
        located.says(name.strip_suffix(".ensafer").unwrap())
    });
    own.unwrap_or_else(|| panic!("names no object of the encrypted folder: {located}"))
}

/// Flips one bit of the byte at `offset`, counted from the end where it is negative.
pub fn flip_bit(object: &Path, offset: i64) {
    let mut bytes = fs::read(object).unwrap();
    let length = i64::try_from(bytes.len()).unwrap();
    let at = if offset < 0 { length + offset } else { offset };
    bytes[usize::try_from(at).unwrap()] ^= 1;
    fs::write(object, bytes).unwrap();
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn is_object_name(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    let is_hex =
        |text: &str| text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    path.is_file() && name.strip_suffix(".ensafer").is_some_and(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hex_names_are_objects() {
        let directory = tempfile::tempdir().unwrap();
        for name in
            [&format!("{}.ensafer", "0a".repeat(16)), "notes.txt", &format!("{}.ensafer", "0A".repeat(16))]
        {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        fs::create_dir(directory.path().join(format!("{}.ensafer", "0b".repeat(16)))).unwrap();
        assert_eq!(count_objects(directory.path()), 1);
        assert_eq!(strangers(directory.path()).len(), 3);
    }

    #[test]
    #[should_panic(expected = "can be read in")]
    fn a_marker_is_found() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "....secret....").unwrap();
        assert_holds_no_plaintext(directory.path(), &["secret"]);
    }
}
