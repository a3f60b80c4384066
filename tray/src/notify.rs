//! Notifications: what the daemon says goes to the [`Teller`], what that tells to the desktop, and what people answer back.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use ensafer_client::home::Home;
use ensafer_client::local_api::Client;
use ensafer_client::timer::Timer;
use ensafer_core::api::local::{ConflictReport, ProblemReport};
use ensafer_core::ids::FolderId;
use ensafer_core::status::{FolderStatus, State, Status};
use ensafer_core::time::Timestamp;
use jiff::Zoned;

use crate::action::{Action, PauseUntil};
use crate::notice::{Change, Kind, Picture};
use crate::platform::Bubbles;
use crate::scene::Link;
use crate::teller::Teller;

/// What somebody clicked in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Its first button, or itself.
    Open(Kind),
    /// To be left alone.
    Snooze(Kind, PauseUntil),
    /// Nobody has seen it, and now it can be shown.
    Again(Kind),
}

/// The thread that tells people. It sleeps while there is nothing new.
#[derive(Debug, Clone)]
pub struct Notifications(Sender<News>);

enum News {
    Link(Link),
    Answer(Answer),
    /// A snooze is over.
    Over,
}

impl Notifications {
    /// Starts it; what people want done goes to `clicks`. Where there is no session bus nothing is ever told.
    #[must_use]
    pub fn start(home: Home, clicks: Sender<Action>) -> Self {
        let (sender, inbox) = mpsc::channel();
        let (answers, wake) = (sender.clone(), sender.clone());
        thread::spawn(move || {
            let answer = move |answer| {
                // Without a receiver the process is about to end.
                let _ = answers.send(News::Answer(answer));
            };
            let Some(bubbles) = Bubbles::connect(answer) else { return };
            let (reports, teller) = (Reports::new(home), Teller::default());
            Reporter { reports, teller, bubbles, clicks, wake }.run(&inbox);
        });
        Self(sender)
    }

    /// The daemon is like this now.
    pub fn see(&self, link: &Link) {
        // Without a bus nobody listens.
        let _ = self.0.send(News::Link(link.clone()));
    }
}

/// What counts of everything that has come meanwhile: of statuses in a row the last one.
fn newest(all: Vec<News>) -> Vec<News> {
    let is_status = |news: &News| matches!(news, News::Link(Link::Live(_)));
    let mut kept: Vec<News> = Vec::new();
    for news in all {
        if is_status(&news) {
            kept.pop_if(|last| is_status(last));
        }
        kept.push(news);
    }
    kept
}

struct Reporter {
    reports: Reports,
    teller: Teller,
    bubbles: Bubbles,
    clicks: Sender<Action>,
    wake: Sender<News>,
}

impl Reporter {
    fn run(mut self, inbox: &Receiver<News>) {
        loop {
            let (at, time) = (Instant::now(), SystemTime::now());
            for change in self.teller.tell(at, time) {
                match change {
                    Change::Tell(notice) => self.bubbles.show(&notice),
                    Change::Close(kind) => self.bubbles.close(kind),
                }
            }
            let received = match self.teller.wait(at, time) {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(RecvTimeoutError::from),
            };
            match received {
                Ok(news) => self.take(newest(std::iter::once(news).chain(inbox.try_iter()).collect())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, all: Vec<News>) {
        for news in all {
            match news {
                News::Link(link) => self.see(&link),
                News::Answer(answer) => self.answer(answer),
                News::Over => {}
            }
        }
    }

    fn see(&mut self, link: &Link) {
        match link {
            Link::Live(live) => {
                let picture = self.reports.picture(&live.status);
                self.teller.see(picture, Instant::now());
                return;
            }
            Link::NotRunning => {
                let picture = self.teller.latest().clone().ended(self.reports.have_broken_off());
                self.teller.see(picture, Instant::now());
            }
            // What was last said may still be so.
            _ => {}
        }
        self.teller.lose_sight();
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Open(kind) => {
                let (_, action) = kind.button();
                // Without a receiver the process is about to end.
                let _ = self.clicks.send(action);
            }
            Answer::Again(kind) => self.teller.forget(kind, Instant::now()),
            Answer::Snooze(kind, until) => {
                let duration = until.duration(&Zoned::now());
                self.teller.snooze(kind, SystemTime::now() + duration, Instant::now());
                // Without it the wait for news still ends, later.
                let _ = wake_after(duration, self.wake.clone());
            }
        }
    }
}

/// Looks again when a snooze is over: a wait for news alone would be longer by all the time that the computer sleeps.
fn wake_after(duration: Duration, wake: Sender<News>) -> io::Result<()> {
    let timer = Timer::after(duration)?;
    let wait = move || {
        // Where the wait fails, looking early does no harm; without a receiver the process is about to end.
        let _ = timer.wait();
        let _ = wake.send(News::Over);
    };
    thread::Builder::new().name("snooze".to_owned()).spawn(wait).map(drop)
}

/// What the daemon reports beside its status. It is asked for when the status says that it may be other than before.
struct Reports {
    home: Home,
    has_begun: bool,
    problems: Report<ProblemReport>,
    conflicts: Report<ConflictReport>,
}

/// What a status says of how many a folder has. A look that ends may have found others, as many as before; and a conflict
/// is counted before its copy is there to be told of.
type Mark = (FolderId, u64, State, Timestamp);

struct Report<T> {
    /// What the status said when it was asked for; of folders that have any.
    marks: Vec<Mark>,
    list: Vec<T>,
}

impl<T> Report<T> {
    const fn new() -> Self {
        Self { marks: Vec::new(), list: Vec::new() }
    }

    /// The list as it is while `status` counts so many; an older one while the daemon does not answer.
    fn update(
        &mut self,
        status: &Status,
        count: impl Fn(&FolderStatus) -> u64,
        ask: impl FnOnce() -> Option<Vec<T>>,
    ) {
        let with_any = status.folders.iter().filter(|folder| count(folder) > 0);
        let marks: Vec<Mark> =
            with_any.map(|folder| (folder.folder, count(folder), folder.state, folder.since)).collect();
        if marks == self.marks {
            return;
        }
        if let Some(list) = if marks.is_empty() { Some(Vec::new()) } else { ask() } {
            *self = Self { marks, list };
        }
    }
}

impl Reports {
    const fn new(home: Home) -> Self {
        Self { home, has_begun: false, problems: Report::new(), conflicts: Report::new() }
    }

    fn picture(&mut self, status: &Status) -> Picture {
        self.has_begun = true;
        let daemon = || Client::connect(&self.home).ok();
        self.problems.update(status, |folder| folder.problems, || daemon()?.problems().ok());
        self.conflicts.update(status, |folder| folder.conflicts, || daemon()?.conflicts().ok());
        Picture::of(status, &self.problems.list, &self.conflicts.list)
    }

    /// Whether a daemon that was seen, and does not run any more, has ended without saying so: its record is still in the
    /// home's lock.
    fn have_broken_off(&self) -> bool {
        self.has_begun && self.home.running_socket().is_some()
    }
}

#[cfg(test)]
mod tests {
    use ensafer_core::status::{Event, Side};

    use super::*;
    use crate::scene::tests::live;

    #[test]
    fn what_is_counted_is_asked_for_again_when_a_look_has_ended() {
        let looking = live([Event::Conflicts(1)]).status;
        let checked = [Event::Observed(Side::Work), Event::Observed(Side::Encrypted)];
        let done =
            live(checked.into_iter().chain([Event::Finished { settled: true }, Event::Conflicts(1)])).status;
        let mut report = Report::new();
        // It is counted, and not there yet.
        report.update(&looking, |folder| folder.conflicts, || Some(vec![]));
        report.update(&done, |folder| folder.conflicts, || Some(vec!["the copy"]));
        assert_eq!(report.list, ["the copy"]);
        report.update(&done, |folder| folder.conflicts, || panic!("nothing is other than before"));
        report.update(&looking, |folder| folder.conflicts, || None);
        assert_eq!(report.list, ["the copy"], "a daemon that does not answer takes nothing back");
        report.update(&live([]).status, |folder| folder.conflicts, || panic!("there is nothing to ask for"));
        assert!(report.list.is_empty());
    }

    #[test]
    fn of_statuses_in_a_row_the_last_one_counts() {
        let status = |count| News::Link(Link::Live(Box::new(live([Event::Conflicts(count)]))));
        let answer = || News::Answer(Answer::Open(Kind::Problems));
        let come = vec![
            status(1),
            status(2),
            News::Link(Link::NotRunning),
            status(3),
            answer(),
            status(4),
            status(5),
        ];
        let word = |news: &News| match news {
            News::Link(Link::Live(live)) => live.conflict_count().to_string(),
            News::Link(link) => format!("{link:?}"),
            News::Answer(answer) => format!("{answer:?}"),
            News::Over => "over".to_owned(),
        };
        let words: Vec<String> = newest(come).iter().map(word).collect();
        assert_eq!(words, ["2", "NotRunning", "3", "Open(Problems)", "5"]);
    }

    #[test]
    fn a_snooze_that_is_over_wakes_whoever_tells() {
        let (wake, inbox) = mpsc::channel();
        wake_after(Duration::ZERO, wake).unwrap();
        assert!(matches!(inbox.recv(), Ok(News::Over)));
    }
}
