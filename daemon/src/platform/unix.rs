//! What Linux and macOS share.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ensafer_client::timer::Timer;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, Result, retry_on_intr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{SEARCH, facts_at};

pub(super) mod opener;
pub(super) mod own_file;
mod session;

pub use session::{
    Terminations, USER_VARIABLES, free_bytes, host_name, kernel, leave_terminal, privacy, rename_by_promise,
};

/// Opens `path` (components joined by `/`, at least one, none of them `..`) component by component, without following a
/// symbolic link and without crossing a mount: [`Errno::LOOP`] or [`Errno::NOTDIR`], and [`Errno::XDEV`].
pub(super) fn open_by_components(
    at: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    let device = rustix::fs::fstat(at)?.st_dev;
    let mut held: Option<OwnedFd> = None;
    let mut components = path.split('/').peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let (flags, mode) = if is_last { (flags, mode) } else { (SEARCH, Mode::empty()) };
        let from = held.as_ref().map_or(at, AsFd::as_fd);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = retry_on_intr(|| rustix::fs::openat(from, component, flags, mode))?;
        if rustix::fs::fstat(&next)?.st_dev != device {
            return Err(Errno::XDEV);
        }
        held = Some(next);
    }
    held.ok_or(Errno::NOENT)
}

/// Renames to a name that must be free: [`Errno::EXIST`]. File systems that cannot (`RENAME_NOREPLACE`, on macOS
/// `RENAME_EXCL`) get a hard link and an unlink; those without hard links, and directories there, a look before the rename.
pub fn rename_new(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<()> {
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(error) if is_unsupported(error) => rename_new_by_link(from.as_fd(), old, to.as_fd(), new),
        done => done,
    }
}

fn rename_new_by_link(from: BorrowedFd<'_>, old: &str, to: BorrowedFd<'_>, new: &str) -> Result<()> {
    match rustix::fs::linkat(from, old, to, new, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(from, old, AtFlags::empty()),
        Err(error) if error == Errno::PERM || error == Errno::MLINK || is_unsupported(error) => {
            match facts_at(to, new) {
                Err(Errno::NOENT) => rustix::fs::renameat(from, old, to, new),
                Ok(_) => Err(Errno::EXIST),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Exchanges two names, atomically. `false` where the file system cannot (`RENAME_EXCHANGE`, on macOS `RENAME_SWAP`).
pub fn exchange(a: impl AsFd, a_name: &str, b: impl AsFd, b_name: &str) -> Result<bool> {
    match rustix::fs::renameat_with(a, a_name, b, b_name, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(error) if is_unsupported(error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a system or a file system says so that it has no such operation. The last two are one number on Linux.
pub(super) fn is_unsupported(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}

/// What is ready when `timer` has come. Needs a tokio runtime.
///
/// # Errors
/// The runtime can watch no more descriptors.
pub fn when_come(timer: Timer) -> std::io::Result<impl Future<Output = ()> + Send> {
    // SAFETY: a timer owns its descriptor, and has the same one until it is dropped.
    #[expect(unsafe_code, reason = "tokio watches descriptors of others so")]
    let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
    Ok(async move {
        // An error would mean that the runtime ends, and this with it.
        let _ = timer.readable().await;
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_new_name_never_replaces_whatever_the_file_system_can() {
        for rename in [
            (|d: &File, a: &str, b: &str| rename_new(d, a, d, b)) as fn(&File, &str, &str) -> Result<()>,
            |d, a, b| rename_new_by_link(d.as_fd(), a, d.as_fd(), b),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let handle = File::open(dir.path()).unwrap();
            std::fs::write(dir.path().join("a"), b"a").unwrap();
            std::fs::write(dir.path().join("b"), b"b").unwrap();
            std::fs::create_dir(dir.path().join("d")).unwrap();
            assert_eq!(rename(&handle, "a", "b"), Err(Errno::EXIST));
            assert_eq!(rename(&handle, "d", "b"), Err(Errno::EXIST));
            rename(&handle, "a", "c").unwrap();
            rename(&handle, "d", "e").unwrap();
            assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"b");
            assert_eq!(std::fs::read(dir.path().join("c")).unwrap(), b"a");
            assert!(!dir.path().join("a").exists() && dir.path().join("e").is_dir());
        }
    }
}
