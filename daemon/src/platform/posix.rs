//! Files by open directories and names in them, as POSIX has them: rustix's and the standard library's own. Windows has the
//! same in `windows/`.

pub use std::fs::canonicalize;
pub use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
pub use std::os::unix::fs::FileExt;

pub use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, accessat, fstatvfs,
    futimens, mkdirat, open, openat, readlinkat, renameat, symlinkat, unlinkat, utimensat,
};
pub use rustix::io::{Errno, Result};
pub use rustix::path::Arg;
