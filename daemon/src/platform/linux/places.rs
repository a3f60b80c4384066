//! Whether directories stay where they are. A watch on what is *in* a directory says nothing when a directory above it is
//! moved away, or the file system that it lies on is unmounted.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// Bytes for events that are read at once. These have no names, and so 16 bytes each.
const BUFFER_BYTES: usize = 1024;

/// Watches where directories are, until it is dropped.
#[derive(Debug)]
pub struct Places {
    inotify: Arc<OwnedFd>,
    watches: BTreeSet<i32>,
}

impl Places {
    /// Begins to watch. `tell` is called from a thread of its own whenever one of `directories`, or a directory above one,
    /// is moved, removed or unmounted. What cannot be watched is left out.
    ///
    /// # Errors
    /// The system has no more watchers, or threads.
    pub fn watch(directories: &[&Path], tell: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let flags = WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::ONLYDIR;
        let places: BTreeSet<&Path> =
            directories.iter().flat_map(|directory| directory.ancestors()).collect();
        // A directory that is reached in two ways has one watch.
        let watches: BTreeSet<i32> =
            places.iter().filter_map(|place| inotify::add_watch(&*inotify, *place, flags).ok()).collect();
        let (events, count) = (Arc::clone(&inotify), watches.len());
        // From here on the watches end with this, and so does the thread.
        let places = Self { inotify, watches };
        std::thread::Builder::new().name("places".into()).spawn(move || listen(&events, count, tell))?;
        Ok(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for watch in &self.watches {
            // One of a directory that is gone is gone already.
            let _ = inotify::remove_watch(&*self.inotify, *watch);
        }
    }
}

/// Listens until none of `count` watches is left: each says so of itself.
fn listen(events: &OwnedFd, count: usize, tell: impl Fn()) {
    let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    let mut left = count;
    while left > 0 {
        match reader.next() {
            Ok(event) if event.events().contains(ReadFlags::IGNORED) => left -= 1,
            Ok(_) => tell(),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    /// Longer than anything here takes, even on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_directory_that_moves_above_a_watched_one_is_told_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        let (above, watched) = (root.path().join("above"), root.path().join("above/watched"));
        fs::create_dir_all(&watched).unwrap();
        let (told, heard) = channel();
        let places = Places::watch(&[&watched], move || told.send(()).unwrap()).unwrap();
        for number in 0..100 {
            fs::write(watched.join(number.to_string()), "x").unwrap();
            fs::create_dir(above.join(number.to_string())).unwrap();
        }
        fs::rename(&above, root.path().join("away")).unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
        drop(places);
        // The thread ends, and lets go of what it tells by.
        assert_eq!(heard.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn what_is_removed_is_told() {
        let root = tempfile::tempdir().unwrap();
        let watched = root.path().join("watched");
        fs::create_dir(&watched).unwrap();
        let (told, heard) = channel();
        let _places = Places::watch(&[&watched], move || told.send(()).unwrap()).unwrap();
        fs::remove_dir(&watched).unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
    }
}
