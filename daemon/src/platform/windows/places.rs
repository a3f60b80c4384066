//! Whether directories stay where they are. What is told of what is *in* a directory says nothing when the directory itself
//! is moved away.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use notify::event::{ModifyKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Watches where directories are, until it is dropped.
#[derive(Debug)]
pub struct Places {
    _watcher: RecommendedWatcher,
}

impl Places {
    /// Begins to watch. `tell` is called from a thread of its own whenever one of `directories`, or a directory above one,
    /// is moved or removed, as far as the system permits that: it refuses to move what is above a directory that somebody has
    /// open. What may not be watched is left out.
    ///
    /// # Errors
    /// The system has no more watchers or threads.
    pub fn watch(directories: &[&Path], tell: impl Fn() + Send + 'static) -> io::Result<Self> {
        let places: BTreeSet<&Path> =
            directories.iter().flat_map(|directory| directory.ancestors()).collect();
        let parents: BTreeSet<&Path> = places.iter().filter_map(|place| place.parent()).collect();
        // A name may be told as it was first given, or in another case: one too many is no harm.
        let names: BTreeSet<OsString> =
            places.iter().filter_map(|place| Some(place.file_name()?.to_ascii_lowercase())).collect();
        let mut watcher = RecommendedWatcher::new(
            move |told: notify::Result<Event>| {
                if told.as_ref().map_or(true, |event| is_gone(event, &names)) {
                    tell();
                }
            },
            Config::default(),
        )
        .map_err(io::Error::other)?;
        for parent in parents {
            match watcher.watch(parent, RecursiveMode::NonRecursive) {
                Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                    return Err(io::Error::other(error));
                }
                // Others' directories may be closed to this user.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(Self { _watcher: watcher })
    }
}

/// Whether an event says that something with one of these names has not that name any more.
fn is_gone(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let is_leaving = matches!(
        event.kind,
        EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(RenameMode::From | RenameMode::Any | RenameMode::Both))
    );
    let is_named = |name: &std::ffi::OsStr| names.contains(&name.to_ascii_lowercase());
    event.need_rescan() || is_leaving && event.paths.iter().any(|path| path.file_name().is_some_and(is_named))
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
        let places = Places::watch(&[&watched], move || _ = told.send(())).unwrap();
        for number in 0..100 {
            fs::write(watched.join(number.to_string()), "x").unwrap();
            fs::create_dir(above.join(number.to_string())).unwrap();
        }
        assert_eq!(heard.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
        fs::rename(&above, root.path().join("away")).unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
        drop(places);
        // The thread ends, and lets go of what it tells by.
        while let Ok(()) = heard.recv_timeout(PATIENCE) {}
        assert_eq!(heard.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn what_is_removed_is_told() {
        let root = tempfile::tempdir().unwrap();
        let watched = root.path().join("watched");
        fs::create_dir(&watched).unwrap();
        let (told, heard) = channel();
        let _places = Places::watch(&[&watched], move || _ = told.send(())).unwrap();
        fs::remove_dir(&watched).unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
    }
}
