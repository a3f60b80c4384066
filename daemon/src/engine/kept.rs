//! What a folder's state holds of its last look, for those who ask while nobody looks.

use ensafer_core::safety::Brake;
use ensafer_core::status::Event;

use super::{kept_brake, kept_conflicts};
use crate::state::{StandingProblem, StateError, StateReader};

/// What was left when a folder was last looked at.
#[derive(Debug, Default)]
pub struct Kept {
    /// What was not in order.
    pub problems: Vec<StandingProblem>,
    /// The brake that held.
    pub brake: Option<Brake>,
    /// Number of conflicts that were not resolved.
    pub conflicts: u64,
}

impl Kept {
    /// Reads it; a folder without a state has nothing.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn read(reader: Option<&StateReader>) -> Result<Self, StateError> {
        let Some(reader) = reader else { return Ok(Self::default()) };
        let conflicts = kept_conflicts(reader)?.len() as u64;
        Ok(Self { problems: reader.problems()?, brake: kept_brake(reader)?, conflicts })
    }

    /// The same as happenings, from which a status is made.
    #[must_use]
    pub fn events(&self) -> [Event; 4] {
        let classes: Vec<_> = self.problems.iter().map(|standing| standing.problem.class).collect();
        [
            Event::Shut(classes.iter().copied().find(|class| class.shuts())),
            Event::Problems(classes),
            Event::Brake(self.brake.clone()),
            Event::Conflicts(self.conflicts),
        ]
    }
}
