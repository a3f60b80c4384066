//! Whether directories stay where they are. A watch on what is *in* a directory says nothing when a directory above it is
//! moved away.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::event::kqueue::{
    Event, EventFilter, EventFlags, UserDefinedFlags, UserFlags, VnodeEvents, kevent, kqueue,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Opens a directory only to be told of it, so that its disk can still be taken out: `open(2)`.
const EVENTS_ONLY: OFlags = OFlags::from_bits_retain(libc::O_EVTONLY.cast_unsigned());

/// Events that are read at once.
const EVENTS: usize = 16;

/// Watches where directories are, until it is dropped.
#[derive(Debug)]
pub struct Places {
    queue: Arc<Queue>,
}

/// Events of directories, and the end.
#[derive(Debug)]
struct Queue {
    queue: OwnedFd,
    /// Held open for as long as their events are wanted.
    directories: Vec<OwnedFd>,
}

impl Places {
    /// Begins to watch. `tell` is called from a thread of its own whenever one of `directories`, or a directory above one,
    /// is moved; also when one is removed or unmounted. What may not be watched is left out.
    ///
    /// # Errors
    /// The process has too many descriptors, or the system no more threads.
    pub fn watch(directories: &[&Path], tell: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let places: BTreeSet<&Path> =
            directories.iter().flat_map(|directory| directory.ancestors()).collect();
        let flags = EVENTS_ONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directories = Vec::new();
        for place in places {
            match rustix::fs::open(place, flags, Mode::empty()) {
                Ok(directory) => directories.push(directory),
                Err(error @ (Errno::MFILE | Errno::NFILE)) => return Err(error.into()),
                Err(_) => {}
            }
        }
        let queue = Arc::new(Queue { queue: kqueue()?, directories });
        queue.subscribe()?;
        let events = Arc::clone(&queue);
        // From here on dropping this ends the thread.
        let places = Self { queue };
        std::thread::Builder::new().name("places".into()).spawn(move || events.listen(tell))?;
        Ok(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        // It cannot fail: there is such an event.
        let _ = self.queue.change(end(UserFlags::TRIGGER), EventFlags::empty());
    }
}

/// What ends the thread.
fn end(flags: UserFlags) -> EventFilter {
    EventFilter::User { ident: 0, flags, user_flags: UserDefinedFlags::new(0) }
}

impl Queue {
    fn subscribe(&self) -> rustix::io::Result<()> {
        let flags = EventFlags::ADD | EventFlags::CLEAR;
        self.change(end(UserFlags::empty()), flags)?;
        let wanted = VnodeEvents::RENAME | VnodeEvents::DELETE | VnodeEvents::REVOKE;
        for directory in &self.directories {
            // Not every file system has them.
            let _ = self.change(EventFilter::Vnode { vnode: directory.as_raw_fd(), flags: wanted }, flags);
        }
        Ok(())
    }

    fn change(&self, filter: EventFilter, flags: EventFlags) -> rustix::io::Result<()> {
        let change = Event::new(filter, flags, std::ptr::null_mut());
        let mut none: [MaybeUninit<Event>; 0] = [];
        // SAFETY: the descriptors of all events are in here, and live for as long as the queue.
        #[expect(unsafe_code, reason = "rustix cannot know whose the descriptors are")]
        unsafe { kevent(&self.queue, &[change], &mut none, None) }.map(drop)
    }

    /// Listens until the end is told.
    fn listen(&self, tell: impl Fn()) {
        let mut buffer = [const { MaybeUninit::<Event>::uninit() }; EVENTS];
        loop {
            // SAFETY: nothing is changed.
            #[expect(unsafe_code, reason = "rustix cannot know whose the descriptors are")]
            let read = unsafe { kevent(&self.queue, &[], &mut buffer, None) };
            match read {
                Ok((events, _)) => {
                    for event in events {
                        if matches!(event.filter(), EventFilter::User { .. }) {
                            return;
                        }
                        tell();
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}
