//! What is derived from and sealed under a folder's key, and what a group's key has in common with it: a name, and the
//! file key of its roster. Every label of one is another than that of the other.

use super::OpenError;
use super::backend::{Active, Backend};
use super::keys::{FileKey, FolderKey, InviteKey, Key, SEALED_KEY_BYTES, open_key, purpose, seal_key};
use super::random::Random;
use super::roster_key::RosterPurpose;
use crate::clock::Dot;
use crate::ids::{FileId, FolderId};

const CONFLICT_LABEL: &[u8] = b"ensafer/v1/conflict\0";

/// Names one folder key, or one group's key: the start of every envelope that is sealed under it or carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FolderKeyName {
    /// The folder, or the group.
    pub folder: FolderId,
    /// Its epoch.
    pub epoch: u32,
    /// [`Key::id`], by which a planted key is noticed.
    pub key_id: [u8; 32],
}

impl FolderKeyName {
    /// Size in bytes.
    pub const LEN: usize = 52;

    /// `folder_id 16 ‖ folder_epoch 4 ‖ key_id 32`, as envelopes carry it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..16].copy_from_slice(self.folder.as_bytes());
        bytes[16..20].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[20..].copy_from_slice(&self.key_id);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (folder, rest) = bytes.split_first_chunk().expect("52 bytes begin with 16");
        let (epoch, key_id) = rest.split_first_chunk().expect("then 4");
        Self {
            folder: FolderId::new(*folder),
            epoch: u32::from_be_bytes(*epoch),
            key_id: key_id.try_into().expect("then 32"),
        }
    }
}

impl FolderKey {
    /// The id of the conflict copy that takes the content of `losing` (engine rule 13): the same on every device of
    /// the folder's epoch, and not to be foreseen by anybody else.
    #[must_use]
    pub fn conflict_copy_id(&self, file: FileId, losing: Dot) -> FileId {
        let key: Key<purpose::File> = Key::expand(self.bytes(), &[CONFLICT_LABEL]);
        let parts: [&[u8]; 3] = [file.as_bytes(), losing.device.as_bytes(), &losing.counter.to_be_bytes()];
        let mac = Active::hmac_sha256(key.bytes(), &parts);
        FileId::new(*mac.first_chunk().expect("an HMAC has 32 bytes"))
    }

    /// Seals a file key: the Cobblestone part of a type-5 envelope. `name` must be this key's.
    #[must_use]
    pub fn seal_file_key(
        &self,
        name: &FolderKeyName,
        file: FileId,
        key_epoch: u32,
        key: &FileKey,
        rng: &mut (impl Random + ?Sized),
    ) -> [u8; SEALED_KEY_BYTES] {
        seal_key(self, key, &file_key_context(name, file, key_epoch), rng)
    }

    /// Opens the Cobblestone part of a type-5 envelope.
    ///
    /// # Errors
    /// [`OpenError`] if it was sealed under another key, for another file or epoch, or altered.
    pub fn open_file_key(
        &self,
        name: &FolderKeyName,
        file: FileId,
        key_epoch: u32,
        sealed: &[u8],
    ) -> Result<FileKey, OpenError> {
        open_key(self, &file_key_context(name, file, key_epoch), sealed)
    }
}

impl InviteKey {
    /// Seals a folder key: the Cobblestone part of a type-7 envelope.
    #[must_use]
    pub fn seal_folder_key(
        &self,
        name: &FolderKeyName,
        key: &FolderKey,
        rng: &mut (impl Random + ?Sized),
    ) -> [u8; SEALED_KEY_BYTES] {
        seal_key(self, key, &name.to_bytes(), rng)
    }

    /// Opens the Cobblestone part of a type-7 envelope.
    ///
    /// # Errors
    /// [`OpenError`] if it was sealed under another key or name, or altered, or holds a key of another name.
    pub fn open_folder_key(&self, name: &FolderKeyName, sealed: &[u8]) -> Result<FolderKey, OpenError> {
        named(open_key(self, &name.to_bytes(), sealed)?, name)
    }
}

/// The key, if it is the one that `name` names.
pub(super) fn named<P: RosterPurpose>(key: Key<P>, name: &FolderKeyName) -> Result<Key<P>, OpenError> {
    if key.name(name.folder, name.epoch) == *name { Ok(key) } else { Err(OpenError) }
}

/// `folder_id ‖ folder_epoch ‖ key_id ‖ file_id ‖ key_epoch`.
fn file_key_context(name: &FolderKeyName, file: FileId, key_epoch: u32) -> [u8; FolderKeyName::LEN + 20] {
    let mut context = [0; FolderKeyName::LEN + 20];
    context[..52].copy_from_slice(&name.to_bytes());
    context[52..68].copy_from_slice(file.as_bytes());
    context[68..].copy_from_slice(&key_epoch.to_be_bytes());
    context
}
