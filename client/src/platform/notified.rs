//! Where there is no inotify: what the system tells of files, by the crate notify.

use std::path::Path;

use crate::private_file;

/// Tells those who watch `path` that it was written: of a file that stays open, these systems say so only when it is closed.
pub fn announce(path: &Path) {
    // Whoever is not told looks again when something else happens.
    let _ = private_file::replace(&path.with_extension("told"), b"");
}

/// One file, watched without looking again and again.
pub mod file_watch {
    use std::io;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::Duration;

    use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

    /// Tells when a file is written, made or replaced, and whenever something happens beside it.
    #[derive(Debug)]
    pub struct FileWatch {
        events: Receiver<notify::Result<Event>>,
        /// Tells `events` until it is dropped.
        _watcher: RecommendedWatcher,
    }

    impl FileWatch {
        /// Watches `path`, which need not exist, in a directory that does. What happens from now on is not missed.
        ///
        /// # Errors
        /// The directory is not there, or the system can watch no more.
        pub fn new(path: &Path) -> io::Result<Self> {
            let directory = path.parent().unwrap_or(Path::new("."));
            let (sender, events) = channel();
            let mut watcher = notify::recommended_watcher(sender).map_err(io::Error::other)?;
            watcher.watch(directory, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
            Ok(Self { events, _watcher: watcher })
        }

        /// Sleeps until something happened to it or beside it; no longer than `limit`, where there is one.
        ///
        /// # Errors
        /// The system tells no more.
        pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
            match self.events.recv_timeout(limit.unwrap_or(Duration::MAX)) {
                Ok(told) => told.map(drop).map_err(io::Error::other),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }
}
