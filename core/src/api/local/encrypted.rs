//! Documents about encrypted files: verified, decrypted and encrypted by hand.

use serde::{Deserialize, Serialize};

use crate::ids::Fingerprint;
use crate::plan::ProblemClass;

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
