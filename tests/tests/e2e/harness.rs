//! The parts that other tests are made of: they must work by themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ensafer_tests::certificate::Certificate;
use ensafer_tests::device::text;
use ensafer_tests::{Database, Exim, KeyServer, ServerOptions, Storage, World, exim, postgres, process};

#[test]
fn every_test_has_a_database_of_its_own() {
    let Some(cluster) = postgres::cluster() else { return };
    let (one, other) = (Database::create(&cluster), Database::create(&cluster));
    assert_eq!(one.query("CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (7); SELECT x FROM t"), "7\n");
    let count = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(other.query(count), "0\n");
    assert!(one.dump().contains("CREATE TABLE public.t"));
    let (url, left) = (one.url.clone(), other);
    drop(one);
    let gone = process::run(Command::new("psql").args(["-X", "-d", &url, "-c", "SELECT 1"]));
    assert_ne!(gone.code, 0, "{gone}");
    drop(left);
}

#[test]
fn exim_takes_mail_over_tls_from_who_knows_the_password() {
    let Some(exim) = Exim::start() else { return };
    let world = World::new();
    let mail = world.path("mail");
    fs::write(&mail, "To: alice@example.com\nSubject: Hello\n\nThe text\n").unwrap();
    let send = |url: &str, password: &str, more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--url", url, "--mail-from", "server@example.com"])
            .args(["--mail-rcpt", "alice@example.com", "--upload-file", text(&mail)])
            .args(["--cacert", text(&exim.ca_file), "--user", &format!("{}:{password}", exim::USER)])
            .args(["--noproxy", "*"])
            .args(more);
        process::run(&mut curl).code
    };
    let starttls = format!("smtp://localhost:{}", exim.port);
    let smtps = format!("smtps://localhost:{}", exim.tls_port);
    // 67 of curl(1): the login was denied.
    assert_eq!(send(&starttls, "wrong", &["--ssl-reqd"]), 67, "{}", exim.log());
    assert_ne!(send(&starttls, exim::PASSWORD, &[]), 0, "no password is taken before TLS: {}", exim.log());
    assert_eq!(exim.mails(), []);
    assert_eq!(send(&starttls, exim::PASSWORD, &["--ssl-reqd"]), 0, "{}", exim.log());
    assert_eq!(send(&smtps, exim::PASSWORD, &[]), 0, "{}", exim.log());
    let mails = exim.wait_for_mails(2);
    assert!(mails.iter().all(|mail| mail.subject == "Hello" && mail.text.contains("The text")), "{mails:?}");
    let _ = exim.wait_for_mail("alice@example.com", "Hello");
}

#[test]
fn a_key_server_starts_again_where_it_was() {
    let world = World::new();
    let mut server = KeyServer::start(&world);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    let url = server.url.clone();
    assert!(answer(&server, &[]).contains("\"registration\":\"open\""));
    server.restart();
    assert_eq!(server.url, url);
    let _ = answer(&server, &[]);
    server.kill();
    server.listen(url.strip_prefix("http://").unwrap());
    let _ = answer(&server, &[]);
    server.run(&["user", "list"]).expect(0);
    server.stop().expect(0);
    assert!(server.data.join("server.db").exists());
}

#[test]
fn two_key_servers_share_a_database() {
    let Some(cluster) = postgres::cluster() else { return };
    let (world, database) = (World::new(), Database::create(&cluster));
    let secret_file = world.path("secret");
    fs::write(&secret_file, "5a".repeat(32)).unwrap();
    fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
    let options = || ServerOptions {
        storage: Storage::Postgres { url: database.url.clone(), secret_file: secret_file.clone() },
        ..ServerOptions::default()
    };
    let (one, other) = (KeyServer::start_with(&world, options()), KeyServer::start_with(&world, options()));
    assert_ne!(one.url, other.url);
    let (_, _) = (answer(&one, &[]), answer(&other, &[]));
    assert_eq!(database.query("SELECT COUNT(*) FROM accounts"), "0\n");
}

#[test]
fn a_key_server_speaks_tls() {
    let world = World::new();
    let tls = Certificate::make(&world.directory("tls"));
    let server = KeyServer::start_with(
        &world,
        ServerOptions {
            tls: Some(tls.clone()),
            config: "name = \"Keys\"\n".into(),
            ..ServerOptions::default()
        },
    );
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let _ = answer(&server, &["--cacert", text(&tls.certificate)]);
}

/// What `GET /v1/server` answers.
#[track_caller]
fn answer(server: &KeyServer, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
    process::run(curl.arg(format!("{}/v1/server", server.url))).expect(0).stdout
}

/// The load generator registers and logs in by the whole protocol, apart from the client.
#[test]
fn an_account_is_registered_and_logs_in_by_the_protocol() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let load = process::target_directory().join("ensafer-load");
    let session = process::run(Command::new(load).args(["session", &server.url])).expect(0).stdout;
    let (token, login) = session.trim_end().split_once('\t').unwrap();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "--oauth2-bearer", token]);
    let account = process::run(curl.arg(format!("{}/v1/users/{login}", server.url))).expect(0).json();
    assert!(account["bundle"]["bundle"].is_string(), "{account}");
    assert!(!server.log().contains(token) && !server.log().contains(login), "{}", server.log());
}

#[test]
fn mails_of_a_key_server_arrive() {
    let Some(exim) = Exim::start() else { return };
    let world = World::new();
    for (security, port) in [("starttls", exim.port), ("tls", exim.tls_port)] {
        let config = exim.mail_settings(security, port);
        let server = KeyServer::start_with(&world, ServerOptions { config, ..ServerOptions::default() });
        server.run(&["config", "check"]).expect(0);
        // It gives up where the address has to be confirmed: the code is in the mail.
        let load = process::target_directory().join("ensafer-load");
        process::run(Command::new(load).args(["session", &server.url])).expect(1).expect_says("confirmed");
    }
    let mails = exim.wait_for_mails(2);
    for mail in &mails {
        assert!(mail.to.ends_with("@example.com"), "{mail:?}");
        assert!(!mail.subject.is_empty() && !mail.text.is_empty() && mail.html.contains("<"), "{mail:?}");
    }
    fs::write(&exim.password_file, "wrong\n").unwrap();
    let config = exim.mail_settings("starttls", exim.port);
    let server = KeyServer::new(&world, ServerOptions { config, ..ServerOptions::default() });
    server.run(&["config", "check"]).expect(1).expect_says("mail");
}
