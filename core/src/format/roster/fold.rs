//! What a log amounts to: which entries count, and what they make together.
//!
//! Every device that has the same entries comes to the same result, in whatever order it got them:
//!
//! 1. An entry counts only if its signer held the role for it in what the counting entries *before it* (those that it
//!    follows, directly or not) make. The owner, who signed the creating entry, always does.
//!    Whoever is a member may leave: remove themselves. The owner may not.
//! 2. An admin's entry does not count if a counting entry beside it (neither follows the other) removes or demotes
//!    that admin: nobody escapes a removal by pretending not to have seen it. Leaving always counts.
//! 3. Where rule 2 goes round in a circle (admins who remove each other) none of the entries concerned counts, and the
//!    folder is [disputed](RosterState::disputed) until the owner has signed an entry that follows them.
//! 4. Of what was said about one member, or about one group, the entries that no other counting one follows are in
//!    force, and among several the one that grants least: removal beats a concurrent add or raise.
//!
//! Who is in a group, the group's own log says, which is folded by the same rules. It never bears on which entries of the
//! folder count: a group's members read or write, and administer nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entry::{About, EntryHash, FolderLayout, ManifestName, Operation, Role, SignedEntry};
use super::group_logs::{GroupLog, GroupLogs};
use super::log::Log;
use super::state::{ListedGroup, Member, RosterState};
use crate::account::SignedBundle;
use crate::crypto::VerifyingKey;
use crate::ids::GroupId;

/// Whether an entry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Counts,
    Void,
    Unknown,
}

/// For each entry the set of entries that it follows, directly or not.
struct Ancestry {
    words: usize,
    bits: Vec<u64>,
}

impl Ancestry {
    fn new(entries: &[SignedEntry]) -> Self {
        let words = entries.len().div_ceil(64);
        let mut ancestry = Self { words, bits: vec![0; words * entries.len()] };
        let index: HashMap<_, _> = entries.iter().enumerate().map(|(i, e)| (e.hash, i)).collect();
        for (i, entry) in entries.iter().enumerate() {
            for prev in entry.entry.prev.iter().filter_map(|hash| index.get(hash)) {
                let (before, own) = ancestry.bits.split_at_mut(i * words);
                for (own, theirs) in own.iter_mut().zip(&before[prev * words..(prev + 1) * words]) {
                    *own |= theirs;
                }
                own[prev / 64] |= 1 << (prev % 64);
            }
        }
        ancestry
    }

    /// Whether entry `later` follows `earlier`.
    fn follows(&self, later: usize, earlier: usize) -> bool {
        self.bits[later * self.words + earlier / 64] >> (earlier % 64) & 1 == 1
    }

    fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.follows(a, b) && !self.follows(b, a)
    }
}

struct Fold<'a> {
    entries: &'a [SignedEntry],
    ancestry: Ancestry,
    verdicts: Vec<Verdict>,
    owner: VerifyingKey,
    /// Entries by whom they are about.
    about: HashMap<About, Vec<usize>>,
}

/// Folds a log, with those of the groups that it lists.
pub(crate) fn fold(log: &Log, groups: &GroupLogs) -> RosterState {
    let entries = log.entries();
    let mut about: HashMap<_, Vec<_>> = HashMap::new();
    for (i, entry) in entries.iter().enumerate() {
        if let Some(subject) = entry.entry.operation.about() {
            about.entry(subject).or_default().push(i);
        }
    }
    let mut fold = Fold {
        entries,
        ancestry: Ancestry::new(entries),
        verdicts: vec![Verdict::Unknown; entries.len()],
        owner: entries[0].entry.signer,
        about,
    };
    fold.judge();
    while fold.settle_by_owner() {
        fold.judge();
    }
    fold.state(log, groups)
}

impl Fold<'_> {
    /// Judges entries until nothing more can be said.
    fn judge(&mut self) {
        loop {
            let mut changed = false;
            for i in 0..self.entries.len() {
                if self.verdicts[i] == Verdict::Unknown {
                    self.verdicts[i] = self.verdict(i);
                    changed |= self.verdicts[i] != Verdict::Unknown;
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn verdict(&self, i: usize) -> Verdict {
        let signer = self.entries[i].entry.signer;
        // Nobody without a part in the log needs a closer look.
        let Some(about_signer) = self.about.get(&About::Person(signer)) else { return Verdict::Void };
        if self.follows_unknown(i) {
            return Verdict::Unknown;
        }
        if signer == self.owner {
            return if self.is_sound(i, Role::Owner) { Verdict::Counts } else { Verdict::Void };
        }
        match self.role(About::Person(signer), |a| self.ancestry.follows(i, a)) {
            Some(_) if self.entries[i].is_leaving() => return Verdict::Counts,
            Some(role) if self.is_sound(i, role) => {}
            _ => return Verdict::Void,
        }
        let mut verdict = Verdict::Counts;
        for &other in about_signer {
            let demotes = self.entries[other].entry.operation.outcome() < Some(Role::Admin);
            if demotes && self.ancestry.concurrent(i, other) {
                match self.verdicts[other] {
                    Verdict::Counts => return Verdict::Void,
                    Verdict::Unknown => verdict = Verdict::Unknown,
                    Verdict::Void => {}
                }
            }
        }
        verdict
    }

    /// Whether entry `i` is one that its signer, with this role, may make.
    fn is_sound(&self, i: usize, signer_role: Role) -> bool {
        let entry = &self.entries[i].entry;
        let before = |a: usize| self.ancestry.follows(i, a);
        let is_member = |key: VerifyingKey| self.role(About::Person(key), before).is_some();
        let may = match &entry.operation {
            Operation::Create { .. } => return i == 0,
            // Only the owner's own bundle is replaced under the role of owner.
            Operation::Add { member, role } if member.bundle().identity == self.owner => {
                return signer_role == Role::Owner && *role == Role::Owner;
            }
            Operation::Add { role, .. } => *role < Role::Owner,
            Operation::Remove { subject, .. } => *subject != self.owner && is_member(*subject),
            Operation::Role { subject, role, .. } => {
                *subject != self.owner && *role < Role::Owner && is_member(*subject)
            }
            Operation::Epoch { epoch, .. } => {
                self.epochs(before).last_key_value().and_then(|(highest, _)| highest.checked_add(1))
                    == Some(*epoch)
            }
            Operation::Layout { .. } | Operation::Group { .. } => true,
            Operation::Ungroup { group, .. } => self.role(About::Group(*group), before).is_some(),
        };
        may && signer_role >= Role::Admin
    }

    /// What somebody may do by the counting entries within `scope`.
    fn role(&self, subject: About, scope: impl Fn(usize) -> bool) -> Option<Role> {
        let in_force = self.in_force(subject, scope);
        in_force.into_iter().map(|a| self.entries[a].entry.operation.outcome()).min().flatten()
    }

    /// The entries about somebody that are in force by the counting ones within `scope`.
    fn in_force(&self, subject: About, scope: impl Fn(usize) -> bool) -> Vec<usize> {
        let about = self.about.get(&subject).map_or(&[][..], Vec::as_slice);
        self.newest(about.iter().copied().filter(|a| scope(*a)))
    }

    /// Those of the counting `candidates` that no other of them follows.
    fn newest(&self, candidates: impl Iterator<Item = usize>) -> Vec<usize> {
        let candidates: Vec<_> = candidates.filter(|a| self.verdicts[*a] == Verdict::Counts).collect();
        let is_newest = |a: &usize| !candidates.iter().any(|b| self.ancestry.follows(*b, *a));
        candidates.iter().copied().filter(is_newest).collect()
    }

    /// The epochs that counting entries within `scope` start, and the entries.
    fn epochs(&self, scope: impl Fn(usize) -> bool) -> BTreeMap<u32, Vec<usize>> {
        let mut epochs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (i, entry) in self.entries.iter().enumerate() {
            if let Some((epoch, _)) = entry.entry.operation.epoch()
                && self.verdicts[i] == Verdict::Counts
                && scope(i)
            {
                epochs.entry(epoch).or_default().push(i);
            }
        }
        epochs
    }

    /// Whether the verdict on anything that entry `i` follows is outstanding.
    fn follows_unknown(&self, i: usize) -> bool {
        (0..i).any(|a| self.verdicts[a] == Verdict::Unknown && self.ancestry.follows(i, a))
    }

    /// Voids what is in dispute and followed by the first of the owner's entries that waits for it. Says whether
    /// there is such an entry: each time one fewer is left.
    fn settle_by_owner(&mut self) -> bool {
        let waits =
            |i: &usize| self.verdicts[*i] == Verdict::Unknown && self.entries[*i].entry.signer == self.owner;
        let Some(waiting) = (0..self.entries.len()).find(waits) else { return false };
        for i in 0..waiting {
            if self.verdicts[i] == Verdict::Unknown && self.ancestry.follows(waiting, i) {
                self.verdicts[i] = Verdict::Void;
            }
        }
        true
    }

    fn state(&self, log: &Log, groups: &GroupLogs) -> RosterState {
        let everything = |_: usize| true;
        let (members, former) = self.members();
        let epochs = self.epochs(everything);
        // The creating entry counts, so there is one.
        let (epoch, starts) =
            epochs.last_key_value().map_or((0, &[][..]), |(epoch, starts)| (*epoch, starts));
        let current = starts.iter().copied().min_by_key(|i| self.entries[*i].hash).unwrap_or(0);
        let key_of = |i: usize| self.entries[i].entry.operation.epoch().map_or([0; 32], |(_, key_id)| key_id);
        let covers_removals = self.entries.iter().enumerate().all(|(i, e)| {
            let removes = matches!(e.entry.operation, Operation::Remove { .. } | Operation::Ungroup { .. });
            !removes || self.verdicts[i] != Verdict::Counts || self.ancestry.follows(current, i)
        });
        let mut state = RosterState {
            folder: log.folder(),
            owner_key: self.owner,
            members,
            former,
            epoch,
            key_id: key_of(current),
            // Of every entry, also one that a merge has made void: what was sealed under its key stays readable.
            key_ids: self.entries.iter().filter_map(|e| e.entry.operation.epoch()).collect(),
            layout: self.layout(),
            head: log.head(),
            disputed: self.verdicts.contains(&Verdict::Unknown),
            needs_epoch: !covers_removals,
            manifests: self.manifests(true),
            void_manifests: self.manifests(false),
            void: self.void(),
            epoch_entry: self.entries[current].hash,
            public: self.entries[current].entry.operation.public().cloned(),
            groups: Vec::new(),
            former_groups: BTreeMap::new(),
            unknown_groups: Vec::new(),
        };
        self.add_groups(&mut state, groups, current);
        state
    }

    /// The members, and those who were.
    fn members(&self) -> (Vec<Member>, Vec<SignedBundle>) {
        let mut members = Vec::new();
        let mut former = Vec::new();
        for (subject, about) in &self.about {
            let Some(bundle) = self.newest_bundle(about) else { continue };
            match self.role(*subject, |_| true) {
                Some(role) => members.push(Member { bundle, role }),
                None => former.push(bundle),
            }
        }
        members.sort_by_key(Member::key);
        former.sort_by_key(|bundle| bundle.bundle().identity);
        (members, former)
    }

    /// What the log says of groups, whose epoch began with entry `current`.
    fn add_groups(&self, state: &mut RosterState, groups: &GroupLogs, current: usize) {
        let listed = self.about.iter().filter_map(|(about, entries)| match about {
            About::Group(group) => Some((*group, entries)),
            About::Person(_) => None,
        });
        // Ascending, whatever the order of the map.
        for (group, about) in listed.collect::<BTreeMap<_, _>>() {
            let subject = About::Group(group);
            let is_ever_listed = about.iter().any(|a| self.verdicts[*a] == Verdict::Counts);
            let role = self.role(subject, |_| true);
            let known = groups.get(&group);
            let in_force = self.in_force(subject, |_| true);
            let has_heads =
                known.is_some_and(|known| in_force.iter().all(|a| known.log.has(self.heads_of(*a))));
            match (role, known) {
                (Some(role), Some(known)) if has_heads => {
                    state.needs_epoch |= !self.covers_epoch_of(group, known, current);
                    let is_behind = !in_force.iter().all(|a| self.knows_epoch_of(*a, known));
                    let named: Vec<_> = in_force.iter().flat_map(|a| self.heads_of(*a)).copied().collect();
                    let left = known.left_since(&named);
                    let of_group = Arc::clone(&known.state);
                    state.groups.push(ListedGroup { id: group, role, is_behind, left, state: of_group });
                }
                (Some(_), _) => state.unknown_groups.push(group),
                (None, Some(known)) if is_ever_listed => {
                    state.former_groups.insert(group, Arc::clone(&known.state));
                }
                (None, _) => {}
            }
        }
    }

    /// Whether nobody can have the key of the epoch that began with entry `current` who has left the group since: that key
    /// was never wrapped for an earlier key pair of the group than its newest. It was for those of every entry about the
    /// group that was in force when the epoch began, or has been made since.
    fn covers_epoch_of(&self, group: GroupId, known: &GroupLog, current: usize) -> bool {
        let subject = About::Group(group);
        let at_start = self.in_force(subject, |a| self.ancestry.follows(current, a));
        let since = self
            .about
            .get(&subject)
            .into_iter()
            .flatten()
            .copied()
            .filter(|a| self.verdicts[*a] == Verdict::Counts && !self.ancestry.follows(current, *a));
        at_start.into_iter().chain(since).all(|a| self.knows_epoch_of(a, known))
    }

    /// Whether entry `a` was made knowing the group's newest epoch, if it lists the group.
    fn knows_epoch_of(&self, a: usize, known: &GroupLog) -> bool {
        let heads = self.heads_of(a);
        heads.is_empty() || known.log.reaches(heads, known.state.epoch_entry)
    }

    /// What entry `a` names of a group's log.
    fn heads_of(&self, a: usize) -> &[EntryHash] {
        match &self.entries[a].entry.operation {
            Operation::Group { heads, .. } => heads,
            _ => &[],
        }
    }

    /// What counting entries, or the others, name of what their subjects had written.
    fn manifests(&self, counting: bool) -> Vec<ManifestName> {
        let vouches = |i: &usize| {
            self.verdicts[*i] == Verdict::Counts
                && !self.left_when_removed(*i)
                && !self.left_without_writing(*i)
        };
        let wanted = (0..self.entries.len()).filter(|i| vouches(i) == counting);
        wanted.flat_map(|i| self.entries[i].entry.manifests()).collect()
    }

    /// Whether by entry `i` somebody leaves of whom another entry, beside it, takes the right to write: what they had written
    /// by then, that one says. Whoever was removed may sign that they had left, and any list.
    fn left_when_removed(&self, i: usize) -> bool {
        let entry = &self.entries[i];
        let beside = self.about.get(&About::Person(entry.entry.signer)).into_iter().flatten();
        let takes = |a: &usize| {
            let other = &self.entries[*a];
            self.verdicts[*a] == Verdict::Counts
                && !other.is_leaving()
                && other.entry.operation.outcome() < Some(Role::Writer)
                && self.ancestry.concurrent(i, *a)
        };
        entry.is_leaving() && beside.copied().any(|a| takes(&a))
    }

    /// Whether by entry `i` somebody leaves who might only read, by what that entry follows: whatever such a person lists
    /// was not written by right. What somebody had written before losing the right to, the entry that took it says.
    fn left_without_writing(&self, i: usize) -> bool {
        let entry = &self.entries[i];
        let signer = About::Person(entry.entry.signer);
        entry.is_leaving() && self.role(signer, |a| self.ancestry.follows(i, a)) < Some(Role::Writer)
    }

    /// The newest bundle that counts.
    fn newest_bundle(&self, about: &[usize]) -> Option<SignedBundle> {
        about
            .iter()
            .filter(|i| self.verdicts[**i] == Verdict::Counts)
            .filter_map(|i| match &self.entries[*i].entry.operation {
                Operation::Create { owner: bundle, .. } | Operation::Add { member: bundle, .. } => {
                    Some((bundle, *i))
                }
                _ => None,
            })
            .max_by_key(|(bundle, i)| (bundle.bundle().sequence, self.entries[*i].position()))
            .map(|(bundle, _)| bundle.clone())
    }

    fn layout(&self) -> FolderLayout {
        let says = |i: usize| match &self.entries[i].entry.operation {
            Operation::Create { layout, .. } | Operation::Layout { layout } => Some(*layout),
            _ => None,
        };
        let in_force = self.newest((0..self.entries.len()).filter(|i| says(*i).is_some()));
        in_force.into_iter().max_by_key(|i| self.entries[*i].position()).and_then(says).unwrap_or_default()
    }

    fn void(&self) -> Vec<EntryHash> {
        let void =
            |(entry, verdict): (&SignedEntry, &Verdict)| (*verdict == Verdict::Void).then_some(entry.hash);
        self.entries.iter().zip(&self.verdicts).filter_map(void).collect()
    }
}
