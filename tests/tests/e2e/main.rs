//! The end-to-end tests, one module a theme. Build the workspace first: they run the `ensafer` of the same build.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a step that fails fails the test; skips say why"
)]

mod apart;
mod brake;
mod carried;
mod clouds;
mod crash;
mod damage;
mod decided;
mod embedded;
mod evil_server;
mod groups;
mod harness;
mod invitations;
mod keyring;
mod keys;
mod large;
mod lines;
mod live;
mod login;
mod mail;
mod mirror;
mod notifications;
mod open;
mod places;
mod privacy;
mod racing;
mod refusals;
mod secrets;
mod server_account;
mod server_lost_answers;
mod server_offline;
mod server_refusals;
mod server_replicas;
mod sharing;
mod single_files;
mod surroundings;
mod terminal;
mod tray;
mod window;
mod window_api;
