//! What the user has said and is still to be told: descriptions that are not published yet, conflicts that are not
//! resolved.

use std::collections::HashMap;
use std::sync::Arc;

use ensafer_core::ids::FileId;
use ensafer_core::plan::{Conflict, Plan};

use super::{EngineError, Folder};
use crate::state::{State, StateError, StateReader};

/// Name under which the state keeps descriptions that are not published yet.
pub(super) const DESCRIPTIONS: &str = "descriptions";

/// Name under which the state keeps conflicts that are not resolved.
pub(super) const CONFLICTS: &str = "conflicts";

impl Folder {
    /// Gives an object a description, which the next step publishes; an empty one removes it.
    pub fn describe(&mut self, object: FileId, text: &str) -> Result<(), EngineError> {
        keep_description(&mut self.state, object, text)?;
        self.descriptions = self.state.get(DESCRIPTIONS)?.unwrap_or_default();
        Ok(())
    }

    /// Remembers contents that were kept twice, as long as the copies are there.
    pub(super) fn remember_conflicts(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let mut conflicts = self.conflicts.clone();
        conflicts.retain(|known| {
            let copy = self.base.entries.get(&known.copy);
            copy.is_none_or(|copy| !copy.object.content.is_tombstone())
        });
        for conflict in &plan.conflicts {
            if !conflicts.iter().any(|known| known.copy == conflict.copy) {
                conflicts.push(conflict.clone());
            }
        }
        if conflicts != self.conflicts {
            self.state.put(CONFLICTS, &conflicts)?;
            self.conflicts = conflicts;
        }
        Ok(())
    }

    /// Descriptions that base has need not be kept any more.
    pub(super) fn forget_published_descriptions(&mut self) -> Result<(), EngineError> {
        let before = self.descriptions.len();
        let base = &self.base.entries;
        self.descriptions
            .retain(|id, text| base.get(id).is_some_and(|entry| entry.object.description != *text));
        if self.descriptions.len() != before {
            self.state.put(DESCRIPTIONS, &self.descriptions)?;
        }
        Ok(())
    }

    /// Number of contents that were kept twice and are both still there.
    #[must_use]
    pub fn conflict_count(&self) -> u64 {
        self.conflicts.len() as u64
    }
}

/// Number of contents that were kept twice and not resolved when the folder was last looked at.
pub fn kept_conflict_count(reader: &StateReader) -> Result<u64, StateError> {
    let conflicts: Vec<Conflict> = reader.get(CONFLICTS)?.unwrap_or_default();
    Ok(conflicts.len() as u64)
}

/// Keeps a description until it is published.
pub fn keep_description(state: &mut State, object: FileId, text: &str) -> Result<(), StateError> {
    let mut descriptions: HashMap<FileId, Option<Arc<str>>> = state.get(DESCRIPTIONS)?.unwrap_or_default();
    descriptions.insert(object, (!text.is_empty()).then(|| text.into()));
    state.put(DESCRIPTIONS, &descriptions)
}
