//! The daemon's engine as a whole: one task per folder, and the local API's wishes carried to them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use ensafer_client::password::Password;
use ensafer_client::timer::Timer;
use ensafer_core::api::local::{
    ActivityReport, ConflictReport, FileStatus, Keep, ListedEntry, Located, MembersChange, ProblemReport,
    Restored, SettleOutcome, TrashQuery, TrashedReport,
};
use ensafer_core::ids::{FileId, FolderId};
use ensafer_core::status::{FolderStatus, State, Status};
use jiff::Zoned;
use tokio::sync::{oneshot, watch};

use crate::account::{AccountError, Groups, Unlocked};
use crate::account_watch::Waker;
use crate::board::Board;
use crate::daemon::QuitSignal;
use crate::engine::task::{Message, Shared, Task, Unsettled};
use crate::engine::{EngineError, MemberChange, MembersError};
use crate::exit;
use crate::folder_keys::{FolderKeysError, Vault};
use crate::folders::{FolderEntry, Folders};
use crate::groups;
use crate::invitations::{self, member_change};
use crate::local_api::{Control, ControlError, Queries};
use crate::pauses::{Pauses, Surroundings};
use crate::shell::Shell;
use crate::state::StateReader;
use crate::vault::ShellVault;
use crate::view::{self, View};
use crate::{activity, folders, last_roster, platform, trash};

/// Why a pause without an end rests, for people.
const UNTIL_RESUMED: &str = "until resumed";

/// How long folders wait at the start to hear whether they may begin.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// All folders of this device, at work.
pub struct Supervisor {
    shell: Shell,
    vault: Arc<ShellVault>,
    shared: Shared,
    board: Arc<Board>,
    tasks: Mutex<HashMap<FolderId, Task>>,
    account: Waker,
    quit: QuitSignal,
    /// How often somebody has wished for syncing to begin or to rest.
    wishes: watch::Sender<u64>,
    /// Held while it is decided whether folders run, and until they have been told.
    turn: Mutex<()>,
}

impl Supervisor {
    /// Starts a task for every folder on the list. `account` is woken when the account may be another than before.
    pub fn start(
        shell: &Shell,
        vault: Arc<ShellVault>,
        shared: Shared,
        account: Waker,
        quit: QuitSignal,
    ) -> Result<Arc<Self>> {
        let supervisor = Arc::new(Self {
            shell: shell.clone(),
            vault,
            board: shared.board.clone(),
            shared,
            tasks: Mutex::default(),
            account,
            quit,
            wishes: watch::Sender::new(0),
            turn: Mutex::default(),
        });
        if shell.home.is_stopped() {
            supervisor.board.set_stopped(true);
        }
        supervisor.watch_surroundings();
        supervisor.take_over_list()?;
        Ok(supervisor)
    }

    /// Ends every task, cleanly. Blocks until all have ended.
    pub fn finish(&self) {
        let tasks: Vec<Task> = self.tasks().drain().map(|(_, task)| task).collect();
        end_all(tasks);
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<FolderId, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_all(&self, message: impl Fn() -> Message) {
        self.tasks().values().for_each(|task| task.tell(message()));
    }

    fn folders_on_list(&self) -> Result<Vec<FolderEntry>> {
        Ok(Folders::load(self.shell.home.data_dir())?.entries().to_vec())
    }

    /// Starts and ends tasks until they are those of the list.
    fn take_over_list(&self) -> Result<()> {
        let mut gone = Vec::new();
        {
            let _turn = self.turn();
            let folders = Folders::load(self.shell.home.data_dir())?;
            let mut tasks = self.tasks();
            let is_listed = |id: &FolderId| folders.entries().iter().any(|entry| entry.id == *id);
            let ids: Vec<FolderId> = tasks.keys().copied().filter(|id| !is_listed(id)).collect();
            for id in ids {
                gone.extend(tasks.remove(&id));
                self.board.forget(id);
            }
            for entry in folders.entries() {
                if let Entry::Vacant(vacant) = tasks.entry(entry.id) {
                    self.board.add(entry.id);
                    let directory = folders.state_directory(entry.id)?;
                    let task =
                        Task::start(entry.clone(), &directory, self.shared.clone(), self.board.is_running())
                            .context("A folder's thread cannot be started")?;
                    vacant.insert(task);
                }
            }
        }
        end_all(gone);
        Ok(())
    }

    /// Has a folder's members changed; the receiver gets the outcome.
    fn tell_change(
        &self,
        folder: FolderId,
        change: MemberChange,
    ) -> Result<oneshot::Receiver<Result<(), MembersError>>> {
        let tasks = self.tasks();
        let task = tasks.get(&folder).context("the folder is not at work")?;
        let (reply, receiver) = oneshot::channel();
        task.tell(Message::ChangeMembers(change, reply));
        Ok(receiver)
    }

    /// Sees to the account's invitations; says how many somebody may still accept. Blocks until the folders have done
    /// their part.
    pub fn tend_invitations(&self, unlocked: &Unlocked) -> Result<usize, AccountError> {
        invitations::tend(&self.shell, unlocked, &|folder, change| {
            Ok(self.tell_change(folder, change)?.blocking_recv().context("the folder's work has ended")??)
        })
    }

    /// Sees to the account's groups. Blocks until the folders have heard of what is new.
    pub fn tend_groups(&self, unlocked: &Unlocked) -> Result<(), AccountError> {
        let folders = self.folders_on_list().unwrap_or_default();
        let Shell { home, config, .. } = &self.shell;
        let (files, now) = (self.vault.group_files(), self.shared.clock.now());
        let groups = Groups { home, config, unlocked, files, now };
        let change = |folder, change| {
            Ok(self.tell_change(folder, change)?.blocking_recv().context("the folder's work has ended")??)
        };
        groups::tend(&groups, &folders, &change).map(drop)
    }

    /// Somebody wishes for syncing to begin or to rest: every folder follows, and whoever begins looks at everything.
    fn wish(&self, change: impl FnOnce(&Board)) {
        self.wishes.send_modify(|count| *count += 1);
        let _turn = self.turn();
        change(&self.board);
        let is_running = self.board.is_running();
        self.tell_all(|| Message::Run(is_running));
    }

    /// Ends a pause when `end` has come, unless something else was wished for meanwhile.
    fn end_pause_at(self: &Arc<Self>, end: impl Future<Output = ()> + Send + 'static) {
        let count = *self.wishes.borrow();
        let mut wishes = self.wishes.subscribe();
        let supervisor = Arc::downgrade(self);
        tokio::spawn(async move {
            let has_come = tokio::select! {
                _ = wishes.wait_for(|now| *now != count) => false,
                () = end => true,
            };
            if has_come && let Some(supervisor) = supervisor.upgrade() {
                supervisor.wish(|board| board.change_pauses(Pauses::end_pause));
            }
        });
    }

    /// Reads a folder's state: that of its thread, or, where the thread has it closed because syncing is stopped or the
    /// folder cannot go on, the file. While the thread is about to open it nothing is known.
    fn reader(&self, entry: &FolderEntry) -> Result<Option<StateReader>> {
        if let Some(reader) = self.board.reader(entry.id) {
            return Ok(Some(reader));
        }
        let is_offline = |folder: &FolderStatus| folder.folder == entry.id && folder.state == State::Offline;
        let is_closed = !self.board.is_running() || self.board.status().folders.iter().any(is_offline);
        if !is_closed {
            return Ok(None);
        }
        last_roster::reader(&Folders::load(self.shell.home.data_dir())?, entry)
    }

    /// What `ask` says of each folder, as far as they can be read.
    fn ask_each<T>(&self, ask: impl Fn(&FolderEntry) -> Result<T>) -> Result<Vec<T>> {
        let tell = |entry: &FolderEntry, error: &anyhow::Error| {
            tracing::warn!(folder = %entry.id, "the folder is left out of an answer");
            tracing::debug!(folder = %entry.id, error = %exit::describe(error), "why it is");
        };
        folders::ask_each(&self.folders_on_list()?, ask, tell)
    }

    /// Begins to watch what the settings name. Returns when the system has said how it is now, or is slow to.
    fn watch_surroundings(self: &Arc<Self>) {
        let config = &self.shell.config;
        let wanted =
            Surroundings { on_battery: config.pause_on_battery, is_metered: config.pause_on_metered };
        let (heard, first) = mpsc::channel();
        let supervisor = Arc::downgrade(self);
        let watching = platform::watch_surroundings(wanted, move |now| {
            if let Some(supervisor) = supervisor.upgrade() {
                supervisor.set_surroundings(now);
            }
            // Only the first word is waited for.
            let _ = heard.send(());
        });
        match watching {
            // Nothing comes where nothing is watched.
            Ok(()) => _ = first.recv_timeout(FIRST_WORD),
            Err(error) => tracing::warn!(%error, "power and network are not watched"),
        }
    }

    /// The computer is there now. Folders follow where that changes anything for them.
    fn set_surroundings(&self, now: Surroundings) {
        let Surroundings { on_battery, is_metered } = now;
        tracing::info!(on_battery, is_metered, "power and network");
        let _turn = self.turn();
        let was_running = self.board.is_running();
        self.board.change_pauses(|pauses| pauses.set_surroundings(now));
        let is_running = self.board.is_running();
        if is_running != was_running {
            self.tell_all(|| Message::Run(is_running));
        }
    }

    /// The folder that `path` lies in, and its view.
    fn with_view<T>(&self, path: &Path, answer: impl FnOnce(&View<'_>) -> Result<T>) -> Result<Option<T>> {
        let folders = self.folders_on_list()?;
        let Some(entry) = folders.iter().find(|entry| path.starts_with(&entry.work)) else { return Ok(None) };
        answer(&View::read(entry, self.reader(entry)?.as_ref())?).map(Some)
    }
}

impl Queries for Arc<Supervisor> {
    fn file_status(&self, path: &Path) -> Result<FileStatus> {
        Ok(self.with_view(path, |view| view.file_status(path))?.unwrap_or_else(|| view::outside(path)))
    }

    fn list(&self, path: &Path) -> Result<Vec<ListedEntry>> {
        Ok(self.with_view(path, |view| view.list(path))?.unwrap_or_default())
    }

    fn locate(&self, sought: &str) -> Result<Option<Located>> {
        let folders = self.folders_on_list()?;
        view::locate(&folders, |entry| View::read(entry, self.reader(entry)?.as_ref()), sought)
    }

    fn describe(&self, path: &Path, text: &str) -> Result<()> {
        let located = self.locate(&path.to_string_lossy())?;
        let located = located.ok_or_else(|| anyhow!("{} is no synced file", path.display()))?;
        let tasks = self.tasks();
        let task = tasks.get(&located.folder).context("the folder is not at work")?;
        task.tell(Message::Describe(located.object, text.into()));
        Ok(())
    }

    fn conflicts(&self) -> Result<Vec<ConflictReport>> {
        let found = self.ask_each(|entry| view::conflicts(entry, self.reader(entry)?.as_ref()))?;
        Ok(found.into_iter().flatten().collect())
    }

    fn resolve_conflict(&self, folder: FolderId, conflict: FileId, keep: Keep) -> Result<()> {
        let (reply, receiver) = oneshot::channel();
        self.tasks()
            .get(&folder)
            .context("the folder is not at work")?
            .tell(Message::ResolveConflict(conflict, keep, reply));
        Ok(receiver.blocking_recv().context("the folder's work has ended")??)
    }

    fn trash(&self, sought: &TrashQuery) -> Result<Vec<TrashedReport>> {
        Ok(trash::latest_first(self.ask_each(|entry| trash::list(entry, sought))?))
    }

    fn restore(&self, folder: FolderId, item: &str) -> Result<Restored> {
        let folders = self.folders_on_list()?;
        let entry = folders.iter().find(|entry| entry.id == folder);
        trash::restore(entry.context("the folder is not on this computer")?, item)
    }

    fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>> {
        let of_each = self.ask_each(|entry| {
            let deeds = self.reader(entry)?.map(|reader| reader.activity(limit)).transpose()?;
            Ok((entry.id, deeds.unwrap_or_default()))
        })?;
        Ok(activity::latest(of_each, limit))
    }
}

/// Ends tasks, cleanly. Each hears of it before any is waited for.
fn end_all(tasks: Vec<Task>) {
    tasks.iter().for_each(|task| task.tell(Message::Quit));
    tasks.into_iter().for_each(Task::finish);
}

impl Control for Arc<Supervisor> {
    fn status(&self) -> Status {
        self.board.status()
    }

    fn subscribe(&self) -> watch::Receiver<Status> {
        self.board.subscribe()
    }

    fn problems(&self) -> Vec<ProblemReport> {
        self.board.problems()
    }

    fn start(&self) -> Result<(), ControlError> {
        self.shell.home.set_stopped(false).map_err(anyhow::Error::from)?;
        self.wish(|board| {
            board.set_stopped(false);
            board.change_pauses(Pauses::end_pause);
        });
        Ok(())
    }

    fn stop(&self) -> Result<(), ControlError> {
        self.shell.home.set_stopped(true).map_err(anyhow::Error::from)?;
        self.wish(|board| board.set_stopped(true));
        Ok(())
    }

    fn pause(&self, duration: Option<Duration>) -> Result<(), ControlError> {
        let end = duration.map(|duration| Timer::after(duration).and_then(platform::when_come));
        let end = end.transpose().context("The end of the pause cannot be waited for")?;
        let why =
            duration.map_or_else(|| UNTIL_RESUMED.to_owned(), |duration| until(&Zoned::now(), duration));
        self.wish(|board| board.change_pauses(|pauses| pauses.pause(why)));
        if let Some(end) = end {
            self.end_pause_at(end);
        }
        Ok(())
    }

    fn resume(&self, go_on: Option<String>) -> Result<(), ControlError> {
        match go_on {
            Some(token) => {
                let folder = self.board.braked_by(&token).ok_or(ControlError::NoSuchBrake)?;
                if let Some(task) = self.tasks().get(&folder) {
                    task.tell(Message::GoOn(token));
                }
            }
            None if self.board.is_stopped() => {}
            None => self.wish(|board| board.change_pauses(Pauses::resume)),
        }
        Ok(())
    }

    fn unlock(&self, password: Password) -> Result<(), ControlError> {
        self.vault.unlock(&password).map_err(|error| match error {
            AccountError::WrongPassword => ControlError::WrongPassword,
            AccountError::NotSetUp => ControlError::NotSetUp,
            error => ControlError::Failed(error.into()),
        })?;
        self.tell_all(|| Message::Unlocked);
        self.account.wake();
        Ok(())
    }

    fn lock(&self) {
        self.vault.lock();
        self.tell_all(|| Message::Lock);
        // Somebody may have logged out.
        self.account.wake();
    }

    fn settle(&self) -> Result<oneshot::Receiver<SettleOutcome>, ControlError> {
        let waiting: Vec<_> = self
            .tasks()
            .values()
            .map(|task| {
                let (reply, receiver) = oneshot::channel();
                task.tell(Message::Settle(reply));
                receiver
            })
            .collect();
        let (reply, receiver) = oneshot::channel();
        let board = self.board.clone();
        tokio::spawn(async move {
            let mut outcome = SettleOutcome::default();
            for waiting in waiting {
                match waiting.await {
                    Ok(Ok(settled)) => settled.add_to(&mut outcome),
                    Ok(Err(Unsettled::Locked)) => outcome.locked = true,
                    Ok(Err(Unsettled::Failed(why))) => outcome.unreachable.push(why),
                    Err(_) => outcome.unreachable.push("the daemon is ending".into()),
                }
            }
            outcome.problems = board.problems().len() as u64;
            // Whoever asked may have gone away.
            let _ = reply.send(outcome);
        });
        Ok(receiver)
    }

    fn change_members(
        &self,
        folder: FolderId,
        change: MembersChange,
    ) -> Result<oneshot::Receiver<Result<(), MembersError>>, ControlError> {
        self.vault.unlocked().map_err(|error| match error {
            FolderKeysError::Locked => ControlError::Locked,
            error => ControlError::Failed(error.into()),
        })?;
        let change =
            member_change(&change).map_err(|error| ControlError::BadRequest(exit::describe(&error)))?;
        Ok(self.tell_change(folder, change)?)
    }

    fn reencrypt(
        &self,
        folder: FolderId,
    ) -> Result<oneshot::Receiver<Result<(), EngineError>>, ControlError> {
        let tasks = self.tasks();
        let task = tasks.get(&folder).context("the folder is not at work")?;
        let (reply, receiver) = oneshot::channel();
        task.tell(Message::Reencrypt(reply));
        Ok(receiver)
    }

    fn look_at_account(&self) {
        self.account.wake();
    }

    fn reload_folders(&self) -> Result<(), ControlError> {
        Ok(self.take_over_list()?)
    }

    fn quit(&self) {
        self.quit.request();
    }
}

/// The end of a pause for people, in their time zone: `until 06:00`, with the date where it is on another day.
fn until(now: &Zoned, duration: Duration) -> String {
    match now.checked_add(duration) {
        Ok(end) if end.date() == now.date() => format!("until {}", end.strftime("%H:%M")),
        Ok(end) => format!("until {}", end.strftime("%Y-%m-%d %H:%M")),
        // It is after the end of the calendar.
        Err(_) => UNTIL_RESUMED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_pause_says_when_it_ends() {
        // Clocks go forward in the night.
        let west = TimeZone::posix("WET0WEST,M3.5.0/1,M10.5.0").unwrap();
        let now = date(2026, 3, 28).at(22, 0, 0, 0).to_zoned(west).unwrap();
        for (minutes, expected) in [
            (0, "until 22:00"),
            (90, "until 23:30"),
            (7 * 60, "until 2026-03-29 06:00"),
            (u64::MAX / 60, "until resumed"),
        ] {
            assert_eq!(until(&now, Duration::from_secs(minutes * 60)), expected, "{minutes} min");
        }
    }
}
