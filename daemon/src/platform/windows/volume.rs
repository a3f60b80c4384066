//! What a volume can be trusted with.

use windows_sys::Wdk::System::SystemServices::FILE_REMOTE_DEVICE;

use super::AsFd;
use super::nt;

/// What a file system can be trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// A file keeps its number: not FAT and exFAT, and no network file system (engine rule 3).
    pub stable_inodes: bool,
    /// It tells of every change: no network file system (engine rule 7).
    pub has_events: bool,
    /// Never here: only an administrator can flush a volume (engine rule 16).
    pub trusts_syncfs: bool,
}

impl FileSystem {
    /// Of an open file. Nothing is trusted where the system does not tell.
    #[must_use]
    pub fn of(file: impl AsFd) -> Self {
        let name = nt::file_system_name(file.as_fd());
        let device = nt::device_characteristics(file.as_fd());
        let is_local = device.is_ok_and(|characteristics| characteristics & FILE_REMOTE_DEVICE == 0);
        let has = |names: &[&str]| is_local && name.as_ref().is_ok_and(|name| names.contains(&name.as_str()));
        Self { stable_inodes: has(&STABLE), has_events: has(&STABLE) || has(&FAT), trusts_syncfs: false }
    }
}

/// `FileSystemName` of those that keep a file's number as long as the file is there.
const STABLE: [&str; 2] = ["NTFS", "ReFS"];
/// Those in which it is where the file's name lies on the disk.
const FAT: [&str; 3] = ["FAT", "FAT32", "exFAT"];
