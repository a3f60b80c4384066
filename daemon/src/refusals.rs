//! Which pairs of directories may be synced, checked before anything is made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ensafer_client::exit::Exit;
use ensafer_core::api::local::RefusalClass;
use ensafer_core::ids::FolderId;

use crate::exit::Failure;
use crate::folders::FolderEntry;
use crate::output::{printable, shell_word};
use crate::platform;

/// Two directories that may be synced: absolute, without symbolic links, apart from each other and from every other
/// folder, readable and writable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The directory with ordinary files.
    pub work: PathBuf,
    /// The directory with `.ensafer` files.
    pub encrypted: PathBuf,
}

/// Checks a new pair against the folders of this device and Ensafer's own directories (`own`).
///
/// # Errors
/// A [`Failure`] that names the directory, with exit code 2 for what makes no sense and 1 for what the system refuses.
pub fn check_pair(
    work: &Path,
    encrypted: &Path,
    folders: &[FolderEntry],
    own: &[&Path],
) -> Result<Pair, Failure> {
    let pair =
        Pair { work: real_directory(work, "work")?, encrypted: real_directory(encrypted, "encrypted")? };
    check_places(&pair, folders, own)?;
    check_writable(&pair.work)?;
    check_writable(&pair.encrypted)?;
    Ok(pair)
}

/// As [`check_pair`], for directories of which some are still to be made: says which.
///
/// # Errors
/// As [`check_pair`].
pub fn check_future_pair(
    work: &Path,
    encrypted: &Path,
    folders: &[FolderEntry],
    own: &[&Path],
) -> Result<(Pair, Vec<PathBuf>), Failure> {
    let absent = missing(&[work, encrypted]);
    let place = |path: &Path, which| {
        if !absent.contains(&path) {
            return real_directory(path, which);
        }
        resolve(path).map_err(|error| refused(format!("{} cannot be reached: {error}", path.display())))
    };
    let pair = Pair { work: place(work, "work")?, encrypted: place(encrypted, "encrypted")? };
    check_places(&pair, folders, own)?;
    let absent = |side: &&PathBuf| !side.exists();
    let absent: Vec<PathBuf> = [&pair.work, &pair.encrypted].into_iter().filter(absent).cloned().collect();
    for side in [&pair.work, &pair.encrypted] {
        if !absent.contains(side) {
            check_writable(side)?;
        }
    }
    Ok((pair, absent))
}

/// Checks that the directories lie apart from each other, from other folders and from Ensafer's own.
fn check_places(pair: &Pair, folders: &[FolderEntry], own: &[&Path]) -> Result<(), Failure> {
    check_apart(pair)?;
    check_apart_from(pair, folders)?;
    for directory in own.iter().filter_map(|d| platform::canonicalize(d).ok()) {
        for side in [&pair.work, &pair.encrypted] {
            if overlaps(side, &directory) {
                return Err(usage(
                    format!("{} overlaps Ensafer's own directory {}", side.display(), directory.display()),
                    "Choose a directory that does not hold Ensafer's own files",
                ));
            }
        }
    }
    Ok(())
}

/// Refuses directories that overlap those of `folders`.
///
/// # Errors
/// They do; the words name them.
pub fn check_apart_from(pair: &Pair, folders: &[FolderEntry]) -> Result<(), Failure> {
    folders.iter().try_for_each(|folder| check_against(pair, folder))
}

/// Refuses a folder that is on the list: in two places of one computer it would be synced with itself, and both would have
/// the state of one.
///
/// # Errors
/// It is; the words name the other place.
pub fn check_unlisted(id: FolderId, folders: &[FolderEntry]) -> Result<(), Failure> {
    let Some(listed) = folders.iter().find(|entry| entry.id == id) else { return Ok(()) };
    let work = printable(&listed.work.to_string_lossy());
    let what = format!("The folder is synced with {work} already");
    let remedy =
        format!("To have it elsewhere: ensafer folder remove {}, then the same once more", shell_word(&work));
    Err(usage(what, remedy).with_class(RefusalClass::Already))
}

/// What of the two directories is missing and would have to be made. A symbolic link to nowhere is not "missing".
#[must_use]
pub fn missing<'a>(directories: &[&'a Path]) -> Vec<&'a Path> {
    let absent = |p: &&Path| matches!(fs::symlink_metadata(p), Err(e) if e.kind() == io::ErrorKind::NotFound);
    directories.iter().copied().filter(absent).collect()
}

/// Checks that directories which are still to be made would not overlap, so that nothing is made in vain.
///
/// # Errors
/// As [`check_pair`].
pub fn check_before_making(work: &Path, encrypted: &Path) -> Result<(), Failure> {
    let future = |path: &Path| resolve(path).unwrap_or_else(|_| path.to_path_buf());
    check_apart(&Pair { work: future(work), encrypted: future(encrypted) })
}

/// The real path that `path` has, or will have once it is made: its existing part without symbolic links, the rest
/// appended.
///
/// # Errors
/// The current directory is unknown.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        if let Ok(real) = platform::canonicalize(ancestor) {
            let rest = absolute.strip_prefix(ancestor).unwrap_or(Path::new(""));
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
    }
    Ok(absolute)
}

fn real_directory(path: &Path, which: &str) -> Result<PathBuf, Failure> {
    let shown = path.display();
    let real = platform::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            usage(format!("The {which} folder {shown} does not exist"), format!("mkdir -p '{shown}'"))
                .with_class(RefusalClass::MissingDirectory)
        }
        _ => refused(format!("The {which} folder {shown} cannot be reached: {error}")),
    })?;
    let found = fs::metadata(&real)
        .map_err(|error| refused(format!("The {which} folder {shown} cannot be reached: {error}")))?;
    if !found.is_dir() {
        return Err(usage(format!("The {which} folder {shown} is not a directory"), "Name a directory"));
    }
    Ok(real)
}

fn check_apart(pair: &Pair) -> Result<(), Failure> {
    let (work, encrypted) = (pair.work.display(), pair.encrypted.display());
    if pair.work == pair.encrypted {
        return Err(usage(
            format!("The work folder and the encrypted folder are the same, {work}"),
            "Name two directories, neither inside the other",
        ));
    }
    if overlaps(&pair.work, &pair.encrypted) {
        return Err(usage(
            format!("The work folder {work} and the encrypted folder {encrypted} lie inside each other"),
            "Name two directories, neither inside the other: ordinary files would reach the cloud",
        ));
    }
    Ok(())
}

fn check_against(pair: &Pair, folder: &FolderEntry) -> Result<(), Failure> {
    if pair.work == folder.work && pair.encrypted == folder.encrypted {
        let what = format!("{} is synced with {} already", pair.work.display(), pair.encrypted.display());
        return Err(usage(what, "ensafer folder list").with_class(RefusalClass::Already));
    }
    for new in [&pair.work, &pair.encrypted] {
        for old in [&folder.work, &folder.encrypted] {
            if overlaps(new, old) {
                return Err(usage(
                    format!("{} overlaps {}, which is part of another folder", new.display(), old.display()),
                    format!("ensafer folder remove '{}', or choose another directory", folder.work.display()),
                ));
            }
        }
    }
    Ok(())
}

/// Writes and removes a file: permissions alone do not tell (read-only mounts, ACLs, quotas).
fn check_writable(directory: &Path) -> Result<(), Failure> {
    // The name is one that cloud clients and scans pass over.
    let probe = directory.join(format!(".~ensafer-{:08x}.tmp", std::process::id()));
    let tried = fs::OpenOptions::new().write(true).create_new(true).open(&probe).map(drop);
    let removed = if tried.is_ok() { fs::remove_file(&probe) } else { Ok(()) };
    let listed = fs::read_dir(directory).map(drop);
    tried.and(removed).and(listed).map_err(|error| {
        refused(format!("{} is not writable: {error}", directory.display()))
            .with_remedy("Give yourself the right to read and write there, or choose another directory")
    })
}

fn overlaps(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn usage(what: String, remedy: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what).with_remedy(remedy)
}

fn refused(what: String) -> Failure {
    Failure::new(Exit::Error, what)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn dirs(root: &Path, names: &[&str]) {
        for name in names {
            fs::create_dir_all(root.join(name)).unwrap();
        }
    }

    fn refusal(root: &Path, work: &str, encrypted: &str, folders: &[FolderEntry]) -> String {
        let failure = check_pair(&root.join(work), &root.join(encrypted), folders, &[]).unwrap_err();
        assert!(failure.remedy().is_some(), "{failure}");
        assert_eq!(failure.exit(), Exit::Usage);
        failure.to_string()
    }

    #[test]
    fn two_good_directories_pass_and_nothing_is_left_in_them() {
        let root = tempfile::tempdir().unwrap();
        let root = &fs::canonicalize(root.path()).unwrap();
        dirs(root, &["w", "wx"]);
        let pair = check_pair(&root.join("w"), &root.join("wx"), &[], &[]).unwrap();
        assert_eq!(pair, Pair { work: root.join("w"), encrypted: root.join("wx") });
        assert_eq!(fs::read_dir(root.join("w")).unwrap().count(), 0);
    }

    #[test]
    fn overlapping_directories_are_refused_also_through_links() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        dirs(root, &["w/inner", "e/inner"]);
        symlink(root.join("w"), root.join("link")).unwrap();
        symlink(root.join("w/inner"), root.join("e/link")).unwrap();
        for (work, encrypted, words) in [
            ("w", "w", "are the same"),
            ("w", "link", "are the same"),
            ("w", "e/../w/.", "are the same"),
            ("w", "w/inner", "inside each other"),
            ("w/inner", "w", "inside each other"),
            ("w", "link/inner", "inside each other"),
            ("w", "e/link", "inside each other"),
        ] {
            let what = refusal(root, work, encrypted, &[]);
            assert!(what.contains(words), "{work} {encrypted}: {what}");
        }
    }

    #[test]
    fn other_folders_and_own_directories_are_kept_apart() {
        let root = tempfile::tempdir().unwrap();
        let root = &fs::canonicalize(root.path()).unwrap();
        dirs(root, &["w/inner", "e/inner", "w2", "e2", "home/data"]);
        let folder = |w: &str, e: &str| FolderEntry {
            id: FolderId::new([1; 16]),
            work: root.join(w),
            encrypted: root.join(e),
        };
        assert!(refusal(root, "w", "e", &[folder("w", "e")]).contains("already"));
        for (work, encrypted) in [("w", "e2"), ("w2", "e"), ("w/inner", "e2"), ("w2", "w"), ("e/inner", "e2")]
        {
            let what = refusal(root, work, encrypted, &[folder("w", "e")]);
            assert!(what.contains("another folder"), "{work} {encrypted}: {what}");
        }
        check_pair(&root.join("w2"), &root.join("e2"), &[folder("w", "e")], &[]).unwrap();
        let own = root.join("home");
        for (work, encrypted) in [("home", "e2"), ("w2", "home/data")] {
            let failure = check_pair(&root.join(work), &root.join(encrypted), &[], &[&own]).unwrap_err();
            assert!(failure.to_string().contains("Ensafer's own"), "{failure}");
        }
    }

    #[test]
    fn a_folder_is_in_one_place_of_a_computer() {
        let id = FolderId::new([1; 16]);
        let listed = [FolderEntry { id, work: "/home/a/My work".into(), encrypted: "/cloud/e".into() }];
        check_unlisted(FolderId::new([2; 16]), &listed).unwrap();
        let failure = check_unlisted(id, &listed).unwrap_err();
        assert_eq!(failure.class(), Some(RefusalClass::Already));
        assert!(failure.to_string().contains("/home/a/My work"), "{failure}");
        assert!(failure.remedy().unwrap().contains("ensafer folder remove '/home/a/My work'"));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        dirs(root, &["w"]);
        fs::write(root.join("file"), "").unwrap();
        symlink(root.join("nowhere"), root.join("dangling")).unwrap();
        assert!(refusal(root, "w", "absent", &[]).contains("does not exist"));
        assert!(refusal(root, "file", "w", &[]).contains("is not a directory"));
        assert!(refusal(root, "w", "dangling", &[]).contains("does not exist"));
        assert!(
            missing(&[&root.join("w"), &root.join("dangling"), &root.join("absent")])
                == [root.join("absent")]
        );
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        // /proc takes no new files, not even from root.
        let root = tempfile::tempdir().unwrap();
        dirs(root.path(), &["w"]);
        let failure = check_pair(&root.path().join("w"), Path::new("/proc/self/fd"), &[], &[]).unwrap_err();
        assert!(failure.to_string().contains("is not writable"), "{failure}");
        assert_eq!(failure.exit(), Exit::Error);
    }

    #[test]
    fn directories_to_be_made_are_checked_before_they_are() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        dirs(root, &["w"]);
        symlink(root.join("w"), root.join("link")).unwrap();
        check_before_making(&root.join("a"), &root.join("b")).unwrap();
        check_before_making(&root.join("w"), &root.join("link/new/deep")).unwrap_err();
        check_before_making(&root.join("new"), &root.join("new/deep")).unwrap_err();
        assert!(!root.join("link/new").exists());
    }
}
