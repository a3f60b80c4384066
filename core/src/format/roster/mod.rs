//! The roster: who may read and write a folder, or is in a group, as an append-only log of signed entries; and its keys.
//!
//! It is an ordinary object whose id is the folder's own. What its entries amount to is the fold; two rosters
//! merge by the union of their entries.

mod encoding;
mod entry;
mod fold;
mod group;
mod group_logs;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod group_vectors;
#[cfg(test)]
mod invitation_tests;
mod log;
mod object;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

pub use entry::{Entry, EntryHash, FolderLayout, ManifestName, Operation, Role, SignedEntry, Written};
pub use group::{
    Group, MAX_GROUP_LEN, MAX_GROUP_OBJECT_LEN, OpenedGroup, OpenedGroupKey, open_group_object,
    seal_group_object,
};
pub use group_logs::{MAX_GROUPS, MAX_WRITTEN};
pub use log::{Log, LogOrder, MAX_ENTRIES};
pub use object::{MAX_ROSTER_LEN, OpenedRoster, RosterStatement, open_roster_object, seal_roster_object};
pub use state::{ListedGroup, Member, RosterState};

use super::access::{Access, Envelope, EnvelopeType, MAX_ENVELOPES, folder_hint, invitation_hint};
use super::key_source::FolderKeys;
use super::seal::{FolderSeal, MAX_FILE_MEMBERS, SealError, wrapped_envelopes};
use crate::account::SignedBundle;
use crate::cbor::Malformed;
use crate::crypto::{
    EnvelopePublicKey, FolderKey, FolderKeyName, InviteKey, Key, Random, RosterPurpose, SigningKey,
    VerifyingKey, purpose,
};
use crate::ids::{FileId, FolderId, InvitationId, StatementHash};
use group_logs::GroupLogs;

/// The id of the folder that the owner of `owner` makes with these 16 random bytes: nobody else can be its creator.
#[must_use]
pub fn derive_folder_id(owner: &VerifyingKey, nonce: &[u8; 16]) -> FolderId {
    owner.folder_id(nonce)
}

/// Why a roster cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// A bundle or an entry is malformed, or there are too many.
    #[error("malformed, or too large")]
    Malformed,
    /// The signer has not the role for it, or the subject is no member.
    #[error("not allowed to this member")]
    NotAllowed,
    /// Two rosters are of different folders.
    #[error("of another folder")]
    OtherFolder,
    /// The current epoch's key is not at hand.
    #[error("the folder's current key is not known here")]
    KeyMissing,
}

impl From<Malformed> for RosterError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What a roster is of: a folder, or a group. Each has its own kind of keys, and of envelopes for them.
pub trait RosterKind: RosterPurpose {
    /// The envelope that holds a key of it for a member.
    const MEMBER: EnvelopeType;
}

impl RosterKind for purpose::Folder {
    const MEMBER: EnvelopeType = EnvelopeType::MEMBER;
}

impl RosterKind for purpose::Group {
    const MEMBER: EnvelopeType = EnvelopeType::GROUP_MEMBER;
}

/// A folder's roster with the keys of its epochs, as far as they are known; or that of a group.
#[derive(Debug, Clone)]
pub struct Roster<P = purpose::Folder> {
    log: Log,
    state: RosterState,
    keys: BTreeMap<(u32, [u8; 32]), Arc<Key<P>>>,
    /// The logs of the groups that any entry names.
    groups: GroupLogs,
}

impl Roster {
    /// Makes a folder: its owner's bundle and identity key, 16 random bytes, and the key of its first epoch.
    ///
    /// # Errors
    /// [`RosterError::Malformed`] for a bundle that is not the signer's, or the layout of a group.
    pub fn create(
        owner_bundle: SignedBundle,
        owner: &SigningKey,
        nonce: [u8; 16],
        layout: FolderLayout,
        key: FolderKey,
    ) -> Result<Self, RosterError> {
        let folder = derive_folder_id(&owner.public(), &nonce);
        let key_id = key.id(folder, 1);
        let operation =
            Operation::Create { owner: owner_bundle, nonce, epoch: 1, key_id, layout, public: None };
        Self::begin(folder, operation, key, owner)
    }
}

impl<P: RosterKind> Roster<P> {
    /// Makes a folder or a group by its first entry, with the key of its first epoch.
    fn begin(
        folder: FolderId,
        operation: Operation,
        key: Key<P>,
        owner: &SigningKey,
    ) -> Result<Self, RosterError> {
        let id = (1, key.id(folder, 1));
        let entry = Entry { folder, seq: 0, prev: Vec::new(), operation, signer: owner.public() };
        let log = Log::new(vec![SignedEntry::sign(entry, owner)?])?;
        let groups = GroupLogs::new();
        let state = fold::fold(&log, &groups);
        Ok(Self { log, state, keys: BTreeMap::from([(id, Arc::new(key))]), groups })
    }

    /// The entries.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// What they make together.
    #[must_use]
    pub const fn state(&self) -> &RosterState {
        &self.state
    }

    /// The current epoch's key.
    ///
    /// # Errors
    /// [`RosterError::KeyMissing`], which happens only after a merge.
    pub fn current_key(&self) -> Result<&Arc<Key<P>>, RosterError> {
        self.keys.get(&(self.state.epoch, self.state.key_id)).ok_or(RosterError::KeyMissing)
    }

    /// Every key that is known, oldest epoch first.
    pub fn keys(&self) -> impl Iterator<Item = (FolderKeyName, &Arc<Key<P>>)> {
        let folder = self.state.folder;
        self.keys.iter().map(move |((epoch, key_id), key)| {
            (FolderKeyName { folder, epoch: *epoch, key_id: *key_id }, key)
        })
    }

    /// One envelope of the current epoch's key for each member and each group: what the roster itself carries. Those that
    /// `known`, the envelopes of an earlier version, has of this epoch stay as they are, and so do those of invitations:
    /// whoever remembers an opened envelope need not open another.
    ///
    /// # Errors
    /// [`RosterError::KeyMissing`]; [`RosterError::Malformed`] for more than 1,024 envelopes.
    pub fn member_envelopes(&self, known: Option<&Access>) -> Result<Access, RosterError> {
        let name = self.state.key_name();
        let hints: HashSet<_> = self.state.recipients().map(|key| hint_of(key, &name)).collect();
        let is_kept = |envelope: &Envelope<'_>| {
            let is_of_somebody = envelope.kind == EnvelopeType::INVITE || hints.contains(&envelope.hint);
            is_of_epoch::<P>(envelope, &name) && is_of_somebody
        };
        let kept = known.map(|known| once_each(known, is_kept)).unwrap_or_default();
        let missing = self.without_envelope(&kept);
        let made = wrapped_envelopes(P::MEMBER, &name, self.current_key()?, missing)
            .map_err(|_| RosterError::Malformed)?;
        Ok(Access::build(kept.envelopes().chain(made.envelopes()))?)
    }

    /// Whether `access` has envelopes of the current epoch's key for nobody but members and groups, and none that is another than the
    /// one that `known`, an earlier version, has for the same person: a member who knows the key may have put it there.
    #[must_use]
    pub fn has_strange_envelopes(&self, access: &Access, known: Option<&Access>) -> bool {
        let name = self.state.key_name();
        let hints: HashSet<_> = self.state.recipients().map(|key| hint_of(key, &name)).collect();
        let known = known.into_iter().flat_map(|known| known.of(P::MEMBER));
        let known: HashMap<_, _> = known
            .filter(|e| is_of_epoch::<P>(e, &name))
            .map(|envelope| (envelope.hint, envelope.body))
            .collect();
        let is_strange = |envelope: Envelope<'_>| {
            !hints.contains(&envelope.hint)
                || known.get(&envelope.hint).is_some_and(|body| *body != envelope.body)
        };
        access.of(P::MEMBER).filter(|e| is_of_epoch::<P>(e, &name)).any(is_strange)
    }

    /// Whether every key that `other` knows is known here.
    #[must_use]
    pub fn has_keys_of(&self, other: &Self) -> bool {
        other.keys.keys().all(|name| self.keys.contains_key(name))
    }

    /// The members and groups, by their public keys, who have no envelope of the current epoch's key in `access`: nobody
    /// drops one but a cloud, or a member, who wants them out.
    pub fn without_envelope(&self, access: &Access) -> impl Iterator<Item = &EnvelopePublicKey> {
        let name = self.state.key_name();
        let members = access.of(P::MEMBER).filter(|envelope| is_of_epoch::<P>(envelope, &name));
        let hints: HashSet<_> = members.map(|envelope| envelope.hint).collect();
        self.state.recipients().filter(move |key| !hints.contains(&hint_of(key, &name)))
    }

    /// Adds a member, or replaces a member's bundle and role.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`], [`RosterError::Malformed`]; the roster is then as before. So with all changes.
    pub fn add(&mut self, member: SignedBundle, role: Role, signer: &SigningKey) -> Result<(), RosterError> {
        self.append(Operation::Add { member, role }, signer)
    }

    /// Changes what a member may do. A change that takes the right to write names a manifest of what the member had
    /// written.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn set_role(
        &mut self,
        subject: VerifyingKey,
        role: Role,
        manifest: Option<StatementHash>,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        self.append(Operation::Role { subject, role, manifest }, signer)
    }

    /// Removes the signer, who is not the owner; `manifest` is of what the signer had written. An admin's device starts
    /// the new epoch that this makes necessary.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn leave(&mut self, manifest: Option<StatementHash>, signer: &SigningKey) -> Result<(), RosterError> {
        self.append(Operation::Remove { subject: signer.public(), manifest }, signer)
    }

    /// The id of the manifest of what `subject` has written, if the next entry names one.
    #[must_use]
    pub fn manifest_id(&self, subject: &VerifyingKey) -> FileId {
        entry::manifest_id(self.state.folder, subject, &self.log.next_prev(&self.state.void))
    }

    /// Starts a new epoch with `key` and, in a group, the common key pair whose public half this is.
    fn begin_epoch(
        &mut self,
        key: Key<P>,
        public: Option<EnvelopePublicKey>,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        let epoch = self.state.epoch.checked_add(1).ok_or(RosterError::Malformed)?;
        let key_id = key.id(self.state.folder, epoch);
        self.append(Operation::Epoch { epoch, key_id, public }, signer)?;
        self.keys.insert((epoch, key_id), Arc::new(key));
        Ok(())
    }

    /// The entries of both.
    fn joined_log(&self, other: &Self) -> Result<Log, RosterError> {
        if self.state.folder != other.state.folder {
            return Err(RosterError::OtherFolder);
        }
        Ok(self.log.union(&other.log)?)
    }

    /// Goes on with this log and these groups, and the keys of `other` as well.
    fn take(&mut self, log: Log, groups: GroupLogs, other: &Self) {
        self.state = fold::fold(&log, &groups);
        (self.log, self.groups) = (log, groups);
        self.keys.extend(other.keys.iter().map(|(name, key)| (*name, Arc::clone(key))));
    }

    fn append(&mut self, operation: Operation, signer: &SigningKey) -> Result<(), RosterError> {
        let log = self.log.with(operation, &self.state.void, signer)?;
        let state = fold::fold(&log, &self.groups);
        if state.recipients().count() > MAX_ENVELOPES {
            return Err(RosterError::Malformed);
        }
        let is_new = |entry: &&SignedEntry| self.log.entries().iter().all(|known| known.hash != entry.hash);
        let appended = log.entries().iter().find(is_new).map(|e| e.hash);
        if state.disputed || appended.is_none_or(|hash| state.void.contains(&hash)) {
            return Err(RosterError::NotAllowed);
        }
        (self.log, self.state) = (log, state);
        Ok(())
    }
}

impl Roster {
    /// The roster's `envelopes` with one more of the current epoch's key, for whoever has the reading key of the
    /// invitation `id`; an earlier one of that invitation gives way to it. Files never carry it.
    ///
    /// # Errors
    /// [`RosterError::KeyMissing`]; [`RosterError::Malformed`] for more than 1,024 envelopes.
    pub fn with_invitation(
        &self,
        envelopes: &Access,
        id: InvitationId,
        reading: &InviteKey,
        rng: &mut dyn Random,
    ) -> Result<Access, RosterError> {
        let name = self.state.key_name();
        let sealed = reading.seal_folder_key(&name, self.current_key()?, rng);
        let body = [&name.to_bytes()[..], &sealed].concat();
        let hint = invitation_hint(id);
        let invite = Envelope { kind: EnvelopeType::INVITE, flags: 0, hint, body: &body };
        let others = Self::without_invitation(envelopes, id);
        Ok(Access::build(others.envelopes().chain([invite]))?)
    }

    /// The roster's `envelopes` without the one of an invitation that was accepted. One that was revoked, or has ended,
    /// also needs a new epoch: whoever had it knows the key.
    #[must_use]
    pub fn without_invitation(envelopes: &Access, id: InvitationId) -> Access {
        let hint = invitation_hint(id);
        envelopes.retain(|e| e.kind != EnvelopeType::INVITE || e.hint != hint)
    }

    /// Whether the roster's `envelopes` hold one of the invitation `id`: one that was revoked has none, whatever
    /// a server says about it.
    #[must_use]
    pub fn has_invitation(envelopes: &Access, id: InvitationId) -> bool {
        envelopes.of(EnvelopeType::INVITE).any(|e| e.hint == invitation_hint(id))
    }

    /// What of the roster's `envelopes` every file carries: those for members, or none where there are more than
    /// [`MAX_FILE_MEMBERS`].
    #[must_use]
    pub fn file_envelopes(envelopes: &Access) -> Access {
        let few = envelopes.of(EnvelopeType::MEMBER).count() <= MAX_FILE_MEMBERS;
        envelopes.retain(|envelope| few && envelope.kind == EnvelopeType::MEMBER)
    }

    /// What the folder's files are sealed with; `file_envelopes` as from [`file_envelopes`](Self::file_envelopes).
    ///
    /// # Errors
    /// [`RosterError::KeyMissing`].
    pub fn folder_seal<'a>(&'a self, file_envelopes: &'a Access) -> Result<FolderSeal<'a>, RosterError> {
        Ok(FolderSeal::new(self.state.folder, self.state.epoch, self.current_key()?, file_envelopes))
    }

    /// Removes a member and starts a new epoch with `key`.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(
        &mut self,
        subject: VerifyingKey,
        manifest: Option<StatementHash>,
        key: FolderKey,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        let mut changed = self.clone();
        changed.append(Operation::Remove { subject, manifest }, signer)?;
        changed.start_epoch(key, signer)?;
        *self = changed;
        Ok(())
    }
}

/// The envelopes that `keep` keeps, one for each hint.
fn once_each(access: &Access, keep: impl Fn(&Envelope<'_>) -> bool) -> Access {
    let mut seen = HashSet::new();
    let kept = access.envelopes().filter(|e| keep(e) && seen.insert((e.kind, e.hint)));
    Access::build(kept).unwrap_or_default()
}

/// Whether `envelope` lets a member or a guest reach the folder key called `name`.
fn is_of_epoch<P: RosterKind>(envelope: &Envelope<'_>, name: &FolderKeyName) -> bool {
    let is_of_kind = envelope.kind == P::MEMBER
        || (P::MEMBER == EnvelopeType::MEMBER && envelope.kind == EnvelopeType::INVITE);
    is_of_kind && envelope.flags == 0 && envelope.folder_key().is_some_and(|(of, _)| of == *name)
}

fn hint_of(key: &EnvelopePublicKey, name: &FolderKeyName) -> [u8; 8] {
    folder_hint(name.folder, name.epoch, &key.spki_hash())
}

impl FolderKeys for Roster {
    fn folder_key(&self, name: &FolderKeyName) -> Option<&Arc<FolderKey>> {
        (name.folder == self.state.folder).then(|| self.keys.get(&(name.epoch, name.key_id))).flatten()
    }
}

impl From<RosterError> for SealError {
    fn from(_: RosterError) -> Self {
        Self::Statement
    }
}
