//! The only place that names an operating system. Another one gets a sibling with the same functions.

#[cfg(not(target_os = "linux"))]
mod desktop;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use desktop::*;
#[cfg(target_os = "linux")]
pub use linux::*;
