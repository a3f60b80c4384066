//! The menu as a pure function of the scene.

use std::path::{Path, PathBuf};

use ensafer_client::screen::Screen;
use ensafer_core::status::State;

use crate::action::{Action, PauseUntil};
use crate::notice::{plain, short};
use crate::scene::{Age, Link, Live, Scene};

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Words that cannot be clicked.
    Text(String),
    /// Something to click.
    Click {
        /// What it says.
        label: String,
        /// What it does.
        action: Action,
    },
    /// More of the menu.
    Submenu {
        /// What it says.
        label: String,
        /// What opens.
        items: Vec<Item>,
    },
    /// A line between groups.
    Separator,
}

/// The whole menu, from top to bottom. What has nothing behind it is left out.
#[must_use]
pub fn menu(scene: &Scene) -> Vec<Item> {
    let mut items = vec![Item::Text(scene.headline())];
    items.extend(scene.trouble().map(|text| Item::Text(text.to_owned())));
    items.extend(about_version(scene.age()));
    for group in [syncing(scene), folders(scene), screens(scene), vec![quit(scene)]] {
        if !group.is_empty() {
            items.push(Item::Separator);
            items.extend(group);
        }
    }
    items
}

/// Whether two menus do the same in the same places, whatever their lines say: titles of submenus count, too.
#[must_use]
pub fn differ_in_words_only(one: &[Item], other: &[Item]) -> bool {
    let is_alike = |one: &Item, other: &Item| match (one, other) {
        (Item::Text(_), Item::Text(_)) | (Item::Separator, Item::Separator) => true,
        (Item::Click { action: one, .. }, Item::Click { action: other, .. }) => one == other,
        (Item::Submenu { label: one, items: below }, Item::Submenu { label: other, items: beside }) => {
            one == other && differ_in_words_only(below, beside)
        }
        _ => false,
    };
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
}

/// What the lines of a menu say from top to bottom, those of submenus among them; without the titles of these.
#[must_use]
pub fn words<'a>(items: &'a [Item]) -> Vec<&'a str> {
    let of_item = |item: &'a Item| match item {
        Item::Text(text) => vec![text.as_str()],
        Item::Click { label, .. } => vec![label.as_str()],
        Item::Submenu { items, .. } => words(items),
        Item::Separator => Vec::new(),
    };
    items.iter().flat_map(of_item).collect()
}

fn about_version(age: &Age) -> Vec<Item> {
    match age {
        Age::Same => Vec::new(),
        Age::Older(version) => {
            let version = version.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
            vec![
                Item::Text(format!("The daemon is older than this tray{version}")),
                click("Restart the daemon", Action::RestartDaemon),
            ]
        }
        Age::Newer(version) => vec![
            Item::Text(format!("The daemon is newer than this tray ({version})")),
            click("Restart the tray", Action::RestartTray),
        ],
    }
}

/// What opens the window, begins and ends syncing.
fn syncing(scene: &Scene) -> Vec<Item> {
    match scene.link() {
        Link::Starting | Link::Ending | Link::Foreign(_) | Link::AnotherUsers | Link::Unreachable(_) => {
            Vec::new()
        }
        Link::NotRunning => vec![click("Start", Action::Start)],
        Link::Live(live) if live.is_without_folders() => vec![set_up()],
        Link::Live(live) => [vec![click("Open Ensafer", Action::Open)], switches(live)].concat(),
    }
}

fn set_up() -> Item {
    click("Set up…", Action::Open)
}

fn switches(live: &Live) -> Vec<Item> {
    let stop = || click("Stop", Action::Stop);
    match live.status.state {
        State::Locked => vec![click("Enter the password…", Action::Open)],
        State::Stopped => vec![click("Start", Action::Start)],
        State::Paused => vec![click("Resume", Action::Resume), stop()],
        _ => {
            let items = vec![
                click("For an hour", Action::Pause(PauseUntil::InAnHour)),
                click("Until tomorrow", Action::Pause(PauseUntil::Tomorrow)),
            ];
            vec![stop(), Item::Submenu { label: "Pause".to_owned(), items }]
        }
    }
}

/// What is in the folders, and what is wrong with them.
fn folders(scene: &Scene) -> Vec<Item> {
    let Some(live) = scene.live() else { return Vec::new() };
    let counted = |label: &str, count: u64, screen| {
        (count > 0).then(|| click(&format!("{label} ({count})"), Action::Show(screen)))
    };
    let directories = |label: &str, all: Vec<_>| open_directories(label, all);
    directories("Open work folder", live.work_directories().collect())
        .into_iter()
        .chain(directories("Open encrypted folder", live.encrypted_directories().collect()))
        .chain(recent(&live.recent))
        .chain(counted("Problems", live.problem_count(), Screen::Problems))
        .chain(counted("Conflicts", live.conflict_count(), Screen::Conflicts))
        .collect()
}

/// What was new or changed last. A click shows where it lies: to open a file that somebody else has written is for
/// whoever sees it there.
fn recent(files: &[PathBuf]) -> Option<Item> {
    let item = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let directory = file.parent().unwrap_or(Path::new("/"));
        click(&short(&name), Action::OpenDirectory(directory.to_owned()))
    };
    let items: Vec<_> = files.iter().map(item).collect();
    (!items.is_empty()).then(|| Item::Submenu { label: "Recent files".to_owned(), items })
}

/// What is done in the window only. Logging out is among the settings: it should not be done by a slip.
fn screens(scene: &Scene) -> Vec<Item> {
    match scene.live() {
        Some(live) if !live.is_without_folders() => {
            vec![
                click("Add recipient…", Action::Show(Screen::People)),
                click("Settings…", Action::Show(Screen::Settings)),
            ]
        }
        _ => Vec::new(),
    }
}

/// One directory at once, several by a submenu.
fn open_directories(label: &str, mut all: Vec<PathBuf>) -> Option<Item> {
    match all.len() {
        0 => None,
        1 => all.pop().map(|directory| click(label, Action::OpenDirectory(directory))),
        _ => {
            let item = |directory: PathBuf| {
                click(&plain(&directory.to_string_lossy()), Action::OpenDirectory(directory))
            };
            Some(Item::Submenu { label: label.to_owned(), items: all.into_iter().map(item).collect() })
        }
    }
}

/// Ends the tray only, which people should know before they click.
fn quit(scene: &Scene) -> Item {
    let is_at_work = |live: &Live| {
        let is_at_rest = matches!(live.status.state, State::Locked | State::Stopped | State::Paused);
        !live.is_without_folders() && !is_at_rest
    };
    let is_syncing = scene.live().is_some_and(is_at_work);
    let label = if is_syncing { "Quit (syncing goes on)" } else { "Quit" };
    click(label, Action::Quit)
}

fn click(label: &str, action: Action) -> Item {
    Item::Click { label: label.to_owned(), action }
}

#[cfg(test)]
mod tests {
    use ensafer_core::api::local::FolderReport;
    use ensafer_core::ids::FolderId;
    use ensafer_core::plan::ProblemClass;
    use ensafer_core::safety::{Brake, BrakeKind};
    use ensafer_core::status::{Event, Progress, Side, Status};

    use super::*;
    use crate::scene::Trouble;
    use crate::scene::tests::{live, scene};

    /// The menu as a drawing: a line for each item, submenus indented.
    fn drawn(items: &[Item]) -> Vec<String> {
        let line = |item: &Item| match item {
            Item::Text(text) => vec![format!("[{text}]")],
            Item::Click { label, .. } => vec![label.clone()],
            Item::Separator => vec!["--".to_owned()],
            Item::Submenu { label, items } => {
                let below = drawn(items).into_iter().map(|line| format!("> {line}"));
                std::iter::once(label.clone()).chain(below).collect()
            }
        };
        items.iter().flat_map(line).collect()
    }

    fn of(link: Link) -> Vec<String> {
        drawn(&menu(&scene(link)))
    }

    fn of_events(events: impl IntoIterator<Item = Event>) -> Vec<String> {
        of(Link::Live(Box::new(live(events))))
    }

    fn checked() -> Vec<Event> {
        vec![Event::Observed(Side::Work), Event::Observed(Side::Encrypted), Event::Finished { settled: true }]
    }

    const FOLDERS: [&str; 3] = ["--", "Open work folder", "Open encrypted folder"];
    const END: [&str; 5] = ["--", "Add recipient…", "Settings…", "--", "Quit (syncing goes on)"];
    const END_AT_REST: [&str; 5] = ["--", "Add recipient…", "Settings…", "--", "Quit"];
    const RUNNING: [&str; 6] = ["--", "Open Ensafer", "Stop", "Pause", "> For an hour", "> Until tomorrow"];

    #[test]
    fn a_menu_that_does_the_same_keeps_its_place() {
        let of = |events: &[Event]| menu(&scene(Link::Live(Box::new(live(events.iter().cloned())))));
        let working = |done_count| {
            let progress = Progress { done_count, total_count: 12, ..Progress::default() };
            of(&[Event::Planned(progress)])
        };
        let (one, other) = (working(3), working(4));
        assert!(differ_in_words_only(&one, &other));
        assert_eq!((words(&one)[0], words(&other)[0]), ("Working: 3 of 12", "Working: 4 of 12"));
        assert_eq!(words(&one)[1..], words(&other)[1..]);
        assert!(!differ_in_words_only(&one, &of(&[Event::Paused(None)])));
        let below =
            |action| vec![Item::Submenu { label: "Pause".to_owned(), items: vec![click("x", action)] }];
        assert!(!differ_in_words_only(&below(Action::Stop), &below(Action::Open)));
    }

    #[test]
    fn every_status_has_its_menu() {
        let progress = Progress { done_count: 1, total_count: 2, ..Progress::default() };
        let brake = Brake {
            kind: BrakeKind::LocalDeletions,
            token: "12ab".into(),
            count: 9,
            of: 10,
            objects: Vec::new(),
        };
        let running: &[(&str, Vec<Event>)] = &[
            ("[Up to date]", checked()),
            ("[Checking both sides]", vec![]),
            ("[Working: 1 of 2]", vec![Event::Planned(progress)]),
            ("[A folder cannot be reached (gone)]", vec![Event::Unreachable(Side::Work, "gone".into())]),
            ("[Stopped by the brake: look, then go on or undo]", vec![Event::Brake(Some(brake))]),
            (
                "[Waiting for the cloud to deliver]",
                [checked(), vec![Event::Problems(vec![ProblemClass::StillArriving])]].concat(),
            ),
        ];
        for (headline, events) in running {
            let expected = [&[*headline], &RUNNING[..], &FOLDERS, &END].concat();
            assert_eq!(of_events(events.clone()), expected);
        }
        let attention =
            [checked(), vec![Event::Problems(vec![ProblemClass::Damaged; 3]), Event::Conflicts(2)]].concat();
        let with_problems = ["Problems (3)", "Conflicts (2)"];
        assert_eq!(
            of_events(attention),
            [&["[Some files need attention]"], &RUNNING[..], &FOLDERS, &with_problems, &END].concat()
        );
    }

    #[test]
    fn what_is_at_rest_can_be_begun() {
        let paused = of_events([Event::Paused(Some("for an hour".into()))]);
        let head = ["[Paused (for an hour)]", "--", "Open Ensafer", "Resume", "Stop"];
        assert_eq!(paused, [&head[..], &FOLDERS, &END_AT_REST].concat());
        let stopped = of_events([Event::Stopped(true)]);
        assert_eq!(
            stopped,
            [&["[Stopped]", "--", "Open Ensafer", "Start"], &FOLDERS[..], &END_AT_REST].concat()
        );
        let locked = of_events([Event::Locked(true)]);
        let head = ["[Locked: enter the password]", "--", "Open Ensafer", "Enter the password…"];
        assert_eq!(locked, [&head[..], &FOLDERS, &END_AT_REST].concat());
    }

    #[test]
    fn without_a_daemon_there_is_what_helps() {
        assert_eq!(of(Link::Starting), ["[Starting]", "--", "Quit"]);
        assert_eq!(of(Link::Ending), ["[Ending]", "--", "Quit"]);
        assert_eq!(of(Link::NotRunning), ["[Not running]", "--", "Start", "--", "Quit"]);
        assert_eq!(of(Link::AnotherUsers), ["[The daemon here belongs to another user]", "--", "Quit"]);
        assert_eq!(of(Link::Unreachable("no way".into())), ["[no way]", "--", "Quit"]);
        let empty =
            Live { folders: Vec::new(), recent: Vec::new(), status: Status::of(Vec::new()), age: Age::Same };
        let expected = ["[No folder is set up]", "--", "Set up…", "--", "Quit"];
        assert_eq!(of(Link::Live(Box::new(empty))), expected);
    }

    #[test]
    fn another_version_has_a_way_out() {
        let foreign = of(Link::Foreign(Age::Older(None)));
        let expected = [
            "[The daemon is not understood]",
            "[The daemon is older than this tray]",
            "Restart the daemon",
            "--",
            "Quit",
        ];
        assert_eq!(foreign, expected);
        let newer = Live { age: Age::Newer("9.0.0".into()), ..live(checked()) };
        let lines = of(Link::Live(Box::new(newer)));
        assert_eq!(lines[1..3], ["[The daemon is newer than this tray (9.0.0)]", "Restart the tray"]);
    }

    #[test]
    fn several_folders_open_by_a_submenu() {
        let mut live = live(checked());
        let more = FolderReport { id: FolderId::new([8; 16]), work: "/b".into(), encrypted: "/c".into() };
        live.folders.push(more);
        let lines = of(Link::Live(Box::new(live)));
        let at = lines.iter().position(|line| line == "Open work folder").expect("it is there");
        assert_eq!(lines[at + 1..at + 3], ["> /home/a/Work", "> /b"]);
    }

    #[test]
    fn recent_files_lead_to_where_they_lie() {
        let long = format!("/home/a/Work/{}.pdf", "x".repeat(200));
        let recent = vec![
            "/home/a/Work/Taxes/2026.ods".into(),
            "/home/a/Work/line\nbreak".into(),
            "/home/a/Work/\u{202E}fdp.exe".into(),
            long.into(),
        ];
        let items = menu(&scene(Link::Live(Box::new(Live { recent, ..live(checked()) }))));
        let submenu = items.iter().find_map(|item| match item {
            Item::Submenu { label, items } if label == "Recent files" => Some(items),
            _ => None,
        });
        let directory = |path: &str| Action::OpenDirectory(path.into());
        let expected = [
            click("2026.ods", directory("/home/a/Work/Taxes")),
            click("line�break", directory("/home/a/Work")),
            click("�fdp.exe", directory("/home/a/Work")),
            click(&format!("{}…{}.pdf", "x".repeat(30), "x".repeat(26)), directory("/home/a/Work")),
        ];
        assert_eq!(submenu.expect("it is there"), &expected);
    }

    #[test]
    fn trouble_stands_below_the_status() {
        let mut scene = scene(Link::NotRunning);
        scene.failed(Trouble { text: "The daemon ended at once".into(), is_of_connection: false });
        assert_eq!(drawn(&menu(&scene))[..2], ["[Not running]", "[The daemon ended at once]"]);
    }
}
