//! The roster as a file: sealed under a key that comes from the folder key, for which it holds every member's envelope.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group_logs::{self, GroupLogs};
use super::log::Log;
use super::{Roster, RosterError, RosterKind, RosterState, fold};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::clock::{Clock, Dot};
use crate::crypto::{FolderKeyName, Key, Random, SEALED_KEY_BYTES, SigningKey, open_key, purpose, seal_key};
use crate::format::HeaderError;
use crate::format::access::Access;
use crate::format::header::{OpenedHeader, ensure, open_header};
use crate::format::key_source::FileKeySource;
use crate::format::payload::open_bytes;
use crate::format::seal::{FileSeal, SealError, SealedObject, seal_content};
use crate::format::statement::{ObjectKind, Statement};
use crate::ids::DeviceId;
use crate::time::Timestamp;
use crate::tree::Name;

/// Most bytes of a roster's payload.
pub const MAX_ROSTER_LEN: u64 = 8 << 20;
/// Most older keys that a roster holds.
const MAX_OLD_KEYS: u64 = 4096;
/// What rosters are called in their statements.
const ROSTER_NAME: &str = "roster";

/// What a roster's statement says that the roster does not.
#[derive(Debug, Clone)]
pub struct RosterStatement {
    /// The device that writes it.
    pub device: DeviceId,
    /// Its name.
    pub device_name: Arc<str>,
    /// What this version has seen, `dot` included.
    pub clock: Clock,
    /// The event of this write.
    pub dot: Dot,
    /// When the log was last changed.
    pub modified: Timestamp,
    /// When the folder was made.
    pub created: Timestamp,
}

/// A roster that was read.
#[derive(Debug)]
pub struct OpenedRoster {
    /// Its header.
    pub header: OpenedHeader,
    /// What it holds: every entry's signature verified, entries without entitlement void, keys checked.
    pub roster: Roster,
}

/// Seals a roster. `envelopes` are its own of the current epoch ([`Roster::member_envelopes`]), perhaps with those of
/// invitations.
///
/// # Errors
/// [`SealError::Statement`] where the current key is missing or a field is outside its limits,
/// [`SealError::TooLarge`].
pub fn seal_roster_object(
    roster: &Roster,
    envelopes: &Access,
    fields: RosterStatement,
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedObject, SealError> {
    if !roster.state().unknown_groups.is_empty() {
        return Err(SealError::Statement);
    }
    let mut w = Writer::new();
    w.array(if roster.groups.is_empty() { 2 } else { 3 });
    encode_log_and_keys(roster, &mut w, rng)?;
    if !roster.groups.is_empty() {
        group_logs::encode(&roster.groups, &mut w);
    }
    let payload = w.into_bytes();
    if payload.len() as u64 > MAX_ROSTER_LEN {
        return Err(SealError::TooLarge);
    }
    seal_payload(roster, ROSTER_NAME, &payload, envelopes, fields, signer, rng)
}

/// Seals the payload of a roster's file, which bears this name in its statement.
pub(super) fn seal_payload<P: RosterKind>(
    roster: &Roster<P>,
    name: &str,
    payload: &[u8],
    envelopes: &Access,
    fields: RosterStatement,
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedObject, SealError> {
    let state = roster.state();
    let key = roster.current_key()?;
    let statement = Statement {
        name: Name::new(name).map_err(|_| SealError::Statement)?,
        parent: state.folder.root(),
        folder: state.folder,
        owner: state.owner(),
        writer: signer.public(),
        device: fields.device,
        device_name: fields.device_name,
        clock: fields.clock,
        roster_head: state.head,
        kind: ObjectKind::Roster,
        size: payload.len() as u64,
        modified: fields.modified,
        created: fields.created,
        executable: false,
        target: None,
        description: None,
        payload_head: [0; 56],
        content_digest: None,
        padded_len: payload.len() as u64,
        content_dot: fields.dot,
        place_dot: fields.dot,
        origin: None,
    };
    let file_key = key.roster_file_key(state.folder, state.epoch);
    let id = state.folder.root();
    let seal = FileSeal::begin_with(&file_key, envelopes.clone(), None, id, state.epoch, statement, rng)?;
    seal_content(seal, payload, signer, rng)
}

/// Opens a roster, with the folder's keys or an account's alone. Whether to trust its owner, whether it is older than
/// one seen before ([`Log::compare`]) and whether its statement's writer is a member are the caller's to check.
///
/// # Errors
/// [`HeaderError::Unauthentic`] for an object that is no roster, for a log that does not hold, or for keys that are not
/// those which the log names; what [`open_bytes`] refuses.
pub fn open_roster_object(bytes: &[u8], keys: &impl FileKeySource) -> Result<OpenedRoster, HeaderError> {
    let header = open_header(bytes, keys)?;
    ensure(header.prefix.roster && header.statement.size <= MAX_ROSTER_LEN)?;
    let current = keys.roster_key(&header.prefix, &header.access)?;
    let (header, payload) = open_bytes(bytes, keys)?;
    let roster =
        decode_payload(&payload, &current.name, &current.key).map_err(|_| HeaderError::Unauthentic)?;
    check_statement(&header, roster.state())?;
    Ok(OpenedRoster { header, roster })
}

/// Checks that the statement says the same as the roster that it is about.
pub(super) fn check_statement(header: &OpenedHeader, state: &RosterState) -> Result<(), HeaderError> {
    ensure(state.folder == header.statement.folder && state.owner() == header.statement.owner)?;
    ensure(state.head == header.statement.roster_head)
}

/// `[[entry, signature], …], [[epoch, key_id, sealed key], …]`: how every roster's payload begins.
pub(super) fn encode_log_and_keys<P: RosterKind>(
    roster: &Roster<P>,
    w: &mut Writer,
    rng: &mut dyn Random,
) -> Result<(), RosterError> {
    let (name, current) = (roster.state().key_name(), roster.current_key()?);
    roster.log().encode(w);
    let older: Vec<_> = roster.keys().filter(|(old, _)| *old != name).collect();
    w.array(older.len());
    for (old, key) in older {
        let sealed = seal_key(&**current, key, &old_key_context::<P>(&name, &old), rng);
        w.array(3).uint(u64::from(old.epoch)).bytes(&old.key_id).bytes(&sealed);
    }
    Ok(())
}

fn decode_payload(
    payload: &[u8],
    name: &FolderKeyName,
    current: &Arc<Key<purpose::Folder>>,
) -> Result<Roster, Malformed> {
    let mut reader = Reader::new(payload);
    let r = &mut reader;
    let len = r.array(3)?;
    check(len >= 2)?;
    let mut roster = decode_log_and_keys(r, name, current)?;
    check(roster.log.group().is_none())?;
    if len == 3 {
        roster.groups = group_logs::decode(r)?;
        let named = group_logs::named_groups(&roster.log);
        check(roster.groups.keys().all(|group| named.contains(group)))?;
        roster.state = fold::fold(&roster.log, &roster.groups);
    }
    reader.end()?;
    check(roster.state.unknown_groups.is_empty())?;
    Ok(roster)
}

/// Reads what [`encode_log_and_keys`] wrote, with the key of the current epoch, which has this name.
pub(super) fn decode_log_and_keys<P: RosterKind>(
    r: &mut Reader<'_>,
    name: &FolderKeyName,
    current: &Arc<Key<P>>,
) -> Result<Roster<P>, Malformed> {
    let log = Log::decode(r)?;
    let groups = GroupLogs::new();
    let state = fold::fold(&log, &groups);
    check(state.key_name() == *name)?;
    let mut keys = BTreeMap::from([((name.epoch, name.key_id), Arc::clone(current))]);
    let mut last = None;
    for _ in 0..r.array(MAX_OLD_KEYS)? {
        r.tuple(3)?;
        let id = (r.u32()?, r.array_of()?);
        check(last.is_none_or(|last| last < id) && state.key_ids.contains(&id))?;
        last = Some(id);
        let old = FolderKeyName { folder: state.folder, epoch: id.0, key_id: id.1 };
        let sealed: [u8; SEALED_KEY_BYTES] = r.array_of()?;
        let key: Key<P> =
            open_key(&**current, &old_key_context::<P>(name, &old), &sealed).map_err(|_| Malformed)?;
        check(key.name(old.folder, old.epoch) == old)?;
        keys.insert(id, Arc::new(key));
    }
    Ok(Roster { log, state, keys, groups })
}

fn old_key_context<P: RosterKind>(newest: &FolderKeyName, old: &FolderKeyName) -> Vec<u8> {
    [P::OLD_KEY_LABEL, &newest.to_bytes(), &old.to_bytes()].concat()
}

impl From<RosterError> for HeaderError {
    fn from(_: RosterError) -> Self {
        Self::Unauthentic
    }
}
