//! How far a long run is: a bar on a terminal, nothing elsewhere.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ensafer_core::status;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whoever listens is told at most this often.
const TELL_INTERVAL: Duration = Duration::from_millis(100);

/// Listens to how far a run is.
type Listener = Box<dyn Fn(status::Progress) + Send + Sync>;

/// Progress over files and their bytes; may be advanced from any thread.
pub struct Progress {
    bar: ProgressBar,
    done_count: AtomicU64,
    total_count: AtomicU64,
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
    listener: Option<(Listener, Mutex<Option<Instant>>)>,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.reached()).finish()
    }
}

impl Progress {
    /// A bar named `what`, drawn on standard error if `visible`.
    #[must_use]
    pub fn new(what: &'static str, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style()).with_prefix(what);
        Self {
            bar,
            done_count: AtomicU64::new(0),
            total_count: AtomicU64::new(0),
            done_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            listener: None,
        }
    }

    /// Draws nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Self::new("", false)
    }

    /// Draws nothing, and tells `listener` from time to time.
    pub fn listened_to(listener: impl Fn(status::Progress) + Send + Sync + 'static) -> Self {
        let mut progress = Self::hidden();
        progress.listener = Some((Box::new(listener), Mutex::new(None)));
        progress
    }

    /// There is so much more to do.
    pub fn expect(&self, files: u64, bytes: u64) {
        self.total_count.fetch_add(files, Ordering::Relaxed);
        let total = self.total_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bar.set_length(total);
        self.show();
    }

    /// So much more has been done.
    pub fn advance(&self, files: u64, bytes: u64) {
        self.done_count.fetch_add(files, Ordering::Relaxed);
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    /// So many files that were counted as done have failed after all, with the rest of their batch.
    pub fn take_back(&self, files: u64) {
        self.done_count.fetch_sub(files, Ordering::Relaxed);
        self.show();
    }

    /// This much is done, for a bar that repeats what somebody else counted.
    pub fn set(&self, reached: status::Progress) {
        self.done_count.store(reached.done_count, Ordering::Relaxed);
        self.total_count.store(reached.total_count, Ordering::Relaxed);
        self.done_bytes.store(reached.done_bytes, Ordering::Relaxed);
        self.total_bytes.store(reached.total_bytes, Ordering::Relaxed);
        self.bar.set_length(reached.total_bytes);
        self.show();
    }

    /// How far it is.
    #[must_use]
    pub fn reached(&self) -> status::Progress {
        status::Progress {
            done_count: self.done_count.load(Ordering::Relaxed),
            total_count: self.total_count.load(Ordering::Relaxed),
            done_bytes: self.done_bytes.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self) {
        if let Some((tell, last)) = &self.listener {
            // Whoever comes while another tells has nothing newer to say.
            let Ok(mut last) = last.try_lock() else { return };
            let reached = self.reached();
            let is_done = reached.done_count == reached.total_count;
            if is_done || last.is_none_or(|last| last.elapsed() >= TELL_INTERVAL) {
                *last = Some(Instant::now());
                tell(reached);
            }
        }
        if !self.bar.is_hidden() {
            let reached = self.reached();
            self.bar.set_position(reached.done_bytes);
            self.bar.set_message(format!("{} of {} files", reached.done_count, reached.total_count));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style() -> ProgressStyle {
    let template =
        "{prefix} {wide_bar} {msg}, {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta}";
    ProgressStyle::with_template(template).expect("the template is a constant that a test parses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_whether_it_is_seen_or_not() {
        let progress = Progress::new("Encrypting", false);
        progress.expect(3, 300);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| progress.advance(1, 100));
            }
        });
        let reached = progress.reached();
        assert_eq!((reached.done_count, reached.done_bytes, reached.total_bytes), (3, 300, 300));
    }

    #[test]
    fn a_listener_is_told_but_not_of_every_file() {
        let told = std::sync::Arc::new(AtomicU64::new(0));
        let counter = told.clone();
        let progress = Progress::listened_to(move |_| _ = counter.fetch_add(1, Ordering::Relaxed));
        progress.expect(1001, 1001);
        (0..1000).for_each(|_| progress.advance(1, 1));
        assert!((1..1000).contains(&told.load(Ordering::Relaxed)));
    }
}
