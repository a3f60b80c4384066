//! A wait that goes on while the computer sleeps: a waitable timer until a time of day, because one for a duration
//! stands still meanwhile (SetWaitableTimer, "Remarks").

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Threading::{
    CreateWaitableTimerExW, INFINITE, SetWaitableTimer, TIMER_ALL_ACCESS, WaitForSingleObject,
};

/// Seconds from 1601, with which a FILETIME begins, to 1970.
const UNIX_EPOCH_S: u64 = 11_644_473_600;
/// A FILETIME counts 100 nanoseconds.
const TICKS_PER_S: u64 = 10_000_000;

/// A time to come. Its handle is signalled from then on, for whoever waits for several things.
#[derive(Debug)]
pub struct Timer(OwnedHandle);

impl Timer {
    /// `duration` from now.
    ///
    /// # Errors
    /// The process has too many handles, or no clock goes on for so long.
    pub fn after(duration: Duration) -> io::Result<Self> {
        let due = due(SystemTime::now(), duration).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: neither attributes nor a name are given, and the handle that comes back is nobody else's.
        #[expect(unsafe_code, reason = "std has no timers")]
        let timer = unsafe {
            let created = CreateWaitableTimerExW(ptr::null(), ptr::null(), 0, TIMER_ALL_ACCESS);
            if created.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(created)
        };
        // SAFETY: the handle is open, `due` outlives the call, and there is no routine to be called.
        #[expect(unsafe_code, reason = "std has no timers")]
        let set = unsafe { SetWaitableTimer(timer.as_raw_handle(), &raw const due, 0, None, ptr::null(), 0) };
        if set == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(timer)) }
    }

    /// Sleeps until it has come.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(self) -> io::Result<()> {
        // SAFETY: the handle is open until this returns.
        #[expect(unsafe_code, reason = "std has no timers")]
        let waited = unsafe { WaitForSingleObject(self.0.as_raw_handle(), INFINITE) };
        if waited == WAIT_OBJECT_0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsHandle for Timer {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// The FILETIME at which `duration` from `now` is over; negative ones would be durations.
fn due(now: SystemTime, duration: Duration) -> Option<i64> {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_add(duration)?;
    let seconds = since.as_secs().checked_add(UNIX_EPOCH_S)?;
    let ticks = seconds.checked_mul(TICKS_PER_S)?.checked_add(u64::from(since.subsec_nanos() / 100))?;
    i64::try_from(ticks).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1601() {
        let second = Duration::from_secs(1);
        assert_eq!(due(SystemTime::UNIX_EPOCH, second), Some(116_444_736_010_000_000));
        assert_eq!(due(SystemTime::UNIX_EPOCH, Duration::MAX), None);
    }

    #[test]
    fn what_is_to_come_at_once_comes() {
        Timer::after(Duration::ZERO).unwrap().wait().unwrap();
    }
}
