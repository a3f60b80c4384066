//! The only place that names an operating system, and the only one that may hold `unsafe`. Each system has the same functions
//! in a module of its own.

mod file_system;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(unix)]
mod unix;

pub use file_system::FileSystem;
#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(target_os = "macos")]
pub use macos::*;
#[cfg(unix)]
pub use unix::{Facts, exchange, rename_new, when_come};
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("Linux and macOS so far: add a sibling of platform/linux.rs");
