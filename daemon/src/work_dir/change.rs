//! Making, moving and touching up entries of the work folder.

use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, Stamp};

use super::stage::{times, with_executable};
use super::{Parent, WorkDir, WorkError, is_expected, is_same_moved};
use crate::platform::{
    self, AsFd, AtFlags, Errno, Facts, FileType, Mode, OFlags, exchange, facts_at, facts_of, open_beneath,
    rename_new, set_mode,
};

impl WorkDir {
    /// Makes a directory, where nothing may be. Its stamp changes as it is filled.
    pub fn make_directory(&self, path: &str) -> Result<Stamp, WorkError> {
        self.make(path, |parent, name| platform::mkdirat(parent, name, Mode::RWXU | Mode::RWXG | Mode::RWXO))
    }

    /// Makes a symbolic link, where nothing may be. The target is never looked at.
    pub fn make_symlink(&self, target: &str, path: &str) -> Result<Stamp, WorkError> {
        self.make(path, |parent, name| platform::symlinkat(target, parent, name))
    }

    fn make(
        &self,
        path: &str,
        make: impl Fn(&Parent<'_>, &str) -> platform::Result<()>,
    ) -> Result<Stamp, WorkError> {
        let (parent, name) = self.inner.parent(path)?;
        make(&parent, name).map_err(|e| WorkError::new(path, e))?;
        self.inner.touch_parent_of(path);
        Ok(parent.facts(name).map_err(|e| WorkError::new(path, e))?.stamp)
    }

    /// Moves the expected entry to a place where nothing may be. If something else was moved it is put back.
    pub fn rename(&self, from: &str, to: &str, expected: &Stamp) -> Result<Stamp, WorkError> {
        let (from_parent, from_name) = self.inner.parent(from)?;
        let (to_parent, to_name) = self.inner.parent(to)?;
        expect(&from_parent, from_name, from, expected)?;
        match rename_new(&from_parent, from_name, &to_parent, to_name) {
            Ok(()) => {}
            // `readme` and `README` may be one entry.
            Err(Errno::EXIST) if self.is_one_entry(&to_parent, to_name, expected) => {
                let renamed = platform::renameat(&from_parent, from_name, &to_parent, to_name);
                renamed.map_err(|e| WorkError::new(to, e))?;
            }
            Err(error @ Errno::EXIST) => return Err(WorkError::new(to, error)),
            Err(error) => return Err(WorkError::new(from, error)),
        }
        self.inner.touch_parent_of(from);
        self.inner.touch_parent_of(to);
        let moved = to_parent.facts(to_name).map_err(|e| WorkError::new(to, e))?;
        if is_same_moved(&moved, expected) {
            return Ok(moved.stamp);
        }
        match rename_new(&to_parent, to_name, &from_parent, from_name) {
            Ok(()) => Err(WorkError::Changed { path: from.to_owned() }),
            Err(_) => Err(WorkError::KeptBeside { path: from.to_owned(), beside: to.to_owned() }),
        }
    }

    fn is_one_entry(&self, parent: &Parent<'_>, name: &str, expected: &Stamp) -> bool {
        self.folding() != Folding::Exact
            && parent.facts(name).is_ok_and(|found| found.stamp.inode == expected.inode && found.links == 1)
    }

    /// Exchanges two expected entries, atomically. Returns the stamps, from now on, of what was at `a` and at `b`.
    /// [`WorkError::Io`] with [`std::io::ErrorKind::Unsupported`] where the file system cannot.
    pub fn exchange(
        &self,
        a: &str,
        expected_a: &Stamp,
        b: &str,
        expected_b: &Stamp,
    ) -> Result<(Stamp, Stamp), WorkError> {
        let (a_parent, a_name) = self.inner.parent(a)?;
        let (b_parent, b_name) = self.inner.parent(b)?;
        expect(&a_parent, a_name, a, expected_a)?;
        expect(&b_parent, b_name, b, expected_b)?;
        let swap = || exchange(&a_parent, a_name, &b_parent, b_name).map_err(|e| WorkError::new(a, e));
        if !swap()? {
            return Err(WorkError::Io { path: a.to_owned(), source: std::io::ErrorKind::Unsupported.into() });
        }
        self.inner.touch_parent_of(a);
        self.inner.touch_parent_of(b);
        let at_b = b_parent.facts(b_name).map_err(|e| WorkError::new(b, e))?;
        let at_a = a_parent.facts(a_name).map_err(|e| WorkError::new(a, e))?;
        if is_same_moved(&at_b, expected_a) && is_same_moved(&at_a, expected_b) {
            return Ok((at_b.stamp, at_a.stamp));
        }
        swap()?;
        Err(WorkError::Changed { path: a.to_owned() })
    }

    /// Sets the time of the last change and, for files and where the file system keeps it, the executable bit of the expected
    /// entry.
    pub fn set_metadata(
        &self,
        path: &str,
        expected: &Stamp,
        modified: Option<Timestamp>,
        executable: Option<bool>,
    ) -> Result<Stamp, WorkError> {
        let error = |e| WorkError::new(path, e);
        let (parent, name) = self.inner.parent(path)?;
        let found = expect(&parent, name, path, expected)?;
        if found.kind == FileType::Symlink {
            if let Some(modified) = modified {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                platform::utimensat(&parent, name, &times(modified), flags).map_err(error)?;
            }
            return Ok(parent.facts(name).map_err(error)?.stamp);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let entry = open_beneath(self.root(), path, flags, Mode::empty()).map_err(error)?;
        let opened = facts_of(&entry).map_err(error)?;
        if !is_expected(&opened, expected) {
            return Err(WorkError::Changed { path: path.to_owned() });
        }
        let has_mode = opened.kind == FileType::RegularFile && self.inner.keeps_modes();
        if let Some(executable) = executable.filter(|_| has_mode) {
            set_mode(&entry, with_executable(opened.mode & 0o777, executable)).map_err(error)?;
        }
        if let Some(modified) = modified {
            platform::futimens(&entry, &times(modified)).map_err(error)?;
        }
        Ok(facts_of(&entry).map_err(error)?.stamp)
    }

    /// Sets a directory's time of last change, after it was filled; the stamp need not be known.
    pub fn set_directory_time(&self, path: &str, modified: Timestamp) -> Result<Stamp, WorkError> {
        let error = |e| WorkError::new(path, e);
        self.inner.check(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = open_beneath(self.root(), path, flags, Mode::empty()).map_err(error)?;
        platform::futimens(&directory, &times(modified)).map_err(error)?;
        Ok(facts_of(&directory).map_err(error)?.stamp)
    }
}

fn expect(parent: impl AsFd, name: &str, path: &str, expected: &Stamp) -> Result<Facts, WorkError> {
    let found = facts_at(parent, name).map_err(|e| WorkError::new(path, e))?;
    if is_expected(&found, expected) { Ok(found) } else { Err(WorkError::Changed { path: path.to_owned() }) }
}
