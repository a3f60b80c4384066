//! Ensafer's window: the page that the daemon serves, in a frame of the desktop's own.
//!
//! A program of its own, so that nothing of GTK and WebKit is in memory while no window is open. It keeps nothing: what
//! it shows is the daemon's, asked through [`relay`].

#![deny(unsafe_code)]

pub mod address;
pub mod daemon;
pub mod error;
pub mod platform;
pub mod relay;
