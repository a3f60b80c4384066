//! Where Ensafer keeps its own files: configuration, data, cache, state and the socket.

use std::env;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{platform, private_file};

/// Puts every directory under one root, so that two devices can live on one machine.
pub const HOME_VARIABLE: &str = "ENSAFER_HOME";

/// Why the directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No home directory is known for this user.
    #[error("this user has no home directory")]
    NoHomeDirectory,
    /// A directory or file cannot be made or read.
    #[error("cannot use {}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("another Ensafer runs on {}{}", path.display(), of_process(*process_id))]
    AlreadyRunning {
        /// The data directory.
        path: PathBuf,
        /// That process, where it has said so.
        process_id: Option<u32>,
    },
    /// The directory for sockets is a link, belongs to somebody else, or is open to others.
    #[error("{} is not a private directory of this user", path.display())]
    NotPrivate {
        /// It.
        path: PathBuf,
    },
    /// Every candidate for the socket's path is too long.
    #[error("no path for a socket is short enough; the last tried was {}", path.display())]
    SocketPathTooLong {
        /// The last candidate.
        path: PathBuf,
    },
}

impl HomeError {
    /// [`Io`](Self::Io) of `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

fn of_process(id: Option<u32>) -> String {
    id.map(|id| format!(" (process {id})")).unwrap_or_default()
}

/// All directories of one installation. Nothing is made until [`create`](Self::create).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    cache: PathBuf,
    state: PathBuf,
    /// Absent where the platform has none: then the per-user directory is used.
    runtime: Option<PathBuf>,
}

impl Home {
    /// `ENSAFER_HOME`, or the platform's rules.
    ///
    /// # Errors
    /// [`HomeError::NoHomeDirectory`], or `ENSAFER_HOME` is relative and the current directory unknown.
    pub fn from_environment() -> Result<Self, HomeError> {
        match env::var_os(HOME_VARIABLE).filter(|v| !v.is_empty()) {
            Some(root) => {
                let root = PathBuf::from(root);
                let absolute = std::path::absolute(&root).map_err(HomeError::io(&root))?;
                Ok(Self::under(&absolute))
            }
            None => Self::of_platform(),
        }
    }

    /// Everything under `root`, which should be absolute.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
            state: root.join("state"),
            runtime: Some(root.join("runtime")),
        }
    }

    fn of_platform() -> Result<Self, HomeError> {
        let dirs = directories::ProjectDirs::from("", "", "ensafer").ok_or(HomeError::NoHomeDirectory)?;
        let data = dirs.data_local_dir().to_path_buf();
        Ok(Self {
            config: dirs.config_dir().to_path_buf(),
            cache: dirs.cache_dir().to_path_buf(),
            state: dirs.state_dir().map_or_else(|| data.join("state"), Path::to_path_buf),
            runtime: dirs.runtime_dir().map(Path::to_path_buf),
            data,
        })
    }

    /// Makes the directories that are missing and closes them to other users.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn create(&self) -> Result<(), HomeError> {
        for path in self.directories() {
            private_file::create_directory(path).map_err(HomeError::io(path))?;
        }
        Ok(())
    }

    /// Settings.
    #[must_use]
    pub fn config_dir(&self) -> &Path {
        &self.config
    }

    /// What must not be lost: the account, the list of folders.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// What can be made again: opened envelopes.
    #[must_use]
    pub fn cache_dir(&self) -> &Path {
        &self.cache
    }

    /// What belongs to this device only: base trees, logs.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// `config.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// What the detached daemon prints.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.state.join("daemon.log")
    }

    /// All directories that are Ensafer's own, and must not be part of a folder.
    #[must_use]
    pub fn directories(&self) -> Vec<&Path> {
        let all = [&self.config, &self.data, &self.cache, &self.state];
        all.into_iter().chain(self.runtime.as_ref()).map(PathBuf::as_path).collect()
    }

    /// Whether syncing is stopped by the user's wish, also after a restart.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped_file().exists()
    }

    /// Remembers whether syncing is stopped.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn set_stopped(&self, stopped: bool) -> Result<(), HomeError> {
        let path = self.stopped_file();
        let done = if stopped { private_file::replace(&path, b"") } else { private_file::remove(&path) };
        done.map_err(HomeError::io(&path))
    }

    fn stopped_file(&self) -> PathBuf {
        self.state.join("stopped")
    }

    /// Where this process would listen: in the runtime directory if that is short enough, else in a private directory
    /// of this user under a name derived from the home. The directory exists afterwards. On Windows, a named pipe.
    ///
    /// # Errors
    /// [`HomeError::NotPrivate`] or [`HomeError::SocketPathTooLong`].
    pub fn create_socket_path(&self) -> Result<PathBuf, HomeError> {
        platform::create_socket_path(self.runtime.as_deref(), &self.digest())
    }

    /// Distinguishes the homes of one user in a shared directory, or on a session bus: 16 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        blake3::hash(self.data.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned()
    }

    /// Takes this home for the calling process, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`HomeError::AlreadyRunning`] where another process has it.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.lock_file();
        let mut options = OpenOptions::new();
        platform::keep_to_owner(options.read(true).write(true).create(true).truncate(false));
        let mut file = options.open(&path).map_err(HomeError::io(&path))?;
        match platform::try_lock(&file) {
            Ok(()) => {
                let mut lock = HomeLock { file, path };
                lock.record(None)?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                let process_id = read_holder(&mut file).map(|holder| holder.process_id);
                Err(HomeError::AlreadyRunning { path: self.data.clone(), process_id })
            }
            Err(TryLockError::Error(source)) => Err(HomeError::Io { path, source }),
        }
    }

    /// The socket of the process that took this home, as that process recorded it, because its environment may
    /// differ from ours. Whether it still listens is found by connecting.
    #[must_use]
    pub fn running_socket(&self) -> Option<PathBuf> {
        read_holder(&mut File::open(self.lock_file()).ok()?)?.socket
    }

    /// Whether a process says that it uses this home. One that was killed still does.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        File::open(self.lock_file()).is_ok_and(|mut file| read_holder(&mut file).is_some())
    }

    /// Whether the process that recorded a socket still has this home, though it may listen no more: one that ends first
    /// finishes what it does. One that was killed does not.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let Ok(mut file) = File::open(self.lock_file()) else { return false };
        let Some(holder) = read_holder(&mut file) else { return false };
        holder.socket.is_some() && platform::is_locked(&file, holder.process_id)
    }

    /// The file by which a process takes this home, and in which it says where it listens: it is written whenever a
    /// daemon has begun to listen, or ends.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.data.join("daemon.lock")
    }
}

/// What the holder of the lock says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    process_id: u32,
    socket: Option<PathBuf>,
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Proof that this process alone uses the home.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
    path: PathBuf,
}

impl HomeLock {
    /// Tells others where this process listens.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn record(&mut self, socket: Option<&Path>) -> Result<(), HomeError> {
        let holder = Holder { process_id: std::process::id(), socket: socket.map(Path::to_path_buf) };
        let text = serde_json::to_string(&holder).map_err(|e| HomeError::Io {
            path: self.path.clone(),
            source: io::Error::new(io::ErrorKind::InvalidInput, e),
        })?;
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(HomeError::io(&self.path))?;
        platform::announce(&self.path);
        Ok(())
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // Only a courtesy: a killed process leaves its record too, and connecting tells.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn everything_lies_under_one_root_and_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        for dir in ["config", "data", "cache", "state", "runtime"] {
            let mode = fs::metadata(root.path().join(dir)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{dir}");
        }
        assert_eq!(home.create_socket_path().unwrap(), root.path().join("runtime/ensafer.sock"));
    }

    #[test]
    fn who_only_says_so_does_not_hold_it() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        assert!(!home.is_held());
        let mut lock = home.lock().unwrap();
        assert!(!home.is_held(), "it listens nowhere yet");
        lock.record(Some(Path::new("/run/x.sock"))).unwrap();
        assert!(home.is_held());
        let record = fs::read(home.lock_file()).unwrap();
        drop(lock);
        // As a killed process leaves it.
        fs::write(home.lock_file(), record).unwrap();
        assert!(home.running_socket().is_some() && !home.is_held());
    }

    #[test]
    fn the_second_one_learns_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        assert_eq!(home.running_socket(), None);
        let mut lock = home.lock().unwrap();
        assert_eq!(home.running_socket(), None, "locked, but listening nowhere yet");
        lock.record(Some(Path::new("/run/x.sock"))).unwrap();
        assert_eq!(home.running_socket(), Some(PathBuf::from("/run/x.sock")));
        let Err(HomeError::AlreadyRunning { process_id, .. }) = home.lock() else { panic!("locked twice") };
        assert_eq!(process_id, Some(std::process::id()));
        assert!(home.is_taken());
        drop(lock);
        assert_eq!(home.running_socket(), None);
        assert!(!home.is_taken());
        home.lock().unwrap();
    }
}
