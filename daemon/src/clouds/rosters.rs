//! A bounded look for rosters below a directory, without any key.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use ensafer_core::format::roster::{MAX_GROUP_OBJECT_LEN, MAX_GROUPS};
use ensafer_core::format::{
    Access, EnvelopeType, PREFIX_LEN, Prefix, StoreName, fan_out_directory, object_name, parse_store_name,
};
use ensafer_core::ids::FolderId;

use super::{open_file, read_start};
use crate::groups::is_group_file;
use crate::membership::MAX_ROSTER_FILE_BYTES;
use crate::platform::OFlags;

/// How far below a client's directory is looked.
const MAX_DEPTH: usize = 4;
/// Most entries that are looked at below one of a client's directories.
const MAX_ENTRIES: usize = 20_000;
/// Most files of one directory whose beginning is read, to learn whose they are.
const MAX_HEADS: usize = 32;
/// Most bytes of ACCESS that are read of such a file. An ordinary one has 8 members' envelopes at most: 4 KiB.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most objects beside a roster whose beginning is read, to find groups by which it may open.
const MAX_BESIDE: usize = 4096;
/// Most encrypted folders that are found below one of a client's directories.
const MAX_FOUND: usize = 256;

/// A roster that lies below a client's directory, by its own PREFIX. Nothing of it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRoster {
    /// The encrypted directory that it belongs to.
    pub directory: PathBuf,
    /// The folder that it says it is of.
    pub folder: FolderId,
    file: PathBuf,
}

impl FoundRoster {
    /// The roster's bytes; `None` where it is gone, or larger than any roster.
    #[must_use]
    pub fn read(&self) -> Option<Vec<u8>> {
        read_whole(&self.file, MAX_ROSTER_FILE_BYTES)
    }

    /// The files of groups beside the roster, as many as a folder may have, of those that are looked at.
    #[must_use]
    pub fn read_groups(&self) -> Vec<Vec<u8>> {
        let Some(Ok(entries)) = self.file.parent().map(fs::read_dir) else { return Vec::new() };
        let is_small = |entry: &fs::DirEntry| {
            entry.metadata().is_ok_and(|found| found.is_file() && found.len() <= MAX_GROUP_OBJECT_LEN as u64)
        };
        let is_object = |entry: &fs::DirEntry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| matches!(parse_store_name(name), StoreName::Object(_)))
        };
        let objects = entries.flatten().filter(|entry| is_object(entry) && is_small(entry));
        let groups = objects.take(MAX_BESIDE).filter_map(|entry| read_group(&entry.path()));
        groups.take(MAX_GROUPS).collect()
    }
}

/// The encrypted folders at and below `root`, nearest first. Those directories whose path `is_known` are not looked into,
/// nor are hidden ones, links, and what lies inside an encrypted folder.
pub(super) fn below(root: &Path, is_known: impl Fn(&Path) -> bool) -> Vec<FoundRoster> {
    let mut search = Search { left: MAX_ENTRIES, seen: HashSet::new(), queue: VecDeque::new() };
    let mut found = Vec::new();
    search.queue.push_back((root.to_path_buf(), 0));
    while let Some((directory, depth)) = search.queue.pop_front() {
        if is_known(&directory) || found.len() == MAX_FOUND {
            continue;
        }
        found.extend(search.look_into(&directory, depth));
    }
    if search.left == 0 {
        tracing::debug!(?root, "only a part of a client's directory was looked at");
    }
    found
}

struct Search {
    /// How many entries may still be looked at.
    left: usize,
    seen: HashSet<PathBuf>,
    queue: VecDeque<(PathBuf, usize)>,
}

impl Search {
    /// Looks at the entries of one directory. An encrypted folder has nothing else to find in it, however large it is.
    fn look_into(&mut self, directory: &Path, depth: usize) -> Option<FoundRoster> {
        let mut below = Vec::new();
        let mut heads = MAX_HEADS;
        for entry in fs::read_dir(directory).ok()?.flatten() {
            self.left = self.left.checked_sub(1)?;
            let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if kind.is_dir() && depth < MAX_DEPTH {
                below.push((entry.path(), depth + 1));
            } else if kind.is_file() && heads > 0 && matches!(parse_store_name(name), StoreName::Object(_)) {
                heads -= 1;
                if let Some(found) = roster_of(&entry.path()) {
                    return self.seen.insert(found.directory.clone()).then_some(found);
                }
            }
        }
        self.queue.extend(below);
        None
    }
}

/// The roster of the folder that an object belongs to: the object itself, or one beside it. That it is named in the
/// object saves looking for it among thousands.
fn roster_of(object: &Path) -> Option<FoundRoster> {
    let directory = object.parent()?;
    if let Some(prefix) = prefix_of(object).filter(|prefix| prefix.roster) {
        let folder = FolderId::new(*prefix.file_id.as_bytes());
        return found(directory, folder).filter(|_| read_group(object).is_none());
    }
    let folders: Vec<FolderId> = folders_of(object)?;
    folders.into_iter().find_map(|folder| found(directory, folder))
}

/// The roster of `folder`, in its objects' own directory or, with fan-out, in the one beside it that it belongs into.
fn found(objects: &Path, folder: FolderId) -> Option<FoundRoster> {
    let (name, fan_out) = (object_name(folder.root()), fan_out_directory(folder.root()));
    let above = objects.parent();
    let is_fanned_out = objects.file_name().is_some_and(|own| own == fan_out.as_str());
    let flat = (!is_fanned_out).then(|| (objects.to_path_buf(), objects.join(&name)));
    let fanned_out = above.map(|above| (above.to_path_buf(), above.join(&fan_out).join(&name)));
    [flat, fanned_out].into_iter().flatten().find_map(|(directory, file)| {
        let prefix = prefix_of(&file)?;
        let is_its_roster = prefix.roster && prefix.file_id == folder.root();
        is_its_roster.then_some(FoundRoster { directory, folder, file })
    })
}

/// A group's file, whole; `None` for any other.
fn read_group(object: &Path) -> Option<Vec<u8>> {
    prefix_of(object).filter(|prefix| prefix.roster)?;
    read_whole(object, MAX_GROUP_OBJECT_LEN as u64).filter(|bytes| is_group_file(bytes))
}

/// A file's bytes; `None` where it is gone, or longer than `limit`.
fn read_whole(file: &Path, limit: u64) -> Option<Vec<u8>> {
    let bytes = read_start(&open_file(file, OFlags::NOFOLLOW)?, limit + 1)?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

fn prefix_of(file: &Path) -> Option<Prefix> {
    let bytes = read_start(&open_file(file, OFlags::NOFOLLOW)?, PREFIX_LEN as u64)?;
    Prefix::parse(&bytes).ok()
}

/// The folders whose keys open an ordinary object, as its envelopes say.
fn folders_of(object: &Path) -> Option<Vec<FolderId>> {
    let file = open_file(object, OFlags::NOFOLLOW)?;
    let prefix = Prefix::parse(&read_start(&file, PREFIX_LEN as u64)?).ok()?;
    let access_len = Some(prefix.access_len).filter(|len| *len <= MAX_HEAD_BYTES)?;
    let access = Access::parse(&read_start(&file, access_len as u64)?).ok()?;
    let of_folder = access.envelopes().filter(|envelope| envelope.kind == EnvelopeType::FOLDER);
    Some(of_folder.filter_map(|envelope| Some(envelope.folder_key()?.0.folder)).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use ensafer_core::crypto::{FolderKeyName, SEALED_KEY_BYTES};
    use ensafer_core::format::{Envelope, MAX_ACCESS_LEN};
    use ensafer_core::ids::FileId;

    use super::*;

    fn folder(number: u8) -> FolderId {
        FolderId::new([number; 16])
    }

    fn head(file_id: FileId, roster: bool, access: &[u8]) -> Vec<u8> {
        let (access_len, info_len, key_epoch) = (access.len(), 0, 1);
        let prefix = Prefix { access_len, info_len, roster, file_id, key_epoch, header_mac: [0; 32] };
        [&prefix.to_bytes(), access].concat()
    }

    fn write(directory: &Path, id: FileId, bytes: &[u8]) {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join(object_name(id)), bytes).unwrap();
    }

    fn write_roster(directory: &Path, folder: FolderId) {
        write(directory, folder.root(), &head(folder.root(), true, &[0, 0]));
    }

    fn write_object(directory: &Path, number: usize, folder: FolderId) {
        let id = FileId::new((number as u128 + 1).to_be_bytes());
        let name = FolderKeyName { folder, epoch: 1, key_id: [7; 32] };
        let body = [&name.to_bytes()[..], &[0; SEALED_KEY_BYTES]].concat();
        let envelope = Envelope { kind: EnvelopeType::FOLDER, flags: 0, hint: [0; 8], body: &body };
        write(directory, id, &head(id, false, Access::build([envelope]).unwrap().as_bytes()));
    }

    fn names(root: &Path, is_known: impl Fn(&Path) -> bool) -> Vec<String> {
        let below = |found: &FoundRoster| found.directory.strip_prefix(root).unwrap().display().to_string();
        let mut names: Vec<_> = super::below(root, is_known).iter().map(below).collect();
        names.sort();
        names
    }

    #[test]
    fn rosters_are_found_down_to_a_depth_and_not_in_what_is_hidden_or_known() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let paths = ["a", "a/inside", "b/1/2/3", "b/1/2/4/5", ".hidden/c", "known/d"];
        for (number, path) in (1..).zip(paths) {
            write_roster(&root.join(path), folder(number));
        }
        symlink(root.join("b"), root.join("link")).unwrap();
        fs::write(root.join("report.pdf"), "no object").unwrap();
        let found = names(root, |path| path == root.join("known"));
        assert_eq!(found, ["a", "b/1/2/3"]);
        write_roster(root, folder(0xEE));
        assert_eq!(names(root, |_| false), [""], "the client's directory is one itself");
    }

    #[test]
    fn one_of_many_objects_leads_to_the_roster_and_the_rest_is_not_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        // More than may be looked at, were it not left as soon as it is known for what it is.
        for number in 0..MAX_ENTRIES + 1 {
            let path = root.join("many").join(format!("{number:032x}.ensafer"));
            if number < 100 {
                write_object(path.parent().unwrap(), number, folder(1));
            } else {
                fs::hard_link(root.join("many").join(object_name(FileId::new(1_u128.to_be_bytes()))), path)
                    .ok();
            }
        }
        write_roster(&root.join("many"), folder(1));
        write_roster(&root.join("z/y/x"), folder(2));
        assert_eq!(names(root, |_| false), ["many", "z/y/x"]);
    }

    #[test]
    fn entries_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for number in 0..MAX_ENTRIES {
            fs::create_dir_all(root.join(format!("d{:03}/{number}", number % 500))).unwrap();
        }
        write_roster(&root.join("d000/0/deep/deeper"), folder(1));
        assert_eq!(names(root, |_| false), [""; 0]);
        write_roster(&root.join("near"), folder(2));
        assert_eq!(names(root, |_| false), ["near"], "what is near is looked at first");
    }

    #[test]
    fn a_folder_with_fan_out_is_one() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for number in 0..20 {
            write_object(&root.join(format!("team/{number:02x}")), number, folder(0x11));
        }
        write_roster(&root.join("team/11"), folder(0x11));
        assert_eq!(names(root, |_| false), ["team"]);
    }

    #[test]
    fn a_groups_file_is_no_folder_and_lies_beside_one() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let name = FolderKeyName { folder: folder(9), epoch: 1, key_id: [7; 32] };
        let body = [&name.to_bytes()[..], &[0; 384]].concat();
        let envelope = Envelope { kind: EnvelopeType::GROUP_MEMBER, flags: 0, hint: [0; 8], body: &body };
        let access = Access::build([envelope]).unwrap();
        let group = head(folder(9).root(), true, access.as_bytes());
        write(&root.join("group alone"), folder(9).root(), &group);
        write(&root.join("shared"), folder(9).root(), &group);
        write_roster(&root.join("shared"), folder(1));
        write_object(&root.join("shared"), 1, folder(1));
        let found = below(root, |_| false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].folder, found[0].read_groups()), (folder(1), vec![group]));
    }

    #[test]
    fn what_only_looks_like_a_roster_is_none() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let other = head(folder(1).root(), true, &[0, 0]);
        write(&root.join("another's name"), folder(2).root(), &other);
        write(&root.join("short"), folder(1).root(), &other[..79]);
        write(&root.join("foreign"), folder(1).root(), &[b'x'; 200]);
        let huge = Prefix { access_len: MAX_ACCESS_LEN, ..Prefix::parse(&other).unwrap() };
        write(&root.join("huge"), folder(1).root(), &Prefix { roster: false, ..huge }.to_bytes());
        fs::create_dir_all(root.join("pipe")).unwrap();
        let pipe = root.join("pipe").join(object_name(folder(1).root()));
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RWXU).unwrap();
        fs::create_dir_all(root.join("directory").join(object_name(folder(1).root()))).unwrap();
        assert_eq!(names(root, |_| false), [""; 0]);
    }
}
