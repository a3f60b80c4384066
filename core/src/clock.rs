//! Version vectors and dots: who has seen what, without anybody's wall clock (engine rules 9 and 14).

use serde::{Deserialize, Serialize};

use crate::ids::DeviceId;

/// One event of one device. Ordered by counter, then device, so that every device prefers the same of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Position in the device's own sequence, from 1.
    pub counter: u64,
    /// The device that counted.
    pub device: DeviceId,
}

/// How two clocks relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Both have seen the same.
    Equal,
    /// The first has seen less.
    Before,
    /// The first has seen more.
    After,
    /// Each has seen something that the other has not.
    Concurrent,
}

/// A version vector: for each device the highest counter seen. Sorted by device, without zero counters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Clock(Vec<(DeviceId, u64)>);

impl Clock {
    /// The clock that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The highest counter seen of `device`, 0 if none.
    #[must_use]
    pub fn get(&self, device: DeviceId) -> u64 {
        self.0.binary_search_by_key(&device, |e| e.0).map_or(0, |i| self.0[i].1)
    }

    /// Whether this clock has seen `dot`.
    #[must_use]
    pub fn covers(&self, dot: Dot) -> bool {
        self.get(dot.device) >= dot.counter
    }

    /// Marks `dot`, and all before it on its device, as seen.
    pub fn see(&mut self, dot: Dot) {
        match self.0.binary_search_by_key(&dot.device, |e| e.0) {
            Ok(i) => self.0[i].1 = self.0[i].1.max(dot.counter),
            Err(i) if dot.counter > 0 => self.0.insert(i, (dot.device, dot.counter)),
            Err(_) => {}
        }
    }

    /// This clock with `dot` seen.
    #[must_use]
    pub fn with(mut self, dot: Dot) -> Self {
        self.see(dot);
        self
    }

    /// The pointwise maximum: what both together have seen.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        for &(device, counter) in &other.0 {
            joined.see(Dot { counter, device });
        }
        joined
    }

    /// How this clock relates to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Order {
        match (self.dominates(other), other.dominates(self)) {
            (true, true) => Order::Equal,
            (true, false) => Order::After,
            (false, true) => Order::Before,
            (false, false) => Order::Concurrent,
        }
    }

    /// Whether this clock has seen everything that `other` has.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        other.iter().all(|dot| self.covers(dot))
    }

    /// The newest dot of each device, by device.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Dot> + '_ {
        self.0.iter().map(|&(device, counter)| Dot { counter, device })
    }

    /// The number of devices seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Dot> for Clock {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        dots.into_iter().fold(Self::new(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clocks() -> impl Strategy<Value = Clock> {
        prop::collection::vec((0u8..4, 0u64..5), 0..6).prop_map(|dots| {
            dots.into_iter().map(|(d, counter)| Dot { counter, device: DeviceId::new([d; 16]) }).collect()
        })
    }

    proptest! {
        #[test]
        fn join_is_a_least_upper_bound(a in clocks(), b in clocks(), c in clocks()) {
            let joined = a.join(&b);
            prop_assert!(joined.dominates(&a) && joined.dominates(&b));
            prop_assert_eq!(&joined, &b.join(&a));
            prop_assert_eq!(a.join(&b.join(&c)), joined.join(&c));
            if c.dominates(&a) && c.dominates(&b) {
                prop_assert!(c.dominates(&joined));
            }
        }

        #[test]
        fn comparison_is_antisymmetric(a in clocks(), b in clocks()) {
            let mirrored = match b.compare(&a) {
                Order::Before => Order::After,
                Order::After => Order::Before,
                same => same,
            };
            prop_assert_eq!(a.compare(&b), mirrored);
            prop_assert_eq!(a.compare(&b) == Order::Equal, a == b);
        }
    }
}
