//! The brake of a folder: asked before every plan, remembered, and released by the user (engine rule 15).

use std::collections::HashSet;

use ensafer_core::plan::Plan;
use ensafer_core::safety::{Brake, Circumstances, Verdict, safety};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseEntry, Kind};

use super::{EngineError, Folder};
use crate::state::{State, StateError, StateReader};

/// Name under which the state keeps the brake that holds.
pub(super) const BRAKE: &str = "brake";

/// Name under which the state keeps the tokens of brakes that the user has released.
pub(super) const ALLOWED: &str = "allowed";

impl Folder {
    /// Lets the brake with this token go on with exactly the changes that it named.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn allow(&mut self, token: &str) -> Result<(), EngineError> {
        keep_allowed(&mut self.state, token)?;
        self.allowed.insert(token.to_owned());
        Ok(())
    }

    /// Whether `plan` may be carried out; `marker` says whether the work folder is marked as this folder's.
    pub(super) fn check_safety(
        &mut self,
        plan: &Plan,
        marker: bool,
        now: Timestamp,
    ) -> Result<Verdict, EngineError> {
        let Some(scan) = &self.scan else { return Ok(Verdict::Go) };
        let is_shown_file =
            |entry: &&BaseEntry| entry.work.is_some() && entry.object.content.kind() == Kind::File;
        let files = self.base.entries.values().filter(is_shown_file).count() as u64;
        let circumstances = Circumstances {
            // An emptied root trips when its deletions are certain, so that the brake can name them. Somebody who
            // deletes the only file means it.
            root_gone: !marker || (files > 1 && scan.tree.nodes.len() == 1 && !plan.changes.is_empty()),
            file_count: files,
            put_back: self.put_back.clone(),
            ..Circumstances::default()
        };
        let (verdict, history) = safety(plan, &circumstances, &self.history, &self.allowed, now);
        if history != self.history {
            self.state.put("history", &history)?;
            self.history = history;
        }
        Ok(verdict)
    }

    /// Remembers the brake that holds, for those who ask without a running engine. One that was released has done its
    /// work, and so have the tokens.
    pub(super) fn remember_brake(&mut self, verdict: &Verdict, has_passed: bool) -> Result<(), EngineError> {
        let brake = match verdict {
            Verdict::Brake(brake) => Some(brake.clone()),
            Verdict::Go => None,
        };
        if brake.is_none() && has_passed && !self.allowed.is_empty() {
            self.allowed.clear();
            self.state.put(ALLOWED, &self.allowed)?;
        }
        if brake != self.brake {
            self.state.put(BRAKE, &brake)?;
            self.brake = brake;
        }
        Ok(())
    }
}

/// Keeps the token of a brake that the user has released, until the brake has been passed.
pub fn keep_allowed(state: &mut State, token: &str) -> Result<(), StateError> {
    let mut allowed: HashSet<String> = state.get(ALLOWED)?.unwrap_or_default();
    allowed.insert(token.to_owned());
    state.put(ALLOWED, &allowed)
}

/// The brake that held a folder when it was last looked at.
pub fn kept_brake(reader: &StateReader) -> Result<Option<Brake>, StateError> {
    Ok(reader.get(BRAKE)?.flatten())
}
