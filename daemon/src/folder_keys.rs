//! A folder's keys and roster, opened: what reading and writing its objects needs.

use std::fmt;
use std::sync::Arc;

use ensafer_core::account::Account;
use ensafer_core::clock::Dot;
use ensafer_core::crypto::{FolderKey, FolderKeyName, SigningKey, SystemRandom};
use ensafer_core::format::roster::{OpenedRoster, Roster, RosterError, open_roster_object};
use ensafer_core::format::{
    Access, AccessList, AccountAlone, Authorship, EnvelopeType, FolderSeal, HeaderError, OpenedFolderKey,
    OpenedHeader, Prefix, Statement, SyncedFolder,
};
use ensafer_core::ids::{FileId, Fingerprint, FolderId};

use crate::account::Unlocked;
use crate::envelopes::{EnvelopeName, Envelopes};
use crate::state::Identity;

/// Opens the account when its keys are first needed, and not before.
pub trait Vault: Send + Sync {
    /// The account.
    ///
    /// # Errors
    /// [`FolderKeysError::Locked`] where nobody can be asked, and what opening says.
    fn unlocked(&self) -> Result<Unlocked, FolderKeysError>;

    /// The cache of opened envelopes.
    fn envelopes(&self) -> &Envelopes;
}

/// A folder's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderKeysError {
    /// The password is needed.
    #[error("the keys are locked")]
    Locked,
    /// The account cannot be opened.
    #[error("{0}")]
    Account(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The roster cannot be read with this account.
    #[error("the folder's roster cannot be opened")]
    Roster(#[from] HeaderError),
    /// The folder is somebody else's, and nothing vouches for it.
    #[error("the encrypted folder belongs to another account ({owner})")]
    OtherOwner {
        /// Its owner.
        owner: Fingerprint,
    },
    /// Admins removed each other: the owner has to decide.
    #[error(
        "two admins of the folder have removed each other; it goes on when its owner has changed the members"
    )]
    Disputed,
    /// The roster lacks the key that it names.
    #[error("the folder's current key is not in its roster")]
    KeyMissing(#[from] RosterError),
}

/// Everything that is needed to read and write a folder's objects.
pub struct OpenFolder {
    /// The folder.
    pub id: FolderId,
    /// Who writes here, as statements say it.
    pub authorship: Authorship,
    /// Who writes here, as conflict copies say it.
    pub author: Arc<str>,
    roster: Roster,
    file_envelopes: Access,
    seal_key: Arc<FolderKey>,
    account: Arc<Account>,
}

impl fmt::Debug for OpenFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFolder").field("id", &self.id).finish_non_exhaustive()
    }
}

impl OpenFolder {
    /// Opens the roster in `object` for the device `identity`, called `device_name`. Only a folder that the account
    /// itself made is accepted.
    ///
    /// # Errors
    /// [`FolderKeysError`].
    pub fn open(
        object: &[u8],
        vault: &dyn Vault,
        identity: &Identity,
        device_name: &str,
    ) -> Result<Self, FolderKeysError> {
        let unlocked = vault.unlocked()?;
        let opened = open_roster(object, &unlocked, vault.envelopes())?;
        let account = unlocked.account;
        let state = opened.roster.state();
        if state.disputed {
            return Err(FolderKeysError::Disputed);
        }
        if state.owner_key != account.identity().public() {
            return Err(FolderKeysError::OtherOwner { owner: state.owner() });
        }
        let device_name: Arc<str> = device_name.into();
        let login = state.login_of(&account.identity().public()).unwrap_or_default();
        Ok(Self {
            id: state.folder,
            author: author(login, &device_name),
            authorship: Authorship {
                folder: state.folder,
                owner: state.owner(),
                writer: account.identity().public(),
                device: identity.device,
                device_name,
                roster_head: state.head,
            },
            file_envelopes: Roster::file_envelopes(&opened.header.access),
            seal_key: opened.roster.current_key()?.clone(),
            roster: opened.roster,
            account,
        })
    }

    /// Opens this folder's objects, and no others.
    #[must_use]
    pub fn source(&self) -> SyncedFolder<'_, Roster> {
        SyncedFolder { folder: self.id, keys: &self.roster }
    }

    /// What this folder's objects are sealed with.
    #[must_use]
    pub fn seal(&self) -> FolderSeal<'_> {
        FolderSeal::new(self.id, self.roster.state().epoch, &self.seal_key, &self.file_envelopes)
    }

    /// Signs statements.
    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        self.account.identity()
    }

    /// Whether an opened object belongs here and was written by somebody who may.
    #[must_use]
    pub fn accepts(&self, header: &OpenedHeader) -> bool {
        self.roster.state().accepts(header)
    }

    /// Takes from an opened header the access list that nobody signed who may.
    pub fn judge_access_list(&self, header: &mut OpenedHeader) {
        let may_sign = |list: &AccessList| self.roster.state().may_administer(&list.signer);
        if !header.access_list.as_ref().is_none_or(may_sign) {
            header.distrust_access_list();
        }
    }

    /// The folder's roster.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Who wrote a statement, as conflict copies say it.
    #[must_use]
    pub fn author_of(&self, statement: &Statement) -> Arc<str> {
        let login = self.roster.state().login_of(&statement.writer).unwrap_or_default();
        author(login, &statement.device_name)
    }

    /// The id of a conflict copy (engine rule 13): the same in every epoch, because the first epoch's key makes it.
    #[must_use]
    pub fn copy_id(&self, file: FileId, losing: Dot) -> FileId {
        let first = self.roster.keys().next().map_or(&self.seal_key, |(_, key)| key);
        first.conflict_copy_id(file, losing)
    }
}

/// `alice, laptop`: the part of an e-mail address before the `@`, and the device.
#[must_use]
pub fn author(login: &str, device_name: &str) -> Arc<str> {
    let person = login.split('@').next().unwrap_or_default();
    format!("{person}, {device_name}").into()
}

/// Opens a roster object with an account. The folder key comes from the envelope cache where it was opened before,
/// and is put there otherwise.
///
/// # Errors
/// What [`open_roster_object`] refuses.
pub fn open_roster(
    object: &[u8],
    unlocked: &Unlocked,
    cache: &Envelopes,
) -> Result<OpenedRoster, HeaderError> {
    let envelopes = member_envelopes(object)?;
    let known = envelopes.iter().filter_map(|(folder_key, name)| {
        let key = cache.get(&unlocked.device, *name)?;
        let is_named_so = key.name(folder_key.folder, folder_key.epoch) == *folder_key;
        is_named_so.then(|| OpenedFolderKey { name: *folder_key, key: Arc::new(key) })
    });
    let keys = AccountAlone::new(unlocked.account.envelope(), known.collect());
    let opened = open_roster_object(object, &keys)?;
    for key in keys.opened() {
        if let Some((_, name)) = envelopes.iter().find(|(folder_key, _)| *folder_key == key.name) {
            cache.put(&unlocked.device, *name, &key.key, &mut SystemRandom);
        }
    }
    Ok(opened)
}

/// A roster's member envelopes: the key that each holds, and its name in the cache.
fn member_envelopes(object: &[u8]) -> Result<Vec<(FolderKeyName, EnvelopeName)>, HeaderError> {
    let prefix = Prefix::parse(object)?;
    let start = ensafer_core::format::PREFIX_LEN;
    let needed = (start + prefix.access_len) as u64;
    let bytes = object.get(start..start + prefix.access_len).ok_or(HeaderError::TooShort { needed })?;
    let access = Access::parse(bytes)?;
    let members = access.envelopes().filter(|envelope| envelope.kind == EnvelopeType::MEMBER);
    let named = members.filter_map(|envelope| {
        let (name, sealed) = envelope.folder_key()?;
        Some((name, EnvelopeName::new(&name.to_bytes(), sealed)))
    });
    Ok(named.collect())
}
