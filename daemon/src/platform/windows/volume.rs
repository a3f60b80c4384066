//! What a volume can be trusted with.

use windows_sys::Wdk::System::SystemServices::FILE_REMOTE_DEVICE;

use super::super::FileSystem;
use super::AsFd;
use super::nt;

impl FileSystem {
    /// Of an open file. Nothing is trusted where the system does not tell.
    #[must_use]
    pub fn of(file: impl AsFd) -> Self {
        let name = nt::file_system_name(file.as_fd());
        let device = nt::device_characteristics(file.as_fd());
        let is_local = device.is_ok_and(|characteristics| characteristics & FILE_REMOTE_DEVICE == 0);
        let has = |names: &[&str]| is_local && name.as_ref().is_ok_and(|name| names.contains(&name.as_str()));
        Self {
            // FAT and exFAT number a file by where its name lies on the disk.
            stable_inodes: has(&STABLE),
            has_events: has(&STABLE) || has(&FAT),
            // Only an administrator can flush a volume.
            trusts_syncfs: false,
            normalises_names: false,
        }
    }
}

/// `FileSystemName` of those that keep a file's number as long as the file is there.
const STABLE: [&str; 2] = ["NTFS", "ReFS"];
/// Those that have none for the file itself.
const FAT: [&str; 3] = ["FAT", "FAT32", "exFAT"];
