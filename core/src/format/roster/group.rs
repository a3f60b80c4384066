//! A group: a roster of people with a common key pair for each epoch, to whom folders are shared as to one person
//! (`docs/format.md`, "Groups").

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{FolderLayout, Operation, Role, SignedEntry};
use super::log::{Log, LogOrder};
use super::object::{
    RosterStatement, check_statement, decode_log_and_keys, encode_log_and_keys, seal_payload,
};
use super::state::RosterState;
use super::{Roster, RosterError};
use crate::account::SignedBundle;
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{EnvelopePrivateKey, FolderKeyName, GroupKey, Random, SigningKey, VerifyingKey, purpose};
use crate::format::HeaderError;
use crate::format::access::{Access, EnvelopeType, folder_hint};
use crate::format::header::{OpenedHeader, ensure, open_group_header};
use crate::format::key_source::{FoundKey, is_key_of_roster};
use crate::format::payload::open_whole;
use crate::format::prefix::Prefix;
use crate::format::seal::{SealError, SealedObject};
use crate::ids::GroupId;

/// Most bytes of a group's file.
pub const MAX_GROUP_OBJECT_LEN: usize = 1 << 20;
/// Most bytes of its payload.
pub const MAX_GROUP_LEN: u64 = 1 << 20;
/// Most bytes of a sealed private half: PKCS#8 of an RSA-3072 key has under 1,850.
const MAX_SEALED_PAIR_LEN: usize = 4096;
/// More epochs than fit into a payload.
const MAX_PAIRS: u64 = 4096;
/// What groups are called in their statements.
const GROUP_NAME: &str = "group";

/// An epoch, and the id of its key: two admins may start one at once.
type EpochId = (u32, [u8; 32]);

/// A group, with its keys and common key pairs.
#[derive(Debug, Clone)]
pub struct Group {
    roster: Roster<purpose::Group>,
    pairs: BTreeMap<EpochId, Arc<EnvelopePrivateKey>>,
}

/// A group's key and its name.
#[derive(Debug, Clone)]
pub struct OpenedGroupKey {
    /// What it is called; checked against the key.
    pub name: FolderKeyName,
    /// The key.
    pub key: Arc<GroupKey>,
}

/// A group that was read.
#[derive(Debug)]
pub struct OpenedGroup {
    /// Its header.
    pub header: OpenedHeader,
    /// What it holds: every entry's signature verified, entries without entitlement void, keys and pairs checked.
    pub group: Group,
}

impl Group {
    /// Makes a group: its owner's bundle and identity key, 16 random bytes, and the common key pair of its first epoch.
    ///
    /// # Errors
    /// [`RosterError::Malformed`] for a bundle that is not the signer's.
    pub fn create(
        owner_bundle: SignedBundle,
        owner: &SigningKey,
        nonce: [u8; 16],
        pair: EnvelopePrivateKey,
        rng: &mut dyn Random,
    ) -> Result<Self, RosterError> {
        let folder = owner.public().group_id(&nonce).as_folder();
        let key = GroupKey::generate(rng);
        let id = (1, key.id(folder, 1));
        let operation = Operation::Create {
            owner: owner_bundle,
            nonce,
            epoch: id.0,
            key_id: id.1,
            layout: FolderLayout::Group,
            public: Some(pair.public()),
        };
        let roster = Roster::begin(folder, operation, key, owner)?;
        Ok(Self { roster, pairs: BTreeMap::from([(id, Arc::new(pair))]) })
    }

    /// The group's name for good.
    #[must_use]
    pub const fn id(&self) -> GroupId {
        GroupId::of_folder(self.state().folder)
    }

    /// The entries: what folders that list the group hold.
    #[must_use]
    pub const fn log(&self) -> &Log {
        self.roster.log()
    }

    /// What they make together.
    #[must_use]
    pub const fn state(&self) -> &RosterState {
        self.roster.state()
    }

    /// The current epoch's key, to be remembered: its envelope need not be opened again.
    ///
    /// # Errors
    /// As [`Roster::current_key`].
    pub fn current_key(&self) -> Result<OpenedGroupKey, RosterError> {
        let key = Arc::clone(self.roster.current_key()?);
        Ok(OpenedGroupKey { name: self.state().key_name(), key })
    }

    /// The common key pairs, newest epoch first: what the folders' envelopes for the group open with.
    pub fn pairs(&self) -> impl Iterator<Item = &Arc<EnvelopePrivateKey>> {
        self.pairs.values().rev()
    }

    /// One envelope of the current epoch's key for each member, as [`Roster::member_envelopes`].
    ///
    /// # Errors
    /// As there.
    pub fn member_envelopes(&self, known: Option<&Access>) -> Result<Access, RosterError> {
        self.roster.member_envelopes(known)
    }

    /// Whether every member has an envelope of the current epoch's key in `access`.
    #[must_use]
    pub fn has_all_envelopes(&self, access: &Access) -> bool {
        self.roster.without_envelope(access).next().is_none()
    }

    /// How this relates to `other`, another version of the group.
    #[must_use]
    pub fn compare(&self, other: &Self) -> LogOrder {
        self.log().compare(other.log())
    }

    /// Adds a member, as admin or reader, or replaces a member's bundle and role.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`], [`RosterError::Malformed`]; the group is then as before. So with all changes.
    pub fn add(&mut self, member: SignedBundle, role: Role, signer: &SigningKey) -> Result<(), RosterError> {
        self.roster.add(member, role, signer)
    }

    /// Changes what a member may do in the group: admin or reader.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn set_role(
        &mut self,
        subject: VerifyingKey,
        role: Role,
        signer: &SigningKey,
    ) -> Result<(), RosterError> {
        self.roster.set_role(subject, role, None, signer)
    }

    /// Removes a member and starts a new epoch with a new `pair`. Every folder that lists the group starts one, too, when
    /// an admin's device sees this.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(
        &mut self,
        subject: VerifyingKey,
        pair: EnvelopePrivateKey,
        signer: &SigningKey,
        rng: &mut dyn Random,
    ) -> Result<(), RosterError> {
        let mut changed = self.clone();
        changed.roster.append(Operation::Remove { subject, manifest: None }, signer)?;
        changed.start_epoch(pair, signer, rng)?;
        *self = changed;
        Ok(())
    }

    /// Removes the signer, who is not the owner. An admin's device starts the new epoch that this makes necessary.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn leave(&mut self, signer: &SigningKey) -> Result<(), RosterError> {
        self.roster.leave(None, signer)
    }

    /// Starts a new epoch with a new key and `pair`.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn start_epoch(
        &mut self,
        pair: EnvelopePrivateKey,
        signer: &SigningKey,
        rng: &mut dyn Random,
    ) -> Result<(), RosterError> {
        self.roster.begin_epoch(GroupKey::generate(rng), Some(pair.public()), signer)?;
        // Nothing stands beside what was appended last.
        let state = self.roster.state();
        self.pairs.insert((state.epoch, state.key_id), Arc::new(pair));
        Ok(())
    }

    /// Goes on with another log of this group.
    #[cfg(test)]
    pub(super) fn replace_log(&mut self, log: Log) {
        let (groups, other) = (self.roster.groups.clone(), self.roster.clone());
        self.roster.take(log, groups, &other);
    }

    /// Takes in the entries, keys and pairs of another version of this group.
    ///
    /// # Errors
    /// As [`Roster::merge`].
    pub fn merge(&mut self, other: &Self) -> Result<(), RosterError> {
        let union = self.roster.joined_log(&other.roster)?;
        let groups = self.roster.groups.clone();
        self.roster.take(union, groups, &other.roster);
        self.pairs.extend(other.pairs.iter().map(|(id, pair)| (*id, Arc::clone(pair))));
        Ok(())
    }
}

/// Seals a group: the file that lies on the key server and in each encrypted folder that lists the group. `envelopes` are
/// its own of the current epoch ([`Group::member_envelopes`]).
///
/// # Errors
/// [`SealError::Statement`] where the current key is missing or a field is outside its limits; [`SealError::TooLarge`]
/// for more than [`MAX_GROUP_OBJECT_LEN`].
pub fn seal_group_object(
    group: &Group,
    envelopes: &Access,
    fields: RosterStatement,
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedObject, SealError> {
    let mut w = Writer::new();
    w.array(3);
    encode_log_and_keys(&group.roster, &mut w, rng)?;
    encode_pairs(group, &mut w, rng);
    let sealed = seal_payload(&group.roster, GROUP_NAME, &w.into_bytes(), envelopes, fields, signer, rng)?;
    if sealed.bytes.len() > MAX_GROUP_OBJECT_LEN { Err(SealError::TooLarge) } else { Ok(sealed) }
}

/// Opens a group with the key of one who is in it; `known` are group keys from earlier, whose names must have been
/// checked. Costs one RSA operation unless the current key is among them. Whether to trust the group's owner, whether it
/// is older than a version seen before ([`Group::compare`]) and whether its statement's writer is a member are the caller's
/// to check.
///
/// # Errors
/// [`HeaderError::NotARecipient`]; [`HeaderError::Unauthentic`] for an object that is no group, for a log that does not
/// hold, or for keys and pairs that are not those which the log names.
pub fn open_group_object(
    bytes: &[u8],
    account: &EnvelopePrivateKey,
    known: &[OpenedGroupKey],
) -> Result<OpenedGroup, HeaderError> {
    let mut current = None;
    let header = open_group_header(bytes, |prefix, access| {
        let opened = group_key(prefix, access, account, known)?;
        let name = opened.name;
        let key = opened.key.roster_file_key(name.folder, name.epoch);
        current = Some(opened);
        Ok(FoundKey { key, folder: Some(name) })
    })?;
    let current = current.ok_or(HeaderError::Unauthentic)?;
    ensure(header.statement.size <= MAX_GROUP_LEN)?;
    let (header, payload) = open_whole(header, bytes)?;
    let group = decode_payload(&payload, &current).map_err(|_| HeaderError::Unauthentic)?;
    check_statement(&header, group.state())?;
    Ok(OpenedGroup { header, group })
}

/// The group's key, from memory or from this account's type 8 envelope.
fn group_key(
    prefix: &Prefix,
    access: &Access,
    account: &EnvelopePrivateKey,
    known: &[OpenedGroupKey],
) -> Result<OpenedGroupKey, HeaderError> {
    let spki_hash = account.public().spki_hash();
    for envelope in access.of(EnvelopeType::GROUP_MEMBER) {
        let Some((name, wrapped)) = envelope.folder_key().filter(|(name, _)| is_key_of_roster(name, prefix))
        else {
            continue;
        };
        if let Some(known) = known.iter().find(|known| known.name == name) {
            return Ok(known.clone());
        }
        if envelope.hint == folder_hint(name.folder, name.epoch, &spki_hash) {
            let key = account.unwrap_group_key(&name, wrapped).map_err(|_| HeaderError::Unauthentic)?;
            return Ok(OpenedGroupKey { name, key: Arc::new(key) });
        }
    }
    Err(HeaderError::NotARecipient)
}

/// `[[epoch, key_id, sealed private half], …]`, ascending, each sealed under its own epoch's key.
fn encode_pairs(group: &Group, w: &mut Writer, rng: &mut dyn Random) {
    let keys = group
        .roster
        .keys()
        .filter_map(|(name, key)| group.pairs.get(&(name.epoch, name.key_id)).map(|pair| (name, key, pair)));
    let sealed: Vec<_> = keys.map(|(name, key, pair)| (name, key.seal_pair(&name, pair, rng))).collect();
    w.array(sealed.len());
    for (name, sealed) in sealed {
        w.array(3).uint(u64::from(name.epoch)).bytes(&name.key_id).bytes(&sealed);
    }
}

fn decode_payload(payload: &[u8], current: &OpenedGroupKey) -> Result<Group, Malformed> {
    let mut reader = Reader::new(payload);
    let r = &mut reader;
    r.tuple(3)?;
    let roster = decode_log_and_keys(r, &current.name, &current.key)?;
    check(roster.log.group().is_some())?;
    let mut pairs = BTreeMap::new();
    for _ in 0..r.array(MAX_PAIRS)? {
        r.tuple(3)?;
        let id = (r.u32()?, r.array_of()?);
        check(pairs.last_key_value().is_none_or(|(last, _)| *last < id))?;
        let pair = open_pair(&roster, id, r.bytes(MAX_SEALED_PAIR_LEN)?)?;
        pairs.insert(id, Arc::new(pair));
    }
    reader.end()?;
    check(pairs.contains_key(&(current.name.epoch, current.name.key_id)))?;
    Ok(Group { roster, pairs })
}

/// Opens the private half of the epoch, whose public one is in the entry that names the epoch's key. Anybody in the group can
/// add another entry of that name, which does not count: one that does not is asked only where a merge has voided all.
fn open_pair(
    roster: &Roster<purpose::Group>,
    id: EpochId,
    sealed: &[u8],
) -> Result<EnvelopePrivateKey, Malformed> {
    let key = roster.keys.get(&id).ok_or(Malformed)?;
    let name = FolderKeyName { folder: roster.state.folder, epoch: id.0, key_id: id.1 };
    let of_epoch = |entry: &&SignedEntry| entry.entry.operation.epoch() == Some(id);
    let is_void = |entry: &&SignedEntry| roster.state.void.contains(&entry.hash);
    let (void, counting): (Vec<_>, Vec<_>) = roster.log.entries().iter().filter(of_epoch).partition(is_void);
    let mut asked = if counting.is_empty() { void } else { counting }.into_iter();
    let open = |entry: &SignedEntry| key.open_pair(&name, entry.entry.operation.public()?, sealed).ok();
    asked.find_map(open).ok_or(Malformed)
}
