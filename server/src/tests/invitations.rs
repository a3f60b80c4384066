//! Invitations: who makes, reads, accepts and ends them, and what the server refuses.

use axum::http::Method;
use ensafer_core::account::{Acceptance, INVITATION_LIFETIME_S, InvitationRecord, SignedBundle};
use ensafer_core::api::hex::{HexArray, HexBytes, SecretHex};
use ensafer_core::api::server::{
    AcceptanceRequest, AccountExport, DeleteRequest, InvitationRecordReport, InvitationRequest, Invitations,
    ProblemKind, Session,
};
use ensafer_core::crypto::{InvitationKeys, InvitationSecrets, Random, SystemRandom};
use ensafer_core::format::roster::Role;
use ensafer_core::ids::{FolderId, InvitationId, StatementHash};
use serde_json::json;

use super::persona::{Device, Persona};
use super::world::{Answer, ELSEWHERE, Home, NOW_S, Server};
use crate::config::Config;

pub const FOLDER: FolderId = FolderId::new([0xF0; 16]);

/// An invitation as the inviter's client makes it.
pub struct Invitation {
    pub id: InvitationId,
    pub secrets: InvitationSecrets,
    pub keys: InvitationKeys,
    pub request: InvitationRequest,
}

impl Invitation {
    pub fn by(inviter: &Persona) -> Self {
        let id = InvitationId::new(SystemRandom.array());
        let secrets = InvitationSecrets::generate(&mut SystemRandom);
        let keys = secrets.derive(id);
        let bundle = SignedBundle::try_from(&inviter.document.bundle).unwrap();
        let record = InvitationRecord {
            folder: FOLDER,
            owner: bundle.clone(),
            inviter: bundle,
            roster_head: StatementHash::new([3; 32]),
            role: Role::Writer,
            invited: "carol@example.com".parse().unwrap(),
            folder_name: "Holidays".to_owned(),
            expires_at_s: NOW_S + INVITATION_LIFETIME_S,
        };
        let request = InvitationRequest {
            id,
            record: HexBytes(record.seal(id, &keys, &mut SystemRandom).unwrap()),
            claim_hash: HexArray(keys.claim.hash()),
            expires_at_s: record.expires_at_s,
            mail: None,
        };
        Self { id, secrets, keys, request }
    }

    /// What a guest with both secrets sends.
    pub fn acceptance(&self, guest: &Persona, inviter: &Persona) -> AcceptanceRequest {
        let bundle = SignedBundle::try_from(&guest.document.bundle).unwrap();
        let inviter = SignedBundle::try_from(&inviter.document.bundle).unwrap().fingerprint();
        let acceptance = Acceptance { invitation: self.id, folder: FOLDER, inviter, guest: &bundle };
        AcceptanceRequest {
            claim: SecretHex(*self.keys.claim.expose()),
            bundle: guest.document.bundle.clone(),
            proof: HexArray(acceptance.prove(&self.keys)),
        }
    }

    pub fn path(&self) -> String {
        format!("/v1/invitations/{}", self.id)
    }
}

pub async fn make(server: &Server, session: &Session, request: &InvitationRequest) -> Answer {
    server.call(Method::POST, "/v1/invitations").session(session).json(request).send().await
}

async fn accept(
    server: &Server,
    session: &Session,
    invitation: &Invitation,
    request: &AcceptanceRequest,
) -> Answer {
    let path = format!("{}/acceptance", invitation.path());
    server.call(Method::POST, &path).session(session).json(request).send().await
}

async fn remove(server: &Server, session: &Session, invitation: &Invitation) -> Answer {
    server.call(Method::DELETE, &invitation.path()).session(session).send().await
}

async fn list(server: &Server, session: &Session) -> Invitations {
    server.get("/v1/invitations", session).await.json()
}

/// Somebody who registered, with a session.
async fn guest(server: &Server, login: &str) -> (Persona, Session) {
    let guest = Persona::other(login);
    server.register(&guest).await;
    let session = server.login(&guest, &Device::new("phone")).await;
    (guest, session)
}

#[tokio::test]
async fn a_guest_reads_and_accepts_and_the_inviter_checks_it() {
    let home = Home::new().await;
    let (server, invitation) = (&home.server, Invitation::by(&home.alice));
    make(server, &home.session, &invitation.request).await.expect(201);
    // Without a session: the guest has no account yet.
    let read = async || server.call(Method::GET, &invitation.path()).from(ELSEWHERE).send().await;
    let report: InvitationRecordReport = read().await.json();
    assert_eq!((report.expires_at_s, report.accepted), (NOW_S + INVITATION_LIFETIME_S, false));
    let record = InvitationRecord::open(invitation.id, &invitation.keys, &report.record.0).unwrap();
    assert_eq!((record.folder, record.folder_name.as_str()), (FOLDER, "Holidays"));
    assert!(list(server, &home.session).await.invitations[0].acceptance.is_none());

    home.world.clock.advance(60);
    let (carol, session) = guest(server, "carol@example.com").await;
    let acceptance = invitation.acceptance(&carol, &home.alice);
    for _ in 0..2 {
        accept(server, &session, &invitation, &acceptance).await.expect(204);
    }
    assert!(read().await.json::<InvitationRecordReport>().accepted);
    let found = list(server, &home.session).await.invitations.remove(0);
    let seen = found.acceptance.unwrap();
    assert_eq!((seen.login.as_str(), seen.accepted_at_s), ("carol@example.com", NOW_S + 60));
    let bundle = SignedBundle::try_from(&seen.bundle).unwrap();
    let inviter = record.inviter.fingerprint();
    let checked = Acceptance { invitation: invitation.id, folder: FOLDER, inviter, guest: &bundle };
    assert!(checked.is_proven_by(&invitation.keys, &seen.proof.0));
    assert!(list(server, &session).await.invitations.is_empty(), "it is not the guest's");

    let export: AccountExport = server.get("/v1/account/export", &home.session).await.json();
    assert_eq!(export.invitations[0].record, invitation.request.record);
    assert_eq!(export.invitations[0].invitation.id, invitation.id);
    let export: AccountExport = server.get("/v1/account/export", &session).await.json();
    assert!(export.invitations.is_empty());
    let accepted = &export.accepted[0];
    assert_eq!((accepted.id, accepted.inviter.as_str()), (invitation.id, "alice@example.com"));

    remove(server, &home.session, &invitation).await.expect(204);
    read().await.refuses(ProblemKind::InvitationUnknown);
    assert!(list(server, &home.session).await.invitations.is_empty());
}

/// Row 32: with the link alone, which the server knows as well, there is nothing to accept and nothing to read.
#[tokio::test]
async fn row_32_a_link_alone_accepts_nothing_and_keeps_nobody_out() {
    let home = Home::new().await;
    let (server, invitation) = (&home.server, Invitation::by(&home.alice));
    make(server, &home.session, &invitation.request).await.expect(201);
    let (thief, stolen) = guest(server, "thief@example.com").await;
    let (carol, session) = guest(server, "carol@example.com").await;
    let fragment = invitation.secrets.fragment.to_text().parse().unwrap();
    let other = InvitationSecrets::generate(&mut SystemRandom);
    let guessed = InvitationSecrets { fragment, password: other.password }.derive(invitation.id);
    assert!(InvitationRecord::open(invitation.id, &guessed, &invitation.request.record.0).is_err());
    let mut request = invitation.acceptance(&thief, &home.alice);
    request.claim = SecretHex(*guessed.claim.expose());
    for _ in 0..5 {
        accept(server, &stolen, &invitation, &request).await.refuses(ProblemKind::InvitationUnknown);
    }
    // Not even the right one is looked at, from this account.
    let right = invitation.acceptance(&thief, &home.alice);
    accept(server, &stolen, &invitation, &right).await.refuses(ProblemKind::TooManyFailures);
    let acceptance = invitation.acceptance(&carol, &home.alice);
    accept(server, &session, &invitation, &acceptance).await.expect(204);
    home.world.clock.advance(180);
    let late = server.login(&thief, &Device::new("phone")).await;
    accept(server, &late, &invitation, &right).await.refuses(ProblemKind::InvitationAccepted);
    let found = list(server, &home.session).await.invitations.remove(0);
    assert_eq!(found.acceptance.unwrap().login, "carol@example.com");
}

#[tokio::test]
async fn what_is_unknown_revoked_or_ended_looks_alike() {
    let home = Home::new().await;
    let server = &home.server;
    let (unknown, revoked, ended) =
        (Invitation::by(&home.alice), Invitation::by(&home.alice), Invitation::by(&home.alice));
    for invitation in [&revoked, &ended] {
        make(server, &home.session, &invitation.request).await.expect(201);
    }
    remove(server, &home.session, &revoked).await.expect(204);
    home.world.clock.advance(INVITATION_LIFETIME_S);
    let session = server.login(&home.alice, &home.laptop).await;
    let (carol, guest) = guest(server, "carol@example.com").await;
    let mut answers = Vec::new();
    for invitation in [&unknown, &revoked, &ended] {
        let read = server.call(Method::GET, &invitation.path()).send().await;
        let accepted = accept(server, &guest, invitation, &invitation.acceptance(&carol, &home.alice)).await;
        let removed = remove(server, &session, invitation).await;
        for answer in [&read, &accepted, &removed] {
            answer.refuses(ProblemKind::InvitationUnknown);
        }
        answers.push([read, accepted, removed]);
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]));
    assert!(list(server, &session).await.invitations.is_empty());
    // An hour later, for replicas whose clocks differ, it is gone.
    let now_s = NOW_S + INVITATION_LIFETIME_S;
    assert_eq!(server.state.db.prune(now_s + 3600).await.unwrap().invitations, 0);
    assert_eq!(server.state.db.prune(now_s + 3601).await.unwrap().invitations, 1);
}

#[tokio::test]
async fn only_the_inviter_sees_and_removes_an_invitation() {
    let home = Home::new().await;
    let (server, invitation) = (&home.server, Invitation::by(&home.alice));
    make(server, &home.session, &invitation.request).await.expect(201);
    let (_, session) = guest(server, "mallory@example.com").await;
    assert!(list(server, &session).await.invitations.is_empty());
    remove(server, &session, &invitation).await.refuses(ProblemKind::InvitationUnknown);
    // Nor takes anybody its place.
    let mut request = Invitation::by(&home.alice).request;
    request.id = invitation.id;
    make(server, &session, &request).await.refuses(ProblemKind::ValueRefused);
    let report: InvitationRecordReport = server.call(Method::GET, &invitation.path()).send().await.json();
    assert_eq!(report.record, invitation.request.record);
}

#[tokio::test]
async fn invitations_out_of_bounds_are_refused() {
    let home = Home::new().await;
    let server = &home.server;
    let altered = async |alter: fn(&mut InvitationRequest)| {
        let mut request = Invitation::by(&home.alice).request;
        alter(&mut request);
        make(server, &home.session, &request).await
    };
    altered(|request| request.expires_at_s = NOW_S).await.refuses(ProblemKind::ValueRefused);
    altered(|request| request.expires_at_s += 3601).await.refuses(ProblemKind::ValueRefused);
    altered(|request| request.expires_at_s = u64::MAX).await.refuses(ProblemKind::ValueRefused);
    altered(|request| request.expires_at_s += 3600).await.expect(201);
    altered(|request| request.record.0.clear()).await.refuses(ProblemKind::BlobRefused);
    altered(|request| request.record.0 = vec![0; 16 * 1024 + 1]).await.refuses(ProblemKind::BlobRefused);
    altered(|request| request.record.0 = vec![0; 16 * 1024]).await.expect(201);
    let path = format!("/v1/invitations/{}", "A".repeat(32));
    server.call(Method::GET, &path).send().await.refuses(ProblemKind::RequestMalformed);
    let mut unknown = serde_json::to_value(Invitation::by(&home.alice).request).unwrap();
    unknown.as_object_mut().unwrap().insert("password".into(), json!("x"));
    let call = server.call(Method::POST, "/v1/invitations").session(&home.session).json(&unknown);
    call.send().await.refuses(ProblemKind::BodyMalformed);
}

#[tokio::test]
async fn a_guest_accepts_with_the_newest_bundle_of_its_own() {
    let home = Home::new().await;
    let (server, invitation) = (&home.server, Invitation::by(&home.alice));
    make(server, &home.session, &invitation.request).await.expect(201);
    let (carol, session) = guest(server, "carol@example.com").await;
    let right = invitation.acceptance(&carol, &home.alice);
    let newer = carol.bundle(carol.id, "carol@example.com", 2);
    for bundle in [(&newer).into(), home.alice.document.bundle.clone()] {
        let request = AcceptanceRequest { bundle, ..right.clone() };
        accept(server, &session, &invitation, &request).await.refuses(ProblemKind::BlobRefused);
    }
    accept(server, &session, &invitation, &right).await.expect(204);
    let request = AcceptanceRequest { proof: HexArray([9; 32]), ..right };
    accept(server, &session, &invitation, &request).await.refuses(ProblemKind::InvitationAccepted);
}

#[tokio::test]
async fn an_account_has_so_many_open_ones() {
    let mut config = Config::default();
    config.limits.invitations = 2;
    let home = Home::with(config).await;
    let server = &home.server;
    let first = Invitation::by(&home.alice);
    make(server, &home.session, &first.request).await.expect(201);
    let mut short = Invitation::by(&home.alice).request;
    short.expires_at_s = NOW_S + 60;
    make(server, &home.session, &short).await.expect(201);
    let another = Invitation::by(&home.alice).request;
    make(server, &home.session, &another).await.refuses(ProblemKind::InvitationsFull);
    home.world.clock.advance(60);
    make(server, &home.session, &another).await.expect(201);
    let last = Invitation::by(&home.alice).request;
    make(server, &home.session, &last).await.refuses(ProblemKind::InvitationsFull);
    remove(server, &home.session, &first).await.expect(204);
    make(server, &home.session, &last).await.expect(201);
}

#[tokio::test]
async fn look_ups_of_one_address_have_a_rate() {
    let mut config = Config::default();
    config.limits.lookups_per_account_per_minute = 3;
    let home = Home::with(config).await;
    let path = Invitation::by(&home.alice).path();
    let read = async |from: &str| home.server.call(Method::GET, &path).from(from).send().await;
    for _ in 0..3 {
        read(ELSEWHERE).await.refuses(ProblemKind::InvitationUnknown);
    }
    read(ELSEWHERE).await.refuses(ProblemKind::TooManyRequests);
    read("203.0.113.5:9").await.refuses(ProblemKind::InvitationUnknown);
}

#[tokio::test]
async fn what_an_account_made_or_accepted_goes_with_it() {
    let home = Home::new().await;
    let server = &home.server;
    let (one, two) = (Invitation::by(&home.alice), Invitation::by(&home.alice));
    for invitation in [&one, &two] {
        make(server, &home.session, &invitation.request).await.expect(201);
    }
    let (carol, session) = guest(server, "carol@example.com").await;
    accept(server, &session, &one, &one.acceptance(&carol, &home.alice)).await.expect(204);
    let delete = async |persona: &Persona, session: &Session| {
        let request = DeleteRequest { current: persona.credential() };
        let call = server.call(Method::POST, "/v1/account/delete").session(session).json(&request);
        call.send().await.expect(204);
    };
    delete(&carol, &session).await;
    let left = list(server, &home.session).await.invitations;
    assert_eq!(left.iter().map(|invitation| invitation.id).collect::<Vec<_>>(), [two.id]);
    delete(&home.alice, &home.session).await;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM invitations");
    assert_eq!(count.fetch_one(server.state.db.reader()).await.ok(), Some(0_i64));
}

#[tokio::test]
async fn a_server_without_mail_says_so_and_makes_nothing() {
    let home = Home::new().await;
    let (server, invitation) = (&home.server, Invitation::by(&home.alice));
    let body = json!({"to": "carol@example.com", "link": "https://keys.example.com"});
    let mut request = serde_json::to_value(&invitation.request).unwrap();
    request.as_object_mut().unwrap().insert("mail".into(), body.clone());
    let call = server.call(Method::POST, "/v1/invitations").session(&home.session).json(&request);
    call.send().await.refuses(ProblemKind::MailOff);
    assert!(list(server, &home.session).await.invitations.is_empty());
    make(server, &home.session, &invitation.request).await.expect(201);
    let path = format!("{}/mail", invitation.path());
    let mail = server.call(Method::POST, &path).session(&home.session).json(&body).send();
    mail.await.refuses(ProblemKind::MailOff);
}
