//! Documents about the account of this computer.

use serde::{Deserialize, Serialize};

use crate::api::hex::{HexBytes, SecretText};
use crate::api::server::DeviceReport;
use crate::ids::DeviceId;
use crate::status::AccountNotice;
use crate::time::{Timestamp, rfc3339};

/// Answer to `GET /v1/account`, and to what changes the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// Whether there is an account, and whether its keys are at hand.
    pub state: AccountState,
    /// This computer's name, as others of the account see it.
    pub device: String,
    /// The e-mail address that names the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The fingerprint of the identity key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The key server's address; absent where the account is on this computer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How this computer stands with the server; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
    /// Whether every new computer wants an account key beside the password.
    #[serde(default)]
    pub has_account_key: bool,
    /// What somebody should know about the account; the same as in the status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<AccountNotice>,
}

/// Whether there is an account, and whether its keys are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// No account is set up on this computer.
    None,
    /// The password is needed: `POST /v1/unlock`.
    Locked,
    /// The keys are at hand.
    Open,
}

/// How this computer stands with the server that the account is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// It has a session. Whether the server still knows it shows when it is used.
    LoggedIn,
    /// It has published the account, and waits for the code that was mailed: `POST /v1/account/confirm`.
    WaitsForCode,
    /// The server has ended its session.
    EndedByServer,
    /// It has no session, by somebody's wish or because it never had one.
    LoggedOut,
}

/// Body of `POST /v1/account/register`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The e-mail address that names the account. Without a server any name will do; `user@host` where it is empty.
    #[serde(default)]
    pub email: String,
    /// The password, zxcvbn's score at least 3.
    pub password: SecretText,
    /// The key server to publish the account on; without one it stays on this computer.
    #[serde(default)]
    pub server: Option<String>,
    /// The server's authorisation code, where it takes new accounts only with one.
    #[serde(default)]
    pub code: Option<SecretText>,
    /// Make an account key: every new computer will want it beside the password.
    #[serde(default)]
    pub account_key: bool,
}

/// Answer to `POST /v1/account/register`: the only one that has the keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    /// The recovery key, to be written down now.
    pub recovery_key: SecretText,
    /// The account key, where one was wished for, to be written down now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key: Option<SecretText>,
    /// Why the account is not on the server yet, where that failed after it was made: `POST /v1/account/publish` tries
    /// once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<super::Refusal>,
    /// The account as it is now.
    pub account: AccountReport,
}

/// Body of `POST /v1/account/publish`: puts this computer's account on a key server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The key server.
    pub server: String,
    /// The account's password.
    pub password: SecretText,
    /// The server's authorisation code, where it takes new accounts only with one.
    #[serde(default)]
    pub code: Option<SecretText>,
}

/// Body of `POST /v1/account/login`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The account's address; that of this computer's account where it is absent.
    #[serde(default)]
    pub email: Option<String>,
    /// The key server; the one that this computer knows where it is absent.
    #[serde(default)]
    pub server: Option<String>,
    /// The address that the server had when the password was set, if it has moved since.
    #[serde(default)]
    pub realm: Option<String>,
    /// The password.
    pub password: SecretText,
    /// The account key, where the account has one and this computer does not know it yet.
    #[serde(default)]
    pub account_key: Option<SecretText>,
}

/// Body of `POST /v1/account/confirm`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The code from the e-mail.
    pub code: SecretText,
    /// The account's password: logging in follows.
    pub password: SecretText,
}

/// Body of `POST /v1/account/logout`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogoutRequest {
    /// The password, where the keys are locked: with it the server is told, too.
    pub password: Option<SecretText>,
}

/// Answer to `POST /v1/account/logout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOut {
    /// Whether the server knows. Otherwise the session ends there by itself after 90 days.
    pub is_server_told: bool,
    /// The account as it is now.
    pub account: AccountReport,
}

/// Body of `POST /v1/account/recover`: sets a new password with the recovery key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverRequest {
    /// The recovery key, as it was written down.
    pub recovery_key: SecretText,
    /// The new password, zxcvbn's score at least 3.
    pub password: SecretText,
    /// The account's address; that of this computer's account where it is absent.
    #[serde(default)]
    pub email: Option<String>,
    /// The key server; the one that this computer knows where it is absent.
    #[serde(default)]
    pub server: Option<String>,
    /// The address that the server had when the password was set, if it has moved since.
    #[serde(default)]
    pub realm: Option<String>,
    /// Set the password on this computer only: for a server that is gone.
    #[serde(default)]
    pub here: bool,
}

/// Body of `POST /v1/account/recovery-key` and of `POST /v1/account/recovery-key/new`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryKeyRequest {
    /// The account's password.
    pub password: SecretText,
}

/// Answer to `POST /v1/account/recovery-key`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryKeyReport {
    /// The recovery key.
    pub recovery_key: SecretText,
    /// Why the server could not be asked whether it is still the one that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<String>,
}

/// Answer to `POST /v1/account/recovery-key/new`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewRecoveryKey {
    /// The new recovery key, to be written down now.
    pub recovery_key: SecretText,
    /// Why nobody knows whether it holds or still the old one, where an answer was lost: `POST /v1/account/recovery-key`
    /// tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<String>,
}

/// Answer to `GET /v1/account/file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFile {
    /// What the file holds: the account, sealed under its password and its recovery key.
    pub file: HexBytes,
}

/// Body of `POST /v1/account/import`: sets an account up that a file carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// What the file holds.
    pub file: HexBytes,
    /// The password that the account had when the file was written; with a recovery key a new one, zxcvbn's score at least 3.
    pub password: SecretText,
    /// The account key, where the account has one.
    #[serde(default)]
    pub account_key: Option<SecretText>,
    /// The recovery key, which opens the file in the password's place.
    #[serde(default)]
    pub recovery_key: Option<SecretText>,
}

/// Body of `POST /v1/account/password`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password as it is.
    pub old: SecretText,
    /// The new one, zxcvbn's score at least 3.
    pub new: SecretText,
}

/// Body of `POST /v1/account/email`: gives the account another address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRequest {
    /// The new address.
    pub email: String,
    /// The account's password.
    pub password: SecretText,
    /// The code that was mailed to the new address, where the server has sent one.
    #[serde(default)]
    pub code: Option<SecretText>,
}

/// Answer to `GET /v1/account/profile` and `POST /v1/account/profile`, and `account profile --json`: what others read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileReport {
    /// The account's address.
    pub login: String,
    /// The name beside it; none also where the account is on no server.
    pub name: Option<String>,
}

/// Body of `POST /v1/account/profile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRequest {
    /// The name that others read beside the address; an empty one removes it.
    pub name: String,
}

/// A line of the answer to `GET /v1/account/devices`, and of `account devices --json`: a computer that is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its name, as it says itself.
    pub name: String,
    /// When it first logged in.
    #[serde(with = "rfc3339")]
    pub first_login: Timestamp,
    /// When the server last heard of it.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// Whether it is this computer.
    pub is_this: bool,
}

impl From<DeviceReport> for ListedDevice {
    fn from(device: DeviceReport) -> Self {
        let timestamp = |seconds: u64| Timestamp::from_parts(i64::try_from(seconds).unwrap_or(i64::MAX), 0);
        Self {
            id: device.device,
            name: device.name,
            first_login: timestamp(device.created_at_s),
            last_seen: timestamp(device.seen_at_s),
            is_this: device.is_this,
        }
    }
}

/// Body of `POST /v1/account/devices/revoke`: ends another computer's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The computer, as the list names it.
    pub device: DeviceId,
}
