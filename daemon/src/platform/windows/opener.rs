//! What opens files and directories: the shell, as a double click does (ShellExecuteW).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::UI::Shell::ShellExecuteW;
use windows_sys::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;

/// What ShellExecuteW returns is above this where it did something ("Return value").
const LAST_ERROR: usize = 32;

/// Opens a file or directory with the program that the user has chosen for it. Does not wait for that.
///
/// # Errors
/// There is no program for it.
pub fn open_with_its_program(path: &Path) -> io::Result<()> {
    execute(path.as_os_str(), None)
}

/// Selects `path` in the Explorer.
///
/// # Errors
/// The Explorer cannot be asked.
pub fn show_in_file_manager(path: &Path) -> io::Result<()> {
    // No path contains a quotation mark.
    let mut argument = OsString::from("/select,\"");
    argument.push(path);
    argument.push("\"");
    execute(OsStr::new("explorer.exe"), Some(&argument))
}

fn execute(file: &OsStr, argument: Option<&OsStr>) -> io::Result<()> {
    let (file, argument) = (wide(file), argument.map(wide));
    let argument = argument.as_ref().map_or(ptr::null(), Vec::as_ptr);
    // SAFETY: the texts end with a zero and outlive the call; no window and no directory are given.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let returned = unsafe {
        ShellExecuteW(ptr::null_mut(), ptr::null(), file.as_ptr(), argument, ptr::null(), SW_SHOWNORMAL)
    };
    if returned as usize > LAST_ERROR { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}
