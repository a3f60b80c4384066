//! Windows: files by handles, as POSIX has them, and what else the daemon asks of a system.
//!
//! The standard library takes whole paths, on whose way a directory may be exchanged for a link between two calls. Here
//! every name is looked up in an open directory, by the system's own functions ([`nt`]).

use ensafer_client::timer::Timer;

mod autostart;
mod errno;
mod files;
mod links;
mod nt;
mod opener;
mod paths;
mod places;
mod session;
mod surroundings;
#[cfg(test)]
mod tests;
mod timers;
mod types;
mod volume;

pub use autostart::Autostart;
pub use errno::{Errno, Result};
pub use files::{
    accessat, exchange, facts_at, facts_of, flush, fstatvfs, futimens, is_open_for_writing, list, mkdirat,
    open, open_beneath, openat, readlinkat, rename_new, renameat, set_mode, symlinkat, sync_file_system,
    unlinkat, utimensat, write_out, write_out_data,
};
pub use opener::{open_directory, open_with_its_program, show_in_file_manager};
pub use paths::canonicalize;
pub use places::Places;
pub use session::{
    Terminations, USER_VARIABLES, forbid_core_dumps, free_bytes, host_name, kernel, leave_terminal, privacy,
    rename_by_promise,
};
pub use surroundings::watch_surroundings;
pub use types::{
    Access, Arg, AsFd, AtFlags, BorrowedFd, CWD, FileExt, FileType, Mode, OFlags, OwnedFd, StatVfs, Timespec,
    Timestamps, UTIME_OMIT,
};

/// Opens a directory only for reaching what is in it, which takes no permission to read it.
pub const SEARCH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// The permission bits that this process's new files do not get: none. Access control lists say who may do what.
#[must_use]
pub const fn umask() -> u32 {
    0
}

/// Returns to the system what was freed and is kept for later, as far as the heap can: its largest free pieces.
pub fn give_memory_back() {
    use windows_sys::Win32::System::Memory::{GetProcessHeap, HeapCompact};
    // SAFETY: the process's own heap is always there, and locks itself.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        HeapCompact(GetProcessHeap(), 0);
    }
}

/// What is ready when `timer` has come.
///
/// # Errors
/// The system has no more threads to wait with.
pub fn when_come(timer: Timer) -> std::io::Result<impl Future<Output = ()> + Send> {
    timers::when_signaled(timer)
}
