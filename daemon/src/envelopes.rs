//! The cache of opened member envelopes: one RSA operation per folder epoch and device, not one per start.
//!
//! A sled database under the cache directory. Each value is a folder key sealed under the device key, under the
//! SHA-256 of the envelope's label and bytes. It may be lost at any time: whoever misses an entry opens the envelope
//! again and puts it back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ensafer_core::crypto::{DeviceKey, FolderKey, Key, Random, open_key, purpose, seal_key, sha256};

/// Memory that sled may use for pages, in bytes.
const CACHE_BYTES: u64 = 1 << 20;

/// A database larger than this holds mostly garbage: it is made anew.
const RECREATE_BYTES: u64 = 16 << 20;

/// Names one envelope under one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeName([u8; 32]);

impl EnvelopeName {
    /// The name of `envelope` (its body) as opened under `label`.
    #[must_use]
    pub fn new(label: &[u8], envelope: &[u8]) -> Self {
        let length = u16::try_from(label.len()).unwrap_or(u16::MAX).to_be_bytes();
        Self(sha256(&[&length, label, envelope]))
    }
}

/// The envelope cache. Nothing is opened before the first envelope is asked for: a daemon that finds all as it was needs no
/// keys, and so none of sled's threads, which never rest.
pub struct Envelopes {
    directory: PathBuf,
    /// Empty as long as it cannot be had: then envelopes are opened anew each time.
    database: OnceLock<sled::Db>,
}

impl std::fmt::Debug for Envelopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Envelopes")
    }
}

impl Envelopes {
    /// The cache in `directory`.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, database: OnceLock::new() }
    }

    fn database(&self) -> Option<&sled::Db> {
        if self.database.get().is_none() {
            let opened = open_or_recreate(&self.directory)
                .inspect_err(|error| tracing::warn!(%error, "the envelope cache cannot be made"));
            // Another thread may have been first: then this one saw it in use.
            if let Some(database) = opened.ok().flatten() {
                let _ = self.database.set(database);
            }
        }
        self.database.get()
    }

    /// The folder key in the envelope `name`, if it was opened before under the same device key.
    #[must_use]
    pub fn get(&self, device: &DeviceKey, name: EnvelopeName) -> Option<FolderKey> {
        let sealed = self.database()?.get(name.0).ok()??;
        let key: Key<purpose::Folder> = open_key(device, &name.0, &sealed).ok()?;
        Some(key)
    }

    /// Remembers the folder key that the envelope `name` held. Failures are logged and otherwise harmless.
    pub fn put(&self, device: &DeviceKey, name: EnvelopeName, key: &FolderKey, rng: &mut impl Random) {
        let Some(database) = self.database() else { return };
        let sealed = seal_key(device, key, &name.0, rng);
        let kept = database.insert(name.0, sealed.as_slice()).and_then(|_| database.flush());
        if let Err(error) = kept {
            tracing::warn!(%error, "the envelope cache cannot be written");
        }
    }
}

/// Whether another process has the cache open: sled keeps its file locked.
fn is_in_use(directory: &Path) -> bool {
    let file = fs::File::open(directory.join("db"));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// Opens the cache in `directory`. One that does not open, or has grown large, is made anew; one that another process has
/// open is left alone.
fn open_or_recreate(directory: &Path) -> Result<Option<sled::Db>, Box<dyn std::error::Error>> {
    if is_in_use(directory) {
        return Ok(None);
    }
    if let Ok(database) = open_database(directory)
        && database.size_on_disk().unwrap_or(u64::MAX) <= RECREATE_BYTES
    {
        return Ok(Some(database));
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(Some(open_database(directory)?)),
    }
}

fn open_database(directory: &Path) -> sled::Result<sled::Db> {
    sled::Config::new().path(directory).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()
}

#[cfg(test)]
mod tests {
    use ensafer_core::crypto::SystemRandom;

    use super::*;

    #[test]
    fn a_remembered_key_comes_back_under_the_same_device_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let mut rng = SystemRandom;
        let (device, other) = (DeviceKey::generate(&mut rng), DeviceKey::generate(&mut rng));
        let key = FolderKey::generate(&mut rng);
        let name = EnvelopeName::new(b"label", b"envelope");
        let cache = Envelopes::new(directory.path().into());
        assert!(cache.get(&device, name).is_none());
        cache.put(&device, name, &key, &mut rng);
        drop(cache);
        let cache = Envelopes::new(directory.path().into());
        assert!(cache.get(&device, name).is_some());
        assert!(cache.get(&other, name).is_none());
        assert!(cache.get(&device, EnvelopeName::new(b"label", b"another")).is_none());
    }

    #[test]
    fn a_cache_that_is_in_use_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mut rng = SystemRandom;
        let (device, key) = (DeviceKey::generate(&mut rng), FolderKey::generate(&mut rng));
        let name = EnvelopeName::new(b"label", b"envelope");
        let first = Envelopes::new(directory.path().into());
        first.put(&device, name, &key, &mut rng);
        let second = Envelopes::new(directory.path().into());
        assert!(second.get(&device, name).is_none());
        drop(first);
        assert!(second.get(&device, name).is_some(), "it is asked again");
        drop(second);
        assert!(Envelopes::new(directory.path().into()).get(&device, name).is_some());
    }

    #[test]
    fn a_broken_cache_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        drop(open_database(&path).unwrap());
        for entry in fs::read_dir(&path).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                fs::write(file, b"garbage").unwrap();
            }
        }
        let cache = Envelopes::new(path);
        let mut rng = SystemRandom;
        let (device, key) = (DeviceKey::generate(&mut rng), FolderKey::generate(&mut rng));
        cache.put(&device, EnvelopeName::new(b"", b""), &key, &mut rng);
        assert!(cache.get(&device, EnvelopeName::new(b"", b"")).is_some());
    }
}
