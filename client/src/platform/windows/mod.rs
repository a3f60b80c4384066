//! Windows: access lists that close files to others, named pipes, waitable timers, the terminal, texts in UTF-16.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use windows_sys::Win32::Foundation::ERROR_LOCK_VIOLATION;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_GENERIC_WRITE, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY,
    LockFileEx, READ_CONTROL, UnlockFileEx, WRITE_DAC,
};
use windows_sys::Win32::System::Console::{ATTACH_PARENT_PROCESS, AttachConsole};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};

use super::patience::patiently;
use crate::home::HomeError;

mod pipe;
mod security;
pub mod timer;

pub use pipe::{ClientStream, Listener, ServerStream, connect, knock};
pub use security::is_closed_to_others;

/// The byte that is locked, far behind the end: locks of Windows keep others from reading what they cover (LockFileEx).
const LOCKED_BYTE_HIGH: u32 = 0x4000_0000;

/// Leaves `options` as they are: they are for files in private directories, whose access list they inherit.
pub fn keep_to_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a new file that only its owner can read, wherever it lies, and opens it for writing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or it cannot be made.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    // Nobody can open it before it is closed to others.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).share_mode(0).access_mode(FILE_GENERIC_WRITE | WRITE_DAC);
    let file = options.open(path)?;
    security::close_to_others(&file)?;
    Ok(file)
}

/// Makes a directory, with those above it, or closes one that is there to other users. What is made in it is closed, too.
///
/// # Errors
/// It cannot be made or closed.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    security::close_to_others(&open_directory(path, READ_CONTROL | WRITE_DAC)?)
}

/// Makes the names in a directory survive a power cut, as far as this user may ask for it: NTFS keeps them in its journal.
///
/// # Errors
/// The system cannot promise it.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    match open_directory(path, FILE_GENERIC_WRITE).and_then(|directory| directory.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Where private files of whoever talks with `socket` may lie: named as it is, in `state`, because a pipe lies nowhere.
#[must_use]
pub fn beside_socket(socket: &Path, state: &Path) -> PathBuf {
    state.join(socket.file_name().unwrap_or_default())
}

/// A text as functions of Windows take it: in UTF-16, with a zero at its end.
#[must_use]
pub fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

fn open_directory(path: &Path, access: u32) -> io::Result<File> {
    OpenOptions::new().access_mode(access).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// Writes into the terminal that this program was started from: Windows gives none to a program that has windows. To be
/// called before any other thread is started.
pub fn reach_terminal() {
    // SAFETY: it changes nothing but where standard output and standard error lead, and no other thread runs yet.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        // Where there is none, nobody reads.
        AttachConsole(ATTACH_PARENT_PROCESS);
    }
}

/// Lets what `command` starts outlive the terminal, and have none.
pub fn detach(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// Where a daemon would listen: a named pipe. Pipes of all users have one directory, so `digest` has to tell them apart, and
/// something that nobody can guess has to keep others from making it first.
///
/// # Errors
/// None on Windows.
pub fn create_socket_path(_runtime: Option<&Path>, digest: &str) -> Result<PathBuf, HomeError> {
    Ok(PathBuf::from(format!(r"\\.\pipe\ensafer-{digest}-{:016x}", RandomState::new().hash_one(digest))))
}

/// Takes a file for this process alone, until it is closed. Others can still read it.
///
/// # Errors
/// As [`File::try_lock`].
pub fn try_lock(file: &File) -> Result<(), TryLockError> {
    patiently(|| lock_once(file, LOCKFILE_EXCLUSIVE_LOCK))
}

/// Whether a process has taken a file by [`try_lock`]. The system does not tell which one.
#[must_use]
pub fn is_locked(file: &File, _process: u32) -> bool {
    match lock_once(file, 0) {
        // Given back as soon as the file is closed, should this fail.
        Ok(()) => unlock(file),
        Err(TryLockError::WouldBlock) => return true,
        Err(TryLockError::Error(_)) => {}
    }
    false
}

fn lock_once(file: &File, kind: u32) -> Result<(), TryLockError> {
    let mut at = locked_byte();
    // SAFETY: the handle is open for as long as `file` is borrowed, and `at` outlives the call, which does not wait.
    #[expect(unsafe_code, reason = "std locks the whole file, so that nobody could read it")]
    let locked =
        unsafe { LockFileEx(file.as_raw_handle(), kind | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &raw mut at) };
    if locked != 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == i32::try_from(ERROR_LOCK_VIOLATION).ok() {
        Err(TryLockError::WouldBlock)
    } else {
        Err(TryLockError::Error(error))
    }
}

fn unlock(file: &File) {
    let mut at = locked_byte();
    // SAFETY: as in `lock_once`.
    #[expect(unsafe_code, reason = "the other half of LockFileEx")]
    unsafe {
        UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &raw mut at);
    }
}

fn locked_byte() -> OVERLAPPED {
    let mut at = OVERLAPPED::default();
    at.Anonymous.Anonymous.OffsetHigh = LOCKED_BYTE_HIGH;
    at
}
