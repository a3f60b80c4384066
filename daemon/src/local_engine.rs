//! The engine that the command line drives.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow};
use ensafer_core::account::AccountState;
use ensafer_core::api::local::{
    ActivityReport, ConflictReport, Decrypted, FileStatus, Keep, ListedEntry, Located, MembersChange,
    ProblemReport, Restored, SettleOutcome, TrashQuery, TrashedReport, VerifyReport,
};
use ensafer_core::format::roster::RosterState;
use ensafer_core::ids::{FileId, Fingerprint, FolderId, InvitationId};
use ensafer_core::status::{Event, Facts, Side, Status};

use crate::account::{FreshGroups, Groups, known_people};
use crate::account_watch::{AccountWatch, Tend, Wishes};
use crate::board::Board;
use crate::cli::engine::Engine;
use crate::clock::{Clock, SystemClock};
use crate::clouds::CloudWatch;
use crate::config::Padding;
use crate::daemon::{QuitSignal, Running};
use crate::embedded_server::EmbeddedServer;
use crate::engine::task::{FALL_ASLEEP_AFTER, Shared};
use crate::engine::{Env, Folder, Kept, MemberChange, Settings, Settled, keep_allowed, kept_brake, settle};
use crate::folder_keys::Vault;
use crate::folders::{FolderEntry, Folders};
use crate::groups;
use crate::host::host_name;
use crate::invitations::{self, member_change};
use crate::last_roster::{self, reader};
use crate::local_api::Queries;
use crate::output::printable;
use crate::people::ReadingGuests;
use crate::progress::Progress;
use crate::shell::Shell;
use crate::signers::Signers;
use crate::state::State;
use crate::store::DirectoryStore;
use crate::supervisor::Supervisor;
use crate::vault::ShellVault;
use crate::view::{self, View};
use crate::{activity, decrypt, exit, folders, trash, verify};

/// The engine in this process.
#[derive(Debug, Clone, Copy)]
pub struct LocalEngine;

impl Engine for LocalEngine {
    fn launch(&self, shell: &Shell, quit: QuitSignal) -> Result<Running> {
        let server = EmbeddedServer::start(shell)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let vault = Arc::new(ShellVault::new(shell, false));
        let shared = Shared {
            settings: settings(shell),
            full_scan_interval: shell.config.full_scan_interval(),
            fall_asleep_after: FALL_ASLEEP_AFTER,
            vault: vault.clone(),
            board: Arc::new(Board::new(clock.clone())),
            clock,
        };
        let board = shared.board.clone();
        let interval = shell.config.full_scan_interval();
        let clouds = CloudWatch::start(shell, vault.clone(), board.clone(), interval)
            .context("A thread cannot be started")?;
        let wishes = Wishes::new();
        let waker = wishes.waker().and(clouds.waker());
        let supervisor = Supervisor::start(shell, vault.clone(), shared, waker, quit)?;
        let (guests, groups) = (Arc::downgrade(&supervisor), Arc::downgrade(&supervisor));
        let tend = Tend {
            invitations: Box::new(move |unlocked| {
                guests.upgrade().map_or(Ok(0), |guests| guests.tend_invitations(unlocked))
            }),
            groups: Box::new(move |unlocked| {
                groups.upgrade().map_or(Ok(()), |groups| groups.tend_groups(unlocked))
            }),
        };
        let watch = AccountWatch::start(shell, vault.clone(), board, wishes, tend);
        let watch = watch.context("A thread cannot be started")?;
        let control = Arc::new(supervisor.clone());
        let finish = move || {
            watch.finish();
            clouds.finish();
            supervisor.finish();
            server.finish();
        };
        Ok(Running { control, vault, finish: Box::new(finish) })
    }

    fn sync_once(&self, shell: &Shell, progress: &Progress) -> Result<SettleOutcome> {
        let vault = ShellVault::new(shell, true);
        let clock = SystemClock::default();
        let folders = Folders::load(shell.home.data_dir())?;
        let mut outcome = SettleOutcome::default();
        let mut failed = Vec::new();
        for entry in folders.entries() {
            match settle_one(shell, &folders, entry, &vault, &clock, progress) {
                Ok((settled, problems)) => {
                    settled.add_to(&mut outcome);
                    outcome.problems += problems;
                }
                Err(error) => {
                    failed.push(error.context(format!("{} cannot be synced", entry.work.display())));
                }
            }
        }
        // One folder's trouble does not stop the others. The first one's cause chooses the exit code.
        if let Some(first) = failed.into_iter().next() {
            return Err(first);
        }
        progress.finish();
        Ok(outcome)
    }

    fn status(&self, shell: &Shell) -> Result<Status> {
        let now = SystemClock::default().now();
        let folders = Folders::load(shell.home.data_dir())?;
        let statuses = folders.entries().iter().map(|entry| {
            let events = events_left(&folders, entry)
                .unwrap_or_else(|error| vec![Event::Unreachable(Side::Work, exit::describe(&error))]);
            events.into_iter().fold(Facts::new(entry.id, now), |facts, event| facts.fold(event, now)).status()
        });
        Ok(Status::of(statuses.collect()))
    }

    fn release_brake(&self, shell: &Shell, token: &str) -> Result<bool> {
        let folders = Folders::load(shell.home.data_dir())?;
        let is_released = |entry: &FolderEntry| -> Result<bool> {
            let brake = reader(&folders, entry)?.as_ref().map_or(Ok(None), kept_brake)?;
            if brake.is_none_or(|brake| brake.token != token) {
                return Ok(false);
            }
            let file = folders.state_directory(entry.id)?.join("state.redb");
            keep_allowed(&mut State::open(&file)?, token)?;
            Ok(true)
        };
        // One that cannot be read may be the one that is meant, if no other is.
        let mut unread = None;
        for entry in folders.entries() {
            match is_released(entry) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => _ = unread.get_or_insert(error),
            }
        }
        unread.map_or(Ok(false), Err)
    }

    fn problems(&self, shell: &Shell) -> Result<Vec<ProblemReport>> {
        let folders = Folders::load(shell.home.data_dir())?;
        let mut all = Vec::new();
        for entry in folders.entries() {
            let standing = reader(&folders, entry)?.map_or(Ok(Vec::new()), |reader| reader.problems())?;
            all.extend(standing.into_iter().map(|standing| (standing.since, entry.id, standing.problem)));
        }
        all.sort_by_key(|(since, ..)| *since);
        Ok(all.iter().map(|(since, id, problem)| ProblemReport::new(problem, *id, *since)).collect())
    }

    fn queries(&self, shell: &Shell) -> Result<Box<dyn Queries>> {
        Ok(Box::new(StoredQueries { shell: shell.clone(), folders: Folders::load(shell.home.data_dir())? }))
    }

    fn roster(&self, shell: &Shell, folder: &FolderEntry) -> Result<RosterState> {
        last_roster::roster(shell, &ShellVault::new(shell, true), folder)
    }

    fn reading_guests(
        &self,
        shell: &Shell,
        folder: &FolderEntry,
        own: &[InvitationId],
    ) -> Result<ReadingGuests> {
        last_roster::reading_guests(shell, &ShellVault::new(shell, true), folder, own)
    }

    fn change_members(&self, shell: &Shell, folder: &FolderEntry, change: &MembersChange) -> Result<()> {
        let vault = ShellVault::new(shell, true);
        let folders = Folders::load(shell.home.data_dir())?;
        change_members_of(shell, &folders, &vault, folder.id, &member_change(change)?)
    }

    fn reencrypt(&self, shell: &Shell, folder: &FolderEntry, progress: &Progress) -> Result<SettleOutcome> {
        let vault = ShellVault::new(shell, true);
        let folders = Folders::load(shell.home.data_dir())?;
        let clock = SystemClock::default();
        let wish = |folder: &mut Folder, env: &Env<'_>| Ok(folder.wish_reencryption(env)?);
        with_folder(shell, &folders, folder, &vault, &clock, progress, wish)?;
        let (settled, problems) = settle_one(shell, &folders, folder, &vault, &clock, progress)?;
        let mut outcome = SettleOutcome { problems, ..SettleOutcome::default() };
        settled.add_to(&mut outcome);
        progress.finish();
        Ok(outcome)
    }

    fn tend_invitations(&self, shell: &Shell) -> Result<()> {
        let vault = ShellVault::new(shell, true);
        let folders = Folders::load(shell.home.data_dir())?;
        let change = |folder, change| change_members_of(shell, &folders, &vault, folder, &change);
        Ok(invitations::tend(shell, &vault.unlocked()?, &change).map(drop)?)
    }

    fn tend_groups(&self, shell: &Shell) -> Result<FreshGroups> {
        let vault = ShellVault::new(shell, true);
        let folders = Folders::load(shell.home.data_dir())?;
        let Shell { home, config, .. } = shell;
        let (unlocked, now) = (vault.unlocked()?, SystemClock::default().now());
        let groups = Groups { home, config, unlocked: &unlocked, files: vault.group_files(), now };
        let change = |folder, change| change_members_of(shell, &folders, &vault, folder, &change);
        Ok(groups::tend(&groups, folders.entries(), &change)?)
    }

    fn verify(&self, shell: &Shell, folder: &FolderEntry, progress: &Progress) -> Result<VerifyReport> {
        let vault = ShellVault::new(shell, true);
        let open = last_roster::open(shell, folder, &vault)?;
        let store = DirectoryStore::open(&folder.encrypted, open.authorship.device)?;
        verify::verify(&store, &open, &vault.unlocked()?.account, progress)
    }

    fn decrypt(
        &self,
        shell: &Shell,
        files: &[PathBuf],
        accepted: &[Fingerprint],
        output: &Path,
        progress: &Progress,
    ) -> Result<Vec<Decrypted>> {
        let vault = ShellVault::new(shell, true);
        let unlocked = vault.unlocked()?;
        // Whoever rescues files with an old program can at least have their own.
        let known = known_people(&shell.home, &unlocked.account).unwrap_or_else(|error| {
            shell.output.warn(format_args!("Whom this account knows cannot be read: {error}"));
            AccountState::default()
        });
        let signers = Signers::new(&unlocked.account, known, accepted);
        let groups = vault.groups().unwrap_or_else(|error| {
            shell.output.warn(format_args!("The groups that this account is in cannot be read: {error}"));
            Vec::new()
        });
        Ok(decrypt::decrypt(&unlocked.account, &groups, &signers, files, output, progress))
    }
}

/// Opens one folder in this process, and does `work` on it.
fn with_folder<T>(
    shell: &Shell,
    folders: &Folders,
    entry: &FolderEntry,
    vault: &ShellVault,
    clock: &dyn Clock,
    progress: &Progress,
    work: impl FnOnce(&mut Folder, &Env<'_>) -> Result<T>,
) -> Result<T> {
    let directory = folders.state_directory(entry.id)?;
    let mut folder = Folder::open(entry.clone(), settings(shell), &directory, clock.now())?;
    work(&mut folder, &Env { clock, vault, cancel: &AtomicBool::new(false), progress })
}

/// Changes the members of a folder in this process.
fn change_members_of(
    shell: &Shell,
    folders: &Folders,
    vault: &ShellVault,
    folder: FolderId,
    change: &MemberChange,
) -> Result<()> {
    let entry = folders.entries().iter().find(|entry| entry.id == folder);
    let entry = entry.context("the folder is not on this computer")?;
    let change = |folder: &mut Folder, env: &Env<'_>| Ok(folder.change_members(change, env)?);
    with_folder(shell, folders, entry, vault, &SystemClock::default(), &Progress::hidden(), change)
}

/// Settles one folder in this process. Returns how many problems stand afterwards, too.
fn settle_one(
    shell: &Shell,
    folders: &Folders,
    entry: &FolderEntry,
    vault: &ShellVault,
    clock: &dyn Clock,
    progress: &Progress,
) -> Result<(Settled, u64)> {
    with_folder(shell, folders, entry, vault, clock, progress, |folder, env| {
        let (settled, _) = settle(folder, env)?;
        Ok((settled, folder.problems().len() as u64))
    })
}

/// What the configuration asks of the engine.
pub(crate) fn settings(shell: &Shell) -> Settings {
    Settings {
        settle: shell.config.settle(),
        padding: shell.config.padding == Padding::Padme,
        trash_days: usize::try_from(shell.config.trash_days).unwrap_or(usize::MAX),
        device_name: host_name(),
    }
}

/// What the last look left of a folder that nobody looks at now.
fn events_left(folders: &Folders, entry: &FolderEntry) -> Result<Vec<Event>> {
    let kept = Kept::read(reader(folders, entry)?.as_ref())?;
    // A brake is more worth knowing than that nothing runs.
    let stopped = Event::Stopped(kept.brake.is_none());
    Ok([stopped].into_iter().chain(kept.events()).collect())
}

/// Answers from the state as it was last committed, without a daemon.
struct StoredQueries {
    shell: Shell,
    folders: Folders,
}

impl StoredQueries {
    fn view<'a>(&self, entry: &'a FolderEntry) -> Result<View<'a>> {
        View::read(entry, reader(&self.folders, entry)?.as_ref())
    }

    /// What `ask` says of each folder that can be read.
    fn ask_each<T>(&self, ask: impl Fn(&FolderEntry) -> Result<T>) -> Result<Vec<T>> {
        let tell = |entry: &FolderEntry, error: &anyhow::Error| {
            let (work, why) = (printable(&entry.work.to_string_lossy()), exit::describe(error));
            self.shell.output.warn(format_args!("{work} is left out: {why}"));
        };
        folders::ask_each(self.folders.entries(), ask, tell)
    }

    fn entry(&self, folder: FolderId) -> Result<&FolderEntry> {
        let entry = self.folders.entries().iter().find(|entry| entry.id == folder);
        entry.context("the folder is not on this computer")
    }
}

impl Queries for StoredQueries {
    fn file_status(&self, path: &Path) -> Result<FileStatus> {
        match self.folders.containing(path) {
            Some(entry) => self.view(entry)?.file_status(path),
            None => Ok(view::outside(path)),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<ListedEntry>> {
        self.folders.containing(path).map_or(Ok(Vec::new()), |entry| self.view(entry)?.list(path))
    }

    fn locate(&self, sought: &str) -> Result<Option<Located>> {
        view::locate(self.folders.entries(), |entry| self.view(entry), sought)
    }

    fn describe(&self, path: &Path, text: &str) -> Result<()> {
        let _lock = self.shell.home.lock()?;
        let located = self.locate(&path.to_string_lossy())?;
        let located = located.ok_or_else(|| anyhow!("{} is no synced file", path.display()))?;
        let file = self.folders.state_directory(located.folder)?.join("state.redb");
        let mut state = State::open(&file)?;
        Ok(crate::engine::keep_description(&mut state, located.object, text)?)
    }

    fn conflicts(&self) -> Result<Vec<ConflictReport>> {
        let found = self.ask_each(|entry| view::conflicts(entry, reader(&self.folders, entry)?.as_ref()))?;
        Ok(found.into_iter().flatten().collect())
    }

    fn resolve_conflict(&self, folder: FolderId, conflict: FileId, keep: Keep) -> Result<()> {
        let _lock = self.shell.home.lock()?;
        let vault = ShellVault::new(&self.shell, true);
        let (clock, progress) = (SystemClock::default(), Progress::hidden());
        let entry = self.entry(folder)?;
        with_folder(&self.shell, &self.folders, entry, &vault, &clock, &progress, |folder, env| {
            Ok(folder.resolve_conflict(conflict, keep, env)?)
        })
    }

    fn trash(&self, sought: &TrashQuery) -> Result<Vec<TrashedReport>> {
        Ok(trash::latest_first(self.ask_each(|entry| trash::list(entry, sought))?))
    }

    fn restore(&self, folder: FolderId, item: &str) -> Result<Restored> {
        trash::restore(self.entry(folder)?, item)
    }

    fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>> {
        let of_each = self.ask_each(|entry| {
            let deeds = reader(&self.folders, entry)?.map(|reader| reader.activity(limit)).transpose()?;
            Ok((entry.id, deeds.unwrap_or_default()))
        })?;
        Ok(activity::latest(of_each, limit))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ensafer_client::home::Home;
    use ensafer_core::api::local::Deed;
    use ensafer_core::clock::{Clock as VersionVector, Dot};
    use ensafer_core::ids::DeviceId;
    use ensafer_core::status::State as FolderState;
    use ensafer_core::time::Timestamp;
    use ensafer_core::tree::{Content, Name, Object};

    use super::*;
    use crate::config::Config;
    use crate::folders::FoldersError;
    use crate::output::Output;
    use crate::state::{BaseRecord, DoneDeed};

    fn deed() -> DoneDeed {
        let (at, author) = (Timestamp::default(), "alice".into());
        DoneDeed { at, deed: Deed::Added, path: "f".into(), from: None, here: true, author }
    }

    fn record(root: FileId) -> BaseRecord {
        let dot = Dot { counter: 1, device: DeviceId::new([1; 16]) };
        let object = Object {
            id: FileId::new([7; 16]),
            parent: root,
            name: Name::new("f").unwrap(),
            content: Content::Directory,
            modified: Timestamp::default(),
            created: Timestamp::default(),
            description: None,
            clock: VersionVector::new().with(dot),
            content_dot: dot,
            place_dot: dot,
            author: "alice".into(),
        };
        BaseRecord { object: Arc::new(object), work: None, store: None }
    }

    /// Two folders, each with one deed and something in the trash. Neither state nor trash of the first can be read.
    fn one_of_two_is_broken(directory: &Path) -> StoredQueries {
        let home = Home::under(directory);
        home.create().unwrap();
        let shell = Shell::new(home, Config::default(), Output::new(true));
        let mut folders = Folders::load(shell.home.data_dir()).unwrap();
        for number in [1, 2] {
            let work = directory.join(format!("work{number}"));
            let id = FolderId::new([number; 16]);
            let entry = FolderEntry { id, work: work.clone(), encrypted: directory.join("cloud") };
            folders.add(|_| Ok::<_, FoldersError>(entry)).unwrap();
            let file = folders.state_directory(id).unwrap().join("state.redb");
            State::open(&file).unwrap().commit(&[record(id.root())], &[deed()]).unwrap();
            let batch = work.join(".ensafer/trash/2026-11-21/080000-000");
            fs::create_dir_all(&batch).unwrap();
            fs::write(batch.join("old"), "text").unwrap();
            if number == 1 {
                fs::write(file, "no database").unwrap();
                fs::remove_dir_all(work.join(".ensafer/trash")).unwrap();
                fs::write(work.join(".ensafer/trash"), "no directory").unwrap();
            }
        }
        StoredQueries { shell, folders }
    }

    #[test]
    fn a_folder_that_cannot_be_read_hides_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let queries = one_of_two_is_broken(directory.path());
        let second = FolderId::new([2; 16]);
        let folders = |found: Vec<FolderId>| assert_eq!(found, [second]);
        folders(queries.activity(10).unwrap().into_iter().map(|deed| deed.folder).collect());
        folders(queries.trash(&TrashQuery::default()).unwrap().into_iter().map(|item| item.folder).collect());
        assert_eq!(queries.conflicts().unwrap(), []);
        let path = directory.path().join("work2/f");
        let located = queries.locate(&path.to_string_lossy()).unwrap();
        assert_eq!(located.map(|located| located.folder), Some(second));
        assert!(queries.locate(&"0a".repeat(16)).is_err(), "the other may know it");
        let shell = &queries.shell;
        assert!(LocalEngine.problems(shell).is_err(), "it may have some");
        assert!(LocalEngine.release_brake(shell, "none").is_err(), "it may be its brake");
        let states = LocalEngine.status(shell).unwrap().folders.into_iter().map(|folder| folder.state);
        assert_eq!(states.collect::<Vec<_>>(), [FolderState::Offline, FolderState::Stopped]);
    }
}
