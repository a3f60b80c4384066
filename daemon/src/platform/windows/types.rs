//! The words in which files are opened, made and spoken of, as the other systems have them.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::ops::BitOr;
use std::os::windows::fs::FileExt as _;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Errno, Result};

/// An open file or directory.
pub type OwnedFd = OwnedHandle;
/// An open file or directory that another has.
pub type BorrowedFd<'h> = BorrowedHandle<'h>;

/// Something that has a file or a directory open.
pub trait AsFd {
    /// Its handle.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_handle()
    }
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_handle()
    }
}

impl AsFd for BorrowedFd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        *self
    }
}

impl<T: AsFd + ?Sized> AsFd for &T {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl<T: AsFd + ?Sized> AsFd for Arc<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

/// Stands for no directory, where a path is whole.
// SAFETY: -1, which a borrowed handle may be; nothing passes it on to the system.
#[expect(unsafe_code, reason = "no safe function makes one")]
pub const CWD: BorrowedFd<'static> = unsafe { BorrowedHandle::borrow_raw(usize::MAX as _) };

/// A name in a directory, or a path where the directory is [`CWD`].
pub trait Arg {
    /// As text. What is none names nothing here.
    fn as_text(&self) -> Result<&str>;
}

impl Arg for str {
    fn as_text(&self) -> Result<&str> {
        Ok(self)
    }
}

impl Arg for String {
    fn as_text(&self) -> Result<&str> {
        Ok(self)
    }
}

impl Arg for CStr {
    fn as_text(&self) -> Result<&str> {
        self.to_str().map_err(|_| Errno::ILSEQ)
    }
}

impl Arg for CString {
    fn as_text(&self) -> Result<&str> {
        self.as_c_str().as_text()
    }
}

impl Arg for Path {
    fn as_text(&self) -> Result<&str> {
        self.to_str().ok_or(Errno::ILSEQ)
    }
}

impl Arg for PathBuf {
    fn as_text(&self) -> Result<&str> {
        self.as_path().as_text()
    }
}

impl<T: Arg + ?Sized> Arg for &T {
    fn as_text(&self) -> Result<&str> {
        (**self).as_text()
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A file with content.
    RegularFile,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Something else, or not known yet.
    Unknown,
}

/// How to open. What has no meaning here is nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OFlags(u32);

impl OFlags {
    /// For reading.
    pub const RDONLY: Self = Self(0);
    /// For reading and writing.
    pub const RDWR: Self = Self(1);
    /// Makes it where it is not there.
    pub const CREATE: Self = Self(1 << 1);
    /// With [`CREATE`](Self::CREATE): nothing may be there.
    pub const EXCL: Self = Self(1 << 2);
    /// A directory or nothing.
    pub const DIRECTORY: Self = Self(1 << 3);
    /// For what lies there only, not for its content.
    pub const PATH: Self = Self(1 << 4);
    /// No symbolic link in the last place of a whole path. Names in a directory never follow one.
    pub const NOFOLLOW: Self = Self(1 << 5);
    /// Opening never waits here.
    pub const NONBLOCK: Self = Self(0);
    /// There is no such thing here.
    pub const NOCTTY: Self = Self(0);
    /// No handle is inherited here unless asked for.
    pub const CLOEXEC: Self = Self(0);

    /// None.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

impl BitOr for OFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// What to open or remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtFlags(u32);

impl AtFlags {
    /// An empty directory.
    pub const REMOVEDIR: Self = Self(1);
    /// A symbolic link itself, as always here.
    pub const SYMLINK_NOFOLLOW: Self = Self(0);
    /// With the rights that the process has now, as always here.
    pub const EACCESS: Self = Self(0);

    /// A file.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// What is asked of [`accessat`](super::accessat).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(());

impl Access {
    /// Reading.
    pub const READ_OK: Self = Self(());
}

/// Permission bits as in `chmod`. Only whether the owner may write a file means anything here: all else is in access
/// control lists, which new entries have from the directory in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// The owner's.
    pub const RWXU: Self = Self(0o700);
    /// The group's.
    pub const RWXG: Self = Self(0o070);
    /// Others'.
    pub const RWXO: Self = Self(0o007);
    /// Reading by the owner.
    pub const RUSR: Self = Self(0o400);
    /// Writing by the owner.
    pub const WUSR: Self = Self(0o200);

    /// None.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// From a number.
    #[must_use]
    pub const fn from_raw_mode(mode: u32) -> Self {
        Self(mode)
    }
}

impl BitOr for Mode {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A point in time: seconds since 1970 and the nanoseconds of that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timespec {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds, or [`UTIME_OMIT`].
    pub tv_nsec: i64,
}

/// In the place of nanoseconds: leave this time as it is.
pub const UTIME_OMIT: i64 = -2;

/// The times of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamps {
    /// Of the last reading.
    pub last_access: Timespec,
    /// Of the last change.
    pub last_modification: Timespec,
}

/// How much room a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatVfs {
    /// Units that this user may still write.
    pub f_bavail: u64,
    /// Bytes of a unit.
    pub f_frsize: u64,
}

/// Reading and writing at offsets.
pub trait FileExt {
    /// Reads at most as many bytes as `buffer` has. 0 at the end.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file is shorter, and the system's.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The system's.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

impl FileExt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.seek_read(buffer, offset)
    }

    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.seek_write(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
