//! The encrypted folder in memory, for tests: no disk, no temporary files, the same promises.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Name, StoreKey};

use super::{
    CommitError, EncryptedStore, Listed, Listing, StagedObject, StoreError, StoreStamp, StoredObject,
    is_object_name,
};

/// An encrypted folder in memory. Clones share it, as two devices share a cloud's.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<StoreKey, Stored>,
    /// Goes up with every change; stands for time and for inode numbers.
    ticks: u64,
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Arc<Vec<u8>>,
    stamp: StoreStamp,
}

#[derive(Debug, Default)]
struct Staged {
    bytes: Mutex<Vec<u8>>,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts bytes there as somebody else would, without asking.
    pub fn put(&self, key: &StoreKey, bytes: Vec<u8>) -> StoreStamp {
        self.state().insert(key, bytes)
    }

    /// Takes an object away as somebody else would, without asking.
    pub fn take(&self, key: &StoreKey) -> Option<Vec<u8>> {
        self.state().objects.remove(key).map(|object| object.bytes.to_vec())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, key: &StoreKey, bytes: Vec<u8>) -> StoreStamp {
        self.ticks += 1;
        let now = Timestamp::from_nanos(i64::try_from(self.ticks).unwrap_or(i64::MAX));
        let stamp = StoreStamp { length: bytes.len() as u64, modified: now, changed: now, inode: self.ticks };
        self.objects.insert(key.clone(), Stored { bytes: Arc::new(bytes), stamp });
        stamp
    }

    fn check(&self, key: &StoreKey, expected: StoreStamp) -> Result<&Stored, CommitError> {
        match self.objects.get(key) {
            Some(found) if found.stamp == expected => Ok(found),
            _ => Err(CommitError::Changed { key: key.clone() }),
        }
    }
}

impl EncryptedStore for MemoryStore {
    fn list(&self) -> Result<Listing, StoreError> {
        let listed = |(key, object): (&StoreKey, &Stored)| Listed { key: key.clone(), stamp: object.stamp };
        let objects = self.state().objects.iter().map(listed).collect();
        Ok(Listing { objects, complete: true, ..Listing::default() })
    }

    fn look(&self, key: &StoreKey) -> Result<Option<StoreStamp>, StoreError> {
        check_key(key)?;
        Ok(self.state().objects.get(key).map(|object| object.stamp))
    }

    fn open(&self, key: &StoreKey) -> Result<Box<dyn StoredObject>, StoreError> {
        check_key(key)?;
        match self.state().objects.get(key) {
            Some(object) => Ok(Box::new(object.clone())),
            None => Err(StoreError::Missing { key: key.clone() }),
        }
    }

    fn stage(&self) -> Result<Box<dyn StagedObject>, StoreError> {
        Ok(Box::new(Staged::default()))
    }

    fn barrier(&self, _batch: &[Box<dyn StagedObject>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(
        &self,
        staged: Box<dyn StagedObject>,
        key: &StoreKey,
        expected: Option<StoreStamp>,
        keep: Option<&Path>,
    ) -> Result<StoreStamp, CommitError> {
        check_key(key)?;
        let staged: Box<Staged> = staged.into_any().downcast().map_err(|_| foreign())?;
        let mut state = self.state();
        match expected {
            None if state.objects.contains_key(key) => {
                return Err(CommitError::Changed { key: key.clone() });
            }
            None => {}
            Some(expected) => keep_at(keep, &state.check(key, expected)?.bytes)?,
        }
        Ok(state.insert(key, staged.bytes.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    fn remove(&self, key: &StoreKey, expected: StoreStamp, keep: Option<&Path>) -> Result<(), CommitError> {
        check_key(key)?;
        let mut state = self.state();
        if !state.objects.contains_key(key) {
            return Err(StoreError::Missing { key: key.clone() }.into());
        }
        keep_at(keep, &state.check(key, expected)?.bytes)?;
        state.objects.remove(key);
        Ok(())
    }

    fn sync_directories(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn sweep(&self, _keep: &Path) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

impl StagedObject for Staged {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut all = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| too_large())?;
        let end = start.checked_add(bytes.len()).ok_or_else(too_large)?;
        if all.len() < end {
            all.resize(end, 0);
        }
        all[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl StoredObject for Stored {
    fn stamp(&self) -> Result<StoreStamp, StoreError> {
        Ok(self.stamp)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        let range =
            usize::try_from(offset).ok().and_then(|at| self.bytes.get(at..at.checked_add(buffer.len())?));
        let source = std::io::ErrorKind::UnexpectedEof;
        buffer.copy_from_slice(
            range.ok_or(StoreError::Io { what: "an object".into(), source: source.into() })?,
        );
        Ok(())
    }
}

fn check_key(key: &StoreKey) -> Result<(), StoreError> {
    let is_plain = key.0.split('/').all(|component| Name::new(component).is_ok());
    let is_object = key.0.rsplit('/').next().is_some_and(is_object_name);
    if is_plain && is_object { Ok(()) } else { Err(StoreError::BadKey { key: key.clone() }) }
}

/// The trash is a real directory even where the encrypted folder is not.
fn keep_at(keep: Option<&Path>, bytes: &[u8]) -> Result<(), StoreError> {
    let Some(keep) = keep else { return Ok(()) };
    let written =
        std::fs::File::create_new(keep).and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
    written.map_err(|source| StoreError::Io { what: keep.display().to_string(), source })
}

fn too_large() -> StoreError {
    StoreError::Io { what: "a staged object".into(), source: std::io::ErrorKind::FileTooLarge.into() }
}

fn foreign() -> StoreError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "staged in another store");
    StoreError::Io { what: "a staged object".into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        let kept = tempfile::tempdir().unwrap();
        super::super::conformance::check(&|| Arc::new(MemoryStore::new()), kept.path());
    }
}
