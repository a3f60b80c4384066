//! Linux.

use std::fs::File;

/// Whether any process has the file open for writing; `None` where the system does not tell (another's file, or a
/// network file system). `file` itself must be open for reading only.
#[must_use]
pub fn is_open_for_writing(file: &File) -> Option<bool> {
    let _ = file;
    None
}
