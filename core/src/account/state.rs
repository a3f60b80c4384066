//! What an account remembers wherever it logs in: whose keys it has seen, whom it invited, and which groups it is
//! in. It is sealed under the account master key, so the server that keeps it can neither read nor change it.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::bundle::{SignedBundle, canonical_login};
use super::known_group::{KnownGroup, KnownGroupError, MAX_KNOWN_GROUPS};
use super::open_invitation::{MAX_OPEN_INVITATIONS, OpenInvitation};
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{Login, MAX_LOGIN_BYTES};
use crate::ids::{AccountId, Fingerprint, GroupId, InvitationId};

/// Version of the encoding of a state without invitations: what every version of Ensafer reads.
const VERSION_OF_PINS: u64 = 1;
/// Version of the encoding of a state with invitations.
const VERSION_WITH_INVITATIONS: u64 = 2;
/// Version of the encoding of a state with groups.
const VERSION_WITH_GROUPS: u64 = 3;
/// More people than anybody shares with; a bound for the parser.
const MAX_PINS: u64 = 10_000;

/// The state of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountState {
    pins: BTreeMap<Login, Pin>,
    invitations: BTreeMap<InvitationId, OpenInvitation>,
    groups: BTreeMap<GroupId, KnownGroup>,
}

/// Whose keys somebody's are, as they were first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The account.
    pub account: AccountId,
    /// The fingerprint of its identity key.
    pub fingerprint: Fingerprint,
    /// The newest bundle that was seen.
    pub sequence: u64,
    /// Whether the safety numbers were compared.
    pub verified: bool,
    /// Counts how often the owner took other keys in the place of these.
    pub generation: u64,
}

impl Pin {
    fn is_same_person(&self, other: &Self) -> bool {
        self.account == other.account
            && self.fingerprint == other.fingerprint
            && self.generation == other.generation
    }

    /// Whether `later` may stand where this stood: the same identity, nothing in it older, or other keys that the owner
    /// took on purpose.
    fn is_succeeded_by(&self, later: &Self) -> bool {
        let same = self.account == later.account && self.fingerprint == later.fingerprint;
        let newer = self.sequence <= later.sequence && self.verified <= later.verified;
        self.generation < later.generation || (self.generation == later.generation && same && newer)
    }
}

/// How a bundle agrees with what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is the first of this login: it is pinned now, on trust in the server.
    FirstSeen,
    /// It is the pinned identity's.
    Pinned,
    /// It is the pinned identity's, and the safety numbers were compared.
    Verified,
}

/// A bundle does not agree with what was seen before. Nothing may be sealed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It names somebody else than was asked for.
    #[error("these are the keys of somebody else")]
    OtherLogin,
    /// Another identity: a new account under the same address, or an attack.
    #[error("the identity key has changed")]
    IdentityChanged {
        /// What was seen before.
        pinned: Fingerprint,
        /// What is served now.
        served: Fingerprint,
    },
    /// An older bundle than one that was seen.
    #[error("these keys are older than those that were seen before")]
    RolledBack,
    /// There is no room for another pin.
    #[error("too many people are remembered already")]
    Full,
}

/// There is no room for another invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("256 invitations are open already: revoke one first")]
pub struct TooManyInvitations;

/// The bytes are no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseStateError {
    /// Written by a newer version of Ensafer.
    #[error("the account's state was written by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
    /// Not the one encoding of a state.
    #[error("the account's state is damaged")]
    Damaged,
}

impl From<Malformed> for ParseStateError {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

impl AccountState {
    /// The pins, by login.
    #[must_use]
    pub fn pins(&self) -> &BTreeMap<Login, Pin> {
        &self.pins
    }

    /// Who is pinned with this identity key: under several logins the one that was verified, then the first.
    #[must_use]
    pub fn with_identity(&self, fingerprint: &Fingerprint) -> Option<(&Login, &Pin)> {
        let of_them = || self.pins.iter().filter(|(_, pin)| pin.fingerprint == *fingerprint);
        of_them().find(|(_, pin)| pin.verified).or_else(|| of_them().next())
    }

    /// The invitations that were sent and have not been completed, revoked or found at their end.
    #[must_use]
    pub fn invitations(&self) -> &BTreeMap<InvitationId, OpenInvitation> {
        &self.invitations
    }

    /// Remembers an invitation, in the place of what was remembered under this id.
    ///
    /// # Errors
    /// [`TooManyInvitations`]; the state is unchanged then.
    pub fn invite(&mut self, id: InvitationId, invitation: OpenInvitation) -> Result<(), TooManyInvitations> {
        let has_room = self.invitations.len() < MAX_OPEN_INVITATIONS || self.invitations.contains_key(&id);
        if !has_room {
            return Err(TooManyInvitations);
        }
        self.invitations.insert(id, invitation);
        Ok(())
    }

    /// Forgets an invitation, giving what was remembered of it.
    pub fn end_invitation(&mut self, id: InvitationId) -> Option<OpenInvitation> {
        self.invitations.remove(&id)
    }

    /// The groups that the account administers or is in.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<GroupId, KnownGroup> {
        &self.groups
    }

    /// Remembers a group, in the place of what was remembered of it. How far it was seen to come is never taken back.
    ///
    /// # Errors
    /// [`KnownGroupError::Full`]; the state is unchanged then.
    pub fn remember_group(&mut self, id: GroupId, group: KnownGroup) -> Result<(), KnownGroupError> {
        if self.groups.len() >= MAX_KNOWN_GROUPS && !self.groups.contains_key(&id) {
            return Err(KnownGroupError::Full);
        }
        let mut group = group;
        if let Some(known) = self.groups.get(&id) {
            group.join(known);
        }
        self.groups.insert(id, group);
        Ok(())
    }

    /// Forgets a group, giving what was remembered of it.
    pub fn forget_group(&mut self, id: GroupId) -> Option<KnownGroup> {
        self.groups.remove(&id)
    }

    /// Compares the bundle that was served for `login` with what was seen before, and remembers it.
    ///
    /// # Errors
    /// [`PinError`]; the state is unchanged then.
    pub fn meet(&mut self, login: &Login, served: &SignedBundle) -> Result<Known, PinError> {
        let bundle = served.bundle();
        if bundle.login != *login {
            return Err(PinError::OtherLogin);
        }
        let fingerprint = served.fingerprint();
        let Some(pin) = self.pins.get_mut(login) else {
            if self.pins.len() as u64 == MAX_PINS {
                return Err(PinError::Full);
            }
            let pin = Pin {
                account: bundle.account,
                fingerprint,
                sequence: bundle.sequence,
                verified: false,
                generation: 0,
            };
            self.pins.insert(login.clone(), pin);
            return Ok(Known::FirstSeen);
        };
        if pin.fingerprint != fingerprint || pin.account != bundle.account {
            return Err(PinError::IdentityChanged { pinned: pin.fingerprint, served: fingerprint });
        }
        if bundle.sequence < pin.sequence {
            return Err(PinError::RolledBack);
        }
        pin.sequence = bundle.sequence;
        Ok(if pin.verified { Known::Verified } else { Known::Pinned })
    }

    /// Remembers that the safety numbers with a pinned person were compared. `false` if another identity, or nobody, is
    /// pinned under `login`.
    #[must_use]
    pub fn set_verified(&mut self, login: &Login, fingerprint: &Fingerprint) -> bool {
        let pin = self.pins.get_mut(login).filter(|pin| pin.fingerprint == *fingerprint);
        pin.is_some_and(|pin| {
            pin.verified = true;
            true
        })
    }

    /// Takes the keys that `served` holds in the place of those that were seen before: only after safety numbers were
    /// compared.
    ///
    /// # Errors
    /// [`PinError::OtherLogin`], [`PinError::RolledBack`] where they are older keys of the pinned identity; the state is
    /// unchanged then.
    pub fn replace(&mut self, login: &Login, served: &SignedBundle) -> Result<(), PinError> {
        if let Err(error) = self.clone().meet(login, served)
            && !matches!(error, PinError::IdentityChanged { .. })
        {
            return Err(error);
        }
        let bundle = served.bundle();
        let generation = self.pins.get(login).map_or(0, |pin| pin.generation.saturating_add(1));
        let pin = Pin {
            account: bundle.account,
            fingerprint: served.fingerprint(),
            sequence: bundle.sequence,
            verified: true,
            generation,
        };
        self.pins.insert(login.clone(), pin);
        Ok(())
    }

    /// Whether `later` may stand where this stood: nobody was forgotten, and no pin or group went back. A server that serves
    /// anything else has kept an old state, or gives different ones to different devices. Groups are left or deleted,
    /// invitations come and end; an old state brings none back to life, because the roster holds no envelope of it any more.
    #[must_use]
    pub fn is_succeeded_by(&self, later: &Self) -> bool {
        let has_groups = self
            .groups
            .iter()
            .all(|(id, group)| later.groups.get(id).is_none_or(|later| group.is_succeeded_by(later)));
        has_groups
            && self
                .pins
                .iter()
                .all(|(login, pin)| later.pins.get(login).is_some_and(|later| pin.is_succeeded_by(later)))
    }

    /// Takes over what `other`, the same account's state on another server, remembers beside this. Groups for which there
    /// is no room are left out: they are met again where they lie.
    ///
    /// # Errors
    /// [`PinError::IdentityChanged`] with the login under which the two have seen different people; [`PinError::Full`].
    /// Nothing is changed then.
    pub fn absorb(&mut self, other: &Self) -> Result<(), (Login, PinError)> {
        let mut merged = self.pins.clone();
        for (login, pin) in &other.pins {
            let is_full = merged.len() as u64 >= MAX_PINS;
            match merged.get_mut(login) {
                None if is_full => return Err((login.clone(), PinError::Full)),
                None => drop(merged.insert(login.clone(), pin.clone())),
                Some(here) if here.is_succeeded_by(pin) => *here = pin.clone(),
                Some(here) if pin.is_succeeded_by(here) => {}
                Some(here) if here.is_same_person(pin) => {
                    here.sequence = here.sequence.max(pin.sequence);
                    here.verified |= pin.verified;
                }
                Some(here) => {
                    let (pinned, served) = (pin.fingerprint, here.fingerprint);
                    return Err((login.clone(), PinError::IdentityChanged { pinned, served }));
                }
            }
        }
        let mut invitations = other.invitations.clone();
        invitations.extend(self.invitations.iter().map(|(id, invitation)| (*id, invitation.clone())));
        if invitations.len() > MAX_OPEN_INVITATIONS {
            let login = other.invitations.values().next().map(|invitation| invitation.invited.clone());
            return Err((login.expect("some are the other's"), PinError::Full));
        }
        (self.pins, self.invitations) = (merged, invitations);
        for (id, group) in &other.groups {
            let has_room = self.groups.len() < MAX_KNOWN_GROUPS;
            if let Some(here) = self.groups.get_mut(id) {
                here.join(group);
            } else if has_room {
                self.groups.insert(*id, group.clone());
            }
        }
        Ok(())
    }

    /// The state's one encoding: a CBOR map of 0 version, 1 pins: arrays of login, account, fingerprint, sequence,
    /// whether it was verified, and generation, ascending by login; where there are any, 2 invitations, ascending by id; and
    /// where there are any, 3 groups, ascending by id, before which 2 is there in any case. Without groups it is version 2,
    /// without both version 1: what older versions of Ensafer on the account's other devices read.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room for everything: no copy of a secret stays behind in memory that grew.
        let of_groups: usize = self.groups.values().map(KnownGroup::encoded_len).sum();
        let mut out =
            Writer::with_capacity(32 + self.pins.len() * 512 + self.invitations.len() * 512 + of_groups);
        let version = match (self.invitations.is_empty(), self.groups.is_empty()) {
            (true, true) => VERSION_OF_PINS,
            (false, true) => VERSION_WITH_INVITATIONS,
            (_, false) => VERSION_WITH_GROUPS,
        };
        let pairs = if self.groups.is_empty() { 2 + usize::from(!self.invitations.is_empty()) } else { 4 };
        out.map(pairs).key(0).uint(version).key(1).array(self.pins.len());
        for (login, pin) in &self.pins {
            out.array(6).text(login.as_str()).bytes(pin.account.as_bytes());
            out.bytes(pin.fingerprint.as_bytes()).uint(pin.sequence).bool(pin.verified).uint(pin.generation);
        }
        if version >= VERSION_WITH_INVITATIONS {
            out.key(2).array(self.invitations.len());
            for (id, invitation) in &self.invitations {
                invitation.encode(*id, &mut out);
            }
        }
        if version >= VERSION_WITH_GROUPS {
            out.key(3).array(self.groups.len());
            for (id, group) in &self.groups {
                group.encode(*id, &mut out);
            }
        }
        Zeroizing::new(out.into_bytes())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`ParseStateError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseStateError> {
        let mut reader = Reader::new(bytes);
        reader.map(64)?;
        let version = reader.key(0)?.uint()?;
        if version > VERSION_WITH_GROUPS {
            return Err(ParseStateError::NewerVersion);
        }
        check(version >= VERSION_OF_PINS)?;
        let mut reader = Reader::new(bytes);
        // As many keys as the version's number and one.
        reader.whole_map(version + 1)?;
        reader.key(0)?.uint()?;
        let pins = read_pins(reader.key(1)?)?;
        let invitations = match version {
            VERSION_OF_PINS => BTreeMap::new(),
            _ => read_invitations(reader.key(2)?)?,
        };
        check(!invitations.is_empty() || version != VERSION_WITH_INVITATIONS)?;
        let groups = match version {
            VERSION_WITH_GROUPS => read_groups(reader.key(3)?)?,
            _ => BTreeMap::new(),
        };
        reader.end()?;
        Ok(Self { pins, invitations, groups })
    }
}

fn read_pins(reader: &mut Reader<'_>) -> Result<BTreeMap<Login, Pin>, Malformed> {
    let mut pins = BTreeMap::new();
    for _ in 0..reader.array(MAX_PINS)? {
        reader.tuple(6)?;
        let login = canonical_login(reader.text(MAX_LOGIN_BYTES)?)?;
        let pin = Pin {
            account: AccountId::new(reader.array_of()?),
            fingerprint: Fingerprint::new(reader.array_of()?),
            sequence: reader.uint()?,
            verified: reader.bool()?,
            generation: reader.uint()?,
        };
        check(pins.last_key_value().is_none_or(|(last, _)| *last < login))?;
        pins.insert(login, pin);
    }
    Ok(pins)
}

fn read_invitations(reader: &mut Reader<'_>) -> Result<BTreeMap<InvitationId, OpenInvitation>, Malformed> {
    let mut invitations = BTreeMap::new();
    for _ in 0..reader.array(MAX_OPEN_INVITATIONS as u64)? {
        let (id, invitation) = OpenInvitation::decode(reader)?;
        check(invitations.last_key_value().is_none_or(|(last, _)| *last < id))?;
        invitations.insert(id, invitation);
    }
    Ok(invitations)
}

/// At least one: a state without any is of an older version.
fn read_groups(reader: &mut Reader<'_>) -> Result<BTreeMap<GroupId, KnownGroup>, Malformed> {
    let mut groups = BTreeMap::new();
    for _ in 0..reader.array(MAX_KNOWN_GROUPS as u64)? {
        let (id, group) = KnownGroup::decode(reader)?;
        check(groups.last_key_value().is_none_or(|(last, _)| *last < id))?;
        groups.insert(id, group);
    }
    check(!groups.is_empty())?;
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Bundle;
    use crate::crypto::{PrivateKeys, test_keys};

    fn bundle(keys: &PrivateKeys, login: &str, sequence: u64) -> SignedBundle {
        let bundle = Bundle {
            account: AccountId::new([7; 16]),
            login: login.parse().unwrap(),
            identity: keys.identity.public(),
            envelope: keys.envelope.public(),
            login_key: keys.login.public(),
            sequence,
        };
        SignedBundle::sign(bundle, &keys.identity)
    }

    #[test]
    fn an_identity_is_pinned_when_first_seen_and_no_other_passes() {
        let (bob, eve) = (test_keys::bob(), test_keys::alice());
        let login: Login = "bob@example.com".parse().unwrap();
        let mut state = AccountState::default();
        let meet = |state: &mut AccountState, bundle: &SignedBundle| state.meet(&login, bundle);
        assert_eq!(meet(&mut state, &bundle(&bob, "bob@example.com", 1)), Ok(Known::FirstSeen));
        assert_eq!(meet(&mut state, &bundle(&bob, "bob@example.com", 3)), Ok(Known::Pinned));
        assert_eq!(meet(&mut state, &bundle(&bob, "bob@example.com", 2)), Err(PinError::RolledBack));
        assert_eq!(meet(&mut state, &bundle(&bob, "bill@example.com", 4)), Err(PinError::OtherLogin));
        let before = state.clone();
        let changed = PinError::IdentityChanged {
            pinned: bob.identity.public().fingerprint(),
            served: eve.identity.public().fingerprint(),
        };
        assert_eq!(meet(&mut state, &bundle(&eve, "bob@example.com", 9)), Err(changed));
        assert_eq!(state, before);
        let (of_bob, of_eve) = (bob.identity.public().fingerprint(), eve.identity.public().fingerprint());
        assert!(!state.set_verified(&login, &of_eve), "it is Bob who was compared");
        assert!(state.set_verified(&login, &of_bob));
        assert!(before.is_succeeded_by(&state) && !state.is_succeeded_by(&before));
        assert!(!state.is_succeeded_by(&AccountState::default()), "nobody is forgotten");
        assert_eq!(meet(&mut state, &bundle(&bob, "bob@example.com", 3)), Ok(Known::Verified));
        let verified = state.clone();
        let alias: Login = "a-bob@example.com".parse().unwrap();
        assert_eq!(state.meet(&alias, &bundle(&bob, "a-bob@example.com", 1)), Ok(Known::FirstSeen));
        assert_eq!(
            state.with_identity(&of_bob).map(|(found, pin)| (found, pin.verified)),
            Some((&login, true))
        );
        assert_eq!(state.with_identity(&of_eve), None);
        state = verified.clone();
        assert_eq!(state.replace(&login, &bundle(&bob, "bob@example.com", 2)), Err(PinError::RolledBack));
        assert_eq!(state.replace(&login, &bundle(&eve, "eve@example.com", 9)), Err(PinError::OtherLogin));
        assert_eq!(state, verified);
        state.replace(&login, &bundle(&eve, "bob@example.com", 1)).unwrap();
        assert_eq!(meet(&mut state, &bundle(&eve, "bob@example.com", 9)), Ok(Known::Verified));
        assert!(verified.is_succeeded_by(&state) && !state.is_succeeded_by(&verified));
    }

    #[test]
    fn what_two_servers_know_is_merged_but_never_two_people_under_one_name() {
        let (bob, eve) = (test_keys::bob(), test_keys::alice());
        let of = |met: &[(&str, &PrivateKeys, u64)]| {
            let mut state = AccountState::default();
            for (login, keys, sequence) in met {
                state.meet(&login.parse().unwrap(), &bundle(keys, login, *sequence)).unwrap();
            }
            state
        };
        let login: Login = "bob@example.com".parse().unwrap();
        let mut one = of(&[("bob@example.com", &bob, 3), ("eve@example.com", &eve, 1)]);
        let mut two = of(&[("bob@example.com", &bob, 1), ("carol@example.com", &eve, 1)]);
        assert!(two.set_verified(&login, &bob.identity.public().fingerprint()));
        one.absorb(&two).unwrap();
        assert_eq!(one.pins().len(), 3);
        let pin = &one.pins()[&login];
        assert!(pin.verified && pin.sequence == 3);
        assert!(two.is_succeeded_by(&one));

        let before = one.clone();
        let impostor = of(&[("bob@example.com", &eve, 9), ("dave@example.com", &eve, 1)]);
        let error = PinError::IdentityChanged {
            pinned: eve.identity.public().fingerprint(),
            served: bob.identity.public().fingerprint(),
        };
        assert_eq!(one.absorb(&impostor), Err((login, error)));
        assert_eq!(one, before);

        let names: Vec<String> = (0..MAX_PINS - 1).map(|n| format!("p{n}@example.com")).collect();
        let mut many = AccountState::default();
        for name in &names {
            let mut pin = before.pins()[&"eve@example.com".parse().unwrap()].clone();
            pin.sequence = 1;
            many.pins.insert(name.parse().unwrap(), pin);
        }
        assert!(matches!(many.absorb(&before), Err((_, PinError::Full))));
        assert_eq!(many.pins().len() as u64, MAX_PINS - 1);
    }

    #[test]
    fn the_state_has_one_encoding() {
        let mut state = AccountState::default();
        for name in ["b", "a", "c"] {
            let login: Login = format!("{name}@example.com").parse().unwrap();
            state.meet(&login, &bundle(&test_keys::bob(), login.as_str(), 1)).unwrap();
        }
        let fingerprint = test_keys::bob().identity.public().fingerprint();
        assert!(state.set_verified(&"a@example.com".parse().unwrap(), &fingerprint));
        let bytes = state.to_bytes();
        assert_eq!(AccountState::from_bytes(&bytes), Ok(state));
        assert_eq!(
            AccountState::from_bytes(&[bytes.as_slice(), &[0]].concat()),
            Err(ParseStateError::Damaged)
        );
        assert_eq!(AccountState::from_bytes(&bytes[..bytes.len() - 1]), Err(ParseStateError::Damaged));
        assert_eq!(AccountState::from_bytes(&[0xa2, 0, 0, 1, 0x80]), Err(ParseStateError::Damaged));
        assert_eq!(AccountState::from_bytes(&[0xa1, 0, 4]), Err(ParseStateError::NewerVersion));
        let empty = AccountState::default();
        assert_eq!(*empty.to_bytes(), [0xa2, 0, 1, 1, 0x80]);
        assert_eq!(AccountState::from_bytes(&empty.to_bytes()), Ok(empty));
    }
}
