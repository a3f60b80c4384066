//! Starting and ending.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::process::Signal;

use crate::http;
use crate::process::{Server, refusal};

#[test]
fn prints_one_line_and_ends_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(&[]);
        assert_eq!(server.line, format!("listening on http://127.0.0.1:{}\n", server.address().port()));
        assert_eq!(http::get(server.address(), "/healthz").status, 200);
        assert_eq!(http::get(server.address(), "/readyz").status, 200);
        server.signal(signal);
        let (status, rest, log) = server.wait();
        assert!(status.success() && rest.is_empty(), "{status}: {rest}");
        // That the machine's disk is slow is true on some.
        let mut complaints = log.lines().filter(|line| !line.contains("slow statement"));
        assert!(complaints.all(|line| !line.contains("WARN") && !line.contains("ERROR")), "{log}");
    }
}

#[test]
fn finishes_what_it_began_before_it_ends() {
    let mut server = Server::start(&[]);
    let mut stream = http::hang(server.address(), 2);
    server.signal(Signal::TERM);
    server.wait_for("ending");
    stream.write_all(b"{}").unwrap();
    assert_eq!(http::read(&mut stream).unwrap().problem(), "body-malformed");
    assert!(server.wait().0.success());
}

#[test]
fn does_not_wait_for_ever_for_a_request() {
    let mut server = Server::start(&["--set", "server.shutdown_s=1"]);
    let mut stream = http::hang(server.address(), 2);
    server.signal(Signal::TERM);
    let error = http::read(&mut stream).unwrap_err();
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "cut off, not left");
    server.wait_for("ending");
    assert!(server.wait().0.success());
}

#[test]
fn keeps_what_it_has_to_its_owner() {
    let server = Server::start(&[]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&server.data()), 0o700);
    for name in ["server.db", "server.secret"] {
        assert_eq!(mode(&server.data().join(name)), 0o600, "{name}");
    }
    // What cannot be dumped belongs to root in /proc, whoever runs it (prctl(2), PR_SET_DUMPABLE).
    let environment = format!("/proc/{}/environ", server.id());
    assert_eq!(fs::metadata(environment).unwrap().uid(), 0);
    server.end();
}

#[test]
fn what_cannot_be_served_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let words = refusal(&["serve", "--database", "postgres://127.0.0.1:1/x"]);
    assert!(words.contains("--secret-file") && words.contains("openssl rand -hex 32"), "{words}");
    let words = refusal(&["serve"]);
    assert!(words.contains("--data") && words.contains("--database"), "{words}");
    let words = refusal(&["serve", "--data", data, "--listen", "0.0.0.0:0"]);
    assert!(words.contains("TLS") && words.contains("behind_proxy"), "{words}");
    let words = refusal(&["serve", "--data", data, "--tls-cert", "/nope", "--tls-key", "/nope"]);
    assert!(words.contains("cannot read /nope"), "{words}");
    let words = refusal(&["serve", "--data", data, "--set", "nope=1"]);
    assert!(words.contains("no setting named nope"), "{words}");
    let words = refusal(&["serve", "--data", data, "--config", "/nope"]);
    assert!(words.contains("cannot read /nope"), "{words}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = refusal(&["serve", "--data", data, "--listen", &address]);
    assert!(words.contains(&format!("cannot listen on {address}")), "{words}");
    assert_eq!(fs::read_dir(data).unwrap().count(), 0, "nothing is made");
}

#[test]
fn a_secret_that_is_named_is_used() {
    let server = Server::start(&[]);
    let data = server.data();
    let secret = fs::read(data.join("server.secret")).unwrap();
    let second = Server::start_with(&[], |command| {
        command.arg("--set").arg(format!("server.secret_file={}", data.join("server.secret").display()));
    });
    assert_eq!(fs::read(data.join("server.secret")).unwrap(), secret);
    assert!(!second.data().join("server.secret").exists(), "the one that was named is used");
    second.end();
    server.end();
}
