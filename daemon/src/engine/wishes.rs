//! What the user has said and is not published yet: descriptions.

use std::collections::HashMap;
use std::sync::Arc;

use ensafer_core::ids::FileId;

use super::{EngineError, Folder};
use crate::state::{State, StateError};

/// Name under which the state keeps descriptions that are not published yet.
pub(super) const DESCRIPTIONS: &str = "descriptions";

impl Folder {
    /// Gives an object a description, which the next step publishes; an empty one removes it.
    pub fn describe(&mut self, object: FileId, text: &str) -> Result<(), EngineError> {
        keep_description(&mut self.state, object, text)?;
        self.descriptions = self.state.get(DESCRIPTIONS)?.unwrap_or_default();
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
}

/// Keeps a description until it is published.
pub fn keep_description(state: &mut State, object: FileId, text: &str) -> Result<(), StateError> {
    let mut descriptions: HashMap<FileId, Option<Arc<str>>> = state.get(DESCRIPTIONS)?.unwrap_or_default();
    descriptions.insert(object, (!text.is_empty()).then(|| text.into()));
    state.put(DESCRIPTIONS, &descriptions)
}
