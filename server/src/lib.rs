//! The key server: a program (`ensafer-server`) and the library that it is made of, which the daemon and tests run in
//! their own process through [`Server`].

#![forbid(unsafe_code)]

pub mod account;
pub mod answers;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod connections;
pub mod credentials;
pub mod db;
pub mod directory;
pub mod error;
pub mod extract;
pub mod groups;
pub mod health;
pub mod invitations;
pub mod limits;
pub mod logging;
pub mod login;
pub mod mail;
pub mod metrics;
pub mod notices;
pub mod prune;
pub mod rates;
pub mod registration;
pub mod router;
pub mod secret;
pub mod serve;
pub mod sessions;
pub mod state;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod validate;

pub use serve::Server;
