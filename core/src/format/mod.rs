//! The `.ensafer` file, version 1: `docs/format.md` is the specification, and the rooms here follow it.
//!
//! Everything is bytes in, bytes out. A file is sealed by [`FileSeal`] (or, when it is small, [`seal_bytes`]): first
//! its payload, run by run, then the header that belongs in front of it. It is read by [`open_header`] and
//! [`OpenPayload`] (or [`open_bytes`]). A header is opened only as a whole: keys, MAC, signature, payload head.
//! Membership is the [roster]'s: [`RosterState::may_write`](roster::RosterState::may_write).

mod access;
mod access_list;
mod alone;
mod header;
mod info;
mod key_source;
mod manifest;
mod names;
mod padding;
mod payload;
mod prefix;
mod rewrite;
pub mod roster;
mod seal;
mod statement;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

pub use crate::cbor::Malformed;
pub use access::{Access, Envelope, EnvelopeType, MAX_ENVELOPES};
pub use access_list::{AccessList, Recipient};
pub use alone::MAX_RECIPIENTS;
pub use header::{OpenedHeader, Origin, header_len, open_header, open_header_again};
pub use key_source::{
    AccountAlone, FileKeySource, FolderKeys, FoundKey, Invited, OpenedFolderKey, SyncedFolder,
};
pub use manifest::{MAX_MANIFEST_LEN, Manifest};
pub use names::{
    EXTENSION, RefusedName, StoreName, System, fan_out_directory, from_local_name, is_windows_name,
    object_name, parse_store_name, temporary_name, to_local_name,
};
pub use padding::padme;
pub use payload::{OpenPayload, PayloadError, RUN_CHUNKS, RUN_LEN, open_bytes};
pub use prefix::{MAGIC, MAX_ACCESS_LEN, MAX_INFO_LEN, PREFIX_LEN, Prefix, SUITE, VERSION};
pub use rewrite::rewrite_info;
pub use seal::{
    FileSeal, FolderSeal, MAX_FILE_MEMBERS, SealError, SealedHeader, SealedObject, member_envelopes,
    seal_bytes,
};
pub use statement::{
    Authorship, MAX_CLOCK_ENTRIES, MAX_DESCRIPTION_LEN, MAX_DEVICE_NAME_LEN, MAX_SIZE, MAX_STATEMENT_LEN,
    MAX_TARGET_LEN, ObjectKind, SignedStatement, Statement,
};

use crate::ids::FolderId;
use crate::plan::ProblemClass;

/// How long a file of full length that cannot be read may stay as it is before it is taken for damaged (engine rule 5).
pub const DAMAGED_AFTER: Duration = Duration::from_mins(10);
/// The same, of a file that is shorter than its header says.
pub const DAMAGED_AFTER_SHORT: Duration = Duration::from_hours(24);

/// Why a header cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There are fewer bytes than the header says.
    #[error("shorter than the {needed} bytes that its beginning promises")]
    TooShort {
        /// Bytes from the start of the file that are needed to go on.
        needed: u64,
    },
    /// The bytes are not those of an `.ensafer` file.
    #[error("not an Ensafer file")]
    NotEnsafer,
    /// A version, suite, critical flag or kind of object that this version does not know.
    #[error("written by a newer version of Ensafer: upgrade to read it")]
    NewerVersion,
    /// It belongs to another folder.
    #[error("belongs to folder {0}")]
    Foreign(FolderId),
    /// None of its envelopes opens with the keys at hand.
    #[error("no envelope in it is for this account")]
    NotARecipient,
    /// A MAC, commitment, signature, payload head, padding or field does not hold. It does not say which.
    #[error("damaged or forged")]
    Unauthentic,
}

impl HeaderError {
    /// The problem that this is, if nothing about the file will change any more; `full_length` says whether it has
    /// all the bytes that its header promises. While it may change, [`NotEnsafer`](Self::NotEnsafer) and
    /// [`Unauthentic`](Self::Unauthentic) are [`StillArriving`](ProblemClass::StillArriving), too, and what is still
    /// arriving is [`Damaged`](ProblemClass::Damaged) once it has stood for its [`grace`] (engine rule 5).
    #[must_use]
    pub const fn class_when(&self, full_length: bool) -> ProblemClass {
        match self {
            Self::NewerVersion => ProblemClass::NewerVersion,
            Self::Foreign(_) => ProblemClass::Foreign,
            Self::NotARecipient => ProblemClass::NotARecipient,
            Self::TooShort { .. } | Self::NotEnsafer => ProblemClass::StillArriving,
            Self::Unauthentic if full_length => ProblemClass::Damaged,
            Self::Unauthentic => ProblemClass::StillArriving,
        }
    }
}

impl From<Malformed> for HeaderError {
    /// What follows PREFIX is parsed before it is authenticated.
    fn from(_: Malformed) -> Self {
        Self::NotEnsafer
    }
}

/// How long an unreadable file may stay unchanged before it is damaged.
#[must_use]
pub const fn grace(full_length: bool) -> Duration {
    if full_length { DAMAGED_AFTER } else { DAMAGED_AFTER_SHORT }
}
