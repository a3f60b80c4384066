//! What Ensafer is made of: format, keys, plan and status.
//!
//! Everything here is pure: no I/O, no clock, no runtime, no global state. Times come in as arguments; bytes come in
//! and go out as slices. `docs/architecture.md` shows how the modules fit together.

#![forbid(unsafe_code)]

pub mod account;
pub mod api;
mod cbor;
pub mod clock;
pub mod crypto;
pub mod format;
pub mod ids;
pub mod layout;
pub mod plan;
pub mod reconcile;
pub mod safety;
pub mod status;
pub mod suffix;
pub mod time;
pub mod tree;
pub mod words;
