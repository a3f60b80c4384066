//! Decorators of the encrypted folder: one that meddles at the right moment, one in which the power fails.

use std::any::Any;
use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ensafer_core::tree::StoreKey;

use crate::store::{
    CommitError, EncryptedStore, Listing, StagedObject, StoreError, StoreStamp, StoredObject,
};

/// What is done to an encrypted folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    List,
    Open(StoreKey),
    Stage,
    Write,
    Barrier,
    Commit(StoreKey),
    Remove(StoreKey),
    Sync,
}

/// Calls `before` ahead of every operation and `after` behind it.
pub struct Watched<F> {
    pub inner: Box<dyn EncryptedStore>,
    pub watcher: Arc<F>,
}

/// Sees every operation, before it is done and after.
pub trait Watcher: Send + Sync + 'static {
    fn before(&self, op: &Op);
    fn after(&self, _op: &Op) {}
    /// Whether nothing can be staged, because the disk is full.
    fn is_full(&self) -> bool {
        false
    }
    /// Whether temporary files stay behind, as after a kill.
    fn leaves_temporaries(&self) -> bool {
        false
    }
}

impl<F: Fn(&Op) + Send + Sync + 'static> Watcher for F {
    fn before(&self, op: &Op) {
        self(op);
    }
}

/// Wraps a store so that `watcher` sees what is done.
pub fn watched<F: Watcher>(
    watcher: Arc<F>,
) -> impl FnOnce(Box<dyn EncryptedStore>) -> Box<dyn EncryptedStore> {
    |inner| Box::new(Watched { inner, watcher })
}

impl<F: Watcher> Watched<F> {
    fn during<T>(&self, op: &Op, work: impl FnOnce() -> T) -> T {
        self.watcher.before(op);
        let done = work();
        self.watcher.after(op);
        done
    }
}

impl<F: Watcher> EncryptedStore for Watched<F> {
    fn list(&self) -> Result<Listing, StoreError> {
        self.during(&Op::List, || self.inner.list())
    }

    fn look(&self, key: &StoreKey) -> Result<Option<StoreStamp>, StoreError> {
        self.inner.look(key)
    }

    fn open(&self, key: &StoreKey) -> Result<Box<dyn StoredObject>, StoreError> {
        self.during(&Op::Open(key.clone()), || self.inner.open(key))
    }

    fn stage(&self) -> Result<Box<dyn StagedObject>, StoreError> {
        if self.watcher.is_full() {
            return Err(StoreError::DiskFull {
                what: "the cloud".into(),
                source: ErrorKind::StorageFull.into(),
            });
        }
        let inner = self.during(&Op::Stage, || self.inner.stage())?;
        Ok(Box::new(WatchedStage { inner: ManuallyDrop::new(inner), watcher: self.watcher.clone() }))
    }

    fn barrier(&self, batch: &[Box<dyn StagedObject>]) -> Result<(), StoreError> {
        self.during(&Op::Barrier, || self.inner.barrier(batch))
    }

    fn commit(
        &self,
        staged: Box<dyn StagedObject>,
        key: &StoreKey,
        expected: Option<StoreStamp>,
        keep: Option<&Path>,
    ) -> Result<StoreStamp, CommitError> {
        self.during(&Op::Commit(key.clone()), || self.inner.commit(staged, key, expected, keep))
    }

    fn remove(&self, key: &StoreKey, expected: StoreStamp, keep: Option<&Path>) -> Result<(), CommitError> {
        self.during(&Op::Remove(key.clone()), || self.inner.remove(key, expected, keep))
    }

    fn sync_directories(&self) -> Result<(), StoreError> {
        self.during(&Op::Sync, || self.inner.sync_directories())
    }

    fn sweep(&self, keep: &Path) -> Result<usize, StoreError> {
        self.inner.sweep(keep)
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.inner.probe()
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.inner.free_bytes()
    }
}

struct WatchedStage<F: Watcher> {
    inner: ManuallyDrop<Box<dyn StagedObject>>,
    watcher: Arc<F>,
}

impl<F: Watcher> StagedObject for WatchedStage<F> {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.watcher.before(&Op::Write);
        self.inner.write_at(offset, bytes)
    }

    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn into_any(mut self: Box<Self>) -> Box<dyn Any + Send> {
        // What is taken out here is not dropped below.
        let inner = std::mem::replace(&mut *self.inner, Box::new(Taken));
        inner.into_any()
    }

    fn as_any(&self) -> &dyn Any {
        self.inner.as_any()
    }
}

impl<F: Watcher> Drop for WatchedStage<F> {
    fn drop(&mut self) {
        if !self.watcher.leaves_temporaries() {
            let inner = std::mem::replace(&mut *self.inner, Box::new(Taken));
            drop(inner);
        }
    }
}

/// Stands where a staged object was.
struct Taken;

impl StagedObject for Taken {
    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> Result<(), StoreError> {
        unreachable!("it was taken")
    }

    fn length(&self) -> u64 {
        0
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The power fails before or after an operation: everything from then on is a panic.
pub struct PowerCut {
    left: AtomicI64,
    is_off: AtomicBool,
}

impl PowerCut {
    /// After `moments` before or after operations.
    pub fn after(moments: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(moments), is_off: AtomicBool::new(false) })
    }

    pub fn has_happened(&self) -> bool {
        self.is_off.load(Ordering::Relaxed)
    }

    fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.is_off.store(true, Ordering::Relaxed);
            // Without the panic hook's message, which nobody wants to read hundreds of times.
            std::panic::resume_unwind(Box::new("the power fails"));
        }
    }
}

impl Watcher for PowerCut {
    fn before(&self, _op: &Op) {
        self.pass();
    }

    fn after(&self, _op: &Op) {
        self.pass();
    }

    fn leaves_temporaries(&self) -> bool {
        self.has_happened()
    }
}
