//! The thread that owns one folder: it takes hints and wishes, and steps when there is a reason to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ensafer_core::api::local::Keep;
use ensafer_core::ids::FileId;
use ensafer_core::status::{Event, Side as StatusSide};
use tokio::sync::oneshot;

use super::interrupts::{Interrupt, Interrupts};
use super::{
    Asleep, EngineError, Env, Folder, Kept, MemberChange, MembersError, ResolveError, Settings, Settled,
    Step, settle,
};
use crate::board::Board;
use crate::clock::Clock;
use crate::folder_keys::{FolderKeysError, Vault};
use crate::folders::FolderEntry;
use crate::progress::Progress;
use crate::state::{StateError, StateReader};
use crate::watch::{Hint, Side, Watch};

/// Hints that come in a burst are answered by one look.
const GATHER: Duration = Duration::from_millis(20);

/// Hints that wait at most. Wishes are few and wait as long as they must; nobody is kept waiting who has one.
const MOST_HINTS: usize = 4096;

/// Shortest time between the end of one look and the next.
const BREATHE: Duration = Duration::from_millis(50);

/// Longest wait before what was changed meanwhile is tried again. The wait doubles each time that nothing got done, so
/// that something that never succeeds does not keep the processor busy.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Wait before a folder that cannot go on is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A folder to which nothing happened for so long gives its memory back. Waking it costs about as much as a start: longer
/// than most pauses of somebody who works in the folder.
pub const FALL_ASLEEP_AFTER: Duration = Duration::from_secs(5 * 60);

/// What a folder's thread is told.
pub enum Message {
    /// Something may have changed there.
    Hint(Side, Hint),
    /// Sync on changes, or do not.
    Run(bool),
    /// Settle both sides now, also while stopped.
    Settle(oneshot::Sender<Result<Settled, Unsettled>>),
    /// Let the brake with this token go on.
    GoOn(String),
    /// Keys are at hand again.
    Unlocked,
    /// Forget the keys.
    Lock,
    /// Give an object a description; an empty one removes it.
    Describe(FileId, String),
    /// Keep what is said of the conflict with this copy.
    ResolveConflict(FileId, Keep, oneshot::Sender<Result<(), ResolveError>>),
    /// Change the folder's members.
    ChangeMembers(MemberChange, oneshot::Sender<Result<(), MembersError>>),
    /// Encrypt anew what lies under an older epoch's key.
    Reencrypt(oneshot::Sender<Result<(), EngineError>>),
    /// End.
    Quit,
}

/// Why a folder could not be settled at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettled {
    /// The password is needed.
    Locked,
    /// Something else; in words.
    Failed(String),
}

/// What every folder's thread shares.
#[derive(Clone)]
pub struct Shared {
    /// How the engine behaves.
    pub settings: Settings,
    /// How often everything is looked at, however quiet the watcher.
    pub full_scan_interval: Duration,
    /// After how long without work a folder gives its memory back.
    pub fall_asleep_after: Duration,
    /// Opens keys when they are first needed.
    pub vault: Arc<dyn Vault>,
    /// Where the status is put together.
    pub board: Arc<Board>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// A running folder.
pub struct Task {
    sender: Sender<Message>,
    interrupts: Arc<Interrupts>,
    thread: Option<JoinHandle<()>>,
}

impl Task {
    /// Starts the thread of the folder `entry`, whose state lies in `state_directory`.
    pub fn start(
        entry: FolderEntry,
        state_directory: &std::path::Path,
        shared: Shared,
        running: bool,
    ) -> std::io::Result<Self> {
        let (sender, inbox) = channel();
        let interrupts = Arc::new(Interrupts::default());
        let hints = sender.clone();
        let worker = Worker {
            entry,
            state_directory: state_directory.into(),
            shared,
            inbox,
            hints,
            hint_count: Arc::default(),
            interrupts: interrupts.clone(),
            folder: Held::Nothing,
            watch: None,
            running,
            next_look: Some(Instant::now()),
            falls_asleep: None,
            next_full: Instant::now(),
            retry: BREATHE,
            is_locked: false,
            quit: false,
        };
        let (board, id) = (worker.shared.board.clone(), worker.entry.id);
        let thread = std::thread::Builder::new().name("folder".into()).spawn(move || {
            // What was last shown must not stand when nobody looks any more.
            if catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
                let why = "a fault in Ensafer ended this folder's work; start the daemon anew".to_owned();
                board.tell(
                    id,
                    [Event::Finished { settled: false }, Event::Unreachable(StatusSide::Work, why)],
                );
            }
        })?;
        Ok(Self { sender, interrupts, thread: Some(thread) })
    }

    /// Tells the thread something. Whatever asks it to stop what it does, or to do something at once, interrupts it after
    /// the current file.
    pub fn tell(&self, message: Message) {
        if let Some(interrupt) = Interrupt::of(&message) {
            self.interrupts.sent(interrupt);
        }
        // A thread that is gone has nothing to be told.
        let _ = self.sender.send(message);
    }

    /// Ends the thread, cleanly. Blocks until it has.
    pub fn finish(mut self) {
        self.tell(Message::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a folder's thread ended by a panic");
        }
    }
}

/// The folder, as far as it is in memory.
enum Held {
    Nothing,
    Asleep(Box<Asleep>),
    Awake(Box<Folder>),
}

impl Held {
    /// The folder, unless it looks at everything anyway when it is next needed.
    const fn awake(&mut self) -> Option<&mut Folder> {
        if let Self::Awake(folder) = self { Some(folder) } else { None }
    }
}

/// The thread's own side.
struct Worker {
    entry: FolderEntry,
    state_directory: std::path::PathBuf,
    shared: Shared,
    inbox: Receiver<Message>,
    hints: Sender<Message>,
    hint_count: Arc<HintCount>,
    interrupts: Arc<Interrupts>,
    folder: Held,
    watch: Option<Watch>,
    running: bool,
    next_look: Option<Instant>,
    /// When the folder gives its memory back, if it has not.
    falls_asleep: Option<Instant>,
    next_full: Instant,
    /// How long to wait before the next retry.
    retry: Duration,
    is_locked: bool,
    quit: bool,
}

impl Worker {
    fn run(mut self) {
        if let Err(error) = self.tell_kept() {
            tracing::warn!(folder = %self.entry.id, %error, "what the folder was left with cannot be read");
        }
        while !self.quit {
            self.receive();
            let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
            if self.quit {
                return;
            } else if is_due(self.wanted_look()) {
                self.look();
            } else if is_due(self.falls_asleep) {
                self.fall_asleep();
            }
        }
    }

    /// Says what the last look left. It stands until the next one, which comes late where syncing rests, keys are locked, or
    /// a side cannot be reached.
    fn tell_kept(&self) -> Result<(), StateError> {
        let reader = StateReader::open(&self.state_directory.join("state.redb"))?;
        let kept = Kept::read(reader.as_ref())?;
        let events = kept.events();
        self.shared.board.set_problems(self.entry.id, kept.problems);
        self.tell(events);
        Ok(())
    }

    fn wanted_look(&self) -> Option<Instant> {
        self.next_look.filter(|_| self.running)
    }

    /// Takes messages until something is due.
    fn receive(&mut self) {
        loop {
            let due = self.wanted_look().into_iter().chain(self.falls_asleep).min();
            let received = match due {
                Some(at) => match self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => return,
                    Err(RecvTimeoutError::Disconnected) => Message::Quit,
                },
                None => self.inbox.recv().unwrap_or(Message::Quit),
            };
            self.handle(received);
            if self.quit {
                return;
            }
        }
    }

    fn handle(&mut self, message: Message) {
        // With the thread, that it was told to end stays true.
        if let Some(interrupt) = Interrupt::of(&message).filter(|_| !matches!(message, Message::Quit)) {
            self.interrupts.taken(interrupt);
        }
        match message {
            Message::Hint(side, hint) => {
                self.hint_count.waiting.fetch_sub(1, Ordering::Relaxed);
                if let Some(folder) = self.folder.awake() {
                    folder.hint(side, hint);
                }
                let disturbed = match side {
                    Side::Work => StatusSide::Work,
                    Side::Encrypted => StatusSide::Encrypted,
                };
                self.tell([Event::Disturbed(disturbed)]);
                self.look_in(GATHER);
            }
            Message::Describe(object, text) => {
                let described =
                    self.with_folder(Interrupts::stop, |folder, _| folder.describe(object, &text));
                if let Err(error) = described {
                    tracing::warn!(folder = %self.entry.id, %error, "a description could not be kept");
                }
                self.look_in(Duration::ZERO);
            }
            Message::ResolveConflict(copy, keep, reply) => {
                let resolve =
                    |folder: &mut Folder, env: &Env<'_>| Ok(folder.resolve_conflict(copy, keep, env));
                let resolved = self.with_folder(Interrupts::stop, resolve);
                let left = self.folder.awake().map(|folder| Event::Conflicts(folder.conflict_count()));
                self.tell([Event::Disturbed(StatusSide::Work)].into_iter().chain(left));
                let _ = reply.send(resolved.unwrap_or_else(|error| Err(error.into())));
                self.look_in(Duration::ZERO);
            }
            Message::Run(running) => {
                self.running = running;
                self.tell([Event::Disturbed(StatusSide::Work), Event::Disturbed(StatusSide::Encrypted)]);
                self.look_at_everything();
            }
            Message::Settle(reply) => {
                let result = self.settle_between_wishes().map_err(|error| match error {
                    EngineError::Keys(FolderKeysError::Locked) => Unsettled::Locked,
                    error => Unsettled::Failed(crate::apply::describe(&error)),
                });
                let _ = reply.send(result);
            }
            Message::ChangeMembers(change, reply) => {
                let change = |folder: &mut Folder, env: &Env<'_>| Ok(folder.change_members(&change, env));
                let changed = self.with_folder(Interrupts::stop, change);
                let _ = reply.send(changed.unwrap_or_else(|error| Err(error.into())));
                self.look_at_everything();
            }
            Message::Reencrypt(reply) => {
                let wished = self.with_folder(Interrupts::stop, Folder::wish_reencryption);
                if wished.is_ok() {
                    let sides = [StatusSide::Work, StatusSide::Encrypted].map(Event::Disturbed);
                    self.tell(sides.into_iter().chain([Event::Reencrypting(Some(0))]));
                }
                let _ = reply.send(wished);
                self.look_at_everything();
            }
            Message::GoOn(token) => {
                self.release_brake(&token);
                self.look_at_everything();
            }
            Message::Unlocked => {
                self.is_locked = false;
                self.tell([Event::Locked(false)]);
                self.look_at_everything();
            }
            Message::Lock => {
                match &mut self.folder {
                    Held::Awake(folder) => folder.lock(),
                    Held::Asleep(folder) => folder.lock(),
                    Held::Nothing => {}
                }
                self.is_locked = true;
                self.tell([Event::Locked(true)]);
            }
            Message::Quit => self.quit = true,
        }
    }

    fn look_in(&mut self, wait: Duration) {
        let at = Instant::now() + wait;
        self.next_look = Some(self.next_look.map_or(at, |before| before.min(at)));
    }

    fn look_at_everything(&mut self) {
        if let Some(folder) = self.folder.awake() {
            folder.look_at_everything();
        }
        self.look_in(Duration::ZERO);
    }

    fn release_brake(&mut self, token: &str) {
        match self.with_folder(Interrupts::stop, |folder, _| folder.allow(token)) {
            Ok(()) => self.tell([Event::Disturbed(StatusSide::Work), Event::Brake(None)]),
            Err(error) => {
                tracing::warn!(folder = %self.entry.id, %error, "the brake could not be released");
            }
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        if self.hint_count.lost.swap(false, Ordering::Relaxed)
            && let Some(folder) = self.folder.awake()
        {
            folder.look_at_everything();
        }
        if now >= self.next_full {
            self.next_full = now + self.shared.full_scan_interval;
            if let Some(folder) = self.folder.awake() {
                folder.look_at_everything();
            }
        }
        let result = self.with_folder(Interrupts::any, Folder::step);
        self.next_look = Some(match result {
            Ok(step) => self.after(&step),
            Err(error) => self.after_error(&error),
        });
    }

    /// When to look next, after a step.
    fn after(&mut self, step: &Step) -> Instant {
        self.report(step);
        let now = Instant::now();
        let mut next = self.next_full;
        if step.brake.is_some() && step.look_again.is_none() {
            return next;
        }
        let progressed = step.published + step.committed > 0;
        self.retry = if step.retry && !progressed { (self.retry * 2).min(LONGEST_RETRY) } else { BREATHE };
        let soon = (progressed || step.retry).then_some(self.retry);
        for wait in [soon, step.look_again.map(|wait| wait.max(BREATHE)), step.later].into_iter().flatten() {
            next = next.min(now + wait);
        }
        next
    }

    /// Says what a step found and left.
    fn report(&mut self, step: &Step) {
        let Held::Awake(folder) = &self.folder else { return };
        // A look that needed no keys says nothing about them.
        self.is_locked &= !folder.has_keys();
        self.shared.board.set_problems(self.entry.id, folder.problems());
        let observed = [Event::Observed(StatusSide::Work), Event::Observed(StatusSide::Encrypted)];
        let observed = observed
            .into_iter()
            .filter(|_| step.planned && !folder.has_hints() && self.hint_count.is_quiet());
        let rest = [
            Event::Reencrypting(folder.reencryption_left()),
            Event::Locked(self.is_locked),
            Event::Conflicts(folder.conflict_count()),
            Event::Finished { settled: step.is_settled() },
        ];
        // Deletions are believed at a second look only: until then an earlier brake stands.
        let is_final = step.planned && step.look_again.is_none();
        let brake = (step.brake.is_some() || is_final).then(|| Event::Brake(step.brake.clone()));
        let shut = folder.shut();
        let lost = (!step.planned && shut.is_none()).then(|| {
            Event::Unreachable(StatusSide::Encrypted, "the folder's member list is not there".into())
        });
        self.tell(observed.chain(brake).chain(rest).chain([Event::Shut(shut)]).chain(lost));
    }

    fn tell(&self, events: impl IntoIterator<Item = Event>) {
        self.shared.board.tell(self.entry.id, events);
    }

    fn after_error(&mut self, error: &EngineError) -> Instant {
        if let EngineError::Keys(FolderKeysError::Locked) = error {
            self.is_locked = true;
            self.tell([Event::Locked(true)]);
            return self.next_full;
        }
        let side = match error {
            EngineError::Store(_) => StatusSide::Encrypted,
            _ => StatusSide::Work,
        };
        let why = crate::apply::describe(error);
        tracing::warn!(folder = %self.entry.id, "the folder cannot go on");
        tracing::debug!(folder = %self.entry.id, error = %why, "why it cannot");
        self.let_go();
        let locked = Event::Locked(self.is_locked);
        self.tell([locked, Event::Finished { settled: false }, Event::Unreachable(side, why)]);
        Instant::now() + TRY_AGAIN
    }

    /// Closes the folder and its state, so that it can be opened anew.
    fn let_go(&mut self) {
        self.shared.board.closed(self.entry.id);
        self.folder = Held::Nothing;
        self.falls_asleep = None;
        self.watch = None;
    }

    /// Settles, and goes on after each wish that interrupts it; not after an order to stop.
    fn settle_between_wishes(&mut self) -> Result<Settled, EngineError> {
        let mut all = Settled::default();
        loop {
            let mut is_stopped = false;
            while self.interrupts.has_wish() && !self.quit {
                let message = self.inbox.recv().unwrap_or(Message::Quit);
                is_stopped |= Interrupt::of(&message) == Some(Interrupt::Stop);
                self.handle(message);
            }
            if is_stopped {
                return Ok(Settled { complete: false, ..all });
            }
            all = all.followed_by(self.settle()?);
            if all.complete || !self.interrupts.has_wish() {
                return Ok(all);
            }
        }
    }

    fn settle(&mut self) -> Result<Settled, EngineError> {
        let result = self.with_folder(Interrupts::any, settle);
        match &result {
            // One that was given up before it began has seen nothing.
            Ok((_, step)) if step.planned || !self.interrupts.any().load(Ordering::SeqCst) => {
                _ = self.after(step);
            }
            Ok(_) => {}
            Err(error) => self.next_look = Some(self.after_error(error)),
        }
        self.look_at_everything();
        Ok(result?.0)
    }

    /// Runs `work`, which is given up `until` something waits, on the folder, which is opened, and watched, when it is first
    /// needed.
    fn with_folder<T>(
        &mut self,
        until: fn(&Interrupts) -> &AtomicBool,
        work: impl FnOnce(&mut Folder, &Env<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut folder = match std::mem::replace(&mut self.folder, Held::Nothing) {
            Held::Awake(folder) => folder,
            Held::Asleep(folder) => Box::new(folder.wake().inspect_err(|_| self.let_go())?),
            Held::Nothing => Box::new(self.open()?),
        };
        let shared = self.shared.clone();
        let (board, id) = (shared.board.clone(), self.entry.id);
        let progress = Progress::listened_to(move |reached| board.tell(id, [Event::Progressed(reached)]));
        let cancel = until(&self.interrupts);
        let env = Env { clock: &*shared.clock, vault: &*shared.vault, cancel, progress: &progress };
        let result = work(&mut folder, &env);
        self.folder = Held::Awake(folder);
        self.falls_asleep = Some(Instant::now() + self.shared.fall_asleep_after);
        result
    }

    fn open(&mut self) -> Result<Folder, EngineError> {
        let (entry, shared) = (&self.entry, &self.shared);
        let now = shared.clock.now();
        let folder = Folder::open(entry.clone(), shared.settings.clone(), &self.state_directory, now)?;
        self.watch = Some(watch(entry, &self.hints, &self.hint_count));
        shared.board.opened(entry.id, folder.reader());
        Ok(folder)
    }

    fn fall_asleep(&mut self) {
        self.falls_asleep = None;
        if let Held::Awake(folder) = std::mem::replace(&mut self.folder, Held::Nothing) {
            self.folder = Held::Asleep(Box::new(folder.fall_asleep()));
        }
    }
}

/// How many hints wait, and whether some were dropped because too many did.
#[derive(Debug, Default)]
struct HintCount {
    waiting: AtomicUsize,
    lost: AtomicBool,
}

impl HintCount {
    fn is_quiet(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0 && !self.lost.load(Ordering::Relaxed)
    }
}

/// Watches both sides. Hints that would be too many are dropped: everything is looked at instead.
fn watch(entry: &FolderEntry, hints: &Sender<Message>, count: &Arc<HintCount>) -> Watch {
    let (hints, count) = (hints.clone(), count.clone());
    let (watch, warnings) = Watch::new(&entry.work, &entry.encrypted, move |side, hint| {
        if count.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_HINTS {
            count.waiting.fetch_sub(1, Ordering::Relaxed);
            count.lost.store(true, Ordering::Relaxed);
        } else {
            // A thread that is gone needs no hints.
            let _ = hints.send(Message::Hint(side, hint));
        }
    });
    for warning in warnings {
        tracing::warn!(folder = %entry.id, %warning, "changes are found by looking from time to time only");
    }
    watch
}
