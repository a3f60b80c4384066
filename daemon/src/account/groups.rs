//! The groups of this computer's account: their files in `groups/`, as far as this computer has heard of them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ensafer_client::home::Home;
use ensafer_client::private_file;
use ensafer_core::account::{Account, MAX_KNOWN_GROUPS};
use ensafer_core::format::EXTENSION;
use ensafer_core::format::roster::MAX_GROUP_OBJECT_LEN;
use ensafer_core::ids::GroupId;
use ensafer_core::time::Timestamp;

use super::files::{io_error, lock};
use super::{AccountError, known_people};
use crate::groups::{Held, HeldGroup, Met, is_of_group};

/// The files, and what was opened of them. Other processes may change them at any time.
#[derive(Debug)]
pub struct GroupFiles {
    home: Home,
    opened: Mutex<HashMap<PathBuf, (Stamp, Arc<HeldGroup>)>>,
}

/// Tells a file's versions apart.
type Stamp = (u64, Option<SystemTime>);

impl GroupFiles {
    /// Those of the installation at `home`.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self { home: home.clone(), opened: Mutex::default() }
    }

    /// The groups that `account` is in. A file is opened once; what does not open (it was another account's, or is
    /// damaged) is left out.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self, account: &Account) -> Result<Vec<Arc<HeldGroup>>, AccountError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (path, stamp) in self.list()? {
            if let Some((_, held)) = opened.get(&path).filter(|(known, _)| *known == stamp) {
                all.push(Arc::clone(held));
                continue;
            }
            // One that cannot be read must not keep the folders from being synced that are shared with no group.
            let bytes =
                read(&path).inspect_err(|error| tracing::warn!(%error, "a group's file")).ok().flatten();
            let Some(bytes) = bytes else { continue };
            let held = match HeldGroup::open(&bytes, account) {
                Ok(held) => Arc::new(held),
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "a group's file does not open");
                    continue;
                }
            };
            opened.insert(path, (stamp, Arc::clone(&held)));
            all.push(held);
        }
        Ok(all)
    }

    /// Keeps what was met of `group`, in the place of a version that says less, durably.
    ///
    /// # Errors
    /// The files cannot be read or written.
    pub fn hold(
        &self,
        group: GroupId,
        object: &[u8],
        account: &Account,
        now: Timestamp,
    ) -> Result<Met, AccountError> {
        if !is_of_group(object, group) {
            return Ok(Met::Damaged);
        }
        if let Some(group) = self.all(account)?.into_iter().find(|held| **held.object() == *object) {
            return Ok(Met::Held(Held { group, is_news: false, is_behind: false }));
        }
        let found = match HeldGroup::open(object, account) {
            Ok(found) => found,
            Err(error) => return Ok(Met::unopened(&error)),
        };
        let remembered = known_people(&self.home, account)?;
        let _lock = lock(&self.home)?;
        let before = self.all(account)?.into_iter().find(|held| held.id() == group);
        // Beside one that has all that was seen, an older one is only behind.
        let has_seen = |held: &HeldGroup| {
            remembered.groups().get(&group).is_none_or(|known| known.is_in(held.group().log()))
        };
        if !has_seen(&found) && !before.as_ref().is_some_and(|before| has_seen(before)) {
            tracing::warn!(%group, "an older group than was seen is not used");
            return Ok(Met::NotForUs);
        }
        let Some(before) = before else {
            if self.list()?.len() >= MAX_KNOWN_GROUPS {
                return Ok(Met::NotForUs);
            }
            return Ok(Met::Held(Held { group: self.keep(found)?, is_news: true, is_behind: false }));
        };
        let is_behind = found.lacks(&before);
        // Two logs of one id that begin otherwise cannot be united: only the group's owner can make them.
        let Ok(joined) = before.join(found, account, now) else { return Ok(Met::NotForUs) };
        let is_news = joined.is_some();
        let group = joined.map_or(Ok(before), |joined| self.keep(joined))?;
        Ok(Met::Held(Held { group, is_news, is_behind }))
    }

    /// Forgets what was opened: the account is locked.
    pub fn lock(&self) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets a group. It comes back where a folder still lists it.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn forget(&self, id: GroupId) -> Result<(), AccountError> {
        let path = self.path(id);
        private_file::remove(&path).map_err(io_error(&path))
    }

    fn keep(&self, held: HeldGroup) -> Result<Arc<HeldGroup>, AccountError> {
        let (path, directory) = (self.path(held.id()), self.directory());
        private_file::create_directory(&directory).map_err(io_error(&directory))?;
        private_file::replace(&path, held.object()).map_err(io_error(&path))?;
        Ok(Arc::new(held))
    }

    /// The files and their stamps, by name.
    fn list(&self) -> Result<Vec<(PathBuf, Stamp)>, AccountError> {
        let directory = self.directory();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_error(&directory))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error(&directory))?;
            let path = entry.path();
            let is_group =
                path.extension().is_some_and(|extension| EXTENSION.ends_with(&*extension.to_string_lossy()));
            if is_group && let Ok(metadata) = entry.metadata() {
                files.push((path, (metadata.len(), metadata.modified().ok())));
            }
        }
        files.sort();
        Ok(files)
    }

    fn path(&self, id: GroupId) -> PathBuf {
        self.directory().join(format!("{id}{EXTENSION}"))
    }

    fn directory(&self) -> PathBuf {
        self.home.data_dir().join("groups")
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AccountError> {
    let bytes = private_file::read(path).map_err(io_error(path))?;
    Ok(bytes.filter(|bytes| bytes.len() <= MAX_GROUP_OBJECT_LEN))
}
