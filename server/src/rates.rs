//! Rates that are counted in memory: they shed load, and need not survive a restart, nor be exact over replicas.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// From how many keys on the quiet ones are forgotten while counting.
const FORGET_FROM: usize = 10_000;

/// How often each key was counted lately. Keys that were quiet are forgotten whenever there are twice as many as were left
/// the last time, so that memory stays in proportion to those that are not, and counting takes no longer for it.
pub struct Rates<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    forget_from: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// Lets each key do this.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { limiter: RateLimiter::keyed(quota), forget_from: AtomicUsize::new(FORGET_FROM) }
    }

    /// Counts the key once.
    ///
    /// # Errors
    /// After how long it would pass; it was not counted.
    pub fn count(&self, key: &K) -> Result<(), Duration> {
        if self.limiter.len() >= self.forget_from.load(Ordering::Relaxed) {
            self.forget_quiet();
        }
        self.limiter.check_key(key).map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets keys that were quiet.
    pub fn forget_quiet(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        let next = self.limiter.len().saturating_mul(2).max(FORGET_FROM);
        self.forget_from.store(next, Ordering::Relaxed);
    }
}

/// A setting's number, which is at least one.
#[must_use]
pub fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_are_not_quiet_are_not_looked_through_each_time() {
        let rates = Rates::new(Quota::per_hour(at_least_one(2)));
        for key in 0..25_000_u32 {
            rates.count(&key).unwrap();
        }
        // Looked through at 10,000 and 20,000, and not before there are 40,000.
        assert_eq!((rates.limiter.len(), rates.forget_from.into_inner()), (25_000, 40_000));
    }

    #[test]
    fn those_that_are_quiet_are_forgotten() {
        let rates = Rates::new(Quota::with_period(Duration::from_nanos(1)).unwrap());
        for key in 0..25_000_u32 {
            rates.count(&key).unwrap();
        }
        assert!(rates.limiter.len() <= FORGET_FROM, "{}", rates.limiter.len());
        let rates = Rates::new(Quota::per_hour(at_least_one(1)));
        rates.count(&1).unwrap();
        assert!(rates.count(&1).unwrap_err() > Duration::from_secs(3590));
        rates.count(&2).unwrap();
    }
}
