//! Documents that cross a process boundary.

pub mod local;
