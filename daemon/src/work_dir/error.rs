//! What can go wrong with one path of the work folder.

use crate::platform::Errno;
use ensafer_core::plan::ProblemClass;

/// Something about one path of the work folder.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Not a plain relative path, or inside [`PRIVATE`](super::PRIVATE).
    #[error("{path:?} is not a path inside the work folder")]
    BadPath {
        /// The path.
        path: String,
    },
    /// The file system cannot hold a name.
    #[error("no file can be called {path:?} here")]
    BadName {
        /// The path.
        path: String,
    },
    /// A symbolic link, a mount or something else than a directory is in the way.
    #[error("{path:?} leads out of the work folder")]
    Outside {
        /// The path.
        path: String,
    },
    /// Nothing is there.
    #[error("{path:?} is not there")]
    Missing {
        /// The path.
        path: String,
    },
    /// Something is there already.
    #[error("{path:?} is there already")]
    Occupied {
        /// The path.
        path: String,
    },
    /// What is there is not what was expected; it is still there. Scan and plan again.
    #[error("{path:?} was changed meanwhile")]
    Changed {
        /// The path.
        path: String,
    },
    /// What came out was not what was expected, and its place was taken: it lies at `beside` now.
    #[error("{path:?} was changed meanwhile and is kept as {beside:?}")]
    KeptBeside {
        /// The path.
        path: String,
        /// Where the unexpected content lies.
        beside: String,
    },
    /// A directory to be removed holds something that is not ignored.
    #[error("{path:?} is not empty")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// No space left on the device, or the quota is used up.
    #[error("no space left for {path:?}")]
    DiskFull {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system does not permit it.
    #[error("no permission for {path:?}")]
    Denied {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Reading or writing failed otherwise.
    #[error("{path:?}")]
    Io {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl WorkError {
    /// The class under which this is listed as a problem; `None` where scanning and planning again is the answer.
    #[must_use]
    pub fn class(&self) -> Option<ProblemClass> {
        match self {
            Self::Missing { .. } | Self::Occupied { .. } | Self::Changed { .. } => None,
            Self::KeptBeside { .. } | Self::NotEmpty { .. } => None,
            Self::BadPath { .. } | Self::BadName { .. } => Some(ProblemClass::BadName),
            Self::DiskFull { .. } => Some(ProblemClass::DiskFull),
            Self::Denied { .. } => Some(ProblemClass::Unreadable),
            Self::Outside { .. } | Self::Io { .. } => Some(ProblemClass::Failed),
        }
    }
}

impl WorkError {
    /// The system's answer about `path`.
    pub(super) fn new(path: &str, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::Missing { path },
            Errno::EXIST => Self::Occupied { path },
            Errno::NOTEMPTY => Self::NotEmpty { path },
            Errno::ILSEQ => Self::BadName { path },
            Errno::LOOP | Errno::XDEV => Self::Outside { path },
            Errno::NOSPC | Errno::DQUOT => Self::DiskFull { path, source: errno.into() },
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied { path, source: errno.into() },
            _ => Self::Io { path, source: errno.into() },
        }
    }

    /// As [`new`](Self::new), for what the standard library reports.
    pub(crate) fn io(path: &str, source: std::io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(errno) => Self::new(path, errno),
            None => Self::Io { path: path.to_owned(), source },
        }
    }
}
