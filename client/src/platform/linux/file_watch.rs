//! One file, watched without looking again and again: inotify.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Room for a few events of inotify(7): 16 bytes and a name of at most 256 bytes each.
const EVENTS_BYTES: usize = 4096;

/// Tells when a file is written, made or replaced.
#[derive(Debug)]
pub struct FileWatch {
    events: OwnedFd,
    path: PathBuf,
}

impl FileWatch {
    /// Watches `path`, which need not exist, in a directory that does. What happens from now on is not missed.
    ///
    /// # Errors
    /// The directory is not there, or the limits of inotify(7) are reached.
    pub fn new(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let events = inotify::init(CreateFlags::CLOEXEC)?;
        let of_file = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let of_directory = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&events, directory, of_file | of_directory)?;
        Ok(Self { events, path: path.to_path_buf() })
    }

    /// Sleeps until something happened to it, or to its directory; no longer than `limit`, where there is one.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let end = limit.map(|limit| Instant::now() + limit);
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(&self.events, &mut buffer);
        loop {
            if reader.is_buffer_empty() && !self.has_events_by(end)? {
                return Ok(());
            }
            let event = match reader.next() {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            let name = event.file_name().map(CStr::to_bytes);
            let is_it = |name: &[u8]| self.path.file_name().is_some_and(|own| own.as_encoded_bytes() == name);
            if name.is_none_or(is_it) {
                return Ok(());
            }
        }
    }

    /// Sleeps until there are events to read; `false` where `end` came first.
    fn has_events_by(&self, end: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.events, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::{fs, thread};

    use super::*;

    #[test]
    fn a_watched_file_need_not_be_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("daemon.lock");
        let watch = FileWatch::new(&path).unwrap();
        let (sender, seen) = mpsc::channel();
        let waiting = thread::spawn(move || {
            watch.wait(None).unwrap();
            sender.send(()).unwrap();
        });
        fs::write(root.path().join("another"), b"x").unwrap();
        assert!(seen.try_recv().is_err(), "another file is none of its business");
        fs::write(&path, b"x").unwrap();
        waiting.join().unwrap();
        seen.recv().unwrap();
    }

    #[test]
    fn what_happened_since_the_beginning_is_not_missed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("daemon.lock");
        fs::write(&path, b"x").unwrap();
        let watch = FileWatch::new(&path).unwrap();
        fs::write(&path, b"").unwrap();
        watch.wait(None).unwrap();
    }
    #[test]
    fn a_wait_ends_by_itself_where_it_is_limited() {
        let root = tempfile::tempdir().unwrap();
        let watch = FileWatch::new(&root.path().join("daemon.lock")).unwrap();
        fs::write(root.path().join("another"), b"x").unwrap();
        watch.wait(Some(Duration::ZERO)).unwrap();
    }
}
