//! What a roster says: members, epochs, layout.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{EntryHash, FolderLayout, ManifestName, Role};
use crate::account::SignedBundle;
use crate::crypto::{EnvelopePublicKey, FolderKeyName, VerifyingKey};
use crate::format::header::OpenedHeader;
use crate::ids::{Fingerprint, FolderId, GroupId, StatementHash};

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

/// A group that a folder is shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub id: GroupId,
    /// What its members may do: reader or writer.
    pub role: Role,
    /// Its newest epoch is not the one that the folder's entries name: the folder's next epoch names it first.
    pub is_behind: bool,
    /// Who was in the group by what the folder's entries name of its log, and is not any more: what they had written by now
    /// is named with its next entries.
    pub left: Vec<VerifyingKey>,
    /// What its own log makes, as far as the folder's roster holds it.
    pub state: Arc<RosterState>,
}

/// What the entries of a log make together, those of a folder or of a group.
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
    /// An admin's device has to start a new epoch: somebody who was removed, also from a group, knows the key of this one.
    /// [`Roster::start_epoch`](super::Roster::start_epoch) does what it takes.
    pub needs_epoch: bool,
    /// What those who were removed, or lost the right to write, had written by then.
    pub manifests: Vec<ManifestName>,
    /// What entries name that do not count: they vouch for nothing, and belong to the roster all the same.
    pub void_manifests: Vec<ManifestName>,
    /// Entries that do not count, because their signers were not entitled to them: to be reported.
    pub void: Vec<EntryHash>,
    /// The entry that started the epoch.
    pub epoch_entry: EntryHash,
    /// The epoch's common public key, in a group.
    pub public: Option<EnvelopePublicKey>,
    /// The groups that the folder is shared with, by id.
    pub groups: Vec<ListedGroup>,
    /// The groups that it was shared with, as far as their logs are known.
    pub former_groups: BTreeMap<GroupId, Arc<RosterState>>,
    /// Groups that it is shared with, but whose logs lack what the entries name. Nobody of them may do anything; a roster
    /// is neither sealed nor taken while there are any.
    pub unknown_groups: Vec<GroupId>,
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

    /// The member whose identity key this is, who is not one by a group only.
    #[must_use]
    pub fn member(&self, key: &VerifyingKey) -> Option<&Member> {
        self.members.binary_search_by_key(key, Member::key).ok().map(|i| &self.members[i])
    }

    /// The most that `key` may do, as a member or in a group.
    #[must_use]
    pub fn role_of(&self, key: &VerifyingKey) -> Option<Role> {
        let own = self.member(key).map(|member| member.role);
        let in_groups = self.groups.iter().filter(|group| group.state.member(key).is_some());
        own.max(in_groups.map(|group| group.role).max())
    }

    /// The public keys for which the folder's key is wrapped: the members', and the groups' of their newest epochs.
    pub fn recipients(&self) -> impl Iterator<Item = &EnvelopePublicKey> {
        let members = self.members.iter().map(|member| &member.bundle.bundle().envelope);
        members.chain(self.groups.iter().filter_map(|group| group.state.public.as_ref()))
    }

    /// Whether `key` may write files.
    #[must_use]
    pub fn may_write(&self, key: &VerifyingKey) -> bool {
        self.role_of(key) >= Some(Role::Writer)
    }

    /// Whether `key` has left a group that may write, and may not write any more, and no entry says yet what they had
    /// written.
    #[must_use]
    pub fn has_unnamed(&self, key: &VerifyingKey) -> bool {
        let has_left = |group: &ListedGroup| group.role >= Role::Writer && group.left.contains(key);
        self.groups.iter().any(has_left) && !self.may_write(key)
    }

    /// Whether anybody [has](Self::has_unnamed).
    #[must_use]
    pub fn needs_names(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.left).any(|key| self.has_unnamed(key))
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

    /// How a present or former member is called, by identity key; also one of a group that is or was listed.
    #[must_use]
    pub fn login_of(&self, key: &VerifyingKey) -> Option<&str> {
        let former = || self.former.iter().find(|bundle| bundle.bundle().identity == *key);
        let own = self.member(key).map(|member| &member.bundle).or_else(former);
        let groups = || self.groups.iter().map(|group| &group.state).chain(self.former_groups.values());
        own.map(|bundle| bundle.bundle().login.as_str())
            .or_else(|| groups().find_map(|group| group.login_of(key)))
    }
}
