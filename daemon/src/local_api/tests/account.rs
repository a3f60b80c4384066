//! The account: made, opened, recovered, carried to another computer.

use super::*;

#[test]
fn an_account_is_made_locked_opened_and_recovered() {
    let served = serve();
    assert_eq!(get(&served, "/v1/account")["state"], "none");

    let weak = json!({"email": "alice@example.com", "password": "alice1"});
    assert_eq!(refused(&served, "/v1/account/register", &weak), (400, "weak-password".into()));
    let nameless = json!({"email": "", "password": GOOD, "server": "http://127.0.0.1:1"});
    assert_eq!(refused(&served, "/v1/account/register", &nameless), (400, "bad-request".into()));
    assert_eq!(get(&served, "/v1/account")["state"], "none", "nothing was made");

    let made =
        post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let recovery_key = made["recovery_key"].as_str().unwrap();
    assert!(recovery_key.len() > 20 && made.get("account_key").is_none(), "{made}");
    assert_eq!(made["account"]["state"], "open");
    let account = get(&served, "/v1/account");
    assert_eq!((&account["email"], &account["state"]), (&json!("alice@example.com"), &json!("open")));
    assert!(!account.to_string().contains(recovery_key), "it is shown once");
    let reminds = |report: &serde_json::Value| {
        let notices = report["notices"].as_array().into_iter().flatten();
        notices.map(|notice| &notice["kind"]).any(|kind| kind == "recovery-key-unwritten")
    };
    assert!(reminds(&made["account"]) && reminds(&account), "{account}");
    assert!(!reminds(&post(&served, "/v1/account/recovery-key/written", &json!(null))));
    assert!(!reminds(&get(&served, "/v1/account")));
    let again = json!({"email": "alice@example.com", "password": GOOD});
    assert_eq!(refused(&served, "/v1/account/register", &again), (409, "already".into()));

    let shown = post(&served, "/v1/account/recovery-key", &json!({"password": GOOD}));
    assert_eq!(shown["recovery_key"], recovery_key);
    let wrong = json!({"password": "something else entirely"});
    assert_eq!(refused(&served, "/v1/account/recovery-key", &wrong), (403, "wrong-password".into()));

    post(&served, "/v1/lock", &json!(null));
    assert_eq!(get(&served, "/v1/account")["state"], "locked");
    assert_eq!(refused(&served, "/v1/account/logout", &json!({})), (409, "not-on-server".into()));

    let new = "zuppa inglese per undici";
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    for (body, class) in [
        (change("something else entirely", new), "wrong-password"),
        (change(GOOD, "alice1"), "weak-password"),
    ] {
        assert_eq!(refused(&served, "/v1/account/password", &body).1, class);
    }
    let newer = "grass tulip anchor lantern";
    assert_eq!(post(&served, "/v1/account/password", &change(GOOD, newer))["state"], "open");
    assert_eq!(refused(&served, "/v1/account/recovery-key", &json!({"password": GOOD})).1, "wrong-password");
    let email = |email: &str, password: &str| json!({"email": email, "password": password});
    for (body, class) in
        [(email("al@example.com", GOOD), "wrong-password"), (email("", newer), "bad-request")]
    {
        assert_eq!(refused(&served, "/v1/account/email", &body).1, class);
    }
    assert_eq!(
        post(&served, "/v1/account/email", &email("al@example.com", newer))["email"],
        "al@example.com"
    );
    for path in ["/v1/account/devices", "/v1/account/profile"] {
        let (code, answer) = ask(&served, "GET", path, &json!(null));
        assert_eq!((code, &answer["class"]), (409, &json!("not-on-server")), "{path}");
    }
    assert_eq!(
        refused(&served, "/v1/account/profile", &json!({"name": "Al"})),
        (409, "not-on-server".into())
    );
    assert_eq!(
        refused(&served, "/v1/account/devices/revoke", &json!({"device": "07".repeat(16)})).1,
        "not-on-server"
    );
    post(&served, "/v1/lock", &json!(null));
    let foreign = "0".repeat(recovery_key.len());
    let wrong = json!({"recovery_key": foreign, "password": new});
    assert_eq!(refused(&served, "/v1/account/recover", &wrong), (403, "wrong-recovery-key".into()));
    let weak = json!({"recovery_key": recovery_key, "password": "alice1"});
    assert_eq!(refused(&served, "/v1/account/recover", &weak), (400, "weak-password".into()));
    let right = json!({"recovery_key": recovery_key, "password": new});
    assert_eq!(post(&served, "/v1/account/recover", &right)["state"], "open");
    let shown = post(&served, "/v1/account/recovery-key", &json!({"password": new}));
    assert_eq!(shown["recovery_key"], recovery_key);
    served.end();
}

#[test]
fn a_new_recovery_key_takes_the_place_of_the_old_one() {
    let served = serve();
    let made =
        post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let old = &made["recovery_key"];
    let shown =
        || post(&served, "/v1/account/recovery-key", &json!({"password": GOOD}))["recovery_key"].clone();
    let wrong = json!({"password": "something else entirely"});
    assert_eq!(refused(&served, "/v1/account/recovery-key/new", &wrong), (403, "wrong-password".into()));
    assert_eq!(shown(), *old, "the old one stays");

    let replaced = post(&served, "/v1/account/recovery-key/new", &json!({"password": GOOD}));
    let notices = get(&served, "/v1/account")["notices"].to_string();
    assert!(notices.contains("recovery-key-unwritten"), "{notices}");
    let new = &replaced["recovery_key"];
    assert!(new != old && replaced.get("unsettled").is_none(), "{replaced}");
    assert_eq!(shown(), *new);
    let recover =
        |key: &serde_json::Value| json!({"recovery_key": key, "password": "zuppa inglese per undici"});
    assert_eq!(refused(&served, "/v1/account/recover", &recover(old)), (403, "wrong-recovery-key".into()));
    assert_eq!(post(&served, "/v1/account/recover", &recover(new))["state"], "open");
    served.end();
}

#[test]
fn a_file_carries_an_account_to_another_computer() {
    let first = serve();
    let made = post(&first, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let file = get(&first, "/v1/account/file")["file"].clone();
    first.end();

    let second = serve();
    let (code, nothing) = ask(&second, "GET", "/v1/account/file", &serde_json::Value::Null);
    assert_eq!((code, &nothing["class"]), (409, &json!("not-set-up")));
    for (wrong, expected) in [
        (json!({"file": "00", "password": GOOD}), (400, "bad-request")),
        (json!({"file": file, "password": "another one altogether"}), (403, "wrong-password")),
        (json!({"file": file, "password": GOOD, "account_key": "x"}), (400, "bad-request")),
        (
            json!({"file": file, "password": GOOD, "recovery_key": "0".repeat(34)}),
            (403, "wrong-recovery-key"),
        ),
        (
            json!({"file": file, "password": "alice1", "recovery_key": made["recovery_key"]}),
            (400, "weak-password"),
        ),
    ] {
        assert_eq!(
            refused(&second, "/v1/account/import", &wrong),
            (expected.0, expected.1.to_owned()),
            "{wrong}"
        );
        assert_eq!(get(&second, "/v1/account")["state"], "none", "nothing was made");
    }
    let taken = post(&second, "/v1/account/import", &json!({"file": file, "password": GOOD}));
    assert_eq!((&taken["state"], &taken["email"]), (&json!("open"), &json!("alice@example.com")));
    assert_eq!(taken["fingerprint"], made["account"]["fingerprint"]);
    let again = json!({"file": file, "password": GOOD});
    assert_eq!(refused(&second, "/v1/account/import", &again), (409, "already".into()));
    second.end();

    let third = serve();
    let new = "zuppa inglese per undici";
    let lost = json!({"file": file, "password": new, "recovery_key": made["recovery_key"]});
    assert_eq!(post(&third, "/v1/account/import", &lost)["state"], "open");
    let shown = post(&third, "/v1/account/recovery-key", &json!({"password": new}));
    assert_eq!(shown["recovery_key"], made["recovery_key"]);
    third.end();
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_behind() {
    let served = serve();
    // Nobody listens on port 1 of this computer.
    let server = "http://127.0.0.1:1";
    let new = json!({"email": "alice@example.com", "password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/register", &new), (502, "server-unreachable".into()));
    let known = json!({"email": "alice@example.com", "password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/login", &known), (502, "server-unreachable".into()));
    let half = json!({"password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/login", &half), (400, "bad-request".into()));
    let key = json!({"email": "a@b.example", "server": server, "password": GOOD, "account_key": "no key"});
    assert_eq!(refused(&served, "/v1/account/login", &key), (400, "bad-request".into()));
    assert_eq!(get(&served, "/v1/account")["state"], "none");
    served.end();
}
