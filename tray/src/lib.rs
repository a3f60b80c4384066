//! Ensafer in the panel: an icon for each status, a tooltip, a menu.
//!
//! The tray holds no keys and no state. Everything that it shows is a pure function of a [`scene::Scene`]: what the
//! daemon says, whether it is there at all, and what became of the last click.

#![deny(unsafe_code)]

pub mod action;
pub mod error;
pub mod follow;
pub mod icon;
pub mod instance;
pub mod menu;
pub mod notice;
pub mod notify;
pub mod platform;
pub mod scene;
pub mod teller;
