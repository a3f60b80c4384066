//! The encrypted folder as a directory of this machine, which some cloud client carries elsewhere.

use std::any::Any;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ensafer_core::ids::DeviceId;
use ensafer_core::tree::{Name, Stamp, StoreKey};

use super::{
    CommitError, EXTENSION, EncryptedStore, Listing, StagedObject, StoreError, StoreStamp, StoredObject,
    is_object_name,
};
use crate::durable::{Anchor, unique_number};
use crate::platform::{
    self, AsFd, AtFlags, BorrowedFd, CWD, Errno, FileExt, FileType, Mode, OFlags, OwnedFd, SEARCH, exchange,
    facts_at, facts_of, open_beneath, rename_new,
};

mod keep;
mod list;
#[cfg(test)]
mod tests;

/// Begins the name of every temporary file.
const TEMPORARY_PREFIX: &str = ".~ensafer-";
/// Ends the name of a staged file: nobody misses it.
const STAGED: &str = ".tmp";
/// Ends the name of a file that is being exchanged with an object: it may hold what was there, and is kept.
const OUTGOING: &str = ".out";

/// Most exchanges with somebody who changes the same object at the same time.
const PUT_BACK_ATTEMPTS: u32 = 8;

/// The encrypted folder as a directory.
#[derive(Debug)]
pub struct DirectoryStore {
    anchor: Arc<Anchor>,
    path: PathBuf,
    identity: Stamp,
    device: DeviceId,
}

/// A temporary file at the top of the encrypted folder.
#[derive(Debug)]
struct Staged {
    file: File,
    anchor: Arc<Anchor>,
    /// Empty once it is an object, or nothing.
    name: String,
    length_bytes: AtomicU64,
}

#[derive(Debug)]
struct Stored {
    file: File,
    key: StoreKey,
}

impl DirectoryStore {
    /// Opens an existing directory; a symbolic link given as `path` is followed now and never again. `device` is in
    /// the names of temporary files.
    pub fn open(path: &Path, device: DeviceId) -> Result<Self, StoreError> {
        let what = path.display().to_string();
        let path = platform::canonicalize(path).map_err(|e| failed(&what, errno_of(&e)))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = platform::open(&path, flags, Mode::empty()).map_err(|e| failed(&what, e))?;
        let identity = facts_of(&root).map_err(|e| failed(&what, e))?.stamp;
        Ok(Self { anchor: Arc::new(Anchor::new(root)), path, identity, device })
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file system tells of every change: not on network and FUSE file systems (engine rule 7).
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.anchor.file_system().has_events
    }

    fn root(&self) -> BorrowedFd<'_> {
        self.anchor.root()
    }

    /// A directory that was moved away or unmounted looks empty, which must not look as if all had vanished.
    fn check_in_place(&self) -> Result<(), StoreError> {
        let identity = |stamp: Stamp| (stamp.device, stamp.inode);
        match facts_at(CWD, &self.path) {
            Ok(found) if identity(found.stamp) == identity(self.identity) => Ok(()),
            _ => Err(StoreError::Gone),
        }
    }

    fn temporary(&self, ending: &str) -> String {
        format!("{TEMPORARY_PREFIX}{}-{:016x}{ending}", self.device, unique_number())
    }

    /// The directory that holds `key`, opened, and the name there.
    fn parent<'k>(&self, key: &'k StoreKey, make: bool) -> Result<(OwnedFd, &'k str, &'k str), StoreError> {
        let bad = || StoreError::BadKey { key: key.clone() };
        let (directory, name) = key.0.rsplit_once('/').unwrap_or(("", &key.0));
        let is_plain = key.0.split('/').all(|component| Name::new(component).is_ok());
        if !is_plain || !is_object_name(name) {
            return Err(bad());
        }
        let open = || open_beneath(self.root(), directory, SEARCH, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) if make => self.make_directories(directory).and_then(|()| open()),
            opened => opened,
        };
        match opened {
            Ok(parent) => Ok((parent, directory, name)),
            Err(Errno::LOOP | Errno::XDEV | Errno::NOTDIR) => Err(bad()),
            Err(error) => Err(of_key(key, error)),
        }
    }

    fn make_directories(&self, directory: &str) -> platform::Result<()> {
        let mut made = "";
        for end in directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]) {
            let parent = open_beneath(self.root(), made, SEARCH, Mode::empty())?;
            let name = directory[made.len()..end].trim_start_matches('/');
            match platform::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => self.anchor.touch(made),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            made = &directory[..end];
        }
        Ok(())
    }

    /// Puts a staged file, under its outgoing name, where the expected object is; what was there has that name then.
    fn exchange_expected(
        &self,
        outgoing: &str,
        own_inode: u64,
        place: &Place<'_>,
        expected: &StoreStamp,
    ) -> Result<(), CommitError> {
        let changed = || CommitError::Changed { key: place.key.clone() };
        match exchange(self.root(), outgoing, &place.parent, place.name) {
            Ok(true) => {}
            Ok(false) => return self.exchange_in_steps(outgoing, place, expected),
            Err(Errno::NOENT) => return Err(changed()),
            Err(error) => return Err(of_key(place.key, error).into()),
        }
        if self.stamp_of_name(outgoing)?.same_content(expected) {
            return Ok(());
        }
        self.exchange_back(outgoing, own_inode, place)?;
        Err(changed())
    }

    /// Undoes an exchange: what has the outgoing name goes back, and out comes ours, or something still newer.
    fn exchange_back(&self, outgoing: &str, own_inode: u64, place: &Place<'_>) -> Result<(), StoreError> {
        for _ in 0..PUT_BACK_ATTEMPTS {
            match exchange(self.root(), outgoing, &place.parent, place.name) {
                Ok(true) if self.stamp_of_name(outgoing)?.inode == own_inode => return Ok(()),
                Ok(true) => {}
                Ok(false) => return self.exchange_back_in_steps(outgoing, own_inode, place),
                Err(Errno::NOENT) => break,
                Err(error) => return Err(of_key(place.key, error)),
            }
        }
        self.put_beside(outgoing, place)
    }

    /// For file systems without an atomic exchange: ours aside, what was there in. Something still newer keeps the place.
    fn exchange_back_in_steps(
        &self,
        outgoing: &str,
        own_inode: u64,
        place: &Place<'_>,
    ) -> Result<(), StoreError> {
        // Where nothing is to come in, ours is better than nothing.
        if matches!(facts_at(self.root(), outgoing), Err(Errno::NOENT)) {
            return Ok(());
        }
        let aside = self.temporary(OUTGOING);
        match rename_new(&place.parent, place.name, self.root(), &aside) {
            Ok(()) if self.stamp_of_name(&aside)?.inode == own_inode => {
                self.put_beside(outgoing, place)?;
                // Ours, which the caller removes, takes the name under which he looks for it.
                rename_new(self.root(), &aside, self.root(), outgoing).map_err(|e| of_key(place.key, e))
            }
            Ok(()) => self.put_beside(&aside, place).and_then(|()| self.put_beside(outgoing, place)),
            Err(Errno::NOENT) => self.put_beside(outgoing, place),
            Err(error) => Err(of_key(place.key, error)),
        }
    }

    /// For file systems without an atomic exchange: aside, check, in.
    fn exchange_in_steps(
        &self,
        outgoing: &str,
        place: &Place<'_>,
        expected: &StoreStamp,
    ) -> Result<(), CommitError> {
        let error = |e| CommitError::from(of_key(place.key, e));
        let aside = self.temporary(OUTGOING);
        match rename_new(&place.parent, place.name, self.root(), &aside) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(CommitError::Changed { key: place.key.clone() }),
            Err(other) => return Err(error(other)),
        }
        if self.stamp_of_name(&aside)?.same_content(expected) {
            match rename_new(self.root(), outgoing, &place.parent, place.name) {
                // What was there takes the name under which the caller looks for it.
                Ok(()) => return rename_new(self.root(), &aside, self.root(), outgoing).map_err(error),
                Err(Errno::EXIST) => {}
                Err(other) => {
                    self.put_beside(&aside, place)?;
                    return Err(error(other));
                }
            }
        }
        self.put_beside(&aside, place)?;
        Err(CommitError::Changed { key: place.key.clone() })
    }

    /// Gives a file with a temporary name its object's name, or one beside it, as a cloud client does with copies.
    fn put_beside(&self, temporary: &str, place: &Place<'_>) -> Result<(), StoreError> {
        self.anchor.touch(place.directory);
        let stem = place.name.get(..place.name.len() - EXTENSION.len()).unwrap_or(place.name);
        let mut name = place.name.to_owned();
        for copy in 1..100 {
            match rename_new(self.root(), temporary, &place.parent, &name) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST) => name = format!("{stem} ({copy}){EXTENSION}"),
                Err(error) => return Err(of_key(place.key, error)),
            }
        }
        Err(of_key(place.key, Errno::EXIST))
    }

    fn stamp_of_name(&self, name: &str) -> Result<StoreStamp, StoreError> {
        facts_at(self.root(), name).map(|found| stamp(&found.stamp)).map_err(|e| failed(name, e))
    }

    fn unlink(&self, name: &str) {
        // Should this fail, the next sweep takes care of it.
        let _ = platform::unlinkat(self.root(), name, AtFlags::empty());
    }
}

/// Where an object is or is to be.
struct Place<'k> {
    parent: OwnedFd,
    directory: &'k str,
    name: &'k str,
    key: &'k StoreKey,
}

impl EncryptedStore for DirectoryStore {
    fn list(&self) -> Result<Listing, StoreError> {
        self.check_in_place()?;
        list::list(self.root(), self.device).map_err(|e| failed(&self.path.display().to_string(), e))
    }

    fn look(&self, key: &StoreKey) -> Result<Option<StoreStamp>, StoreError> {
        let (parent, _, name) = match self.parent(key, false) {
            Ok(found) => found,
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match facts_at(&parent, name) {
            Ok(found) if found.kind == FileType::RegularFile => Ok(Some(stamp(&found.stamp))),
            Ok(_) => Err(StoreError::BadKey { key: key.clone() }),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(of_key(key, error)),
        }
    }

    fn open(&self, key: &StoreKey) -> Result<Box<dyn StoredObject>, StoreError> {
        let (parent, _, name) = self.parent(key, false)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        match open_beneath(parent.as_fd(), name, flags, Mode::empty()) {
            Ok(file) => match facts_of(&file).map_err(|e| of_key(key, e))?.kind {
                FileType::RegularFile => Ok(Box::new(Stored { file: file.into(), key: key.clone() })),
                _ => Err(StoreError::BadKey { key: key.clone() }),
            },
            Err(Errno::LOOP | Errno::XDEV) => Err(StoreError::BadKey { key: key.clone() }),
            Err(error) => Err(of_key(key, error)),
        }
    }

    fn stage(&self) -> Result<Box<dyn StagedObject>, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = self.temporary(STAGED);
        let file = platform::openat(self.root(), &name, flags, Mode::from_raw_mode(0o666));
        let file = file.map_err(|e| failed(&name, e))?.into();
        Ok(Box::new(Staged { file, anchor: Arc::clone(&self.anchor), name, length_bytes: AtomicU64::new(0) }))
    }

    fn barrier(&self, batch: &[Box<dyn StagedObject>]) -> Result<(), StoreError> {
        let staged: Vec<&Staged> = batch
            .iter()
            .map(|object| object.as_any().downcast_ref().ok_or_else(foreign))
            .collect::<Result<_, _>>()?;
        let bytes = staged.iter().map(|object| object.length()).sum();
        let done = self.anchor.barrier(staged.iter().map(|object| &object.file), bytes);
        done.map_err(|e| failed("new objects", e))
    }

    fn commit(
        &self,
        staged: Box<dyn StagedObject>,
        key: &StoreKey,
        expected: Option<StoreStamp>,
        keep: Option<&Path>,
    ) -> Result<StoreStamp, CommitError> {
        let mut staged: Box<Staged> = staged.into_any().downcast().map_err(|_| foreign())?;
        let changed = || CommitError::Changed { key: key.clone() };
        let (parent, directory, name) = self.parent(key, expected.is_none())?;
        let place = Place { parent, directory, name, key };
        let Some(expected) = expected else {
            return match rename_new(self.root(), &staged.name, &place.parent, name) {
                Ok(()) => {
                    staged.disarm();
                    self.anchor.touch(directory);
                    Ok(staged.stamp(key)?)
                }
                Err(Errno::EXIST) => Err(changed()),
                Err(error) => Err(of_key(key, error).into()),
            };
        };
        if self.look(key)? != Some(expected) {
            return Err(changed());
        }
        let own_inode = staged.stamp(key)?.inode;
        let outgoing = self.temporary(OUTGOING);
        rename_new(self.root(), &staged.name, self.root(), &outgoing).map_err(|e| of_key(key, e))?;
        staged.name.clone_from(&outgoing);
        self.exchange_expected(&outgoing, own_inode, &place, &expected)
            .inspect_err(|_| staged.forget_unless_own(own_inode))?;
        self.anchor.touch(directory);
        if let Err(error) = self.keep(&outgoing, keep) {
            let back = self.exchange_back(&outgoing, own_inode, &place);
            // What could not be put back has the outgoing name: it must outlive this.
            staged.forget_unless_own(own_inode);
            back?;
            return Err(error.into());
        }
        staged.disarm();
        Ok(staged.stamp(key)?)
    }

    fn remove(&self, key: &StoreKey, expected: StoreStamp, keep: Option<&Path>) -> Result<(), CommitError> {
        let (parent, directory, name) = self.parent(key, false)?;
        let place = Place { parent, directory, name, key };
        match self.look(key)? {
            None => return Err(StoreError::Missing { key: key.clone() }.into()),
            Some(found) if found != expected => return Err(CommitError::Changed { key: key.clone() }),
            Some(_) => {}
        }
        let outgoing = self.temporary(OUTGOING);
        rename_new(&place.parent, name, self.root(), &outgoing).map_err(|e| of_key(key, e))?;
        self.anchor.touch(directory);
        if !self.stamp_of_name(&outgoing)?.same_content(&expected) {
            self.put_beside(&outgoing, &place)?;
            return Err(CommitError::Changed { key: key.clone() });
        }
        self.keep(&outgoing, keep).or_else(|error| {
            self.put_beside(&outgoing, &place)?;
            Err(error.into())
        })
    }

    fn sync_directories(&self) -> Result<(), StoreError> {
        self.anchor.sync_directories().map_err(|e| failed("the encrypted folder", e))
    }

    fn sweep(&self, keep: &Path) -> Result<usize, StoreError> {
        self.sweep_own(keep)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.check_in_place()?;
        self.stage().map(drop)
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        let found = platform::fstatvfs(self.root()).map_err(|e| failed("the encrypted folder", e))?;
        Ok(Some(found.f_bavail.saturating_mul(found.f_frsize)))
    }
}

impl StagedObject for Staged {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(bytes, offset).map_err(|e| failed(&self.name, errno_of(&e)))?;
        self.length_bytes.fetch_max(offset.saturating_add(bytes.len() as u64), Ordering::Relaxed);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length_bytes.load(Ordering::Relaxed)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Staged {
    fn disarm(&mut self) {
        self.name.clear();
    }

    /// After a failed exchange the name may belong to somebody else's bytes, which stay.
    fn forget_unless_own(&mut self, own_inode: u64) {
        let found = facts_at(self.anchor.root(), &self.name);
        if !found.is_ok_and(|found| found.stamp.inode == own_inode) {
            self.disarm();
        }
    }

    fn stamp(&self, key: &StoreKey) -> Result<StoreStamp, StoreError> {
        facts_of(&self.file).map(|found| stamp(&found.stamp)).map_err(|e| of_key(key, e))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // Should this fail, the next sweep removes it.
            let _ = platform::unlinkat(self.anchor.root(), &self.name, AtFlags::empty());
        }
    }
}

impl StoredObject for Stored {
    fn stamp(&self) -> Result<StoreStamp, StoreError> {
        facts_of(&self.file).map(|found| stamp(&found.stamp)).map_err(|e| of_key(&self.key, e))
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        let what = || self.key.to_string();
        self.file.read_exact_at(buffer, offset).map_err(|source| StoreError::Io { what: what(), source })
    }
}

fn stamp(found: &Stamp) -> StoreStamp {
    StoreStamp { length: found.size, modified: found.modified, changed: found.changed, inode: found.inode }
}

fn of_key(key: &StoreKey, errno: Errno) -> StoreError {
    match errno {
        Errno::NOENT => StoreError::Missing { key: key.clone() },
        other => failed(&key.0, other),
    }
}

fn failed(what: &str, errno: Errno) -> StoreError {
    let what = what.to_owned();
    match errno {
        Errno::NOSPC | Errno::DQUOT => StoreError::DiskFull { what, source: errno.into() },
        Errno::ACCESS | Errno::PERM | Errno::ROFS => StoreError::Denied { what, source: errno.into() },
        _ => StoreError::Io { what, source: errno.into() },
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn foreign() -> StoreError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "staged in another store");
    StoreError::Io { what: "a staged object".into(), source }
}
