//! The time, and waiting for it: a seam, so that tests move it instead of sleeping.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ensafer_core::time::Timestamp;

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits for `duration`, or until [`wake`](Self::wake).
    fn wait(&self, duration: Duration);

    /// Ends every [`wait`](Self::wait) that is under way, and the next one if none is.
    fn wake(&self);
}

/// The system's clock.
#[derive(Debug, Default)]
pub struct SystemClock {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since)
    }

    fn wait(&self, duration: Duration) {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, _) = self
            .bell
            .wait_timeout_while(woken, duration, |woken| !*woken)
            .unwrap_or_else(PoisonError::into_inner);
        *woken = false;
    }

    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }
}

/// A clock that stands still until somebody waits: a wait is over at once and moves it.
#[derive(Debug)]
pub struct FakeClock {
    now: Mutex<Timestamp>,
    woken: AtomicBool,
}

impl FakeClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now: Mutex::new(now), woken: AtomicBool::new(false) }
    }

    /// Moves the clock.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.plus(duration);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, duration: Duration) {
        if !self.woken.swap(false, Ordering::Relaxed) {
            self.advance(duration);
        }
    }

    fn wake(&self) {
        self.woken.store(true, Ordering::Relaxed);
    }
}

/// What every clock must do; `settle` is a wait that the test can afford.
///
/// # Panics
/// Where the clock does not.
pub fn conformance(clock: &dyn Clock, settle: Duration) {
    let before = clock.now();
    clock.wait(settle);
    assert!(clock.now().since(before) >= settle, "a wait lasts as long as it was asked to");
    clock.wake();
    let before = clock.now();
    clock.wait(Duration::from_secs(3600));
    assert!(clock.now().since(before) < Duration::from_secs(3600), "a wake ends the next wait");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_conform() {
        conformance(&SystemClock::default(), Duration::from_millis(5));
        conformance(&FakeClock::new(Timestamp::default()), Duration::from_secs(60));
    }
}
