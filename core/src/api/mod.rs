//! Documents that cross a process boundary.

pub mod hex;
pub mod local;
pub mod server;
