//! Documents about the settings that the window shows.

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/settings` and `POST /v1/settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsReport {
    /// The file that holds them; others than these are changed there.
    pub file: String,
    /// Those that can be set here.
    pub settings: Vec<SettingReport>,
    /// Whether the file differs from what the daemon runs with: it takes it up when it starts anew.
    pub needs_restart: bool,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingReport {
    /// Its name in `config.toml`.
    pub key: String,
    /// What it is, from `config.example.toml`.
    pub about: String,
    /// Its value in the file, or the default.
    pub value: String,
    /// Its default.
    pub default: String,
    /// What values it takes.
    #[serde(flatten)]
    pub kind: SettingKind,
    /// The environment variable that beats the file, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_by: Option<String>,
}

/// What values a setting takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SettingKind {
    /// A whole number.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// One of these words.
    Choice {
        /// The words.
        choices: Vec<String>,
    },
    /// A text; empty for none.
    Text,
}

/// Body of `POST /v1/settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingRequest {
    /// The setting's name: one of those that `GET /v1/settings` lists.
    pub key: String,
    /// The new value, as text.
    pub value: String,
}
