//! An account: three key pairs, the signed public bundle, and the sealed rest (`docs/format.md`, "The account file").
//!
//! What is stored, exported and served is a [`SealedAccount`]: the bundle in the clear, the private keys sealed under
//! the account master key, and that key sealed under the password and the recovery key. A device's own seal stays on
//! the device. Opening any of them gives an [`Account`].

mod blob;
mod bundle;
mod file;
mod invitation;
mod known_group;
pub mod login;
mod open_invitation;
mod safety_number;
mod seals;
mod served;
mod state;

pub use blob::{Account, SealedAccount, UnlockError};
pub use bundle::{Bundle, BundleError, SignedBundle};
pub use file::ParseAccountError;
pub use invitation::{
    Acceptance, INVITATION_LIFETIME_S, InvitationLink, InvitationRecord, MAX_FOLDER_NAME_BYTES,
    MAX_RECORD_BYTES, ParseLinkError, RecordError, RecordLimitError,
};
pub use known_group::{KnownGroup, KnownGroupError, MAX_GROUP_NAME_BYTES, MAX_KNOWN_GROUPS};
pub use open_invitation::{MAX_OPEN_INVITATIONS, OpenInvitation};
pub use safety_number::SafetyNumber;
pub use served::SucceedError;
pub use state::{AccountState, Known, ParseStateError, Pin, PinError, TooManyInvitations};

#[cfg(test)]
mod tests;
