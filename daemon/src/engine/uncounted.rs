//! This device's own versions that the others do not take: written after this account lost the right to write, or so
//! shortly before that nobody had seen them. Here they count, because base has them; so nothing else would tell.

use std::collections::BTreeSet;

use ensafer_core::format::open_header;
use ensafer_core::ids::{FileId, StatementHash};
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use rayon::prelude::*;

use super::{EngineError, Folder};
use crate::membership::Membership;
use crate::payload::read_head;
use crate::state::{State, StateError, StoreRecord};
use crate::store::StoreStamp;

/// Name under which the state keeps those versions, so that they are told before the keys are open.
const UNCOUNTED: &str = "uncounted";

/// What is known of them.
#[derive(Debug, Default)]
pub struct Uncounted {
    /// By object, and its records' statements.
    versions: BTreeSet<(FileId, StatementHash)>,
    /// Whether the roster, or a manifest, may say otherwise by now.
    pub is_due: bool,
}

impl Uncounted {
    /// As the last start left them.
    pub fn load(state: &State) -> Result<Self, StateError> {
        Ok(Self { versions: state.get(UNCOUNTED)?.unwrap_or_default(), is_due: false })
    }
}

impl Folder {
    /// Looks which of this device's own versions the roster and its manifests vouch for, where that is in question and
    /// the keys are at hand. Reads the headers of what this device has had a part in, and none where it never had.
    pub(super) fn judge_own_versions(&mut self) -> Result<(), EngineError> {
        let Some(keys) = self.keys.clone().filter(|_| self.uncounted.is_due) else { return Ok(()) };
        let versions = if self.may_publish {
            BTreeSet::new()
        } else {
            let membership = Membership::new(&keys, &*self.store);
            let is_uncounted = |record: &StoreRecord| {
                let file = self.store.open(&record.key).ok()?;
                let head = read_head(&*file, record.stamp.length).ok()?;
                let header = open_header(&head, &keys.source()).ok()?;
                let is_own = header.statement.writer == keys.authorship.writer;
                // What base knows is no reason for anybody else.
                Some(is_own && membership.judge(&header, None).is_err())
            };
            let own = self.records.par_iter().filter(|(id, _)| self.has_part_in(id));
            own.filter(|(_, record)| is_uncounted(record).unwrap_or(false))
                .map(|(id, record)| (*id, record.statement))
                .collect()
        };
        if versions != self.uncounted.versions {
            self.state.put(UNCOUNTED, &versions)?;
        }
        self.uncounted = Uncounted { versions, is_due: false };
        Ok(())
    }

    /// Whether an event of this device is in the object's history.
    fn has_part_in(&self, id: &FileId) -> bool {
        let entry = self.base.entries.get(id);
        entry.is_some_and(|entry| entry.object.clock.get(self.identity.device) > 0)
    }

    /// Those that still stand, as problems of the work folder.
    pub(super) fn uncounted_problems(&self) -> Vec<(Problem, Option<StoreStamp>)> {
        let stands =
            |id: &FileId, statement| self.records.get(id).is_some_and(|record| record.statement == statement);
        let problem = |id: &FileId| {
            let is_deleted = self.base.entries.get(id)?.object.content.is_tombstone();
            let what = if is_deleted { "deleted" } else { "written" };
            let detail = format!(
                "{what} after you lost the right to write, or unseen before: others take it when you may write again"
            );
            let subject = Subject::Path(self.path_in_base(id)?);
            Some((Problem { class: ProblemClass::ReadOnly, subject, detail }, None))
        };
        let standing = self.uncounted.versions.iter().filter(|(id, statement)| stands(id, *statement));
        standing.filter_map(|(id, _)| problem(id)).collect()
    }

    /// The path below the work folder that base's names make.
    fn path_in_base(&self, id: &FileId) -> Option<String> {
        let mut path = String::new();
        let mut at = *id;
        // No more directories lie in each other than there are.
        for _ in 0..=self.base.entries.len() {
            if at == self.entry.id.root() {
                return Some(path);
            }
            let object = &self.base.entries.get(&at)?.object;
            let rest = if path.is_empty() { String::new() } else { format!("/{path}") };
            path = format!("{}{rest}", object.name);
            at = object.parent;
        }
        None
    }
}
