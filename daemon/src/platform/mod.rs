//! The only place that names an operating system.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::is_open_for_writing;
#[cfg(not(target_os = "linux"))]
compile_error!("only Linux so far: add a sibling of platform/linux.rs");
