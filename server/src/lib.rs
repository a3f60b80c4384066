//! Key server.
pub mod clock;
pub mod config;
pub mod error;
pub mod mail;
pub mod metrics;
pub mod secret;
