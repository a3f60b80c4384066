//! Where every folder's happenings come together in the one status that everybody shows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ensafer_core::api::local::ProblemReport;
use ensafer_core::ids::{DeviceId, FolderId};
use ensafer_core::status::{AccountNotice, Event, Facts, SharedWithMe, Status};
use tokio::sync::watch;

use crate::account::MAX_NEW_DEVICES;
use crate::clock::Clock;
use crate::pauses::Pauses;
use crate::state::{StandingProblem, StateReader};

/// The status of all folders. Every method may be called from any thread and returns at once.
pub struct Board {
    clock: Arc<dyn Clock>,
    posts: Mutex<Posts>,
    shown: watch::Sender<Status>,
}

#[derive(Default)]
struct Posts {
    folders: BTreeMap<FolderId, Post>,
    is_stopped: bool,
    pauses: Pauses,
    new_devices: VecDeque<(DeviceId, AccountNotice)>,
    account: Option<AccountNotice>,
    shared: Vec<(FolderId, SharedWithMe)>,
}

struct Post {
    facts: Facts,
    problems: Vec<StandingProblem>,
    reader: Option<StateReader>,
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, posts: Mutex::default(), shown: watch::Sender::new(Status::of(Vec::new())) }
    }

    /// A folder is at work from now on.
    pub fn add(&self, folder: FolderId) {
        let facts = Facts::new(folder, self.clock.now());
        let mut posts = self.posts();
        let (stopped, paused) = (posts.is_stopped, posts.pauses.why());
        posts.folders.insert(folder, Post { facts, problems: Vec::new(), reader: None });
        drop(posts);
        self.tell(folder, [Event::Stopped(stopped), Event::Paused(paused)]);
    }

    /// A folder is no longer at work.
    pub fn forget(&self, folder: FolderId) {
        let mut posts = self.posts();
        posts.folders.remove(&folder);
        self.show(&posts);
    }

    /// The folder's state is open; this reads it.
    pub fn opened(&self, folder: FolderId, reader: StateReader) {
        if let Some(post) = self.posts().folders.get_mut(&folder) {
            post.reader = Some(reader);
        }
    }

    /// The folder's state is to be closed: whoever still read it would keep it from being opened again.
    pub fn closed(&self, folder: FolderId) {
        if let Some(post) = self.posts().folders.get_mut(&folder) {
            post.reader = None;
        }
    }

    /// Reads the folder's state, if it is open.
    #[must_use]
    pub fn reader(&self, folder: FolderId) -> Option<StateReader> {
        self.posts().folders.get(&folder)?.reader.clone()
    }

    /// These things happened to a folder, in this order.
    pub fn tell(&self, folder: FolderId, events: impl IntoIterator<Item = Event>) {
        let now = self.clock.now();
        let mut posts = self.posts();
        if let Some(post) = posts.folders.get_mut(&folder) {
            for event in events {
                post.facts = post.facts.clone().fold(event, now);
            }
        }
        self.show(&posts);
    }

    /// This is what is not in order in a folder.
    pub fn set_problems(&self, folder: FolderId, problems: Vec<StandingProblem>) {
        let classes = problems.iter().map(|standing| standing.problem.class).collect();
        if let Some(post) = self.posts().folders.get_mut(&folder) {
            post.problems = problems;
        }
        self.tell(folder, [Event::Problems(classes)]);
    }

    /// Syncing was stopped, or started.
    pub fn set_stopped(&self, is_stopped: bool) {
        self.posts().is_stopped = is_stopped;
        self.tell_all(&Event::Stopped(is_stopped));
    }

    /// There is a reason less, or more, to rest.
    pub fn change_pauses(&self, change: impl FnOnce(&mut Pauses)) {
        let why = {
            let mut posts = self.posts();
            change(&mut posts.pauses);
            posts.pauses.why()
        };
        self.tell_all(&Event::Paused(why));
    }

    /// This is to be known about the account, in place of what was told before; but devices that are new stay told.
    pub fn set_account(&self, notice: Option<AccountNotice>) {
        let mut posts = self.posts();
        posts.account = notice;
        self.show(&posts);
    }

    /// These devices are new to the account. Of more than [`MAX_NEW_DEVICES`] the last ones are told.
    pub fn add_new_devices(&self, devices: impl IntoIterator<Item = (DeviceId, AccountNotice)>) {
        let mut posts = self.posts();
        for (device, notice) in devices {
            posts.new_devices.retain(|(told, _)| *told != device);
            posts.new_devices.push_back((device, notice));
            if posts.new_devices.len() > MAX_NEW_DEVICES {
                posts.new_devices.pop_front();
            }
        }
        self.show(&posts);
    }

    /// The account is on no server any more, or nobody is logged in there: nothing is to be known about it.
    pub fn clear_account(&self) {
        let mut posts = self.posts();
        posts.account = None;
        posts.new_devices.clear();
        self.show(&posts);
    }

    /// These folders are shared with the account, in place of those that were told before. One that is at work here is not
    /// told.
    pub fn set_shared(&self, shared: Vec<(FolderId, SharedWithMe)>) {
        let mut posts = self.posts();
        posts.shared = shared;
        self.show(&posts);
    }

    /// Whether folders sync on changes.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let posts = self.posts();
        !posts.is_stopped && posts.pauses.why().is_none()
    }

    /// Whether syncing was stopped for good.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.posts().is_stopped
    }

    /// The status now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shown.borrow().clone()
    }

    /// The status and its changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.shown.subscribe()
    }

    /// Everything that is not in order, oldest first.
    #[must_use]
    pub fn problems(&self) -> Vec<ProblemReport> {
        let posts = self.posts();
        let all = posts.folders.iter().flat_map(|(id, post)| post.problems.iter().map(move |s| (*id, s)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, standing)| standing.since);
        all.into_iter().map(|(id, s)| ProblemReport::new(&s.problem, id, s.since)).collect()
    }

    /// The folder that is held by the brake with this token.
    #[must_use]
    pub fn braked_by(&self, token: &str) -> Option<FolderId> {
        let status = self.status();
        let held = |brake: &ensafer_core::safety::Brake| brake.token == token;
        status
            .folders
            .iter()
            .find(|folder| folder.brake.as_ref().is_some_and(held))
            .map(|folder| folder.folder)
    }

    fn tell_all(&self, event: &Event) {
        let folders: Vec<FolderId> = self.posts().folders.keys().copied().collect();
        for folder in folders {
            self.tell(folder, [event.clone()]);
        }
    }

    fn posts(&self) -> MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, posts: &Posts) {
        let mut status = Status::of(posts.folders.values().map(|post| post.facts.status()).collect());
        let new_devices = posts.new_devices.iter().map(|(_, notice)| notice);
        status.account = new_devices.chain(&posts.account).cloned().collect();
        let shared = posts.shared.iter().filter(|(folder, _)| !posts.folders.contains_key(folder));
        status.shared_with_me = shared.map(|(_, shared)| shared.clone()).collect();
        self.shown.send_if_modified(|shown| {
            let is_news = *shown != status;
            *shown = status;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::api::local::Standing;
    use ensafer_core::status::{AccountNoticeKind, Side, State};
    use ensafer_core::time::Timestamp;

    use super::*;
    use crate::clock::FakeClock;

    #[test]
    fn everybody_sees_the_same_status() {
        let board = Board::new(Arc::new(FakeClock::new(Timestamp::default())));
        let folder = FolderId::new([1; 16]);
        board.add(folder);
        let mut seen = board.subscribe();
        assert_eq!(board.status().state, State::Checking);
        let observed = [Event::Observed(Side::Work), Event::Observed(Side::Encrypted)];
        board.tell(folder, observed.into_iter().chain([Event::Finished { settled: true }]));
        assert!(seen.has_changed().unwrap());
        assert_eq!(seen.borrow_and_update().state, State::UpToDate);
        board.set_stopped(true);
        assert_eq!((board.status().state, board.is_running()), (State::Stopped, false));
    }

    #[test]
    fn a_shared_folder_is_told_until_it_is_at_work() {
        let board = Board::new(Arc::new(FakeClock::new(Timestamp::default())));
        let shared = SharedWithMe {
            encrypted: "/cloud/team".into(),
            owner: "alice@example.com".into(),
            fingerprint: "00".repeat(32),
            standing: Standing::Unknown,
        };
        let folder = FolderId::new([1; 16]);
        board.set_shared(vec![(folder, shared.clone())]);
        assert_eq!(board.status().shared_with_me, std::slice::from_ref(&shared));
        board.add(folder);
        assert_eq!(board.status().shared_with_me, []);
        board.forget(folder);
        assert_eq!(board.status().shared_with_me, [shared]);
        board.set_shared(Vec::new());
        assert_eq!(board.status().shared_with_me, []);
    }

    #[test]
    fn of_the_account_as_much_is_told_as_somebody_can_use() {
        let board = Board::new(Arc::new(FakeClock::new(Timestamp::default())));
        let notice = |kind, text: &str| AccountNotice { kind, text: text.to_owned() };
        let device = |number: u16, text: &str| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            (DeviceId::new(id), notice(AccountNoticeKind::NewDevice, text))
        };
        board.add_new_devices([device(1, "one"), device(2, "two"), device(1, "one again")]);
        let logged_out = notice(AccountNoticeKind::LoggedOut, "out");
        board.set_account(Some(logged_out.clone()));
        board.set_account(Some(logged_out));
        let texts = || board.status().account.into_iter().map(|notice| notice.text).collect::<Vec<_>>();
        assert_eq!(texts(), ["two", "one again", "out"]);
        board.set_account(None);
        assert_eq!(texts(), ["two", "one again"], "new devices stay told");

        board.add_new_devices((10..2000).map(|number| device(number, &number.to_string())));
        assert_eq!(texts().len(), MAX_NEW_DEVICES);
        assert_eq!(texts().last().map(String::as_str), Some("1999"));
        board.clear_account();
        assert_eq!(texts(), Vec::<String>::new());
    }
}
