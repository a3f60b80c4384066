//! What is mailed, and what a mailed code does.

use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use ensafer_core::api::server::{
    AddressRequest, ConfirmRequest, CredentialKind, DeleteRequest, ProblemKind, Registered, Session,
};

use super::persona::{Device, Persona};
use super::world::{Answer, ELSEWHERE, HOME, NOW_S, Server, World};
use crate::config::{Config, MailTransport};
use crate::notices::{self, Notice};

/// A server that confirms addresses and writes its mails to files.
async fn confirming() -> (World, Server) {
    let world = World::new().await;
    let server = world.start(mailing(&world)).await;
    (world, server)
}

pub fn mailing(world: &World) -> Config {
    let mut config = Config::default();
    config.mail.transport = MailTransport::File;
    config.mail.from = "Keys <keys@example.com>".into();
    config.mail.directory = world.directory.path().join("mail");
    config
}

/// All mails to this address.
pub fn mails(world: &World, to: &str) -> Vec<String> {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let directory = std::fs::read_dir(world.directory.path().join("mail")).unwrap();
    let all = directory.map(|entry| read(&entry.unwrap().path()));
    all.filter(|mail| mail.contains(&format!("To: {to}"))).collect()
}

/// Waits for a mail to this address that says this.
async fn mail_about(world: &World, to: &str, what: &str) {
    let there = async {
        while !mails(world, to).iter().any(|mail| mail.contains(what)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), there).await.expect("the mail is written");
}

/// The code in a mail: the one line that is nothing else.
fn code(mail: &str) -> String {
    let is_code = |line: &&str| {
        let line: String = line.chars().filter(|c| *c != '-' && !c.is_whitespace()).collect();
        line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    mail.lines().find(is_code).unwrap_or_else(|| panic!("no code in {mail}")).trim().to_owned()
}

async fn confirm(server: &Server, persona: &Persona, code: &str) -> Answer {
    let request = ConfirmRequest {
        account: persona.id,
        login: persona.login.as_str().to_owned(),
        code: code.to_owned(),
    };
    server.post("/v1/register/confirm", &request).await
}

async fn register(server: &Server, persona: &Persona) {
    let answer = server.post("/v1/register", &persona.register()).await;
    assert!(answer.json::<Registered>().confirmation_required);
}

#[tokio::test]
async fn an_account_opens_once_its_address_is_confirmed() {
    let (world, server) = confirming().await;
    let (alice, device) = (Persona::new("alice@example.com"), Device::new("laptop"));
    register(&server, &alice).await;
    let early = server.guess(&alice, &device, alice.password_auth, HOME).await;
    early.refuses(ProblemKind::EmailUnconfirmed);
    server.guess(&alice, &device, [9; 32], HOME).await.refuses(ProblemKind::WrongCredentials);
    confirm(&server, &alice, "AAAA2222").await.refuses(ProblemKind::ConfirmationRefused);
    let code = code(&mails(&world, "alice@example.com")[0]);
    confirm(&server, &alice, &code.to_lowercase()).await.expect(204);
    confirm(&server, &alice, &code).await.refuses(ProblemKind::ConfirmationRefused);
    server.login(&alice, &device).await;
}

#[tokio::test]
async fn a_code_expires_and_its_account_with_it() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    register(&server, &alice).await;
    world.clock.advance(86_400);
    let code = code(&mails(&world, "alice@example.com")[0]);
    confirm(&server, &alice, &code).await.refuses(ProblemKind::ConfirmationRefused);
    world.clock.advance(1);
    assert_eq!(server.state.db.prune(1_900_086_401).await.unwrap().accounts, 1);
}

#[tokio::test]
async fn guesses_at_a_code_are_counted() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    register(&server, &alice).await;
    for _ in 0..5 {
        confirm(&server, &alice, "AAAA2222").await.refuses(ProblemKind::ConfirmationRefused);
    }
    let code = code(&mails(&world, "alice@example.com")[0]);
    confirm(&server, &alice, &code).await.refuses(ProblemKind::TooManyFailures);
    world.clock.advance(180);
    confirm(&server, &alice, &code).await.expect(204);
}

/// Whoever registers another's address gets that person to confirm nothing: the code that arrives belongs to the
/// stranger's account, and the victim's client asks for its own.
#[tokio::test]
async fn a_strangers_registration_is_never_confirmed_by_the_addresss_owner() {
    let (world, server) = confirming().await;
    let (stranger, alice) = (Persona::other("alice@example.com"), Persona::new("alice@example.com"));
    register(&server, &alice).await;
    register(&server, &stranger).await;
    for mail in mails(&world, "alice@example.com") {
        confirm(&server, &alice, &code(&mail)).await.refuses(ProblemKind::ConfirmationRefused);
    }
    // She registers again, which replaces the stranger's account, and it is hers.
    register(&server, &alice).await;
    let mut passed = 0;
    for mail in mails(&world, "alice@example.com") {
        passed += usize::from(confirm(&server, &alice, &code(&mail)).await.status.is_success());
    }
    assert_eq!(passed, 1);
    server.login(&alice, &Device::new("laptop")).await;
    let refused = server.post("/v1/register", &stranger.register()).await;
    refused.refuses(ProblemKind::LoginTaken);
}

/// Whoever has an account of their own cannot guess their way to another's address, with any number of devices; nor does
/// whoever knows an account's id keep its owner out.
#[tokio::test]
async fn guesses_at_the_code_of_a_new_address_are_counted_apart_from_passwords() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    register(&server, &alice).await;
    confirm(&server, &alice, &code(&mails(&world, "alice@example.com")[0])).await.expect(204);
    let request = alice.next_keys("victim@example.org", Some("AAAA2222"));
    for n in 0..6 {
        let session = server.login(&alice, &Device::new("new")).await;
        let answer = server.put("/v1/account/keys", &session, &request).await;
        answer.refuses(if n < 5 { ProblemKind::ConfirmationRefused } else { ProblemKind::TooManyFailures });
    }
    // Codes that confirm a registration, which anybody may guess at, are counted apart.
    confirm(&server, &alice, "AAAA2222").await.refuses(ProblemKind::ConfirmationRefused);
    server.login(&alice, &Device::new("new")).await;
}

#[tokio::test]
async fn a_right_code_is_no_failure_whatever_else_fails() {
    let (world, server) = confirming().await;
    let alice = confirmed(&world, &server).await;
    let session = server.login(&alice, &Device::new("laptop")).await;
    let request = AddressRequest { login: "alice@example.org".into() };
    let ask = server.call(Method::POST, "/v1/account/address").session(&session).json(&request);
    ask.send().await.expect(204);
    let first = code(&mails(&world, "alice@example.org")[0]);
    // Somebody else of the same mailbox was faster.
    let other = Persona::other("alice@example.org");
    register(&server, &other).await;
    for mail in mails(&world, "alice@example.org") {
        confirm(&server, &other, &code(&mail)).await;
    }
    let request = alice.next_keys("alice@example.org", Some(&first));
    for _ in 0..7 {
        server.put("/v1/account/keys", &session, &request).await.refuses(ProblemKind::LoginTaken);
    }
}

/// An address with a typing error must not keep the account from being registered with the right one.
#[tokio::test]
async fn a_mistyped_address_is_corrected_by_registering_again() {
    let (world, server) = confirming().await;
    let mut alice = Persona::new("alice@exmaple.com");
    register(&server, &alice).await;
    // Another identity does not take the account's id.
    let stranger = Persona::other("bob@example.com");
    let mut request = stranger.register();
    request.account.bundle = (&stranger.bundle(alice.id, "bob@example.com", 1)).into();
    server.post("/v1/register", &request).await.refuses(ProblemKind::BlobRefused);
    alice.document.bundle = (&alice.bundle(alice.id, "alice@example.com", 1)).into();
    alice.login = "alice@example.com".parse().unwrap();
    register(&server, &alice).await;
    let logins: Vec<_> = server.state.db.users().await.unwrap().into_iter().map(|user| user.login).collect();
    assert_eq!(logins, ["alice@example.com"]);
    confirm(&server, &alice, &code(&mails(&world, "alice@example.com")[0])).await.expect(204);
    server.login(&alice, &Device::new("laptop")).await;
}

#[tokio::test]
async fn a_login_that_is_taken_loses_no_mails_by_those_who_want_it() {
    let (world, server) = confirming().await;
    confirmed(&world, &server).await;
    let stranger = Persona::other("alice@example.com");
    for _ in 0..7 {
        server.post("/v1/register", &stranger.register()).await.refuses(ProblemKind::LoginTaken);
    }
    assert_eq!(mails(&world, "alice@example.com").len(), 1);
}

#[tokio::test]
async fn nobodys_mailbox_is_flooded_and_nobody_else_uses_up_its_mails() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    let ask = async |from: &str| {
        let call = server.call(Method::POST, "/v1/register").json(&alice.register());
        call.from(from).send().await
    };
    for _ in 0..5 {
        ask(HOME).await.expect(201);
    }
    ask(HOME).await.refuses(ProblemKind::TooManyRequests);
    assert_eq!(mails(&world, "alice@example.com").len(), 5);
    // From many addresses there is an end as well.
    for n in 0..45 {
        ask(&format!("203.0.113.{n}:9")).await.expect(201);
    }
    ask(ELSEWHERE).await.refuses(ProblemKind::TooManyRequests);
    assert_eq!(mails(&world, "alice@example.com").len(), 50);
}

#[tokio::test]
async fn a_new_address_is_confirmed_before_the_account_moves() {
    let (world, server) = confirming().await;
    let (alice, device) = (Persona::new("alice@example.com"), Device::new("laptop"));
    register(&server, &alice).await;
    let first = code(&mails(&world, "alice@example.com")[0]);
    confirm(&server, &alice, &first).await.expect(204);
    let session = server.login(&alice, &device).await;
    let request = AddressRequest { login: "alice@example.org".into() };
    let ask = server.call(Method::POST, "/v1/account/address").session(&session).json(&request);
    ask.send().await.expect(204);
    let code = code(&mails(&world, "alice@example.org")[0]);
    for wrong in [None, Some("AAAA2222"), Some(first.as_str())] {
        let request = alice.next_keys("alice@example.org", wrong);
        let answer = server.put("/v1/account/keys", &session, &request).await;
        answer.refuses(ProblemKind::ConfirmationRefused);
    }
    let elsewhere = alice.next_keys("alice@example.net", Some(&code));
    let answer = server.put("/v1/account/keys", &session, &elsewhere).await;
    answer.refuses(ProblemKind::ConfirmationRefused);
    let request = alice.next_keys("alice@example.org", Some(&code));
    server.put("/v1/account/keys", &session, &request).await.expect(204);
    mail_about(&world, "alice@example.com", "alice@example.org").await;
}

#[tokio::test]
async fn the_owner_is_told_of_new_keys_and_of_a_new_recovery_key() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    register(&server, &alice).await;
    confirm(&server, &alice, &code(&mails(&world, "alice@example.com")[0])).await.expect(204);
    let session = server.login(&alice, &Device::new("laptop")).await;
    let request = alice.next_recovery([6; 32]);
    server.put("/v1/account/recovery", &session, &request).await.expect(204);
    mail_about(&world, "alice@example.com", "your recovery key was changed").await;
    let request = alice.next_keys("alice@example.com", None);
    server.put("/v1/account/keys", &session, &request).await.expect(204);
    mail_about(&world, "alice@example.com", "your password was changed").await;
}

#[tokio::test]
async fn the_owner_is_told_of_devices_recovery_password_and_deletion() {
    let (world, server) = confirming().await;
    let alice = Persona::new("alice@example.com");
    register(&server, &alice).await;
    let code = code(&mails(&world, "alice@example.com")[0]);
    confirm(&server, &alice, &code).await.expect(204);
    server.login(&alice, &Device::new("first")).await;
    let device = Device::new("very-own-laptop");
    let session = server.login(&alice, &device).await;
    mail_about(&world, "alice@example.com", "very-own-laptop").await;
    let count = mails(&world, "alice@example.com").len();

    let session_again = server.login_by(&alice, &device, CredentialKind::Recovery).await;
    mail_about(&world, "alice@example.com", "your recovery key was used").await;
    assert_eq!(mails(&world, "alice@example.com").len(), count + 1, "the device is known");
    server.get("/v1/account", &session).await.refuses(ProblemKind::SessionRefused);

    let request = alice.next_password(alice.password_auth);
    server.put("/v1/account/password", &session_again, &request).await.expect(204);
    mail_about(&world, "alice@example.com", "your password was changed").await;
    let delete = server.call(Method::POST, "/v1/account/delete").session(&session_again);
    let request = DeleteRequest { current: alice.credential() };
    delete.json(&request).send().await.expect(204);
    mail_about(&world, "alice@example.com", "deleted").await;
}

/// Alice, whose address is confirmed.
async fn confirmed(world: &World, server: &Server) -> Persona {
    let alice = Persona::new("alice@example.com");
    register(server, &alice).await;
    confirm(server, &alice, &code(&mails(world, "alice@example.com")[0])).await.expect(204);
    alice
}

/// The devices that mails named as new, once all that were begun are written.
async fn announced(world: &World, server: &Server) -> Vec<String> {
    server.state.notices.finish().await;
    let devices =
        |mail: &String| mail.lines().find_map(|line| Some(line.trim().strip_prefix("Device: ")?.to_owned()));
    let mut names: Vec<_> = mails(world, "alice@example.com").iter().filter_map(devices).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn who_registered_is_not_announced_and_everybody_after_is() {
    let (world, server) = confirming().await;
    let alice = confirmed(&world, &server).await;
    let (laptop, thief) = (Device::new("laptop"), Device::new("thief"));
    let session = server.login(&alice, &laptop).await;
    assert!(announced(&world, &server).await.is_empty());
    server.login(&alice, &thief).await;
    assert_eq!(announced(&world, &server).await, ["thief"]);
    // The one device, back after it logged out, could be anybody who knows its id.
    let gone = server.login(&alice, &thief).await;
    for session in [&session, &gone] {
        server.call(Method::DELETE, "/v1/session").session(session).send().await.expect(204);
    }
    server.login(&alice, &laptop).await;
    assert_eq!(announced(&world, &server).await, ["laptop", "thief"]);
}

#[tokio::test]
async fn an_account_that_waited_for_its_first_device_is_told_of_it() {
    let (world, server) = confirming().await;
    let alice = confirmed(&world, &server).await;
    world.clock.advance(server.state.config.sessions.code_s + 1);
    server.login(&alice, &Device::new("late")).await;
    assert_eq!(announced(&world, &server).await, ["late"]);
}

#[tokio::test]
async fn who_never_confirmed_an_address_is_announced_to_its_owner() {
    let world = World::new().await;
    let mut config = mailing(&world);
    config.registration.confirm_email = Some(false);
    let server = world.start(config).await;
    let stranger = Persona::new("alice@example.com");
    server.register(&stranger).await;
    server.login(&stranger, &Device::new("stranger")).await;
    assert_eq!(announced(&world, &server).await, ["stranger"]);
}

/// Whoever has the password and knows a device's id takes its place with another key, and not unseen.
#[tokio::test]
async fn a_device_with_another_key_is_a_new_device() {
    let (world, server) = confirming().await;
    let alice = confirmed(&world, &server).await;
    let (laptop, phone) = (Device::new("laptop"), Device::new("phone"));
    let session = server.login(&alice, &laptop).await;
    let watching = server.login(&alice, &phone).await;
    world.clock.advance(60);
    let thief = Device { id: laptop.id, ..Device::new("thief") };
    server.login(&alice, &thief).await;
    assert_eq!(announced(&world, &server).await, ["phone", "thief"]);
    let refresh = phone.refresh(&alice, &watching, 1);
    let told: Session = server.post("/v1/session/refresh", &refresh).await.json();
    let names: Vec<_> = told.new_devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["thief"]);
    assert_eq!(told.new_devices[0].created_at_s, NOW_S + 60);
    server.get("/v1/account", &session).await.refuses(ProblemKind::SessionRefused);
    let refresh = laptop.refresh(&alice, &session, 1);
    server.post("/v1/session/refresh", &refresh).await.refuses(ProblemKind::SessionRefused);
}

#[tokio::test]
async fn notices_of_one_kind_have_an_end() {
    let (world, server) = confirming().await;
    let (state, alice) = (&server.state, Persona::new("alice@example.com").login);
    for _ in 0..8 {
        notices::send(state, alice.clone(), Notice::PasswordChanged);
    }
    notices::send(state, alice.clone(), Notice::RecoveryChanged);
    notices::send(state, "bob@example.com".parse().unwrap(), Notice::PasswordChanged);
    state.notices.finish().await;
    let about = |what: &str| mails(&world, "alice@example.com").iter().filter(|m| m.contains(what)).count();
    assert_eq!(about("your password was changed"), 5);
    assert_eq!(about("your recovery key was changed"), 1);
    assert_eq!(mails(&world, "bob@example.com").len(), 1);
}
