//! Invitations that this computer has accepted: by their reading keys it reads folders until it is a member of them.
//!
//! `invitations.json` holds the keys, sealed under the account's master key: with a new session comes another device key, and
//! a guest reads on.

use std::path::{Path, PathBuf};

use ensafer_client::home::Home;
use ensafer_client::private_file;
use ensafer_core::account::Account;
use ensafer_core::api::hex::HexBytes;
use ensafer_core::crypto::{InviteKey, SystemRandom};
use ensafer_core::ids::{FolderId, InvitationId};
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::files::{io_error, lock, read_own};

/// How to do without the file.
const WITHOUT_FILE: &str =
    "Remove that file; a folder that you are still a guest in asks for its invitation again";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    folder: FolderId,
    invitation: InvitationId,
    sealed: HexBytes,
}

/// Keeps an invitation's reading key, in the place of an earlier invitation to that folder.
///
/// # Errors
/// The file cannot be read or written.
pub fn keep_invitation(
    home: &Home,
    account: &Account,
    folder: FolderId,
    invitation: InvitationId,
    key: &InviteKey,
) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    let path = file(home);
    let mut all = read(&path)?;
    all.retain(|kept| kept.folder != folder);
    let sealed = account.seal_reading_key(folder, invitation, key, &mut SystemRandom);
    all.push(Kept { folder, invitation, sealed: HexBytes(sealed) });
    let bytes = serde_json::to_vec_pretty(&all).expect("ids and hex digits are JSON");
    private_file::replace(&path, &bytes).map_err(io_error(&path))
}

/// The folder to which this computer has accepted the invitation, if it has. No key is needed to know it.
///
/// # Errors
/// The file cannot be read.
pub fn accepted_folder(home: &Home, invitation: InvitationId) -> Result<Option<FolderId>, AccountError> {
    let all = read(&file(home))?;
    Ok(all.iter().find(|kept| kept.invitation == invitation).map(|kept| kept.folder))
}

/// The invitation to `folder` that this computer has accepted, if it has one. One of another account is none.
///
/// # Errors
/// The file cannot be read.
pub fn accepted_invitation(
    home: &Home,
    account: &Account,
    folder: FolderId,
) -> Result<Option<(InvitationId, InviteKey)>, AccountError> {
    let all = read(&file(home))?;
    let Some(kept) = all.iter().find(|kept| kept.folder == folder) else { return Ok(None) };
    let opened = account.open_reading_key(folder, kept.invitation, &kept.sealed.0);
    Ok(opened.ok().map(|key| (kept.invitation, key)))
}

fn read(path: &Path) -> Result<Vec<Kept>, AccountError> {
    Ok(read_own(path, WITHOUT_FILE)?.unwrap_or_default())
}

fn file(home: &Home) -> PathBuf {
    home.data_dir().join("invitations.json")
}
