//! What the daemon tells the command line, the tray and scripts: the documents of the local API and of `--json`.
//!
//! Fields are only ever added. Times are RFC 3339 in UTC; paths are text, with `\u{FFFD}` for what is not UTF-8.

mod activity;
mod conflicts;
mod trash;

use serde::{Deserialize, Serialize};

use super::hex::HexArray;
use super::server::BundleDocument;
use crate::format::roster::Role;
use crate::ids::{FileId, Fingerprint, FolderId, GroupId, InvitationId};
use crate::plan::{Problem, ProblemClass, Subject};
use crate::time::Timestamp;

pub use activity::{ActivityReport, Deed};
pub use conflicts::{ConflictReport, Keep, ResolveRequest, ShownFile};
pub use trash::{RestoreRequest, Restored, TrashedReport};

/// The version of the local API. It rises when a client of the new version cannot work with a daemon of the old one.
pub const API_VERSION: u32 = 1;

/// Answer to `GET /v1/version`: of which version the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionReport {
    /// The program's version, as three numbers with points between them (Semantic Versioning 2.0.0).
    pub version: String,
    /// The version of the local API.
    pub api: u32,
}

impl VersionReport {
    /// Of this build. All programs of a build have the same version.
    #[must_use]
    pub fn own() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), api: API_VERSION }
    }
}

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

/// How `sync` ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SettleOutcome {
    /// How many problems stand.
    pub problems: u64,
    /// Whether a brake holds at least one folder.
    pub braked: bool,
    /// How many objects were written into encrypted folders.
    pub published: u64,
    /// How many entries were changed in work folders.
    pub applied: u64,
    /// How many contents were kept twice.
    pub conflicts: u64,
    /// Whether something was left undone, because it was interrupted or would not come to rest.
    pub incomplete: bool,
    /// Whether a folder could not be synced because the keys are locked.
    pub locked: bool,
    /// Why folders could not be synced at all.
    pub unreachable: Vec<String>,
}

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

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyReport {
    /// How many encrypted files were opened to the last byte.
    pub files: u64,
    /// Their ciphertext.
    pub bytes: u64,
    /// Those that failed.
    pub failed: Vec<VerifyFailure>,
}

/// An encrypted file that failed verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyFailure {
    /// The file, relative to the encrypted folder.
    pub object: String,
    /// Why.
    pub class: ProblemClass,
    /// In words.
    pub what: String,
}

/// What became of one file given to `decrypt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decrypted {
    /// The encrypted file.
    pub object: String,
    /// The file that was written; absent where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<ProblemClass>,
    /// In words; empty where it succeeded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Who signed it; absent where nobody could find out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerReport>,
    /// What somebody did to the list of those who may read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientNote>,
}

/// Who signed an encrypted file: by the key that signed, never by a name in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerReport {
    /// The address under which the account, or the folder's roster, knows the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// How the key is known.
    pub standing: SignerStanding,
    /// Whether its owner may write where the file belongs.
    pub membership: Membership,
}

/// How a key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignerStanding {
    /// It is the account's own.
    #[serde(rename = "self")]
    Own,
    /// It was seen before, and safety numbers were compared.
    Verified,
    /// It was seen before.
    Pinned,
    /// It is a member's, by the roster of somebody who is known.
    Member,
    /// Nobody here knows it.
    Unknown,
}

/// Whether the signer may write in the folder that the file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Membership {
    /// By the folder's roster, yes.
    Checked,
    /// By the folder's roster, no.
    Refused,
    /// No roster that opens lies beside the file.
    NotChecked,
    /// The file belongs to no folder.
    None,
}

/// What somebody who could read a file did to the list of its readers, which they cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientNote {
    /// This account reads it by an envelope that the owner has not listed.
    PassedOn,
    /// So does somebody else.
    EnvelopeAdded,
    /// Somebody whom the owner has listed has no envelope.
    EnvelopeDropped,
}

/// What `encrypt` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptReport {
    /// Who can open the files, beside the account itself.
    pub recipients: Vec<RecipientReport>,
    /// What became of each file.
    pub files: Vec<Encrypted>,
}

/// Somebody for whom files were encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientReport {
    /// The address.
    pub login: String,
    /// Fingerprint of the identity key.
    pub fingerprint: Fingerprint,
    /// Whether safety numbers were compared.
    pub verified: bool,
    /// Whether this was the first time that these keys were seen.
    pub first_seen: bool,
}

/// What became of one file given to `encrypt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encrypted {
    /// The file.
    pub source: String,
    /// The encrypted file that was written; absent where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<ProblemClass>,
    /// In words; empty where it succeeded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// Body of `POST /v1/pause`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PauseRequest {
    /// For how long, in seconds; until `resume` where absent.
    pub for_s: Option<u64>,
}

/// Body of `POST /v1/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResumeRequest {
    /// The brake to release, by the token that `status` shows (engine rule 15).
    pub go_on: Option<String>,
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

/// A member of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// The account's name, as its own keys say.
    pub login: String,
    /// What the member may do.
    pub role: Role,
    /// The fingerprint of the identity key.
    pub fingerprint: String,
    /// The identity key.
    pub identity: HexArray<32>,
    /// Which of the account's bundles the folder has.
    pub sequence: u64,
    /// What this account knows of them.
    pub standing: Standing,
}

/// Somebody who reads a folder by an invitation, and is no member yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestReport {
    /// How far the invitation is.
    pub standing: GuestStanding,
    /// More of an invitation that this account has made. Of another's nobody but its maker knows more.
    #[serde(flatten)]
    pub invitation: Option<InvitedReport>,
}

/// An invitation that this account has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedReport {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub invited: String,
    /// What they will be.
    pub role: Role,
    /// When it ends.
    pub expires: String,
    /// Who has accepted it, to become a member when a computer of the inviter's that has the folder sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<AcceptedBy>,
}

/// Who has accepted an invitation, as the key server says, with a proof that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedBy {
    /// The account's name.
    pub login: String,
    /// What they call themselves; nothing vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the invitation was made for this address.
    pub is_invited_address: bool,
}

/// How far an invitation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestStanding {
    /// Nobody has accepted it yet.
    Invited,
    /// Somebody has accepted it, and reads.
    Accepted,
    /// The folder has no key for its guest: another admin has started a new one.
    ShutOut,
    /// Somebody else has made it.
    OfAnother,
}

/// What an account knows of somebody's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// They are its own.
    #[serde(rename = "self")]
    Own,
    /// The safety numbers were compared.
    Verified,
    /// They were seen before, and are the same.
    Pinned,
    /// They were never seen outside of this folder.
    Unknown,
    /// Under this name other keys were seen before.
    Changed,
}

/// Body of `POST /v1/reencrypt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderRequest {
    /// The folder.
    pub folder: FolderId,
}

/// What `folder find` found.
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
        /// The owner's login, as the folder itself says.
        owner: String,
        /// The fingerprint of the owner's identity key.
        fingerprint: String,
        /// What the account knows of the owner's keys.
        standing: Standing,
    },
    /// No account is set up here.
    Unknown,
}

/// Body of `POST /v1/members`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersRequest {
    /// The folder.
    pub folder: FolderId,
    /// What to change.
    pub change: MembersChange,
}

/// A change of a folder's members.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MembersChange {
    /// Adds somebody, or gives a member new keys.
    Add {
        /// Their keys.
        bundle: BundleDocument,
        /// What they may do.
        role: Role,
    },
    /// Changes what a member may do.
    SetRole {
        /// The member's identity key.
        member: HexArray<32>,
        /// From now on.
        role: Role,
    },
    /// Removes a member, and whoever is invited under the same address.
    Remove {
        /// The member's identity key.
        member: HexArray<32>,
    },
    /// Removes this account.
    Leave,
    /// Shares the folder with a group that this account is in, or changes what its members may do.
    ShareWith {
        /// The group.
        group: GroupId,
        /// Reader or writer.
        role: Role,
    },
    /// Takes the folder away from a group.
    Unshare {
        /// The group.
        group: GroupId,
    },
    /// Takes in what is new about the folder's groups.
    LearnGroups,
    /// Lets the guests of invitations read that this account made.
    Invite {
        /// The invitations, which the account remembers.
        invitations: Vec<InvitationId>,
    },
    /// Takes that back.
    Uninvite {
        /// The invitations.
        invitations: Vec<InvitationId>,
    },
}

/// Why the daemon refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalClass {
    /// No account is set up.
    NotSetUp,
    /// The keys are locked.
    Locked,
    /// The password is wrong.
    WrongPassword,
    /// No brake has that token, or it stands for another set by now.
    NoSuchBrake,
    /// Not now: something has to arrive, or to end, first.
    RetryLater,
    /// It is not for this account to do, or makes no sense as things are.
    NotAllowed,
    /// The account is no member of the folder any more.
    NotAMember,
    /// The request makes no sense.
    BadRequest,
    /// It failed.
    Failed,
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub class: RefusalClass,
    /// What happened, to what.
    pub what: String,
    /// What to do about it, in one sentence, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
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
