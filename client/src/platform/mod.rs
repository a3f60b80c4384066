//! The only place that names an operating system. Another one gets a sibling with the same functions.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(target_os = "linux"))]
mod notified;
#[cfg(not(target_os = "linux"))]
mod patience;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(target_os = "macos")]
pub use macos::*;
#[cfg(not(target_os = "linux"))]
pub use notified::*;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;
