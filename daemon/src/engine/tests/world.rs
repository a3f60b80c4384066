//! A cloud, devices that share it, and a clock that only tests move.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use ensafer_core::account::Account;
use ensafer_core::api::local::Keep;
use ensafer_core::clock::{Clock as VersionVector, Dot};
use ensafer_core::crypto::InvitationSecrets;
use ensafer_core::format::object_name;
use ensafer_core::format::roster::Role;
use ensafer_core::ids::{DeviceId, FileId, FolderId, InvitationId};
use ensafer_core::plan::{ProblemClass, Subject};
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{BaseEntry, BaseTree, Content, Name, Object};

use super::accounts::{TestVault, alice};
use crate::clock::{Clock, FakeClock};
use crate::engine::{
    EngineError, Env, Folder, MemberChange, MembersError, Preview, ResolveError, Settings, Settled, Step,
    identity, settle,
};
use crate::folder_keys::OpenFolder;
use crate::folders::{FolderEntry, Folders};
use crate::join;
use crate::pairs;
use crate::progress::Progress;
use crate::refusals::Pair;
use crate::state::{Identity, State};
use crate::store::{DirectoryStore, EncryptedStore};

pub const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

/// The encrypted folder, as a cloud carries it to every device at once, and the time.
pub struct World {
    temporary: tempfile::TempDir,
    pub clock: Arc<FakeClock>,
    account: Arc<Account>,
}

impl World {
    /// The clock is an hour ahead of the files' times, so that every file has rested.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let now = Timestamp::default().plus(now + Duration::from_secs(3600));
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join("cloud")).unwrap();
        Self { temporary, clock: Arc::new(FakeClock::new(now)), account: alice() }
    }

    pub fn cloud(&self) -> PathBuf {
        self.temporary.path().join("cloud")
    }

    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// A device that has joined the folder, which the first one makes.
    pub fn device(&self, name: &str) -> Device {
        self.device_of(name, &self.account, &self.cloud())
    }

    /// A device of somebody else, who has met the folder's owner.
    pub fn guest(&self, name: &str, account: &Arc<Account>) -> Device {
        self.join(name, account, &self.cloud(), |vault| vault.meet(&self.account)).unwrap()
    }

    /// A device of somebody who is invited, and is no member yet.
    pub fn invited(
        &self,
        name: &str,
        account: &Arc<Account>,
        (folder, id, secrets): (FolderId, InvitationId, InvitationSecrets),
    ) -> anyhow::Result<Device> {
        self.join(name, account, &self.cloud(), |vault| {
            vault.meet(&self.account);
            *vault.invited.lock().unwrap() = Some((folder, id, secrets));
        })
    }

    pub fn device_of(&self, name: &str, account: &Arc<Account>, encrypted: &Path) -> Device {
        self.join(name, account, encrypted, |_| {}).unwrap()
    }

    /// A device of `account`, whose vault is prepared.
    pub fn join(
        &self,
        name: &str,
        account: &Arc<Account>,
        encrypted: &Path,
        prepare: impl FnOnce(&TestVault),
    ) -> anyhow::Result<Device> {
        let home = self.temporary.path().join(name);
        let work = home.join("work");
        let data = home.join("data");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(&data).unwrap();
        let seed = u64::from(name.bytes().map(u32::from).sum::<u32>());
        let vault = Arc::new(TestVault::new(account.clone(), seed, &home.join("envelopes")));
        prepare(&vault);
        let mut folders = Folders::load(&data).unwrap();
        let pair = Pair { work, encrypted: encrypted.to_path_buf() };
        let entry = join::add(&pair, &mut folders, &*vault, None, None, name, self.clock.now())?;
        let state = folders.state_directory(entry.id).unwrap();
        let settings = Settings {
            settle: Duration::from_millis(200),
            padding: false,
            trash_days: 30,
            device_name: name.into(),
        };
        let progress = Arc::new(Progress::hidden());
        let mut device =
            Device { clock: self.clock.clone(), entry, settings, state, vault, progress, folder: None };
        device.start();
        Ok(device)
    }

    /// The names in the encrypted folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.cloud())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The encrypted folder as it is now.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        self.names()
            .into_iter()
            .map(|name| (name.clone(), fs::read(self.cloud().join(name)).unwrap()))
            .collect()
    }

    /// Has devices settle in turns until none of them finds anything to do.
    pub fn settle(&self, devices: &mut [&mut Device]) {
        for _ in 0..20 {
            let mut is_quiet = true;
            for device in devices.iter_mut() {
                let settled = device.settle();
                is_quiet &= settled.published + settled.applied == 0;
            }
            if is_quiet {
                return;
            }
        }
        panic!("the devices never come to rest");
    }
}

/// One device.
pub struct Device {
    pub clock: Arc<FakeClock>,
    pub entry: FolderEntry,
    pub settings: Settings,
    pub state: PathBuf,
    pub vault: Arc<TestVault>,
    /// Over all that the device does.
    pub progress: Arc<Progress>,
    pub folder: Option<Folder>,
}

impl Device {
    pub fn folder(&mut self) -> &mut Folder {
        self.folder.as_mut().unwrap()
    }

    /// Opens the folder, as a start of the daemon does.
    pub fn start(&mut self) {
        self.folder = None;
        let now = self.clock.now();
        self.folder =
            Some(Folder::open(self.entry.clone(), self.settings.clone(), &self.state, now).unwrap());
    }

    /// Opens the folder over a store of the test's own making.
    pub fn start_with(&mut self, decorate: impl FnOnce(Box<dyn EncryptedStore>) -> Box<dyn EncryptedStore>) {
        self.folder = None;
        let mut state = State::open(&self.state_file()).unwrap();
        let identity = identity::current(&mut state).unwrap();
        let store = decorate(Box::new(DirectoryStore::open(&self.entry.encrypted, identity.device).unwrap()));
        let now = self.clock.now();
        let folder =
            Folder::with_store(self.entry.clone(), self.settings.clone(), state, identity, store, now)
                .unwrap();
        self.folder = Some(folder);
    }

    pub fn stop(&mut self) {
        self.folder = None;
    }

    /// Gives the folder's memory back, and takes it again.
    pub fn sleep(&mut self) {
        let asleep = self.folder.take().unwrap().fall_asleep();
        self.folder = Some(asleep.wake().unwrap());
    }

    pub fn state_file(&self) -> PathBuf {
        self.state.join("state.redb")
    }

    /// Deletes what the device remembers.
    pub fn lose_state(&mut self) {
        self.folder = None;
        fs::remove_file(self.state_file()).unwrap();
        self.start();
    }

    pub fn try_step(&mut self) -> Result<Step, EngineError> {
        self.with_env(Folder::step)
    }

    /// One look at what hints say, and what follows from it.
    pub fn step(&mut self) -> Step {
        self.try_step().unwrap()
    }

    /// One look at everything, and what follows from it.
    pub fn look(&mut self) -> Step {
        self.folder().look_at_everything();
        self.step()
    }

    pub fn settle(&mut self) -> Settled {
        self.with_env(settle).unwrap().0
    }

    pub fn change(&mut self, change: &MemberChange) -> Result<(), MembersError> {
        self.with_env(|folder, env| folder.change_members(change, env))
    }

    pub fn resolve(&mut self, conflict: FileId, keep: Keep) -> Result<(), ResolveError> {
        self.with_env(|folder, env| folder.resolve_conflict(conflict, keep, env))
    }

    pub fn add(&mut self, account: &Account, role: Role) -> Result<(), MembersError> {
        self.change(&MemberChange::Add { bundle: Box::new(account.bundle().clone()), role })
    }

    pub fn reencrypt(&mut self) -> Result<(), EngineError> {
        self.with_env(Folder::wish_reencryption)
    }

    pub fn set_role(&mut self, account: &Account, role: Role) -> Result<(), MembersError> {
        self.change(&MemberChange::SetRole { subject: account.identity().public(), role })
    }

    pub fn expel(&mut self, account: &Account) -> Result<(), MembersError> {
        self.change(&MemberChange::Remove { subject: account.identity().public() })
    }

    /// What a computer that joins the folder now, with this device's work folder, would do first.
    pub fn dry_run(&self, is_cancelled: bool) -> Option<Preview> {
        let scratch = tempfile::tempdir().unwrap();
        let env = Env {
            clock: &*self.clock,
            vault: &*self.vault,
            cancel: &AtomicBool::new(is_cancelled),
            progress: &Progress::hidden(),
        };
        pairs::dry_run(self.entry.clone(), self.settings.clone(), scratch.path(), &env).unwrap()
    }

    fn with_env<T>(&mut self, work: impl FnOnce(&mut Folder, &Env<'_>) -> T) -> T {
        self.with_env_unless(false, work)
    }

    fn with_env_unless<T>(&mut self, is_cancelled: bool, work: impl FnOnce(&mut Folder, &Env<'_>) -> T) -> T {
        let env = Env {
            clock: &*self.clock,
            vault: &*self.vault,
            cancel: &AtomicBool::new(is_cancelled),
            progress: &self.progress,
        };
        work(self.folder.as_mut().unwrap(), &env)
    }

    pub fn resolve_and_give_up(&mut self, conflict: FileId, keep: Keep) -> Result<(), ResolveError> {
        self.with_env_unless(true, |folder, env| folder.resolve_conflict(conflict, keep, env))
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.entry.work.join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// Writes as most editors do: beside, and then over it.
    pub fn save_by_rename(&self, path: &str, text: &str) {
        let beside = self.path(path).with_extension("part");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path(path)).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to).parent().unwrap()).unwrap();
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    pub fn link(&self, target: &str, path: &str) {
        symlink(target, self.path(path)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Everything in the work folder: directories end in `/`, links in ` -> target`.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        collect(&self.entry.work, "", &mut tree);
        tree
    }

    /// The contents of the files of the work folder, sorted.
    pub fn contents(&self) -> Vec<String> {
        let mut contents: Vec<String> =
            self.tree().into_iter().filter(|(path, _)| !path.ends_with('/')).map(|(_, text)| text).collect();
        contents.sort();
        contents
    }

    /// The contents of the files in the trash, with their names.
    pub fn trash(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut directories = vec![self.path(".ensafer/trash")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    found.push((name, fs::read(&path).unwrap_or_default()));
                }
            }
        }
        found
    }

    pub fn is_in_trash(&self, bytes: &[u8]) -> bool {
        self.trash().iter().any(|(_, found)| found == bytes)
    }

    /// What is not in order: classes by object or path.
    pub fn problems(&self) -> BTreeMap<String, ProblemClass> {
        let standing = self.folder.as_ref().unwrap().problems();
        let shown = |subject: &Subject| match subject {
            Subject::Object(key) => key.to_string(),
            Subject::Path(path) => path.clone(),
        };
        standing.iter().map(|s| (shown(&s.problem.subject), s.problem.class)).collect()
    }

    /// The one object of this name that base knows, deleted or not.
    pub fn id_of(&self, name: &str) -> FileId {
        let entries = &self.folder.as_ref().unwrap().base().entries;
        let mut found = entries.values().filter(|entry| entry.object.name.as_str() == name);
        let id = found.next().unwrap_or_else(|| panic!("no object is called {name}")).object.id;
        assert!(found.next().is_none(), "several objects are called {name}");
        id
    }

    pub fn base(&self) -> &BaseTree {
        self.folder.as_ref().unwrap().base()
    }

    pub fn base_of(&self, name: &str) -> BaseEntry {
        self.folder.as_ref().unwrap().base().entries[&self.id_of(name)].clone()
    }

    /// The name of the ciphertext of the object called `name`.
    pub fn key_of(&self, name: &str) -> String {
        object_name(self.id_of(name))
    }

    /// The ciphertext of the object called `name`.
    pub fn ciphertext(&self, name: &str) -> PathBuf {
        self.entry.encrypted.join(self.key_of(name))
    }

    pub fn roster_key(&self) -> String {
        object_name(self.entry.id.root())
    }

    /// The folder's keys, for writing what no honest device writes.
    pub fn keys(&self) -> OpenFolder {
        let bytes = fs::read(self.entry.encrypted.join(self.roster_key())).unwrap();
        let identity = Identity { device: EVIL, machine: String::new() };
        OpenFolder::open(&bytes, &*self.vault, &identity, "evil", None).unwrap()
    }

    /// An object at the top that nobody has written yet.
    pub fn object(&self, id: u8, name: &str, content: Content) -> Object {
        let dot = Dot { counter: 1, device: EVIL };
        Object {
            id: FileId::new([id; 16]),
            parent: self.entry.id.root(),
            name: Name::new(name).unwrap(),
            content,
            modified: Timestamp::from_parts(1_700_000_000, 0),
            created: Timestamp::from_parts(1_700_000_000, 0),
            description: None,
            clock: VersionVector::new().with(dot),
            content_dot: dot,
            place_dot: dot,
            author: "evil".into(),
        }
    }
}

/// The device of whoever holds the keys and is not honest.
pub const EVIL: DeviceId = DeviceId::new([0xEE; 16]);

/// The content of a file that holds `text`.
pub fn file(text: &str) -> Content {
    Content::File { size: text.len() as u64, digest: None, executable: false }
}

fn collect(directory: &Path, below: &str, tree: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if below.is_empty() && name == ".ensafer" {
            continue;
        }
        let path = format!("{below}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            tree.insert(format!("{path}/"), String::new());
            collect(&entry.path(), &format!("{path}/"), tree);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            tree.insert(format!("{path} -> {}", target.display()), String::new());
        } else {
            tree.insert(path, String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned());
        }
    }
}
