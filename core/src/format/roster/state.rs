//! What a roster says: members, epochs, layout.

use std::collections::BTreeSet;

use super::entry::{EntryHash, FolderLayout, ManifestName, Role};
use crate::account::SignedBundle;
use crate::crypto::{FolderKeyName, VerifyingKey};
use crate::format::header::OpenedHeader;
use crate::ids::{Fingerprint, FolderId, StatementHash};

/// A member of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub bundle: SignedBundle,
    /// What the member may do.
    pub role: Role,
}

impl Member {
    /// The identity key.
    #[must_use]
    pub fn key(&self) -> VerifyingKey {
        self.bundle.bundle().identity
    }
}

/// What the entries of a log make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterState {
    /// The folder.
    pub folder: FolderId,
    /// The identity key that the folder's id comes from. Whether to trust it is not for the roster to say.
    pub owner_key: VerifyingKey,
    /// The members, by identity key.
    pub members: Vec<Member>,
    /// Those who were members, by identity key.
    pub former: Vec<SignedBundle>,
    /// The epoch under whose key everything is sealed from now on.
    pub epoch: u32,
    /// The id of its key.
    pub key_id: [u8; 32],
    /// Every epoch that an entry names and its key's id; one epoch has several where admins started it without knowing
    /// of each other.
    pub key_ids: BTreeSet<(u32, [u8; 32])>,
    /// How objects lie in the encrypted folder.
    pub layout: FolderLayout,
    /// Names this state of the log.
    pub head: StatementHash,
    /// Admins removed each other: nothing is to be synced until the owner has signed an entry.
    pub disputed: bool,
    /// An admin's device has to start a new epoch: somebody who was removed knows the key of this one.
    pub needs_epoch: bool,
    /// What those who were removed, or lost the right to write, had written by then.
    pub manifests: Vec<ManifestName>,
    /// What entries name that do not count: they vouch for nothing, and belong to the roster all the same.
    pub void_manifests: Vec<ManifestName>,
    /// Entries that do not count, because their signers were not entitled to them: to be reported.
    pub void: Vec<EntryHash>,
}

impl RosterState {
    /// The owner's fingerprint.
    #[must_use]
    pub fn owner(&self) -> Fingerprint {
        self.owner_key.fingerprint()
    }

    /// The name of the key that everything is sealed under from now on.
    #[must_use]
    pub const fn key_name(&self) -> FolderKeyName {
        FolderKeyName { folder: self.folder, epoch: self.epoch, key_id: self.key_id }
    }

    /// The member whose identity key this is.
    #[must_use]
    pub fn member(&self, key: &VerifyingKey) -> Option<&Member> {
        self.members.binary_search_by_key(key, Member::key).ok().map(|i| &self.members[i])
    }

    /// Whether `key` may write files.
    #[must_use]
    pub fn may_write(&self, key: &VerifyingKey) -> bool {
        self.member(key).is_some_and(|member| member.role >= Role::Writer)
    }

    /// Whether `key` may change the roster and sign access lists.
    #[must_use]
    pub fn may_administer(&self, key: &VerifyingKey) -> bool {
        self.member(key).is_some_and(|member| member.role >= Role::Admin)
    }

    /// Whether an opened file is one of this folder by a member who may write.
    #[must_use]
    pub fn accepts(&self, header: &OpenedHeader) -> bool {
        let statement = &header.statement;
        statement.folder == self.folder
            && statement.owner == self.owner()
            && self.may_write(&statement.writer)
    }

    /// How a present or former member is called, by identity key.
    #[must_use]
    pub fn login_of(&self, key: &VerifyingKey) -> Option<&str> {
        let former = || self.former.iter().find(|bundle| bundle.bundle().identity == *key);
        self.member(key)
            .map(|member| &member.bundle)
            .or_else(former)
            .map(|bundle| bundle.bundle().login.as_str())
    }
}
