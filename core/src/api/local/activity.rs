//! What was done in folders.

use serde::{Deserialize, Serialize};

use crate::ids::FolderId;

/// What became of a file, a symbolic link or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It is new.
    Added,
    /// Its content is another.
    Changed,
    /// It has another name or lies elsewhere.
    Moved,
    /// It is gone.
    Removed,
}

/// Answer of `GET /v1/activity`: something that both sides of a folder have now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityReport {
    /// The folder.
    pub folder: FolderId,
    /// When this computer was done with it.
    pub at: String,
    /// What became of it.
    pub deed: Deed,
    /// Its path below the work folder.
    pub path: String,
    /// The path that it had before, if it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether it was done on this computer; else it came from another one.
    pub here: bool,
    /// Who published it and on which computer, as in `alice, laptop`.
    pub author: String,
}
