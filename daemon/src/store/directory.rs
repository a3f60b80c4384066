//! directory
use std::path::Path;

use ensafer_core::ids::DeviceId;

use super::StoreError;

/// The encrypted folder as a directory of this machine.
pub struct DirectoryStore {}

impl DirectoryStore {
    /// Opens an existing directory. `device` is in the names of temporary files.
    pub fn open(path: &Path, device: DeviceId) -> Result<Self, StoreError> {
        let _ = (path, device);
        todo!()
    }
}
