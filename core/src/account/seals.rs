//! The account master key, sealed several times: what is bound to each seal.

use crate::crypto::PasswordParameters;
use crate::ids::{AccountId, DeviceId, FolderId, InvitationId};

/// Who a seal is for: the first field of its context, so that none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Password = 1,
    Recovery = 2,
    Device = 3,
    RecoveryCopy = 4,
}

const SEAL_LABEL: &[u8] = b"ensafer/v1/account-seal\0";

fn context(kind: Kind, account: AccountId, rest: &[u8]) -> Vec<u8> {
    [SEAL_LABEL, &[kind as u8], account.as_bytes(), rest].concat()
}

/// The seal under the password: kind, account, seal version, every parameter of the derivation.
pub fn password_context(account: AccountId, version: u32, parameters: &PasswordParameters) -> Vec<u8> {
    context(Kind::Password, account, &[&version.to_be_bytes(), parameters.context().as_slice()].concat())
}

/// The seal under the recovery key: kind, account, seal id.
pub fn recovery_context(account: AccountId, id: &[u8; 16]) -> Vec<u8> {
    context(Kind::Recovery, account, id)
}

/// The recovery key itself under the account master key, so that it can be shown again: kind, account, seal id.
pub fn recovery_copy_context(account: AccountId, id: &[u8; 16]) -> Vec<u8> {
    context(Kind::RecoveryCopy, account, id)
}

/// The seal under a device's key: kind, account, seal id.
pub fn device_context(account: AccountId, id: &[u8; 16]) -> Vec<u8> {
    context(Kind::Device, account, id)
}

/// The private keys under the account master key: account, blob version, SHA-256 of the bundle.
pub fn blob_context(account: AccountId, version: u32, bundle_hash: &[u8; 32]) -> Vec<u8> {
    [b"ensafer/v1/account-keys\0".as_slice(), account.as_bytes(), &version.to_be_bytes(), bundle_hash]
        .concat()
}

/// The account's state under the account master key: account, state version.
pub fn state_context(account: AccountId, version: u64) -> Vec<u8> {
    [b"ensafer/v1/account-state\0".as_slice(), account.as_bytes(), &version.to_be_bytes()].concat()
}

/// A device's session under the account master key: account, device, the server's origin.
pub fn session_context(account: AccountId, device: DeviceId, realm: &str) -> Vec<u8> {
    [account.as_bytes().as_slice(), device.as_bytes(), realm.as_bytes()].concat()
}

/// The reading key of an accepted invitation under the account master key: account, folder, invitation.
pub fn reading_context(account: AccountId, folder: FolderId, invitation: InvitationId) -> Vec<u8> {
    let label = b"ensafer/v1/accepted-invitation\0".as_slice();
    [label, account.as_bytes(), folder.as_bytes(), invitation.as_bytes()].concat()
}
