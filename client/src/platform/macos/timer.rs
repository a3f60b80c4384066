//! A wait that goes on while the computer sleeps: a timer of kqueue(2) by the continuous clock. The clock of
//! [`Instant`](std::time::Instant) stands still meanwhile, and so does every wait by it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// A timer that comes once.
#[derive(Debug)]
pub struct Timer(OwnedFd);

impl Timer {
    /// Comes after `duration`, at once if that is zero.
    ///
    /// # Errors
    /// The system has no more timers or descriptors.
    pub fn after(duration: Duration) -> io::Result<Self> {
        // SAFETY: takes nothing, and what it returns is nobody else's.
        #[expect(unsafe_code, reason = "rustix's timers of kqueue know no clock")]
        let queue = match unsafe { libc::kqueue() } {
            -1 => return Err(io::Error::last_os_error()),
            queue => unsafe { OwnedFd::from_raw_fd(queue) },
        };
        let once = libc::kevent {
            ident: 0,
            filter: libc::EVFILT_TIMER,
            flags: libc::EV_ADD | libc::EV_ONESHOT,
            fflags: libc::NOTE_NSECONDS | libc::NOTE_MACH_CONTINUOUS_TIME,
            data: isize::try_from(duration.as_nanos()).unwrap_or(isize::MAX),
            udata: ptr::null_mut(),
        };
        let timer = Self(queue);
        timer.exchange(&[once], &mut [])?;
        Ok(timer)
    }

    /// Returns when it has come.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn wait(self) -> io::Result<()> {
        let nothing =
            libc::kevent { ident: 0, filter: 0, flags: 0, fflags: 0, data: 0, udata: ptr::null_mut() };
        loop {
            match self.exchange(&[], &mut [nothing]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => {}
                come => return come.map(drop),
            }
        }
    }

    fn exchange(&self, changes: &[libc::kevent], events: &mut [libc::kevent]) -> io::Result<usize> {
        let length = |events: usize| i32::try_from(events).expect("there is one at most");
        // SAFETY: the descriptor is open for as long as `self` is, both slices have the lengths that are said, and a null
        // pointer for the time means to wait without end (at once where no event is asked for).
        #[expect(unsafe_code, reason = "rustix's timers of kqueue know no clock")]
        let returned = unsafe {
            libc::kevent(
                self.0.as_raw_fd(),
                changes.as_ptr(),
                length(changes.len()),
                events.as_mut_ptr(),
                length(events.len()),
                ptr::null(),
            )
        };
        usize::try_from(returned).map_err(|_| io::Error::last_os_error())
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
