//! The list of folders of this device: `folders.json` in the data directory, written atomically.

use std::fs;
use std::path::{Path, PathBuf};

use ensafer_client::private_file;
use ensafer_core::api::local::FolderReport;
use ensafer_core::ids::FolderId;
use serde::{Deserialize, Serialize};

/// A synced pair of directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderEntry {
    /// The folder.
    pub id: FolderId,
    /// The directory with ordinary files; absolute, without symbolic links.
    pub work: PathBuf,
    /// The directory with `.ensafer` files; absolute, without symbolic links.
    pub encrypted: PathBuf,
}

impl FolderEntry {
    /// The folder as reports have it.
    #[must_use]
    pub fn report(&self) -> FolderReport {
        FolderReport {
            id: self.id,
            work: self.work.to_string_lossy().into_owned(),
            encrypted: self.encrypted.to_string_lossy().into_owned(),
        }
    }
}

/// The list could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FoldersError {
    /// The file system refused.
    #[error("the list of folders {path} cannot be read or written")]
    Io {
        /// The list's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not such a list.
    #[error("the list of folders {path} is damaged; restore it, or remove it and add the folders again")]
    Damaged {
        /// The list's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The folders of this device.
#[derive(Debug)]
pub struct Folders {
    data: PathBuf,
    entries: Vec<FolderEntry>,
}

impl Folders {
    /// Reads the list in the data directory `data`; an absent file is an empty list.
    pub fn load(data: &Path) -> Result<Self, FoldersError> {
        let path = list_path(data);
        let entries = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| FoldersError::Damaged { path, source })?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(FoldersError::Io { path, source }),
        };
        Ok(Self { data: data.into(), entries })
    }

    /// The folders, in the order in which they were added.
    #[must_use]
    pub fn entries(&self) -> &[FolderEntry] {
        &self.entries
    }

    /// The folder whose work directory is, or contains, `path` (absolute, without symbolic links).
    #[must_use]
    pub fn containing(&self, path: &Path) -> Option<&FolderEntry> {
        self.entries.iter().find(|entry| path.starts_with(&entry.work))
    }

    /// Adds `entry` and saves. The state directory of the folder exists afterwards.
    pub fn add(&mut self, entry: FolderEntry) -> Result<(), FoldersError> {
        let mut entries = self.entries.clone();
        entries.retain(|other| other.id != entry.id);
        entries.push(entry);
        self.save(entries)
    }

    /// Removes the folder and saves; its state stays until [`remove_state`](Self::remove_state).
    pub fn remove(&mut self, id: FolderId) -> Result<(), FoldersError> {
        let mut entries = self.entries.clone();
        entries.retain(|entry| entry.id != id);
        self.save(entries)
    }

    /// The directory that holds the state of folder `id`; made if it is missing.
    pub fn state_directory(&self, id: FolderId) -> Result<PathBuf, FoldersError> {
        let path = self.data.join("folders").join(id.to_string());
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(FoldersError::Io { path, source }),
        }
    }

    /// Deletes the state of folder `id`: neither its files nor its ciphertexts.
    pub fn remove_state(&self, id: FolderId) -> Result<(), FoldersError> {
        let path = self.data.join("folders").join(id.to_string());
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(FoldersError::Io { path, source }),
            Ok(()) => Ok(()),
        }
    }

    fn save(&mut self, entries: Vec<FolderEntry>) -> Result<(), FoldersError> {
        let path = list_path(&self.data);
        let bytes = serde_json::to_vec_pretty(&entries)
            .map_err(|source| FoldersError::Damaged { path: path.clone(), source })?;
        private_file::replace(&path, &bytes).map_err(|source| FoldersError::Io { path, source })?;
        self.entries = entries;
        Ok(())
    }
}

fn list_path(data: &Path) -> PathBuf {
    data.join("folders.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8, work: &str) -> FolderEntry {
        FolderEntry { id: FolderId::new([n; 16]), work: work.into(), encrypted: format!("{work}-enc").into() }
    }

    #[test]
    fn the_list_survives_and_finds_by_path() {
        let data = tempfile::tempdir().unwrap();
        let mut folders = Folders::load(data.path()).unwrap();
        folders.add(entry(1, "/a")).unwrap();
        folders.add(entry(2, "/b")).unwrap();
        folders.remove(FolderId::new([1; 16])).unwrap();
        let folders = Folders::load(data.path()).unwrap();
        assert_eq!(folders.entries(), [entry(2, "/b")]);
        assert!(folders.containing(Path::new("/b/c")).is_some());
        assert!(folders.containing(Path::new("/bc")).is_none());
    }

    #[test]
    fn a_damaged_list_is_an_error_and_not_an_empty_list() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("folders.json"), "{").unwrap();
        assert!(matches!(Folders::load(data.path()), Err(FoldersError::Damaged { .. })));
    }
}
