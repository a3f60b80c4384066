//! What the system answers, under the names that POSIX has for it.

use std::fmt;
use std::io;

use windows_sys::Win32::Foundation as win32;
use windows_sys::Win32::Foundation::{NTSTATUS, WIN32_ERROR};

/// Why the system did not do what was asked: a Windows error code. Codes that mean the same are one here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(WIN32_ERROR);

/// What a call gave.
pub type Result<T> = std::result::Result<T, Errno>;

impl Errno {
    /// No permission.
    pub const ACCESS: Self = Self(win32::ERROR_ACCESS_DENIED);
    /// Another program has it open and does not share it.
    pub const BUSY: Self = Self(win32::ERROR_SHARING_VIOLATION);
    /// The user's quota is used up.
    pub const DQUOT: Self = Self(win32::ERROR_DISK_QUOTA_EXCEEDED);
    /// Something has this name already.
    pub const EXIST: Self = Self(win32::ERROR_ALREADY_EXISTS);
    /// Windows cannot hold such a name.
    pub const ILSEQ: Self = Self(win32::ERROR_INVALID_NAME);
    /// Makes no sense for what it is asked of.
    pub const INVAL: Self = Self(win32::ERROR_INVALID_PARAMETER);
    /// The device failed.
    pub const IO: Self = Self(win32::ERROR_IO_DEVICE);
    /// A directory, where none may be.
    pub const ISDIR: Self = Self(win32::ERROR_DIRECTORY_NOT_SUPPORTED);
    /// A link is in the way.
    pub const LOOP: Self = Self(win32::ERROR_STOPPED_ON_SYMLINK);
    /// Longer than a name or a path may be.
    pub const NAMETOOLONG: Self = Self(win32::ERROR_FILENAME_EXCED_RANGE);
    /// Nothing has this name.
    pub const NOENT: Self = Self(win32::ERROR_FILE_NOT_FOUND);
    /// The disk is full.
    pub const NOSPC: Self = Self(win32::ERROR_DISK_FULL);
    /// The system or the file system does not have this.
    pub const NOSYS: Self = Self(win32::ERROR_NOT_SUPPORTED);
    /// No directory, where one has to be.
    pub const NOTDIR: Self = Self(win32::ERROR_DIRECTORY);
    /// A directory that is not empty.
    pub const NOTEMPTY: Self = Self(win32::ERROR_DIR_NOT_EMPTY);
    /// The file system has no such thing.
    pub const OPNOTSUPP: Self = Self(win32::ERROR_CALL_NOT_IMPLEMENTED);
    /// It takes a privilege that the user does not have.
    pub const PERM: Self = Self(win32::ERROR_PRIVILEGE_NOT_HELD);
    /// The disk is write-protected.
    pub const ROFS: Self = Self(win32::ERROR_WRITE_PROTECT);
    /// Another volume.
    pub const XDEV: Self = Self(win32::ERROR_NOT_SAME_DEVICE);

    /// What a code of the Win32 functions means.
    #[must_use]
    pub const fn from_code(code: WIN32_ERROR) -> Self {
        match code {
            win32::ERROR_PATH_NOT_FOUND | win32::ERROR_DELETE_PENDING => Self::NOENT,
            win32::ERROR_FILE_EXISTS => Self::EXIST,
            win32::ERROR_LOCK_VIOLATION | win32::ERROR_USER_MAPPED_FILE => Self::BUSY,
            win32::ERROR_HANDLE_DISK_FULL => Self::NOSPC,
            win32::ERROR_BAD_PATHNAME => Self::ILSEQ,
            win32::ERROR_BUFFER_OVERFLOW => Self::NAMETOOLONG,
            win32::ERROR_INVALID_FUNCTION | win32::ERROR_CALL_NOT_IMPLEMENTED => Self::NOSYS,
            win32::ERROR_REPARSE_POINT_ENCOUNTERED => Self::LOOP,
            other => Self(other),
        }
    }

    /// What a status of the NT functions means. Some have a Win32 code that says less.
    pub(super) fn from_status(status: NTSTATUS) -> Self {
        match status {
            win32::STATUS_FILE_IS_A_DIRECTORY => Self::ISDIR,
            win32::STATUS_NOT_A_DIRECTORY => Self::NOTDIR,
            // It is gone as soon as the last program that has it open closes it.
            win32::STATUS_DELETE_PENDING | win32::STATUS_NO_SUCH_FILE => Self::NOENT,
            win32::STATUS_OBJECT_NAME_INVALID => Self::ILSEQ,
            win32::STATUS_NOT_A_REPARSE_POINT | win32::STATUS_INVALID_INFO_CLASS => Self::INVAL,
            win32::STATUS_NOT_IMPLEMENTED | win32::STATUS_INVALID_DEVICE_REQUEST => Self::NOSYS,
            // SAFETY: takes a number and gives one.
            #[expect(unsafe_code, reason = "nothing wraps it")]
            status => Self::from_code(unsafe { win32::RtlNtStatusToDosError(status) }),
        }
    }

    /// What the standard library reports, if the system said it.
    #[must_use]
    pub fn from_io_error(error: &io::Error) -> Option<Self> {
        error.raw_os_error().map(|code| Self::from_code(code.cast_unsigned()))
    }
}

impl From<Errno> for io::Error {
    fn from(Errno(code): Errno) -> Self {
        Self::from_raw_os_error(code.cast_signed())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from(*self).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({}: {self})", self.0)
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_the_same() {
        assert_eq!(Errno::from_status(win32::STATUS_OBJECT_NAME_NOT_FOUND), Errno::NOENT);
        assert_eq!(Errno::from_status(win32::STATUS_OBJECT_PATH_NOT_FOUND), Errno::NOENT);
        assert_eq!(Errno::from_status(win32::STATUS_OBJECT_NAME_COLLISION), Errno::EXIST);
        assert_eq!(Errno::from_status(win32::STATUS_SHARING_VIOLATION), Errno::BUSY);
        assert_eq!(Errno::from_status(win32::STATUS_DIRECTORY_NOT_EMPTY), Errno::NOTEMPTY);
        assert_eq!(Errno::from_status(win32::STATUS_NOT_SAME_DEVICE), Errno::XDEV);
        assert_eq!(Errno::from_status(win32::STATUS_DISK_FULL), Errno::NOSPC);
        assert_eq!(Errno::from_status(win32::STATUS_ACCESS_DENIED), Errno::ACCESS);
        assert_eq!(Errno::from_status(win32::STATUS_MEDIA_WRITE_PROTECTED), Errno::ROFS);
        assert_eq!(Errno::from_status(win32::STATUS_PRIVILEGE_NOT_HELD), Errno::PERM);
        assert_eq!(Errno::from_code(win32::ERROR_FILE_EXISTS), Errno::EXIST);
    }

    #[test]
    fn it_goes_through_the_standard_library_and_back() {
        let error = io::Error::from(Errno::EXIST);
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Errno::from_io_error(&error), Some(Errno::EXIST));
        assert_eq!(io::Error::from(Errno::NOENT).kind(), io::ErrorKind::NotFound);
        assert_eq!(Errno::from_io_error(&io::Error::other("not the system")), None);
    }
}
