//! What the end-to-end tests are made of: real `ensafer` and `ensafer-server` processes, devices with a home of their
//! own, a real PostgreSQL and Exim, and directories that are compared to the last nanosecond.
//!
//! The tests see the program as its users do: by its command line, its exit codes, its `--json` documents and the
//! files that it leaves. Core is linked for attackers only, who know the protocol as well as anybody.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test that took it")]

pub mod account;
pub mod bus;
pub mod certificate;
pub mod desktop;
pub mod device;
pub mod display;
pub mod evil_server;
pub mod exim;
pub mod forger;
pub mod keyring;
pub mod mail;
pub mod naive;
pub mod notifications;
pub mod panel_menu;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod random;
pub mod server;
pub mod store;
pub mod surroundings;
pub mod syncthing;
pub mod terminal;
pub mod thief;
pub mod tree;
pub mod wait;
pub mod window;
pub mod world;
pub mod xfce;

pub use bus::Bus;
pub use desktop::{Desktop, TrayItem};
pub use device::Device;
pub use display::{Display, Shown};
pub use evil_server::EvilServer;
pub use exim::Exim;
pub use keyring::Keyring;
pub use postgres::Database;
pub use process::{Finished, Running};
pub use random::Random;
pub use server::{KeyServer, ServerOptions, Storage, on_every_database, on_every_database_with};
pub use syncthing::Syncthing;
pub use terminal::Terminal;
pub use thief::Thief;
pub use window::Window;
pub use world::World;
pub use xfce::XfcePanel;

/// Says that a test is skipped because this machine lacks something.
///
/// # Panics
/// With `CI` set: there nothing may be skipped.
pub fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must not skip: {why}");
    #[allow(clippy::print_stderr, reason = "a skip says why")]
    {
        eprintln!("skipped: {why}");
    }
}
