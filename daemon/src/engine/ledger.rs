//! Takes into base what a plan's batches finished, each batch durable before the next begins.

use std::collections::{HashMap, HashSet};

use ensafer_core::ids::{DeviceId, FileId};
use ensafer_core::tree::{BaseEntry, BaseTree, Object};

use super::activity::deeds;
use super::encrypted::{Encrypted, Seen, SeenVersion};
use crate::apply::Outcome;
use crate::clock::Clock;
use crate::state::{BaseRecord, DoneDeed, State, StateError, StoreRecord};

/// Base, in memory and in the database, and what was seen of the encrypted folder.
pub struct Ledger<'a> {
    /// The database.
    pub state: &'a mut State,
    /// Base in memory.
    pub base: &'a mut BaseTree,
    /// The ciphertexts that belong to it.
    pub records: &'a mut HashMap<FileId, StoreRecord>,
    /// The encrypted folder as seen.
    pub encrypted: &'a mut Encrypted,
    /// This device.
    pub device: DeviceId,
    /// Tells when something was done.
    pub clock: &'a dyn Clock,
    /// Changes taken so far.
    pub committed: u64,
    /// The first failure; nothing is taken after it.
    pub failed: Option<StateError>,
}

impl Ledger<'_> {
    /// Commits and takes `outcome`'s records, and notes what was published and removed.
    pub fn take(&mut self, outcome: &mut Outcome) {
        for key in outcome.removed.drain(..) {
            self.encrypted.seen.remove(&key);
        }
        let news = std::mem::take(&mut outcome.news);
        let mut records = std::mem::take(&mut outcome.records);
        records.extend(self.published_again(&news, &records));
        for version in news {
            let (key, stamp) = (version.record.key.clone(), version.record.stamp);
            self.encrypted.seen.insert(key, Seen { stamp, result: Ok(version) });
        }
        records.retain(|record| !self.is_known(record));
        let deeds = deeds(self.base, &records, self.device, self.clock.now());
        self.commit(records, &deeds);
    }

    /// Commits and takes what both sides have already: nothing was done.
    pub fn adopt(&mut self, mut records: Vec<BaseRecord>) {
        records.retain(|record| !self.is_known(record));
        self.commit(records, &[]);
    }

    fn commit(&mut self, records: Vec<BaseRecord>, deeds: &[DoneDeed]) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.state.commit(&records, deeds) {
            self.failed = Some(error);
            return;
        }
        self.committed += records.len() as u64;
        for record in records {
            let id = record.object.id;
            self.base.entries.insert(id, BaseEntry { object: record.object, work: record.work });
            match record.store {
                Some(store) => _ = self.records.insert(id, store),
                None => _ = self.records.remove(&id),
            }
        }
    }

    /// What of `news` was published as base has it: it keeps the work entry that base has.
    fn published_again(&self, news: &[SeenVersion], finished: &[BaseRecord]) -> Vec<BaseRecord> {
        let finished: HashSet<FileId> = finished.iter().map(|record| record.object.id).collect();
        let again = |SeenVersion { object, record }: &SeenVersion| {
            if finished.contains(&object.id) {
                return None;
            }
            let known = self.base.entries.get(&object.id)?;
            // By whomever it was before.
            let says_the_same =
                Object { author: object.author.clone(), ..Object::clone(&known.object) } == **object;
            if !says_the_same {
                return None;
            }
            Some(BaseRecord { object: object.clone(), work: known.work, store: Some(record.clone()) })
        };
        news.iter().filter_map(again).collect()
    }

    /// Whether base has this already, so that it is neither written again nor taken for progress.
    fn is_known(&self, record: &BaseRecord) -> bool {
        let id = record.object.id;
        let known = self.base.entries.get(&id);
        known.is_some_and(|known| known.object == record.object && known.work == record.work)
            && self.records.get(&id) == record.store.as_ref()
    }
}
