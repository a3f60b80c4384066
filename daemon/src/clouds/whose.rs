//! Whose the encrypted folders in clients' directories are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use ensafer_client::home::Home;
use ensafer_core::account::{Account, AccountState};
use ensafer_core::api::local::{FoundFolder, Whose};
use ensafer_core::format::HeaderError;
use ensafer_core::ids::FolderId;

use super::CloudDirectory;
use super::rosters::{self, FoundRoster};
use crate::account::{self, Unlocked};
use crate::envelopes::Envelopes;
use crate::folder_keys::{self, Vault};
use crate::folders::FolderEntry;
use crate::groups::HeldGroup;
use crate::members::standing;

/// An encrypted folder in a client's directory.
#[derive(Debug, Clone)]
pub struct Encrypted {
    /// Where it lies.
    pub directory: PathBuf,
    /// Which one it is.
    pub folder: FolderId,
    /// Whose it is.
    pub whose: Whose,
}

impl Encrypted {
    /// The folder as reports have it.
    #[must_use]
    pub fn report(&self) -> FoundFolder {
        let encrypted = self.directory.to_string_lossy().into_owned();
        FoundFolder { encrypted, folder: self.folder, whose: self.whose.clone() }
    }
}

/// Looks at `clouds` and says whose the encrypted folders in them are: those on the list `folders`, then those of the
/// account, and those that are shared with it. Others are left out. The account is opened when there is something to open,
/// and not before; without a `vault` it stays unknown whose they are.
///
/// # Errors
/// The account cannot be opened.
pub fn find(
    clouds: &[CloudDirectory],
    folders: &[FolderEntry],
    home: &Home,
    vault: Option<&dyn Vault>,
) -> Result<Vec<Encrypted>> {
    let mut found = listed(clouds, folders);
    let rosters = unlisted(clouds, folders, &home.directories());
    let (Some(vault), false) = (vault, rosters.is_empty()) else {
        found.extend(rosters.into_iter().map(|FoundRoster { directory, folder, .. }| Encrypted {
            directory,
            folder,
            whose: Whose::Unknown,
        }));
        return Ok(found);
    };
    let unlocked = vault.unlocked()?;
    let known = account::known_people(home, &unlocked.account)?;
    let groups = vault.groups()?;
    found.extend(rosters.into_iter().filter_map(|roster| {
        let whose = judge(&roster, &unlocked, &groups, vault.envelopes(), &known)?;
        Some(Encrypted { directory: roster.directory, folder: roster.folder, whose })
    }));
    Ok(found)
}

/// The folders of this computer that lie in `clouds`.
fn listed(clouds: &[CloudDirectory], folders: &[FolderEntry]) -> Vec<Encrypted> {
    let lies_in = |path: &Path| clouds.iter().any(|cloud| path.starts_with(&cloud.path));
    let entries = folders.iter().filter(|entry| lies_in(&entry.encrypted));
    let encrypted = entries.map(|entry| Encrypted {
        directory: entry.encrypted.clone(),
        folder: entry.id,
        whose: Whose::Listed { work: entry.work.to_string_lossy().into_owned() },
    });
    encrypted.collect()
}

/// The rosters in `clouds` of folders that are not on the list, each once.
fn unlisted(clouds: &[CloudDirectory], folders: &[FolderEntry], own: &[&Path]) -> Vec<FoundRoster> {
    let is_known = |path: &Path| {
        own.contains(&path) || folders.iter().any(|entry| path == entry.work || path == entry.encrypted)
    };
    let mut found: Vec<FoundRoster> = Vec::new();
    for cloud in clouds {
        for roster in rosters::below(&cloud.path, is_known) {
            let is_listed = folders.iter().any(|entry| entry.id == roster.folder);
            if !is_listed && found.iter().all(|other| other.directory != roster.directory) {
                found.push(roster);
            }
        }
    }
    found
}

/// Whose a folder is, `None` where it is not for the account, or does not open.
fn judge(
    roster: &FoundRoster,
    unlocked: &Unlocked,
    groups: &[Arc<HeldGroup>],
    envelopes: &Envelopes,
    known: &AccountState,
) -> Option<Whose> {
    let object = roster.read()?;
    let look = |groups: &[Arc<HeldGroup>]| folder_keys::look_at_roster(&object, unlocked, groups, envelopes);
    let state = match look(groups) {
        // The group by which it opens may never have been met: then its file lies beside the roster.
        Err(HeaderError::NotARecipient) => {
            let open = |object: &Vec<u8>| HeldGroup::open(object, &unlocked.account).ok().map(Arc::new);
            let beside: Vec<_> = roster.read_groups().iter().filter_map(open).collect();
            if beside.is_empty() {
                return None;
            }
            look(&beside)
        }
        state => state,
    };
    let state = state.ok()?;
    let account: &Account = &unlocked.account;
    let me = account.identity().public();
    if state.folder != roster.folder {
        return None;
    }
    if state.owner_key == me {
        return Some(Whose::Own);
    }
    state.role_of(&me)?;
    let owner = &state.member(&state.owner_key)?.bundle;
    Some(Whose::Shared {
        owner: owner.bundle().login.to_string(),
        fingerprint: owner.fingerprint().to_string(),
        standing: standing(owner, account, known),
    })
}
