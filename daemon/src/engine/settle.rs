//! Steps until nothing is left to do.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ensafer_core::api::local::SettleOutcome;

use super::{EngineError, Env, Folder, Step};

/// Time without any progress after which what is left is left for later: a file that never rests was read by then
/// (engine rule 4).
const PATIENCE: Duration = Duration::from_secs(70);

/// Longest wait for something to rest (engine rule 4).
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How a folder was left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Versions written into the encrypted folder.
    pub published: u64,
    /// Entries of the work folder that were made, changed or moved to the trash.
    pub applied: u64,
    /// Contents that were kept twice.
    pub conflicts: u64,
    /// All that are kept twice, and about which nobody has decided yet.
    pub pending_conflicts: u64,
    /// Whether a brake holds.
    pub braked: bool,
    /// Whether nothing was left to do.
    pub complete: bool,
}

impl Settled {
    /// This, and what was done after it.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        Self {
            published: self.published + later.published,
            applied: self.applied + later.applied,
            conflicts: self.conflicts + later.conflicts,
            ..later
        }
    }

    /// Adds this folder's part to what is said of all folders.
    pub fn add_to(&self, outcome: &mut SettleOutcome) {
        outcome.published += self.published;
        outcome.applied += self.applied;
        outcome.conflicts += self.conflicts;
        outcome.pending_conflicts += self.pending_conflicts;
        outcome.braked |= self.braked;
        outcome.incomplete |= !self.complete;
    }
}

/// Observes, plans and applies until both sides agree, waiting out engine rules 1 and 4. Ends early when cancelled or
/// braked, or when nothing moves any more; what is left then is in the folder's problems. Returns the last step, too.
pub fn settle(folder: &mut Folder, env: &Env<'_>) -> Result<(Settled, Step), EngineError> {
    let mut settled = Settled::default();
    let mut last = Step::default();
    let mut progressed_at = env.clock.now();
    let mut copies = HashSet::new();
    while env.clock.now().since(progressed_at) < PATIENCE && !env.cancel.load(Ordering::Relaxed) {
        folder.look_at_everything();
        let step = folder.step(env)?;
        settled.published += step.published;
        settled.applied += step.applied;
        copies.extend(step.conflicts.iter().map(|conflict| conflict.copy));
        settled.conflicts = copies.len() as u64;
        settled.braked = step.brake.is_some();
        let progressed = step.published + step.committed > 0;
        if progressed {
            progressed_at = env.clock.now();
        }
        let wait = wait_of(&step);
        last = step;
        match wait {
            // The brake names everything once nothing is seen for the first time any more.
            _ if settled.braked && last.look_again.is_none() => break,
            Some(wait) => env.clock.wait(wait),
            None if progressed => {}
            None => break,
        }
    }
    settled.complete = last.is_settled();
    settled.pending_conflicts = folder.conflict_count();
    Ok((settled, last))
}

/// How long to wait before the next step; `None` where nothing is waited for.
fn wait_of(step: &Step) -> Option<Duration> {
    let retry = step.retry.then_some(Duration::from_millis(100));
    let wait = [step.look_again, retry].into_iter().flatten().min()?;
    Some(wait.min(LONGEST_WAIT))
}
