//! An encrypted folder that is only looked at.

use std::path::Path;

use ensafer_core::tree::StoreKey;

use super::{CommitError, EncryptedStore, Listing, StagedObject, StoreError, StoreStamp, StoredObject};

/// Reads another store, and writes nothing: for dry runs. To whoever wants to write it is a folder without permission.
pub struct ReadOnlyStore<S>(pub S);

fn denied() -> StoreError {
    let source = std::io::ErrorKind::PermissionDenied.into();
    StoreError::Denied { what: "the encrypted folder in a dry run".to_owned(), source }
}

impl<S: EncryptedStore> EncryptedStore for ReadOnlyStore<S> {
    fn list(&self) -> Result<Listing, StoreError> {
        self.0.list()
    }

    fn look(&self, key: &StoreKey) -> Result<Option<StoreStamp>, StoreError> {
        self.0.look(key)
    }

    fn open(&self, key: &StoreKey) -> Result<Box<dyn StoredObject>, StoreError> {
        self.0.open(key)
    }

    fn stage(&self) -> Result<Box<dyn StagedObject>, StoreError> {
        Err(denied())
    }

    fn barrier(&self, _: &[Box<dyn StagedObject>]) -> Result<(), StoreError> {
        Err(denied())
    }

    fn commit(
        &self,
        _: Box<dyn StagedObject>,
        _: &StoreKey,
        _: Option<StoreStamp>,
        _: Option<&Path>,
    ) -> Result<StoreStamp, CommitError> {
        Err(denied().into())
    }

    fn remove(&self, _: &StoreKey, _: StoreStamp, _: Option<&Path>) -> Result<(), CommitError> {
        Err(denied().into())
    }

    fn sync_directories(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn sweep(&self, _: &Path) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn probe(&self) -> Result<(), StoreError> {
        Err(denied())
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.0.free_bytes()
    }
}
