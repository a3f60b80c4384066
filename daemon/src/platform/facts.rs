//! What is known of a file without reading it.

use ensafer_core::tree::Stamp;

use super::FileType;

/// What the file system says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: FileType,
    /// Size, times, identity.
    pub stamp: Stamp,
    /// Number of hard links.
    pub links: u64,
    /// Permission bits, as in `chmod`.
    pub mode: u32,
}
