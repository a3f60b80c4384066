//! Named pipes: what Unix has sockets for.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsHandle;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::SECURITY_IDENTIFICATION;

use super::security::{Private, own_user, owner_of};

/// The daemon's end of a connection.
pub type ServerStream = NamedPipeServer;
/// The other end.
pub type ClientStream = NamedPipeClient;

/// How long a caller waits before it tries again, where all ends of a pipe are taken just now.
const BUSY_INTERVAL: Duration = Duration::from_millis(10);

/// Whether somebody listens at `path`.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where nobody does.
pub fn knock(path: &Path) -> io::Result<()> {
    // Whoever listens may learn who this is, and not act as this user.
    let mut options = OpenOptions::new();
    match options.read(true).write(true).security_qos_flags(SECURITY_IDENTIFICATION).open(path) {
        Err(error) if is_busy(&error) => Ok(()),
        opened => opened.map(drop),
    }
}

/// Connects with whoever listens at `path`. `None` if that is another user.
///
/// # Errors
/// As [`knock`].
pub async fn connect(path: &Path) -> io::Result<Option<ClientStream>> {
    let stream = loop {
        match ClientOptions::new().open(path) {
            Err(error) if is_busy(&error) => tokio::time::sleep(BUSY_INTERVAL).await,
            opened => break opened?,
        }
    };
    // Nobody but its maker chooses a pipe's owner.
    Ok((owner_of(stream.as_handle())? == own_user()?).then_some(stream))
}

fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == i32::try_from(ERROR_PIPE_BUSY).ok()
}

/// Where a daemon listens: a pipe that only its owner may open.
#[derive(Debug)]
pub struct Listener {
    private: Private,
    path: PathBuf,
    /// The end that waits for the next caller.
    next: NamedPipeServer,
}

impl Listener {
    /// Listens at `path`. Needs a tokio runtime.
    ///
    /// # Errors
    /// Somebody else does, or the pipe cannot be made.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let private = Private::new()?;
        let next = end(path, &private, true)?;
        Ok(Self { private, path: path.to_path_buf(), next })
    }

    /// The next connection. Another user's program cannot make one.
    ///
    /// # Errors
    /// Nobody can connect now.
    pub async fn accept(&mut self) -> io::Result<Option<ServerStream>> {
        self.next.connect().await?;
        // Before the connected one is given away: there is always an end to which somebody can connect.
        let next = end(&self.path, &self.private, false)?;
        Ok(Some(std::mem::replace(&mut self.next, next)))
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn end(path: &Path, private: &Private, is_first: bool) -> io::Result<NamedPipeServer> {
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).expect("it is small"),
        lpSecurityDescriptor: private.as_ptr(),
        bInheritHandle: 0,
    };
    let mut options = ServerOptions::new();
    options.first_pipe_instance(is_first).reject_remote_clients(true);
    // SAFETY: the attributes, and the descriptor in them, outlive the call.
    #[expect(unsafe_code, reason = "tokio takes security attributes as they are")]
    unsafe {
        options.create_with_security_attributes_raw(path, (&raw mut attributes).cast())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn the_same_user_is_let_in_again_and_again() {
        let path = PathBuf::from(format!(r"\\.\pipe\ensafer-test-{}", std::process::id()));
        assert_eq!(knock(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut listener = Listener::bind(&path).unwrap();
            assert!(Listener::bind(&path).is_err(), "one at a time");
            for _ in 0..3 {
                let (caller, answerer) = tokio::join!(connect(&path), listener.accept());
                let (mut caller, mut answerer) = (caller.unwrap().unwrap(), answerer.unwrap().unwrap());
                caller.write_all(b"?").await.unwrap();
                let mut byte = [0];
                answerer.read_exact(&mut byte).await.unwrap();
                assert_eq!(&byte, b"?");
            }
        });
    }
}
