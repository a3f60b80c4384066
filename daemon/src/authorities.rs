//! Authorities whose word about a key server's certificate is taken beside that of the system's: the setting `ca_file`.

use std::fs;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::{Config, ConfigError};

/// Reads the authorities' certificates; none where the setting names no file.
///
/// # Errors
/// [`ConfigError::CaFile`] where the file cannot be read, holds no certificate, or one that is malformed.
pub fn read(config: &Config) -> Result<Vec<Certificate>, ConfigError> {
    let path = &config.ca_file;
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let wrong = |reason: String| ConfigError::CaFile { path: path.clone(), reason };
    let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|error| wrong(format!("is no PEM file: {error}")))?;
        // What rustls would leave out without a word.
        let malformed = |error| wrong(format!("holds a malformed certificate: {error}"));
        RootCertStore::empty().add(der.clone()).map_err(malformed)?;
        found.push(Certificate::from_der(&der).map_err(|error| wrong(error.to_string()))?);
    }
    if found.is_empty() { Err(wrong("holds no certificate".to_owned())) } else { Ok(found) }
}
