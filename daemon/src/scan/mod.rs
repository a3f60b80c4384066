//! One pass over the work folder: what is there, without opening a file.

use std::collections::BTreeSet;
use std::time::Duration;

use ensafer_core::ids::Digest;
use ensafer_core::plan::Problem;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, Stamp, WorkTree};

use crate::watch::Hint;
use crate::work_dir::{WorkDir, WorkError};

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// The time now.
    pub now: Timestamp,
    /// How long a file must have rested before it may be read (engine rule 4).
    pub settle: Duration,
    /// Which names the file system takes for the same: [`WorkDir::folding`].
    pub folding: Folding,
}

/// What a scan saw.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The work folder. Breadth first, siblings sorted by the bytes of their names and next to each other.
    pub tree: WorkTree,
    /// What is not in order, by path.
    pub problems: Vec<Problem>,
    /// The soonest time at which a file that has not rested may have; `None` when all have.
    pub restless: Option<Timestamp>,
}

/// Looks at everything. `previous` helps where the clock was set back: a file that has not changed since then has
/// rested.
#[must_use]
pub fn scan(dir: &WorkDir, previous: Option<&Scan>, options: ScanOptions) -> Scan {
    let _ = (dir, previous, options);
    todo!()
}

/// Looks at the hinted directories, at what is new in them, and at every directory with a restless file; takes the
/// rest over from `previous`.
#[must_use]
pub fn rescan(dir: &WorkDir, previous: &Scan, hints: &BTreeSet<Hint>, options: ScanOptions) -> Scan {
    let _ = (dir, previous, hints, options);
    todo!()
}

/// BLAKE3 of a file, read in runs of 1 MiB; [`WorkError::Changed`] unless it is `expected` before and after.
pub fn hash_file(dir: &WorkDir, path: &str, expected: &Stamp) -> Result<Digest, WorkError> {
    let _ = (dir, path, expected);
    todo!()
}

/// Whether a scan passes over this name silently: Ensafer's own directory and temporary files, locks of office
/// programs, desktop litter. Objects with such names cannot be shown in the work folder either.
#[must_use]
pub fn is_ignored(at_root: bool, name: &str) -> bool {
    let _ = (at_root, name);
    todo!()
}
