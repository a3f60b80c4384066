//! Tokens, devices, and what becomes of them.

use axum::http::Method;
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{Devices, ProblemKind, Session};
use ensafer_core::ids::DeviceId;

use super::persona::{Device, Persona};
use super::world::{Home, NOW_S};
use crate::config::Config;

const REFRESH: &str = "/v1/session/refresh";

#[tokio::test]
async fn an_access_token_expires_and_a_refresh_buys_another() {
    let home = Home::new().await;
    home.world.clock.advance(900);
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::SessionRefused);
    let refresh = home.laptop.refresh(&home.alice, &home.session, 1);
    let session: Session = home.server.post(REFRESH, &refresh).await.json();
    home.server.get("/v1/account", &session).await.expect(200);
    assert_ne!(session.refresh.0, home.session.refresh.0);
}

#[tokio::test]
async fn a_refresh_passes_once_and_a_lost_answer_is_repeated() {
    let home = Home::new().await;
    let first = home.laptop.refresh(&home.alice, &home.session, 1);
    let lost: Session = home.server.post(REFRESH, &first).await.json();
    // The very same bytes again: refused, whoever sends them.
    home.server.post(REFRESH, &first).await.refuses(ProblemKind::SessionRefused);
    // The device did not get the answer, counts on, and shows the old token once more.
    let again = home.laptop.refresh(&home.alice, &home.session, 2);
    let session: Session = home.server.post(REFRESH, &again).await.json();
    home.server.get("/v1/account", &lost).await.refuses(ProblemKind::SessionRefused);
    // Once the new token was used, the old one is worth nothing.
    let next = home.laptop.refresh(&home.alice, &session, 3);
    let _: Session = home.server.post(REFRESH, &next).await.json();
    let old = home.laptop.refresh(&home.alice, &home.session, 4);
    home.server.post(REFRESH, &old).await.refuses(ProblemKind::SessionRefused);
}

#[tokio::test]
async fn a_stolen_refresh_token_is_worth_nothing_without_the_devices_key() {
    let home = Home::new().await;
    let thief = Device { id: home.laptop.id, ..Device::new("thief") };
    let right = home.laptop.refresh(&home.alice, &home.session, 1);
    let mut wrong = vec![right.clone(); 5];
    wrong[0] = thief.refresh(&home.alice, &home.session, 1);
    wrong[1].counter = 2;
    wrong[2].signature.0[0] ^= 1;
    wrong[3].device = DeviceId::new([1; 16]);
    wrong[4].refresh = SecretHex([1; 32]);
    for request in &wrong {
        home.server.post(REFRESH, request).await.refuses(ProblemKind::SessionRefused);
    }
    let forged = Session { refresh: SecretHex([7; 32]), ..home.session.clone() };
    let forged = home.laptop.refresh(&home.alice, &forged, 1);
    home.server.post(REFRESH, &forged).await.refuses(ProblemKind::SessionRefused);
    for counter in [0, u64::MAX] {
        let request = home.laptop.refresh(&home.alice, &home.session, counter);
        home.server.post(REFRESH, &request).await.refuses(ProblemKind::SessionRefused);
    }
    home.server.post(REFRESH, &right).await.expect(200);
}

#[tokio::test]
async fn a_refresh_token_expires() {
    let home = Home::new().await;
    home.world.clock.advance(90 * 86_400);
    let refresh = home.laptop.refresh(&home.alice, &home.session, 1);
    home.server.post(REFRESH, &refresh).await.refuses(ProblemKind::SessionRefused);
}

#[tokio::test]
async fn devices_are_listed_and_removed() {
    let home = Home::new().await;
    home.world.clock.advance(10);
    let phone = Device::new("phone");
    let other = home.server.login(&home.alice, &phone).await;
    let devices: Devices = home.server.get("/v1/devices", &home.session).await.json();
    let names: Vec<_> = devices.devices.iter().map(|d| (d.name.as_str(), d.is_this)).collect();
    assert_eq!(names, [("laptop", true), ("phone", false)]);

    let path = format!("/v1/devices/{}", phone.id);
    let remove = || home.server.call(Method::DELETE, &path).session(&home.session).send();
    remove().await.expect(204);
    remove().await.refuses(ProblemKind::DeviceUnknown);
    home.server.get("/v1/account", &other).await.refuses(ProblemKind::DeviceRevoked);
    let refresh = phone.refresh(&home.alice, &other, 1);
    home.server.post(REFRESH, &refresh).await.refuses(ProblemKind::DeviceRevoked);
    home.server.get("/v1/account", &home.session).await.expect(200);
    let devices: Devices = home.server.get("/v1/devices", &home.session).await.json();
    assert_eq!(devices.devices.len(), 1);
}

#[tokio::test]
async fn nobody_removes_anothers_device() {
    let home = Home::new().await;
    let (bob, device) = (Persona::other("bob@example.com"), Device::new("bob's"));
    home.server.register(&bob).await;
    let theirs = home.server.login(&bob, &device).await;
    let path = format!("/v1/devices/{}", home.laptop.id);
    let answer = home.server.call(Method::DELETE, &path).session(&theirs).send().await;
    answer.refuses(ProblemKind::DeviceUnknown);
    home.server.get("/v1/account", &home.session).await.expect(200);
}

#[tokio::test]
async fn a_device_that_comes_back_is_told_who_came_meanwhile() {
    let home = Home::new().await;
    home.world.clock.advance(60);
    let phone = Device::new("phone");
    home.server.login(&home.alice, &phone).await;
    // Whoever comes and goes again is named as well.
    let gone = home.server.login(&home.alice, &Device::new("thief")).await;
    home.server.call(Method::DELETE, "/v1/session").session(&gone).send().await.expect(204);
    let refresh = home.laptop.refresh(&home.alice, &home.session, 1);
    home.world.clock.advance(60);
    let session: Session = home.server.post(REFRESH, &refresh).await.json();
    let mut told = names(&session);
    told.sort_unstable();
    assert_eq!(told, ["phone", "thief"]);
    let refresh = home.laptop.refresh(&home.alice, &session, 2);
    let session: Session = home.server.post(REFRESH, &refresh).await.json();
    assert!(session.new_devices.is_empty());
}

/// Whoever keeps an answer from arriving keeps nobody from being told.
#[tokio::test]
async fn who_came_is_told_again_where_the_answer_was_lost() {
    let home = Home::new().await;
    home.world.clock.advance(60);
    home.server.login(&home.alice, &Device::new("stranger")).await;
    let refresh = async |session: &Session, counter| -> Session {
        home.world.clock.advance(60);
        let refresh = home.laptop.refresh(&home.alice, session, counter);
        home.server.post(REFRESH, &refresh).await.json()
    };
    for lost in 1..4 {
        assert_eq!(names(&refresh(&home.session, lost).await), ["stranger"], "answer {lost}");
    }
    let arrived = refresh(&home.session, 4).await;
    assert_eq!(names(&arrived), ["stranger"]);
    let next = refresh(&arrived, 5).await;
    assert!(next.new_devices.is_empty());

    home.server.login(&home.alice, &Device::new("another")).await;
    home.world.clock.advance(60);
    let _lost = home.server.login(&home.alice, &home.laptop).await;
    home.world.clock.advance(60);
    let arrived = home.server.login(&home.alice, &home.laptop).await;
    assert_eq!(names(&arrived), ["another"]);
    assert!(refresh(&arrived, 1).await.new_devices.is_empty());
}

fn names(session: &Session) -> Vec<&str> {
    session.new_devices.iter().map(|device| device.name.as_str()).collect()
}

#[tokio::test]
async fn an_account_has_no_end_of_devices_but_the_newest_stay() {
    let home = Home::new().await;
    let mut tx = home.server.state.db.write().await.unwrap();
    for n in 0..300 {
        // One in two has no session any more, and was here later than the laptop.
        sqlx::query(
            "INSERT INTO devices (account, device, name, public_key, created_at, seen_at, revoked_at, counter, \
                access_hash, access_expires_at, refresh_hash, previous_refresh_hash, refresh_expires_at) \
             VALUES ($1, $2, 'x', $2, 1, $3, $4, 0, $2, 1, $2, $2, 1)",
        )
        .bind(home.alice.id.to_string())
        .bind(format!("{n:032x}"))
        .bind(if n % 2 == 0 { NOW_S as i64 + 1 } else { 1 })
        .bind((n % 2 == 0).then_some(1_i64))
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    let phone = home.server.login(&home.alice, &Device::new("phone")).await;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM devices")
        .fetch_one(home.server.state.db.reader())
        .await
        .unwrap();
    assert_eq!(count, 256);
    for session in [&home.session, &phone] {
        let devices: Devices = home.server.get("/v1/devices", session).await.json();
        assert_eq!(devices.devices.len(), 152, "all that have a session are there");
    }
}

#[tokio::test]
async fn how_many_devices_an_account_has_is_a_setting() {
    let mut config = Config::default();
    config.limits.devices = 2;
    let home = Home::with(config).await;
    for name in ["phone", "tablet"] {
        home.world.clock.advance(1);
        home.server.login(&home.alice, &Device::new(name)).await;
    }
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::SessionRefused);
}

#[tokio::test]
async fn a_session_ends_itself() {
    let home = Home::new().await;
    home.server.call(Method::DELETE, "/v1/session").session(&home.session).send().await.expect(204);
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::DeviceRevoked);
    let session = home.server.login(&home.alice, &home.laptop).await;
    home.server.get("/v1/account", &session).await.expect(200);
}

#[tokio::test]
async fn whoever_has_no_session_is_told_what_would_be_let_in() {
    let home = Home::new().await;
    let none = home.server.call(Method::GET, "/v1/account").send().await;
    none.refuses(ProblemKind::SessionRefused);
    assert_eq!(none.headers["www-authenticate"], "Bearer");
    home.server.call(Method::DELETE, "/v1/session").session(&home.session).send().await.expect(204);
    let ended = home.server.get("/v1/account", &home.session).await;
    ended.refuses(ProblemKind::DeviceRevoked);
    assert_eq!(ended.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_new_login_of_a_device_replaces_its_session() {
    let home = Home::new().await;
    let session = home.server.login(&home.alice, &home.laptop).await;
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::SessionRefused);
    home.server.get("/v1/account", &session).await.expect(200);
    let devices: Devices = home.server.get("/v1/devices", &session).await.json();
    assert_eq!(devices.devices.len(), 1);
}
