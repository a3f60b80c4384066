//! Where file keys come from: a synced folder's keys, or an account's key alone.

use std::sync::{Arc, Mutex, PoisonError};

use super::HeaderError;
use super::access::{Access, EnvelopeType, file_hint, folder_hint, invitation_hint};
use super::prefix::Prefix;
use crate::crypto::{EnvelopePrivateKey, FileKey, FolderKey, FolderKeyName, InviteKey};
use crate::ids::{FolderId, InvitationId};

/// A folder's keys, all of them from a verified roster.
pub trait FolderKeys {
    /// The key of exactly this name; keys are kept under the id that they have, so a planted one is never found.
    fn folder_key(&self, name: &FolderKeyName) -> Option<&Arc<FolderKey>>;
}

/// A file key, and the folder key that led to it, if one did.
#[derive(Debug)]
pub struct FoundKey {
    /// The file key.
    pub key: FileKey,
    /// The folder key that it was sealed under or, in a roster, derived from.
    pub folder: Option<FolderKeyName>,
}

/// A folder key and its name.
#[derive(Debug, Clone)]
pub struct OpenedFolderKey {
    /// What it is called; checked against the key.
    pub name: FolderKeyName,
    /// The key.
    pub key: Arc<FolderKey>,
}

/// Finds the keys of a file by its envelopes.
pub trait FileKeySource {
    /// The file key of an ordinary file.
    ///
    /// # Errors
    /// [`HeaderError::Foreign`], [`HeaderError::NotARecipient`], or [`HeaderError::Unauthentic`] where an envelope is
    /// ours but does not open.
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError>;

    /// The folder key that a roster is sealed under.
    ///
    /// # Errors
    /// As [`file_key`](Self::file_key).
    fn roster_key(&self, prefix: &Prefix, access: &Access) -> Result<OpenedFolderKey, HeaderError>;
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
        let (mut foreign, mut ours) = (None, false);
        for (name, sealed) in access.of(EnvelopeType::FOLDER).filter_map(|e| e.folder_key()) {
            if name.folder != self.folder {
                foreign = foreign.or(Some(name.folder));
                continue;
            }
            ours = true;
            if let Some(key) = self.keys.folder_key(&name) {
                return open_file_key(key, name, sealed, prefix);
            }
        }
        Err(foreign.filter(|_| !ours).map_or(HeaderError::NotARecipient, HeaderError::Foreign))
    }

    fn roster_key(&self, prefix: &Prefix, access: &Access) -> Result<OpenedFolderKey, HeaderError> {
        let folder = FolderId::new(*prefix.file_id.as_bytes());
        if folder != self.folder {
            return Err(HeaderError::Foreign(folder));
        }
        access
            .of(EnvelopeType::MEMBER)
            .filter_map(|e| e.folder_key())
            .filter(|(name, _)| is_key_of_roster(name, prefix))
            .find_map(|(name, _)| self.keys.folder_key(&name).map(|key| (name, key)))
            .map(|(name, key)| OpenedFolderKey { name, key: Arc::clone(key) })
            .ok_or(HeaderError::NotARecipient)
    }
}

/// An account without a folder: opens type 6, its own or that of a group which it is in, and with it type 5; or type 1.
/// Each folder key costs one RSA operation, and is remembered.
#[derive(Debug)]
pub struct AccountAlone<'a> {
    account: &'a EnvelopePrivateKey,
    spki_hash: [u8; 32],
    groups: Vec<([u8; 32], Arc<EnvelopePrivateKey>)>,
    opened: Mutex<Vec<OpenedFolderKey>>,
}

impl<'a> AccountAlone<'a> {
    /// With `known` folder keys from earlier, whose names must have been checked.
    #[must_use]
    pub fn new(account: &'a EnvelopePrivateKey, known: Vec<OpenedFolderKey>) -> Self {
        let spki_hash = account.public().spki_hash();
        Self { account, spki_hash, groups: Vec::new(), opened: Mutex::new(known) }
    }

    /// With the common key pairs of the account's groups as well ([`Group::pairs`](super::roster::Group::pairs)).
    #[must_use]
    pub fn with_groups<'g>(mut self, pairs: impl IntoIterator<Item = &'g Arc<EnvelopePrivateKey>>) -> Self {
        self.groups.extend(pairs.into_iter().map(|pair| (pair.public().spki_hash(), Arc::clone(pair))));
        self
    }

    /// The folder keys that are known by now.
    #[must_use]
    pub fn opened(&self) -> Vec<OpenedFolderKey> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose type 6 envelope with this hint is, of those whose private keys are here: the account's, or a group's.
    fn holder(&self, hint: &[u8; 8], name: &FolderKeyName) -> Option<&EnvelopePrivateKey> {
        let is_of = |spki_hash: &[u8; 32]| folder_hint(name.folder, name.epoch, spki_hash) == *hint;
        if is_of(&self.spki_hash) {
            return Some(self.account);
        }
        self.groups.iter().find(|(spki_hash, _)| is_of(spki_hash)).map(|(_, pair)| &**pair)
    }

    /// The folder key called `name`, from memory or from a type 6 envelope, this account's or that of one of its groups.
    fn folder_key(
        &self,
        name: &FolderKeyName,
        access: &Access,
    ) -> Result<Option<Arc<FolderKey>>, HeaderError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|known| known.name == *name) {
            return Ok(Some(Arc::clone(&known.key)));
        }
        let named = |(found, wrapped)| (found == *name).then_some(wrapped);
        let mut envelopes = access
            .of(EnvelopeType::MEMBER)
            .filter_map(|e| Some((self.holder(&e.hint, name)?, e.folder_key().and_then(named)?)));
        let Some((holder, wrapped)) = envelopes.next() else { return Ok(None) };
        let key = holder.unwrap_folder_key(name, wrapped).map_err(|_| HeaderError::Unauthentic)?;
        let key = Arc::new(key);
        opened.push(OpenedFolderKey { name: *name, key: Arc::clone(&key) });
        Ok(Some(key))
    }
}

impl FileKeySource for AccountAlone<'_> {
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError> {
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

    fn roster_key(&self, prefix: &Prefix, access: &Access) -> Result<OpenedFolderKey, HeaderError> {
        for (name, _) in access.of(EnvelopeType::MEMBER).filter_map(|e| e.folder_key()) {
            if !is_key_of_roster(&name, prefix) {
                continue;
            }
            if let Some(key) = self.folder_key(&name, access)? {
                return Ok(OpenedFolderKey { name, key });
            }
        }
        Err(HeaderError::NotARecipient)
    }
}

/// A guest without an account: opens the type 7 envelope of one invitation in a roster, and the folder's files with the
/// key that it held. Files of older epochs open with the keys of the opened roster: give them as `known`, or go on with
/// a [`SyncedFolder`].
#[derive(Debug)]
pub struct Invited<'a> {
    invitation: InvitationId,
    key: &'a InviteKey,
    known: Mutex<Vec<OpenedFolderKey>>,
}

impl<'a> Invited<'a> {
    /// With the invitation's reading key, and `known` folder keys from earlier, whose names must have been checked.
    #[must_use]
    pub fn new(invitation: InvitationId, key: &'a InviteKey, known: Vec<OpenedFolderKey>) -> Self {
        Self { invitation, key, known: Mutex::new(known) }
    }
}

impl FileKeySource for Invited<'_> {
    fn file_key(&self, prefix: &Prefix, access: &Access) -> Result<FoundKey, HeaderError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, sealed) in access.of(EnvelopeType::FOLDER).filter_map(|e| e.folder_key()) {
            if let Some(OpenedFolderKey { key, .. }) = known.iter().find(|known| known.name == name) {
                return open_file_key(key, name, sealed, prefix);
            }
        }
        Err(HeaderError::NotARecipient)
    }

    fn roster_key(&self, prefix: &Prefix, access: &Access) -> Result<OpenedFolderKey, HeaderError> {
        let hint = invitation_hint(self.invitation);
        let own = access.of(EnvelopeType::INVITE).filter(|e| e.hint == hint).filter_map(|e| e.folder_key());
        let mut own = own.filter(|(name, _)| is_key_of_roster(name, prefix));
        let (name, sealed) = own.next().ok_or(HeaderError::NotARecipient)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = known.iter().find(|known| known.name == name) {
            return Ok(opened.clone());
        }
        let key = self.key.open_folder_key(&name, sealed).map_err(|_| HeaderError::Unauthentic)?;
        let opened = OpenedFolderKey { name, key: Arc::new(key) };
        known.push(opened.clone());
        Ok(opened)
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

/// Whether a roster with this prefix may be sealed under the key of this name.
pub(super) fn is_key_of_roster(name: &FolderKeyName, prefix: &Prefix) -> bool {
    name.folder.root() == prefix.file_id && name.epoch == prefix.key_epoch
}
