//! Files that belong to no folder, for recipients of their own (`docs/format.md`, "A file of no folder"). There is no
//! roster to ask: whoever signed such a file owns it, and has signed who may open it.

use std::sync::Arc;

use super::access::{Access, MAX_ENVELOPES};
use super::access_list::AccessList;
use super::seal::{FileSeal, SealError, UserEnvelope, user_envelopes};
use super::statement::{Authorship, ObjectKind, Statement};
use crate::crypto::{EnvelopePublicKey, FileKey, Random, VerifyingKey};
use crate::ids::{DeviceId, FileId, FolderId, StatementHash};

/// Most recipients of a file of no folder.
pub const MAX_RECIPIENTS: usize = MAX_ENVELOPES;
/// The key epoch of such a file, of which there is one version.
const KEY_EPOCH: u32 = 1;
/// `access_seq` of its list.
const ACCESS_SEQ: u64 = 1;
/// `roster_head` of a file that was written under no roster.
const NO_ROSTER: StatementHash = StatementHash::new([0; 32]);

impl Authorship {
    /// Of files of no folder. `device` is made for each of them anew, and has no name: recipients learn nothing of the
    /// writer's computers.
    #[must_use]
    pub fn alone(writer: VerifyingKey, device: DeviceId) -> Self {
        Self {
            folder: FolderId::NONE,
            owner: writer.fingerprint(),
            writer,
            device,
            device_name: Arc::from(""),
            roster_head: NO_ROSTER,
        }
    }
}

impl FileSeal {
    /// Starts a file of no folder ([`Authorship::alone`]) that each of `users` opens. Whoever is named twice gets one
    /// envelope.
    ///
    /// # Errors
    /// [`SealError::Statement`], also for no user or more than [`MAX_RECIPIENTS`]; [`SealError::TooLarge`].
    pub fn begin_alone(
        users: &[EnvelopePublicKey],
        id: FileId,
        statement: Statement,
        rng: &mut dyn Random,
    ) -> Result<Self, SealError> {
        let is_alone = statement.folder == FolderId::NONE && id != FolderId::NONE.root();
        if !is_alone || users.is_empty() {
            return Err(SealError::Statement);
        }
        let key = FileKey::generate(rng);
        let (recipients, envelopes) = user_envelopes(users, id, KEY_EPOCH, &key);
        let access = Access::build(envelopes.iter().map(UserEnvelope::envelope))?;
        let list = AccessList { access_seq: ACCESS_SEQ, recipients, signer: statement.writer };
        Self::begin_with(&key, access, Some(list), id, KEY_EPOCH, statement, rng)
    }
}

/// Whether a statement that names no folder says what such a one may: that a file is its writer's own.
pub(crate) fn may_say(statement: &Statement) -> bool {
    statement.kind == ObjectKind::File
        && statement.parent == FolderId::NONE.root()
        && statement.owner == statement.writer.fingerprint()
        && statement.roster_head == NO_ROSTER
        && statement.origin.is_none()
}

/// Whether the list is the writer's, without which nobody knows whom the file is for.
pub(crate) fn may_list(statement: &Statement, list: Option<&AccessList>) -> bool {
    list.is_some_and(|list| list.signer == statement.writer)
}
