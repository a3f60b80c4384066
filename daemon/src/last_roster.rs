//! What a folder's last accepted roster says, whether its engine runs or not.

use anyhow::Result;
use ensafer_core::format::roster::RosterState;
use ensafer_core::ids::{DeviceId, InvitationId};
use ensafer_core::plan::ProblemClass;

use crate::folder_keys::{FolderKeysError, OpenFolder, Vault};
use crate::folders::{FolderEntry, Folders};
use crate::host::host_name;
use crate::join;
use crate::people::ReadingGuests;
use crate::shell::Shell;
use crate::state::{Identity, StateReader};

/// The last accepted roster of a folder.
///
/// # Errors
/// It cannot be opened, or this account is no member any more.
pub fn roster(shell: &Shell, vault: &dyn Vault, folder: &FolderEntry) -> Result<RosterState> {
    let folders = Folders::load(shell.home.data_dir())?;
    let standing = reader(&folders, folder)?.map_or(Ok(Vec::new()), |reader| reader.problems())?;
    // The last accepted roster is one that still has this account in it.
    if standing.iter().any(|standing| standing.problem.class == ProblemClass::NotAMember) {
        return Err(FolderKeysError::NotAMember.into());
    }
    Ok(open(shell, folder, vault)?.roster().state().clone())
}

/// By which of the account's `own` invitations somebody can read a folder, and by how many others.
///
/// # Errors
/// As [`roster`].
pub fn reading_guests(
    shell: &Shell,
    vault: &dyn Vault,
    folder: &FolderEntry,
    own: &[InvitationId],
) -> Result<ReadingGuests> {
    let keys = open(shell, folder, vault)?;
    let own: Vec<_> = own.iter().copied().filter(|id| keys.has_invitation(*id)).collect();
    let of_others = keys.invitation_count().saturating_sub(own.len());
    Ok(ReadingGuests { own, of_others })
}

/// Opens a folder for reading: by its last accepted roster, or, before there is one, by that in its encrypted directory.
///
/// # Errors
/// There is none, or it does not open.
pub fn open(shell: &Shell, folder: &FolderEntry, vault: &dyn Vault) -> Result<OpenFolder> {
    let folders = Folders::load(shell.home.data_dir())?;
    let roster = reader(&folders, folder)?.map(|reader| reader.roster()).transpose()?.flatten();
    let bytes = match roster {
        Some(bytes) => bytes,
        None => join::read_roster(&folder.encrypted)?,
    };
    let identity = Identity { device: DeviceId::new([0; 16]), machine: String::new() };
    Ok(OpenFolder::open(&bytes, vault, &identity, &host_name(), None)?)
}

/// Reads a folder's state, where it has one.
///
/// # Errors
/// It cannot be read.
pub fn reader(folders: &Folders, entry: &FolderEntry) -> Result<Option<StateReader>> {
    Ok(StateReader::open(&folders.state_directory(entry.id)?.join("state.redb"))?)
}
