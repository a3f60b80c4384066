//! What the tray shows, before it is an icon, a tooltip and a menu.

use std::path::PathBuf;

use ensafer_core::api::local::{FolderReport, VersionReport};
use ensafer_core::status::{AccountNoticeKind, Progress, State, Status};

/// Everything that icon, tooltip and menu are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    link: Link,
    trouble: Option<Trouble>,
}

/// What is known of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// One is being launched, or looked for.
    Starting,
    /// It was told to end, and finishes what it does: another one cannot be launched yet.
    Ending,
    /// None runs.
    NotRunning,
    /// The one at the socket is another user's.
    AnotherUsers,
    /// It cannot be reached, for this reason.
    Unreachable(String),
    /// It speaks another local API.
    Foreign(Age),
    /// It tells how things are.
    Live(Box<Live>),
}

/// What a daemon says.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// How everything is.
    pub status: Status,
    /// The folders.
    pub folders: Vec<FolderReport>,
    /// The files in them that were new or changed last, the latest first.
    pub recent: Vec<PathBuf>,
    /// Whether it is of the tray's version.
    pub age: Age,
}

/// How the daemon's version compares with the tray's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    /// They are the same.
    Same,
    /// The daemon is older; its version where it can say it.
    Older(Option<String>),
    /// The daemon is newer.
    Newer(String),
}

impl Age {
    /// Compares what the daemon says with this build.
    #[must_use]
    pub fn of(daemon: &VersionReport) -> Self {
        let own = VersionReport::own();
        match (numbers(&daemon.version), daemon.api).cmp(&(numbers(&own.version), own.api)) {
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Less => Self::Older(Some(daemon.version.clone())),
            std::cmp::Ordering::Greater => Self::Newer(daemon.version.clone()),
        }
    }
}

/// The three numbers of a version; what is none counts as nothing.
fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

/// Why something that was clicked did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, for people.
    pub text: String,
    /// Whether it only says that the daemon went away, which the link tells too.
    pub is_of_connection: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { link: Link::Starting, trouble: None }
    }

    /// What is known of the daemon.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Why the last click came to nothing, if it did.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.text.as_str())
    }

    /// The daemon's state was seen. Once it is known to be gone, nobody needs to be told that it broke off.
    pub fn linked(&mut self, link: Link) {
        self.link = link;
        if !self.is_live() {
            self.trouble.take_if(|trouble| trouble.is_of_connection);
        }
    }

    /// Somebody clicked: what was said of the last click is over.
    pub fn clicked(&mut self) {
        self.trouble = None;
    }

    /// What was clicked did not happen.
    pub fn failed(&mut self, trouble: Trouble) {
        if self.is_live() || !trouble.is_of_connection {
            self.trouble = Some(trouble);
        }
    }

    /// The daemon that was to be launched did not come.
    pub fn not_launched(&mut self) {
        if self.link == Link::Starting {
            self.link = Link::NotRunning;
        }
    }

    const fn is_live(&self) -> bool {
        matches!(self.link, Link::Live(_))
    }

    /// What the daemon says, while it does.
    #[must_use]
    pub fn live(&self) -> Option<&Live> {
        match &self.link {
            Link::Live(live) => Some(live),
            _ => None,
        }
    }

    /// How the daemon's version compares, where that is known.
    #[must_use]
    pub fn age(&self) -> &Age {
        match &self.link {
            Link::Live(live) => &live.age,
            Link::Foreign(age) => age,
            _ => &Age::Same,
        }
    }

    /// The status in a line: of the menu and of the tooltip.
    #[must_use]
    pub fn headline(&self) -> String {
        match &self.link {
            Link::Starting => "Starting".to_owned(),
            Link::Ending => "Ending".to_owned(),
            Link::NotRunning => "Not running".to_owned(),
            Link::AnotherUsers => "The daemon here belongs to another user".to_owned(),
            Link::Unreachable(why) => why.clone(),
            Link::Foreign(_) => "The daemon is not understood".to_owned(),
            Link::Live(live) => live.headline(),
        }
    }
}

impl Live {
    /// Whether there is nothing to sync yet.
    #[must_use]
    pub fn is_without_folders(&self) -> bool {
        self.folders.is_empty()
    }

    fn headline(&self) -> String {
        if self.status.account.iter().any(|notice| notice.kind == AccountNoticeKind::NotSetUp) {
            return "Not set up".to_owned();
        }
        if self.is_without_folders() && self.status.state == State::Stopped {
            return "No folder is set up".to_owned();
        }
        let text = self.status.headline();
        let urgent = || self.status.folders.iter().filter(|folder| folder.state == self.status.state);
        match self.status.state {
            State::Working => {
                let all = urgent().filter_map(|folder| folder.progress);
                let (done, total) =
                    all.fold((0, 0), |(done, total), Progress { done_count, total_count, .. }| {
                        (done + done_count, total + total_count)
                    });
                format!("{text}: {done} of {total}")
            }
            State::Paused | State::Offline => match urgent().find_map(|folder| folder.why.as_deref()) {
                Some(why) => format!("{text} ({why})"),
                None => text.to_owned(),
            },
            _ => text.to_owned(),
        }
    }

    /// Number of objects and paths that are not in order.
    #[must_use]
    pub fn problem_count(&self) -> u64 {
        self.status.folders.iter().map(|folder| folder.problems).sum()
    }

    /// Number of conflicts that nobody has resolved.
    #[must_use]
    pub fn conflict_count(&self) -> u64 {
        self.status.folders.iter().map(|folder| folder.conflicts).sum()
    }

    /// The directories with ordinary files.
    pub fn work_directories(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|folder| PathBuf::from(&folder.work))
    }

    /// The directories with `.ensafer` files.
    pub fn encrypted_directories(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|folder| PathBuf::from(&folder.encrypted))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ensafer_core::ids::FolderId;
    use ensafer_core::status::{Event, Facts};
    use ensafer_core::time::Timestamp;

    use super::*;

    /// A daemon with one folder to which `events` happened.
    pub(crate) fn live(events: impl IntoIterator<Item = Event>) -> Live {
        let (id, now) = (FolderId::new([7; 16]), Timestamp::from_parts(0, 0));
        let facts = events.into_iter().fold(Facts::new(id, now), |facts, event| facts.fold(event, now));
        Live {
            status: Status::of(vec![facts.status()]),
            folders: vec![FolderReport {
                id,
                work: "/home/a/Work".into(),
                encrypted: "/home/a/Cloud".into(),
            }],
            recent: Vec::new(),
            age: Age::Same,
        }
    }

    pub(crate) fn scene(link: Link) -> Scene {
        Scene { link, trouble: None }
    }

    fn trouble(is_of_connection: bool) -> Trouble {
        Trouble { text: "it went wrong".into(), is_of_connection }
    }

    #[test]
    fn a_daemon_that_is_gone_leaves_no_line_about_its_going() {
        let live = || Link::Live(Box::new(live([])));
        let mut broke_off_first = scene(live());
        broke_off_first.failed(trouble(true));
        assert_eq!(broke_off_first.trouble(), Some("it went wrong"));
        broke_off_first.linked(Link::NotRunning);
        let mut seen_first = scene(live());
        seen_first.linked(Link::NotRunning);
        seen_first.failed(trouble(true));
        for scene in [broke_off_first, seen_first] {
            assert_eq!((scene.headline().as_str(), scene.trouble()), ("Not running", None));
        }
    }

    #[test]
    fn other_troubles_stay_until_the_next_click() {
        let mut scene = scene(Link::Starting);
        scene.not_launched();
        scene.failed(trouble(false));
        scene.linked(Link::NotRunning);
        assert_eq!(scene.trouble(), Some("it went wrong"));
        scene.clicked();
        assert_eq!(scene.trouble(), None);
    }

    #[test]
    fn a_launch_that_fails_does_not_hide_a_daemon_that_came_meanwhile() {
        let mut scene = scene(Link::Live(Box::new(live([]))));
        scene.not_launched();
        assert!(scene.live().is_some());
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let own = VersionReport::own();
        let with = |version: &str, api| Age::of(&VersionReport { version: version.into(), api });
        assert_eq!(Age::of(&own), Age::Same);
        assert_eq!(with("0.0.99", own.api), Age::Older(Some("0.0.99".into())));
        assert_eq!(with("999.10.0-rc.1", own.api), Age::Newer("999.10.0-rc.1".into()));
        assert_eq!(with(&own.version, own.api - 1), Age::Older(Some(own.version.clone())));
        assert_eq!(numbers("0.10.0").cmp(&numbers("0.9.0")), std::cmp::Ordering::Greater);
    }

    #[test]
    fn the_line_says_how_far_and_why() {
        let progress = Progress { done_count: 3, total_count: 12, ..Progress::default() };
        assert_eq!(live([Event::Planned(progress)]).headline(), "Working: 3 of 12");
        assert_eq!(live([Event::Paused(Some("for an hour".into()))]).headline(), "Paused (for an hour)");
        let empty =
            Live { folders: Vec::new(), recent: Vec::new(), status: Status::of(Vec::new()), age: Age::Same };
        assert_eq!(empty.headline(), "No folder is set up");
    }
}
