//! The parts that other tests are made of: they must work by themselves.

use std::process::Command;

use ensafer_tests::device::text;
use ensafer_tests::{Database, Exim, World, exim, postgres, process};

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
    std::fs::write(&mail, "To: alice@example.com\nSubject: Hello\n\nThe text\n").unwrap();
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
