//! What opens files and directories: the shell, as a double click does (ShellExecuteW).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr;

use ensafer_client::platform::wide;
use windows_sys::Win32::System::SystemInformation::GetSystemWindowsDirectoryW;
use windows_sys::Win32::UI::Shell::ShellExecuteW;
use windows_sys::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;

/// What ShellExecuteW returns is above this where it did something ("Return value").
const LAST_ERROR: usize = 32;

/// Opens a file or directory with the program that the user has chosen for it. Does not wait for that.
///
/// # Errors
/// There is no program for it.
pub fn open_with_its_program(path: &Path) -> io::Result<()> {
    execute(None, path.as_os_str(), None)
}

/// Shows a directory in the Explorer.
///
/// # Errors
/// The Explorer cannot be asked.
pub fn open_directory(path: &Path) -> io::Result<()> {
    // With a backslash at its end it is a directory: without one, a program of the same name beside it would be started.
    execute(Some(OsStr::new("explore")), path.join("").as_os_str(), None)
}

/// Selects `path` in the Explorer.
///
/// # Errors
/// The Explorer cannot be asked.
pub fn show_in_file_manager(path: &Path) -> io::Result<()> {
    // The Explorer takes what follows a slash for a switch; no path contains a quotation mark.
    let path: PathBuf = path.components().collect();
    let mut argument = OsString::from("/select,\"");
    argument.push(path);
    argument.push("\"");
    execute(None, windows_directory()?.join("explorer.exe").as_os_str(), Some(&argument))
}

/// Where the system is: a program is not looked for in the current directory then.
fn windows_directory() -> io::Result<PathBuf> {
    let mut buffer = [0; 260];
    let room = u32::try_from(buffer.len()).expect("it is small");
    // SAFETY: the buffer has the length that is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let length = unsafe { GetSystemWindowsDirectoryW(buffer.as_mut_ptr(), room) };
    let found =
        usize::try_from(length).ok().filter(|&length| length > 0).and_then(|length| buffer.get(..length));
    found.map(|path| OsString::from_wide(path).into()).ok_or_else(io::Error::last_os_error)
}

fn execute(verb: Option<&OsStr>, file: &OsStr, argument: Option<&OsStr>) -> io::Result<()> {
    let (verb, file, argument) = (verb.map(wide), wide(file), argument.map(wide));
    let [verb, argument] = [&verb, &argument].map(|text| text.as_ref().map_or(ptr::null(), Vec::as_ptr));
    // SAFETY: the texts end with a zero and outlive the call; no window and no directory are given.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let returned =
        unsafe { ShellExecuteW(ptr::null_mut(), verb, file.as_ptr(), argument, ptr::null(), SW_SHOWNORMAL) };
    if returned as usize > LAST_ERROR { Ok(()) } else { Err(io::Error::last_os_error()) }
}
