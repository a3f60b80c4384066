//! What lies in the trash of work folders.

use serde::{Deserialize, Serialize};

use super::EntryKind;
use crate::ids::FolderId;

/// Query of `GET /v1/trash`: what of it is listed; everything where neither is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrashQuery {
    /// Only the entry of this name, or what lies below it: a day, a moment or a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Only what was at or below this path, absolute, in a work folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

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
