//! The entries of one directory.

use std::collections::HashSet;
use std::ffi::CStr;

use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, Name, Node, NodeKind, Stamp};

use super::{ScanOptions, is_ignored, join};
use crate::platform::{
    self, Access, AsFd, AtFlags, BorrowedFd, Errno, Facts, FileType, Mode, OFlags, facts_at, facts_of,
};
use crate::work_dir::{PRIVATE, WorkDir, node_kind};

/// What listing one directory gave.
pub(super) struct Directory {
    /// [`NodeKind::Directory`], or [`NodeKind::Unknown`] where it is a mount.
    pub(super) kind: NodeKind,
    /// `None` where it could not be opened.
    pub(super) stamp: Option<Stamp>,
    /// Sorted by name.
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
    /// When a file that has not rested may have.
    pub(super) restless: Option<Timestamp>,
    /// It was gone before it could be opened: its parent has to be listed again.
    pub(super) vanished: bool,
}

/// One entry.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) kind: NodeKind,
    pub(super) stamp: Stamp,
    pub(super) links: u64,
    pub(super) rested: bool,
}

/// What the previous scan saw in the same directory, sorted by name.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'s> {
    pub(super) nodes: &'s [Node],
    pub(super) scanned: Timestamp,
}

/// Lists the directory at `path`. Entries on another device than `device` are mounts.
pub(super) fn list(
    dir: &WorkDir,
    path: &str,
    device: u64,
    earlier: Earlier<'_>,
    options: ScanOptions,
) -> Directory {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    match platform::open_beneath(dir.root(), path, flags, Mode::empty()) {
        Ok(handle) => {
            let mut lister = Lister::new(path, device, earlier, options);
            lister.run(handle.as_fd());
            lister.directory
        }
        Err(errno) => not_opened(path, errno, options.now),
    }
}

fn not_opened(path: &str, errno: Errno, now: Timestamp) -> Directory {
    let mut directory = Directory {
        kind: NodeKind::Directory { complete: false },
        stamp: None,
        entries: Vec::new(),
        problems: Vec::new(),
        restless: None,
        vanished: false,
    };
    match errno {
        // Removed, or replaced by something else, since its parent was listed.
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => {
            directory.vanished = true;
            directory.restless = Some(now);
        }
        Errno::XDEV => {
            directory.kind = NodeKind::Unknown;
            directory.problems.push(problem(ProblemClass::NestedMount, path, ""));
        }
        _ => directory.problems.push(problem(ProblemClass::Unreadable, path, &errno.to_string())),
    }
    directory
}

fn problem(class: ProblemClass, path: &str, detail: &str) -> Problem {
    Problem { class, subject: Subject::Path(path.to_owned()), detail: detail.to_owned() }
}

struct Lister<'s> {
    path: &'s str,
    device: u64,
    earlier: Earlier<'s>,
    options: ScanOptions,
    is_complete: bool,
    directory: Directory,
}

impl<'s> Lister<'s> {
    fn new(path: &'s str, device: u64, earlier: Earlier<'s>, options: ScanOptions) -> Self {
        let directory = Directory {
            kind: NodeKind::Directory { complete: false },
            stamp: None,
            entries: Vec::with_capacity(earlier.nodes.len()),
            problems: Vec::new(),
            restless: None,
            vanished: false,
        };
        Self { path, device, earlier, options, is_complete: true, directory }
    }

    fn run(&mut self, handle: BorrowedFd<'_>) {
        // Before the listing: what changes meanwhile makes the directory look changed the next time.
        match facts_of(handle) {
            Ok(found) => self.directory.stamp = Some(found.stamp),
            Err(errno) => self.fail(errno),
        }
        if let Err(errno) = platform::list(handle, |name, kind| self.add(handle, name, kind)) {
            self.fail(errno);
        }
        self.directory.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.find_twins();
        self.directory.kind = NodeKind::Directory { complete: self.is_complete };
    }

    /// The listing is not whole; said once.
    fn fail(&mut self, errno: Errno) {
        if std::mem::take(&mut self.is_complete) {
            self.directory.problems.push(problem(ProblemClass::Unreadable, self.path, &errno.to_string()));
        }
    }

    fn add(&mut self, handle: BorrowedFd<'_>, found_name: &CStr, kind: FileType) {
        let text = found_name.to_string_lossy();
        if is_ignored(self.path.is_empty(), &text) {
            let is_directory = match kind {
                FileType::Unknown => {
                    facts_at(handle, found_name).is_ok_and(|f| f.kind == FileType::Directory)
                }
                known => known == FileType::Directory,
            };
            let is_private = self.path.is_empty() && text.eq_ignore_ascii_case(PRIVATE);
            if is_private || !is_directory {
                return;
            }
        }
        let name = match found_name.to_str().ok().map(Name::new) {
            Some(Ok(name)) => name,
            Some(Err(error)) => return self.report(ProblemClass::BadName, &text, &error.to_string()),
            None => return self.report(ProblemClass::BadName, &text, "not UTF-8"),
        };
        match facts_at(handle, found_name) {
            Ok(facts) => self.add_found(handle, found_name, name, &facts),
            // Removed since the directory was read.
            Err(Errno::NOENT) => {}
            Err(errno) => {
                self.fail(errno);
                let stamp = Stamp::default();
                self.push(Entry { name, kind: NodeKind::Unknown, stamp, links: 1, rested: true });
            }
        }
    }

    fn add_found(&mut self, handle: BorrowedFd<'_>, found_name: &CStr, name: Name, facts: &Facts) {
        let (kind, trouble) = match node_kind(handle, found_name, facts, self.options.keeps_modes) {
            Err(Errno::NOENT) => return,
            Err(errno) => (NodeKind::Unknown, Some((ProblemClass::Unreadable, errno.to_string()))),
            Ok(_) if facts.stamp.device != self.device => {
                (NodeKind::Unknown, Some((ProblemClass::NestedMount, String::new())))
            }
            Ok(NodeKind::Unknown) if facts.kind == FileType::Symlink => {
                (NodeKind::Unknown, Some((ProblemClass::BadName, "the target is not UTF-8".into())))
            }
            Ok(NodeKind::Unknown) => (NodeKind::Unknown, Some((ProblemClass::Unsupported, String::new()))),
            Ok(NodeKind::File { .. }) if !is_readable(handle, found_name, facts) => {
                (NodeKind::Unknown, Some((ProblemClass::Unreadable, Errno::ACCESS.to_string())))
            }
            Ok(kind) => (kind, None),
        };
        if let Some((class, detail)) = trouble {
            self.report(class, name.as_str(), &detail);
        }
        let rested = !matches!(kind, NodeKind::File { .. }) || self.has_rested(&name, &facts.stamp);
        self.push(Entry { name, kind, stamp: facts.stamp, links: facts.links, rested });
    }

    fn push(&mut self, entry: Entry) {
        self.directory.entries.push(entry);
    }

    fn report(&mut self, class: ProblemClass, name: &str, detail: &str) {
        self.directory.problems.push(problem(class, &join(self.path, name), detail));
    }

    /// Engine rule 4, with the age taken from the file system's own times.
    fn has_rested(&mut self, name: &Name, stamp: &Stamp) -> bool {
        let ScanOptions { now, settle, .. } = self.options;
        let due = match newest(stamp, now) {
            Some(newest) => newest.plus(settle),
            None if self.was_the_same_before(name, stamp) => now,
            None => now.plus(settle),
        };
        if due > now {
            self.directory.restless = self.directory.restless.into_iter().chain([due]).min();
        }
        due <= now
    }

    /// Where the clock was set back, only having seen the same before tells that a file rests.
    fn was_the_same_before(&self, name: &Name, stamp: &Stamp) -> bool {
        let found = self.earlier.nodes.binary_search_by(|node| node.name.cmp(name));
        found.is_ok_and(|at| self.earlier.nodes[at].stamp == *stamp)
            && self.options.now.since(self.earlier.scanned) >= self.options.settle
    }

    /// A second name that the file system takes for the same is there, but cannot be synced (engine rule 8).
    fn find_twins(&mut self) {
        if self.options.folding == Folding::Exact {
            return;
        }
        let mut names = HashSet::new();
        for entry in &mut self.directory.entries {
            if !names.insert(entry.name.folded(self.options.folding)) {
                entry.kind = NodeKind::Unknown;
                let path = join(self.path, entry.name.as_str());
                let detail = "another name is equal to this one here";
                self.directory.problems.push(problem(ProblemClass::BadName, &path, detail));
            }
        }
    }
}

/// When the file was last touched; `None` where that lies in the future. A modification time alone in the future was
/// set by hand and says nothing.
fn newest(stamp: &Stamp, now: Timestamp) -> Option<Timestamp> {
    let knows_change = stamp.changed != Timestamp::default();
    match (stamp.modified <= now, stamp.changed <= now) {
        (true, true) => Some(stamp.modified.max(stamp.changed)),
        (false, true) if knows_change => Some(stamp.changed),
        _ => None,
    }
}

/// Whether this process may read a file. Asked only where the permissions leave a doubt.
fn is_readable(handle: BorrowedFd<'_>, name: &CStr, facts: &Facts) -> bool {
    facts.mode & 0o444 == 0o444
        || !matches!(
            platform::accessat(handle, name, Access::READ_OK, AtFlags::EACCESS),
            Err(Errno::ACCESS | Errno::PERM)
        )
}
