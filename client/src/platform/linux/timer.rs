//! A wait that goes on while the computer sleeps: a timerfd by `CLOCK_BOOTTIME`. The clock of
//! [`Instant`](std::time::Instant) stands still meanwhile, and so does every wait by it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// A time to come. Its descriptor is readable from then on, for whoever waits for several things.
#[derive(Debug)]
pub struct Timer(OwnedFd);

impl Timer {
    /// `duration` from now.
    ///
    /// # Errors
    /// The process has too many descriptors, or no clock goes on for so long.
    pub fn after(duration: Duration) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
        // Nothing at all would mean that it never comes.
        let value = Timespec::try_from(duration.max(Duration::from_nanos(1))).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(Self(timer))
    }

    /// Sleeps until it has come.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(self) -> io::Result<()> {
        let mut count = [0; 8];
        loop {
            match rustix::io::read(&self.0, &mut count) {
                Err(Errno::INTR) => {}
                read => return Ok(read.map(drop)?),
            }
        }
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_goes_on_while_the_computer_sleeps() {
        let timer = Timer::after(Duration::from_secs(3600)).unwrap();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", timer.as_raw_fd())).unwrap();
        // <linux/time.h>: CLOCK_BOOTTIME.
        assert!(info.lines().any(|line| line == "clockid: 7"), "{info}");
        let left = info.lines().find(|line| line.starts_with("it_value:")).unwrap();
        assert!(left.contains("(3599,") || left.contains("(3600,"), "{left}");
    }

    #[test]
    fn what_is_to_come_at_once_comes() {
        Timer::after(Duration::ZERO).unwrap().wait().unwrap();
    }
}
