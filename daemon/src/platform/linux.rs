//! Linux: everything that POSIX does not have, behind safe functions.

use std::ffi::CStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use ensafer_core::time::Timestamp;
use ensafer_core::tree::Stamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, StatxFlags};
use rustix::io::{Errno, Result, retry_on_intr};

use super::unix::open_by_components;
use super::{Facts, FileSystem};

mod autostart;
mod keyring;
mod opener;
mod places;
mod system_bus;

pub use autostart::Autostart;
pub use keyring::connect_keyring;
pub use opener::{open_directory, open_with_its_program, show_in_file_manager};
pub use places::Places;
pub use system_bus::watch_surroundings;

/// Opens a directory only for reaching what is in it, which takes no permission to read it.
pub const SEARCH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Longest path given to the kernel at once; its own limit is 4,096 bytes with the closing NUL.
const PATH_CHUNK_BYTES: usize = 4000;

/// Bytes of directory entries asked for at once.
const DIRECTORY_BUFFER_BYTES: usize = 32 * 1024;

/// `fcntl(2)`: which signal tells of a broken lease. `linux/fcntl.h`; the libc crate does not have it.
const F_SETSIG: i32 = 10;

/// Has this process leave no core dump, which would hold keys; nor may another process of the same user look into its memory.
pub fn forbid_core_dumps() {
    // The only failure is a kernel that does not know it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// What is called `name` in `directory`; a symbolic link itself, never its target.
pub fn facts_at(directory: impl AsFd, name: impl rustix::path::Arg) -> Result<Facts> {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// What an open file is.
pub fn facts_of(file: impl AsFd) -> Result<Facts> {
    statx(file, c"", AtFlags::EMPTY_PATH)
}

fn statx(directory: impl AsFd, name: impl rustix::path::Arg, flags: AtFlags) -> Result<Facts> {
    let found = rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
    let time = |t: rustix::fs::StatxTimestamp| Timestamp::from_parts(t.tv_sec, i64::from(t.tv_nsec));
    let kind = FileType::from_raw_mode(found.stx_mode.into());
    let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(Facts {
        kind,
        stamp: Stamp {
            size: if kind == FileType::RegularFile { found.stx_size } else { 0 },
            modified: time(found.stx_mtime),
            changed: time(found.stx_ctime),
            born: has_birth.then(|| time(found.stx_btime)),
            inode: found.stx_ino,
            device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        },
        links: found.stx_nlink.into(),
        mode: u32::from(found.stx_mode) & 0o7777,
    })
}

/// Opens `path` (components joined by `/`, none of them `..`; empty for `root` itself) without following a symbolic
/// link anywhere and without crossing a mount: [`Errno::LOOP`] or [`Errno::NOTDIR`], and [`Errno::XDEV`].
pub fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let mut held: Option<OwnedFd> = None;
    let mut rest = path;
    while rest.len() > PATH_CHUNK_BYTES {
        let cut = rest.as_bytes()[..PATH_CHUNK_BYTES].iter().rposition(|&b| b == b'/');
        let (head, tail) = cut.and_then(|cut| rest.split_at_checked(cut)).ok_or(Errno::NAMETOOLONG)?;
        let at = held.as_ref().map_or(root, AsFd::as_fd);
        held = Some(open_chunk(at, head, SEARCH, Mode::empty())?);
        rest = &tail[1..];
    }
    let at = held.as_ref().map_or(root, AsFd::as_fd);
    open_chunk(at, if rest.is_empty() { "." } else { rest }, flags, mode)
}

fn open_chunk(at: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    if has_openat2(at) {
        open_at_once(at, path, flags, mode)
    } else {
        open_by_components(at, path, flags, mode)
    }
}

/// Whether the kernel (5.6 and later) has `openat2(2)` and no sandbox forbids it.
fn has_openat2(at: BorrowedFd<'_>) -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let tried = open_at_once(at, ".", SEARCH, Mode::empty());
        !matches!(tried, Err(Errno::NOSYS | Errno::PERM))
    })
}

fn open_at_once(at: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    retry_on_intr(|| rustix::fs::openat2(at, path, flags | OFlags::CLOEXEC, mode, resolve))
}

/// Calls `visit` with the name and type (which may be [`FileType::Unknown`]) of every entry of an open directory but
/// `.` and `..`, in no order.
pub fn list(directory: BorrowedFd<'_>, mut visit: impl FnMut(&CStr, FileType)) -> Result<()> {
    let mut buffer = [MaybeUninit::uninit(); DIRECTORY_BUFFER_BYTES];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
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
        #[allow(clippy::useless_conversion, reason = "32 bits on 32-bit machines")]
        let magic = rustix::fs::fstatfs(file).map_or(0, |found| i64::from(found.f_type) & 0xFFFF_FFFF);
        Self {
            stable_inodes: magic != 0 && !NETWORK_OR_FUSE.contains(&magic) && !FAT.contains(&magic),
            has_events: magic != 0 && !NETWORK_OR_FUSE.contains(&magic),
            trusts_syncfs: SYNCFS_REPORTS.contains(&magic) && kernel_at_least(5, 8),
            normalises_names: false,
        }
    }
}

/// NFS, SMB 1, CIFS, SMB 2, FUSE, 9P, Coda, AFS: `statfs(2)`, `linux/magic.h`.
const NETWORK_OR_FUSE: [i64; 8] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997, 0x7375_7245, 0x5346_414F];
/// FAT and exFAT.
const FAT: [i64; 2] = [0x4D44, 0x2011_BAB0];
/// ext4, XFS, Btrfs, F2FS, tmpfs.
const SYNCFS_REPORTS: [i64; 5] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994];

fn kernel_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

/// Hands a file, or the entries of a directory, to its disk. Durable after [`flush`].
pub fn write_out(file: impl AsFd) -> Result<()> {
    rustix::fs::fsync(file)
}

/// As [`write_out`], without a file's times where its contents are the same.
pub fn write_out_data(file: impl AsFd) -> Result<()> {
    rustix::fs::fdatasync(file)
}

/// Makes durable what was written out to the disk that `file` is on: nothing is left to do, `fsync(2)` and `fdatasync(2)`
/// wait for the disk.
pub fn flush(_file: impl AsFd) -> Result<()> {
    Ok(())
}

/// Makes everything durable that was written to the file system of `root`: `syncfs(2)`.
pub fn sync_file_system(root: impl AsFd) -> Result<()> {
    rustix::fs::syncfs(root)
}

/// Sets a file's permission bits, as in `chmod`.
pub fn set_mode(file: impl AsFd, mode: u32) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
}

/// The permission bits that this process's new files do not get; 022 where the system does not tell.
#[must_use]
pub fn umask() -> u32 {
    // umask(2) can be asked only by setting it, which other threads would notice.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
}

/// Whether any process has the file open for writing; `None` where the system does not tell (another's file, or a
/// network file system). `file` itself must be open for reading only.
#[must_use]
pub fn is_open_for_writing(file: &File) -> Option<bool> {
    // A read lease is granted only while nobody writes. It is given back at once, but a writer may come first; the
    // signal that tells of it must not be SIGIO, which would end the process. SIGURG is ignored by default.
    let told =
        fcntl(file, F_SETSIG, libc::SIGURG).and_then(|()| fcntl(file, libc::F_SETLEASE, libc::F_RDLCK));
    match told {
        Ok(()) => {
            // Should this fail, closing the file gives the lease back.
            let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
            Some(false)
        }
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Some(true),
        Err(_) => None,
    }
}

fn fcntl(file: &File, command: i32, argument: i32) -> std::io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the commands used here take an int.
    #[expect(unsafe_code, reason = "rustix has no file leases")]
    let returned = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if returned == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns to the system what was freed and is kept for later, as far as the allocator can: glibc's keeps it where anything
/// above it is still in use. Takes some milliseconds for 100 MiB.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and locks each arena for itself (malloc_trim(3): MT-Safe).
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    type Opener = fn(BorrowedFd<'_>, &str, OFlags, Mode) -> Result<OwnedFd>;

    #[test]
    fn neither_way_of_opening_leaves_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"s").unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/file"), b"f").unwrap();
        symlink(outside.path(), dir.path().join("a/away")).unwrap();
        symlink("file", dir.path().join("a/b/link")).unwrap();
        let root = File::open(dir.path()).unwrap();
        let ways: [Opener; 3] = [open_beneath, open_at_once, open_by_components];
        for open in ways {
            let at = |path: &str| open(root.as_fd(), path, OFlags::RDONLY, Mode::empty());
            assert!(at("a/b/file").is_ok());
            assert!(matches!(at("a/away/secret"), Err(Errno::LOOP | Errno::NOTDIR)));
            assert!(matches!(at("a/b/link"), Err(Errno::LOOP)));
            assert!(matches!(at("a/none"), Err(Errno::NOENT)));
        }
    }

    #[test]
    fn paths_longer_than_the_kernel_takes_are_opened_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let root = File::open(dir.path()).unwrap();
        let mut path = String::new();
        for depth in 0..40 {
            let parent = open_beneath(root.as_fd(), &path, OFlags::PATH, Mode::empty()).unwrap();
            let name = format!("{depth:0>200}");
            rustix::fs::mkdirat(&parent, &name, Mode::RWXU).unwrap();
            path = if path.is_empty() { name } else { format!("{path}/{name}") };
        }
        assert!(path.len() > 8000);
        assert!(open_beneath(root.as_fd(), &path, OFlags::RDONLY, Mode::empty()).is_ok());
    }

    #[test]
    fn a_writer_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert_eq!(is_open_for_writing(&reader), Some(true));
        drop(writer);
        assert_eq!(is_open_for_writing(&reader), Some(false));
        // The lease is given back: nobody who writes now has to wait.
        File::options().append(true).open(&path).unwrap();
    }

    #[test]
    fn this_machine_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let known = FileSystem::of(File::open(dir.path()).unwrap());
        assert!(known.has_events && known.stable_inodes);
        let unstable = FileSystem::of(File::open("/proc/self/status").unwrap());
        assert!(!unstable.trusts_syncfs);
        assert!(kernel_at_least(3, 0) && !kernel_at_least(1000, 0));
    }
}
