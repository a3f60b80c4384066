//! Documents about the folders of this computer, and those that could be.

use serde::{Deserialize, Serialize};

use super::people::{PersonReport, Standing};
use crate::format::roster::Role;
use crate::ids::FolderId;
use crate::status::{FolderStatus, Side};

/// One folder of this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderReport {
    /// The folder.
    pub id: FolderId,
    /// The directory with ordinary files.
    pub work: String,
    /// The directory with `.ensafer` files.
    pub encrypted: String,
}

/// A line of the answer to `GET /v1/folders`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedFolder {
    /// The folder.
    #[serde(flatten)]
    pub folder: FolderReport,
    /// The last part of its work directory's path.
    pub name: String,
    /// What this account may do in it; absent while that is not known, because the keys are locked or nothing has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How it is, with the numbers of problems and conflicts.
    pub status: FolderStatus,
}

/// Body of `POST /v1/folders/preview`, and a part of that of `POST /v1/folders/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The directory with ordinary files, absolute, or from the user's home by `~/`.
    pub work: String,
    /// The directory, inside the cloud client's, with encrypted files, likewise.
    pub encrypted: String,
    /// Whose folder it is, where it is somebody else's whom this account has never met: the owner's e-mail address.
    #[serde(default)]
    pub from: Option<String>,
}

/// Answer to `POST /v1/folders/preview`: what adding two directories would do. Nothing was made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderPreview {
    /// The work directory, absolute and without symbolic links.
    pub work: String,
    /// The encrypted directory, likewise.
    pub encrypted: String,
    /// Which of the two are not there, and would be made with `create_missing`.
    pub missing: Vec<String>,
    /// Whether the encrypted directory has a folder already.
    pub is_join: bool,
    /// That folder, which adding is told to [expect](AddFolderRequest::expected); absent where a new one would be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderId>,
    /// The joined folder's owner, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerReport>,
    /// What this account may do in it; absent where the keys are not open to it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What somebody should know before going on.
    pub warnings: Vec<PairWarning>,
    /// Files, directories and links that would be written into the encrypted folder.
    pub encrypt: u64,
    /// Those that would be made or changed in the work folder.
    pub decrypt: u64,
    /// Those that would be moved to the trash.
    pub delete: u64,
    /// Those that are the same on both sides.
    pub same: u64,
    /// Those that differ and would be kept twice: of those to be decrypted.
    pub differ: u64,
    /// Plaintext of the files to be encrypted.
    pub encrypt_bytes: u64,
    /// Plaintext of the files to be decrypted.
    pub decrypt_bytes: u64,
}

/// Whose a folder is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReport {
    /// The login under which this account has met the keys; where it has not, the one that they say themselves.
    pub login: String,
    /// The fingerprint of the identity key.
    pub fingerprint: String,
    /// What this account knows of the keys under that login.
    pub standing: Standing,
}

/// What somebody should know before two directories are synced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairWarning {
    /// What it is, for programs.
    pub class: PairWarningClass,
    /// For people.
    pub what: String,
}

/// What somebody should know before two directories are synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairWarningClass {
    /// The work folder lies in a cloud client's directory: its ordinary files reach the cloud.
    WorkInCloud,
    /// No cloud client is known to carry the encrypted folder anywhere.
    EncryptedOutsideClouds,
    /// Nor that, and both folders lie in one directory below the user's home, or elsewhere than in it: whatever carries
    /// that directory as a whole carries the ordinary files, too.
    InOneDirectory,
}

/// Body of `POST /v1/folders/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddFolderRequest {
    /// The directory with ordinary files, absolute, or from the user's home by `~/`.
    pub work: String,
    /// The directory, inside the cloud client's, with encrypted files, likewise.
    pub encrypted: String,
    /// Whose folder it is, where it is somebody else's whom this account has never met: the owner's e-mail address.
    #[serde(default)]
    pub from: Option<String>,
    /// Make the directories that are not there.
    #[serde(default)]
    pub create_missing: bool,
    /// What the dry run showed. Absent, whatever is there by now is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// What adding two directories is expected to do: between the dry run and the word of the user something else may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// A new folder is made.
    New,
    /// This one is joined.
    Folder(FolderId),
}

impl From<Option<FolderId>> for Expected {
    /// What a dry run showed, by its [`folder`](FolderPreview::folder).
    fn from(shown: Option<FolderId>) -> Self {
        shown.map_or(Self::New, Self::Folder)
    }
}

/// Answer to `POST /v1/folders/add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFolder {
    /// The folder, which is on the list now.
    #[serde(flatten)]
    pub folder: FolderReport,
    /// The owner who was named by `from`, to compare safety numbers with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonReport>,
}

/// Body of `POST /v1/reencrypt` and `POST /v1/folders/remove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderRequest {
    /// The folder.
    pub folder: FolderId,
}

/// Body of `POST /v1/folders/open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenFolderRequest {
    /// The folder.
    pub folder: FolderId,
    /// Which of its directories.
    pub side: Side,
    /// A file or directory below it, by its path from there: what is shown is the directory that it lies in. The file
    /// itself is never opened.
    #[serde(default)]
    pub path: Option<String>,
}

/// Answer to `GET /v1/directories`: a directory of this computer, to choose one in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryReport {
    /// The directory, absolute.
    pub path: String,
    /// The one that it lies in; absent at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The directories in it, by name, at most 1,000. Those whose name is no text are left out.
    pub directories: Vec<DirectoryEntry>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// A directory in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Whether people do not want to see it usually: its name begins with a dot.
    pub is_hidden: bool,
}

/// Answer to `GET /v1/clouds`: what `folder find` found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FoundReport {
    /// The directories of cloud clients.
    pub clouds: Vec<CloudReport>,
    /// The encrypted folders in them that concern this account.
    pub folders: Vec<FoundFolder>,
}

/// A directory of a cloud client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudReport {
    /// What the client calls itself.
    pub client: String,
    /// The directory.
    pub directory: String,
    /// A place in it for a new encrypted folder: nothing is there, or an empty directory. Absent where it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested: Option<String>,
}

/// An encrypted folder in a cloud client's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFolder {
    /// Its encrypted directory.
    pub encrypted: String,
    /// The folder.
    pub folder: FolderId,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
}

/// Whose an encrypted folder is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "whose", rename_all = "kebab-case")]
pub enum Whose {
    /// It is on the list of this computer.
    Listed {
        /// Its work directory.
        work: String,
    },
    /// The account itself made it.
    Own,
    /// It is somebody else's, and the account is a member.
    Shared {
        /// The owner's login: the one under which the account has met their keys; where it has not, the one that the
        /// folder itself says.
        owner: String,
        /// The fingerprint of the owner's identity key.
        fingerprint: String,
        /// What the account knows of the owner's keys under that login.
        standing: Standing,
    },
    /// No account is set up here.
    Unknown,
}
