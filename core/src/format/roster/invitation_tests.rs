//! Rosters with envelopes for guests who have no account yet.

use super::super::access::{Access, Envelope, EnvelopeType};
use super::super::key_source::{AccountAlone, Invited};
use super::super::tests::World;
use super::super::{FileKeySource, HeaderError, Prefix, open_bytes};
use super::*;
use crate::crypto::{InvitationKeys, InvitationSecrets, TestRandom};
use crate::ids::InvitationId;

const ID: InvitationId = InvitationId::new([0x1D; 16]);

fn secrets(seed: u64) -> InvitationSecrets {
    InvitationSecrets::generate(&mut TestRandom::new(seed))
}

fn roster_bytes(world: &mut World, envelopes: &Access) -> Vec<u8> {
    let signer = &world.alice.identity;
    tests::seal_with(&world.roster, envelopes, signer, &mut world.rng)
}

fn invite(world: &mut World, id: InvitationId, keys: &InvitationKeys) -> Access {
    world.roster.with_invitation(&world.envelopes, id, &keys.reading, &mut world.rng).unwrap()
}

/// What a guest with these keys sees of a roster.
fn open(bytes: &[u8], keys: &InvitationKeys) -> Result<(), HeaderError> {
    open_roster_object(bytes, &Invited::new(ID, &keys.reading, Vec::new())).map(drop)
}

/// Row 32: whoever has both secrets reads the folder; with one of them there is nothing.
#[test]
fn row_32_a_guest_reads_with_both_secrets_and_with_none_alone() {
    let mut world = World::new();
    let keys = secrets(1).derive(ID);
    let envelopes = invite(&mut world, ID, &keys);
    let bytes = roster_bytes(&mut world, &envelopes);
    let guest = Invited::new(ID, &keys.reading, Vec::new());
    let opened = open_roster_object(&bytes, &guest).unwrap();
    assert_eq!(opened.roster.state(), world.roster.state());
    let file = world.seal_file(b"for guests too").bytes;
    assert_eq!(open_bytes(&file, &guest).unwrap().1, b"for guests too");
    // Members go on as before.
    assert!(open_roster_object(&bytes, &AccountAlone::new(&world.alice.envelope, Vec::new())).is_ok());
    assert!(open_roster_object(&bytes, &world.synced()).is_ok());

    let (one, other) = (secrets(1), secrets(2));
    let of_link = InvitationSecrets { fragment: one.fragment, password: other.password };
    let (one, other) = (secrets(1), secrets(2));
    let of_password = InvitationSecrets { fragment: other.fragment, password: one.password };
    for half in [of_link, of_password] {
        let half = half.derive(ID);
        assert_eq!(open(&bytes, &half), Err(HeaderError::Unauthentic));
        let fresh = Invited::new(ID, &half.reading, Vec::new());
        assert!(open_bytes(&file, &fresh).is_err());
    }
    let stranger = Invited::new(InvitationId::new([2; 16]), &keys.reading, Vec::new());
    assert_eq!(open_roster_object(&bytes, &stranger).map(drop), Err(HeaderError::NotARecipient));
}

#[test]
fn files_never_carry_an_invitation() {
    let mut world = World::new();
    let keys = secrets(1).derive(ID);
    let envelopes = invite(&mut world, ID, &keys);
    assert!(Roster::has_invitation(&envelopes, ID));
    assert_eq!(Roster::file_envelopes(&envelopes), world.envelopes);
    world.envelopes = Roster::file_envelopes(&envelopes);
    let file = world.seal_file(b"content").bytes;
    let prefix = Prefix::parse(&file).unwrap();
    let start = super::super::PREFIX_LEN;
    let access = Access::parse(&file[start..start + prefix.access_len]).unwrap();
    assert!(access.envelopes().all(|e| e.kind != EnvelopeType::INVITE));
    assert_eq!(access.unlisted().count(), 0);
    let guest = Invited::new(ID, &keys.reading, Vec::new());
    assert!(
        matches!(guest.file_key(&prefix, &access), Err(HeaderError::NotARecipient)),
        "without the roster"
    );
}

#[test]
fn an_accepted_invitation_leaves_the_roster_and_a_new_epoch_keeps_none() {
    let mut world = World::new();
    let (keys, other_id) = (secrets(1).derive(ID), InvitationId::new([2; 16]));
    let mut both = invite(&mut world, ID, &keys);
    let other_keys = secrets(2).derive(other_id);
    both = world.roster.with_invitation(&both, other_id, &other_keys.reading, &mut world.rng).unwrap();
    // Once more in its own place.
    both = world.roster.with_invitation(&both, ID, &keys.reading, &mut world.rng).unwrap();
    let count = |access: &Access| access.of(EnvelopeType::INVITE).count();
    assert_eq!(count(&both), 2);
    let accepted = Roster::without_invitation(&both, ID);
    assert_eq!((count(&accepted), Roster::has_invitation(&accepted, ID)), (1, false));
    assert_eq!(open(&roster_bytes(&mut world, &accepted), &keys), Err(HeaderError::NotARecipient));
    // Other changes within the epoch keep what is there.
    let kept = world.roster.member_envelopes(Some(&both)).unwrap();
    assert_eq!((count(&kept), kept.envelopes().count()), (2, 3));
    assert_eq!(open(&roster_bytes(&mut world, &kept), &keys), Ok(()));

    let key = FolderKey::generate(&mut world.rng);
    world.roster.start_epoch(key, &world.alice.identity).unwrap();
    world.envelopes = world.roster.member_envelopes(Some(&both)).unwrap();
    assert_eq!(count(&world.envelopes), 0);
    // An old envelope carried over opens the new roster for nobody.
    let old = Access::build(world.envelopes.envelopes().chain(both.of(EnvelopeType::INVITE))).unwrap();
    assert_eq!(open(&roster_bytes(&mut world, &old), &keys), Err(HeaderError::NotARecipient));
    // Who invited seals anew for those who are still to come.
    let anew = invite(&mut world, ID, &keys);
    let bytes = roster_bytes(&mut world, &anew);
    assert_eq!(open(&bytes, &keys), Ok(()));
    let guest = Invited::new(ID, &keys.reading, Vec::new());
    assert_eq!(open_roster_object(&bytes, &guest).unwrap().roster.keys().count(), 2, "older files too");
}

#[test]
fn an_altered_or_planted_envelope_is_refused() {
    let mut world = World::new();
    let keys = secrets(1).derive(ID);
    let envelopes = invite(&mut world, ID, &keys);
    let own = envelopes.of(EnvelopeType::INVITE).next().unwrap();
    assert_eq!(own.hint, [0x1D; 8]);
    for at in FolderKeyName::LEN..own.body.len() {
        let mut body = own.body.to_vec();
        body[at] ^= 1;
        let altered = Envelope { body: &body, ..own };
        let access = Access::build(world.envelopes.envelopes().chain([altered])).unwrap();
        if at % 16 == 0 {
            assert_eq!(
                open(&roster_bytes(&mut world, &access), &keys),
                Err(HeaderError::Unauthentic),
                "{at}"
            );
        }
    }
    // Another key under the name that the roster's key has.
    let name = world.roster.state().key_name();
    let planted = FolderKey::generate(&mut world.rng);
    let sealed = keys.reading.seal_folder_key(&name, &planted, &mut world.rng);
    let body = [&name.to_bytes()[..], &sealed].concat();
    let planted = Envelope { body: &body, ..own };
    let access = Access::build(world.envelopes.envelopes().chain([planted])).unwrap();
    assert_eq!(open(&roster_bytes(&mut world, &access), &keys), Err(HeaderError::Unauthentic));
}
