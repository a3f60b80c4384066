//! What the end-to-end tests are made of: real `ensafer` processes, devices with a home of their own, and directories
//! that are compared to the last nanosecond.
//!
//! The tests see the program as its users do: by its command line, its exit codes, its `--json` documents and the
//! files that it leaves. Nothing of its insides is linked.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the test that took it")]

pub mod account;
pub mod device;
pub mod process;
pub mod random;
pub mod store;
pub mod tree;
pub mod wait;
pub mod world;

pub use device::Device;
pub use process::{Finished, Running};
pub use random::Random;
pub use world::World;
