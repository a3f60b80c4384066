//! The marker that says which folder a directory is.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ensafer_core::ids::{DeviceId, FolderId};
use ensafer_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PRIVATE, WorkDir, WorkError};
use crate::platform::{self, Errno, Mode, OFlags, flush, open_beneath, write_out};

const FILE: &str = "folder";
/// More than any marker needs; a longer file is none.
const MAX_BYTES: u64 = 4096;

/// Which folder this is, and on which device it was added: TOML in [`PRIVATE`]`/folder`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The folder.
    pub folder_id: FolderId,
    /// The device that added it.
    pub device_id: DeviceId,
    /// When, in nanoseconds since 1970.
    pub made: Timestamp,
}

/// Where the marker of the work directory `work` lies.
#[must_use]
pub fn marker_path(work: &Path) -> PathBuf {
    work.join(PRIVATE).join(FILE)
}

impl WorkDir {
    /// Reads the marker; `None` where there is none. One that is not understood is an [`WorkError::Io`] with
    /// [`std::io::ErrorKind::InvalidData`].
    pub fn read_marker(&self) -> Result<Option<Marker>, WorkError> {
        let path = format!("{PRIVATE}/{FILE}");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = match open_beneath(self.root(), &path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(WorkError::new(&path, error)),
        };
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(|e| WorkError::io(&path, e))?;
        toml::from_str(&text).map(Some).map_err(|error| WorkError::Io {
            path,
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })
    }

    /// Writes the marker, durably and atomically, in place of the one that may be there.
    pub fn write_marker(&self, marker: &Marker) -> Result<(), WorkError> {
        let path = format!("{PRIVATE}/{FILE}");
        let text = toml::to_string(marker).map_err(|error| WorkError::Io {
            path: path.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        let mut staged = self.stage()?;
        let mut file = staged.file();
        file.write_all(text.as_bytes()).map_err(|e| WorkError::io(&path, e))?;
        write_out(file).and_then(|()| flush(file)).map_err(|e| WorkError::new(&path, e))?;
        let private = self.inner.private("")?;
        let renamed = platform::renameat(staged.directory(), staged.name(), &private, FILE);
        renamed.map_err(|e| WorkError::new(&path, e))?;
        staged.disarm();
        self.inner.anchor.touch(PRIVATE);
        self.sync_directories()
    }
}
