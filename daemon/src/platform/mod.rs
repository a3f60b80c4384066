//! The only place that names an operating system, and the only one that may hold `unsafe`. Each system has the same functions
//! in a module of its own.

mod facts;
mod file_system;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(target_os = "linux"))]
mod own_keyring;
#[cfg(unix)]
mod posix;
mod privacy;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use facts::Facts;
pub use file_system::FileSystem;
#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(target_os = "macos")]
pub use macos::*;
#[cfg(not(target_os = "linux"))]
pub use own_keyring::connect_keyring;
#[cfg(unix)]
pub use posix::*;
pub use privacy::Privacy;
#[cfg(unix)]
pub use unix::{
    Terminations, USER_VARIABLES, exchange, free_bytes, host_name, kernel, leave_terminal, privacy,
    rename_by_promise, rename_new, when_come,
};
#[cfg(windows)]
pub use windows::*;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("Linux, macOS and Windows so far: add a sibling of platform/linux.rs");
