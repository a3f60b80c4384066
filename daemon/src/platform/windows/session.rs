//! What a process asks of its user's session and of its computer.

use std::fs;
use std::io;
use std::path::Path;
use std::ptr;

use ensafer_client::platform::wide;
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::Storage::FileSystem::{GetDiskFreeSpaceExW, MoveFileExW};
use windows_sys::Win32::System::Console::FreeConsole;
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;

use crate::platform::Privacy;

/// Where the environment has the user's name.
pub const USER_VARIABLES: [&str; 2] = ["USERNAME", "USER"];

/// Has the system report no crash of this process: a report holds memory, hence keys.
pub fn forbid_core_dumps() {
    // SAFETY: takes flags only.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    }
}

/// Leaves the console, which closes if it was for this process only.
pub fn leave_terminal() {
    // SAFETY: takes nothing. It fails where there is no console, which is what is wanted.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        FreeConsole();
    }
}

/// Wishes that this process ends: Ctrl-C, Ctrl-Break, a closed console. One that has left its console hears of none, and is
/// ended with the session, as by a kill: nothing is lost by that, because every start observes anew.
#[derive(Debug)]
pub struct Terminations {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Terminations {
    /// From now on they do not end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// They cannot be received.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

/// The name of this computer; empty if it has none.
#[must_use]
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Name and version of the system's kernel.
#[must_use]
pub fn kernel() -> (String, String) {
    let mut version = OSVERSIONINFOW {
        dwOSVersionInfoSize: u32::try_from(size_of::<OSVERSIONINFOW>()).expect("it is small"),
        ..OSVERSIONINFOW::default()
    };
    // SAFETY: the structure is as large as it says, and outlives the call, which cannot fail.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        RtlGetVersion(&raw mut version);
    }
    let release = format!("{}.{}.{}", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    ("Windows".to_owned(), release)
}

/// Whom a file or directory is for.
///
/// # Errors
/// It is not there, or cannot be looked at.
pub fn privacy(path: &Path) -> io::Result<Privacy> {
    fs::metadata(path)?;
    Ok(if ensafer_client::platform::is_closed_to_others(path)? {
        Privacy::Own
    } else {
        Privacy::Open { remedy: "ensafer start, which closes it".to_owned() }
    })
}

/// Bytes that this user can still write to the file system of `path`.
///
/// # Errors
/// It cannot be looked at.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = wide(path);
    let mut free = 0;
    // SAFETY: the path ends with a zero, and `free` outlives the call.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let got = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut()) };
    if got == 0 { Err(io::Error::last_os_error()) } else { Ok(free) }
}

/// Renames a file to a name that must be free, by the system's own promise, which every file system of Windows gives.
///
/// # Errors
/// It is not there, the other is, or it must not be renamed.
pub fn rename_by_promise(from: &Path, to: &Path) -> io::Result<bool> {
    let [from, to] = [from, to].map(wide);
    // SAFETY: both paths end with a zero. Without a flag, it never replaces.
    #[expect(unsafe_code, reason = "std's rename replaces")]
    let moved = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) };
    if moved == 0 { Err(io::Error::last_os_error()) } else { Ok(true) }
}
