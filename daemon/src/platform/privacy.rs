//! Whom a directory is for.

/// Who may look into a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privacy {
    /// This user, and nobody else.
    Own,
    /// It belongs to another user.
    OfAnother,
    /// It is this user's, and others may look into it.
    Open {
        /// What closes it.
        remedy: String,
    },
}
