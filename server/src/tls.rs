//! The server's certificate, which can be replaced while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;
use crate::secret;

/// What connections are opened with: TLS 1.2 and 1.3, HTTP/1.1.
#[derive(Debug, Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RustlsConfig,
}

impl Tls {
    /// Reads the files that the settings name. `None` where they name none.
    ///
    /// # Errors
    /// Files that cannot be read, are not PEM, or do not belong together; a key that others can read.
    pub fn new(config: &Config) -> anyhow::Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else {
            return Ok(None);
        };
        let current = RustlsConfig::from_config(read(certificate, key)?);
        Ok(Some(Self { certificate: certificate.clone(), key: key.clone(), current }))
    }

    /// Reads the files again; new connections take what is in them now. On an error the old ones stay in use.
    ///
    /// # Errors
    /// See [`Tls::new`].
    pub fn reload(&self) -> anyhow::Result<()> {
        self.current.reload_from_config(read(&self.certificate, &self.key)?);
        Ok(())
    }

    /// For the acceptor.
    pub(crate) fn current(&self) -> RustlsConfig {
        self.current.clone()
    }
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let pem = std::fs::read(certificate).with_context(|| format!("cannot read {}", certificate.display()))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is not PEM", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} has no certificate in it", certificate.display());
    }
    let text = secret::read_text(key)?;
    let private = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .with_context(|| format!("{} has no private key in PEM in it", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{} and {} do not fit", certificate.display(), key.display()))?;
    // HTTP/1.1 only, which is all that the server speaks (`serve`).
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
