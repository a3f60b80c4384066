//! The account's files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ensafer_client::home::Home;
use ensafer_client::private_file;
use ensafer_core::account::SealedAccount;
use ensafer_core::crypto::AccountKey;
use ensafer_core::ids::DeviceId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::AccountError;
use crate::config::Config;
use crate::secrets::SealedFile;

/// Where this device's key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptIn {
    /// In the system's keyring.
    Keyring,
    /// In a file that needs the password.
    SealedFile,
    /// Nowhere: it was locked.
    Nowhere,
}

/// How to do without `device.json`.
const WITHOUT_DEVICE: &str = "Remove that file, then ensafer unlock; where the account is on a server, ensafer login. If it has an account key: login --account-key, or recovery-key use";
/// How to do without `session.json`.
pub(super) const WITHOUT_SESSION: &str =
    "Remove that file, then ensafer login --email YOU@EXAMPLE.COM --server URL";

/// What belongs to this computer alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub id: DeviceId,
    pub kept_in: KeptIn,
    /// The account, sealed for the device key.
    #[serde(with = "hex::serde")]
    pub seal: Vec<u8>,
    /// The account key as it is printed, where the account has one: the password's keys need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key: Option<String>,
}

impl Device {
    /// A device that has no way in yet.
    pub fn new(id: DeviceId) -> Self {
        Self { id, kept_in: KeptIn::Nowhere, seal: Vec::new(), account_key: None }
    }

    /// The account key, where the account has one.
    pub fn account_key(&self) -> Option<AccountKey> {
        self.account_key.as_ref().and_then(|text| text.parse().ok())
    }
}

pub(super) fn create_file(home: &Home, sealed: &SealedAccount) -> Result<(), AccountError> {
    let path = account_file(home);
    match private_file::create(&path, &sealed.to_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(AccountError::Exists { path }),
        other => other.map_err(io_error(&path)),
    }
}

/// Keeps what became of the account: each of its parts, unless another process kept a later one meanwhile.
pub(super) fn store(home: &Home, sealed: &SealedAccount) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    update(home, |kept| kept.catch_up(sealed))
}

/// Keeps an account that was just logged in to. The caller holds the lock.
pub(super) fn store_login(home: &Home, served: &SealedAccount) -> Result<(), AccountError> {
    update(home, |kept| kept.catch_up_by_login(served))
}

fn update(home: &Home, change: impl FnOnce(&mut SealedAccount)) -> Result<(), AccountError> {
    let before = read_sealed(home)?;
    let mut kept = before.clone();
    change(&mut kept);
    if kept == before { Ok(()) } else { replace_file(home, &kept) }
}

/// Waits until no other process changes the account's files; the lock ends with the returned file.
pub(super) fn lock(home: &Home) -> Result<File, AccountError> {
    let path = home.data_dir().join("session.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let locked = file.and_then(|file| file.lock().map(|()| file));
    locked.map_err(io_error(&path))
}

/// Replaces the account's file, atomically. The caller holds the lock and knows what is there.
pub(super) fn replace_file(home: &Home, sealed: &SealedAccount) -> Result<(), AccountError> {
    let path = account_file(home);
    private_file::replace(&path, &sealed.to_bytes()).map_err(io_error(&path))
}

pub(super) fn read_sealed(home: &Home) -> Result<SealedAccount, AccountError> {
    let path = account_file(home);
    let bytes = private_file::read(&path).map_err(io_error(&path))?.ok_or(AccountError::NotSetUp)?;
    parse(&bytes, &path)
}

pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<SealedAccount, AccountError> {
    SealedAccount::from_bytes(bytes)
        .map_err(|e| AccountError::Damaged { path: path.to_path_buf(), source: Box::new(e) })
}

pub(super) fn read_device(home: &Home) -> Result<Option<Device>, AccountError> {
    let path = device_file(home);
    let device: Option<Device> = read_own(&path, WITHOUT_DEVICE)?;
    // Taken for none, the right password would be wrong.
    if let Some(Err(error)) =
        device.as_ref().and_then(|d| d.account_key.as_ref()).map(|k| k.parse::<AccountKey>())
    {
        return Err(AccountError::DamagedOwn { path, source: Box::new(error), remedy: WITHOUT_DEVICE });
    }
    Ok(device)
}

/// Reads a file in which this computer remembers something, if it is there; `remedy` says how to do without it.
pub(super) fn read_own<T: DeserializeOwned>(
    path: &Path,
    remedy: &'static str,
) -> Result<Option<T>, AccountError> {
    let Some(bytes) = private_file::read(path).map_err(io_error(path))? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|e| AccountError::DamagedOwn {
        path: path.to_path_buf(),
        source: Box::new(e),
        remedy,
    })
}

pub(super) fn write_device(home: &Home, device: &Device) -> Result<(), AccountError> {
    let path = device_file(home);
    let bytes = serde_json::to_vec_pretty(device).expect("ids and hex digits are JSON");
    private_file::replace(&path, &bytes).map_err(io_error(&path))
}

pub(super) fn account_file(home: &Home) -> PathBuf {
    home.data_dir().join("account.ensafer-account")
}

/// While this is there, nobody has said that the recovery key is written down. It is empty.
pub(super) fn unwritten_file(home: &Home) -> PathBuf {
    home.data_dir().join("recovery-key-unwritten")
}

pub(super) fn device_file(home: &Home) -> PathBuf {
    home.data_dir().join("device.json")
}

pub(super) fn sealed_file(home: &Home, config: &Config, device: DeviceId) -> SealedFile {
    SealedFile::new(&home.data_dir().join("device.secrets"), device, config.pbkdf2_iterations)
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AccountError {
    let path = path.to_path_buf();
    move |source| AccountError::Io { path, source }
}
