//! The engine over real directories: two or three devices of one account share an encrypted folder, and a fake clock
//! moves.

pub(crate) mod accounts;
mod applying;
mod asleep;
mod braking;
mod conflicts;
mod crash;
mod deciding;
mod dry_runs;
mod faults;
mod groups;
mod guests;
mod history;
mod hostile;
mod identity;
mod members;
mod moving;
mod observing;
mod readers;
mod roster;
mod task;
mod world;
