//! Ensafer's daemon and command line: the engine that keeps a work folder and an encrypted folder the same, and the
//! shell around it.

#![deny(unsafe_code)]

pub mod account;
pub mod account_watch;
pub mod activity;
pub mod apply;
pub mod authorities;
pub mod autostart;
pub mod board;
pub mod check;
pub mod cli;
pub mod clock;
pub mod clouds;
pub mod config;
pub mod daemon;
pub mod decrypt;
pub mod durable;
pub mod embedded_server;
pub mod encrypt;
pub mod engine;
pub mod envelopes;
pub mod exit;
pub mod folder_keys;
pub mod folders;
pub mod groups;
pub mod host;
pub mod invitations;
pub mod join;
pub mod key_server;
pub mod local_api;
pub mod local_engine;
pub mod logging;
pub mod members;
pub mod membership;
pub mod output;
pub mod payload;
pub mod platform;
pub mod progress;
pub mod prompt;
pub mod qr;
pub mod refusals;
pub mod scan;
pub mod secrets;
pub mod shell;
pub mod signers;
pub mod state;
pub mod store;
pub mod supervisor;
pub mod trash;
pub mod vault;
pub mod verify;
pub mod view;
pub mod watch;
pub mod work_dir;
