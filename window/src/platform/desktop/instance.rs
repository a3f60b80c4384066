//! One window for each home: the first start holds a lock and listens at a socket, where each later one says what it wants. The
//! locked file says where that is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{io, thread};

use ensafer_client::home::Home;
use ensafer_client::platform::{Listener, connect, keep_to_owner, try_lock};
use ensafer_client::screen::Screen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use super::{MainThread, Request};
use crate::error::WindowError;

/// How long a later start waits for the first one, which holds its lock a moment before it listens.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// More than any screen's name has.
const LONGEST_NAME_BYTES: u64 = 64;

/// The place of the one window.
pub struct Instance {
    /// Held until the process ends.
    lock: File,
    socket: PathBuf,
}

impl Instance {
    /// Takes it; `None` where another window has it.
    ///
    /// # Errors
    /// [`WindowError::Instance`].
    pub fn take(home: &Home) -> Result<Option<Self>, WindowError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = keep_to_owner(&mut options).open(lock_file(home)).map_err(WindowError::Instance)?;
        match try_lock(&lock) {
            Ok(()) => Ok(Some(Self { lock, socket: socket(home)? })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(WindowError::Instance(error)),
        }
    }

    /// Tells `main` what later starts want, for as long as the process runs.
    ///
    /// # Errors
    /// [`WindowError::Instance`].
    pub fn listen(mut self, main: &MainThread) -> Result<(), WindowError> {
        let main = main.clone();
        let runtime = runtime()?;
        let bound = runtime.block_on(async { Listener::bind(&self.socket) });
        let listener = bound.map_err(WindowError::Instance)?;
        let place = self.socket.as_os_str().as_encoded_bytes();
        let said = self.lock.set_len(0).and_then(|()| self.lock.write_all(place));
        said.map_err(WindowError::Instance)?;
        let hear = move || {
            // The lock is held as long as somebody listens.
            let _lock = self.lock;
            runtime.block_on(hear(listener, &main));
        };
        let thread = thread::Builder::new().name("instance".to_owned()).spawn(hear);
        thread.map(drop).map_err(WindowError::Instance)
    }
}

async fn hear(mut listener: Listener, main: &MainThread) {
    loop {
        match listener.accept().await {
            Ok(Some(caller)) => {
                let mut name = String::new();
                // Windows' pipes break where others end.
                let _ = caller.take(LONGEST_NAME_BYTES).read_to_string(&mut name).await;
                main.ask(Request::Raise(name.parse().ok()));
            }
            Ok(None) => {}
            // Something is exhausted, and may be had again.
            Err(_) => tokio::time::sleep(BETWEEN_TRIES).await,
        }
    }
}

/// Raises the window that is open, at a screen if one is wished for.
///
/// # Errors
/// [`WindowError::Instance`] where it does not listen.
pub fn raise_other(home: &Home, screen: Option<Screen>) -> Result<(), WindowError> {
    let lock = lock_file(home);
    let name = screen.map(Screen::name).unwrap_or_default();
    let told = runtime()?.block_on(tokio::time::timeout(PATIENCE, tell(&lock, name)));
    told.map_err(|_| WindowError::Instance(io::ErrorKind::TimedOut.into()))?.map_err(WindowError::Instance)
}

async fn tell(lock: &Path, name: &str) -> io::Result<()> {
    loop {
        let socket = fs::read_to_string(lock)?;
        match connect(Path::new(&socket)).await {
            Ok(Some(mut first)) => {
                first.write_all(name.as_bytes()).await?;
                return first.shutdown().await;
            }
            Ok(None) => return Err(io::ErrorKind::PermissionDenied.into()),
            Err(_) => tokio::time::sleep(BETWEEN_TRIES).await,
        }
    }
}

fn runtime() -> Result<Runtime, WindowError> {
    Builder::new_current_thread().enable_all().build().map_err(WindowError::Instance)
}

fn lock_file(home: &Home) -> PathBuf {
    home.data_dir().join("window.lock")
}

/// Beside the daemon's.
fn socket(home: &Home) -> Result<PathBuf, WindowError> {
    Ok(home.create_socket_path()?.with_extension("win"))
}
