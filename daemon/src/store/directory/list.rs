//! Listing the encrypted folder.

use ensafer_core::ids::DeviceId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::tree::StoreKey;
use rayon::prelude::*;

use super::{TEMPORARY_PREFIX, stamp};
use crate::platform::{
    self, AsFd, BorrowedFd, Errno, FileType, Mode, OFlags, Result, facts_at, open_beneath,
};
use crate::store::{Listed, Listing, Temporary, is_object_name};

/// Entries looked at by one thread at a time.
const RUN_ENTRIES: usize = 512;

/// What one entry turned out to be.
enum Found {
    Object(Listed),
    Temporary(Temporary),
    Directory(String),
    Problem(Problem),
    Nothing,
}

/// Lists everything below `root`; fails only where `root` itself cannot be listed.
pub(super) fn list(root: BorrowedFd<'_>, device: DeviceId) -> Result<Listing> {
    let mut listing = Listing { complete: true, ..Listing::default() };
    let own = format!("{TEMPORARY_PREFIX}{device}-");
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        match list_directory(root, &directory, &own) {
            Ok(found) => {
                for found in found {
                    match found {
                        Found::Object(object) => listing.objects.push(object),
                        Found::Temporary(temporary) => listing.temporaries.push(temporary),
                        Found::Directory(path) => directories.push(path),
                        Found::Problem(problem) => {
                            listing.complete &= problem.class == ProblemClass::BadName;
                            listing.problems.push(problem);
                        }
                        Found::Nothing => {}
                    }
                }
            }
            Err(errno) if directory.is_empty() => return Err(errno),
            // It was there a moment ago, and its objects may be anywhere by now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => listing.complete = false,
            Err(errno) => {
                listing.complete = false;
                listing.problems.push(unreadable(&directory, errno));
            }
        }
    }
    listing.objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    listing.temporaries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

fn list_directory(root: BorrowedFd<'_>, directory: &str, own: &str) -> Result<Vec<Found>> {
    let handle = open_beneath(root, directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    let mut names = Vec::new();
    platform::list(handle.as_fd(), |name, kind| {
        if may_matter(name.to_bytes(), kind) {
            names.push((name.to_owned(), kind));
        }
    })?;
    let handle = handle.as_fd();
    let found = names.par_chunks(RUN_ENTRIES).flat_map_iter(|run| {
        run.iter().map(|(name, kind)| match name.to_str() {
            Ok(name) => look(handle, directory, name, *kind, own),
            Err(_) => bad_name(directory, &name.to_string_lossy(), *kind),
        })
    });
    Ok(found.collect())
}

/// A first choice by name and type, before anything is asked.
fn may_matter(name: &[u8], kind: FileType) -> bool {
    let is_hidden = name.starts_with(b".");
    match kind {
        FileType::Directory => !is_hidden,
        FileType::RegularFile | FileType::Unknown => {
            !is_hidden || name.starts_with(TEMPORARY_PREFIX.as_bytes())
        }
        _ => false,
    }
}

fn look(handle: BorrowedFd<'_>, directory: &str, name: &str, kind: FileType, own: &str) -> Found {
    let path = || if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    let is_temporary = name.starts_with(TEMPORARY_PREFIX);
    if kind == FileType::Directory {
        return Found::Directory(path());
    }
    if kind == FileType::RegularFile && !is_temporary && !is_object_name(name) {
        return Found::Nothing;
    }
    match facts_at(handle, name) {
        Ok(found) if found.kind == FileType::Directory && !is_temporary => Found::Directory(path()),
        Ok(found) if found.kind != FileType::RegularFile => Found::Nothing,
        Ok(found) if is_temporary => {
            let is_own = directory.is_empty() && name.starts_with(own);
            Found::Temporary(Temporary { path: path(), own: is_own, modified: found.stamp.modified })
        }
        Ok(found) if is_object_name(name) => {
            Found::Object(Listed { key: StoreKey(path().into()), stamp: stamp(&found.stamp) })
        }
        Ok(_) | Err(Errno::NOENT) => Found::Nothing,
        Err(errno) => Found::Problem(unreadable(&path(), errno)),
    }
}

fn bad_name(directory: &str, name: &str, kind: FileType) -> Found {
    if kind != FileType::Directory && !is_object_name(name) {
        return Found::Nothing;
    }
    let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    let subject = Subject::Object(StoreKey(path.into()));
    Found::Problem(Problem { class: ProblemClass::BadName, subject, detail: "not UTF-8".into() })
}

fn unreadable(path: &str, errno: Errno) -> Problem {
    let subject = Subject::Object(StoreKey(path.into()));
    Problem { class: ProblemClass::Unreadable, subject, detail: errno.to_string() }
}
