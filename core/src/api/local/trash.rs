//! What lies in the trash of work folders.

use serde::{Deserialize, Serialize};

use super::EntryKind;
use crate::ids::FolderId;

/// Answer of `GET /v1/trash`: something that Ensafer deleted or replaced on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashedReport {
    /// The folder.
    pub folder: FolderId,
    /// Its name in the trash, which is its path below `.ensafer/trash`.
    pub item: String,
    /// The path that it had below the work folder.
    pub path: String,
    /// When it was moved to the trash.
    pub moved: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its length in bytes; 0 for what is no file.
    pub size_bytes: u64,
    /// When its content was last changed.
    pub modified: String,
}

/// Body of `POST /v1/trash/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The folder.
    pub folder: FolderId,
    /// The name in the trash.
    pub item: String,
}

/// Answer of `POST /v1/trash/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The name that it had in the trash.
    pub item: String,
    /// Where it lies now, absolute.
    pub path: String,
}
