//! What lies in the trash: listed from the directories alone, and brought back.

use ensafer_core::time::Timestamp;
use ensafer_core::tree::NodeKind;

use super::trash::beside;
use super::{PRIVATE, Seen, WorkDir, WorkError};
use crate::platform::{
    self, AsFd, AtFlags, Errno, Facts, FileType, Mode, OFlags, SEARCH, facts_at, list, open_beneath,
    rename_new,
};

/// What an entry that was brought back is called where its place is taken.
const RESTORED: &str = "restored";

/// A file, a symbolic link or an empty directory in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Its path below the trash: `2026-11-21/140322-000/Taxes/2026.ods`. It names the entry.
    pub item: String,
    /// What it is.
    pub kind: FileType,
    /// Its length in bytes; 0 for what is no file.
    pub size_bytes: u64,
    /// When its content was last changed.
    pub modified: Timestamp,
}

/// What the name of an entry of the trash says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemName<'a> {
    /// The day, `2026-11-21`, in UTC.
    pub day: &'a str,
    /// The time of that day and a number, `140322-000`.
    pub batch: &'a str,
    /// The path that it had in the work folder.
    pub path: &'a str,
}

impl<'a> ItemName<'a> {
    /// Takes a name apart; `None` where it is none of an entry of the work folder.
    #[must_use]
    pub fn parse(item: &'a str) -> Option<Self> {
        let (day, rest) = item.split_once('/')?;
        let (batch, path) = rest.split_once('/')?;
        (is_day(day) && is_batch(batch)).then_some(Self { day, batch, path })
    }

    /// When it was moved to the trash: RFC 3339 in UTC.
    #[must_use]
    pub fn moved_at(self) -> String {
        let time = &self.batch[..TIME_DIGITS];
        format!("{}T{}:{}:{}Z", self.day, &time[..2], &time[2..4], &time[4..])
    }
}

impl WorkDir {
    /// What `is_sought` of the trash by its name, of the latest batch first and by path within one, at most `limit` entries.
    /// Encrypted files are left out.
    ///
    /// # Errors
    /// The trash cannot be read.
    pub fn list_trash(
        &self,
        limit: usize,
        is_sought: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Trashed>, WorkError> {
        let mut found = Vec::new();
        for day in self.names_in_trash("", is_day)? {
            for batch in self.names_in_trash(&day, is_batch)? {
                self.list_batch(&format!("{day}/{batch}"), limit, is_sought, &mut found)?;
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// The directories in a directory of the trash whose names are of a kind, latest first.
    fn names_in_trash(&self, below: &str, is_kind: fn(&str) -> bool) -> Result<Vec<String>, WorkError> {
        let mut names = self.entries_in_trash(below)?;
        names.retain(|(name, found)| found.kind == FileType::Directory && is_kind(name));
        Ok(names.into_iter().rev().map(|(name, _)| name).collect())
    }

    /// Adds what a batch holds, depth first, until `found` has `limit` entries.
    fn list_batch(
        &self,
        batch: &str,
        limit: usize,
        is_sought: &dyn Fn(&str) -> bool,
        found: &mut Vec<Trashed>,
    ) -> Result<(), WorkError> {
        let mut pending = vec![(batch.to_owned(), None)];
        while let Some((item, facts)) = pending.pop() {
            if found.len() >= limit {
                return Ok(());
            }
            let is_directory = facts.as_ref().is_none_or(|facts: &Facts| facts.kind == FileType::Directory);
            let inside = if is_directory { self.entries_in_trash(&item)? } else { Vec::new() };
            let is_leaf = inside.is_empty();
            let inside =
                inside.into_iter().rev().map(|(name, facts)| (format!("{item}/{name}"), Some(facts)));
            pending.extend(inside);
            let is_listed = is_leaf && ItemName::parse(&item).is_some() && is_sought(&item);
            if let Some(facts) = facts.filter(|_| is_listed) {
                found.push(trashed(item, &facts));
            }
        }
        Ok(())
    }

    /// The entries of a directory of the trash, by name. One that is not there is empty; names that are not UTF-8 were
    /// never synced.
    fn entries_in_trash(&self, below: &str) -> Result<Vec<(String, Facts)>, WorkError> {
        let path = in_trash(below);
        let error = |e| WorkError::new(&path, e);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match open_beneath(self.root(), &path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            opened => opened.map_err(error)?,
        };
        let mut names = Vec::new();
        list(directory.as_fd(), |name, _| names.extend(name.to_str().ok().map(str::to_owned)))
            .map_err(error)?;
        names.sort();
        // What is gone by now is not there.
        Ok(names
            .into_iter()
            .filter_map(|name| facts_at(&directory, &name).ok().map(|facts| (name, facts)))
            .collect())
    }

    /// Moves an entry of the trash back to where it was, or beside it where that place is taken, and returns its path
    /// now. Directories that are not there any more are made, beside what took their place if it is none. An empty directory
    /// is made anew: the trash gave it its own permissions.
    ///
    /// # Errors
    /// [`WorkError::Missing`] where the trash has no such entry.
    pub fn restore(&self, item: &str) -> Result<String, WorkError> {
        let bad = || WorkError::BadPath { path: item.to_owned() };
        let path = ItemName::parse(item).ok_or_else(bad)?.path;
        self.inner.check(path)?;
        let from = in_trash(item);
        let (directory, name) = from.rsplit_once('/').ok_or_else(bad)?;
        let directory = open_beneath(self.root(), directory, SEARCH, Mode::empty());
        let directory = directory.map_err(|e| WorkError::new(item, e))?;
        facts_at(&directory, name).map_err(|e| WorkError::new(item, e))?;
        if platform::unlinkat(&directory, name, AtFlags::REMOVEDIR).is_ok() {
            let made = self.make_directories(path)?;
            self.remove_emptied(item);
            return Ok(made);
        }
        let path = &match path.rsplit_once('/') {
            Some((above, name)) => format!("{}/{name}", self.make_directories(above)?),
            None => path.to_owned(),
        };
        for attempt in 0.. {
            let to = if attempt == 0 { path.clone() } else { path_beside(path, attempt) };
            let (parent, free) = self.inner.parent(&to)?;
            match rename_new(&directory, name, &parent, free) {
                Ok(()) => {
                    self.inner.touch_parent_of(&to);
                    self.sync_directories()?;
                    self.remove_emptied(item);
                    return Ok(to);
                }
                Err(Errno::EXIST | Errno::NOTEMPTY) if attempt < MOST_BESIDE => {}
                Err(error) => return Err(WorkError::new(&to, error)),
            }
        }
        unreachable!("the loop above ends only by returning")
    }

    /// Removes the directories of a batch that led to an entry, as far as nothing else is in them.
    fn remove_emptied(&self, item: &str) {
        let mut directory = in_trash(item);
        while let Some((parent, _)) = directory.rsplit_once('/') {
            let Some((above, name)) = parent.rsplit_once('/').filter(|(_, name)| !is_day(name)) else {
                return;
            };
            let removed = open_beneath(self.root(), above, SEARCH, Mode::empty())
                .and_then(|above| platform::unlinkat(above, name, AtFlags::REMOVEDIR));
            // Something else is in it, or it is in use: it stays.
            if removed.is_err() {
                return;
            }
            directory.truncate(parent.len());
        }
    }

    /// Makes the directory `path` and those that lead there, where they are not there, and returns its path: beside
    /// what is no directory.
    fn make_directories(&self, path: &str) -> Result<String, WorkError> {
        let mut made = String::new();
        for name in path.split('/') {
            let at = if made.is_empty() { name.to_owned() } else { format!("{made}/{name}") };
            made = self.make_directory_or_beside(&at)?;
        }
        self.sync_directories()?;
        Ok(made)
    }

    fn make_directory_or_beside(&self, path: &str) -> Result<String, WorkError> {
        for attempt in 0.. {
            let at = if attempt == 0 { path.to_owned() } else { path_beside(path, attempt) };
            match self.make_directory(&at) {
                Ok(_) => return Ok(at),
                Err(WorkError::Occupied { .. }) => {}
                Err(error) => return Err(error),
            }
            let is_directory = |seen: &Seen| matches!(seen.kind, NodeKind::Directory { .. });
            if self.look(&at)?.as_ref().is_some_and(is_directory) {
                return Ok(at);
            }
            if attempt == MOST_BESIDE {
                break;
            }
        }
        Err(WorkError::Occupied { path: path.to_owned() })
    }
}

/// Most entries of one name that are brought back beside what took their place.
const MOST_BESIDE: u32 = 99;

fn path_beside(path: &str, attempt: u32) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) => format!("{directory}/{}", beside(name, RESTORED, attempt)),
        None => beside(path, RESTORED, attempt),
    }
}

fn trashed(item: String, facts: &Facts) -> Trashed {
    let size_bytes = if facts.kind == FileType::RegularFile { facts.stamp.size } else { 0 };
    Trashed { item, kind: facts.kind, size_bytes, modified: facts.stamp.modified }
}

fn in_trash(below: &str) -> String {
    if below.is_empty() { format!("{PRIVATE}/trash") } else { format!("{PRIVATE}/trash/{below}") }
}

/// Hours, minutes and seconds.
const TIME_DIGITS: usize = 6;

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a name is a day's, as `2026-11-21`.
pub(crate) fn is_day(name: &str) -> bool {
    let digits = |part: &str, len| part.len() == len && is_digits(part);
    let parts: Vec<&str> = name.split('-').collect();
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

/// Whether a name is a batch's, as `140322-000`.
fn is_batch(name: &str) -> bool {
    let parts = name.split_once('-');
    parts.is_some_and(|(time, number)| time.len() == TIME_DIGITS && is_digits(time) && is_digits(number))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A work folder whose trash holds, in one batch each, the paths of `batches`; `dir/` is an empty directory.
    fn with_trash(batches: &[(&str, &[&str])]) -> (tempfile::TempDir, WorkDir) {
        let root = tempfile::tempdir().unwrap();
        for (batch, paths) in batches {
            for path in *paths {
                let path = root.path().join(".ensafer/trash").join(batch).join(path);
                if path.to_string_lossy().ends_with('/') {
                    fs::create_dir_all(&path).unwrap();
                } else {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
                }
            }
        }
        let work = WorkDir::open(root.path()).unwrap();
        (root, work)
    }

    fn items(work: &WorkDir, limit: usize) -> Vec<String> {
        work.list_trash(limit, &|_| true).unwrap().into_iter().map(|found| found.item).collect()
    }

    #[test]
    fn the_latest_comes_first_and_ciphertexts_are_left_out() {
        // A user's own, as one that somebody keeps a copy of.
        let own = format!("{}.ensafer", "0a".repeat(16));
        let (_root, work) = with_trash(&[
            ("2026-11-20/235959-000", &["old.txt"]),
            ("2026-11-21/080000-000", &["b/two", "a", "b/empty/", &own]),
            ("2026-11-21/080000-001", &["a"]),
            ("2026-11-21/encrypted", &["swept.ensafer"]),
            ("2026-11-21/encrypted/080000-000", &[&own]),
            ("notes", &["x"]),
        ]);
        let all = [
            "2026-11-21/080000-001/a",
            &format!("2026-11-21/080000-000/{own}"),
            "2026-11-21/080000-000/a",
            "2026-11-21/080000-000/b/empty",
            "2026-11-21/080000-000/b/two",
            "2026-11-20/235959-000/old.txt",
        ];
        assert_eq!(items(&work, 100), all);
        assert_eq!(items(&work, 2), all[..2]);
        let of_b = work.list_trash(1, &|item| item.contains("/b/")).unwrap();
        assert_eq!(of_b[0].item, all[3], "what is not sought does not count");
        let name = ItemName::parse(all[4]).unwrap();
        assert_eq!((name.path, name.moved_at().as_str()), ("b/two", "2026-11-21T08:00:00Z"));
        assert_eq!(work.restore(all[1]).unwrap(), own);
    }

    #[test]
    fn a_folder_without_trash_has_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(items(&WorkDir::open(root.path()).unwrap(), 10), Vec::<String>::new());
    }

    #[test]
    fn what_is_brought_back_never_takes_anothers_place() {
        let (root, work) = with_trash(&[
            ("2026-11-21/080000-000", &["dir/a.txt", "empty/"]),
            ("2026-11-21/090000-000", &["dir/a.txt"]),
        ]);
        assert_eq!(work.restore("2026-11-21/080000-000/dir/a.txt").unwrap(), "dir/a.txt");
        fs::write(root.path().join("dir/a.txt"), "edited").unwrap();
        assert_eq!(work.restore("2026-11-21/090000-000/dir/a.txt").unwrap(), "dir/a (restored).txt");
        assert_eq!(fs::read(root.path().join("dir/a.txt")).unwrap(), b"edited");
        assert_eq!(fs::read(root.path().join("dir/a (restored).txt")).unwrap(), b"a.txt");
        assert_eq!(work.restore("2026-11-21/080000-000/empty").unwrap(), "empty");
        assert!(root.path().join("empty").is_dir());
        assert_eq!(items(&work, 10), Vec::<String>::new());
    }

    #[test]
    fn what_took_a_directorys_place_is_left_alone() {
        let (root, work) = with_trash(&[
            ("2026-11-21/080000-000", &["taxes/2026/a.ods", "taxes/empty/"]),
            ("2026-11-21/090000-000", &["there/"]),
        ]);
        fs::write(root.path().join("taxes"), "a file").unwrap();
        assert_eq!(
            work.restore("2026-11-21/080000-000/taxes/2026/a.ods").unwrap(),
            "taxes (restored)/2026/a.ods"
        );
        assert_eq!(work.restore("2026-11-21/080000-000/taxes/empty").unwrap(), "taxes (restored)/empty");
        assert_eq!(fs::read(root.path().join("taxes")).unwrap(), b"a file");
        // A directory that is there is the one that was deleted.
        fs::create_dir(root.path().join("there")).unwrap();
        assert_eq!(work.restore("2026-11-21/090000-000/there").unwrap(), "there");
        assert_eq!(items(&work, 10), Vec::<String>::new());
    }

    #[test]
    fn only_what_is_in_the_trash_is_brought_back() {
        let (root, work) = with_trash(&[("2026-11-21/080000-000", &["a"])]);
        fs::write(root.path().join(".ensafer/secret"), "x").unwrap();
        for item in
            ["", "a", "2026-11-21/080000-000", "2026-11-21/080000-000/../../../secret", "../../secret/x/y"]
        {
            assert!(matches!(work.restore(item), Err(WorkError::BadPath { .. })), "{item}");
        }
        let gone = work.restore("2026-11-21/080000-000/b");
        assert!(matches!(gone, Err(WorkError::Missing { .. })), "{gone:?}");
        let below_a_file = work.restore("2026-11-21/080000-000/a/b");
        assert!(matches!(below_a_file, Err(WorkError::Missing { .. })), "{below_a_file:?}");
    }

    #[test]
    fn a_link_in_the_trash_is_not_followed() {
        let (root, work) = with_trash(&[("2026-11-21/080000-000", &["a"])]);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("b"), "secret").unwrap();
        let batch = root.path().join(".ensafer/trash/2026-11-21/080000-000");
        std::os::unix::fs::symlink(outside.path(), batch.join("link")).unwrap();
        assert_eq!(items(&work, 10), ["2026-11-21/080000-000/a", "2026-11-21/080000-000/link"]);
        assert!(work.restore("2026-11-21/080000-000/link/b").is_err());
        assert!(outside.path().join("b").exists());
    }

    #[test]
    fn only_days_are_taken_for_days() {
        assert!(is_day("2026-11-21"));
        for other in ["", "2026-1-21", "2026-11-21x", "notes", "2026-11", "20a6-11-21"] {
            assert!(!is_day(other), "{other}");
        }
    }
}
