//! Ensafer's daemon and command line: the engine that keeps a work folder and an encrypted folder the same, and the
//! shell around it.

#![deny(unsafe_code)]

pub mod account;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod envelopes;
pub mod exit;
pub mod folders;
pub mod home;
pub mod local_api;
pub mod logging;
pub mod output;
pub mod private_file;
pub mod progress;
pub mod prompt;
pub mod refusals;
pub mod secrets;
pub mod shell;
