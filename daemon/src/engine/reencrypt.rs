//! Encrypting anew, by the user's wish, what lies under an older epoch's key. What each version says stays: its clock, its
//! dots, its content. So no device has anything to do but read the new header.
//!
//! Nothing is remembered but the wish: after an interruption the headers tell what is left.

use std::collections::BTreeSet;

use ensafer_core::format::open_header;
use ensafer_core::ids::FileId;
use ensafer_core::plan::{Change, Plan, Publish, Source};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::Content;
use rayon::prelude::*;

use super::observe::Found;
use super::{EngineError, Env, Folder, RETRY_FAILED, Step};
use crate::payload::read_head;
use crate::state::StoreRecord;

/// Name under which the state keeps the wish.
const WISH: &str = "reencrypt";

/// Most objects that are encrypted anew between two looks at both sides.
const MOST_OBJECTS: usize = 1024;
/// Most bytes of content between two looks, apart from one larger file.
const MOST_BYTES: u64 = 256 << 20;

/// What is left to be encrypted anew.
#[derive(Debug, Default)]
pub struct Reencryption {
    /// Objects under an older key, once somebody has looked.
    left: BTreeSet<FileId>,
    /// How many there were.
    total: usize,
    /// How many were encrypted anew since somebody looked.
    done: u64,
}

impl Folder {
    /// Encrypts anew, from the next step on, whatever lies under an older epoch's key.
    ///
    /// # Errors
    /// [`EngineError::ReadOnly`] where this account may not write.
    pub fn wish_reencryption(&mut self, env: &Env<'_>) -> Result<(), EngineError> {
        self.keys(env)?;
        if !self.may_publish {
            return Err(EngineError::ReadOnly);
        }
        self.state.put(WISH, &true)?;
        self.reencryption = None;
        Ok(())
    }

    /// How many objects are still to be encrypted anew; `None` where nobody wishes it.
    #[must_use]
    pub fn reencryption_left(&self) -> Option<u64> {
        let is_wished = self.state.get(WISH).ok().flatten().unwrap_or(false);
        is_wished.then(|| self.reencryption.as_ref().map_or(0, |work| work.left.len() as u64))
    }

    /// Forgets the wish of somebody who may not write any more: it was theirs, and the folder is not.
    pub(super) fn forget_reencryption(&mut self) -> Result<(), EngineError> {
        self.reencryption = None;
        if self.state.get(WISH)?.unwrap_or(false) {
            self.state.put(WISH, &false)?;
        }
        Ok(())
    }

    /// Goes on with it, where both sides are settled otherwise.
    pub(super) fn reencrypt_some(
        &mut self,
        env: &Env<'_>,
        now: Timestamp,
        step: &mut Step,
        found: &mut Found,
    ) -> Result<(), EngineError> {
        if !self.state.get(WISH)?.unwrap_or(false) {
            return Ok(());
        }
        if !self.may_publish {
            return self.forget_reencryption();
        }
        let mut work = match self.reencryption.take() {
            Some(work) if !work.left.is_empty() => work,
            pass => {
                let has_failed = pass.is_some_and(|pass| pass.done == 0);
                let work = self.find_old_keys(env)?;
                if work.left.is_empty() {
                    return Ok(self.state.put(WISH, &false)?);
                }
                if has_failed {
                    // Why is in the problems; it goes on when something has changed.
                    step.later = Some(RETRY_FAILED);
                    return Ok(());
                }
                work
            }
        };
        let ids = self.next_part(&work.left);
        env.progress.expect((work.total - ids.len()) as u64, 0);
        env.progress.advance((work.total - work.left.len()) as u64, 0);
        let plan = Plan { changes: self.changes(&ids), ..Plan::default() };
        let before = step.published;
        self.carry_out(&plan, env, now, step, found)?;
        work.done += step.published.saturating_sub(before);
        // What failed, or was interrupted, is found again by the next pass.
        work.left.retain(|id| !ids.contains(id));
        self.reencryption = Some(work);
        step.retry = true;
        Ok(())
    }

    /// The objects whose file keys lie under another folder key than the current one.
    fn find_old_keys(&mut self, env: &Env<'_>) -> Result<Reencryption, EngineError> {
        let keys = self.keys(env)?;
        let current = keys.seal().key_name();
        let is_old = |record: &StoreRecord| {
            let file = self.store.open(&record.key).ok()?;
            let head = read_head(&*file, record.stamp.length).ok()?;
            let header = open_header(&head, &keys.source()).ok()?;
            Some(header.folder_key != Some(current))
        };
        let old = self.records.par_iter().filter(|(_, record)| is_old(record).unwrap_or(false));
        let left: BTreeSet<FileId> = old.map(|(id, _)| *id).collect();
        Ok(Reencryption { total: left.len(), left, done: 0 })
    }

    fn next_part(&self, left: &BTreeSet<FileId>) -> BTreeSet<FileId> {
        let mut bytes = 0;
        let size = |id: &FileId| match self.base.entries.get(id).map(|entry| &entry.object.content) {
            Some(Content::File { size, .. }) => *size,
            _ => 0,
        };
        let fits = |id: &&FileId| {
            let first = bytes == 0;
            bytes += size(id);
            first || bytes <= MOST_BYTES
        };
        left.iter().take_while(fits).take(MOST_OBJECTS).copied().collect()
    }

    /// Base's versions once more, where the encrypted folder has them as base knows them.
    fn changes(&self, ids: &BTreeSet<FileId>) -> Vec<Change> {
        let change = |id: &FileId| {
            let (object, record) = (&self.base.entries.get(id)?.object, self.records.get(id)?);
            let seen = self.encrypted.seen.get(&record.key)?.result.as_ref().ok()?;
            let source = match object.content {
                Content::File { .. } => Source::Reseal(record.key.clone()),
                _ => Source::Empty,
            };
            let publish = Publish { source, replaces: vec![record.key.clone()] };
            let is_known = seen.record == *record;
            is_known.then(|| Change {
                target: object.clone(),
                publish: Some(publish),
                work: None,
                node: None,
            })
        };
        ids.iter().filter_map(change).collect()
    }
}
