//! Invitations that this account makes and accepts (`docs/protocol.md`, "Invitations"): on the server, and in what the
//! account remembers.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ensafer_client::home::Home;
use ensafer_core::account::{
    Acceptance, Account, Bundle, INVITATION_LIFETIME_S, InvitationLink, InvitationRecord, OpenInvitation,
    RecordError, SignedBundle,
};
use ensafer_core::api::hex::{HexArray, HexBytes, SecretHex, SecretText};
use ensafer_core::api::server::{
    AcceptanceRequest, InvitationMail, InvitationReport, InvitationRequest, ProblemKind,
};
use ensafer_core::crypto::{InvitationKeys, InvitationSecrets, Login, SystemRandom};
use ensafer_core::format::roster::{Role, RosterState};
use ensafer_core::ids::InvitationId;
use zeroize::Zeroizing;

use super::directory::known_people;
use super::refresh::change_state;
use super::session::{server_of, with_token};
use super::{AccountError, Unlocked};
use crate::config::Config;
use crate::key_server::{KeyServer, Origin};

/// An invitation that was just made.
#[derive(Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// What the account remembers of it.
    pub open: OpenInvitation,
}

/// Makes an invitation to the folder of `roster`, which the inviter calls `folder_name`: the account remembers it, and the
/// server keeps its record. Nothing is mailed, and nobody can read by it yet.
///
/// # Errors
/// What the server says; nothing is left then.
pub fn invite(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    roster: &RosterState,
    folder_name: &str,
    (invited, role): (&Login, Role),
) -> Result<Invitation, AccountError> {
    let id = InvitationId::new(ensafer_core::crypto::Random::array(&mut SystemRandom));
    let secrets = InvitationSecrets::generate(&mut SystemRandom);
    let keys = secrets.derive(id);
    let inviter = unlocked.account.bundle().clone();
    let owner =
        roster.member(&roster.owner_key).map_or_else(|| inviter.clone(), |owner| owner.bundle.clone());
    let record = InvitationRecord {
        folder: roster.folder,
        inviter,
        owner,
        roster_head: roster.head,
        role,
        invited: invited.clone(),
        folder_name: shortened(folder_name),
        expires_at_s: now_s() + INVITATION_LIFETIME_S,
    };
    let sealed = record.seal(id, &keys, &mut SystemRandom).map_err(|_| AccountError::Inconsistent)?;
    let open = OpenInvitation {
        folder: roster.folder,
        invited: invited.clone(),
        role,
        expires_at_s: record.expires_at_s,
        secrets: secrets.into(),
    };
    change_state(home, config, unlocked, |state| {
        state.invite(id, open.clone()).map_err(|_| AccountError::TooManyInvitations)
    })?;
    let body = InvitationRequest {
        id,
        record: HexBytes(sealed),
        claim_hash: HexArray(keys.claim.hash()),
        expires_at_s: record.expires_at_s,
        mail: None,
    };
    let made = with_token(home, config, &unlocked.account, |server, token| server.invite(token, &body));
    if made.is_err() {
        forget(home, config, unlocked, id)?;
    }
    made.map(|()| Invitation { id, open })
}

/// As much of a name as fits into a record.
fn shortened(name: &str) -> String {
    let end = name.floor_char_boundary(ensafer_core::account::MAX_FOLDER_NAME_BYTES);
    name[..end].to_owned()
}

/// The link of an invitation, at the server that the account is on.
///
/// # Errors
/// [`AccountError::NotLoggedIn`] where it is on none.
pub fn link(
    home: &Home,
    id: InvitationId,
    invitation: &OpenInvitation,
) -> Result<Zeroizing<String>, AccountError> {
    let origin = server_of(home)?.ok_or(AccountError::NotLoggedIn)?;
    let fragment = invitation.secrets.fragment.to_text();
    let fragment = fragment.parse().map_err(|_| AccountError::Inconsistent)?;
    Ok(InvitationLink { origin: origin.to_string(), id, fragment }.to_text())
}

/// Has the link mailed to whom it is for. `false` where the server mails none.
///
/// # Errors
/// What the server says.
pub fn mail_link(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    id: InvitationId,
    invitation: &OpenInvitation,
) -> Result<bool, AccountError> {
    let link = SecretText(link(home, id, invitation)?.to_string());
    let body = InvitationMail { to: invitation.invited.to_string(), link };
    let account = &unlocked.account;
    match with_token(home, config, account, |server, token| server.mail_invitation(token, id, &body)) {
        Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::MailOff) => Ok(false),
        other => other.map(|()| true),
    }
}

/// The invitations that the account made and that have not ended.
///
/// # Errors
/// The account's file cannot be read.
pub fn open_invitations(
    home: &Home,
    account: &Account,
) -> Result<BTreeMap<InvitationId, OpenInvitation>, AccountError> {
    Ok(known_people(home, account)?.invitations().clone())
}

/// What the server says of them.
///
/// # Errors
/// What it says instead.
pub fn served_invitations(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
) -> Result<Vec<InvitationReport>, AccountError> {
    Ok(with_token(home, config, &unlocked.account, KeyServer::invitations)?.invitations)
}

/// The guest who has accepted `invitation`, if the server shows one that proves it.
#[must_use]
pub fn proven_guest(
    id: InvitationId,
    invitation: &OpenInvitation,
    report: &InvitationReport,
    inviter: &Account,
) -> Option<SignedBundle> {
    let acceptance = report.acceptance.as_ref()?;
    let guest = SignedBundle::try_from(&acceptance.bundle).ok()?;
    let keys = invitation.secrets.derive(id);
    let accepted = Acceptance {
        invitation: id,
        folder: invitation.folder,
        inviter: inviter.fingerprint(),
        guest: &guest,
    };
    (now_s() <= invitation.expires_at_s && accepted.is_proven_by(&keys, &acceptance.proof.0)).then_some(guest)
}

/// Ends an invitation: the server forgets it, and the account.
///
/// # Errors
/// What the server says, except that it has forgotten it before.
pub fn end_invitation(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    id: InvitationId,
) -> Result<(), AccountError> {
    let removed = with_token(home, config, &unlocked.account, |s, t| s.remove_invitation(t, id));
    match removed {
        Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::InvitationUnknown) => {}
        other => other?,
    }
    forget(home, config, unlocked, id)
}

fn forget(home: &Home, config: &Config, unlocked: &Unlocked, id: InvitationId) -> Result<(), AccountError> {
    change_state(home, config, unlocked, |state| {
        state.end_invitation(id);
        Ok(())
    })
}

/// Pins somebody who has proven to be whom an invitation was for.
///
/// # Errors
/// [`AccountError::Pin`] where other keys were seen under that address.
pub fn meet_guest(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    guest: &SignedBundle,
) -> Result<(), AccountError> {
    meet(home, config, unlocked, &[guest])
}

fn meet(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    people: &[&SignedBundle],
) -> Result<(), AccountError> {
    let own = unlocked.account.fingerprint();
    change_state(home, config, unlocked, |state| {
        for person in people.iter().filter(|person| person.fingerprint() != own) {
            let Bundle { login, .. } = person.bundle();
            let met = state.meet(login, person);
            met.map_err(|source| AccountError::Pin { login: login.clone(), source })?;
        }
        Ok(())
    })
}

/// An invitation as its guest sees it.
#[derive(Debug)]
pub struct Received {
    /// Its id.
    pub id: InvitationId,
    /// What it says.
    pub record: InvitationRecord,
    /// What its secrets make.
    pub keys: InvitationKeys,
    /// Whether somebody has accepted it.
    pub accepted: bool,
}

/// A sealed record, as the server serves it to whoever has the link.
///
/// # Errors
/// What the server says.
pub fn fetch_invitation(
    config: &Config,
    origin: &Origin,
    id: InvitationId,
) -> Result<(Vec<u8>, bool), AccountError> {
    let report = KeyServer::new(origin.clone(), config)?.invitation(id)?;
    Ok((report.record.0, report.accepted))
}

/// Opens an invitation with both of its secrets.
///
/// # Errors
/// [`AccountError::InvitationSecrets`] where they do not belong together, [`AccountError::InvitationEnded`].
pub fn open_invitation(
    id: InvitationId,
    secrets: &InvitationSecrets,
    (sealed, accepted): &(Vec<u8>, bool),
) -> Result<Received, AccountError> {
    let keys = secrets.derive(id);
    let record = InvitationRecord::open(id, &keys, sealed).map_err(|error| match error {
        RecordError::Refused => AccountError::InvitationSecrets,
        RecordError::NewerVersion => AccountError::NewerVersion,
    })?;
    if record.expires_at_s < now_s() {
        return Err(AccountError::InvitationEnded);
    }
    Ok(Received { id, record, keys, accepted: *accepted })
}

/// Accepts an invitation: whoever invites, and the folder's owner, are met, the server is shown the proof, and this
/// computer keeps the key to read by until it is a member.
///
/// # Errors
/// [`AccountError::Pin`] where other keys were seen before under one of their addresses, or what the server says.
pub fn accept(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    received: &Received,
) -> Result<(), AccountError> {
    let Received { id, record, keys, .. } = received;
    meet(home, config, unlocked, &[&record.inviter, &record.owner])?;
    let guest = unlocked.account.bundle();
    let acceptance =
        Acceptance { invitation: *id, folder: record.folder, inviter: record.inviter.fingerprint(), guest };
    let body = AcceptanceRequest {
        claim: SecretHex(*keys.claim.expose()),
        bundle: guest.into(),
        proof: HexArray(acceptance.prove(keys)),
    };
    with_token(home, config, &unlocked.account, |server, token| server.accept_invitation(token, *id, &body))?;
    super::keep_invitation(home, &unlocked.account, record.folder, *id, &keys.reading)
}

/// Seconds since 1970 by this computer's clock.
#[must_use]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ensafer_core::api::server::AcceptanceReport;
    use ensafer_core::crypto::TestRandom;
    use ensafer_core::ids::{FolderId, StatementHash};

    use super::*;
    use crate::engine::tests::accounts::{alice, carol};

    const ID: InvitationId = InvitationId::new([0x1D; 16]);
    const FOLDER: FolderId = FolderId::new([0xF0; 16]);

    /// Whatever a server says, and however right both secrets and the proof are.
    #[test]
    fn what_has_ended_is_neither_opened_nor_completed() {
        let (inviter, guest, invited) = (alice(), carol(), "carol@example.com".parse().unwrap());
        for (expires_at_s, holds) in [(now_s() + 60, true), (now_s() - 1, false)] {
            let secrets = InvitationSecrets::generate(&mut TestRandom::new(1));
            let keys = secrets.derive(ID);
            let record = InvitationRecord {
                folder: FOLDER,
                inviter: inviter.bundle().clone(),
                owner: inviter.bundle().clone(),
                roster_head: StatementHash::new([3; 32]),
                role: Role::Writer,
                invited: Login::clone(&invited),
                folder_name: "Holidays".to_owned(),
                expires_at_s,
            };
            let sealed = record.seal(ID, &keys, &mut SystemRandom).unwrap();
            let opened = open_invitation(ID, &secrets, &(sealed, false));
            assert!(if holds {
                opened.is_ok()
            } else {
                matches!(opened, Err(AccountError::InvitationEnded))
            });

            let inviter_of_it = inviter.fingerprint();
            let acceptance =
                Acceptance { invitation: ID, folder: FOLDER, inviter: inviter_of_it, guest: guest.bundle() };
            let acceptance = AcceptanceReport {
                login: "carol@example.com".to_owned(),
                bundle: guest.bundle().into(),
                proof: HexArray(acceptance.prove(&keys)),
                accepted_at_s: 0,
            };
            let report =
                InvitationReport { id: ID, created_at_s: 0, expires_at_s, acceptance: Some(acceptance) };
            let (invited, role) = (Login::clone(&invited), Role::Writer);
            let open =
                OpenInvitation { folder: FOLDER, invited, role, expires_at_s, secrets: Arc::new(secrets) };
            assert_eq!(proven_guest(ID, &open, &report, &inviter).is_some(), holds);
        }
    }
}
