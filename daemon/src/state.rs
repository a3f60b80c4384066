//! A folder's precious state: the base tree and the counters, in one redb file (engine rules 1, 2 and 18).
//!
//! Every commit is durable before it returns. Nothing pending is stored: what a crash leaves undone is observed and
//! planned anew.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ensafer_core::api::local::Deed;
use ensafer_core::ids::{DeviceId, FileId, StatementHash};
use ensafer_core::plan::Problem;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseEntry, BaseTree, Object, StoreKey, WorkStamp};
use redb::{
    Builder, ConcurrencyMode, Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::store::StoreStamp;

/// Name of the list of what is not in order.
const PROBLEMS: &str = "problems";

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const BASE: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("base");
/// What was done, by a number that grows.
const ACTIVITY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("activity");

/// Most deeds that are kept: the latest.
pub const MOST_DEEDS: u64 = 10_000;

/// Layout of the tables. A newer one is refused, so that an older program never misreads a base tree.
const SCHEMA: u32 = 1;

/// Counters reserved by one durable commit (engine rule 18).
const COUNTER_RESERVE: u64 = 10_000;

/// Memory that redb may use for its pages, in bytes.
const CACHE_BYTES: usize = 1 << 20;

/// The state of a folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refused.
    #[error("the state database {path} failed")]
    Database {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
    /// A record is not what this version writes.
    #[error("the state database {path} holds a record that cannot be read")]
    Record {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: postcard::Error,
    },
    /// Written by a newer version.
    #[error(
        "the state database {path} was written by a newer version of Ensafer (schema {found}); upgrade Ensafer"
    )]
    Newer {
        /// Its file.
        path: PathBuf,
        /// The schema found.
        found: u32,
    },
}

/// The ciphertext that base was committed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// Its file in the encrypted folder.
    pub key: StoreKey,
    /// What the file system said of it.
    pub stamp: StoreStamp,
    /// The epoch of its file key.
    pub key_epoch: u32,
    /// The statement in it.
    pub statement: StatementHash,
}

/// One object as both sides last agreed on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BaseRecord {
    /// The version.
    pub object: Arc<Object>,
    /// The work entry that belonged to it.
    pub work: Option<WorkStamp>,
    /// The ciphertext that belonged to it.
    pub store: Option<StoreRecord>,
}

/// Something wrong, as long as it lasts: since when, and about which state of the file (engine rule 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingProblem {
    /// What is wrong.
    pub problem: Problem,
    /// When it was first seen.
    pub since: Timestamp,
    /// The file's stamp then; a change of it starts the count anew.
    pub stamp: Option<StoreStamp>,
}

/// What became of one object, as people are told. Its path is the one of that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneDeed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// The path below the work folder, of the objects' own names.
    pub path: String,
    /// The path before, if it moved.
    pub from: Option<String>,
    /// Whether it was done on this device.
    pub here: bool,
    /// Who published it.
    pub author: Arc<str>,
}

/// What the folder was joined with; small, written as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// This state's device id: new with every new database (engine rule 18).
    pub device: DeviceId,
    /// The machine that the database belongs to; another one means a copied database.
    pub machine: String,
}

/// A folder's state database.
pub struct State {
    database: Arc<Database>,
    path: PathBuf,
    next_counter: u64,
    counter_limit: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("path", &self.path).finish_non_exhaustive()
    }
}

impl State {
    /// Opens the database at `path`, or creates it. The counter jumps to the reserved limit (engine rule 18).
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let database = builder().create(path).map_err(|e| failed(path, e))?;
        let mut state =
            Self { database: Arc::new(database), path: path.into(), next_counter: 1, counter_limit: 1 };
        match state.get::<u32>("schema")? {
            None => state.put("schema", &SCHEMA)?,
            Some(SCHEMA) => {}
            Some(found) => return Err(StateError::Newer { path: path.into(), found }),
        }
        state.counter_limit = state.get("counter-limit")?.unwrap_or(1);
        state.next_counter = state.counter_limit;
        Ok(state)
    }

    /// Reads what is committed, from any thread.
    #[must_use]
    pub fn reader(&self) -> StateReader {
        StateReader { database: Readable::Shared(self.database.clone()), path: self.path.clone() }
    }

    /// The counter that the next event gets.
    #[must_use]
    pub const fn next_counter(&self) -> u64 {
        self.next_counter
    }

    /// Takes `count` counters from [`next_counter`](Self::next_counter) on. When this returns, no later start will
    /// hand any of them out again.
    pub fn take_counters(&mut self, count: u64) -> Result<(), StateError> {
        let next = self.next_counter + count;
        if next > self.counter_limit {
            let limit = next + COUNTER_RESERVE;
            self.put("counter-limit", &limit)?;
            self.counter_limit = limit;
        }
        self.next_counter = next;
        Ok(())
    }

    /// The device and machine that this database was made for, if it was set.
    pub fn identity(&self) -> Result<Option<Identity>, StateError> {
        self.get("identity")
    }

    /// Sets the device and machine. Its counters go on from where they are.
    pub fn set_identity(&mut self, identity: &Identity) -> Result<(), StateError> {
        self.put("identity", identity)
    }

    /// The bytes of the last accepted roster object.
    pub fn roster(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.get("roster")
    }

    /// Keeps the bytes of the last accepted roster object.
    pub fn set_roster(&mut self, object: &[u8]) -> Result<(), StateError> {
        self.put("roster", &object)
    }

    /// Any small value by name: the brake's history, the brake that holds, what is not in order.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        read_value(&*self.database, &self.path, name)
    }

    /// Replaces a small value.
    pub fn put<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), StateError> {
        let bytes = self.encode(value)?;
        self.run(|database| {
            let write = database.begin_write()?;
            write.open_table(META)?.insert(name, bytes.as_slice())?;
            write.commit()?;
            Ok(())
        })
    }

    /// What was not in order when the folder was last looked at.
    pub fn problems(&self) -> Result<Vec<StandingProblem>, StateError> {
        Ok(self.get(PROBLEMS)?.unwrap_or_default())
    }

    /// Replaces the list of what is not in order.
    pub fn set_problems(&mut self, problems: &[StandingProblem]) -> Result<(), StateError> {
        self.put(PROBLEMS, &problems)
    }

    /// Reads the base tree, and the ciphertexts that belong to it.
    pub fn load_base(&self) -> Result<(BaseTree, HashMap<FileId, StoreRecord>), StateError> {
        read_base(&*self.database, &self.path)
    }

    /// Commits `records` to the base tree, and `deeds` to what was done, in one durable transaction.
    pub fn commit(&mut self, records: &[BaseRecord], deeds: &[DoneDeed]) -> Result<(), StateError> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records
            .iter()
            .map(|record| Ok((record.object.id, self.encode(record)?)))
            .collect::<Result<Vec<_>, StateError>>()?;
        let deeds = deeds.iter().map(|deed| self.encode(deed)).collect::<Result<Vec<_>, StateError>>()?;
        self.run(|database| {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(BASE)?;
                for (id, bytes) in &rows {
                    table.insert(id.as_bytes(), bytes.as_slice())?;
                }
            }
            append(&write, &deeds)?;
            write.commit()?;
            Ok(())
        })
    }

    fn run<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StateError> {
        work(&self.database).map_err(|source| failed(&self.path, source))
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, StateError> {
        postcard::to_stdvec(value).map_err(|source| StateError::Record { path: self.path.clone(), source })
    }
}

/// Reads a folder's state as last committed, while its engine, in this process or another, may be writing it.
#[derive(Clone)]
pub struct StateReader {
    database: Readable,
    path: PathBuf,
}

#[derive(Clone)]
enum Readable {
    /// The engine is in this process.
    Shared(Arc<Database>),
    /// The engine is in another process, or does not run.
    File(Arc<ReadOnlyDatabase>),
}

impl std::fmt::Debug for StateReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StateReader {
    /// The bytes of the last accepted roster object.
    pub fn roster(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.get("roster")
    }

    /// Opens the database at `path` for reading; `None` where there is none yet.
    pub fn open(path: &Path) -> Result<Option<Self>, StateError> {
        if !path.exists() {
            return Ok(None);
        }
        let database = match builder().open_read_only(path) {
            Ok(database) => database,
            // A killed process leaves a repair to be done, which only a writer may do. Where one is at work, it has.
            Err(_) => {
                drop(builder().open(path).map_err(|e| failed(path, e))?);
                builder().open_read_only(path).map_err(|e| failed(path, e))?
            }
        };
        Ok(Some(Self { database: Readable::File(Arc::new(database)), path: path.into() }))
    }

    /// Any small value by name.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        match &self.database {
            Readable::Shared(database) => read_value(&**database, &self.path, name),
            Readable::File(database) => read_value(&**database, &self.path, name),
        }
    }

    /// What was not in order when the folder was last looked at.
    pub fn problems(&self) -> Result<Vec<StandingProblem>, StateError> {
        Ok(self.get(PROBLEMS)?.unwrap_or_default())
    }

    /// What was done, the latest first, at most `limit` deeds.
    pub fn activity(&self, limit: usize) -> Result<Vec<DoneDeed>, StateError> {
        match &self.database {
            Readable::Shared(database) => read_activity(&**database, &self.path, limit),
            Readable::File(database) => read_activity(&**database, &self.path, limit),
        }
    }

    /// Reads the base tree, and the ciphertexts that belong to it.
    pub fn load_base(&self) -> Result<(BaseTree, HashMap<FileId, StoreRecord>), StateError> {
        match &self.database {
            Readable::Shared(database) => read_base(&**database, &self.path),
            Readable::File(database) => read_base(&**database, &self.path),
        }
    }
}

/// Whether somebody has the database at `path` open to write into it.
#[must_use]
pub fn is_open(path: &Path) -> bool {
    path.exists() && matches!(builder().open(path), Err(redb::DatabaseError::DatabaseAlreadyOpen))
}

/// One process writes, others may read meanwhile: `status` and `ls` need no daemon's help.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Adds rows after the last one, and drops the first of more than [`MOST_DEEDS`].
fn append(write: &WriteTransaction, rows: &[Vec<u8>]) -> Result<(), redb::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(ACTIVITY)?;
    let last = table.last()?.map_or(0, |(number, _)| number.value());
    for (number, row) in (last + 1..).zip(rows) {
        table.insert(number, row.as_slice())?;
    }
    while table.len()? > MOST_DEEDS {
        table.pop_first()?;
    }
    Ok(())
}

fn failed(path: &Path, source: impl Into<redb::Error>) -> StateError {
    StateError::Database { path: path.into(), source: Box::new(source.into()) }
}

fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StateError> {
    postcard::from_bytes(bytes).map_err(|source| StateError::Record { path: path.into(), source })
}

fn read_value<T: DeserializeOwned>(
    database: &impl ReadableDatabase,
    path: &Path,
    name: &str,
) -> Result<Option<T>, StateError> {
    let read = database.begin_read().map_err(|e| failed(path, e))?;
    let table = match read.open_table(META) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table.map_err(|e| failed(path, e))?,
    };
    let value = table.get(name).map_err(|e| failed(path, e))?;
    value.map(|value| decode(path, value.value())).transpose()
}

fn read_base(
    database: &impl ReadableDatabase,
    path: &Path,
) -> Result<(BaseTree, HashMap<FileId, StoreRecord>), StateError> {
    let mut base = BaseTree::default();
    let mut store = HashMap::new();
    let read = database.begin_read().map_err(|e| failed(path, e))?;
    let table = match read.open_table(BASE) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok((base, store)),
        table => table.map_err(|e| failed(path, e))?,
    };
    for row in table.iter().map_err(|e| failed(path, e))? {
        let (id, bytes) = row.map_err(|e| failed(path, e))?;
        let id = FileId::new(*id.value());
        let record: BaseRecord = decode(path, bytes.value())?;
        base.entries.insert(id, BaseEntry { object: record.object, work: record.work });
        if let Some(record) = record.store {
            store.insert(id, record);
        }
    }
    Ok((base, store))
}

fn read_activity(
    database: &impl ReadableDatabase,
    path: &Path,
    limit: usize,
) -> Result<Vec<DoneDeed>, StateError> {
    let read = database.begin_read().map_err(|e| failed(path, e))?;
    let table = match read.open_table(ACTIVITY) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table.map_err(|e| failed(path, e))?,
    };
    let rows = table.iter().map_err(|e| failed(path, e))?.rev().take(limit);
    rows.map(|row| decode(path, row.map_err(|e| failed(path, e))?.1.value())).collect()
}

#[cfg(test)]
mod tests {
    use ensafer_core::clock::{Clock, Dot};
    use ensafer_core::tree::{Content, Name};

    use super::*;

    fn record(n: u8) -> BaseRecord {
        let dot = Dot { counter: 1, device: DeviceId::new([1; 16]) };
        BaseRecord {
            object: Arc::new(Object {
                id: FileId::new([n; 16]),
                parent: FileId::new([0; 16]),
                name: Name::new("a").unwrap(),
                content: Content::Directory,
                modified: Timestamp::default(),
                created: Timestamp::default(),
                description: None,
                clock: Clock::new().with(dot),
                content_dot: dot,
                place_dot: dot,
                author: "alice".into(),
            }),
            work: None,
            store: Some(StoreRecord {
                key: StoreKey("k".into()),
                stamp: StoreStamp {
                    length: 1,
                    modified: Timestamp::default(),
                    changed: Timestamp::default(),
                    inode: 1,
                },
                key_epoch: 1,
                statement: StatementHash::new([2; 32]),
            }),
        }
    }

    #[test]
    fn rule_18_counters_are_never_handed_out_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let mut state = State::open(&path).unwrap();
        let first = state.next_counter();
        state.take_counters(7).unwrap();
        let used = state.next_counter();
        assert_eq!(used, first + 7);
        drop(state);
        let state = State::open(&path).unwrap();
        assert!(state.next_counter() >= used, "{} < {used}", state.next_counter());
    }

    #[test]
    fn base_survives_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let mut state = State::open(&path).unwrap();
        state.commit(&[record(1), record(2)], &[]).unwrap();
        drop(state);
        let state = State::open(&path).unwrap();
        let (base, store) = StateReader::open(&path).unwrap().unwrap().load_base().unwrap();
        assert_eq!(state.load_base().unwrap().0.entries.len(), 2, "reading beside the writer");
        assert_eq!(base.entries.len(), 2);
        assert_eq!(base.entries[&FileId::new([1; 16])].object, record(1).object);
        assert_eq!(store[&FileId::new([2; 16])], record(2).store.unwrap());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        State::open(&path).unwrap().put("schema", &(SCHEMA + 1)).unwrap();
        assert!(matches!(State::open(&path), Err(StateError::Newer { .. })));
    }

    #[test]
    fn the_latest_deeds_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let mut state = State::open(&path).unwrap();
        assert_eq!(state.reader().activity(10).unwrap(), []);
        let deed = |n: u64| DoneDeed {
            at: Timestamp::default(),
            deed: Deed::Added,
            path: n.to_string(),
            from: None,
            here: true,
            author: "alice".into(),
        };
        let deeds: Vec<_> = (0..MOST_DEEDS + 2).map(deed).collect();
        let (first, rest) = deeds.split_at(3);
        state.commit(&[record(1)], first).unwrap();
        state.commit(&[record(1)], rest).unwrap();
        let kept = state.reader().activity(usize::MAX).unwrap();
        assert_eq!(kept.len() as u64, MOST_DEEDS);
        assert_eq!((kept[0].path.as_str(), &kept.last().unwrap().path), ("10001", &"2".to_owned()));
        drop(state);
        let reader = StateReader::open(&path).unwrap().unwrap();
        assert_eq!(reader.activity(1).unwrap(), [deed(MOST_DEEDS + 1)]);
    }
}
