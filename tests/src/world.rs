//! A world for one test: an encrypted folder, as a cloud client would share it, and the devices around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::statvfs;
use tempfile::TempDir;

use crate::account::{Person, scratch};
use crate::device::{Device, text};
use crate::keyring::Keyring;

/// Directories that are gone when the test is over. Keep it alive longer than its devices: declare it first.
#[derive(Debug)]
pub struct World {
    keyring: OnceLock<Option<Keyring>>,
    root: TempDir,
}

impl World {
    /// An empty world on the disk that the build is on.
    #[must_use]
    pub fn new() -> Self {
        Self::inside(&scratch())
    }

    /// An empty world for tens of thousands of files, in memory where `bytes` fit there: some disks need minutes only
    /// to delete that many.
    #[must_use]
    pub fn in_memory(bytes: u64) -> Self {
        let memory = Path::new("/dev/shm");
        let free = statvfs(memory).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
        if free > 2 * bytes { Self::inside(memory) } else { Self::new() }
    }

    fn inside(directory: &Path) -> Self {
        let root = tempfile::Builder::new().prefix("ensafer-world-").tempdir_in(directory).unwrap();
        let world = Self { keyring: OnceLock::new(), root };
        fs::create_dir(world.encrypted()).unwrap();
        world
    }

    /// A world and two devices of one account that share its encrypted folder.
    #[must_use]
    pub fn with_two_devices() -> (Self, Device, Device) {
        Self::new().and_two_devices()
    }

    /// This world and two devices of one account that share its encrypted folder.
    #[must_use]
    pub fn and_two_devices(self) -> (Self, Device, Device) {
        let (laptop, desktop) = (self.device("laptop"), self.device("desktop"));
        (self, laptop, desktop)
    }

    /// A world and one device.
    #[must_use]
    pub fn with_one_device() -> (Self, Device) {
        let world = Self::new();
        let device = world.device("laptop");
        (world, device)
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes a directory inside.
    #[must_use]
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The encrypted folder.
    #[must_use]
    pub fn encrypted(&self) -> PathBuf {
        self.path("cloud")
    }

    /// A device of Alice's with an empty work folder of its own on this world's encrypted folder.
    #[must_use]
    pub fn device(&self, name: &str) -> Device {
        let device = self.idle_device(name);
        device.add_folder().expect(0);
        device
    }

    /// A device of Alice's whose folder is not added yet.
    #[must_use]
    pub fn idle_device(&self, name: &str) -> Device {
        self.idle_device_of(Person::Alice, name)
    }

    /// A device of this person's whose folder is not added yet.
    #[must_use]
    pub fn idle_device_of(&self, person: Person, name: &str) -> Device {
        let keys = person.keys_file();
        let mut device = self.bare_device(name);
        device.work = self.directory(&format!("{name}-work"));
        device.encrypted = self.encrypted();
        device.run(&["keys", "import", text(&keys)]).expect(0);
        device
    }

    /// A device without account and folder, whose keys will be kept in a keyring where this machine has one.
    #[must_use]
    pub fn bare_device(&self, name: &str) -> Device {
        let mut device = Device::bare(&self.path(&format!("{name}-home")));
        if let Some(keyring) = self.keyring.get_or_init(Keyring::start) {
            device.keep_keys_in(keyring);
        }
        device
    }

    /// Everything of this world.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
