//! What differs between file systems.

/// What a file system can be trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// A file keeps its inode number: not NFS, SMB, FUSE and FAT (engine rule 3).
    pub stable_inodes: bool,
    /// It tells of every change: not network and FUSE file systems (engine rule 7).
    pub has_events: bool,
    /// One [`sync_file_system`](super::sync_file_system) reports every failed write (engine rule 16). Linux only.
    pub trusts_syncfs: bool,
    /// Names that Unicode calls equivalent are the same: APFS and HFS+, whether they heed case or not (engine rule 8).
    pub normalises_names: bool,
}
