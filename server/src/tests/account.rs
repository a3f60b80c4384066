//! What an owner does with an account.

use axum::http::Method;
use ensafer_core::api::hex::{HexBytes, SecretHex};
use ensafer_core::api::server::{
    AccountExport, AccountReport, AddressRequest, Credential, CredentialKind, DeleteRequest, KeyHistory,
    PasswordRequest, ProblemKind, ProfileRequest, RecoveryRequest, StateDocument, UserReport,
};

use super::persona::{Device, Persona, state};
use super::world::{HOME, Home, NOW_S};

const PASSWORD: &str = "/v1/account/password";
const STATE: &str = "/v1/account/state";

#[tokio::test]
async fn the_owner_gets_back_what_was_registered() {
    let home = Home::new().await;
    let report: AccountReport = home.server.get("/v1/account", &home.session).await.json();
    let same = serde_json::to_value(&report.account).unwrap();
    assert_eq!(same, serde_json::to_value(&home.alice.document).unwrap());
    assert_eq!((report.display_name.as_deref(), report.created_at_s), (Some("Alice"), 1_900_000_000));
}

#[tokio::test]
async fn a_new_password_takes_the_place_of_the_old_one() {
    let home = Home::new().await;
    let request = home.alice.next_password([5; 32]);
    home.server.put(PASSWORD, &home.session, &request).await.expect(204);
    let device = Device::new("new");
    let old = home.server.guess(&home.alice, &device, home.alice.password_auth, HOME).await;
    old.refuses(ProblemKind::WrongCredentials);
    home.server.guess(&home.alice, &device, [5; 32], HOME).await.expect(200);
    assert_eq!(home.server.begin(&home.alice).await.nonce, request.password.nonce);
    home.server.get("/v1/account", &home.session).await.expect(200);
}

#[tokio::test]
async fn a_recovery_ends_with_a_new_password() {
    let home = Home::new().await;
    let session = home.server.login_by(&home.alice, &Device::new("new"), CredentialKind::Recovery).await;
    let current = Credential { kind: CredentialKind::Recovery, auth: SecretHex(home.alice.recovery_auth) };
    let request = PasswordRequest { current, ..home.alice.next_password([5; 32]) };
    home.server.put(PASSWORD, &session, &request).await.expect(204);
    home.server.guess(&home.alice, &Device::new("other"), [5; 32], HOME).await.expect(200);
}

#[tokio::test]
async fn a_session_alone_changes_no_seal_and_deletes_nothing() {
    let home = Home::new().await;
    let wrong = || Credential { kind: CredentialKind::Password, auth: SecretHex([9; 32]) };
    let request = PasswordRequest { current: wrong(), ..home.alice.next_password([5; 32]) };
    let refused = home.server.put(PASSWORD, &home.session, &request).await;
    refused.refuses(ProblemKind::WrongCredentials);
    let mut request = home.alice.next_keys("alice@example.com", None);
    request.current = wrong();
    let refused = home.server.put("/v1/account/keys", &home.session, &request).await;
    refused.refuses(ProblemKind::WrongCredentials);
    let request = RecoveryRequest {
        current: wrong(),
        recovery: home.alice.document.recovery.clone(),
        recovery_auth: SecretHex([6; 32]),
    };
    let refused = home.server.put("/v1/account/recovery", &home.session, &request).await;
    refused.refuses(ProblemKind::WrongCredentials);
    let request = DeleteRequest { current: wrong() };
    let delete = home.server.call(Method::POST, "/v1/account/delete").session(&home.session);
    delete.json(&request).send().await.refuses(ProblemKind::WrongCredentials);
    // The fifth guess is the last.
    let request = PasswordRequest { current: wrong(), ..home.alice.next_password([5; 32]) };
    let refused = home.server.put(PASSWORD, &home.session, &request).await;
    refused.refuses(ProblemKind::WrongCredentials);
    let request = home.alice.next_password([5; 32]);
    let refused = home.server.put(PASSWORD, &home.session, &request).await;
    refused.refuses(ProblemKind::TooManyFailures);
}

#[tokio::test]
async fn only_the_next_version_is_taken() {
    let home = Home::new().await;
    let current = home.alice.document.password.version;
    for version in [current, current + 2, u32::MAX] {
        let mut request = home.alice.next_password([5; 32]);
        request.password.version = version;
        let answer = home.server.put(PASSWORD, &home.session, &request).await;
        answer.refuses(ProblemKind::VersionConflict);
        assert_eq!(answer.problem().current_version, Some(current.into()));
    }
    let mut request = home.alice.next_keys("alice@example.com", None);
    request.keys.version += 1;
    let answer = home.server.put("/v1/account/keys", &home.session, &request).await;
    answer.refuses(ProblemKind::VersionConflict);
    let mut request = home.alice.next_keys("alice@example.com", None);
    request.bundle = (&home.alice.bundle(home.alice.id, "alice@example.com", 7)).into();
    let answer = home.server.put("/v1/account/keys", &home.session, &request).await;
    answer.refuses(ProblemKind::VersionConflict);
}

#[tokio::test]
async fn a_new_recovery_key_takes_the_place_of_the_old_one() {
    let home = Home::new().await;
    let request = home.alice.next_recovery([6; 32]);
    home.server.put("/v1/account/recovery", &home.session, &request).await.expect(204);
    // Of two computers that make one at the same time, one does.
    let again = home.server.put("/v1/account/recovery", &home.session, &request).await;
    again.refuses(ProblemKind::VersionConflict);
    assert_eq!(again.problem().current_version, Some(request.recovery.version()));
    let started = home.server.begin(&home.alice).await;
    let device = Device::new("new");
    let old = home.alice.verify(&device, &started, CredentialKind::Recovery, home.alice.recovery_auth);
    home.server.post("/v1/login/verify", &old).await.refuses(ProblemKind::WrongCredentials);
    let new = home.alice.verify(&device, &started, CredentialKind::Recovery, [6; 32]);
    home.server.post("/v1/login/verify", &new).await.expect(200);
}

#[tokio::test]
async fn an_account_moves_to_another_address_and_keeps_its_history() {
    let home = Home::new().await;
    let bob = Persona::other("bob@example.com");
    home.server.register(&bob).await;
    let taken = home.alice.next_keys("bob@example.com", None);
    let answer = home.server.put("/v1/account/keys", &home.session, &taken).await;
    answer.refuses(ProblemKind::LoginTaken);
    let address = AddressRequest { login: "bob@example.com".into() };
    let ask = home.server.call(Method::POST, "/v1/account/address").session(&home.session);
    ask.json(&address).send().await.refuses(ProblemKind::LoginTaken);

    home.world.clock.advance(5);
    let request = home.alice.next_keys("alice@example.org", None);
    home.server.put("/v1/account/keys", &home.session, &request).await.expect(204);
    home.server.get("/v1/users/alice@example.com", &home.session).await.refuses(ProblemKind::UserUnknown);
    let found: UserReport = home.server.get("/v1/users/Alice%40example.org", &home.session).await.json();
    assert_eq!(found.bundle.bundle, request.bundle.bundle);
    let path = "/v1/users/alice@example.org/history";
    let history: KeyHistory = home.server.get(path, &home.session).await.json();
    let bundles: Vec<_> =
        history.bundles.iter().map(|b| (b.bundle.bundle.clone(), b.published_at_s)).collect();
    let first = home.alice.document.bundle.bundle.clone();
    assert_eq!(bundles, [(first, 1_900_000_000), (request.bundle.bundle.clone(), 1_900_000_005)]);
    // The old address is free again.
    home.server.register(&Persona::other("alice@example.com")).await;
}

#[tokio::test]
async fn a_history_is_read_from_where_it_is_known_and_in_parts() {
    let home = Home::new().await;
    let mut tx = home.server.state.db.write().await.unwrap();
    for sequence in 2..=250 {
        let copy = "INSERT INTO bundles SELECT account, $2, bundle, signature, $2 FROM bundles \
                    WHERE account = $1 AND sequence = 1";
        let copy = sqlx::query(copy).bind(home.alice.id.to_string()).bind(sequence);
        copy.execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ask = async |query: &str| {
        let path = format!("/v1/users/alice@example.com/history{query}");
        home.server.get(&path, &home.session).await
    };
    for (query, expected) in [
        ("", 1..101),
        ("?after=0", 1..101),
        ("?after=1", 2..102),
        ("?after=100", 101..201),
        ("?after=200", 201..251),
        ("?after=250", 0..0),
        ("?after=18446744073709551615", 0..0),
    ] {
        let history: KeyHistory = ask(query).await.json();
        let sequences = history.bundles.iter().map(|bundle| match bundle.published_at_s {
            NOW_S => 1,
            copied => copied,
        });
        assert!(sequences.eq(expected.clone()), "{query}: {expected:?}");
    }
    for malformed in ["?after=", "?after=-1", "?after=x", "?after=1&after=2", "?after=18446744073709551616"] {
        ask(malformed).await.refuses(ProblemKind::RequestMalformed);
    }
}

#[tokio::test]
async fn keys_of_another_identity_or_account_are_refused() {
    let home = Home::new().await;
    let thief = Persona::other("alice@example.com");
    for bundle in [
        thief.bundle(home.alice.id, "alice@example.com", 2),
        home.alice.bundle(thief.id, "alice@example.com", 2),
    ] {
        let mut request = home.alice.next_keys("alice@example.com", None);
        request.bundle = (&bundle).into();
        let answer = home.server.put("/v1/account/keys", &home.session, &request).await;
        answer.refuses(ProblemKind::BlobRefused);
    }
}

#[tokio::test]
async fn the_state_is_compared_and_swapped() {
    let home = Home::new().await;
    home.server.get(STATE, &home.session).await.refuses(ProblemKind::NotFound);
    for version in [2, 7] {
        let answer = home.server.put(STATE, &home.session, &state(version, 1)).await;
        answer.refuses(ProblemKind::VersionConflict);
        assert_eq!(answer.problem().current_version, Some(0));
    }
    // No state has these.
    for version in [0, u64::MAX] {
        let answer = home.server.put(STATE, &home.session, &state(version, 1)).await;
        answer.refuses(ProblemKind::BlobRefused);
    }
    home.server.put(STATE, &home.session, &state(1, 1)).await.expect(204);
    let answer = home.server.put(STATE, &home.session, &state(1, 2)).await;
    assert_eq!(answer.problem().current_version, Some(1));
    home.server.put(STATE, &home.session, &state(2, 3)).await.expect(204);
    let found: StateDocument = home.server.get(STATE, &home.session).await.json();
    assert_eq!((found.version, found.sealed), (2, HexBytes(vec![3; 72])));
    let report: AccountReport = home.server.get("/v1/account", &home.session).await.json();
    assert_eq!(report.account.state.unwrap().version, 2);
}

#[tokio::test]
async fn the_largest_state_passes_and_a_larger_one_does_not() {
    let home = Home::new().await;
    let mut largest = state(1, 7);
    largest.sealed.0.resize(1024 * 1024, 7);
    home.server.put(STATE, &home.session, &largest).await.expect(204);
    largest.sealed.0.push(7);
    largest.version = 2;
    home.server.put(STATE, &home.session, &largest).await.refuses(ProblemKind::ValueRefused);
    largest.sealed.0.resize(1024 * 1024 + 40_000, 7);
    home.server.put(STATE, &home.session, &largest).await.refuses(ProblemKind::BodyTooLarge);
}

#[tokio::test]
async fn the_profile_is_what_others_read() {
    let home = Home::new().await;
    for (name, expected) in [(Some("Alice A."), Some("Alice A.")), (None, None)] {
        let request = ProfileRequest { display_name: name.map(str::to_owned) };
        home.server.put("/v1/account/profile", &home.session, &request).await.expect(204);
        let found: UserReport = home.server.get("/v1/users/alice@example.com", &home.session).await.json();
        assert_eq!(found.display_name.as_deref(), expected);
    }
    let request = ProfileRequest { display_name: Some("x".repeat(129)) };
    let answer = home.server.put("/v1/account/profile", &home.session, &request).await;
    answer.refuses(ProblemKind::ValueRefused);
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let home = Home::new().await;
    home.server.put(STATE, &home.session, &state(1, 1)).await.expect(204);
    let request = DeleteRequest { current: home.alice.credential() };
    let delete = home.server.call(Method::POST, "/v1/account/delete").session(&home.session);
    delete.json(&request).send().await.expect(204);
    home.server.get("/v1/account", &home.session).await.refuses(ProblemKind::SessionRefused);
    let guess = home.server.guess(&home.alice, &home.laptop, home.alice.password_auth, HOME).await;
    guess.refuses(ProblemKind::WrongCredentials);
    for table in ["accounts", "bundles", "devices", "logins", "codes"] {
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let left: i64 = sqlx::query_scalar(count).fetch_one(home.server.state.db.reader()).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
    // The same account may come again.
    home.server.register(&home.alice).await;
}

#[tokio::test]
async fn an_export_holds_everything_but_verifiers_and_tokens() {
    let home = Home::new().await;
    home.server.put(STATE, &home.session, &state(1, 1)).await.expect(204);
    home.world.clock.advance(5);
    let phone = Device::new("phone");
    let gone = home.server.login(&home.alice, &phone).await;
    home.world.clock.advance(5);
    home.server.call(Method::DELETE, "/v1/session").session(&gone).send().await.expect(204);
    let answer = home.server.get("/v1/account/export", &home.session).await;
    let export: AccountExport = answer.json();
    assert_eq!((export.devices.len(), export.history.len()), (2, 1));
    let [laptop, ended] = &export.devices[..] else { panic!("two devices") };
    assert!(laptop.is_this && laptop.ended_at_s.is_none() && laptop.device == home.laptop.id);
    assert_eq!((ended.name.as_str(), ended.public_key), ("phone", phone.document().public_key));
    let at_s = |s| NOW_S + s;
    assert_eq!((ended.created_at_s, ended.seen_at_s, ended.ended_at_s), (at_s(5), at_s(5), Some(at_s(10))));
    assert!(export.account.account.state.is_some());
    let text = String::from_utf8(answer.body).unwrap();
    let row: (String, String, String, String) = sqlx::query_as(
        "SELECT a.password_verifier, a.recovery_verifier, d.access_hash, d.refresh_hash \
         FROM accounts a JOIN devices d ON d.account = a.account WHERE d.revoked_at IS NULL",
    )
    .fetch_one(home.server.state.db.reader())
    .await
    .unwrap();
    for secret in [row.0, row.1, row.2, row.3, hex::encode(home.session.access.0)] {
        assert!(secret.len() == 64 && !text.contains(&secret));
    }
}
