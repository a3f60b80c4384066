//! Contents that were kept twice, and what becomes of them.

use serde::{Deserialize, Serialize};

use crate::ids::{FileId, FolderId};

/// Answer of `GET /v1/conflicts`: a content that was kept beside another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictReport {
    /// The folder.
    pub folder: FolderId,
    /// The object of the conflict copy, by which the conflict is named.
    pub conflict: FileId,
    /// The file that kept the name; absent where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<ShownFile>,
    /// The conflict copy. Its name tells who wrote it, where and when.
    pub copy: ShownFile,
    /// Who wrote the original and on which computer, as in `alice, laptop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who wrote the copy and on which computer, as its name tells; absent where somebody has renamed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_author: Option<String>,
}

/// A file as it shows in a work folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFile {
    /// Its path, absolute.
    pub path: String,
    /// Its length in bytes; 0 for a symbolic link.
    pub size_bytes: u64,
    /// When its content was last changed.
    pub modified: String,
    /// Whether that content was written on this computer.
    #[serde(default)]
    pub here: bool,
}

/// Which of two contents is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Both, as they are.
    Both,
    /// The file that kept the name; the copy goes to the trash.
    Original,
    /// The copy, in the place of the file, which goes to the trash.
    Copy,
}

/// Body of `POST /v1/conflicts/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// The folder.
    pub folder: FolderId,
    /// The object of the conflict copy.
    pub conflict: FileId,
    /// What stays.
    pub keep: Keep,
}
