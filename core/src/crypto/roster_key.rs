//! What the key of a folder's epoch and that of a group's epoch have in common, each under labels of its own: a name, the
//! file key of the roster, and how it is wrapped for a member.

use super::backend::{Active, Backend};
use super::folder_key::FolderKeyName;
use super::keys::{FileKey, Key, purpose};
use crate::ids::FolderId;

/// The two kinds of rosters that have keys: folders and groups.
pub trait RosterPurpose: purpose::Seals {
    /// Before what a key's id is derived with.
    const KEY_ID_LABEL: &'static [u8];
    /// Before what the roster's file key is derived with.
    const ROSTER_LABEL: &'static [u8];
    /// The use that an OAEP label names.
    const WRAP_USE: &'static str;
    /// Before the context of an older epoch's key, sealed under the newest.
    const OLD_KEY_LABEL: &'static [u8];
}

impl RosterPurpose for purpose::Folder {
    const KEY_ID_LABEL: &'static [u8] = b"ensafer/v1/folder-key-id\0";
    const ROSTER_LABEL: &'static [u8] = b"ensafer/v1/roster\0";
    const WRAP_USE: &'static str = "member";
    const OLD_KEY_LABEL: &'static [u8] = b"ensafer/v1/old-key\0";
}

impl RosterPurpose for purpose::Group {
    const KEY_ID_LABEL: &'static [u8] = b"ensafer/v1/group-key-id\0";
    const ROSTER_LABEL: &'static [u8] = b"ensafer/v1/group-roster\0";
    const WRAP_USE: &'static str = "group-member";
    const OLD_KEY_LABEL: &'static [u8] = b"ensafer/v1/old-group-key\0";
}

impl<P: RosterPurpose> Key<P> {
    /// The key's public name within its folder and epoch. Compare it with the verified roster's after every opening.
    #[must_use]
    pub fn id(&self, folder: FolderId, folder_epoch: u32) -> [u8; 32] {
        let mut id = [0; 32];
        let info: [&[u8]; 3] = [P::KEY_ID_LABEL, folder.as_bytes(), &folder_epoch.to_be_bytes()];
        Active::hkdf_expand_sha512(self.bytes(), &info, &mut id);
        id
    }

    /// The full name of this key as the key of `folder` in `folder_epoch`.
    #[must_use]
    pub fn name(&self, folder: FolderId, folder_epoch: u32) -> FolderKeyName {
        FolderKeyName { folder, epoch: folder_epoch, key_id: self.id(folder, folder_epoch) }
    }

    /// The roster's file key.
    #[must_use]
    pub fn roster_file_key(&self, folder: FolderId, folder_epoch: u32) -> FileKey {
        Key::expand(self.bytes(), &[P::ROSTER_LABEL, folder.as_bytes(), &folder_epoch.to_be_bytes()])
    }
}
