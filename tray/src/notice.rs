//! What is worth a notification: a pure function of what was told before and what there is now.

use std::collections::{BTreeMap, HashSet};

use ensafer_client::screen::Screen;
use ensafer_core::api::local::{ConflictReport, ProblemReport};
use ensafer_core::ids::FolderId;
use ensafer_core::plan::ProblemClass;
use ensafer_core::status::{AccountNoticeKind, State, Status};

use crate::action::Action;

/// Names of files are cut to as many characters.
const MAX_NAME_CHARS: usize = 60;

/// What notifications are about. There is one of a kind at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A brake holds.
    Brake,
    /// The keys are locked while there are folders.
    Locked,
    /// The daemon has ended, and nobody has told it to.
    Ended,
    /// The account needs somebody.
    Account,
    /// Files need attention.
    Problems,
    /// Files were kept twice.
    Conflicts,
    /// Somebody shares a folder that is not synced here.
    Shared,
}

impl Kind {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::Brake,
        Self::Locked,
        Self::Ended,
        Self::Account,
        Self::Problems,
        Self::Conflicts,
        Self::Shared,
    ];

    /// What its first button says and does.
    #[must_use]
    pub const fn button(self) -> (&'static str, Action) {
        match self {
            Self::Locked => ("Enter the password…", Action::Open),
            Self::Ended => ("Start", Action::Start),
            Self::Brake => ("Open", Action::Open),
            Self::Account => ("Open", Action::Show(Screen::Settings)),
            Self::Problems => ("Open", Action::Show(Screen::Problems)),
            Self::Conflicts => ("Open", Action::Show(Screen::Conflicts)),
            Self::Shared => ("Open", Action::Show(Screen::Add)),
        }
    }

    /// Whether it should stay until somebody has seen it.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Brake)
    }
}

/// Something that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thing {
    /// What it is recognised by.
    key: String,
    /// The folder that it is about, if it is about one.
    folder: Option<FolderId>,
    /// The file's, folder's or person's name, where it has one.
    name: Option<String>,
    /// What is the matter, in a sentence.
    what: String,
}

/// Everything that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    things: BTreeMap<Kind, Vec<Thing>>,
    folders: BTreeMap<FolderId, bool>,
}

impl Picture {
    /// Of what a daemon says.
    #[must_use]
    pub fn of(status: &Status, problems: &[ProblemReport], conflicts: &[ConflictReport]) -> Self {
        let folders = || status.folders.iter();
        let braked = folders().filter(|folder| folder.brake.is_some());
        let locked = folders().find(|folder| folder.state == State::Locked);
        let shared = status.shared_with_me.iter();
        let things = BTreeMap::from([
            (
                Kind::Brake,
                braked.map(|it| thing(it.folder.to_string(), None, "").of_folder(it.folder)).collect(),
            ),
            (Kind::Locked, locked.map(|_| thing(String::new(), None, "")).into_iter().collect()),
            (Kind::Account, account(status)),
            (Kind::Problems, problems.iter().filter_map(of_problem).collect()),
            (Kind::Conflicts, conflicts.iter().map(of_conflict).collect()),
            (
                Kind::Shared,
                shared.map(|it| thing(it.encrypted.clone(), Some(it.owner.clone()), "")).collect(),
            ),
        ]);
        let folders = folders().map(|folder| (folder.folder, folder.last_checked.is_some())).collect();
        Self { things, folders }
    }

    /// Of a daemon that has ended: what it said last, as long as nobody knows better, and that it has ended if nobody has
    /// told it to. That holds until another one runs.
    #[must_use]
    pub fn ended(mut self, unexpectedly: bool) -> Self {
        if unexpectedly {
            self.things.insert(Kind::Ended, vec![thing(String::new(), None, "")]);
        }
        self
    }

    /// The folders, and whether the daemon has looked at each as a whole: what is wrong in it is known then.
    pub fn folders(&self) -> impl Iterator<Item = (FolderId, bool)> + use<> {
        self.folders.clone().into_iter()
    }

    /// Takes in what `other` has of these kinds in `folder`, beside its own.
    pub fn add(&mut self, kinds: &[Kind], folder: FolderId, other: &Self) {
        for kind in kinds {
            let known = self.keys(*kind);
            let is_more = |it: &&Thing| it.folder == Some(folder) && !known.contains(&*it.key);
            let more: Vec<Thing> = other.of_kind(*kind).iter().filter(is_more).cloned().collect();
            self.things.entry(*kind).or_default().extend(more);
        }
    }

    /// Leaves out what it has of these kinds in `folder`.
    pub fn remove(&mut self, kinds: &[Kind], folder: FolderId) {
        for kind in kinds {
            self.things.entry(*kind).or_default().retain(|it| it.folder != Some(folder));
        }
    }

    /// Leaves out what `other` has as well.
    pub fn subtract(&mut self, other: &Self) {
        for (kind, things) in &mut self.things {
            let known = other.keys(*kind);
            things.retain(|it| !known.contains(&*it.key));
        }
    }

    /// This one, with what `other` has of these kinds.
    #[must_use]
    pub fn with(mut self, kinds: &[Kind], other: &Self) -> Self {
        for kind in kinds {
            self.things.insert(*kind, other.of_kind(*kind).to_vec());
        }
        self
    }

    fn of_kind(&self, kind: Kind) -> &[Thing] {
        self.things.get(&kind).map_or(&[], Vec::as_slice)
    }

    fn keys(&self, kind: Kind) -> HashSet<&str> {
        self.of_kind(kind).iter().map(|it| &*it.key).collect()
    }
}

impl Thing {
    fn of_folder(self, folder: FolderId) -> Self {
        Self { folder: Some(folder), ..self }
    }
}

fn thing(key: String, name: Option<String>, what: &str) -> Thing {
    Thing { key, folder: None, name, what: what.to_owned() }
}

/// That no account is set up is what the menu is for.
fn account(status: &Status) -> Vec<Thing> {
    let notices = status.account.iter().filter(|notice| notice.kind != AccountNoticeKind::NotSetUp);
    notices.map(|notice| thing(notice.text.clone(), None, &notice.text)).collect()
}

/// What is still on its way needs nobody.
fn of_problem(problem: &ProblemReport) -> Option<Thing> {
    let ProblemReport { class, folder, path, what, .. } = problem;
    let name = path.as_ref().filter(|path| !path.is_empty());
    let key = format!("{folder} {class:?} {}", problem.subject());
    (*class != ProblemClass::StillArriving).then(|| thing(key, name.cloned(), what).of_folder(*folder))
}

fn of_conflict(conflict: &ConflictReport) -> Thing {
    let shown = conflict.original.as_ref().unwrap_or(&conflict.copy);
    let name = shown.path.rsplit('/').next().unwrap_or_default();
    let key = format!("{} {}", conflict.folder, conflict.conflict);
    thing(key, Some(name.to_owned()), "").of_folder(conflict.folder)
}

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about; it takes the place of an earlier one of its kind.
    pub kind: Kind,
    /// A line.
    pub summary: String,
    /// A sentence or two, as plain text.
    pub body: String,
}

/// What becomes of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is something new.
    Tell(Notice),
    /// Nothing of this kind is left.
    Close(Kind),
}

impl Change {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tell(notice) => notice.kind,
            Self::Close(kind) => *kind,
        }
    }
}

/// What is to be told, and what no more, after `before` was told and while things are as in `after`. A kind with anything new
/// is told as a whole: how much there is of it, and the first that is new by name.
#[must_use]
pub fn notices(before: &Picture, after: &Picture) -> Vec<Change> {
    let change = |kind: Kind| {
        let (told, now) = (before.keys(kind), after.of_kind(kind));
        let is_new = |thing: &&Thing| !told.contains(&*thing.key);
        match now.iter().find(is_new) {
            Some(first) => Some(Change::Tell(notice(kind, first, now.len()))),
            None if now.is_empty() && !told.is_empty() => Some(Change::Close(kind)),
            None => None,
        }
    };
    Kind::ALL.into_iter().filter_map(change).collect()
}

fn notice(kind: Kind, first: &Thing, count: usize) -> Notice {
    let (summary, body) = match kind {
        Kind::Brake => (
            "Syncing was stopped by the brake".to_owned(),
            "Too much would be deleted or changed at once. Nothing is done before you have looked."
                .to_owned(),
        ),
        Kind::Locked => (
            "Ensafer is locked".to_owned(),
            "Folders do not sync until somebody enters the password.".to_owned(),
        ),
        Kind::Ended => (
            "Ensafer has ended unexpectedly".to_owned(),
            "Folders do not sync until it is started again.".to_owned(),
        ),
        Kind::Account => (
            counted(count, "The account needs your attention", "matters of the account need your attention"),
            plain(&first.what),
        ),
        Kind::Problems => match &first.name {
            Some(name) => (
                counted(count, "A file needs attention", "files need attention"),
                if count == 1 {
                    format!("{}: {}", short(name), plain(&first.what))
                } else {
                    with_others(&short(name), count)
                },
            ),
            // It is about a folder, or about an encrypted file that nobody can name.
            None => {
                (counted(count, "A problem needs attention", "problems need attention"), plain(&first.what))
            }
        },
        Kind::Conflicts => {
            let name = short(first.name.as_deref().unwrap_or_default());
            let body = with_others(&name, count);
            (
                counted(count, "A file was kept twice", "files were kept twice"),
                format!("{body}: changed here and elsewhere at the same time."),
            )
        }
        Kind::Shared => {
            let owner = short(first.name.as_deref().unwrap_or_default());
            let body = if count == 1 {
                format!("It says that it is from {owner}. It is not synced on this computer.")
            } else {
                format!("One says that it is from {owner}. They are not synced on this computer.")
            };
            (counted(count, "A folder is shared with you", "folders are shared with you"), body)
        }
    };
    Notice { kind, summary, body }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{count} {many}") }
}

fn with_others(first: &str, count: usize) -> String {
    match count {
        1 => first.to_owned(),
        2 => format!("{first} and another"),
        _ => format!("{first} and {} others", count - 1),
    }
}

/// A name that somebody else may have given: nothing that acts on the text around it, and not too long. The end tells
/// more than the middle.
pub(crate) fn short(name: &str) -> String {
    let name = plain(name);
    let count = name.chars().count();
    if count <= MAX_NAME_CHARS {
        return name;
    }
    let half = MAX_NAME_CHARS / 2;
    let (head, tail) = (name.chars().take(half), name.chars().skip(count - half));
    head.chain(['…']).chain(tail).collect()
}

/// Without control characters, separators of lines, and what turns the direction of text (UAX #9).
pub(crate) fn plain(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if acts(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use ensafer_core::api::local::{ShownFile, Standing};
    use ensafer_core::ids::FileId;
    use ensafer_core::plan::{Problem, Subject};
    use ensafer_core::safety::{Brake, BrakeKind};
    use ensafer_core::status::{AccountNotice, Event, SharedWithMe, Side};
    use ensafer_core::time::Timestamp;
    use ensafer_core::tree::StoreKey;

    use super::*;
    use crate::scene::tests::live;

    pub(crate) const FOLDER: FolderId = FolderId::new([7; 16]);

    fn problem(folder: FolderId, path: &str) -> ProblemReport {
        let problem = Problem {
            class: ProblemClass::BadName,
            subject: Subject::Path(path.into()),
            detail: String::new(),
        };
        ProblemReport::new(&problem, folder, Timestamp::from_parts(0, 0))
    }

    /// Folders, whether each was looked at as a whole, and what is wrong in it.
    pub(crate) fn of_folders(folders: &[(FolderId, bool, &[&str])]) -> Picture {
        let of_folder = |(folder, _, paths): &(FolderId, bool, &[&str])| {
            paths.iter().map(|path| problem(*folder, path)).collect::<Vec<_>>()
        };
        let problems: Vec<_> = folders.iter().flat_map(of_folder).collect();
        let folders = folders.iter().map(|(folder, is_checked, _)| (*folder, *is_checked)).collect();
        Picture { folders, ..Picture::of(&Status::of(Vec::new()), &problems, &[]) }
    }

    /// As many problems that have no path, and these that have one.
    fn with_nameless(count: u8, paths: &[&str]) -> Picture {
        let nameless = (0..count).map(|number| Problem {
            class: ProblemClass::Damaged,
            subject: Subject::Object(StoreKey(format!("{number}.ensafer").into())),
            detail: String::new(),
        });
        let nameless =
            nameless.map(|problem| ProblemReport::new(&problem, FOLDER, Timestamp::from_parts(0, 0)));
        let all: Vec<_> = nameless.chain(paths.iter().map(|path| problem(FOLDER, path))).collect();
        Picture::of(&Status::of(Vec::new()), &all, &[])
    }

    pub(crate) fn with_problems(paths: &[&str]) -> Picture {
        of_folders(&[(FOLDER, true, paths)])
    }

    fn conflict(number: u8) -> ConflictReport {
        let shown =
            |path: &str| ShownFile { path: path.into(), size_bytes: 0, modified: String::new(), here: true };
        ConflictReport {
            folder: FOLDER,
            conflict: FileId::new([number; 16]),
            original: Some(shown("/home/a/Work/tax.ods")),
            copy: shown("/home/a/Work/tax (conflict).ods"),
            author: None,
            copy_author: None,
        }
    }

    fn with_conflicts(numbers: &[u8]) -> Picture {
        let conflicts: Vec<_> = numbers.iter().map(|number| conflict(*number)).collect();
        Picture::of(&Status::of(Vec::new()), &[], &conflicts)
    }

    fn of_events(events: impl IntoIterator<Item = Event>) -> Picture {
        Picture::of(&live(events).status, &[], &[])
    }

    fn brake(token: &str) -> Event {
        let kind = BrakeKind::LocalDeletions;
        Event::Brake(Some(Brake { kind, token: token.into(), count: 9, of: 10, objects: Vec::new() }))
    }

    fn braked(token: &str) -> Picture {
        of_events([brake(token)])
    }

    fn braked_and(event: Event) -> Picture {
        of_events([brake("1"), event])
    }

    fn with_account(kind: AccountNoticeKind, texts: &[&str]) -> Picture {
        let mut status = Status::of(Vec::new());
        status.account = texts.iter().map(|text| AccountNotice { kind, text: (*text).to_owned() }).collect();
        Picture::of(&status, &[], &[])
    }

    fn shared(owners: &[&str]) -> Picture {
        let mut status = Status::of(Vec::new());
        let folder = |owner: &&str| SharedWithMe {
            encrypted: format!("/cloud/{owner}"),
            owner: (*owner).to_owned(),
            fingerprint: String::new(),
            standing: Standing::Unknown,
        };
        status.shared_with_me = owners.iter().map(folder).collect();
        Picture::of(&status, &[], &[])
    }

    /// The changes as lines: what is told, or `-` and the kind that is closed.
    fn told(before: &Picture, after: &Picture) -> Vec<String> {
        let line = |change: Change| match change {
            Change::Tell(Notice { summary, body, .. }) => format!("{summary} | {body}"),
            Change::Close(kind) => format!("- {kind:?}"),
        };
        notices(before, after).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_new_is_told_once_and_closed_when_it_is_over() {
        let nothing = Picture::default;
        let brake = "Syncing was stopped by the brake | Too much would be deleted or changed at once. Nothing is done \
                     before you have looked.";
        let bad = "The name cannot be used on every computer, or equals another's.";
        let at_the_same_time = "changed here and elsewhere at the same time.";
        let logged_out = || with_account(AccountNoticeKind::LoggedOut, &["Log in again."]);
        let table: Vec<(Picture, Picture, Vec<String>)> = vec![
            (nothing(), nothing(), vec![]),
            (nothing(), braked("1"), vec![brake.into()]),
            // The set behind a brake may grow while it holds.
            (braked("1"), braked("2"), vec![]),
            (braked("1"), of_events([]), vec!["- Brake".into()]),
            // It holds, whatever else is said of the folder.
            (braked("1"), braked_and(Event::Paused(Some("until resumed".into()))), vec![]),
            (braked("1"), braked_and(Event::Stopped(true)), vec![]),
            (braked("1"), braked_and(Event::Unreachable(Side::Work, "not there".into())), vec![]),
            (
                nothing(),
                of_events([Event::Locked(true)]),
                vec!["Ensafer is locked | Folders do not sync until somebody enters the password.".into()],
            ),
            (
                of_events([]),
                of_events([]).ended(true),
                vec!["Ensafer has ended unexpectedly | Folders do not sync until it is started again.".into()],
            ),
            (of_events([]), of_events([]).ended(false), vec![]),
            (of_events([]).ended(true), of_events([]), vec!["- Ended".into()]),
            // Its record is gone: a command has used the home.
            (of_events([]).ended(true), of_events([]).ended(true).ended(false), vec![]),
            // What a daemon that has ended said is not over.
            (braked("1"), braked("1").ended(false), vec![]),
            (nothing(), with_problems(&["a:"]), vec![format!("A file needs attention | a:: {bad}")]),
            (
                with_problems(&["b:"]),
                with_problems(&["a:", "b:"]),
                vec!["2 files need attention | a: and another".into()],
            ),
            (
                nothing(),
                with_problems(&["a:", "b:", "c:"]),
                vec!["3 files need attention | a: and 2 others".into()],
            ),
            (with_problems(&["a:", "b:"]), with_problems(&["b:"]), vec![]),
            (with_problems(&["a:"]), with_problems(&["b:"]), vec![format!("A file needs attention | b:: {bad}")]),
            (with_problems(&["a:"]), with_problems(&[]), vec!["- Problems".into()]),
            (
                nothing(),
                with_conflicts(&[1]),
                vec![format!("A file was kept twice | tax.ods: {at_the_same_time}")],
            ),
            (
                with_conflicts(&[1]),
                with_conflicts(&[1, 2, 3]),
                vec![format!("3 files were kept twice | tax.ods and 2 others: {at_the_same_time}")],
            ),
            (with_conflicts(&[1]), nothing(), vec!["- Conflicts".into()]),
            (nothing(), logged_out(), vec!["The account needs your attention | Log in again.".into()]),
            (logged_out(), nothing(), vec!["- Account".into()]),
            (nothing(), with_account(AccountNoticeKind::NotSetUp, &["Set it up."]), vec![]),
            (
                nothing(),
                shared(&["bob@example.com"]),
                vec!["A folder is shared with you | It says that it is from bob@example.com. It is not synced on this \
                      computer."
                    .into()],
            ),
            (
                shared(&["bob@example.com"]),
                shared(&["bob@example.com", "eve@example.com"]),
                vec!["2 folders are shared with you | One says that it is from eve@example.com. They are not synced on \
                      this computer."
                    .into()],
            ),
        ];
        for (before, after, expected) in table {
            assert_eq!(told(&before, &after), expected, "{before:?} → {after:?}");
        }
    }

    #[test]
    fn a_sentence_is_told_as_it_is() {
        let damaged = "The encrypted file is damaged.";
        let logins = ["A laptop logged in.", "A phone logged in."];
        for (picture, summary, body) in [
            (with_nameless(1, &[]), "A problem needs attention", damaged),
            (with_nameless(3, &[]), "3 problems need attention", damaged),
            (with_nameless(1, &["a:"]), "2 problems need attention", damaged),
            (
                with_account(AccountNoticeKind::NewDevice, &logins),
                "2 matters of the account need your attention",
                logins[0],
            ),
        ] {
            assert_eq!(told(&Picture::default(), &picture), [format!("{summary} | {body}")]);
        }
    }

    #[test]
    fn what_still_arrives_is_nobodys_business() {
        let arriving = ProblemReport { class: ProblemClass::StillArriving, ..problem(FOLDER, "a") };
        let picture = Picture::of(&Status::of(Vec::new()), &[arriving], &[]);
        assert_eq!(told(&Picture::default(), &picture), Vec::<String>::new());
    }

    #[test]
    fn names_are_short_and_do_nothing_to_the_text_around_them() {
        assert_eq!(short("a\nb\u{202E}c"), "a\u{FFFD}b\u{FFFD}c");
        let long = format!("{}.pdf", "x".repeat(200));
        assert_eq!(short(&long).chars().count(), MAX_NAME_CHARS + 1);
        assert!(short(&long).ends_with("x.pdf"));
    }
}
