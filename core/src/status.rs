//! One value that says how things are; icon, window, command line and log all show it.
//!
//! A folder's state is a pure fold over what happened to it ([`Facts::fold`]), and the whole state one over its
//! folders ([`Status::of`]). Nothing is "up to date" before both sides were observed and nothing was left to do.

use serde::{Deserialize, Serialize};

use crate::api::local::Standing;
use crate::ids::FolderId;
use crate::plan::{Problem, ProblemClass};
use crate::safety::Brake;
use crate::time::{Timestamp, rfc3339};

/// How a folder, or everything together, is. Of several the first holds for [`Status::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The account's keys are sealed.
    Locked,
    /// A brake holds, and the user has to say whether to go on.
    Braked,
    /// There are problems.
    Attention,
    /// The work folder or the encrypted folder cannot be reached.
    Offline,
    /// Something is being done.
    Working,
    /// Both sides are being compared.
    Checking,
    /// Ciphertexts are still arriving.
    WaitingForCloud,
    /// Paused for a time.
    Paused,
    /// Stopped until it is started again.
    Stopped,
    /// Both sides were observed, and nothing was left to do.
    UpToDate,
}

/// One of a folder's two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The ordinary files.
    Work,
    /// The `.ensafer` files.
    Encrypted,
}

/// How much of a plan is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    /// Objects done. A file counts when it is sealed or opened, and is taken back if its batch fails after all.
    pub done_count: u64,
    /// Objects to be done in all.
    pub total_count: u64,
    /// Bytes of plaintext done.
    pub done_bytes: u64,
    /// Bytes of plaintext to be done in all.
    pub total_bytes: u64,
}

/// What happens to a folder.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The account's keys were sealed, or opened.
    Locked(bool),
    /// Syncing was stopped, or started.
    Stopped(bool),
    /// Syncing was paused, with the reason that people are told, or resumed.
    Paused(Option<String>),
    /// A side cannot be reached; with the system's reason.
    Unreachable(Side, String),
    /// By its own members the folder is closed to this account, or to everybody, for this reason; or it is open again.
    Shut(Option<ProblemClass>),
    /// A side may have changed: what is known of it is out of date.
    Disturbed(Side),
    /// A side was observed whole, after all that disturbed it so far.
    Observed(Side),
    /// There is a plan with that much to do.
    Planned(Progress),
    /// A plan went on.
    Progressed(Progress),
    /// A plan was carried out, or found empty; `settled` if nothing was left to do.
    Finished {
        /// Whether nothing was left to do.
        settled: bool,
    },
    /// Everything that is not in order, replacing what was reported before.
    Problems(Vec<ProblemClass>),
    /// Number of conflicts that the user has not resolved.
    Conflicts(u64),
    /// A brake was applied, or released.
    Brake(Option<Brake>),
    /// Number of objects that are still to be encrypted anew by the user's wish, while there is one.
    Reencrypting(Option<u64>),
}

impl Event {
    /// The problems of a plan or of a listing as an event.
    #[must_use]
    pub fn problems(problems: &[Problem]) -> Self {
        Self::Problems(problems.iter().map(|problem| problem.class).collect())
    }
}

/// What is known of one folder: the state of the fold.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    folder: FolderId,
    locked: bool,
    stopped: bool,
    paused: Option<String>,
    unreachable: [Option<String>; 2],
    shut: Option<ProblemClass>,
    reencrypting: Option<u64>,
    observed: [bool; 2],
    settled: bool,
    progress: Option<Progress>,
    problems: u64,
    arriving: u64,
    conflicts: u64,
    brake: Option<Brake>,
    since: Timestamp,
    last_checked: Option<Timestamp>,
}

impl Facts {
    /// A folder of which nothing is known yet.
    #[must_use]
    pub const fn new(folder: FolderId, now: Timestamp) -> Self {
        Self {
            folder,
            locked: false,
            stopped: false,
            paused: None,
            unreachable: [None, None],
            shut: None,
            reencrypting: None,
            observed: [false; 2],
            settled: false,
            progress: None,
            problems: 0,
            arriving: 0,
            conflicts: 0,
            brake: None,
            since: now,
            last_checked: None,
        }
    }

    /// These facts after `event`, which happened at `now`.
    #[must_use]
    pub fn fold(mut self, event: Event, now: Timestamp) -> Self {
        let before = self.state();
        self.take(event);
        let after = self.state();
        if after != before {
            self.since = now;
        }
        if self.is_checked() {
            self.last_checked = Some(now);
        }
        self
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Locked(locked) => self.locked = locked,
            Event::Stopped(stopped) => self.stopped = stopped,
            Event::Paused(why) => self.paused = why,
            Event::Unreachable(side, why) => {
                self.unreachable[side as usize] = Some(why);
                self.observed[side as usize] = false;
            }
            Event::Shut(why) => self.shut = why,
            Event::Disturbed(side) => self.observed[side as usize] = false,
            Event::Observed(side) => {
                self.unreachable[side as usize] = None;
                self.observed[side as usize] = true;
            }
            Event::Planned(progress) | Event::Progressed(progress) => {
                self.progress = Some(progress);
                self.settled = false;
            }
            Event::Finished { settled } => {
                self.progress = None;
                self.settled = settled;
            }
            Event::Problems(classes) => {
                let all = classes.len() as u64;
                self.arriving =
                    classes.iter().filter(|&&class| class == ProblemClass::StillArriving).count() as u64;
                self.problems = all - self.arriving;
            }
            Event::Conflicts(count) => self.conflicts = count,
            Event::Brake(brake) => self.brake = brake,
            Event::Reencrypting(left) => self.reencrypting = left,
        }
    }

    /// Whether both sides were observed and nothing was left to do.
    #[must_use]
    pub const fn is_checked(&self) -> bool {
        self.observed[0] && self.observed[1] && self.settled && self.progress.is_none()
    }

    /// The state. What the user decided goes first, then what stands in the way, then work, then what is left to say
    /// when all is done: problems before what is still arriving.
    #[must_use]
    pub const fn state(&self) -> State {
        if self.locked {
            State::Locked
        } else if self.stopped {
            State::Stopped
        } else if self.paused.is_some() {
            State::Paused
        } else if self.brake.is_some() {
            State::Braked
        } else if self.unreachable[0].is_some() || self.unreachable[1].is_some() {
            State::Offline
        } else if self.shut.is_some() {
            State::Attention
        } else if self.progress.is_some() {
            State::Working
        } else if !self.is_checked() {
            State::Checking
        } else if self.problems > 0 {
            State::Attention
        } else if self.arriving > 0 {
            State::WaitingForCloud
        } else {
            State::UpToDate
        }
    }

    /// These facts as they are shown.
    #[must_use]
    pub fn status(&self) -> FolderStatus {
        let state = self.state();
        let why = match state {
            State::Paused => self.paused.clone(),
            State::Offline => self.unreachable.iter().flatten().next().cloned(),
            State::Attention => self.shut.map(|class| class.what().to_owned()),
            _ => None,
        };
        FolderStatus {
            folder: self.folder,
            state,
            why,
            shut: self.shut,
            progress: self.progress,
            problems: self.problems,
            still_arriving: self.arriving,
            conflicts: self.conflicts,
            brake: self.brake.clone(),
            reencrypting: self.reencrypting,
            since: self.since,
            last_checked: self.last_checked,
        }
    }
}

/// How one folder is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FolderStatus {
    /// The folder.
    pub folder: FolderId,
    /// Its state.
    pub state: State,
    /// Why it is paused, closed to this account, or cannot be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why its members keep it from being synced here: [`ProblemClass::NotAMember`] or [`ProblemClass::Disputed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shut: Option<ProblemClass>,
    /// What is being done, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Number of objects and paths that are not in order, without those still arriving.
    pub problems: u64,
    /// Number of ciphertexts that are not whole yet.
    pub still_arriving: u64,
    /// Number of conflicts that the user has not resolved.
    pub conflicts: u64,
    /// What holds it, while a brake does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<Brake>,
    /// Number of objects that are still to be encrypted anew, while somebody wishes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reencrypting: Option<u64>,
    /// When it came into this state.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When both sides were last observed with nothing left to do.
    #[serde(default, with = "rfc3339::option")]
    pub last_checked: Option<Timestamp>,
}

/// What somebody should know about the account. Folders sync all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccountNotice {
    /// What it is.
    pub kind: AccountNoticeKind,
    /// For people: what happened, and what to do.
    pub text: String,
}

/// What happened to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountNoticeKind {
    /// No account is set up on this computer.
    NotSetUp,
    /// This device has no session with its key server any more.
    LoggedOut,
    /// The key server serves what cannot be true.
    ServerDistrusted,
    /// Another device logged in.
    NewDevice,
    /// The recovery key was shown, and nobody has said that it is written down. Only the account's report has it.
    RecoveryKeyUnwritten,
}

/// How everything is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The most urgent of the folders' states; [`State::Stopped`] where there is no folder.
    pub state: State,
    /// Every folder.
    pub folders: Vec<FolderStatus>,
    /// What somebody should know about the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub account: Vec<AccountNotice>,
    /// Folders in cloud clients' directories that are shared with the account and not synced here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with_me: Vec<SharedWithMe>,
}

/// A folder of somebody else's that the account can open, found in a cloud client's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SharedWithMe {
    /// Its encrypted directory.
    pub encrypted: String,
    /// The owner's login: the one under which the account has met their keys; where it has not, the one that the folder
    /// itself says.
    pub owner: String,
    /// The fingerprint of the owner's identity key.
    pub fingerprint: String,
    /// What the account knows of the owner's keys under that login.
    pub standing: Standing,
}

impl Status {
    /// All folders together. The most urgent state is the first in [`State`]'s order: "up to date" only if all are.
    #[must_use]
    pub fn of(folders: Vec<FolderStatus>) -> Self {
        let state = folders.iter().map(|folder| folder.state).min().unwrap_or(State::Stopped);
        Self { state, folders, account: Vec::new(), shared_with_me: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Facts {
        events.into_iter().zip(1..).fold(Facts::new(FolderId::new([7; 16]), at(0)), |facts, (event, time)| {
            facts.fold(event, at(time))
        })
    }

    fn checked() -> Vec<Event> {
        vec![Event::Observed(Side::Work), Event::Observed(Side::Encrypted), Event::Finished { settled: true }]
    }

    #[test]
    fn green_only_after_both_sides_were_observed_with_nothing_left_to_do() {
        assert_eq!(after(checked()).state(), State::UpToDate);
        for missing in 0..3 {
            let mut events = checked();
            events.remove(missing);
            assert_eq!(after(events).state(), State::Checking, "without event {missing}");
        }
        let mut events = checked();
        events.push(Event::Disturbed(Side::Encrypted));
        assert_eq!(after(events.clone()).state(), State::Checking);
        events.push(Event::Observed(Side::Encrypted));
        assert_eq!(after(events.clone()).state(), State::UpToDate);
        events.push(Event::Finished { settled: false });
        assert_eq!(after(events).state(), State::Checking);
    }

    #[test]
    fn the_precedence_of_states() {
        let brake = Brake::example();
        let steps = [
            (Event::Problems(vec![ProblemClass::StillArriving]), State::WaitingForCloud),
            (Event::Problems(vec![ProblemClass::StillArriving, ProblemClass::Damaged]), State::Attention),
            (Event::Planned(Progress::default()), State::Working),
            (Event::Unreachable(Side::Work, "not mounted".into()), State::Offline),
            (Event::Brake(Some(brake)), State::Braked),
            (Event::Paused(Some("for an hour".into())), State::Paused),
            (Event::Stopped(true), State::Stopped),
            (Event::Locked(true), State::Locked),
        ];
        let mut events = checked();
        for (event, expected) in steps {
            events.push(event);
            assert_eq!(after(events.clone()).state(), expected);
        }
    }

    #[test]
    fn since_moves_with_the_state_only() {
        let mut events = checked();
        events.extend([Event::Conflicts(1), Event::Conflicts(2)]);
        let status = after(events).status();
        assert_eq!((status.since, status.last_checked, status.conflicts), (at(3), Some(at(5)), 2));
    }

    #[test]
    fn the_most_urgent_folder_speaks_for_all() {
        let green = after(checked()).status();
        let mut events = checked();
        events.push(Event::Problems(vec![ProblemClass::Damaged]));
        let bad = after(events).status();
        assert_eq!(Status::of(vec![]).state, State::Stopped);
        assert_eq!(Status::of(vec![green.clone()]).state, State::UpToDate);
        assert_eq!(Status::of(vec![green, bad]).state, State::Attention);
    }

    #[test]
    fn the_document_that_scripts_read() {
        let text = serde_json::to_string(&Status::of(vec![after(checked()).status()])).unwrap();
        assert_eq!(
            text,
            format!(
                concat!(
                    r#"{{"state":"up-to-date","folders":[{{"folder":"{}","state":"up-to-date","problems":0,"#,
                    r#""still-arriving":0,"conflicts":0,"since":"1970-01-01T00:00:03Z","last-checked":"1970-01-01T00:00:03Z"}}]}}"#
                ),
                "07".repeat(16)
            )
        );
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap().state, State::UpToDate);
    }
}
