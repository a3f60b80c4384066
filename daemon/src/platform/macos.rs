//! macOS: the same as [`linux.rs`](super), by this system's own means.

use std::ffi::{CStr, c_void};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use ensafer_core::time::Timestamp;
use ensafer_core::tree::Stamp;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::{Errno, Result, retry_on_intr};

use super::unix::{is_unsupported, open_by_components};
use super::{Facts, FileSystem};
use crate::durable::unique_number;

mod autostart;
mod opener;
mod places;
mod surroundings;

pub use autostart::Autostart;
pub use opener::{open_directory, open_with_its_program, show_in_file_manager};
pub use places::Places;
pub use surroundings::watch_surroundings;

/// Opens a directory for reaching what is in it. There is no `O_PATH`, so it must be readable, as for listing it.
pub const SEARCH: OFlags = OFlags::DIRECTORY;

/// Has this process leave no core dump, which would hold keys.
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // It can only be lowered, and is not higher than this where that fails.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// What is called `name` in `directory`; a symbolic link itself, never its target.
pub fn facts_at(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<Facts> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(|found| facts(&found))
}

/// What an open file is.
pub fn facts_of(file: impl AsFd) -> Result<Facts> {
    rustix::fs::fstat(file).map(|found| facts(&found))
}

/// A time of last change that is set to before the birth moves the birth there, too (`setattrlist(2)`): then the file looks
/// like another one.
fn facts(found: &Stat) -> Facts {
    let kind = FileType::from_raw_mode(found.st_mode);
    Facts {
        kind,
        stamp: Stamp {
            size: if kind == FileType::RegularFile { found.st_size.cast_unsigned() } else { 0 },
            modified: Timestamp::from_parts(found.st_mtime, found.st_mtime_nsec),
            changed: Timestamp::from_parts(found.st_ctime, found.st_ctime_nsec),
            // File systems that do not know it say 0 or -1.
            born: (found.st_birthtime > 0)
                .then(|| Timestamp::from_parts(found.st_birthtime, found.st_birthtime_nsec)),
            inode: found.st_ino,
            device: found.st_dev.cast_unsigned().into(),
        },
        links: found.st_nlink.into(),
        mode: u32::from(found.st_mode) & 0o7777,
    }
}

/// Opens `path` (components joined by `/`, none of them `..`; empty for `root` itself) without following a symbolic
/// link anywhere and without crossing a mount: [`Errno::LOOP`] or [`Errno::NOTDIR`], and [`Errno::XDEV`].
pub fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    // O_NOFOLLOW_ANY would save the steps, but macOS 10 passes over flags that it does not know, and no path may be longer
    // than 1,024 bytes.
    open_by_components(root, if path.is_empty() { "." } else { path }, flags, mode)
}

/// Calls `visit` with the name and type (which may be [`FileType::Unknown`]) of every entry of an open directory but
/// `.` and `..`, in no order.
pub fn list(directory: BorrowedFd<'_>, mut visit: impl FnMut(&CStr, FileType)) -> Result<()> {
    // Reading moves the place in a directory, so this has a handle of its own.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = retry_on_intr(|| rustix::fs::openat(directory, c".", flags, Mode::empty()))?;
    for entry in Dir::new(own)? {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            visit(entry.file_name(), entry.file_type());
        }
    }
    Ok(())
}

impl FileSystem {
    /// Of an open file. Nothing is trusted where the system does not tell.
    #[must_use]
    pub fn of(file: impl AsFd) -> Self {
        match rustix::fs::fstatfs(file) {
            Ok(found) => {
                // At most 15 letters and a NUL.
                let name = found.f_fstypename.iter().map(|letter| letter.cast_unsigned());
                let name: Vec<u8> = name.take_while(|letter| *letter != 0).collect();
                Self::named(&name, found.f_flags & libc::MNT_LOCAL.cast_unsigned() != 0)
            }
            Err(_) => Self::named(b"", false),
        }
    }

    /// By the type that `statfs(2)` says, and whether it is on this computer.
    fn named(name: &[u8], is_local: bool) -> Self {
        let is_own = is_local && [&b"apfs"[..], b"hfs"].contains(&name);
        // macfuse, osxfuse, fusefs and their variants.
        let is_fuse = name.windows(4).any(|part| part == b"fuse");
        Self {
            stable_inodes: is_own,
            has_events: is_local && !is_fuse,
            trusts_syncfs: false,
            normalises_names: is_own,
        }
    }
}

/// Hands a file, or the entries of a directory, to its disk. Durable after [`flush`].
pub fn write_out(file: impl AsFd) -> Result<()> {
    rustix::fs::fsync(file)
}

/// As [`write_out`]: macOS makes no difference.
pub fn write_out_data(file: impl AsFd) -> Result<()> {
    rustix::fs::fsync(file)
}

/// Makes durable what was written out to the disk that `file` is on: `fsync(2)` leaves it in the disk's own memory. Where a
/// file system cannot (`fcntl(2)`: APFS, HFS+ and FAT can), nothing more is possible.
pub fn flush(file: impl AsFd) -> Result<()> {
    match rustix::fs::fcntl_fullfsync(file) {
        Err(error) if error == Errno::NOTTY || is_unsupported(error) => Ok(()),
        done => done,
    }
}

/// [`Errno::NOTSUP`]: macOS has nothing that would report every failed write to a file system, so that none is
/// [trusted](FileSystem::trusts_syncfs) with it.
pub fn sync_file_system(_root: impl AsFd) -> Result<()> {
    Err(Errno::NOTSUP)
}

/// Sets a file's permission bits, as in `chmod`.
pub fn set_mode(file: impl AsFd, mode: u32) -> Result<()> {
    let mode = RawMode::try_from(mode).map_err(|_| Errno::INVAL)?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
}

/// The permission bits that this process's new files do not get; 022 where the system does not tell.
#[must_use]
pub fn umask() -> u32 {
    // umask(2) can be asked only by setting it, which other threads would notice. A new file shows what it left.
    let path = std::env::temp_dir().join(format!(".ensafer-{:016x}", unique_number()));
    let Ok(file) = File::options().write(true).create_new(true).mode(0o777).open(&path) else {
        return 0o022;
    };
    let found = facts_of(&file);
    // Should this fail, the system sweeps its temporary files.
    let _ = rustix::fs::unlinkat(CWD, &path, AtFlags::empty());
    found.map_or(0o022, |found| !found.mode & 0o777)
}

/// Always `None`: macOS does not tell. It has leases for its own programs only, and to walk through the descriptors of all
/// processes takes too long for every file.
#[must_use]
pub const fn is_open_for_writing(_file: &File) -> Option<bool> {
    None
}

/// Returns to the system what was freed and is kept for later, as far as the allocator can.
pub fn give_memory_back() {
    // SAFETY: no zone means all of them, and no goal as much as possible; each zone is locked meanwhile (malloc/malloc.h).
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        malloc_zone_pressure_relief(std::ptr::null_mut(), 0);
    }
}

#[expect(unsafe_code, reason = "the libc crate does not have it")]
unsafe extern "C" {
    /// malloc/malloc.h.
    fn malloc_zone_pressure_relief(zone: *mut c_void, goal: usize) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_trusted_by_their_names() {
        let apfs = FileSystem::named(b"apfs", true);
        assert!(apfs.stable_inodes && apfs.has_events && apfs.normalises_names);
        let exfat = FileSystem::named(b"exfat", true);
        assert!(!exfat.stable_inodes && exfat.has_events);
        for (name, is_local) in [(&b"smbfs"[..], false), (b"nfs", false), (b"macfuse", true), (b"", false)] {
            let found = FileSystem::named(name, is_local);
            assert!(!found.stable_inodes && !found.has_events, "{name:?}");
        }
    }
}
