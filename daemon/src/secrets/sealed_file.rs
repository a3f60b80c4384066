//! Secrets in a file of mode 0600, each sealed under a key from the password: for machines without a keyring.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ensafer_client::password::Password;
use ensafer_client::private_file;
use ensafer_core::crypto::{Login, PasswordKek, PasswordParameters, SystemRandom, cobblestone};
use ensafer_core::ids::DeviceId;
use serde::{Deserialize, Serialize};

use super::{SecretBytes, SecretError, SecretStore};

/// The part of the salt that keeps this use of the password apart from the account's.
const REALM: &str = "device-secrets";

/// Version of the file.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(with = "hex::serde")]
    nonce: [u8; 16],
    iterations: u32,
    /// By name, each in hex.
    secrets: BTreeMap<String, String>,
}

/// A sealed file. [`unlock`](Self::unlock) comes first; it takes a second or so.
#[derive(Debug)]
pub struct SealedFile {
    path: PathBuf,
    device: DeviceId,
    iterations: u32,
    key: Mutex<Option<PasswordKek>>,
}

impl SealedFile {
    /// The file at `path`, which need not exist; `iterations` of PBKDF2 are used when it is made.
    #[must_use]
    pub fn new(path: &Path, device: DeviceId, iterations: u32) -> Self {
        Self { path: path.to_path_buf(), device, iterations, key: Mutex::new(None) }
    }

    /// Derives the key from the password. A file that exists must open with it.
    ///
    /// # Errors
    /// [`SecretError::WrongPassword`], [`SecretError::Damaged`].
    pub fn unlock(&self, password: &Password) -> Result<(), SecretError> {
        let document = match self.read()? {
            Some(document) => document,
            None => self.create()?,
        };
        let key = self.derive(&document, password)?;
        if let Some((name, sealed)) = document.secrets.first_key_value() {
            self.open(&key, name, sealed).map_err(|_| SecretError::WrongPassword)?;
        }
        *self.key() = Some(key);
        Ok(())
    }

    /// Forgets the key and every secret, whatever password sealed them.
    ///
    /// # Errors
    /// [`SecretError::Io`].
    pub fn remove(&self) -> Result<(), SecretError> {
        *self.key() = None;
        private_file::remove(&self.path).map_err(|source| self.io_error(source))
    }

    fn create(&self) -> Result<Document, SecretError> {
        let parameters =
            PasswordParameters::generate(self.login(), REALM, self.iterations, &mut SystemRandom);
        let document = Document {
            version: VERSION,
            nonce: parameters.nonce,
            iterations: parameters.iterations,
            secrets: BTreeMap::new(),
        };
        self.write(&document)?;
        Ok(document)
    }

    fn derive(&self, document: &Document, password: &Password) -> Result<PasswordKek, SecretError> {
        let (nonce, iterations) = (document.nonce, document.iterations);
        let parameters =
            PasswordParameters { login: self.login(), realm: REALM.to_owned(), nonce, iterations };
        Ok(parameters.derive(password.expose())?.kek)
    }

    /// The device stands for the login: the file is nobody else's.
    fn login(&self) -> Login {
        self.device.to_string().parse().expect("hex digits are a login")
    }

    fn context(&self, name: &str) -> Vec<u8> {
        [b"ensafer/v1/device-secret\0", self.device.as_bytes().as_slice(), name.as_bytes()].concat()
    }

    fn open(&self, key: &PasswordKek, name: &str, sealed: &str) -> Result<SecretBytes, SecretError> {
        let sealed = hex::decode(sealed).map_err(|_| self.damaged())?;
        cobblestone::open(key, &self.context(name), &sealed).map_err(|_| self.damaged())
    }

    fn read(&self) -> Result<Option<Document>, SecretError> {
        let Some(bytes) = private_file::read(&self.path).map_err(|source| self.io_error(source))? else {
            return Ok(None);
        };
        let document: Document = serde_json::from_slice(&bytes).map_err(|_| self.damaged())?;
        if document.version == VERSION { Ok(Some(document)) } else { Err(self.damaged()) }
    }

    fn write(&self, document: &Document) -> Result<(), SecretError> {
        let bytes = serde_json::to_vec_pretty(document).expect("text and numbers are JSON");
        private_file::replace(&self.path, &bytes).map_err(|source| self.io_error(source))
    }

    fn change(&self, change: impl FnOnce(&PasswordKek, &mut Document)) -> Result<(), SecretError> {
        let key = self.key();
        let key = key.as_ref().ok_or(SecretError::Locked)?;
        let mut document = self.read()?.ok_or_else(|| self.damaged())?;
        change(key, &mut document);
        self.write(&document)
    }

    fn key(&self) -> MutexGuard<'_, Option<PasswordKek>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self) -> SecretError {
        SecretError::Damaged { path: self.path.clone() }
    }

    fn io_error(&self, source: std::io::Error) -> SecretError {
        SecretError::Io { path: self.path.clone(), source }
    }
}

impl SecretStore for SealedFile {
    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretError> {
        let key = self.key();
        let key = key.as_ref().ok_or(SecretError::Locked)?;
        let document = self.read()?.ok_or_else(|| self.damaged())?;
        document.secrets.get(name).map(|sealed| self.open(key, name, sealed)).transpose()
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretError> {
        self.change(|key, document| {
            let sealed = cobblestone::seal(key, &mut SystemRandom, &self.context(name), secret);
            document.secrets.insert(name.to_owned(), hex::encode(sealed));
        })
    }

    fn delete(&self, name: &str) -> Result<(), SecretError> {
        self.change(|_, document| {
            document.secrets.remove(name);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ensafer_core::crypto::MIN_ITERATIONS;

    use super::super::tests::conforms;
    use super::*;

    fn file(dir: &Path) -> SealedFile {
        SealedFile::new(&dir.join("secrets"), DeviceId::new([1; 16]), MIN_ITERATIONS)
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn it_conforms() {
        let dir = tempfile::tempdir().unwrap();
        conforms(|| {
            let file = file(dir.path());
            file.unlock(&password("right")).unwrap();
            Box::new(file)
        });
    }

    #[test]
    fn it_opens_with_the_right_password_on_the_right_device_only() {
        let dir = tempfile::tempdir().unwrap();
        let first = file(dir.path());
        assert!(matches!(first.get("a"), Err(SecretError::Locked)));
        first.unlock(&password("right")).unwrap();
        first.set("a", b"hushhush").unwrap();
        let bytes = fs::read(dir.path().join("secrets")).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"hush"), "sealed");

        assert!(matches!(file(dir.path()).unlock(&password("wrong")), Err(SecretError::WrongPassword)));
        let other = SealedFile::new(&dir.path().join("secrets"), DeviceId::new([2; 16]), MIN_ITERATIONS);
        assert!(matches!(other.unlock(&password("right")), Err(SecretError::WrongPassword)));

        let text = String::from_utf8(bytes).unwrap();
        let weak = text.replace("\"iterations\": 600000", "\"iterations\": 1");
        fs::write(dir.path().join("secrets"), weak).unwrap();
        assert!(matches!(file(dir.path()).unlock(&password("right")), Err(SecretError::Parameters(_))));
        fs::write(dir.path().join("secrets"), "{").unwrap();
        assert!(matches!(file(dir.path()).unlock(&password("right")), Err(SecretError::Damaged { .. })));
    }
}
