//! Where every folder's happenings come together in the one status that everybody shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ensafer_core::api::local::ProblemReport;
use ensafer_core::ids::FolderId;
use ensafer_core::status::{AccountNotice, AccountNoticeKind, Event, Facts, Status};
use tokio::sync::watch;

use crate::clock::Clock;
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
    paused: Option<String>,
    account: Vec<AccountNotice>,
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
        let (stopped, paused) = (posts.is_stopped, posts.paused.clone());
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

    /// Syncing was paused, with the reason that people are told, or resumed.
    pub fn set_paused(&self, why: Option<String>) {
        self.posts().paused.clone_from(&why);
        self.tell_all(&Event::Paused(why));
    }

    /// This is to be known about the account, in place of what was told before; but devices that are new stay told.
    pub fn set_account(&self, notices: Vec<AccountNotice>) {
        let mut posts = self.posts();
        posts
            .account
            .retain(|notice| notice.kind == AccountNoticeKind::NewDevice && !notices.contains(notice));
        posts.account.extend(notices);
        self.show(&posts);
    }

    /// Whether folders sync on changes.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let posts = self.posts();
        !posts.is_stopped && posts.paused.is_none()
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
        status.account.clone_from(&posts.account);
        self.shown.send_if_modified(|shown| {
            let is_news = *shown != status;
            *shown = status;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::status::{Side, State};
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
}
