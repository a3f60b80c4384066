//! Invitations that this computer has accepted: by their reading keys it reads folders until it is a member of them.
//!
//! `invitations.json` holds the keys, sealed under the device key.

use std::path::{Path, PathBuf};

use ensafer_core::api::hex::HexBytes;
use ensafer_core::crypto::{DeviceKey, InviteKey, SystemRandom, open_key, seal_key};
use ensafer_core::ids::{FolderId, InvitationId};
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::files::{io_error, lock, read_own};
use crate::home::Home;
use crate::private_file;

/// Context of a reading key, sealed under the device key.
const LABEL: &[u8] = b"ensafer/v1/accepted-invitation\0";
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
    device: &DeviceKey,
    folder: FolderId,
    invitation: InvitationId,
    key: &InviteKey,
) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    let path = file(home);
    let mut all = read(&path)?;
    all.retain(|kept| kept.folder != folder);
    let sealed = seal_key(device, key, &context(folder, invitation), &mut SystemRandom);
    all.push(Kept { folder, invitation, sealed: HexBytes(sealed.to_vec()) });
    let bytes = serde_json::to_vec_pretty(&all).expect("ids and hex digits are JSON");
    private_file::replace(&path, &bytes).map_err(io_error(&path))
}

/// The invitation to `folder` that this computer has accepted, if it has one. One that was kept under another device key is
/// none.
///
/// # Errors
/// The file cannot be read.
pub fn accepted_invitation(
    home: &Home,
    device: &DeviceKey,
    folder: FolderId,
) -> Result<Option<(InvitationId, InviteKey)>, AccountError> {
    let all = read(&file(home))?;
    let Some(kept) = all.iter().find(|kept| kept.folder == folder) else { return Ok(None) };
    let opened = open_key(device, &context(folder, kept.invitation), &kept.sealed.0);
    Ok(opened.ok().map(|key| (kept.invitation, key)))
}

fn read(path: &Path) -> Result<Vec<Kept>, AccountError> {
    Ok(read_own(path, WITHOUT_FILE)?.unwrap_or_default())
}

fn file(home: &Home) -> PathBuf {
    home.data_dir().join("invitations.json")
}

fn context(folder: FolderId, invitation: InvitationId) -> Vec<u8> {
    [LABEL, folder.as_bytes(), invitation.as_bytes()].concat()
}
