//! What the inviter's account remembers of an invitation until it is completed, on all of the inviter's devices.

use std::sync::Arc;

use super::bundle::canonical_login;
use crate::cbor::{Malformed, Reader, Writer, check};
use crate::crypto::{InvitationSecrets, Login, MAX_LOGIN_BYTES};
use crate::format::roster::Role;
use crate::ids::{FolderId, InvitationId};

/// Most invitations that an account remembers.
pub const MAX_OPEN_INVITATIONS: usize = 256;
/// More than either secret has characters as text.
const MAX_SECRET_BYTES: usize = 32;

/// An invitation that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInvitation {
    /// The folder.
    pub folder: FolderId,
    /// Whom it is for.
    pub invited: Login,
    /// What the guest will be.
    pub role: Role,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: u64,
    /// What opens it: to show the password again, to check the acceptance, to seal for the guest in a new epoch. Shared,
    /// so that no copy of the state copies them.
    pub secrets: Arc<InvitationSecrets>,
}

impl OpenInvitation {
    /// An array of id, folder, invited, role, end, and both secrets as text.
    pub(super) fn encode(&self, id: InvitationId, out: &mut Writer) {
        let Self { folder, invited, role, expires_at_s, secrets } = self;
        out.array(7).bytes(id.as_bytes()).bytes(folder.as_bytes()).text(invited.as_str());
        out.uint(role.number()).uint(*expires_at_s);
        out.text(&secrets.password.to_text()).text(&secrets.fragment.to_text());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<(InvitationId, Self), Malformed> {
        reader.tuple(7)?;
        let id = InvitationId::new(reader.array_of()?);
        let folder = FolderId::new(reader.array_of()?);
        let invited = canonical_login(reader.text(MAX_LOGIN_BYTES)?)?;
        let role = Role::from_number(reader.uint()?)?;
        check(role != Role::Owner)?;
        let expires_at_s = reader.uint()?;
        let (password, fragment) = (reader.text(MAX_SECRET_BYTES)?, reader.text(MAX_SECRET_BYTES)?);
        let secrets = InvitationSecrets {
            password: password.parse().map_err(|_| Malformed)?,
            fragment: fragment.parse().map_err(|_| Malformed)?,
        };
        // People may type them in many ways; here there is one.
        check(*secrets.password.to_text() == password && *secrets.fragment.to_text() == fragment)?;
        Ok((id, Self { folder, invited, role, expires_at_s, secrets: Arc::new(secrets) }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::state::{AccountState, ParseStateError, PinError, TooManyInvitations};
    use super::*;
    use crate::crypto::TestRandom;

    const OF_PINS: &[u8] = include_bytes!("../../testdata/account-state/v1.bin");
    const WITH_INVITATIONS: &[u8] = include_bytes!("../../testdata/account-state/v2.bin");

    fn invitation(seed: u64) -> OpenInvitation {
        OpenInvitation {
            folder: FolderId::new([0xF0; 16]),
            invited: "carol@example.com".parse().unwrap(),
            role: Role::Reader,
            expires_at_s: 1_900_000_000,
            secrets: Arc::new(InvitationSecrets::generate(&mut TestRandom::new(seed))),
        }
    }

    fn id(number: u16) -> InvitationId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        InvitationId::new(id)
    }

    /// What versions of Ensafer have written, and other devices of the account have: it stays readable, and without
    /// invitations it stays what older versions read.
    #[test]
    fn states_of_both_versions_are_read_and_written_as_ever() {
        let old = AccountState::from_bytes(OF_PINS).unwrap();
        let pins: Vec<_> = old.pins().iter().map(|(login, pin)| (login.as_str(), pin.generation)).collect();
        assert_eq!(pins, [("alice@example.com", 0), ("bob", 3)]);
        assert!(old.invitations().is_empty());
        assert_eq!(*old.to_bytes(), OF_PINS);

        let mut state = old.clone();
        state.invite(id(1), invitation(1)).unwrap();
        state.invite(id(2), OpenInvitation { role: Role::Admin, ..invitation(2) }).unwrap();
        assert_eq!(*state.to_bytes(), WITH_INVITATIONS);
        assert_eq!(AccountState::from_bytes(WITH_INVITATIONS), Ok(state.clone()));
        assert!(old.is_succeeded_by(&state) && state.is_succeeded_by(&old), "invitations end");
        assert!(!state.is_succeeded_by(&AccountState::default()), "pins do not");
        for number in [1, 2] {
            assert!(state.end_invitation(id(number)).is_some() && state.end_invitation(id(number)).is_none());
        }
        assert_eq!(*state.to_bytes(), OF_PINS);
    }

    #[test]
    fn a_state_with_invitations_has_one_encoding() {
        for at in 0..WITH_INVITATIONS.len() {
            assert!(AccountState::from_bytes(&WITH_INVITATIONS[..at]).is_err(), "cut at {at}");
        }
        let damaged = |bytes: &[u8]| {
            assert_eq!(AccountState::from_bytes(bytes), Err(ParseStateError::Damaged), "{bytes:02x?}");
        };
        damaged(&[WITH_INVITATIONS, &[0]].concat());
        // Version 1 with invitations, version 2 without, or with none in it.
        damaged(&[&[0xa3, 0, 1], &WITH_INVITATIONS[3..]].concat());
        damaged(&[&[0xa2, 0, 2], &OF_PINS[3..]].concat());
        damaged(&[0xa3, 0, 2, 1, 0x80, 2, 0x80]);
        damaged(&[0xa2, 0, 0, 1, 0x80]);
        // An owner's role, a secret in another spelling, one that does not hold.
        let encoded = |role: u8, password: &str| {
            let mut out = Writer::new();
            out.map(3).key(0).uint(2).key(1).array(0).key(2).array(1);
            out.array(7).bytes(id(1).as_bytes()).bytes(&[0; 16]).text("carol").uint(role.into()).uint(0);
            out.text(password).text("CHJPCSV8D5N6PV3DDSQQ0WBJECRZ");
            out.into_bytes()
        };
        assert!(AccountState::from_bytes(&encoded(1, "000G-40R4-0M30-E209-ZFZD")).is_ok());
        damaged(&encoded(4, "000G-40R4-0M30-E209-ZFZD"));
        damaged(&encoded(1, "000g-40r4-0m30-e209-zfzd"));
        damaged(&encoded(1, "000G-40R4-0M30-E209-ZFZE"));
    }

    #[test]
    fn there_is_room_for_256_and_two_servers_invitations_are_united() {
        let mut state = AccountState::default();
        let secrets = invitation(1);
        for number in 0..256 {
            state.invite(id(number), secrets.clone()).unwrap();
        }
        assert_eq!(state.invite(id(256), invitation(2)), Err(TooManyInvitations));
        state.invite(id(7), invitation(2)).expect("the same again has room");
        assert_eq!(AccountState::from_bytes(&state.to_bytes()), Ok(state.clone()));

        let (mut here, mut there) = (AccountState::default(), AccountState::default());
        here.invite(id(1), invitation(1)).unwrap();
        there.invite(id(1), invitation(2)).unwrap();
        there.invite(id(300), invitation(3)).unwrap();
        here.absorb(&there).unwrap();
        let united = BTreeMap::from([(id(1), invitation(1)), (id(300), invitation(3))]);
        assert_eq!(*here.invitations(), united, "what is here stays");
        let before = state.clone();
        assert_eq!(state.absorb(&there), Err((invitation(2).invited, PinError::Full)));
        assert_eq!(state, before);
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut state = AccountState::default();
        state.invite(id(1), invitation(1)).unwrap();
        let (debug, secrets) = (format!("{state:?}"), &invitation(1).secrets);
        assert!(debug.contains("carol@example.com"));
        assert!(!debug.contains(&secrets.password.to_text()[..4]), "{debug}");
        assert!(!debug.contains(&secrets.fragment.to_text()[..4]), "{debug}");
    }
}
