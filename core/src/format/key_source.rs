//! Where file keys come from: a synced folder's keys, or an account's key alone.

use std::sync::{Arc, Mutex, PoisonError};

use super::HeaderError;
use super::access::{Access, EnvelopeType, file_hint, folder_hint};
use super::prefix::Prefix;
use crate::crypto::{EnvelopePrivateKey, FileKey, FolderKey, FolderKeyName};
use crate::ids::FolderId;

/// A folder's keys, all of them from a verified roster.
pub trait FolderKeys {
    /// The key of `folder` in `epoch`.
    fn folder_key(&self, folder: FolderId, epoch: u32) -> Option<&FolderKey>;
}

/// A file key, and the folder key that led to it, if one did.
#[derive(Debug)]
pub struct FoundKey {
    /// The file key.
    pub key: FileKey,
    /// The folder key that it was sealed under or, in a roster, derived from.
    pub folder: Option<FolderKeyName>,
}

/// Finds the key of a file by its envelopes.
pub trait FileKeySource {
    /// The file key.
    ///
    /// # Errors
    /// [`HeaderError::Foreign`], [`HeaderError::NotARecipient`], or [`HeaderError::Unauthentic`] where an envelope is
    /// ours but does not open.
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError>;
}

/// A folder that is being synced: opens type 5 under the folder's keys, and nothing of any other folder. Costs no
/// RSA operation.
#[derive(Debug, Clone, Copy)]
pub struct SyncedFolder<'a, K> {
    /// The folder.
    pub folder: FolderId,
    /// Its keys.
    pub keys: &'a K,
}

impl<K: FolderKeys> FileKeySource for SyncedFolder<'_, K> {
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError> {
        if prefix.roster {
            let folder = FolderId::new(*prefix.file_id.as_bytes());
            if folder != self.folder {
                return Err(HeaderError::Foreign(folder));
            }
            let key = self.keys.folder_key(folder, prefix.key_epoch).ok_or(HeaderError::NotARecipient)?;
            return Ok(roster_key(key, folder, prefix.key_epoch));
        }
        let mut foreign = None;
        for (name, sealed) in access.of(EnvelopeType::FOLDER).filter_map(|e| e.folder_key()) {
            if name.folder != self.folder {
                foreign = foreign.or(Some(name.folder));
                continue;
            }
            foreign = None;
            let Some(key) = self.keys.folder_key(name.folder, name.epoch) else { continue };
            // A key that somebody planted under our folder's name has another id than the roster's.
            if key.id(name.folder, name.epoch) == name.key_id {
                return open_file_key(key, name, sealed, prefix);
            }
        }
        Err(foreign.map_or(HeaderError::NotARecipient, HeaderError::Foreign))
    }
}

/// A folder key that an account's key opened: worth remembering.
#[derive(Debug, Clone)]
pub struct OpenedFolderKey {
    /// What it is called.
    pub name: FolderKeyName,
    /// The key, which has that name.
    pub key: Arc<FolderKey>,
}

/// An account without a folder: opens type 6 and with it type 5, or type 1. Each folder key costs one RSA operation,
/// and is remembered.
#[derive(Debug)]
pub struct AccountAlone<'a> {
    account: &'a EnvelopePrivateKey,
    spki_hash: [u8; 32],
    opened: Mutex<Vec<OpenedFolderKey>>,
}

impl<'a> AccountAlone<'a> {
    /// With `known` folder keys from earlier, whose names must have been checked.
    #[must_use]
    pub fn new(account: &'a EnvelopePrivateKey, known: Vec<OpenedFolderKey>) -> Self {
        Self { account, spki_hash: account.public().spki_hash(), opened: Mutex::new(known) }
    }

    /// The folder keys that are known by now.
    #[must_use]
    pub fn opened(&self) -> Vec<OpenedFolderKey> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folder key called `name`, from memory or from this account's type 6 envelope.
    pub(crate) fn folder_key(
        &self,
        name: &FolderKeyName,
        access: &Access,
    ) -> Result<Option<Arc<FolderKey>>, HeaderError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|known| known.name == *name) {
            return Ok(Some(Arc::clone(&known.key)));
        }
        let hint = folder_hint(name.folder, name.epoch, &self.spki_hash);
        let mut of_us =
            access.of(EnvelopeType::MEMBER).filter(|e| e.hint == hint).filter_map(|e| e.folder_key());
        let Some((_, wrapped)) = of_us.find(|(found, _)| found == name) else { return Ok(None) };
        let key = self.account.unwrap_folder_key(name, wrapped).map_err(|_| HeaderError::Unauthentic)?;
        let key = Arc::new(key);
        opened.push(OpenedFolderKey { name: *name, key: Arc::clone(&key) });
        Ok(Some(key))
    }

    /// The name of the folder key that a roster's type 6 envelope for this account holds.
    pub(crate) fn roster_key_name(&self, prefix: &Prefix, access: &Access) -> Option<FolderKeyName> {
        let folder = FolderId::new(*prefix.file_id.as_bytes());
        let hint = folder_hint(folder, prefix.key_epoch, &self.spki_hash);
        access
            .of(EnvelopeType::MEMBER)
            .filter(|e| e.hint == hint)
            .filter_map(|e| e.folder_key())
            .map(|(name, _)| name)
            .find(|name| name.folder == folder && name.epoch == prefix.key_epoch)
    }
}

impl FileKeySource for AccountAlone<'_> {
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError> {
        if prefix.roster {
            let name = self.roster_key_name(prefix, access).ok_or(HeaderError::NotARecipient)?;
            let key = self.folder_key(&name, access)?.ok_or(HeaderError::NotARecipient)?;
            return Ok(roster_key(&key, name.folder, name.epoch));
        }
        for (name, sealed) in access.of(EnvelopeType::FOLDER).filter_map(|e| e.folder_key()) {
            if let Some(key) = self.folder_key(&name, access)? {
                return open_file_key(&key, name, sealed, prefix);
            }
        }
        let hint = file_hint(prefix.file_id, prefix.key_epoch, &self.spki_hash);
        let own = access.of(EnvelopeType::USER).find(|e| e.hint == hint).ok_or(HeaderError::NotARecipient)?;
        let key = self
            .account
            .unwrap_file_key(prefix.file_id, prefix.key_epoch, own.body)
            .map_err(|_| HeaderError::Unauthentic)?;
        Ok(FoundKey { key, folder: None })
    }
}

fn open_file_key(
    key: &FolderKey,
    name: FolderKeyName,
    sealed: &[u8],
    prefix: &Prefix,
) -> Result<FoundKey, HeaderError> {
    let key = key
        .open_file_key(&name, prefix.file_id, prefix.key_epoch, sealed)
        .map_err(|_| HeaderError::Unauthentic)?;
    Ok(FoundKey { key, folder: Some(name) })
}

/// A roster's file key is derived, not wrapped: whoever has the folder key reads the roster.
fn roster_key(key: &FolderKey, folder: FolderId, epoch: u32) -> FoundKey {
    FoundKey { key: key.roster_file_key(folder, epoch), folder: Some(key.name(folder, epoch)) }
}
