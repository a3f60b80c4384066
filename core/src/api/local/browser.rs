//! Documents about the door for browsers.

use serde::{Deserialize, Serialize};

use crate::api::hex::SecretText;

/// The answer to `POST /v1/browser`: where a browser finds the window's page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BrowserVisit {
    /// On this computer. What stands behind the `#` lets one browser in, once.
    pub address: SecretText,
    /// For how long it does.
    pub valid_s: u64,
}

/// Body of `POST /claim`, which a page in a browser sends first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// What stood behind the `#` of its address.
    pub token: SecretText,
}

/// The answer to it. The other half is a cookie, which the page cannot read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// What the page sends as `x-ensafer-key` with each request.
    pub key: SecretText,
}
