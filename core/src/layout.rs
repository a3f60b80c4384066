//! Where each object shows in the work folder (engine rules 11 and 12).
//!
//! A pure function of the objects and of how the file system compares names, and never written to the store:
//! every device that has the same objects shows the same tree.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::ids::FileId;
use crate::plan::Place;
use crate::suffix::{Detail, suffixed};
use crate::tree::{Content, Folding, Kind, Name, Object};

/// Positions of objects by their ids.
pub(crate) type Index = HashMap<FileId, u32>;

/// The position that stands for the folder's root.
pub(crate) const ROOT: u32 = u32::MAX;
/// The position that stands for "nowhere".
pub(crate) const NONE: u32 = u32::MAX - 1;

/// Where objects show. Made by [`layout`].
#[derive(Debug)]
pub struct Layout {
    root: FileId,
    ids: Vec<FileId>,
    index: Index,
    positions: Positions,
}

/// Lays out `objects`, tombstones among them: a tombstoned directory shows as long as something alive lies in it.
/// Names compare as `folding` says. Of two objects with the same id the first counts.
#[must_use]
pub fn layout<'a>(objects: impl IntoIterator<Item = &'a Object>, root: FileId, folding: Folding) -> Layout {
    let mut index = Index::new();
    let mut kept: Vec<Option<&Object>> = Vec::new();
    for object in objects {
        index.entry(object.id).or_insert_with(|| {
            kept.push(Some(object));
            position(kept.len() - 1)
        });
    }
    let positions = Positions::new(&kept, &index, root, folding);
    let ids = kept.iter().flatten().map(|object| object.id).collect();
    Layout { root, ids, index, positions }
}

impl Layout {
    /// Where `id` shows; `None` if it does not, and for a directory that shows as part of another.
    #[must_use]
    pub fn place(&self, id: FileId) -> Option<Place> {
        let at = *self.index.get(&id)?;
        let name = self.positions.name(at)?.clone();
        Some(Place { parent: self.id(self.positions.parent(at))?, name })
    }

    /// The directory as which `id` shows: itself, or the one with the smallest id of those that show as one.
    #[must_use]
    pub fn representative(&self, id: FileId) -> Option<FileId> {
        if id == self.root {
            return Some(id);
        }
        self.id(self.positions.representative(*self.index.get(&id)?))
    }

    /// What shows as `name` in the directory `parent`.
    #[must_use]
    pub fn child(&self, parent: FileId, name: &Name) -> Option<FileId> {
        let at = if parent == self.root { ROOT } else { *self.index.get(&parent)? };
        self.id(self.positions.child(at, name)?)
    }

    /// The path below the root, components joined by `/`.
    #[must_use]
    pub fn path(&self, id: FileId) -> Option<String> {
        let mut at = self.positions.representative(*self.index.get(&id)?);
        let mut components = Vec::new();
        while at != ROOT {
            components.push(self.positions.name(at)?.as_str());
            at = self.positions.parent(at);
        }
        components.reverse();
        Some(components.join("/"))
    }

    /// Everything that shows, parents before children; directories that show as part of another are left out.
    pub fn shown(&self) -> impl Iterator<Item = FileId> + '_ {
        self.positions.order.iter().map(|&at| self.ids[at as usize])
    }

    /// Objects that do not show because the directory that holds them is not there.
    pub fn waiting(&self) -> impl Iterator<Item = FileId> + '_ {
        self.ids.iter().enumerate().filter(|&(at, _)| self.positions.waits(position(at))).map(|(_, &id)| id)
    }

    fn id(&self, at: u32) -> Option<FileId> {
        if at == ROOT { Some(self.root) } else { self.ids.get(at as usize).copied() }
    }
}

pub(crate) fn position(at: usize) -> u32 {
    u32::try_from(at)
        .ok()
        .filter(|&at| at < NONE - 1)
        .expect("a folder holds fewer than four milliards of objects")
}

/// The name under which `object` shows where another has its own.
pub(crate) fn clash_name(object: &Object, detail: Detail) -> Name {
    suffixed(&object.name, &object.author, object.created, object.id, detail)
}

/// A layout by positions, for those who count their objects anyway.
#[derive(Debug)]
pub(crate) struct Positions {
    folding: Folding,
    spots: Vec<Spot>,
    children: HashMap<(u32, Name), u32>,
    /// What shows, parents before children.
    pub(crate) order: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Spot {
    /// What shows as the directory that holds this one; [`NONE`] where this does not show.
    parent: u32,
    /// What this shows as: itself, or the directory that it is merged into.
    representative: u32,
    /// The name shown; `None` where nothing shows under this id.
    name: Option<Name>,
    /// Alive, but the directory that holds it is not there.
    waits: bool,
}

impl Positions {
    /// Lays out those of `objects` that are there; `index` has the positions of all of them.
    pub(crate) fn new(objects: &[Option<&Object>], index: &Index, root: FileId, folding: Folding) -> Self {
        let parents = parents(objects, index, root);
        let alive = alive(objects, &parents);
        let (parents, waits) = rooted(objects, parents, &alive);
        let spots = waits
            .iter()
            .zip(0u32..)
            .map(|(&waits, at)| Spot { parent: NONE, representative: at, name: None, waits })
            .collect();
        let children = HashMap::with_capacity(objects.len());
        let mut made = Self { folding, spots, children, order: Vec::with_capacity(objects.len()) };
        made.place_all(objects, &Families::new(&parents, &alive, &waits));
        made
    }

    pub(crate) fn name(&self, at: u32) -> Option<&Name> {
        self.spots.get(at as usize)?.name.as_ref()
    }

    /// Whether something shows under this very position.
    pub(crate) fn shows(&self, at: u32) -> bool {
        self.name(at).is_some()
    }

    pub(crate) fn parent(&self, at: u32) -> u32 {
        self.spots.get(at as usize).map_or(NONE, |spot| spot.parent)
    }

    pub(crate) fn representative(&self, at: u32) -> u32 {
        self.spots.get(at as usize).map_or(at, |spot| spot.representative)
    }

    pub(crate) fn waits(&self, at: u32) -> bool {
        self.spots.get(at as usize).is_some_and(|spot| spot.waits)
    }

    /// What shows as `name` in what `parent` shows as.
    pub(crate) fn child(&self, parent: u32, name: &Name) -> Option<u32> {
        self.children.get(&(self.representative(parent), name.folded(self.folding))).copied()
    }

    fn place_all(&mut self, objects: &[Option<&Object>], families: &Families) {
        let mut groups = vec![vec![ROOT]];
        let mut next = 0;
        while let Some(group) = groups.get_mut(next) {
            let group = std::mem::take(group);
            next += 1;
            self.place_children(objects, families, &group, &mut groups);
        }
    }

    /// Places what lies in the directories of `group`, which show as the first of them.
    fn place_children(
        &mut self,
        objects: &[Option<&Object>],
        families: &Families,
        group: &[u32],
        groups: &mut Vec<Vec<u32>>,
    ) {
        let parent = group[0];
        let mut clashes: HashMap<Name, Vec<u32>> = HashMap::new();
        for &member in group {
            for &child in families.of(member) {
                let Some(object) = objects[child as usize] else { continue };
                let key = object.name.folded(self.folding);
                let first = *self.children.entry((parent, key.clone())).or_insert(child);
                if first != child {
                    clashes.entry(key).or_insert_with(|| vec![first]).push(child);
                }
                self.spots[child as usize].parent = parent;
            }
        }
        let merged = self.settle(objects, parent, clashes, groups);
        for &child in group.iter().flat_map(|&member| families.of(member)) {
            let Some(object) = objects[child as usize] else { continue };
            let spot = &mut self.spots[child as usize];
            if spot.representative != child || spot.waits {
                continue;
            }
            spot.name.get_or_insert_with(|| object.name.clone());
            self.order.push(child);
            if object.content.kind() == Kind::Directory && !merged.contains(&child) {
                groups.push(vec![child]);
            }
        }
    }

    /// Merges directories of one name, lets one object keep it, and gives the others a suffix. Returns the directories
    /// that others were merged into; those groups are in the queue already.
    fn settle(
        &mut self,
        objects: &[Option<&Object>],
        parent: u32,
        clashes: HashMap<Name, Vec<u32>>,
        groups: &mut Vec<Vec<u32>>,
    ) -> HashSet<u32> {
        let id = |at: u32| objects[at as usize].map(|object| object.id);
        let mut merged = HashSet::new();
        let mut losers = Vec::new();
        for (key, mut rivals) in clashes {
            rivals.sort_unstable_by_key(|&at| id(at));
            let is_directory =
                |&at: &u32| objects[at as usize].is_some_and(|o| o.content.kind() == Kind::Directory);
            let (directories, others): (Vec<u32>, Vec<u32>) = rivals.iter().partition(|&at| is_directory(at));
            let keeper = *directories.first().unwrap_or(&rivals[0]);
            self.children.insert((parent, key), keeper);
            losers.extend(others.into_iter().filter(|&at| at != keeper));
            if !directories.is_empty() {
                for &member in &directories {
                    self.spots[member as usize].representative = keeper;
                }
                merged.insert(keeper);
                groups.push(directories);
            }
        }
        losers.sort_unstable_by_key(|&at| id(at));
        for at in losers {
            if let Some(object) = objects[at as usize] {
                self.give_suffix(parent, at, object);
            }
        }
        merged
    }

    fn give_suffix(&mut self, parent: u32, at: u32, object: &Object) {
        for detail in Detail::ALL {
            let name = clash_name(object, detail);
            let key = (parent, name.folded(self.folding));
            if let Entry::Vacant(free) = self.children.entry(key) {
                free.insert(at);
                self.spots[at as usize].name = Some(name);
                return;
            }
        }
        // Somebody has given another object this one's full id as a name. It waits until that one goes.
        self.spots[at as usize].waits = true;
    }
}

/// For each object the position of the directory that holds it; [`NONE`] where that is not there.
fn parents(objects: &[Option<&Object>], index: &Index, root: FileId) -> Vec<u32> {
    let parent_of = |object: &Object| {
        if object.parent == root {
            return ROOT;
        }
        index
            .get(&object.parent)
            .copied()
            .filter(|&p| {
                objects
                    .get(p as usize)
                    .copied()
                    .flatten()
                    .is_some_and(|o| o.content.kind() == Kind::Directory)
            })
            .unwrap_or(NONE)
    };
    objects.iter().map(|object| object.map_or(NONE, parent_of)).collect()
}

/// Which objects live: those that are no tombstones, and the directories that hold them (rule 11).
fn alive(objects: &[Option<&Object>], parents: &[u32]) -> Vec<bool> {
    let lives = |at: usize| objects[at].is_some_and(|o| !matches!(o.content, Content::Tombstone { .. }));
    let mut alive: Vec<bool> = (0..objects.len()).map(lives).collect();
    for at in 0..objects.len() {
        if !lives(at) {
            continue;
        }
        let mut up = parents[at];
        while up < NONE && !alive[up as usize] {
            alive[up as usize] = true;
            up = parents[up as usize];
        }
    }
    alive
}

/// Breaks cycles by showing the smallest id of each at the root, and finds what waits for a directory.
fn rooted(objects: &[Option<&Object>], mut parents: Vec<u32>, alive: &[bool]) -> (Vec<u32>, Vec<bool>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        OnPath,
        Rooted,
        Waits,
    }
    let mut marks = vec![Mark::Unseen; objects.len()];
    let mut path = Vec::new();
    for start in 0..objects.len() {
        let mut at = position(start);
        let verdict = loop {
            match at {
                ROOT => break Mark::Rooted,
                NONE => break Mark::Waits,
                _ => {}
            }
            match marks[at as usize] {
                Mark::Unseen => {
                    marks[at as usize] = Mark::OnPath;
                    path.push(at);
                    at = parents[at as usize];
                }
                Mark::OnPath => {
                    let turn = path.iter().position(|&p| p == at).unwrap_or(0);
                    let smallest = path[turn..].iter().min_by_key(|&&p| objects[p as usize].map(|o| o.id));
                    if let Some(&smallest) = smallest {
                        parents[smallest as usize] = ROOT;
                    }
                    break Mark::Rooted;
                }
                seen => break seen,
            }
        };
        for at in path.drain(..) {
            marks[at as usize] = verdict;
        }
    }
    let waits = (0..objects.len()).map(|at| alive[at] && marks[at] == Mark::Waits).collect();
    (parents, waits)
}

/// Who lies in which directory: positions sorted by the directory's, and where each directory's begin.
struct Families {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Families {
    fn new(parents: &[u32], alive: &[bool], waits: &[bool]) -> Self {
        let bucket = |parent: u32| if parent == ROOT { parents.len() } else { parent as usize };
        let belongs = |at: usize| alive[at] && !waits[at] && parents[at] != NONE;
        let mut starts = vec![0u32; parents.len() + 2];
        for at in (0..parents.len()).filter(|&at| belongs(at)) {
            starts[bucket(parents[at]) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; *starts.last().unwrap_or(&0) as usize];
        for at in (0..parents.len()).filter(|&at| belongs(at)) {
            let slot = &mut next[bucket(parents[at])];
            members[*slot as usize] = position(at);
            *slot += 1;
        }
        Self { starts, members }
    }

    fn of(&self, directory: u32) -> &[u32] {
        let bucket = if directory == ROOT { self.starts.len() - 2 } else { directory as usize };
        &self.members[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Dot};
    use crate::ids::DeviceId;
    use crate::time::Timestamp;

    const TOP: FileId = FileId::new([0xFF; 16]);

    fn id(n: u8) -> FileId {
        FileId::new([n; 16])
    }

    fn object(n: u8, parent: FileId, name: &str, content: Content) -> Object {
        let dot = Dot { counter: 1, device: DeviceId::new([1; 16]) };
        let time = Timestamp::from_parts(0, 0);
        Object {
            id: id(n),
            parent,
            name: Name::new(name).unwrap(),
            content,
            modified: time,
            created: time,
            description: None,
            clock: Clock::new().with(dot),
            content_dot: dot,
            place_dot: dot,
            author: format!("user{n}").into(),
        }
    }

    fn file(n: u8, parent: FileId, name: &str) -> Object {
        object(n, parent, name, Content::File { size: 0, digest: None, executable: false })
    }

    fn directory(n: u8, parent: FileId, name: &str) -> Object {
        object(n, parent, name, Content::Directory)
    }

    fn gone(n: u8, parent: FileId, name: &str) -> Object {
        object(n, parent, name, Content::Tombstone { was: Kind::Directory, size: 0, digest: None })
    }

    /// Every path, the same whatever the order of the objects.
    fn paths(objects: &[Object], folding: Folding) -> Vec<String> {
        let show = |layout: &Layout| {
            let mut paths: Vec<_> = layout.shown().filter_map(|id| layout.path(id)).collect();
            paths.sort();
            paths
        };
        let forwards = show(&layout(objects, TOP, folding));
        assert_eq!(show(&layout(objects.iter().rev(), TOP, folding)), forwards);
        forwards
    }

    #[test]
    fn rule_12_directories_of_one_name_show_as_one() {
        let objects =
            [directory(2, TOP, "d"), directory(1, TOP, "d"), file(3, id(1), "x"), file(4, id(2), "y")];
        assert_eq!(paths(&objects, Folding::Exact), ["d", "d/x", "d/y"]);
        let layout = layout(&objects, TOP, Folding::Exact);
        assert_eq!(layout.representative(id(2)), Some(id(1)));
        assert_eq!(layout.child(id(2), &Name::new("x").unwrap()), Some(id(3)));
        assert_eq!((layout.place(id(2)), layout.place(id(4)).unwrap().parent), (None, id(1)));
    }

    #[test]
    fn rule_12_of_files_the_smallest_id_keeps_the_name_and_a_directory_before_any() {
        let mut objects = vec![file(2, TOP, "f.txt"), file(1, TOP, "f.txt"), file(3, TOP, "f.txt")];
        let suffixed = |n: u8| format!("f (user{n}, 1970-01-01 00.00.00).txt");
        assert_eq!(paths(&objects, Folding::Exact), [suffixed(2), suffixed(3), "f.txt".into()]);
        objects.push(directory(9, TOP, "f.txt"));
        assert_eq!(paths(&objects, Folding::Exact), [suffixed(1), suffixed(2), suffixed(3), "f.txt".into()]);
        assert_eq!(layout(&objects, TOP, Folding::Exact).place(id(9)).unwrap().name.as_str(), "f.txt");
    }

    #[test]
    fn rule_12_a_suffix_that_is_taken_gets_the_id_as_well() {
        let taken = "f (user2, 1970-01-01 00.00.00)";
        let objects = [file(1, TOP, "f"), file(2, TOP, "f"), file(3, TOP, taken)];
        assert_eq!(paths(&objects, Folding::Exact), ["f", taken, "f (user2, 1970-01-01 00.00.00, 02020202)"]);
    }

    #[test]
    fn rule_08_names_compare_as_the_file_system_folds_them() {
        let composed = "caf\u{e9}";
        let decomposed = "cafe\u{301}";
        for (a, b, folding, clash) in [
            ("a", "A", Folding::Exact, false),
            ("a", "A", Folding::CaseInsensitive, true),
            (composed, decomposed, Folding::Exact, false),
            (composed, decomposed, Folding::Normalised, true),
        ] {
            let layout = layout(&[file(1, TOP, a), file(2, TOP, b)], TOP, folding);
            let is_own = layout.place(id(2)).unwrap().name.as_str() == b;
            assert_eq!(!is_own, clash, "{a} {b} {folding:?}");
        }
    }

    #[test]
    fn rule_12_a_cycle_shows_its_smallest_id_at_the_root() {
        let objects = [
            directory(3, id(2), "c"),
            directory(2, id(1), "b"),
            directory(1, id(3), "a"),
            file(4, id(3), "f"),
        ];
        assert_eq!(paths(&objects, Folding::Exact), ["a", "a/b", "a/b/c", "a/b/c/f"]);
        assert_eq!(paths(&[directory(1, id(1), "a")], Folding::Exact), ["a"]);
    }

    #[test]
    fn rule_12_what_has_no_directory_waits() {
        let objects = [file(1, id(9), "f"), directory(2, id(1), "in a file"), file(3, id(2), "g")];
        let layout = layout(&objects, TOP, Folding::Exact);
        assert_eq!(layout.waiting().collect::<Vec<_>>(), [id(1), id(2), id(3)]);
        assert_eq!(layout.shown().count(), 0);
    }

    #[test]
    fn rule_11_a_deleted_directory_lives_while_something_lives_in_it() {
        let objects = [gone(1, TOP, "a"), gone(2, id(1), "b"), file(3, id(2), "f"), gone(4, id(2), "empty")];
        assert_eq!(paths(&objects, Folding::Exact), ["a", "a/b", "a/b/f"]);
        assert_eq!(paths(&objects[..2], Folding::Exact), [""; 0]);
    }
}
