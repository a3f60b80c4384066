//! Where there is no inotify: what the system tells of files, by the crate notify.

/// One file, watched without looking again and again.
pub mod file_watch {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::{Duration, Instant};

    use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

    /// Tells when a file is written, made or replaced.
    #[derive(Debug)]
    pub struct FileWatch {
        events: Receiver<notify::Result<Event>>,
        path: PathBuf,
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
            Ok(Self { events, path: path.to_path_buf(), _watcher: watcher })
        }

        /// Sleeps until something happened to it, or to its directory; no longer than `limit`, where there is one.
        ///
        /// # Errors
        /// The system tells no more.
        pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
            let end = limit.map(|limit| Instant::now() + limit);
            loop {
                let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
                match self.events.recv_timeout(left) {
                    Ok(Ok(event)) if !event.need_rescan() && !self.is_about(&event) => {}
                    Ok(told) => return told.map(drop).map_err(io::Error::other),
                    Err(RecvTimeoutError::Timeout) => return Ok(()),
                    Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
        }

        /// Whether it is about the file or its directory. Names only: the system may spell the way there differently.
        fn is_about(&self, event: &Event) -> bool {
            let own = [Some(&*self.path), self.path.parent()].map(|path| path.and_then(Path::file_name));
            event.paths.is_empty() || event.paths.iter().any(|path| own.contains(&path.file_name()))
        }
    }
}
