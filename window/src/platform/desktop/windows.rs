//! Windows: what is not as on macOS.

use std::ptr;

use ensafer_client::platform::wide;
use windows_sys::Win32::System::Diagnostics::Debug::{SEM_NOGPFAULTERRORBOX, SetErrorMode};
use windows_sys::Win32::UI::Shell::ShellExecuteW;
use windows_sys::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;
use wry::{WebViewBuilder, WebViewBuilderExtWindows};

/// What WebView2 calls the page, and what it is.
const OUTSIDE: &str = "https://ensafer.window/";
const INSIDE: &str = "ensafer://window/";
const BLOB: &str = "blob:";

/// Keeps what is typed into the page out of dumps: Windows Error Reporting, which makes them, is not called for this process
/// and those of WebView2's, which inherit it.
pub fn forbid_core_dumps() {
    // SAFETY: it takes a number and cannot fail.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        SetErrorMode(SEM_NOGPFAULTERRORBOX);
    }
}

/// The page's address for the web view.
pub fn outside(address: &str) -> String {
    exchange(address, INSIDE, OUTSIDE)
}

/// An address of the web view's, as [`crate::address`] knows it.
pub fn inside(address: &str) -> String {
    exchange(address, OUTSIDE, INSIDE)
}

/// Another beginning, behind `blob:` as well.
fn exchange(address: &str, from: &str, to: &str) -> String {
    let (blob, rest) = address.strip_prefix(BLOB).map_or(("", address), |rest| (BLOB, rest));
    rest.strip_prefix(from).map_or_else(|| address.to_owned(), |rest| format!("{blob}{to}{rest}"))
}

/// Opens an address in the browser or the mail program.
pub fn open(address: &str) {
    let wide = wide(address);
    // SAFETY: the address ends with a zero and outlives the call; everything else may be null.
    #[expect(unsafe_code, reason = "a program that is started would take the address apart")]
    unsafe {
        // Where it fails, Windows says so itself.
        ShellExecuteW(ptr::null_mut(), ptr::null(), wide.as_ptr(), ptr::null(), ptr::null(), SW_SHOWNORMAL);
    }
}

/// What only this system's web view has. That its process has ended it says itself, and begins anew.
pub fn settings<'a>(view: WebViewBuilder<'a>, _crashed: impl Fn() + 'static) -> WebViewBuilder<'a> {
    view.with_https_scheme(true)
}

/// A window has the keys of Windows without a menu.
pub const fn have_menu() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_is_called_otherwise() {
        assert_eq!(inside("https://ensafer.window/#/people"), "ensafer://window/#/people");
        assert_eq!(inside("blob:https://ensafer.window/7a1b"), "blob:ensafer://window/7a1b");
        assert_eq!(outside("ensafer://window/#/people"), "https://ensafer.window/#/people");
        for address in ["https://ensafer.window.example/", "https://x/?https://ensafer.window/"] {
            assert_eq!(inside(address), address);
        }
    }
}
