//! Documents about single files of synced folders.

use serde::{Deserialize, Serialize};

use crate::ids::{FileId, FolderId};
use crate::plan::{Problem, ProblemClass, Subject};
use crate::time::Timestamp;

/// One object or path that is not in order, with words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// Its class.
    pub class: ProblemClass,
    /// The file of the encrypted folder, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The path below the work folder, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The folder.
    pub folder: FolderId,
    /// When it was first seen.
    pub since: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl ProblemReport {
    /// Puts `problem` of `folder`, first seen at `since`, into words.
    #[must_use]
    pub fn new(problem: &Problem, folder: FolderId, since: Timestamp) -> Self {
        let (object, path) = match &problem.subject {
            Subject::Object(key) => (Some(key.to_string()), None),
            Subject::Path(path) => (None, Some(path.clone())),
        };
        let what = match problem.detail.as_str() {
            "" => problem.class.what().to_owned(),
            detail => format!("{} ({detail})", problem.class.what()),
        };
        let (since, remedy) = (since.to_string(), problem.class.remedy().to_owned());
        Self { class: problem.class, object, path, folder, since, what, remedy }
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.object.as_deref().or(self.path.as_deref()).unwrap_or_default()
    }
}

/// What a file of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// One line of `ls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedEntry {
    /// Below the work folder, components joined by `/`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Length of a file's content.
    pub size_bytes: u64,
    /// When its content was last changed.
    pub modified: String,
    /// The object.
    pub object: FileId,
    /// Its file in the encrypted folder; absent while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
    /// The readable description, empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// One answer of `locate`: the same object on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// The folder.
    pub folder: FolderId,
    /// The object.
    pub object: FileId,
    /// The path in the work folder, absolute.
    pub work: String,
    /// The file in the encrypted folder, absolute; absent while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

/// How far one path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// Equal on both sides when last observed.
    UpToDate,
    /// Something is to be done, or was not observed yet.
    Pending,
    /// A problem stands.
    Problem,
    /// Inside a folder, but never synced (the trash, lock files, temporary files).
    Ignored,
    /// In no folder of this device.
    Outside,
}

/// The answer to `filestatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// The path that was asked about, absolute.
    pub path: String,
    /// How far it is.
    pub state: FileState,
    /// The folder that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderId>,
    /// The object that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<FileId>,
    /// Its file in the encrypted folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
    /// The problems that stand with it or below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemReport>,
}

/// Body of `POST /v1/describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeRequest {
    /// The file in a work folder, absolute.
    pub path: String,
    /// Its description; empty for none.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::StoreKey;

    #[test]
    fn a_problem_has_the_fields_that_scripts_rely_on() {
        let folder = FolderId::new([1; 16]);
        let object = Problem {
            class: ProblemClass::StillArriving,
            subject: Subject::Object(StoreKey("ab.ensafer".into())),
            detail: String::new(),
        };
        let report = ProblemReport::new(&object, folder, Timestamp::from_parts(0, 0));
        let json = serde_json::to_value(&report).unwrap();
        let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["class", "folder", "object", "remedy", "since", "what"]);
        assert_eq!(json["class"], "still-arriving");
        assert_eq!(json["since"], "1970-01-01T00:00:00Z");

        let path = Problem {
            class: ProblemClass::Unreadable,
            subject: Subject::Path("a/b".into()),
            detail: "permission denied".into(),
        };
        let report = ProblemReport::new(&path, folder, Timestamp::from_parts(0, 0));
        assert_eq!((report.path.as_deref(), report.object.as_deref()), (Some("a/b"), None));
        assert_eq!(report.what, "The file or directory cannot be read. (permission denied)");
    }
}
