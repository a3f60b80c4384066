//! Hints from the file system that a look is worthwhile. Never facts: only a scan says what is there.
//!
//! inotify drops events when its queue is full, tells nothing of the files in a directory that was moved in, and
//! misses what happens in a new directory before it is watched. So everything that is told here is "look there".

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::platform::{self, Places};
use crate::scan::is_ignored;
use crate::store::is_object_name;
use crate::work_dir::{PRIVATE, relative_text};

/// Which of the two directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The plaintext.
    Work,
    /// The ciphertext.
    Encrypted,
}

/// Where to look. Paths are relative to the side's root, components joined by `/`, empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// At one object's file (encrypted side only).
    Object(String),
    /// At the entries of one directory.
    Directory(String),
    /// At one directory and everything below.
    Tree(String),
    /// At all of it: events were lost.
    Everything,
}

/// Why events do not come as they should; the hourly scan finds what they miss.
#[derive(Debug, thiserror::Error)]
pub enum WatchWarning {
    /// The system's limit of watches is reached (`fs.inotify.max_user_watches`).
    #[error("the system's limit of watched directories is reached")]
    TooManyDirectories {
        /// The side that is watched only in part.
        side: Side,
    },
    /// Watching failed otherwise.
    #[error("the file system cannot be watched")]
    Failed {
        /// The side.
        side: Side,
        /// The watcher's error.
        source: notify::Error,
    },
}

type Sink = dyn Fn(Side, Hint) + Send + Sync;
type Shared = Arc<Mutex<RecommendedWatcher>>;

/// Watches both directories until it is dropped.
#[derive(Debug)]
pub struct Watch {
    _watchers: Vec<Shared>,
    _places: Option<Places>,
}

impl Watch {
    /// Begins to watch. `send` is called from the watchers' threads and must not block. A side that cannot be watched
    /// is a warning, and so is a side that is watched only in part.
    pub fn new(
        work: &Path,
        encrypted: &Path,
        send: impl Fn(Side, Hint) + Send + Sync + 'static,
    ) -> (Self, Vec<WatchWarning>) {
        let send: Arc<Sink> = Arc::new(send);
        let mut watchers = Vec::new();
        let mut warnings = Vec::new();
        for (side, root) in [(Side::Work, work), (Side::Encrypted, encrypted)] {
            match watch(side, root, Arc::clone(&send)) {
                Ok((watcher, warning)) => {
                    watchers.push(watcher);
                    warnings.extend(warning);
                }
                Err(error) => warnings.push(warn(side, error)),
            }
        }
        let places = watch_places(work, encrypted, send)
            .map_err(|error| warnings.push(warn(Side::Encrypted, error.into())))
            .ok();
        (Self { _watchers: watchers, _places: places }, warnings)
    }
}

/// Both directories may lie on one disk that is taken out: then each is looked at.
fn watch_places(work: &Path, encrypted: &Path, send: Arc<Sink>) -> std::io::Result<Places> {
    let roots = [work, encrypted].map(|root| platform::canonicalize(root).unwrap_or_else(|_| root.into()));
    Places::watch(&roots.each_ref().map(PathBuf::as_path), move || {
        for side in [Side::Work, Side::Encrypted] {
            send(side, Hint::Everything);
        }
    })
}

fn watch(side: Side, root: &Path, send: Arc<Sink>) -> notify::Result<(Shared, Option<WatchWarning>)> {
    let root = platform::canonicalize(root)?;
    let (new_directories, added) = mpsc::channel();
    let translator = Translator {
        side,
        root: root.clone(),
        send: Arc::clone(&send),
        new_directories,
        warned: AtomicBool::new(false),
    };
    let config = Config::default().with_follow_symlinks(false);
    let watcher = RecommendedWatcher::new(move |event| translator.handle(event), config)?;
    let watcher = Arc::new(Mutex::new(watcher));
    follow_new_directories(side, added, Arc::downgrade(&watcher), send)?;
    let begun = {
        let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = watcher.watch(&root, RecursiveMode::Recursive);
        // Spares the events of every temporary file. Where it is not watched there is nothing to spare.
        let _ = watcher.unwatch(&root.join(PRIVATE));
        begun
    };
    Ok((watcher, begun.err().map(|error| warn(side, error))))
}

fn warn(side: Side, error: notify::Error) -> WatchWarning {
    match error.kind {
        ErrorKind::MaxFilesWatch => WatchWarning::TooManyDirectories { side },
        _ => WatchWarning::Failed { side, source: error },
    }
}

/// What happens in a new directory before it is watched is not told, so it is looked at once more as soon as it is.
/// Ends when the watcher is dropped.
fn follow_new_directories(
    side: Side,
    added: mpsc::Receiver<String>,
    watcher: Weak<Mutex<RecommendedWatcher>>,
    send: Arc<Sink>,
) -> std::io::Result<()> {
    let follow = move || {
        while let Ok(first) = added.recv() {
            let Some(watcher) = watcher.upgrade() else { return };
            // The watcher answers after it has dealt with every event that it had read, and so after it has begun to
            // watch the directories that those told of.
            let answered =
                watcher.lock().unwrap_or_else(PoisonError::into_inner).configure(Config::default());
            drop(watcher);
            if answered.is_err() {
                return;
            }
            send(side, Hint::Tree(first));
        }
    };
    std::thread::Builder::new().name("new directories".into()).spawn(follow).map(drop)
}

/// Turns one side's events into hints.
struct Translator {
    side: Side,
    root: PathBuf,
    send: Arc<Sink>,
    new_directories: mpsc::Sender<String>,
    warned: AtomicBool,
}

impl Translator {
    fn handle(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) if event.need_rescan() => self.hint(Hint::Everything),
            Ok(event) => self.translate(&event),
            // A watch that could not be added, or a queue that could not be read: something may be missed.
            Err(error) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(side = ?self.side, kind = ?error.kind, "not every change is told");
                }
                self.hint(Hint::Everything);
            }
        }
    }

    fn translate(&self, event: &Event) {
        let Some(change) = Change::of(event.kind) else { return };
        for path in &event.paths {
            let Ok(relative) = path.strip_prefix(&self.root) else { continue };
            match self.side {
                Side::Work => self.translate_work(relative, path, change),
                Side::Encrypted => self.translate_encrypted(relative, path, change),
            }
        }
    }

    fn translate_work(&self, relative: &Path, path: &Path, change: Change) {
        let Some(name) = relative.file_name() else {
            // The root itself was changed, moved or removed.
            return self.hint(Hint::Everything);
        };
        let parent = relative.parent().unwrap_or(Path::new(""));
        let first = relative.components().next().map(|first| first.as_os_str().to_string_lossy());
        let is_private = first.is_some_and(|first| first == PRIVATE);
        // As for a scan, only files and links are passed over by their names.
        let is_directory = change == Change::DirectoryGone || path.is_dir();
        if is_private || (!is_directory && is_ignored(false, &name.to_string_lossy())) {
            return;
        }
        let Some(parent) = relative_text(parent) else { return self.hint(Hint::Everything) };
        self.hint(Hint::Directory(parent));
        self.follow(relative, path, change);
    }

    fn translate_encrypted(&self, relative: &Path, path: &Path, change: Change) {
        let Some(name) = relative.file_name().map(|name| name.to_string_lossy()) else {
            return self.hint(Hint::Everything);
        };
        let is_hidden = |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
        if relative.components().any(is_hidden) {
            return;
        }
        match relative_text(relative) {
            Some(relative) if is_object_name(&name) => self.hint(Hint::Object(relative)),
            // Whether what is gone was a directory, only the event knows.
            Some(relative) if change == Change::DirectoryGone => self.hint(Hint::Tree(relative)),
            Some(_) => self.follow(relative, path, change),
            None => self.hint(Hint::Everything),
        }
    }

    /// A directory that came is looked at now, and again when it is watched.
    fn follow(&self, relative: &Path, path: &Path, change: Change) {
        let came = match change {
            Change::DirectoryCame => true,
            Change::Came => path.symlink_metadata().is_ok_and(|found| found.is_dir()),
            Change::Other | Change::DirectoryGone => false,
        };
        if let (true, Some(relative)) = (came, relative_text(relative)) {
            self.hint(Hint::Tree(relative.clone()));
            // The receiver ends only with the watcher.
            let _ = self.new_directories.send(relative);
        }
    }

    fn hint(&self, hint: Hint) {
        (self.send)(self.side, hint);
    }
}

/// What an event says, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A new directory.
    DirectoryCame,
    /// Something was moved here, a directory perhaps.
    Came,
    /// A directory was removed or moved away, perhaps.
    DirectoryGone,
    /// Anything else that a look would show.
    Other,
}

impl Change {
    /// `None` for what changes nothing: opening and reading, which scans do all the time.
    fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Self::Other),
            EventKind::Access(_) => None,
            EventKind::Create(CreateKind::Folder) => Some(Self::DirectoryCame),
            // Windows does not say what came.
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) | EventKind::Create(CreateKind::Any) => {
                Some(Self::Came)
            }
            // Both halves were told already.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
            EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(RemoveKind::Folder | RemoveKind::Any) => Some(Self::DirectoryGone),
            _ => Some(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    struct Watched {
        work: tempfile::TempDir,
        encrypted: tempfile::TempDir,
        hints: mpsc::Receiver<(Side, Hint)>,
        _watch: Watch,
    }

    fn watched() -> Watched {
        let work = tempfile::tempdir().unwrap();
        let encrypted = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join(".ensafer/tmp")).unwrap();
        fs::create_dir(work.path().join("sub")).unwrap();
        let (sender, hints) = mpsc::channel();
        let sender = Mutex::new(sender);
        let (watch, warnings) = Watch::new(work.path(), encrypted.path(), move |side, hint| {
            let _ = sender.lock().unwrap().send((side, hint));
        });
        assert!(warnings.is_empty(), "{warnings:?}");
        Watched { work, encrypted, hints, _watch: watch }
    }

    impl Watched {
        /// Every hint until the wanted one.
        fn until(&self, side: Side, wanted: &Hint) -> Vec<(Side, Hint)> {
            let mut seen = Vec::new();
            loop {
                let hint = self.hints.recv_timeout(Duration::from_secs(20));
                let hint = hint.unwrap_or_else(|_| panic!("no {wanted:?}, only {seen:?}"));
                let is_last = hint.0 == side && hint.1 == *wanted;
                seen.push(hint);
                if is_last {
                    return seen;
                }
            }
        }
    }

    fn directory(path: &str) -> Hint {
        Hint::Directory(path.into())
    }

    #[test]
    fn changes_are_hinted_and_reading_is_not() {
        let w = watched();
        fs::write(w.work.path().join("sub/file"), b"1").unwrap();
        w.until(Side::Work, &directory("sub"));
        fs::write(w.work.path().join("last"), b"1").unwrap();
        w.until(Side::Work, &directory(""));
        fs::read(w.work.path().join("sub/file")).unwrap();
        fs::read_dir(w.work.path().join("sub")).unwrap().count();
        fs::remove_file(w.work.path().join("last")).unwrap();
        let seen = w.until(Side::Work, &directory(""));
        assert!(seen.iter().all(|(_, hint)| *hint == directory("")), "{seen:?}");
    }

    #[test]
    fn a_new_or_moved_in_directory_is_looked_at_once_more_when_it_is_watched() {
        let w = watched();
        let elsewhere = tempfile::tempdir_in(w.work.path().parent().unwrap()).unwrap();
        fs::create_dir_all(elsewhere.path().join("in/deep")).unwrap();
        fs::rename(elsewhere.path().join("in"), w.work.path().join("in")).unwrap();
        let tree = Hint::Tree("in".into());
        w.until(Side::Work, &tree);
        w.until(Side::Work, &tree);
        // Watched by now, whatever was missed before.
        fs::write(w.work.path().join("in/deep/file"), b"1").unwrap();
        w.until(Side::Work, &directory("in/deep"));
        fs::create_dir(w.work.path().join("made")).unwrap();
        let tree = Hint::Tree("made".into());
        w.until(Side::Work, &tree);
        w.until(Side::Work, &tree);
    }

    #[test]
    fn own_and_ignored_files_are_not_hinted() {
        let w = watched();
        fs::write(w.work.path().join(".ensafer/tmp/1"), b"1").unwrap();
        fs::write(w.work.path().join("sub/~$x.docx"), b"1").unwrap();
        fs::write(w.work.path().join("sub/desktop.ini"), b"1").unwrap();
        fs::write(w.encrypted.path().join(".~ensafer-1-2.tmp"), b"1").unwrap();
        fs::write(w.encrypted.path().join("other.txt"), b"1").unwrap();
        fs::write(w.encrypted.path().join("ab.ensafer"), b"1").unwrap();
        let object = Hint::Object("ab.ensafer".into());
        let seen = w.until(Side::Encrypted, &object);
        assert!(seen.iter().all(|hint| *hint == (Side::Encrypted, object.clone())), "{seen:?}");
        fs::write(w.work.path().join("end"), b"1").unwrap();
        let seen = w.until(Side::Work, &directory(""));
        assert!(!seen.contains(&(Side::Work, directory("sub"))), "{seen:?}");
    }

    #[test]
    fn an_overflow_asks_to_look_at_everything() {
        let (sender, hints) = mpsc::channel();
        let sender = Mutex::new(sender);
        let translator = Translator {
            side: Side::Work,
            root: PathBuf::from("/r"),
            send: Arc::new(move |_, hint| sender.lock().unwrap().send(hint).unwrap()),
            new_directories: mpsc::channel().0,
            warned: AtomicBool::new(false),
        };
        translator.handle(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
        translator.handle(Err(notify::Error::new(ErrorKind::MaxFilesWatch)));
        assert_eq!(hints.try_iter().collect::<Vec<_>>(), [Hint::Everything, Hint::Everything]);
    }

    #[test]
    fn a_root_that_is_not_there_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let (_watch, warnings) = Watch::new(dir.path(), &dir.path().join("none"), |_, _| {});
        assert!(matches!(warnings[..], [WatchWarning::Failed { side: Side::Encrypted, .. }]));
    }
}
