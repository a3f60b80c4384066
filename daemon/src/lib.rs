//! Ensafer's daemon: the engine that keeps a work folder and an encrypted folder the same, and the shell around it.

pub mod clock;
pub mod envelopes;
pub mod folders;
