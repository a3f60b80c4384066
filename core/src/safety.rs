//! Vetoes plans that look like a catastrophe rather than like work (engine rule 15).
//!
//! Pure: what happened in the last ten minutes comes in and goes out as a [`History`], so that many small plans add
//! up. A brake stops one folder. The user's "go on" names the brake's token, which is a hash of exactly the objects
//! that were listed: anything more trips it again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::FileId;
use crate::plan::{Change, Plan, WorkChange};
use crate::time::Timestamp;
use crate::tree::{Content, Kind, Object};

/// How far back things are counted.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Fewer files than this never trip a brake that compares with the whole folder.
const FEW_FILES: usize = 20;
/// So many deletions need an explanation: few removed directories, or live events.
const MANY_DELETIONS: usize = 1_000;
/// Removed directories that explain any number of deletions below them.
const FEW_DIRECTORIES: usize = 3;
/// More new conflicts than this within the window trip the brake.
const MANY_CONFLICTS: usize = 50;
/// Changed files from which on the share of incompressible ones counts.
const MANY_SCRAMBLED: usize = 50;

/// Why a brake was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrakeKind {
    /// The work folder is empty, is another directory, or lost its marker.
    RootGone,
    /// Too much was deleted in the work folder.
    LocalDeletions,
    /// Too much was deleted on other devices.
    RemoteDeletions,
    /// Too much would be written back into the encrypted folder.
    PutBack,
    /// Too many conflicts.
    Conflicts,
    /// Too many files turned into noise.
    Scrambled,
}

impl BrakeKind {
    /// Every kind, in the order in which they are looked for.
    pub const ALL: [Self; 6] = [
        Self::RootGone,
        Self::LocalDeletions,
        Self::RemoteDeletions,
        Self::PutBack,
        Self::Conflicts,
        Self::Scrambled,
    ];
}

/// What holds a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Brake {
    /// Why.
    pub kind: BrakeKind,
    /// Number of objects that it is about.
    pub count: u64,
    /// Number of files in the folder.
    pub of: u64,
    /// The objects, sorted.
    pub objects: Vec<FileId>,
    /// Names exactly these objects for this reason: what the user's "go on" has to repeat.
    pub token: String,
}

/// What `safety` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry the plan out.
    Go,
    /// Do nothing, and ask.
    Brake(Brake),
}

/// What is known of the work folder besides the plan.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// The root is empty though base has files, is another directory than before, or its marker is gone.
    pub root_gone: bool,
    /// Files that base has in the work folder.
    pub file_count: u64,
    /// Deletions that live events announced one by one.
    pub announced: HashSet<FileId>,
    /// Objects published again by the policy's leave: put-back and heal.
    pub put_back: HashSet<FileId>,
    /// For changed files whose old and new bytes were looked at: whether they turned incompressible.
    pub scrambled: HashMap<FileId, bool>,
}

/// What happened lately, by object; persisted with the folder's state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct History {
    events: Vec<Happened>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Happened {
    at: Timestamp,
    kind: BrakeKind,
    object: FileId,
    /// Whether it is of the kind that needs an explanation: a deletion without one, a file turned into noise.
    suspect: bool,
    /// The user has said "go on": it counts no more.
    allowed: bool,
}

/// Says whether `plan` may be carried out, and what to remember if it is. A brake leaves the history as it was, but
/// for what is older than [`WINDOW`].
///
/// `allowed` holds the tokens of brakes that the user has released.
#[must_use]
pub fn safety(
    plan: &Plan,
    circumstances: &Circumstances,
    history: &History,
    allowed: &HashSet<String>,
    now: Timestamp,
) -> (Verdict, History) {
    // A clock that was set back makes events of the future. They count, and go when their time has come.
    let recent = history.events.iter().filter(|event| now.since(event.at) < WINDOW);
    let kept = History { events: recent.copied().collect() };
    let planned = planned(plan, circumstances, now);
    if planned.is_empty() && !circumstances.root_gone {
        return (Verdict::Go, kept);
    }
    let mut after = Counts::new(&kept, planned);
    for kind in BrakeKind::ALL {
        if !after.trips(kind, circumstances) {
            continue;
        }
        let brake = after.brake(kind, circumstances);
        if !allowed.contains(&brake.token) {
            return (Verdict::Brake(brake), kept);
        }
        after.allow(kind);
    }
    (Verdict::Go, History { events: after.events })
}

/// What the plan does that a brake is interested in.
fn planned(plan: &Plan, circumstances: &Circumstances, now: Timestamp) -> Vec<Happened> {
    let removed = Removed::new(plan);
    let happened = |kind, object, suspect| Happened { at: now, kind, object, suspect, allowed: false };
    let of_change = |change: &Change| {
        let object = &change.target;
        if change.publish.is_some() && circumstances.put_back.contains(&object.id) {
            return Some(happened(BrakeKind::PutBack, object.id, true));
        }
        match (&object.content, &change.work, &change.publish) {
            (Content::Tombstone { was: Kind::Directory, .. }, ..) => None,
            (Content::Tombstone { .. }, Some(WorkChange::Trash { .. }), _) => {
                Some(happened(BrakeKind::RemoteDeletions, object.id, true))
            }
            (Content::Tombstone { .. }, _, Some(_)) => {
                let explained = circumstances.announced.contains(&object.id) || removed.explain(object);
                Some(happened(BrakeKind::LocalDeletions, object.id, !explained))
            }
            (Content::File { .. }, _, Some(_)) => {
                let scrambled = *circumstances.scrambled.get(&object.id)?;
                Some(happened(BrakeKind::Scrambled, object.id, scrambled))
            }
            _ => None,
        }
    };
    let conflicts = plan.conflicts.iter().map(|conflict| happened(BrakeKind::Conflicts, conflict.copy, true));
    plan.changes.iter().filter_map(of_change).chain(conflicts).collect()
}

/// The directories that a plan removes, each with the topmost removed one that it lies in.
struct Removed {
    parents: HashMap<FileId, FileId>,
    are_few: bool,
}

impl Removed {
    fn new(plan: &Plan) -> Self {
        let is_removed =
            |object: &Object| object.content.is_tombstone() && object.content.kind() == Kind::Directory;
        let targets = plan.changes.iter().map(|change| &change.target);
        let parents: HashMap<FileId, FileId> =
            targets.filter(|o| is_removed(o)).map(|o| (o.id, o.parent)).collect();
        let tops = parents.values().filter(|parent| !parents.contains_key(parent)).count();
        Self { are_few: tops <= FEW_DIRECTORIES, parents }
    }

    fn explain(&self, object: &Object) -> bool {
        self.are_few && self.parents.contains_key(&object.parent)
    }
}

/// Everything within the window, with the plan.
struct Counts {
    events: Vec<Happened>,
    /// Where the plan's begin.
    planned_from: usize,
}

impl Counts {
    fn new(history: &History, planned: Vec<Happened>) -> Self {
        let again: HashSet<(BrakeKind, FileId)> = planned.iter().map(|e| (e.kind, e.object)).collect();
        // A plan that is made again, after a part of it was done, does not count twice; what the user has allowed
        // stays allowed.
        let released: HashSet<(BrakeKind, FileId)> =
            history.events.iter().filter(|e| e.allowed).map(|e| (e.kind, e.object)).collect();
        let mut events: Vec<Happened> =
            history.events.iter().filter(|e| !again.contains(&(e.kind, e.object))).copied().collect();
        let planned_from = events.len();
        events.extend(
            planned.into_iter().map(|e| Happened { allowed: released.contains(&(e.kind, e.object)), ..e }),
        );
        Self { events, planned_from }
    }

    fn counted(&self, kind: BrakeKind) -> impl Iterator<Item = &Happened> {
        self.events.iter().filter(move |event| event.kind == kind && !event.allowed)
    }

    /// Files of the folder when the window began: those that are there, and those deleted since and before this plan.
    /// Deletions that the user has allowed are over and done with: what is left is all there is to lose.
    fn file_count(&self, circumstances: &Circumstances) -> u64 {
        let is_deletion = |e: &&Happened| {
            !e.allowed && matches!(e.kind, BrakeKind::LocalDeletions | BrakeKind::RemoteDeletions)
        };
        circumstances.file_count + self.events[..self.planned_from].iter().filter(is_deletion).count() as u64
    }

    fn trips(&self, kind: BrakeKind, circumstances: &Circumstances) -> bool {
        let count = self.counted(kind).count();
        let suspects = self.counted(kind).filter(|event| event.suspect).count();
        let files = self.file_count(circumstances);
        let more_than_half = count >= FEW_FILES && count as u64 * 2 > files;
        match kind {
            BrakeKind::RootGone => circumstances.root_gone,
            BrakeKind::LocalDeletions => more_than_half || suspects >= MANY_DELETIONS,
            BrakeKind::RemoteDeletions => more_than_half,
            BrakeKind::PutBack => count >= FEW_FILES && count as u64 * 10 > files,
            BrakeKind::Conflicts => count > MANY_CONFLICTS,
            BrakeKind::Scrambled => count >= MANY_SCRAMBLED && suspects * 10 >= count * 8,
        }
    }

    fn brake(&self, kind: BrakeKind, circumstances: &Circumstances) -> Brake {
        let listed = if kind == BrakeKind::RootGone { BrakeKind::LocalDeletions } else { kind };
        let planned = self.events[self.planned_from..].iter();
        let mut objects: Vec<FileId> =
            planned.filter(|e| e.kind == listed && !e.allowed).map(|e| e.object).collect();
        objects.sort_unstable();
        objects.dedup();
        Brake {
            kind,
            count: self.counted(listed).count() as u64,
            of: self.file_count(circumstances),
            token: token(kind, &objects),
            objects,
        }
    }

    fn allow(&mut self, kind: BrakeKind) {
        for event in &mut self.events {
            event.allowed |=
                event.kind == kind || kind == BrakeKind::RootGone && event.kind == BrakeKind::LocalDeletions;
        }
    }
}

/// The first four bytes of BLAKE3 over the kind and the sorted ids, in hex.
fn token(kind: BrakeKind, objects: &[FileId]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]);
    for object in objects {
        hasher.update(object.as_bytes());
    }
    hex::encode(&hasher.finalize().as_bytes()[..4])
}

impl Brake {
    /// A brake as tests of other modules need one.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            kind: BrakeKind::LocalDeletions,
            count: 1,
            of: 1,
            objects: vec![FileId::new([1; 16])],
            token: "00000000".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, Dot};
    use crate::ids::DeviceId;
    use crate::plan::{Conflict, Publish, Source};
    use crate::tree::{Name, NodeId};

    const ROOT: FileId = FileId::new([0xFF; 16]);

    fn id(n: u32) -> FileId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        FileId::new(bytes)
    }

    fn now(seconds: i64) -> Timestamp {
        Timestamp::from_parts(1_000_000 + seconds, 0)
    }

    fn dot() -> Dot {
        Dot { counter: 1, device: DeviceId::new([1; 16]) }
    }

    fn change(n: u32, parent: FileId, content: Content, work: Option<WorkChange>) -> Change {
        let target = Object {
            id: id(n),
            parent,
            name: Name::new("x").unwrap(),
            content,
            modified: now(0),
            created: now(0),
            description: None,
            clock: Clock::new().with(dot()),
            content_dot: dot(),
            place_dot: dot(),
            author: "a".into(),
        };
        let publish = work.is_none().then(|| Publish { source: Source::Empty, replaces: Vec::new() });
        Change { target: Arc::new(target), publish, work, node: None }
    }

    fn tombstone(was: Kind) -> Content {
        Content::Tombstone { was, size: 1, digest: None }
    }

    fn deletions(ids: impl IntoIterator<Item = u32>) -> Plan {
        let changes = ids.into_iter().map(|n| change(n, ROOT, tombstone(Kind::File), None)).collect();
        Plan { changes, ..Plan::default() }
    }

    fn files(file_count: u64) -> Circumstances {
        Circumstances { file_count, ..Circumstances::default() }
    }

    fn judge(plan: &Plan, circumstances: &Circumstances) -> Option<BrakeKind> {
        match safety(plan, circumstances, &History::default(), &HashSet::new(), now(0)).0 {
            Verdict::Go => None,
            Verdict::Brake(brake) => Some(brake.kind),
        }
    }

    #[test]
    fn rule_15_more_than_half_of_the_files_and_at_least_twenty() {
        let local = Some(BrakeKind::LocalDeletions);
        for (deleted, of, expected) in [(19, 19, None), (20, 20, local), (20, 40, None), (21, 40, local)] {
            assert_eq!(judge(&deletions(0..deleted), &files(of)), expected, "{deleted} of {of}");
        }
    }

    #[test]
    fn rule_15_a_thousand_deletions_need_an_explanation() {
        let plan = deletions(0..1_000);
        let mut circumstances = files(100_000);
        assert_eq!(judge(&plan, &circumstances), Some(BrakeKind::LocalDeletions));
        assert_eq!(judge(&deletions(0..999), &circumstances), None);
        circumstances.announced.insert(id(5));
        assert_eq!(judge(&plan, &circumstances), None);

        let below = |directories: u32| {
            let mut plan = Plan::default();
            for n in 0..2_000 {
                let parent = id(10_000 + n % directories);
                plan.changes.push(change(n, parent, tombstone(Kind::File), None));
            }
            for n in 0..directories {
                plan.changes.push(change(10_000 + n, ROOT, tombstone(Kind::Directory), None));
            }
            plan
        };
        assert_eq!(judge(&below(3), &files(100_000)), None);
        assert_eq!(judge(&below(4), &files(100_000)), Some(BrakeKind::LocalDeletions));
    }

    #[test]
    fn rule_15_a_root_that_is_gone() {
        let circumstances = Circumstances { root_gone: true, ..files(100) };
        assert_eq!(judge(&Plan::default(), &circumstances), Some(BrakeKind::RootGone));
    }

    #[test]
    fn rule_15_remote_tombstones_put_back_conflicts_and_noise() {
        let trash = || Some(WorkChange::Trash { node: NodeId(1) });
        let remote = |count: u32| Plan {
            changes: (0..count).map(|n| change(n, ROOT, tombstone(Kind::File), trash())).collect(),
            ..Plan::default()
        };
        assert_eq!(judge(&remote(21), &files(40)), Some(BrakeKind::RemoteDeletions));
        assert_eq!(judge(&remote(20), &files(40)), None);

        let file = || Content::File { size: 1, digest: None, executable: false };
        let written = |count: u32| Plan {
            changes: (0..count).map(|n| change(n, ROOT, file(), None)).collect(),
            ..Plan::default()
        };
        let put_back = Circumstances { put_back: (0..100).map(id).collect(), ..files(200) };
        assert_eq!(judge(&written(21), &put_back), Some(BrakeKind::PutBack));
        assert_eq!(judge(&written(20), &put_back), None);

        let conflicts = |count: u32| Plan {
            conflicts: (0..count).map(|n| Conflict { winner: id(n), copy: id(n), losing: dot() }).collect(),
            ..Plan::default()
        };
        assert_eq!(judge(&conflicts(51), &files(1_000)), Some(BrakeKind::Conflicts));
        assert_eq!(judge(&conflicts(50), &files(1_000)), None);

        let noise = |scrambled: u32, changed: u32| Circumstances {
            scrambled: (0..changed).map(|n| (id(n), n < scrambled)).collect(),
            ..files(1_000)
        };
        assert_eq!(judge(&written(50), &noise(40, 50)), Some(BrakeKind::Scrambled));
        assert_eq!(judge(&written(50), &noise(39, 50)), None);
        assert_eq!(judge(&written(900), &noise(0, 900)), None, "volume alone never");
    }

    #[test]
    fn rule_15_small_plans_add_up_for_ten_minutes() {
        let mut history = History::default();
        let nobody = HashSet::new();
        for round in 0..3 {
            let first = 10 * round;
            let (verdict, after) = safety(
                &deletions(first..first + 10),
                &files(40 - u64::from(first)),
                &history,
                &nobody,
                now(i64::from(round)),
            );
            assert_eq!(verdict == Verdict::Go, round < 2, "round {round}");
            history = after;
        }
        let text = serde_json::to_string(&history).unwrap();
        history = serde_json::from_str(&text).unwrap();
        let later = safety(&deletions(20..30), &files(20), &history, &nobody, now(700));
        assert_eq!(later.0, Verdict::Go);
    }

    #[test]
    fn rule_15_go_on_means_exactly_what_was_listed() {
        let circumstances = files(40);
        let held = safety(&deletions(0..30), &circumstances, &History::default(), &HashSet::new(), now(0));
        let Verdict::Brake(brake) = held.0 else { panic!("no brake") };
        assert_eq!((brake.count, brake.of, brake.objects.len(), brake.token.len()), (30, 40, 30, 8));
        let allowed = HashSet::from([brake.token]);
        let more = safety(&deletions(0..31), &circumstances, &held.1, &allowed, now(1));
        assert!(matches!(more.0, Verdict::Brake(_)));
        let (verdict, history) = safety(&deletions(0..30), &circumstances, &held.1, &allowed, now(1));
        assert_eq!(verdict, Verdict::Go);
        // Afterwards one more deletion is ordinary again, and so is the rest of a plan that was interrupted.
        let next = safety(&deletions(20..31), &files(20), &history, &HashSet::new(), now(2));
        assert_eq!(next.0, Verdict::Go);
    }
}
