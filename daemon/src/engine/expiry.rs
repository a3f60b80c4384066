//! The trash expires after a number of days on which Ensafer ran (engine rule 21): a computer that lay in a drawer for
//! a year forgets nothing.

use std::fs;
use std::path::PathBuf;

use ensafer_core::time::Timestamp;

use super::{EngineError, Folder};
use crate::work_dir::{PRIVATE, WorkDir, is_day};

/// Name under which the state keeps the days on which Ensafer ran.
const DAYS: &str = "days";

impl Folder {
    /// Notes that Ensafer runs today, and empties what has lain in the trash for long enough. Cheap but for the first
    /// time each day.
    pub(super) fn expire_trash(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let today = day_of(now);
        if self.today.as_ref() == Some(&today) {
            return Ok(());
        }
        let mut days: Vec<String> = self.state.get(DAYS)?.unwrap_or_default();
        if !days.contains(&today) {
            days.push(today.clone());
            days.sort();
        }
        if let Some(surplus) = days.len().checked_sub(self.settings.trash_days.saturating_add(1)) {
            days.drain(..surplus);
            self.remove_trash_before(&days[0]);
        }
        self.state.put(DAYS, &days)?;
        self.today = Some(today);
        Ok(())
    }

    fn remove_trash_before(&self, first_kept: &str) {
        let trash = trash(&self.work);
        let Ok(entries) = fs::read_dir(&trash) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_expired = name.to_str().is_some_and(|name| is_day(name) && name < first_kept);
            if is_expired && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, "a day's trash could not be emptied");
            }
        }
    }
}

fn trash(work: &WorkDir) -> PathBuf {
    work.path().join(PRIVATE).join("trash")
}

/// Where the trash of today lies, whether it is there or not.
pub(super) fn trash_of_day(work: &WorkDir, now: Timestamp) -> PathBuf {
    trash(work).join(day_of(now))
}

/// The day of `now` in UTC, as the trash spells it.
fn day_of(now: Timestamp) -> String {
    now.to_string().split('T').next().unwrap_or_default().to_owned()
}
