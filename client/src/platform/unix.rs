//! Linux and macOS: modes that close files to others, and Unix sockets, whose peers the kernel names.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::net::{UnixListener, UnixStream};

use super::{SOCKET_PATH_BYTES, temporary_directory};
use crate::home::HomeError;

/// What other users may do with a private directory: nothing (`chmod 700`).
const DIRECTORY_MODE: u32 = 0o700;
/// The bits of others.
const OTHERS: u32 = 0o077;

/// The daemon's end of a connection.
pub type ServerStream = UnixStream;
/// The other end.
pub type ClientStream = UnixStream;

/// Lets `options` make files that only their owner can read.
pub fn keep_to_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Makes a new file that only its owner can read, wherever it lies, and opens it for writing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or it cannot be made.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    keep_to_owner(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// Makes a directory, with those above it, or closes one that is there to other users.
///
/// # Errors
/// It cannot be made or closed.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    if fs::metadata(path)?.permissions().mode() & OTHERS != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))?;
    }
    Ok(())
}

/// Makes the names in a directory survive a power cut.
///
/// # Errors
/// The system cannot promise it.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A program is in the terminal that it was started from.
pub const fn reach_terminal() {}

/// Lets what `command` starts outlive the terminal: it leaves its session itself, by setsid(2).
pub fn detach(_: &mut Command) {}

/// Where a daemon would listen: in `runtime` if that is short enough, else in a private directory of this user under a name
/// from `digest`. The directory exists afterwards.
///
/// # Errors
/// [`HomeError::NotPrivate`] or [`HomeError::SocketPathTooLong`].
pub fn create_socket_path(runtime: Option<&Path>, digest: &str) -> Result<PathBuf, HomeError> {
    let user_runtime = env::var_os("XDG_RUNTIME_DIR").filter(|v| !v.is_empty()).map(PathBuf::from);
    let user = rustix::process::geteuid().as_raw();
    let mut last = PathBuf::new();
    for (directory, socket) in socket_candidates(runtime, user_runtime.as_deref(), user, digest) {
        if socket.as_os_str().len() >= SOCKET_PATH_BYTES {
            last = socket;
            continue;
        }
        let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&directory);
        made.map_err(HomeError::io(&directory))?;
        check_private(&directory)?;
        return Ok(socket);
    }
    Err(HomeError::SocketPathTooLong { path: last })
}

/// Where private files of whoever talks with `socket` may lie: named as it is, in its directory.
#[must_use]
pub fn beside_socket(socket: &Path, _state: &Path) -> PathBuf {
    socket.to_path_buf()
}

fn socket_candidates(
    runtime: Option<&Path>,
    user_runtime: Option<&Path>,
    user: u32,
    digest: &str,
) -> Vec<(PathBuf, PathBuf)> {
    let own = runtime.map(|dir| (dir.to_path_buf(), dir.join("ensafer.sock")));
    let of_session = user_runtime.map(|dir| dir.join("ensafer"));
    let shared = [of_session, Some(temporary_directory().join(format!("ensafer-{user}")))];
    let name = format!("{digest}.sock");
    own.into_iter().chain(shared.into_iter().flatten().map(|dir| (dir.clone(), dir.join(&name)))).collect()
}

/// Checks that a directory is no link, is this user's and is closed to others.
fn check_private(path: &Path) -> Result<(), HomeError> {
    let found = fs::symlink_metadata(path).map_err(HomeError::io(path))?;
    let own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if own && found.mode() & OTHERS == 0 {
        Ok(())
    } else {
        Err(HomeError::NotPrivate { path: path.to_path_buf() })
    }
}

/// Whether somebody listens at `path`.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] where nobody does.
pub fn knock(path: &Path) -> io::Result<()> {
    std::os::unix::net::UnixStream::connect(path).map(drop)
}

/// Connects with whoever listens at `path`. `None` if that is another user.
///
/// # Errors
/// As [`knock`].
pub async fn connect(path: &Path) -> io::Result<Option<ClientStream>> {
    let stream = UnixStream::connect(path).await?;
    Ok(is_own(&stream)?.then_some(stream))
}

fn is_own(stream: &UnixStream) -> io::Result<bool> {
    Ok(stream.peer_cred()?.uid() == rustix::process::geteuid().as_raw())
}

/// Where a daemon listens: a socket that only its owner may open, removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, whose directory must be closed to others, and where a daemon that was killed may have left its own
    /// socket. Needs a tokio runtime.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind(path: &Path) -> io::Result<Self> {
        crate::private_file::remove(path)?;
        let listener = UnixListener::bind(path)?;
        // The directory is closed to others, so nobody connects before the mode is set.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_path_buf() })
    }

    /// The next connection; `None` where another user's program has made it, or nobody knows whose.
    ///
    /// # Errors
    /// Nobody can connect now.
    pub async fn accept(&mut self) -> io::Result<Option<ServerStream>> {
        let (stream, _) = self.listener.accept().await?;
        Ok(is_own(&stream).unwrap_or(false).then_some(stream))
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The next daemon removes what is left.
        let _ = crate::private_file::remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn socket_paths_fit_whatever_the_home() {
        let session = Path::new("/run/user/1000");
        let fits = |runtime: &Path, session: &Path| {
            let all = socket_candidates(Some(runtime), Some(session), 4_294_967_295, "0123456789abcdef");
            let mut sockets = all.into_iter().map(|(_, socket)| socket);
            sockets.find(|s| s.as_os_str().len() < SOCKET_PATH_BYTES).unwrap()
        };
        let short = Path::new("/home/alice/runtime");
        let long = Path::new("/srv").join("a".repeat(200));
        assert_eq!(fits(short, session), Path::new("/home/alice/runtime/ensafer.sock"));
        assert_eq!(fits(&long, session), Path::new("/run/user/1000/ensafer/0123456789abcdef.sock"));
        let deep = Path::new("/run").join("u".repeat(150));
        assert!(fits(&long, &deep).starts_with("/tmp/ensafer-4294967295"), "the last resort always fits");
    }

    #[test]
    fn a_shared_directory_must_be_ones_own() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(check_private(&open), Err(HomeError::NotPrivate { .. })));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o700)).unwrap();
        check_private(&open).unwrap();
        let link = root.path().join("link");
        symlink(&open, &link).unwrap();
        assert!(matches!(check_private(&link), Err(HomeError::NotPrivate { .. })));
    }
}
