//! The administrator's verbs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use ensafer_server::db::Db;

use crate::process::{Server, answer, answer_and_log, refusal, run};

/// Alice's account.
const ALICE: [u8; 16] = *b"one that is hers";

/// An account as the administrator's verbs see it; its keys are not looked at.
async fn add_account(data: &Path, login: &str, status: &str) {
    let db = Db::connect(&format!("sqlite://{}/server.db", data.display())).await.unwrap();
    let columns = "account, login, status, created_at, bundle, bundle_signature, bundle_sequence, login_key, \
        fingerprint, keys_version, keys_sealed, password_version, password_realm, password_nonce, \
        password_iterations, password_sealed, password_verifier, recovery_id, recovery_sealed, recovery_copy, \
        recovery_verifier, state_version";
    let values = "$1, $2, $3, 1700000000, '', '', 1, '', '', 1, '', 1, '', '', 1, '', '', '', '', '', '', 0";
    let text = format!("INSERT INTO accounts ({columns}) VALUES ({values})");
    let mut tx = db.write().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(hex::encode(if login.starts_with("alice") { ALICE } else { *b"somebody else's " }))
        .bind(login)
        .bind(status)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

fn status_of(data: &str, login: &str) -> String {
    let users: serde_json::Value =
        serde_json::from_str(&answer(&["user", "list", "--json", "--data", data])).unwrap();
    let user = users.as_array().unwrap().iter().find(|user| user["login"] == login).unwrap();
    user["status"].as_str().unwrap().to_owned()
}

/// Alice's account is named by its id, like in the server's log, and never by its login.
#[track_caller]
fn is_audited(log: &str, event: &str) {
    let id = hex::encode(ALICE);
    assert!(log.contains(" audit: ") && log.contains(event) && log.contains(&id), "{log}");
    assert!(log.contains("administrator") && !log.to_lowercase().contains("alice"), "{log}");
}

#[tokio::test]
async fn lists_disables_and_enables() {
    let server = Server::start(&[]);
    let data = server.data().to_str().unwrap().to_owned();
    assert_eq!(answer(&["user", "list", "--json", "--data", &data]), "[]\n");
    add_account(&server.data(), "alice@example.com", "active").await;
    let table = answer(&["user", "list", "--data", &data]);
    assert!(
        table.starts_with("LOGIN ")
            && table.contains("alice@example.com  active             0  2023-11-14  never"),
        "{table}"
    );
    let (words, log) = answer_and_log(&["user", "disable", "ALICE@example.com", "--data", &data]);
    assert!(words.contains("disabled"));
    is_audited(&log, "account-disabled");
    assert_eq!(status_of(&data, "alice@example.com"), "disabled");
    let (_, log) = answer_and_log(&["user", "enable", "alice@example.com", "--data", &data]);
    is_audited(&log, "account-enabled");
    assert_eq!(status_of(&data, "alice@example.com"), "active");
    assert!(
        refusal(&["user", "disable", "bob@example.com", "--data", &data])
            .contains("no account bob@example.com")
    );
    assert!(refusal(&["user", "disable", "a b", "--data", &data]).contains("no login"));
    server.end();
}

#[tokio::test]
async fn deletes_after_asking() {
    let server = Server::start(&[]);
    let data = server.data().to_str().unwrap().to_owned();
    add_account(&server.data(), "alice@example.com", "disabled").await;
    let delete = |typed: &str| {
        let mut command = crate::process::command();
        command.args(["user", "delete", "alice@example.com", "--data", &data]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for not_its_login in ["", "yes\n", "bob@example.com\n"] {
        let (code, words) = delete(not_its_login);
        assert!(code == Some(1) && words.contains("nothing was deleted"), "{words}");
    }
    assert_eq!(status_of(&data, "alice@example.com"), "disabled");
    let (code, words) = delete("alice@example.com\n");
    assert!(code == Some(0) && words.contains("deleted"), "{words}");
    assert_eq!(answer(&["user", "list", "--json", "--data", &data]), "[]\n");
    add_account(&server.data(), "alice@example.com", "disabled").await;
    let (words, log) = answer_and_log(&["user", "delete", "-y", "Alice@example.com", "--data", &data]);
    assert!(words.contains("deleted"));
    is_audited(&log, "account-deleted");
    assert_eq!(answer(&["user", "list", "--json", "--data", &data]), "[]\n");
    assert!(refusal(&["user", "delete", "-y", "alice@example.com", "--data", &data]).contains("no account"));
    server.end();
}

#[tokio::test]
async fn a_backup_put_back_is_the_database() {
    let server = Server::start(&[]);
    let (data, path) = (server.data(), server.path().to_path_buf());
    let [data_text, copy] = [&data, &path.join("copy.db")].map(|path| path.to_str().unwrap().to_owned());
    add_account(&data, "alice@example.com", "active").await;
    answer(&["backup", &copy, "--data", &data_text]);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(refusal(&["backup", &copy, "--data", &data_text]).contains("File exists"), "never over another");
    add_account(&data, "late@example.com", "active").await;
    let restored = path.join("restored");
    fs::create_dir(&restored).unwrap();
    fs::copy(&copy, restored.join("server.db")).unwrap();
    fs::copy(data.join("server.secret"), restored.join("server.secret")).unwrap();
    let restored_text = restored.to_str().unwrap();
    let list = answer(&["user", "list", "--data", restored_text]);
    assert!(list.contains("alice@example.com") && !list.contains("late@example.com"), "{list}");
    let second = Server::start_with(&[], |command| {
        command.env("ENSAFER_SERVER_DATA", "overridden by --data");
        command.arg("--set").arg(format!("server.data={restored_text}"));
    });
    assert_eq!(crate::http::get(second.address(), "/readyz").status, 200);
    second.end();
    server.end();
}

/// A server that made a new secret beside old accounts would refuse everybody's password, and look well.
#[tokio::test]
async fn a_database_is_not_served_without_its_secret() {
    let server = Server::start(&[]);
    let data = server.data();
    add_account(&data, "alice@example.com", "active").await;
    let path = server.path().to_path_buf();
    let (secret, moved) = (data.join("server.secret"), path.join("moved"));
    fs::create_dir(&moved).unwrap();
    answer(&["backup", moved.join("server.db").to_str().unwrap(), "--data", data.to_str().unwrap()]);
    let moved_text = moved.to_str().unwrap();
    let check = || {
        let output = run(&["config", "check", "--data", moved_text]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", moved_text];

    let words = refusal(&serve);
    assert!(words.contains("has accounts") && words.contains("moved/server.secret is missing"), "{words}");
    let (code, text) = check();
    assert!(code == Some(1) && text.contains("FAIL  secret: ") && text.contains("is missing"), "{text}");
    assert!(!moved.join("server.secret").exists(), "made by neither");

    fs::write(moved.join("server.secret"), "ab".repeat(32)).unwrap();
    fs::set_permissions(moved.join("server.secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let words = refusal(&serve);
    assert!(words.contains("belongs to another secret"), "{words}");
    let (code, text) = check();
    assert!(code == Some(1) && text.contains("FAIL  secret: the database belongs to another"), "{text}");

    fs::copy(secret, moved.join("server.secret")).unwrap();
    let (code, text) = check();
    assert_eq!(code, Some(0), "{text}");
    Server::start(&["--set", &format!("server.data={moved_text}")]).end();
    server.end();
}

#[tokio::test]
async fn prune_removes_what_nobody_confirmed() {
    let server = Server::start(&[]);
    let data = server.data();
    add_account(&data, "alice@example.com", "active").await;
    add_account(&data, "never@example.com", "unconfirmed").await;
    let data = data.to_str().unwrap();
    let removed = answer(&["prune", "--data", data]);
    assert!(removed.starts_with("removed: unconfirmed accounts "), "{removed}");
    let list = answer(&["user", "list", "--data", data]);
    assert!(list.contains("alice@example.com") && !list.contains("never@example.com"), "{list}");
    server.end();
}

#[test]
fn verbs_make_no_database_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for verb in [&["user", "list"][..], &["prune"], &["backup", "/tmp/never"]] {
        let words = refusal(&[verb, &["--data", data]].concat());
        assert!(words.contains("server.db"), "{words}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// What systemd hands to the service alone is not there for the administrator, who does not need it either.
#[tokio::test]
async fn the_administrators_verbs_need_no_secrets() {
    let server = Server::start(&[]);
    let data = server.data();
    add_account(&data, "alice@example.com", "active").await;
    let data = data.to_str().unwrap();
    let file = server.path().join("server.toml");
    let credentials = "/run/credentials/none.service";
    let settings = format!(
        "[server]\nsecret_file = \"{credentials}/secret\"\n\
         [registration]\nmode = \"code\"\ncode_file = \"{credentials}/codes\"\n"
    );
    fs::write(&file, settings).unwrap();
    let settings = ["--config", file.to_str().unwrap(), "--data", data];
    let list = answer(&[&["user", "list"][..], &settings].concat());
    assert!(list.contains("alice@example.com"), "{list}");
    answer(&[&["user", "disable", "alice@example.com"][..], &settings].concat());
    answer(&[&["prune"][..], &settings].concat());
    answer(&[&["config", "show"][..], &settings].concat());
    assert!(refusal(&[&["serve"][..], &settings].concat()).contains("none.service/codes"));
    server.end();
}

#[test]
fn settings_are_shown_as_they_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.toml");
    fs::write(&file, "name = \"From the file\"\n[server]\ndata = \"/file\"\n").unwrap();
    let mut command = crate::process::command();
    command.args(["config", "show", "--data", "/flag", "--set", "mail.port=25"]);
    command.env("ENSAFER_SERVER_CONFIG", &file).env("ENSAFER_SERVER_DATA", "/environment");
    let output = command.env("ENSAFER_SERVER_LOG__FORMAT", "json").output().unwrap();
    let shown: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    assert_eq!(shown["name"].as_str(), Some("From the file"));
    assert_eq!(shown["server"]["data"].as_str(), Some("/flag"));
    assert_eq!(shown["mail"]["port"].as_integer(), Some(25));
    assert_eq!(shown["log"]["format"].as_str(), Some("json"));
}
