//! Several versions of one object as one (engine rules 9 and 11).
//!
//! The result depends on the versions alone, not on their order nor on who merges, so it needs no dot of its own:
//! devices that merge the same versions make the same statement.

use std::cmp::Reverse;
use std::sync::Arc;

use super::MAX_COUNTER;
use crate::clock::{Clock, Order};
use crate::tree::Object;

/// What versions come to.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// The version that has seen them all.
    pub object: Arc<Object>,
    /// Those whose contents are neither in it nor superseded.
    pub losers: Vec<Arc<Object>>,
}

/// Merges `versions`; `None` if there are none, or if they contradict one another: one dot names two contents.
///
/// `known` is what both sides agreed on: a version that changed only the times or the executable bit of contents that
/// the winner has seen needs no copy.
pub(super) fn merge<'a>(
    versions: impl Iterator<Item = &'a Arc<Object>> + Clone,
    known: Option<&Object>,
) -> Option<Merged> {
    let first = versions.clone().next()?;
    if versions.clone().nth(1).is_none() {
        return is_sound(first).then(|| Merged { object: first.clone(), losers: Vec::new() });
    }
    let all: Vec<&Arc<Object>> = versions.collect();
    if !all.iter().all(|version| is_sound(version)) || contradict(&all) {
        return None;
    }
    let newest = newest(&all);
    if let [only] = newest[..] {
        return Some(Merged { object: only.clone(), losers: Vec::new() });
    }
    Some(combine(&newest, known))
}

/// Whether both say the same; names may differ where two devices made one conflict copy.
pub(super) fn agree(a: &Object, b: &Object) -> bool {
    std::ptr::eq(a, b)
        || (a.content_dot == b.content_dot
            && a.place_dot == b.place_dot
            && a.clock == b.clock
            && a.content.same_bytes(&b.content))
}

fn is_sound(object: &Object) -> bool {
    object.content_dot.counter <= MAX_COUNTER && object.place_dot.counter <= MAX_COUNTER
}

fn contradict(all: &[&Arc<Object>]) -> bool {
    all.iter().enumerate().any(|(at, a)| {
        all[at + 1..].iter().any(|b| a.content_dot == b.content_dot && !a.content.same_bytes(&b.content))
    })
}

/// Those that no other has seen wholly; of several that agree, the one that every device picks.
fn newest<'a>(all: &[&'a Arc<Object>]) -> Vec<&'a Arc<Object>> {
    let mut kept: Vec<&Arc<Object>> = Vec::new();
    for &version in all {
        let beaten = |other: &Arc<Object>| match other.clock.compare(&version.clock) {
            Order::After => true,
            Order::Equal => agree(other, version) && choice(other) >= choice(version),
            Order::Before | Order::Concurrent => false,
        };
        if kept.iter().any(|other| beaten(other)) {
            continue;
        }
        kept.retain(|other| match version.clock.compare(&other.clock) {
            Order::After => false,
            Order::Equal => !agree(other, version),
            Order::Before | Order::Concurrent => true,
        });
        kept.push(version);
    }
    kept
}

/// Among statements that agree, the greatest of these is everybody's choice.
fn choice(object: &Object) -> (&str, [u8; 16], &str) {
    (object.name.as_str(), *object.parent.as_bytes(), &object.author)
}

/// Whether `winner` has seen the content of `loser` and has another.
fn supersedes(winner: &Object, loser: &Object) -> bool {
    if winner.content_dot == loser.content_dot {
        return false;
    }
    if winner.content.is_tombstone() && !loser.content.is_tombstone() {
        return winner.clock.compare(&loser.clock) == Order::After;
    }
    let resurrected = loser.content.is_tombstone() && !winner.content.is_tombstone();
    winner.clock.covers(loser.content_dot) && (resurrected || !loser.clock.covers(winner.content_dot))
}

fn combine(newest: &[&Arc<Object>], known: Option<&Object>) -> Merged {
    let mut standing: Vec<&Arc<Object>> =
        newest.iter().copied().filter(|v| !newest.iter().any(|other| supersedes(other, v))).collect();
    if standing.is_empty() {
        standing = newest.to_vec();
    }
    standing.sort_by_key(|v| Reverse((!v.content.is_tombstone(), v.content_dot, v.place_dot)));
    let content = standing[0];
    let place = newest
        .iter()
        .filter(|v| {
            !newest.iter().any(|other| {
                other.place_dot != v.place_dot
                    && other.clock.covers(v.place_dot)
                    && !v.clock.covers(other.place_dot)
            })
        })
        .max_by_key(|v| (v.place_dot, choice(v)))
        .unwrap_or(&newest[0]);
    let clock = newest.iter().fold(Clock::new(), |clock, version| clock.join(&version.clock));
    let mut losers: Vec<Arc<Object>> = Vec::new();
    for &loser in &standing[1..] {
        let is_kept = |kept: &Object| kept.content.same_bytes(&loser.content);
        let only_metadata = known.is_some_and(|known| {
            known.content_dot != loser.content_dot
                && known.content.same_bytes(&loser.content)
                && content.clock.covers(known.content_dot)
        });
        let is_lost = !loser.content.is_tombstone() && loser.content_dot != content.content_dot;
        if is_lost && !is_kept(content) && !losers.iter().any(|l| is_kept(l)) && !only_metadata {
            losers.push(loser.clone());
        }
    }
    let object = Object {
        parent: place.parent,
        name: place.name.clone(),
        place_dot: place.place_dot,
        description: place.description.clone(),
        clock,
        ..Object::clone(content)
    };
    Merged { object: Arc::new(object), losers }
}
