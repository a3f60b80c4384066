//! What every program of Ensafer's on a computer shares: the directories, the way to the daemon, how commands end.
//!
//! The command line and the tray reach the daemon through this crate; the daemon itself takes its directories from it.

#![deny(unsafe_code)]

pub mod error;
pub mod exit;
pub mod home;
pub mod launch;
pub mod local_api;
pub mod password;
pub mod platform;
pub mod private_file;
pub mod screen;

pub use platform::{file_watch, timer};
