//! Rewriting INFO alone: a rename, a move or a change of times keeps file key and payload.

use super::header::OpenedHeader;
use super::seal::{FolderSeal, HeaderDraft, ListSource, SealError, SealedHeader};
use super::statement::{ObjectKind, Statement};
use crate::crypto::{Random, SigningKey};

/// Makes a new header for the payload of `old`: the bytes for offset 0, behind which the old payload follows from its
/// chunk 0 on. File key, key epoch, payload and envelopes are kept, but for envelopes that nobody listed. Where the
/// writer is another, the earlier signed statement goes with it as `origin`.
///
/// # Errors
/// [`SealError::OldEpoch`] where the file key was made in another epoch of the folder, or under no folder key at all:
/// then the payload must be sealed anew. [`SealError::OtherContent`] where `statement` says another kind or size, or
/// a digest that is not the payload's.
pub fn rewrite_info(
    old: &OpenedHeader,
    mut statement: Statement,
    folder: &FolderSeal<'_>,
    signer: &SigningKey,
    rng: &mut dyn Random,
) -> Result<SealedHeader, SealError> {
    if old.folder_key != Some(folder.key_name())
        || statement.folder != old.statement.folder
        || old.prefix.roster
    {
        return Err(SealError::OldEpoch);
    }
    let kept = &old.statement;
    let same_digest = statement.content_digest.is_none() || statement.content_digest == kept.content_digest;
    if statement.kind != kept.kind || statement.size != kept.size || !same_digest {
        return Err(SealError::OtherContent);
    }
    statement.payload_head = kept.payload_head;
    statement.padded_len = kept.padded_len;
    statement.content_digest = kept.content_digest;
    statement.origin = None;
    if statement.kind == ObjectKind::File {
        let earlier = match &old.origin {
            Some(origin) => (origin.statement.writer, kept.origin.clone()),
            None => (kept.writer, Some(old.info.signed.clone())),
        };
        if earlier.0 != statement.writer {
            statement.origin = earlier.1;
        }
    }
    let access = old.access.retain(|envelope| old.is_listed(envelope));
    let draft = HeaderDraft {
        prefix: old.prefix,
        access: &access,
        subkeys: &old.subkeys,
        statement,
        list: old.info.access.as_ref().map(ListSource::Kept),
    };
    draft.seal(signer, rng)
}
