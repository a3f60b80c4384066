//! When something is told: the memory of what was, and the wait until a burst is over.
//!
//! News is told when nothing new has come for [`QUIET`], and after [`LONGEST`] in any case; before, what is over by then is
//! never told. Without news nothing is waited for.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use ensafer_core::ids::FolderId;

use crate::notice::{Change, Kind, Picture, notices};

/// Nothing new for so long ends a burst: changes are looked at, planned and done in steps a fraction of a second apart.
pub const QUIET: Duration = Duration::from_secs(2);

/// So long news waits at most, where more of it comes all the time.
pub const LONGEST: Duration = Duration::from_secs(30);

/// What is wrong in a folder is known only after it was looked at as a whole.
const KNOWN_LATE: [Kind; 2] = [Kind::Problems, Kind::Conflicts];

/// What a daemon that has just begun does not say of a folder before it has looked.
const OF_FOLDERS: [Kind; 3] = [Kind::Brake, Kind::Problems, Kind::Conflicts];

/// Decides what is told when. A snooze ends by the time of day, because it goes on while the computer sleeps.
#[derive(Debug, Default)]
pub struct Teller {
    told: Picture,
    now: Picture,
    /// The folders that were looked at as a whole since the beginning.
    begun: HashSet<FolderId>,
    /// What was last said of folders, by a daemon that is gone.
    kept: Picture,
    news: Option<News>,
    snoozed_until: Option<SystemTime>,
}

/// Since when there is something to tell, and when there was last more of it.
#[derive(Debug, Clone, Copy)]
struct News {
    first: Instant,
    last: Instant,
}

impl Teller {
    /// Things are like this now. Problems and conflicts that a folder has when they are first known are not told: the icon
    /// and the menu have shown them from the beginning.
    pub fn see(&mut self, mut picture: Picture, at: Instant) {
        self.kept.subtract(&picture);
        for (folder, is_checked) in picture.folders() {
            if is_checked {
                self.kept.remove(&OF_FOLDERS, folder);
                if self.begun.insert(folder) {
                    self.told.add(&KNOWN_LATE, folder, &picture);
                }
            } else {
                picture.add(&OF_FOLDERS, folder, &self.kept);
                if !self.begun.contains(&folder) {
                    picture.remove(&KNOWN_LATE, folder);
                }
            }
        }
        let is_more = !notices(&self.now, &picture).is_empty();
        self.now = picture;
        self.look(is_more, at);
    }

    /// Nothing is seen any more. What was said last of a folder holds until somebody has looked at it again.
    pub fn lose_sight(&mut self) {
        self.kept = self.now.clone();
    }

    /// What was seen last.
    #[must_use]
    pub const fn latest(&self) -> &Picture {
        &self.now
    }

    fn look(&mut self, is_more: bool, at: Instant) {
        let pending: Vec<Kind> = self.pending().iter().map(Change::kind).collect();
        // What is gone is forgotten, and is news if it comes again.
        let settled: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !pending.contains(kind)).collect();
        let now = self.now.clone();
        self.take_as_told(&settled, &now);
        let last = |news: News| if is_more { at } else { news.last };
        let news = self.news.map_or(News { first: at, last: at }, |news| News { last: last(news), ..news });
        self.news = (!pending.is_empty()).then_some(news);
    }

    /// How long there is nothing to tell if nothing more is seen; `None` if there is nothing at all.
    #[must_use]
    pub fn wait(&self, at: Instant, time: SystemTime) -> Option<Duration> {
        let News { first, last } = self.news?;
        let quiet = (last + QUIET).min(first + LONGEST).saturating_duration_since(at);
        let is_over = |change: &Change| matches!(change, Change::Close(_));
        if self.pending().iter().any(is_over) {
            return Some(quiet);
        }
        let snooze = self.snoozed_until.and_then(|until| until.duration_since(time).ok());
        Some(quiet.max(snooze.unwrap_or_default()))
    }

    /// What is to be told now. What is over is closed in a snooze, too.
    pub fn tell(&mut self, at: Instant, time: SystemTime) -> Vec<Change> {
        if self.wait(at, time) != Some(Duration::ZERO) {
            return Vec::new();
        }
        self.snoozed_until = self.snoozed_until.filter(|until| *until > time);
        let is_snoozed = self.snoozed_until.is_some();
        let mut changes = self.pending();
        changes.retain(|change| !is_snoozed || matches!(change, Change::Close(_)));
        let kinds: Vec<Kind> = changes.iter().map(Change::kind).collect();
        let now = self.now.clone();
        self.take_as_told(&kinds, &now);
        self.look(false, at);
        changes
    }

    /// Tells nothing new before `until`, and then again what is left of `kind`.
    pub fn snooze(&mut self, kind: Kind, until: SystemTime, at: Instant) {
        self.snoozed_until = Some(until);
        self.forget(kind, at);
    }

    /// What was told of `kind` has reached nobody: what is left of it is told again.
    pub fn forget(&mut self, kind: Kind, at: Instant) {
        self.take_as_told(&[kind], &Picture::default());
        self.look(false, at);
    }

    fn pending(&self) -> Vec<Change> {
        notices(&self.told, &self.now)
    }

    fn take_as_told(&mut self, kinds: &[Kind], picture: &Picture) {
        self.told = std::mem::take(&mut self.told).with(kinds, picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::tests::{FOLDER, of_folders, with_problems};

    /// Seconds after the beginning.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, seconds: u64) -> Instant {
            self.0 + Duration::from_secs(seconds)
        }
    }

    fn time(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn summaries(changes: &[Change]) -> Vec<String> {
        let summary = |change: &Change| match change {
            Change::Tell(notice) => notice.summary.clone(),
            Change::Close(kind) => format!("- {kind:?}"),
        };
        changes.iter().map(summary).collect()
    }

    /// A teller that knows of no problem.
    fn begun() -> (Teller, Clock) {
        let (mut teller, clock) = (Teller::default(), Clock(Instant::now()));
        teller.see(with_problems(&[]), clock.at(0));
        assert_eq!(teller.wait(clock.at(0), time(0)), None, "nothing is waited for");
        (teller, clock)
    }

    #[test]
    fn a_burst_is_told_once_when_it_is_over() {
        let (mut teller, clock) = begun();
        teller.see(with_problems(&["a"]), clock.at(1));
        teller.see(with_problems(&["a", "b"]), clock.at(2));
        // The same again is nothing new.
        teller.see(with_problems(&["a", "b"]), clock.at(3));
        assert_eq!(teller.wait(clock.at(3), time(3)), Some(Duration::from_secs(1)));
        assert_eq!(teller.tell(clock.at(3), time(3)), []);
        assert_eq!(summaries(&teller.tell(clock.at(4), time(4))), ["2 files need attention"]);
        assert_eq!(teller.wait(clock.at(5), time(5)), None);
        teller.see(with_problems(&[]), clock.at(6));
        assert_eq!(summaries(&teller.tell(clock.at(8), time(8))), ["- Problems"]);
    }

    #[test]
    fn what_never_ends_is_told_all_the_same() {
        let (mut teller, clock) = begun();
        let names: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut told = Vec::new();
        for second in 1..40 {
            let at = clock.at(second);
            teller.see(with_problems(&names[..usize::try_from(second).unwrap()]), at);
            told.extend(teller.tell(at, time(second)));
        }
        assert_eq!(summaries(&told), ["31 files need attention"]);
    }

    #[test]
    fn what_is_over_soon_is_never_told() {
        let (mut teller, clock) = begun();
        teller.see(with_problems(&["a"]), clock.at(1));
        teller.see(with_problems(&[]), clock.at(2));
        assert_eq!(teller.wait(clock.at(2), time(2)), None);
    }

    #[test]
    fn what_was_there_before_is_not_told() {
        let (mut teller, clock) = (Teller::default(), Clock(Instant::now()));
        teller.see(Picture::default(), clock.at(0));
        teller.see(of_folders(&[(FOLDER, false, &["a"])]), clock.at(1));
        teller.see(with_problems(&["a", "b"]), clock.at(1));
        assert_eq!(teller.wait(clock.at(1), time(1)), None);
        teller.see(with_problems(&["b"]), clock.at(2));
        teller.see(with_problems(&["a", "b"]), clock.at(3));
        assert_eq!(summaries(&teller.tell(clock.at(5), time(5))), ["2 files need attention"]);
    }

    #[test]
    fn a_folder_that_cannot_be_looked_at_silences_no_other() {
        const AWAY: FolderId = FolderId::new([8; 16]);
        let (mut teller, clock) = (Teller::default(), Clock(Instant::now()));
        teller.see(of_folders(&[(FOLDER, true, &["old"]), (AWAY, false, &[])]), clock.at(0));
        teller.see(of_folders(&[(FOLDER, true, &["old", "new"]), (AWAY, false, &["x"])]), clock.at(1));
        assert_eq!(summaries(&teller.tell(clock.at(3), time(3))), ["2 files need attention"]);
        // It is back: what is wrong in it was so before.
        teller.see(of_folders(&[(FOLDER, true, &["old", "new"]), (AWAY, true, &["x", "y"])]), clock.at(4));
        assert_eq!(teller.wait(clock.at(4), time(4)), None);
        teller.see(of_folders(&[(FOLDER, true, &[]), (AWAY, true, &["x", "z"])]), clock.at(5));
        assert_eq!(summaries(&teller.tell(clock.at(7), time(7))), ["2 files need attention"]);
    }

    #[test]
    fn another_daemon_tells_only_what_it_knows_better() {
        let (mut teller, clock) = begun();
        teller.see(with_problems(&["a", "b"]), clock.at(1));
        assert_eq!(teller.tell(clock.at(3), time(3)).len(), 1);
        for next in [4, 5] {
            teller.lose_sight();
            // It knows nothing at first, and finds one after the other.
            teller.see(of_folders(&[(FOLDER, false, &[])]), clock.at(next));
            teller.see(of_folders(&[(FOLDER, false, &["b"])]), clock.at(next));
            assert_eq!(teller.wait(clock.at(next), time(next)), None, "nothing is over, and nothing new");
        }
        teller.see(of_folders(&[(FOLDER, false, &["b", "c"])]), clock.at(6));
        assert_eq!(summaries(&teller.tell(clock.at(8), time(8))), ["3 files need attention"]);
        teller.see(with_problems(&["a", "c"]), clock.at(9));
        assert_eq!(teller.wait(clock.at(9), time(9)), None);
        teller.lose_sight();
        teller.see(with_problems(&[]), clock.at(10));
        assert_eq!(summaries(&teller.tell(clock.at(12), time(12))), ["- Problems"]);
    }

    #[test]
    fn what_reached_nobody_is_told_again_while_it_holds() {
        let (mut teller, clock) = begun();
        teller.see(with_problems(&["a"]), clock.at(1));
        assert_eq!(teller.tell(clock.at(3), time(3)).len(), 1);
        teller.forget(Kind::Problems, clock.at(10));
        teller.forget(Kind::Brake, clock.at(10));
        assert_eq!(summaries(&teller.tell(clock.at(12), time(12))), ["A file needs attention"]);
        teller.see(with_problems(&[]), clock.at(20));
        assert_eq!(summaries(&teller.tell(clock.at(22), time(22))), ["- Problems"]);
        teller.forget(Kind::Problems, clock.at(30));
        assert_eq!(teller.wait(clock.at(30), time(30)), None, "it is over");
    }

    #[test]
    fn a_snooze_silences_and_tells_later_what_is_left() {
        let (mut teller, clock) = begun();
        teller.see(with_problems(&["a"]), clock.at(1));
        assert_eq!(teller.tell(clock.at(3), time(3)).len(), 1);
        teller.snooze(Kind::Problems, time(3603), clock.at(3));
        teller.see(with_problems(&["a", "b"]), clock.at(10));
        assert_eq!(teller.tell(clock.at(20), time(20)), []);
        assert_eq!(teller.wait(clock.at(20), time(20)), Some(Duration::from_secs(3583)));
        // While the computer slept.
        assert_eq!(summaries(&teller.tell(clock.at(30), time(3603))), ["2 files need attention"]);

        teller.snooze(Kind::Locked, time(9000), clock.at(31));
        teller.see(with_problems(&[]), clock.at(31));
        assert_eq!(summaries(&teller.tell(clock.at(33), time(4000))), ["- Problems"], "also in a snooze");
        teller.see(with_problems(&["c"]), clock.at(40));
        teller.see(with_problems(&[]), clock.at(50));
        assert_eq!(teller.wait(clock.at(50), time(5000)), None, "mended meanwhile");
    }
}
