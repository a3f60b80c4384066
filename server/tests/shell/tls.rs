//! The server's own TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::http;
use crate::process::{Server, refusal};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tls");

struct Files {
    directory: TempDir,
}

impl Files {
    fn new(name: &str) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        files.put(name);
        files
    }

    /// Puts this certificate and key in place.
    fn put(&self, name: &str) {
        fs::copy(format!("{DATA}/{name}.pem"), self.certificate()).unwrap();
        fs::copy(format!("{DATA}/{name}.key"), self.key()).unwrap();
        fs::set_permissions(self.key(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("server.key")
    }

    fn start(&self) -> Server {
        Server::start_with(&[], |command| {
            command.arg("--tls-cert").arg(self.certificate()).arg("--tls-key").arg(self.key());
        })
    }
}

/// A connection to a server that must show this certificate.
fn connect(address: http::Address, name: &str) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(Path::new(DATA).join(format!("{name}.pem"))).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server: ServerName<'_> = ServerName::from(address.ip());
    let connection = ClientConnection::new(Arc::new(config), server).unwrap();
    let mut stream = StreamOwned::new(connection, http::connect(address));
    stream.flush()?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

#[test]
fn serves_over_tls_and_says_so() {
    let files = Files::new("one");
    let server = files.start();
    assert!(server.line.starts_with("listening on https://127.0.0.1:"), "{}", server.line);
    let mut stream = connect(server.address(), "one").unwrap();
    let answer = http::request(&mut stream, &["GET /v1/server HTTP/1.1"], None);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=63072000"));
    connect(server.address(), "two").unwrap_err();
    let mut plain = http::connect(server.address());
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "nothing is answered in the clear");
    server.end();
}

#[test]
fn takes_a_new_certificate_without_a_restart() {
    let files = Files::new("one");
    let mut server = files.start();
    let mut old = connect(server.address(), "one").unwrap();
    files.put("two");
    server.signal(Signal::HUP);
    server.wait_for("certificate read again");
    connect(server.address(), "two").unwrap();
    connect(server.address(), "one").unwrap_err();
    assert_eq!(http::request(&mut old, &["GET /healthz HTTP/1.1"], None).status, 200, "open ones go on");
    fs::write(files.certificate(), "rubbish").unwrap();
    server.signal(Signal::HUP);
    server.wait_for("the old one stays in use");
    connect(server.address(), "two").unwrap();
    server.end();
}

#[test]
fn a_key_that_others_read_or_that_does_not_fit_is_refused() {
    let files = Files::new("one");
    let data = files.directory.path().join("data");
    let [data, certificate, key] =
        [&data, &files.certificate(), &files.key()].map(|p| p.to_str().unwrap().to_owned());
    let arguments = ["serve", "--data", &data, "--tls-cert", &certificate, "--tls-key", &key];
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&arguments).contains("chmod 600"));
    fs::copy(format!("{DATA}/two.key"), &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refusal(&arguments).contains("do not fit"));
    fs::write(&certificate, "rubbish").unwrap();
    assert!(refusal(&arguments).contains("no certificate in it"));
}

#[test]
fn sighup_without_tls_does_nothing() {
    let server = Server::start(&[]);
    server.signal(Signal::HUP);
    assert_eq!(http::get(server.address(), "/healthz").status, 200);
    server.end();
}
