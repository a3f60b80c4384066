//! Documents about syncing as a whole.

use serde::{Deserialize, Serialize};

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
    /// How many conflicts wait for somebody's decision, earlier ones among them.
    pub pending_conflicts: u64,
    /// Whether something was left undone, because it was interrupted or would not come to rest.
    pub incomplete: bool,
    /// Whether a folder could not be synced because the keys are locked.
    pub locked: bool,
    /// Why folders could not be synced at all.
    pub unreachable: Vec<String>,
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
