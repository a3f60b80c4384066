//! Files with secrets: what others can read is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ensafer_core::crypto::{ServerSecret, SystemRandom, sha256};
use zeroize::Zeroizing;

use crate::config::{Config, ConfigError, ServerConfig};
use crate::db::Db;

/// The secret's name in the data directory.
const FILE_NAME: &str = "server.secret";

/// Longest file with a secret that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a text that nobody but its owner may know.
///
/// # Errors
/// [`ConfigError::Exposed`] where others may read or write it, [`ConfigError::Io`] where it cannot be read or is longer
/// than 64 KiB.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let io_error = |source| ConfigError::Io { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    // A credential of systemd is readable by the service's own group of one (0440, owned by root).
    let exposed = if metadata.uid() == 0 && is_credential(path) { 0o007 } else { 0o077 };
    if metadata.mode() & exposed != 0 {
        return Err(ConfigError::Exposed { path: path.to_path_buf() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(io_error)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io_error(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

/// Whether systemd handed the file over (systemd.exec(5), `LoadCredential=`): to this process, or to the service that the
/// administrator looks after from outside. That directory is root's, and each service's in it is closed to others.
fn is_credential(path: &Path) -> bool {
    path.starts_with("/run/credentials")
        || std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|directory| path.starts_with(directory))
}

/// Separates the check value from whatever else is made of the secret.
const CHECK_LABEL: &[u8] = b"ensafer/v1/server/secret-check\0";

/// What the database keeps to know the secret again: it tells nothing about 32 random bytes.
#[must_use]
pub fn check_value(secret: &ServerSecret) -> String {
    hex::encode(sha256(&[CHECK_LABEL, secret.expose()]))
}

/// What is said where the database belongs to another secret.
pub const FOREIGN: &str = "the database belongs to another secret, and with this one nobody could log in: put back the \
    server.secret that it was used with, or name that with server.secret_file";

/// The server's secret for this database, which keeps its check value from now on. It is made where there is none and
/// nobody has an account that needs the old one.
///
/// # Errors
/// Those of [`load`], [`FOREIGN`], or the database failed.
pub async fn load_for(db: &Db, config: &Config) -> anyhow::Result<ServerSecret> {
    let secret = load(config, !db.has_accounts().await?)?;
    anyhow::ensure!(db.claim(&check_value(&secret)).await?, FOREIGN);
    Ok(secret)
}

/// The server's secret: from the file that the settings name, else from the data directory. There it is made if it
/// `may_be_made`.
///
/// # Errors
/// [`ConfigError`]: a file that others can read, that is not 64 hex digits, that cannot be made or must not be.
pub fn load(config: &Config, may_be_made: bool) -> Result<ServerSecret, ConfigError> {
    let ServerConfig { secret_file, data, .. } = &config.server;
    match (secret_file, data) {
        (Some(path), _) => read(path),
        (None, Some(directory)) => {
            let path = directory.join(FILE_NAME);
            if !may_be_made && !path.exists() {
                return Err(lost(&path));
            }
            let made = create(&path).map_err(|source| ConfigError::Io { path: path.clone(), source })?;
            if made {
                tracing::info!(
                    "made the server's secret: keep a copy of it, apart from those of the database"
                );
            }
            read(&path)
        }
        (None, None) => Err(ConfigError::Refused {
            key: "server.secret_file",
            reason: "no file with the server's secret is named".to_owned(),
        }),
    }
}

/// Whether the data directory has a secret already.
#[must_use]
pub fn is_made(config: &Config) -> bool {
    config.server.data.as_ref().is_some_and(|directory| directory.join(FILE_NAME).exists())
}

fn lost(path: &Path) -> ConfigError {
    let path = path.display();
    let reason = format!(
        "the database has accounts, but {path} is missing, and with a new secret nobody could log in: copy it from where \
         the server was, or from where you keep its copy"
    );
    ConfigError::Refused { key: "server.secret_file", reason }
}

fn read(path: &Path) -> Result<ServerSecret, ConfigError> {
    let text = read_text(path)?;
    let mut bytes = Zeroizing::new([0; ServerSecret::LEN]);
    let refused = || ConfigError::Refused {
        key: "server.secret_file",
        reason: format!(
            "{} must hold {} hex digits: make one with `openssl rand -hex 32`, or put your copy back",
            path.display(),
            2 * ServerSecret::LEN
        ),
    };
    hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|_| refused())?;
    ServerSecret::from_bytes(&*bytes).ok_or_else(refused)
}

/// Makes the file with a random secret, mode 0600, durable. `false` where something has that name.
fn create(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        other => other?,
    };
    let secret = ServerSecret::generate(&mut SystemRandom);
    let text = Zeroizing::new(hex::encode(secret.expose()) + "\n");
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(directory: &Path, secret_file: Option<&Path>) -> Config {
        let mut config = Config::default();
        config.server.data = Some(directory.to_path_buf());
        config.server.secret_file = secret_file.map(Path::to_path_buf);
        config
    }

    #[test]
    fn is_made_once_and_kept_to_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        let config = settings(dir.path(), None);
        assert!(load(&config, false).unwrap_err().to_string().contains("server.secret is missing"));
        let first = load(&config, true).unwrap();
        assert_eq!(first.expose(), load(&config, false).unwrap().expose());
        let path = dir.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(first.expose(), load(&settings(other.path(), None), true).unwrap().expose());
        assert_eq!(first.expose(), load(&settings(other.path(), Some(&path)), true).unwrap().expose());
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codes");
        for (length, is_good) in [(MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            fs::write(&path, "a".repeat(usize::try_from(length).unwrap())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(read_text(&path).is_ok(), is_good, "{length}");
        }
    }

    #[test]
    fn what_is_open_or_malformed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine");
        let config = settings(dir.path(), Some(&path));
        assert!(matches!(load(&config, true), Err(ConfigError::Io { .. })));
        fs::write(&path, "ab".repeat(32)).unwrap();
        for (mode, is_good) in [(0o600, true), (0o400, true), (0o604, false), (0o640, false), (0o620, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load(&config, true).is_ok(), is_good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for bad in ["", "abcd", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32)] {
            fs::write(&path, bad).unwrap();
            let refusal = load(&config, true).unwrap_err().to_string();
            assert!(refusal.contains("openssl rand -hex 32"), "{refusal}");
            assert!(bad.is_empty() || !refusal.contains(bad), "{refusal}");
        }
    }
}
