//! Self-signed certificates, made by OpenSSL when a test wants one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

/// A certificate and its key, PEM each. The certificate is its own authority.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, as PKCS #8.
    pub key: PathBuf,
}

/// It must not call itself an authority (`CA:FALSE`), or rustls takes it for no server's.
const REQUEST: &str = "\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = NAME
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:NAME, IP:127.0.0.1
";

impl Certificate {
    /// Makes one for `localhost` and 127.0.0.1 in `directory`, good for a day.
    #[must_use]
    pub fn make(directory: &Path) -> Self {
        Self::make_for(directory, "localhost")
    }

    /// Makes one for this name and 127.0.0.1 in `directory`, good for a day.
    #[must_use]
    pub fn make_for(directory: &Path, name: &str) -> Self {
        let made = Self {
            certificate: directory.join("certificate.pem"),
            key: directory.join("certificate-key.pem"),
        };
        let request = directory.join("certificate.conf");
        fs::write(&request, REQUEST.replace("NAME", name)).unwrap();
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"])
            .args(["-days", "1"])
            .arg("-config")
            .arg(request)
            .arg("-out")
            .arg(&made.certificate)
            .arg("-keyout")
            .arg(&made.key);
        run(&mut openssl).expect(0);
        made
    }
}
