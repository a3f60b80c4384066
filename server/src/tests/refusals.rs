//! Everything that a server must not take, and must not give.

use axum::http::Method;
use ensafer_core::api::hex::HexBytes;
use ensafer_core::api::server::{AccountDocument, ProblemKind, RegisterRequest};
use serde_json::{Value, json};

use super::persona::{Device, Persona, REALM};
use super::world::{Answer, HOME, Home, Server, World};
use crate::config::Config;

async fn server() -> (World, Server) {
    let world = World::new().await;
    let server = world.start(Config::default()).await;
    (world, server)
}

async fn register_altered(server: &Server, alter: impl FnOnce(&mut RegisterRequest)) -> Answer {
    let mut request = Persona::new("alice@example.com").register();
    alter(&mut request);
    server.post("/v1/register", &request).await
}

fn operations(server: &Server) -> Vec<(Method, String)> {
    let mut operations = Vec::new();
    for (path, item) in &server.openapi.paths.paths {
        let path = path.replace("{device}", &"0".repeat(32)).replace("{login}", "alice@example.com");
        let path = path.replace("{id}", &"0".repeat(32));
        for (method, operation) in [
            (Method::GET, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::DELETE, &item.delete),
        ] {
            if operation.is_some() {
                operations.push((method, path.clone()));
            }
        }
    }
    operations
}

#[tokio::test]
async fn nobody_gets_anything_without_a_session() {
    let home = Home::new().await;
    let mut needing_a_session = 0;
    for (method, path) in operations(&home.server) {
        let expired = "0".repeat(64);
        for token in [None, Some(""), Some("Bearer"), Some("Bearer x"), Some("Basic YTpi"), Some(&expired)] {
            let mut call = home.server.call(method.clone(), &path);
            if let Some(token) = token {
                call = call.header("authorization", token);
            }
            let answer = call.json(&json!({})).send().await;
            let text = String::from_utf8(answer.body.clone()).unwrap();
            for secret in ["sealed", "bundle", "nonce", "access"] {
                assert!(!text.contains(secret), "{method} {path}: {text}");
            }
            let is_link = method == Method::GET && path.starts_with("/v1/invitations/");
            if path_needs_session(&path) && path != "/v1/session" && !is_link {
                answer.refuses(ProblemKind::SessionRefused);
                needing_a_session += 1;
            }
        }
    }
    assert_eq!(needing_a_session, 23 * 6);
}

#[tokio::test]
async fn a_body_is_json_of_the_expected_form() {
    let (_world, server) = server().await;
    let start = || server.call(Method::POST, "/v1/login/start");
    start().text(r#"{"login":"a"}"#).send().await.refuses(ProblemKind::ContentTypeRefused);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let answer = start().text(r#"{"login":"a"}"#).header("content-type", kind).send().await;
        answer.refuses(ProblemKind::ContentTypeRefused);
    }
    let send = |body: &str| start().text(body.to_owned()).header("content-type", "application/json").send();
    send(r#"{"login":"a"}"#).await.expect(200);
    for wrong in ["", "{", "[]", "{}", r#"{"login":1}"#, r#"{"login":"a","x":1}"#, r#"{"login":"a"} x"#] {
        send(wrong).await.refuses(ProblemKind::BodyMalformed);
    }
    let secret = send(r#"{"login":["hunter2"],"hunter2":"hunter2"}"#).await;
    assert!(!String::from_utf8(secret.body).unwrap().contains("hunter2"));
    for wrong in [r#"{"login":""}"#, r#"{"login":"a@b@c"}"#, r#"{"login":"a b"}"#] {
        send(wrong).await.refuses(ProblemKind::LoginMalformed);
    }
    send(&"x".repeat(128 * 1024 + 1)).await.refuses(ProblemKind::BodyTooLarge);
}

#[tokio::test]
async fn a_path_is_of_the_expected_form() {
    let home = Home::new().await;
    let remove = |id: &str| {
        let path = format!("/v1/devices/{id}");
        home.server.call(Method::DELETE, &path).session(&home.session).send()
    };
    for wrong in ["x", &"A".repeat(32), &"0".repeat(31)] {
        remove(wrong).await.refuses(ProblemKind::RequestMalformed);
    }
    remove(&"0".repeat(32)).await.refuses(ProblemKind::DeviceUnknown);
    home.server.get("/v1/users/a%20b", &home.session).await.refuses(ProblemKind::LoginMalformed);
    home.server.get("/v1/users/%ff", &home.session).await.refuses(ProblemKind::RequestMalformed);
}

#[tokio::test]
async fn altered_and_foreign_bundles_are_refused() {
    let (_world, server) = server().await;
    let alterations: [fn(&mut AccountDocument); 6] = [
        |account| account.bundle.signature.0[0] ^= 1,
        |account| account.bundle.bundle.0[30] ^= 1,
        |account| account.bundle.bundle.0.truncate(100),
        |account| account.bundle.bundle = HexBytes(Vec::new()),
        |account| {
            let bob = Persona::other("bob@example.com");
            account.bundle.signature = bob.document.bundle.signature;
        },
        |account| {
            let bob = Persona::other("bob@example.com");
            account.bundle = (&bob.bundle(bob.id, "bob@example.com", 0)).into();
        },
    ];
    for alter in alterations {
        register_altered(&server, |request| alter(&mut request.account))
            .await
            .refuses(ProblemKind::BlobRefused);
    }
}

#[tokio::test]
async fn seals_of_the_wrong_form_are_refused() {
    let (_world, server) = server().await;
    let alterations: [fn(&mut AccountDocument); 13] = [
        |account| account.keys.version = 0,
        |account| account.keys.sealed.0.clear(),
        |account| account.keys.sealed.0.resize(16 * 1024 + 1, 0),
        |account| account.password.version = 0,
        |account| account.password.sealed.0.push(0),
        |account| account.password.realm = "local".into(),
        |account| account.password.realm = "https://keys.example.com/".into(),
        |account| account.recovery.sealed.0.truncate(10),
        |account| account.recovery.copy.0.clear(),
        |account| account.recovery.copy.0.resize(257, 0),
        |account| account.state = Some(super::persona::state(0, 1)),
        |account| account.state = Some(super::persona::state(i64::MAX as u64, 1)),
        |account| account.state = Some(super::persona::state(u64::MAX, 1)),
    ];
    for (n, alter) in alterations.into_iter().enumerate() {
        let answer = register_altered(&server, |request| alter(&mut request.account)).await;
        assert_eq!(answer.problem().kind(), Some(ProblemKind::BlobRefused), "{n}");
    }
    assert!(server.state.db.users().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_realm_is_the_servers_own_where_it_has_one() {
    let world = World::new().await;
    let config = Config { public_url: Some("https://other.example.com".into()), ..Config::default() };
    let server = world.start(config).await;
    register_altered(&server, |_| {}).await.refuses(ProblemKind::BlobRefused);
    let config = Config { public_url: Some(REALM.into()), ..Config::default() };
    let server = world.start(config).await;
    register_altered(&server, |_| {}).await.expect(201);
}

#[tokio::test]
async fn iterations_out_of_bounds_are_refused() {
    let home = Home::new().await;
    for iterations in [0, 1, 599_999, 10_000_001, u32::MAX] {
        let answer =
            register_altered(&home.server, |request| request.account.password.iterations = iterations).await;
        answer.refuses(ProblemKind::IterationsRefused);
        let mut request = home.alice.next_password([5; 32]);
        request.password.iterations = iterations;
        let answer = home.server.put("/v1/account/password", &home.session, &request).await;
        answer.refuses(ProblemKind::IterationsRefused);
    }
}

#[tokio::test]
async fn names_out_of_bounds_are_refused() {
    let home = Home::new().await;
    for name in ["", " ", "a\nb", &"x".repeat(129)] {
        let answer =
            register_altered(&home.server, |request| request.display_name = Some(name.to_owned())).await;
        answer.refuses(ProblemKind::ValueRefused);
        let device = Device::new(name);
        let answer = home.server.guess(&home.alice, &device, home.alice.password_auth, HOME).await;
        answer.refuses(ProblemKind::ValueRefused);
    }
}

#[tokio::test]
async fn unknown_fields_are_refused_however_deep() {
    let (_world, server) = server().await;
    let right = serde_json::to_value(Persona::new("alice@example.com").register()).unwrap();
    for pointer in
        ["", "/account", "/account/bundle", "/account/keys", "/account/password", "/account/recovery"]
    {
        let mut wrong = right.clone();
        let object = wrong.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap();
        object.insert("extra".into(), json!(1));
        server.post("/v1/register", &wrong).await.refuses(ProblemKind::BodyMalformed);
    }
    server.post("/v1/register", &right).await.expect(201);
}

#[tokio::test]
async fn every_answer_is_documented() {
    let (_world, server) = server().await;
    for (path, item) in &server.openapi.paths.paths {
        let is_link = path == "/v1/invitations/{id}";
        for (n, operation) in [&item.get, &item.put, &item.post, &item.delete].into_iter().enumerate() {
            let Some(operation) = operation else { continue };
            let statuses: Vec<_> = operation.responses.responses.keys().map(String::as_str).collect();
            for status in ["408", "429", "500", "503"] {
                assert!(statuses.contains(&status), "{path}: {statuses:?}");
            }
            let needs_session = operation.security.is_some();
            assert_eq!(needs_session, path_needs_session(path) && !(is_link && n == 0), "{path}");
            assert!(!needs_session || statuses.contains(&"401"), "{path}");
            assert!(operation.request_body.is_none() || statuses.contains(&"415"), "{path}");
        }
    }
}

fn path_needs_session(path: &str) -> bool {
    ["/v1/account", "/v1/devices", "/v1/users", "/v1/invitations", "/v1/groups"]
        .iter()
        .any(|start| path.starts_with(start))
        || path == "/v1/session"
}

#[tokio::test]
async fn what_cannot_be_read_from_the_database_is_not_to_be_asked_for_again() {
    let home = Home::new().await;
    let mut tx = home.server.state.db.write().await.unwrap();
    sqlx::query("UPDATE accounts SET password_nonce = 'x'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let answer = home.server.get("/v1/account", &home.session).await;
    answer.refuses(ProblemKind::Internal);
    assert_eq!(answer.problem().detail, None);
}

#[tokio::test]
async fn a_session_whose_account_was_deleted_meanwhile_is_refused() {
    let home = Home::new().await;
    let (state, login) = (&home.server.state, "x@example.com".parse().unwrap());
    let code = crate::codes::Code::generate(&mut ensafer_core::crypto::SystemRandom);
    let mut tx = state.db.write().await.unwrap();
    let nobody = Persona::new("bob@example.com").id;
    let kept = crate::registration::keep_code(state, &mut tx, nobody, &login, &code).await;
    let kind = crate::error::ApiError::from(kept.unwrap_err()).kind();
    assert_eq!(kind, ProblemKind::SessionRefused);
}
