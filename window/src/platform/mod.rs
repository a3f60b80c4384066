//! The only place that names an operating system. Another one gets a sibling of `linux.rs` with the same functions.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(not(target_os = "linux"))]
compile_error!("only Linux so far: add a sibling of platform/linux.rs");
