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
//! 4. Of what was said about one member, the entries that no other counting one follows are in force, and among
//!    several the one that grants least: removal beats a concurrent add or raise.

use std::collections::{BTreeMap, HashMap};

use super::entry::{EntryHash, FolderLayout, ManifestName, Operation, Role, SignedEntry};
use super::log::Log;
use super::state::{Member, RosterState};
use crate::account::SignedBundle;
use crate::crypto::VerifyingKey;

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
    about: HashMap<VerifyingKey, Vec<usize>>,
}

/// Folds a log.
pub(crate) fn fold(log: &Log) -> RosterState {
    let entries = log.entries();
    let mut about: HashMap<_, Vec<_>> = HashMap::new();
    for (i, entry) in entries.iter().enumerate() {
        if let Some(subject) = entry.entry.operation.subject() {
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
    fold.state(log)
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
        let Some(about_signer) = self.about.get(&signer) else { return Verdict::Void };
        if self.follows_unknown(i) {
            return Verdict::Unknown;
        }
        if signer == self.owner {
            return if self.is_sound(i, Role::Owner) { Verdict::Counts } else { Verdict::Void };
        }
        match self.role(signer, |a| self.ancestry.follows(i, a)) {
            Some(_) if self.leaves(i) => return Verdict::Counts,
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

    /// Whether by entry `i` its signer, who is not the owner, leaves.
    fn leaves(&self, i: usize) -> bool {
        let entry = &self.entries[i].entry;
        matches!(&entry.operation, Operation::Remove { subject, .. } if *subject == entry.signer)
    }

    /// Whether entry `i` is one that its signer, with this role, may make.
    fn is_sound(&self, i: usize, signer_role: Role) -> bool {
        let entry = &self.entries[i].entry;
        let before = |a: usize| self.ancestry.follows(i, a);
        let is_member = |key: VerifyingKey| self.role(key, before).is_some();
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
            Operation::Layout { .. } => true,
        };
        may && signer_role >= Role::Admin
    }

    /// What `key` may do by the counting entries within `scope`.
    fn role(&self, key: VerifyingKey, scope: impl Fn(usize) -> bool) -> Option<Role> {
        let about = self.about.get(&key)?;
        let in_force = self.newest(about.iter().copied().filter(|a| scope(*a)));
        in_force.into_iter().map(|a| self.entries[a].entry.operation.outcome()).min().flatten()
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

    fn state(&self, log: &Log) -> RosterState {
        let everything = |_: usize| true;
        let mut members = Vec::new();
        let mut former = Vec::new();
        for (key, about) in &self.about {
            let Some(bundle) = self.newest_bundle(about) else { continue };
            match self.role(*key, everything) {
                Some(role) => members.push(Member { bundle, role }),
                None => former.push(bundle),
            }
        }
        members.sort_by_key(Member::key);
        former.sort_by_key(|bundle| bundle.bundle().identity);
        let epochs = self.epochs(everything);
        // The creating entry counts, so there is one.
        let (epoch, starts) =
            epochs.last_key_value().map_or((0, &[][..]), |(epoch, starts)| (*epoch, starts));
        let current = starts.iter().copied().min_by_key(|i| self.entries[*i].hash).unwrap_or(0);
        let key_of = |i: usize| self.entries[i].entry.operation.epoch().map_or([0; 32], |(_, key_id)| key_id);
        let covers_removals = self.entries.iter().enumerate().all(|(i, e)| {
            let removes = matches!(e.entry.operation, Operation::Remove { .. });
            !removes || self.verdicts[i] != Verdict::Counts || self.ancestry.follows(current, i)
        });
        RosterState {
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
        }
    }

    /// What counting entries, or the others, name of what their subjects had written.
    fn manifests(&self, counting: bool) -> Vec<ManifestName> {
        let judged = self.entries.iter().zip(&self.verdicts);
        let wanted = judged.filter(|(_, verdict)| (**verdict == Verdict::Counts) == counting);
        wanted.filter_map(|(entry, _)| entry.entry.manifest()).collect()
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
