//! Ensafer's daemon: everything that touches the machine.

pub mod durable;
pub mod platform;
pub mod scan;
pub mod store;
pub mod watch;
pub mod work_dir;
