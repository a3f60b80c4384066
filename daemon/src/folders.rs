//! The list of folders of this device: `folders.json` in the data directory, written atomically, by one process and one
//! thread at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ensafer_client::private_file;
use ensafer_core::api::local::FolderReport;
use ensafer_core::ids::FolderId;
use serde::{Deserialize, Serialize};

use crate::state;
use crate::work_dir::marker_path;

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
    /// Somebody still works with the state of a folder that was removed.
    #[error(
        "the folder is still being removed: one of its directories may not answer. Try again when it does"
    )]
    InUse,
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

    /// Has `make` make a folder, adds it to the list as it is by then, and saves. Nobody else changes the list meanwhile.
    ///
    /// # Errors
    /// Those of `make`, which is given the list as it is, or the list cannot be read or written.
    pub fn add<E: From<FoldersError>>(
        &mut self,
        make: impl FnOnce(&Self) -> Result<FolderEntry, E>,
    ) -> Result<FolderEntry, E> {
        let _lock = self.lock()?;
        self.entries = Self::load(&self.data)?.entries;
        let entry = make(self)?;
        let mut entries = self.entries.clone();
        entries.push(entry.clone());
        self.save(entries)?;
        Ok(entry)
    }

    /// Removes the folder from the list as it is by now, and saves; its state stays until
    /// [`remove_state`](Self::remove_state).
    pub fn remove(&mut self, id: FolderId) -> Result<(), FoldersError> {
        let _lock = self.lock()?;
        let mut entries = Self::load(&self.data)?.entries;
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

    /// As [`state_directory`](Self::state_directory), empty: for a folder that is about to be added. A removal that was
    /// broken off may have left a state; by that all that is not in the new work directory would have been deleted there.
    ///
    /// # Errors
    /// Also [`FoldersError::InUse`].
    pub fn fresh_state_directory(&self, id: FolderId) -> Result<PathBuf, FoldersError> {
        self.delete_state(id)?;
        self.state_directory(id)
    }

    /// Deletes the state of folder `id`, unless it was added again meanwhile: neither its files nor its ciphertexts.
    ///
    /// # Errors
    /// Also [`FoldersError::InUse`]; it is deleted when the folder is added again.
    pub fn remove_state(&self, id: FolderId) -> Result<(), FoldersError> {
        let _lock = self.lock()?;
        if Self::load(&self.data)?.entries.iter().any(|entry| entry.id == id) {
            return Ok(());
        }
        self.delete_state(id)
    }

    fn delete_state(&self, id: FolderId) -> Result<(), FoldersError> {
        let path = self.data.join("folders").join(id.to_string());
        if state::is_open(&path.join("state.redb")) {
            return Err(FoldersError::InUse);
        }
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(FoldersError::Io { path, source }),
            Ok(()) => Ok(()),
        }
    }

    /// Takes the marker from the work directory of a removed folder, so that it is free for another one; unless it is on the
    /// list again.
    pub fn free_work(&self, folder: &FolderEntry) -> Result<(), FoldersError> {
        let marker = marker_path(&folder.work);
        // Where it is gone there is nothing to be freed. A mount that hangs does so here, where nobody waits for the lock.
        if !marker.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        if Self::load(&self.data)?.entries.iter().all(|entry| entry.work != folder.work) {
            // What cannot be removed is told to whoever adds another folder there.
            let _ = fs::remove_file(marker);
        }
        Ok(())
    }

    /// Waits until nobody else changes the list; the lock ends with the returned file.
    fn lock(&self) -> Result<File, FoldersError> {
        let path = self.data.join("folders.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| FoldersError::Io { path, source })
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

/// What `ask` says of each of `folders`. One that cannot be asked keeps nobody from what the others say: it is left out, and
/// `tell` hears of it.
///
/// # Errors
/// The first folder's, where none can be asked.
pub fn ask_each<T>(
    folders: &[FolderEntry],
    ask: impl Fn(&FolderEntry) -> anyhow::Result<T>,
    tell: impl Fn(&FolderEntry, &anyhow::Error),
) -> anyhow::Result<Vec<T>> {
    let (mut said, mut failed) = (Vec::new(), None);
    for entry in folders {
        match ask(entry) {
            Ok(answer) => said.push(answer),
            Err(error) => {
                tell(entry, &error);
                failed.get_or_insert(error);
            }
        }
    }
    match failed.filter(|_| said.is_empty()) {
        Some(error) => Err(error),
        None => Ok(said),
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

    fn add(folders: &mut Folders, entry: FolderEntry) {
        folders.add(|_| Ok::<_, FoldersError>(entry)).unwrap();
    }

    #[test]
    fn changes_of_others_are_not_lost() {
        let data = tempfile::tempdir().unwrap();
        let mut one = Folders::load(data.path()).unwrap();
        let mut other = Folders::load(data.path()).unwrap();
        add(&mut one, entry(1, "/a"));
        add(&mut other, entry(2, "/b"));
        one.remove(FolderId::new([2; 16])).unwrap();
        add(&mut other, entry(3, "/c"));
        assert_eq!(Folders::load(data.path()).unwrap().entries(), [entry(1, "/a"), entry(3, "/c")]);
        // Whoever removes while somebody adds comes after that.
        let one = &mut one;
        std::thread::scope(|scope| {
            let made = other.add(move |folders| {
                assert_eq!(folders.entries().len(), 2, "as it is by now");
                scope.spawn(move || one.remove(FolderId::new([4; 16])).unwrap());
                Ok::<_, FoldersError>(entry(4, "/d"))
            });
            made.unwrap();
        });
        assert_eq!(Folders::load(data.path()).unwrap().entries(), [entry(1, "/a"), entry(3, "/c")]);
    }

    #[test]
    fn the_state_of_a_folder_that_was_added_again_stays() {
        let data = tempfile::tempdir().unwrap();
        let mut folders = Folders::load(data.path()).unwrap();
        let id = FolderId::new([1; 16]);
        let state = folders.state_directory(id).unwrap();
        add(&mut folders, entry(1, "/a"));
        folders.remove_state(id).unwrap();
        assert!(state.exists());
        folders.remove(id).unwrap();
        folders.remove_state(id).unwrap();
        assert!(!state.exists());
    }

    #[test]
    fn a_work_directory_that_is_used_again_keeps_its_marker() {
        let data = tempfile::tempdir().unwrap();
        let work = data.path().join("work");
        let marker = marker_path(&work);
        fs::create_dir_all(work.join(".ensafer")).unwrap();
        fs::write(&marker, "of the folder").unwrap();
        let mut folders = Folders::load(data.path()).unwrap();
        let folder = entry(1, work.to_str().unwrap());
        add(&mut folders, folder.clone());
        folders.free_work(&folder).unwrap();
        assert!(marker.exists(), "it was added again while it was removed");
        folders.remove(folder.id).unwrap();
        folders.free_work(&folder).unwrap();
        assert!(!marker.exists());
    }

    #[test]
    fn the_list_survives_and_finds_by_path() {
        let data = tempfile::tempdir().unwrap();
        let mut folders = Folders::load(data.path()).unwrap();
        add(&mut folders, entry(1, "/a"));
        add(&mut folders, entry(2, "/b"));
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
