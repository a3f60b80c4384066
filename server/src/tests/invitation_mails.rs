//! Mails with the links of invitations.

use axum::http::Method;
use ensafer_core::account::InvitationLink;
use ensafer_core::api::hex::SecretText;
use ensafer_core::api::server::{InvitationMail, ProblemKind, Session};

use super::invitations::{Invitation, make};
use super::mails::{mailing, mails};
use super::persona::{Device, Persona, REALM};
use super::world::{Answer, Server, World};
use crate::config::Config;

/// A server that mails, knows where it is, and does not ask for confirmed addresses; and an account on it.
async fn inviting(login: &str, alter: impl FnOnce(&mut Config)) -> (World, Server, Persona, Session) {
    let world = World::new().await;
    let mut config = mailing(&world);
    config.public_url = Some(REALM.to_owned());
    config.registration.confirm_email = Some(false);
    alter(&mut config);
    let server = world.start(config).await;
    let inviter = Persona::new(login);
    server.register(&inviter).await;
    let session = server.login(&inviter, &Device::new("laptop")).await;
    (world, server, inviter, session)
}

fn link(invitation: &Invitation) -> String {
    let fragment = invitation.secrets.fragment.to_text().parse().unwrap();
    let link = InvitationLink { origin: REALM.to_owned(), id: invitation.id, fragment };
    link.to_text().to_string()
}

fn mail(to: &str, link: String) -> InvitationMail {
    InvitationMail { to: to.to_owned(), link: SecretText(link) }
}

async fn once_more(
    server: &Server,
    session: &Session,
    invitation: &Invitation,
    mail: &InvitationMail,
) -> Answer {
    let path = format!("{}/mail", invitation.path());
    server.call(Method::POST, &path).session(session).json(mail).send().await
}

#[tokio::test]
async fn a_link_is_mailed_with_the_invitation_and_once_more() {
    let (world, server, alice, session) = inviting("alice@example.com", |_| {}).await;
    let mut invitation = Invitation::by(&alice);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    make(&server, &session, &invitation.request).await.expect(201);
    let request = mail("Carol@Example.com", format!(" {} ", link(&invitation)));
    once_more(&server, &session, &invitation, &request).await.expect(204);
    let sent = mails(&world, "carol@example.com");
    assert_eq!(sent.len(), 2);
    for mail in sent {
        // Soft line breaks undone (RFC 2045 section 6.7).
        let mail = mail.replace("=\r\n", "").replace("=3D", "=");
        assert!(
            mail.contains("Subject: Ensafer: alice@example.com wants to share a folder with you"),
            "{mail}"
        );
        assert_eq!(mail.matches(&format!("ensafer accept '{}'", link(&invitation))).count(), 2, "{mail}");
        assert!(mail.contains("24 March 2030") && mail.contains("7 days"), "{mail}");
        assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
        assert!(!mail.contains(&invitation.secrets.password.to_text()[..]), "{mail}");
        assert!(!mail.contains("Holidays") && !mail.contains("href"), "{mail}");
    }
}

/// Nothing that an inviter wrote is mailed: no other place, no word before, in or behind the link.
#[tokio::test]
async fn only_this_servers_link_to_this_invitation_is_mailed() {
    let (world, server, alice, session) = inviting("alice@example.com", |_| {}).await;
    let (invitation, other) = (Invitation::by(&alice), Invitation::by(&alice));
    make(&server, &session, &invitation.request).await.expect(201);
    let right = link(&invitation);
    let fragment = &right[right.len() - 28..];
    let wrong = [
        String::new(),
        link(&other),
        right.replace(REALM, "https://evil.example"),
        right.replace(REALM, "https://keys.example.com.evil.example"),
        right.replace(REALM, "https://keys.example.com@evil.example"),
        right.replace(REALM, "http://keys.example.com"),
        right.replace("/invite/", "/invite//"),
        right.replace('#', "?x#"),
        right.replace(fragment, ""),
        right.replace(fragment, "call+1-900-555-0100-and-win!"),
        format!("{right}<script>"),
        format!("{right}\r\nBcc: eve@example.com"),
        format!("look: {right}"),
    ];
    for link in wrong {
        let answer = once_more(&server, &session, &invitation, &mail("carol@example.com", link)).await;
        answer.refuses(ProblemKind::ValueRefused);
    }
    for to in ["", "carol", "carol@example.com, eve@example.com", "carol@example.com\r\nBcc: eve@example.com"]
    {
        let answer = once_more(&server, &session, &invitation, &mail(to, right.clone())).await;
        answer.refuses(ProblemKind::LoginMalformed);
    }
    assert!(mails(&world, "carol").is_empty());
    // However its secret is typed, it is mailed in its one spelling.
    let typed = right.replace(fragment, &fragment.to_lowercase());
    once_more(&server, &session, &invitation, &mail("carol@example.com", typed)).await.expect(204);
    let sent = mails(&world, "carol@example.com").remove(0).replace("=\r\n", "");
    assert!(sent.contains(&right) && !sent.contains(&fragment.to_lowercase()), "{sent}");
}

#[tokio::test]
async fn an_inviters_name_brings_no_markup_and_no_message() {
    let (world, server, alice, session) = inviting("o'hara&<b>@example.com", |_| {}).await;
    let mut invitation = Invitation::by(&alice);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    let answer = make(&server, &session, &invitation.request).await;
    // Such an address is none for mail, so it is not named in one either.
    answer.refuses(ProblemKind::MailOff);
    let (world2, server, alice, session) = inviting("o'hara&co@example.com", |_| {}).await;
    let mut invitation = Invitation::by(&alice);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    make(&server, &session, &invitation.request).await.expect(201);
    let sent = mails(&world2, "carol@example.com").remove(0).replace("=\r\n", "");
    assert!(sent.contains("<strong>o&#39;hara&amp;co@example.com</strong>"), "{sent}");
    assert!(mails(&world, "carol").is_empty());
    for name in ["https://evil.example/win", "call-1-900-555-0100"] {
        let (world, server, alice, session) = inviting(name, |_| {}).await;
        let mut invitation = Invitation::by(&alice);
        invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
        make(&server, &session, &invitation.request).await.refuses(ProblemKind::MailOff);
        assert!(mails(&world, "carol").is_empty());
    }
}

#[tokio::test]
async fn mails_are_counted_by_account_and_by_address() {
    let alter = |config: &mut Config| {
        config.limits.invitation_mails_per_account_per_day = 3;
        config.limits.invitation_mails_per_address_per_day = 2;
    };
    let (world, server, alice, session) = inviting("alice@example.com", alter).await;
    let invitation = Invitation::by(&alice);
    make(&server, &session, &invitation.request).await.expect(201);
    let send = async |to: &str| once_more(&server, &session, &invitation, &mail(to, link(&invitation))).await;
    for _ in 0..2 {
        send("carol@example.com").await.expect(204);
    }
    send("carol@example.com").await.refuses(ProblemKind::TooManyRequests);
    send("dave@example.com").await.refuses(ProblemKind::TooManyRequests);
    assert_eq!(mails(&world, "carol@example.com").len(), 2);
    // Another account does not flood her either, and mails others.
    let bob = Persona::other("bob@example.com");
    server.register(&bob).await;
    let other = server.login(&bob, &Device::new("laptop")).await;
    let mut invitation = Invitation::by(&bob);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    make(&server, &other, &invitation.request).await.refuses(ProblemKind::TooManyRequests);
    invitation.request.mail = Some(mail("dave@example.com", link(&invitation)));
    make(&server, &other, &invitation.request).await.expect(201);
}

#[tokio::test]
async fn without_its_address_a_server_mails_no_links_and_a_failed_mail_leaves_nothing() {
    let (_world, server, alice, session) =
        inviting("alice@example.com", |config| config.public_url = None).await;
    let mut invitation = Invitation::by(&alice);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    let answer = make(&server, &session, &invitation.request).await;
    answer.refuses(ProblemKind::MailOff);
    assert!(answer.problem().detail.unwrap().contains("public_url"));

    let (world, server, alice, session) = inviting("alice@example.com", |_| {}).await;
    std::fs::remove_dir_all(world.directory.path().join("mail")).unwrap();
    let mut invitation = Invitation::by(&alice);
    invitation.request.mail = Some(mail("carol@example.com", link(&invitation)));
    make(&server, &session, &invitation.request).await.refuses(ProblemKind::MailFailed);
    let read = server.call(Method::GET, &invitation.path()).send().await;
    read.refuses(ProblemKind::InvitationUnknown);
}
