//! How far a long run is: a bar on a terminal, nothing elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress over files and their bytes; may be advanced from any thread.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    files: AtomicU64,
    files_total: AtomicU64,
}

impl Progress {
    /// A bar named `what`, drawn on standard error if `visible`.
    #[must_use]
    pub fn new(what: &'static str, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style()).with_prefix(what);
        Self { bar, files: AtomicU64::new(0), files_total: AtomicU64::new(0) }
    }

    /// Draws nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Self::new("", false)
    }

    /// Says how much there is to do in all; may be corrected as more is found.
    pub fn set_length(&self, files: u64, bytes: u64) {
        self.files_total.store(files, Ordering::Relaxed);
        self.bar.set_length(bytes);
        self.show_files();
    }

    /// So much more has been done.
    pub fn advance(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bar.inc(bytes);
        if files > 0 {
            self.show_files();
        }
    }

    /// Files done so far.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Bytes done so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bar.position()
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show_files(&self) {
        if !self.bar.is_hidden() {
            let total = self.files_total.load(Ordering::Relaxed);
            self.bar.set_message(format!("{} of {total} files", self.files()));
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
        progress.set_length(3, 300);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| progress.advance(1, 100));
            }
        });
        assert_eq!((progress.files(), progress.bytes()), (3, 300));
    }
}
