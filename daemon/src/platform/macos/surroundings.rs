//! Whether the computer runs on battery power: `IOKit`, asked again whenever notifyd says that the source of power has
//! changed. Whether its network is metered: Network.framework's path monitor, which calls such a network expensive (mobile
//! networks, a telephone's hotspot) or constrained (the user has chosen Low Data Mode for it).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use block2::{Block, RcBlock};

use crate::pauses::Surroundings;

/// `IOKit/ps/IOPowerSources.h`: `kIOPSNotifyPowerSource`.
const SOURCE_CHANGED: &CStr = c"com.apple.system.powersources.source";
/// The same: `kIOPSTimeRemainingUnlimited`. While it runs on a battery the time is more, or -1 as long as it is unknown.
const UNLIMITED: f64 = -2.0;
/// notify.h: `NOTIFY_STATUS_OK`.
const NOTIFY_STATUS_OK: u32 = 0;
/// Bytes that notifyd sends each time: the number of the subscription.
const NOTICE_BYTES: usize = 4;

/// What tells of the network runs in it.
const QUEUE: &CStr = c"ensafer.network";

/// What has changed, perhaps.
#[derive(Debug, Clone, Copy)]
enum Change {
    OnBattery(bool),
    IsMetered(bool),
}

/// Tells where the computer is as far as it is `wanted`: once it is known, and whenever it changes. What the system does not
/// say does not speak against syncing. `tell` is dropped when there is nothing to tell any more.
///
/// # Errors
/// No thread can be made.
pub fn watch_surroundings(
    wanted: Surroundings,
    tell: impl FnMut(Surroundings) + Send + 'static,
) -> io::Result<()> {
    if wanted == Surroundings::default() {
        return Ok(());
    }
    let (send, changes) = channel();
    thread::Builder::new().name("surroundings".into()).spawn(move || follow(wanted, &changes, tell))?;
    if wanted.is_metered {
        watch_network(send.clone());
    }
    if wanted.on_battery {
        thread::Builder::new().name("power".into()).spawn(move || watch_power(&send))?;
    }
    Ok(())
}

/// Follows the changes until nobody is left who would tell of any.
fn follow(wanted: Surroundings, changes: &Receiver<Change>, mut tell: impl FnMut(Surroundings)) {
    // What is not wanted is never true.
    let mut on_battery = (!wanted.on_battery).then_some(false);
    let mut is_metered = (!wanted.is_metered).then_some(false);
    let mut told = None;
    for change in changes {
        match change {
            Change::OnBattery(now) => on_battery = Some(now),
            Change::IsMetered(now) => is_metered = Some(now),
        }
        if let (Some(on_battery), Some(is_metered)) = (on_battery, is_metered) {
            let now = Surroundings { on_battery, is_metered };
            if told.replace(now) != Some(now) {
                tell(now);
            }
        }
    }
    tell(Surroundings::default());
}

/// Sends what `IOKit` says now, and again after each notice.
fn watch_power(send: &Sender<Change>) {
    let notices = source_notices();
    // The subscription is older than the first answer, so that no change is missed.
    let tell = |now| send.send(Change::OnBattery(now)).is_ok();
    let Some(mut notices) = notices else {
        tracing::info!("the system does not say when it runs on battery");
        tell(false);
        return;
    };
    let mut notice = [0; NOTICE_BYTES];
    while tell(is_on_battery()) {
        if let Err(error) = notices.read_exact(&mut notice) {
            tracing::debug!(%error, "why the system does not say any more when it runs on battery");
            tell(false);
            return;
        }
    }
}

fn is_on_battery() -> bool {
    // SAFETY: takes nothing and returns a number.
    #[expect(unsafe_code, reason = "a C function")]
    let left = unsafe { IOPSGetTimeRemainingEstimate() };
    left > UNLIMITED
}

/// Where notifyd writes whenever the source of power changes; `None` if it does not.
fn source_notices() -> Option<File> {
    let (mut descriptor, mut token) = (-1, -1);
    // SAFETY: the name ends with a NUL, and both numbers live for as long as the call.
    #[expect(unsafe_code, reason = "a C function")]
    let status = unsafe {
        notify_register_file_descriptor(SOURCE_CHANGED.as_ptr(), &raw mut descriptor, 0, &raw mut token)
    };
    // SAFETY: it was opened for this subscription, which is never cancelled and has it for itself.
    #[expect(unsafe_code, reason = "the descriptor comes from C")]
    (status == NOTIFY_STATUS_OK && descriptor >= 0).then(|| unsafe { File::from_raw_fd(descriptor) })
}

/// Has the system send what it says of the network: now, and whenever another way out is taken. For as long as the process
/// lives.
fn watch_network(send: Sender<Change>) {
    let handler = RcBlock::new(move |path: *mut c_void| {
        // SAFETY: the monitor lends a path for as long as this runs.
        #[expect(unsafe_code, reason = "C functions")]
        let is_metered = unsafe { nw_path_is_expensive(path) || nw_path_is_constrained(path) };
        // Whoever listens may have ended.
        let _ = send.send(Change::IsMetered(is_metered));
    });
    // SAFETY: the monitor and its queue are new and live on. It has everything it needs before it starts, and copies the
    // handler, which the queue runs in other threads, one call after the other: what it holds may be sent there.
    #[expect(unsafe_code, reason = "C functions")]
    unsafe {
        let monitor = nw_path_monitor_create();
        nw_path_monitor_set_queue(monitor, dispatch_queue_create(QUEUE.as_ptr(), std::ptr::null()));
        nw_path_monitor_set_update_handler(monitor, &handler);
        nw_path_monitor_start(monitor);
    }
}

#[expect(unsafe_code, reason = "no crate has it without all of IOKit")]
#[link(name = "IOKit", kind = "framework")]
unsafe extern "C" {
    /// `IOKit/ps/IOPowerSources.h`: seconds.
    fn IOPSGetTimeRemainingEstimate() -> f64;
}

// `Network/path_monitor.h` and `Network/path.h`, since macOS 10.15.
#[expect(unsafe_code, reason = "no crate has it without all of Network.framework")]
#[link(name = "Network", kind = "framework")]
unsafe extern "C" {
    fn nw_path_monitor_create() -> *mut c_void;
    fn nw_path_monitor_set_queue(monitor: *mut c_void, queue: *mut c_void);
    fn nw_path_monitor_set_update_handler(monitor: *mut c_void, handler: &Block<dyn Fn(*mut c_void)>);
    fn nw_path_monitor_start(monitor: *mut c_void);
    fn nw_path_is_expensive(path: *mut c_void) -> bool;
    fn nw_path_is_constrained(path: *mut c_void) -> bool;
}

#[expect(unsafe_code, reason = "the libc crate does not have them")]
unsafe extern "C" {
    /// notify.h.
    fn notify_register_file_descriptor(
        name: *const c_char,
        descriptor: *mut c_int,
        flags: c_int,
        token: *mut c_int,
    ) -> u32;
    /// dispatch/queue.h. Without attributes it runs one thing after the other.
    fn dispatch_queue_create(label: *const c_char, attributes: *const c_void) -> *mut c_void;
}
