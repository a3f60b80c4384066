//! Stand-in until the real one is merged.
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State { Locked, Checking, UpToDate, Working, Paused, Stopped, Offline, WaitingForCloud, Attention, Braked }
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status { pub state: State, pub folders: Vec<()> }
impl std::fmt::Display for State { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{self:?}") } }
