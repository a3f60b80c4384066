//! The account of this computer: one sealed file, and this device's own way into it.
//!
//! `account.ensafer-account` holds the account sealed under its password and its recovery key; `keys export` copies
//! it. `device.json` belongs to this computer: it names the device, holds the seal that the device key opens, and
//! says where that key is kept: in the system's keyring, or in `device.secrets`, which needs the password.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ensafer_core::account::{Account, SealedAccount, UnlockError};
use ensafer_core::crypto::{
    DeviceKey, Login, LoginError, ParsePrintedError, PasswordError, PasswordParameters, Random, RecoveryKey,
    SystemRandom,
};
use ensafer_core::ids::DeviceId;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Keyring};
use crate::exit::Exit;
use crate::home::Home;
use crate::private_file;
use crate::prompt::Password;
use crate::secrets::{KeyringStore, SealedFile, SecretError, SecretStore};

/// Name of the device key among this device's secrets.
const DEVICE_KEY: &str = "device-key";

/// The realm of an account without a server (`docs/format.md`, "The account file").
const REALM: &str = "local";

/// Longest exported file that is read: an account is a few KiB.
const MAX_EXPORT_BYTES: u64 = 1024 * 1024;

/// Why the account cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is none here.
    #[error("no account is set up on this computer")]
    NotSetUp,
    /// There is one here.
    #[error("an account is set up on this computer already ({})", path.display())]
    Exists {
        /// Its file.
        path: PathBuf,
    },
    /// The file to be written exists, and is left as it is.
    #[error("{} exists already", path.display())]
    OutputExists {
        /// It.
        path: PathBuf,
    },
    /// The password does not open it.
    #[error("the password is wrong")]
    WrongPassword,
    /// The recovery key does not open it.
    #[error("the recovery key is not this account's")]
    WrongRecoveryKey,
    /// The text is no recovery key.
    #[error(transparent)]
    RecoveryKey(#[from] ParsePrintedError),
    /// The name cannot be an account's.
    #[error("{login} cannot name an account")]
    Login {
        /// It.
        login: String,
        /// Why.
        source: LoginError,
    },
    /// The file is no sealed account.
    #[error("{} is not an account of Ensafer, or is damaged", path.display())]
    Damaged {
        /// It.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its parameters are outside of what is safe, or there is no password.
    #[error(transparent)]
    Parameters(#[from] PasswordError),
    /// A part of the account does not open with the account's own key.
    #[error("the account is inconsistent; a part of it was altered")]
    Inconsistent,
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// This device's secrets cannot be kept.
    #[error(transparent)]
    Secrets(#[from] SecretError),
}

impl AccountError {
    /// How a command that fails so ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotSetUp => Exit::NotSetUp,
            Self::WrongPassword | Self::WrongRecoveryKey => Exit::WrongPassword,
            Self::Secrets(SecretError::WrongPassword | SecretError::Locked) => Exit::WrongPassword,
            Self::Login { .. } | Self::RecoveryKey(_) | Self::Parameters(PasswordError::Empty) => Exit::Usage,
            _ => Exit::Error,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotSetUp => Some("ensafer register --email YOU@EXAMPLE.COM, or ensafer keys import FILE"),
            Self::Exists { .. } => {
                Some("Use it, or give the other account a home of its own with ENSAFER_HOME")
            }
            Self::OutputExists { .. } => Some("Name a file that does not exist, or remove that one"),
            Self::WrongPassword => Some("Try again, or ensafer recovery-key use"),
            Self::WrongRecoveryKey | Self::RecoveryKey(_) => Some("Compare it with what you wrote down"),
            Self::Login { .. } => Some("ensafer register --email YOU@EXAMPLE.COM"),
            Self::Damaged { .. } => {
                Some("Take the account from another computer: ensafer keys export, keys import")
            }
            _ => None,
        }
    }
}

impl From<UnlockError> for AccountError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Password(error) => Self::Parameters(error),
            UnlockError::Open(_) => Self::WrongPassword,
        }
    }
}

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

/// What belongs to this computer alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    id: DeviceId,
    kept_in: KeptIn,
    /// The account, sealed for the device key.
    #[serde(with = "hex::serde")]
    seal: Vec<u8>,
}

/// An account whose keys are at hand, and this device's own key, which seals what is cached here.
#[derive(Debug, Clone)]
pub struct Unlocked {
    /// The account.
    pub account: Arc<Account>,
    /// This device's key.
    pub device: Arc<DeviceKey>,
}

impl Unlocked {
    fn new(account: Account, device: DeviceKey) -> Self {
        Self { account: Arc::new(account), device: Arc::new(device) }
    }
}

/// Whether an account is set up here.
#[must_use]
pub fn exists(home: &Home) -> bool {
    account_file(home).exists()
}

/// Refuses where an account is set up here.
///
/// # Errors
/// [`AccountError::Exists`].
pub fn refuse_if_present(home: &Home) -> Result<(), AccountError> {
    if exists(home) { Err(AccountError::Exists { path: account_file(home) }) } else { Ok(()) }
}

/// Reads a name for an account.
///
/// # Errors
/// [`AccountError::Login`].
pub fn parse_login(text: &str) -> Result<Login, AccountError> {
    text.parse().map_err(|source| AccountError::Login { login: text.to_owned(), source })
}

/// Reads a recovery key as somebody typed it.
///
/// # Errors
/// [`AccountError::RecoveryKey`].
pub fn parse_recovery_key(text: &Password) -> Result<RecoveryKey, AccountError> {
    Ok(text.expose().parse()?)
}

/// Makes the account of this computer. Takes a second or more.
///
/// # Errors
/// [`AccountError::Exists`], or it cannot be written; nothing is there afterwards then.
pub fn register(
    home: &Home,
    config: &Config,
    login: &Login,
    password: &Password,
) -> Result<(Unlocked, RecoveryKey), AccountError> {
    refuse_if_present(home)?;
    let iterations = config.pbkdf2_iterations;
    let parameters = PasswordParameters::generate(login.clone(), REALM, iterations, &mut SystemRandom);
    let kek = parameters.derive(password.expose())?.kek;
    let (sealed, account, recovery_key) = SealedAccount::create(parameters, &kek, &mut SystemRandom);
    create_file(home, &sealed)?;
    let device = bind_device(home, config, &account, password)?;
    Ok((Unlocked::new(account, device), recovery_key))
}

/// Opens the account with its password, and renews this device's own way into it. Takes a second.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::NotSetUp`].
pub fn unlock(home: &Home, config: &Config, password: &Password) -> Result<Unlocked, AccountError> {
    let sealed = read_sealed(home)?;
    if let Some(unlocked) = open_with_sealed_file(home, config, &sealed, password)? {
        return Ok(unlocked);
    }
    let account = sealed.open_with_password(password.expose())?;
    let device = bind_device(home, config, &account, password)?;
    Ok(Unlocked::new(account, device))
}

/// Opens the account with this device's key from the system's keyring. `None` where the key is not at hand: there is
/// no keyring now, it is locked, or the key is kept in the sealed file. Then [`unlock`] it is.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::Damaged`].
pub fn open_with_device(home: &Home, config: &Config) -> Result<Option<Unlocked>, AccountError> {
    let sealed = read_sealed(home)?;
    let Some(device) = read_device(home)? else { return Ok(None) };
    if device.kept_in != KeptIn::Keyring || config.keyring == Keyring::Off {
        return Ok(None);
    }
    let kept = KeyringStore::connect(device.id).and_then(|store| store.get(DEVICE_KEY));
    match kept {
        Ok(Some(bytes)) => Ok(open_with_key(&sealed, &device, &bytes)),
        Ok(None) => Ok(None),
        Err(error) => {
            tracing::info!(%error, "the keyring does not give the device key");
            Ok(None)
        }
    }
}

/// Forgets this device's key, so that only the password opens the account.
///
/// # Errors
/// The key cannot be removed.
pub fn lock(home: &Home, config: &Config) -> Result<(), AccountError> {
    let Some(mut device) = read_device(home)? else { return Ok(()) };
    if device.kept_in == KeptIn::Keyring {
        KeyringStore::connect(device.id)?.delete(DEVICE_KEY)?;
    }
    sealed_file(home, config, device.id).remove()?;
    device.kept_in = KeptIn::Nowhere;
    write_device(home, &device)
}

/// Writes the sealed account to `output`, mode 0600. What belongs to this device stays here.
///
/// # Errors
/// [`AccountError::OutputExists`], [`AccountError::Io`].
pub fn export(home: &Home, output: &Path) -> Result<(), AccountError> {
    let sealed = read_sealed(home)?;
    match private_file::create(output, &sealed.to_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(AccountError::OutputExists { path: output.to_path_buf() })
        }
        other => other.map_err(io_error(output)),
    }
}

/// Reads a file that [`export`] wrote; checks its form, not its password.
///
/// # Errors
/// [`AccountError::Damaged`].
pub fn read_exported(file: &Path) -> Result<SealedAccount, AccountError> {
    let length = std::fs::metadata(file).map_err(io_error(file))?.len();
    if length > MAX_EXPORT_BYTES {
        let source = format!("{length} bytes are too many").into();
        return Err(AccountError::Damaged { path: file.to_path_buf(), source });
    }
    parse(&std::fs::read(file).map_err(io_error(file))?, file)
}

/// Sets up an exported account here, once `password` has opened it.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::WrongPassword`]; nothing is there afterwards then.
pub fn import(
    home: &Home,
    config: &Config,
    sealed: &SealedAccount,
    password: &Password,
) -> Result<Account, AccountError> {
    refuse_if_present(home)?;
    let account = sealed.open_with_password(password.expose())?;
    create_file(home, sealed)?;
    bind_device(home, config, &account, password)?;
    Ok(account)
}

/// Sets up an exported account here, once its recovery key has opened it, with a new password.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::WrongRecoveryKey`]; nothing is there afterwards then.
pub fn import_with_recovery_key(
    home: &Home,
    config: &Config,
    mut sealed: SealedAccount,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Account, AccountError> {
    refuse_if_present(home)?;
    let account = open_with_recovery_key(config, &mut sealed, key, password)?;
    create_file(home, &sealed)?;
    bind_device(home, config, &account, password)?;
    Ok(account)
}

/// The recovery key, which the account itself holds sealed.
///
/// # Errors
/// [`AccountError::WrongPassword`].
pub fn recovery_key(home: &Home, password: &Password) -> Result<RecoveryKey, AccountError> {
    let sealed = read_sealed(home)?;
    let account = sealed.open_with_password(password.expose())?;
    sealed.recovery_key(&account).map_err(|_| AccountError::Inconsistent)
}

/// Opens the account with the recovery key and gives it a new password.
///
/// # Errors
/// [`AccountError::WrongRecoveryKey`]; nothing is changed then.
pub fn recover(
    home: &Home,
    config: &Config,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Account, AccountError> {
    let mut sealed = read_sealed(home)?;
    let account = open_with_recovery_key(config, &mut sealed, key, password)?;
    let path = account_file(home);
    private_file::replace(&path, &sealed.to_bytes()).map_err(io_error(&path))?;
    bind_device(home, config, &account, password)?;
    Ok(account)
}

/// Opens `sealed` with the recovery key and gives it a new password.
fn open_with_recovery_key(
    config: &Config,
    sealed: &mut SealedAccount,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Account, AccountError> {
    let account = sealed.open_with_recovery(key).map_err(|_| AccountError::WrongRecoveryKey)?;
    let parameters = sealed.new_password_parameters(REALM, config.pbkdf2_iterations, &mut SystemRandom);
    let kek = parameters.derive(password.expose())?.kek;
    sealed
        .change_password(&account, parameters, &kek, &mut SystemRandom)
        .map_err(|_| AccountError::Inconsistent)?;
    Ok(account)
}

/// Makes a new device key, keeps it in the keyring or, where there is none, in the sealed file, and seals the account
/// for it. The device keeps its id.
fn bind_device(
    home: &Home,
    config: &Config,
    account: &Account,
    password: &Password,
) -> Result<DeviceKey, AccountError> {
    let id = read_device(home)?.map_or_else(|| DeviceId::new(SystemRandom.array()), |device| device.id);
    let key = DeviceKey::generate(&mut SystemRandom);
    let file = sealed_file(home, config, id);
    // Whatever password sealed it before.
    file.remove()?;
    let kept_in = if keep_in_keyring(config, id, &key) {
        KeptIn::Keyring
    } else {
        file.unlock(password)?;
        file.set(DEVICE_KEY, &*key.expose_for_keyring())?;
        KeptIn::SealedFile
    };
    write_device(home, &Device { id, kept_in, seal: account.seal_for_device(&key, &mut SystemRandom) })?;
    Ok(key)
}

/// Whether the keyring took the key and gives it back: a keyring that is locked may do neither.
fn keep_in_keyring(config: &Config, id: DeviceId, key: &DeviceKey) -> bool {
    if config.keyring == Keyring::Off {
        return false;
    }
    let bytes = key.expose_for_keyring();
    let kept = KeyringStore::connect(id).and_then(|store| {
        store.set(DEVICE_KEY, &*bytes)?;
        store.get(DEVICE_KEY)
    });
    match kept {
        Ok(kept) => kept.is_some_and(|kept| kept[..] == bytes[..]),
        Err(error) => {
            tracing::info!(%error, "the device key goes into the sealed file");
            false
        }
    }
}

/// The account by way of the sealed file; `None` where there is no such way, and the account's own password seal has
/// to tell.
fn open_with_sealed_file(
    home: &Home,
    config: &Config,
    sealed: &SealedAccount,
    password: &Password,
) -> Result<Option<Unlocked>, AccountError> {
    let Some(device) = read_device(home)? else { return Ok(None) };
    if device.kept_in != KeptIn::SealedFile {
        return Ok(None);
    }
    let file = sealed_file(home, config, device.id);
    match file.unlock(password).and_then(|()| file.get(DEVICE_KEY)) {
        Ok(Some(bytes)) => Ok(open_with_key(sealed, &device, &bytes)),
        Err(SecretError::WrongPassword) => Err(AccountError::WrongPassword),
        Ok(None) | Err(_) => Ok(None),
    }
}

fn open_with_key(sealed: &SealedAccount, device: &Device, bytes: &[u8]) -> Option<Unlocked> {
    let key = DeviceKey::from_keyring(bytes)?;
    let account = sealed.open_with_device(&device.seal, &key).ok()?;
    Some(Unlocked::new(account, key))
}

fn create_file(home: &Home, sealed: &SealedAccount) -> Result<(), AccountError> {
    let path = account_file(home);
    match private_file::create(&path, &sealed.to_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(AccountError::Exists { path }),
        other => other.map_err(io_error(&path)),
    }
}

fn read_sealed(home: &Home) -> Result<SealedAccount, AccountError> {
    let path = account_file(home);
    let bytes = private_file::read(&path).map_err(io_error(&path))?.ok_or(AccountError::NotSetUp)?;
    parse(&bytes, &path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<SealedAccount, AccountError> {
    SealedAccount::from_bytes(bytes)
        .map_err(|e| AccountError::Damaged { path: path.to_path_buf(), source: Box::new(e) })
}

fn read_device(home: &Home) -> Result<Option<Device>, AccountError> {
    let path = device_file(home);
    let Some(bytes) = private_file::read(&path).map_err(io_error(&path))? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|e| AccountError::Damaged { path, source: Box::new(e) })
}

fn write_device(home: &Home, device: &Device) -> Result<(), AccountError> {
    let path = device_file(home);
    let bytes = serde_json::to_vec_pretty(device).expect("ids and hex digits are JSON");
    private_file::replace(&path, &bytes).map_err(io_error(&path))
}

fn account_file(home: &Home) -> PathBuf {
    home.data_dir().join("account.ensafer-account")
}

fn device_file(home: &Home) -> PathBuf {
    home.data_dir().join("device.json")
}

fn sealed_file(home: &Home, config: &Config, device: DeviceId) -> SealedFile {
    SealedFile::new(&home.data_dir().join("device.secrets"), device, config.pbkdf2_iterations)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AccountError {
    let path = path.to_path_buf();
    move |source| AccountError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ensafer_core::crypto::MIN_ITERATIONS;

    use super::*;

    struct Place {
        _root: tempfile::TempDir,
        home: Home,
        config: Config,
    }

    fn place() -> Place {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let config = Config { keyring: Keyring::Off, pbkdf2_iterations: MIN_ITERATIONS, ..Config::default() };
        Place { _root: root, home, config }
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    /// One account for all, because key pairs are slow to make.
    #[test]
    fn an_account_is_made_opened_taken_along_and_recovered() {
        let Place { home, config, _root } = &place();
        assert!(matches!(unlock(home, config, &password("right")), Err(AccountError::NotSetUp)));
        let login = parse_login(" Alice@Example.com ").unwrap();
        let (account, recovery) = register(home, config, &login, &password("right")).unwrap();
        assert_eq!(account.account.login().as_str(), "alice@example.com");
        let again = register(home, config, &login, &password("right"));
        assert!(matches!(again, Err(AccountError::Exists { .. })));
        for file in [account_file(home), device_file(home), home.data_dir().join("device.secrets")] {
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }

        // By the sealed file, and by the account's own seal when that is lost.
        assert_eq!(unlock(home, config, &password("right")).unwrap().account.id(), account.account.id());
        assert!(matches!(unlock(home, config, &password("wrong")), Err(AccountError::WrongPassword)));
        assert!(open_with_device(home, config).unwrap().is_none(), "nothing opens without a password");
        lock(home, config).unwrap();
        assert!(!home.data_dir().join("device.secrets").exists());
        assert!(matches!(unlock(home, config, &password("wrong")), Err(AccountError::WrongPassword)));
        assert_eq!(unlock(home, config, &password("right")).unwrap().account.id(), account.account.id());

        let shown = recovery_key(home, &password("right")).unwrap();
        assert_eq!(*shown.to_text(), *recovery.to_text(), "the recovery key can be shown again");

        taken_along(home, &account.account);

        let other = RecoveryKey::generate(&mut SystemRandom);
        assert!(matches!(
            recover(home, config, &other, &password("new")),
            Err(AccountError::WrongRecoveryKey)
        ));
        recover(home, config, &recovery, &password("new")).unwrap();
        assert!(matches!(unlock(home, config, &password("right")), Err(AccountError::WrongPassword)));
        assert_eq!(unlock(home, config, &password("new")).unwrap().account.id(), account.account.id());
    }

    fn taken_along(home: &Home, account: &Account) {
        let second = place();
        let file = second.home.cache_dir().join("exported");
        export(home, &file).unwrap();
        assert!(matches!(export(home, &file), Err(AccountError::OutputExists { .. })));
        let sealed = read_exported(&file).unwrap();
        let wrong = import(&second.home, &second.config, &sealed, &password("wrong"));
        assert!(matches!(wrong, Err(AccountError::WrongPassword)));
        assert!(!exists(&second.home), "nothing is half-made");
        let imported = import(&second.home, &second.config, &sealed, &password("right")).unwrap();
        assert_eq!(imported.id(), account.id());
        let twice = import(&second.home, &second.config, &sealed, &password("right"));
        assert!(matches!(twice, Err(AccountError::Exists { .. })));
        let (one, two) = (read_device(home).unwrap().unwrap(), read_device(&second.home).unwrap().unwrap());
        assert_ne!(one.id, two.id, "another home is another device");
    }

    #[test]
    fn what_is_no_account_is_refused() {
        let Place { home, .. } = &place();
        let file = home.cache_dir().join("other");
        for bytes in [&b""[..], b"not an account", &[0; 4096]] {
            std::fs::write(&file, bytes).unwrap();
            assert!(matches!(read_exported(&file), Err(AccountError::Damaged { .. })));
        }
        std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read_exported(&file), Err(AccountError::Damaged { .. })));
        assert!(matches!(parse_login("a b"), Err(AccountError::Login { .. })));
    }
}
