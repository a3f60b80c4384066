//! What the system says of the computer: whether it runs on battery power, and whether its network is metered.
//!
//! A notification is a hint only: it makes this ask again.

use std::ffi::c_void;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{io, ptr, thread};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE};
use windows_sys::Win32::Networking::WinSock::{
    NL_NETWORK_CONNECTIVITY_HINT, NetworkConnectivityCostHintFixed, NetworkConnectivityCostHintVariable,
};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::Win32::System::Power::{
    DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, GetSystemPowerStatus, PowerSettingRegisterNotification,
    SYSTEM_POWER_STATUS,
};
use windows_sys::Win32::System::SystemServices::GUID_ACDC_POWER_SOURCE;
use windows_sys::Win32::UI::WindowsAndMessaging::DEVICE_NOTIFY_CALLBACK;
use windows_sys::core::w;

use crate::pauses::Surroundings;

/// `SYSTEM_POWER_STATUS.ACLineStatus`: offline, so on battery. Online is 1, unknown is 255.
const AC_OFFLINE: u8 = 0;

/// Tells where the computer is as far as it is `wanted`: once it is known, and whenever it changes. What the system says
/// nothing of does not speak against syncing.
///
/// # Errors
/// No thread can be made.
pub fn watch_surroundings(
    wanted: Surroundings,
    mut tell: impl FnMut(Surroundings) + Send + 'static,
) -> io::Result<()> {
    if wanted == Surroundings::default() {
        return Ok(());
    }
    // One that is not taken yet stands for all that come after it.
    let (wake, woken) = sync_channel(1);
    let watch = move || {
        let network = if wanted.is_metered { Network::find() } else { None };
        listen(&wake, wanted.on_battery, network);
        let mut told = None;
        loop {
            let is_metered = network.is_some_and(Network::is_metered);
            let now = Surroundings { on_battery: wanted.on_battery && on_battery(), is_metered };
            if told.replace(now) != Some(now) {
                tell(now);
            }
            // Never an error: this has one end of the channel itself.
            if woken.recv().is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("surroundings".to_owned()).spawn(watch).map(drop)
}

/// Has `wake` hear of every change, for as long as the process runs.
fn listen(wake: &SyncSender<()>, power: bool, network: Option<Network>) {
    let wake: &'static SyncSender<()> = Box::leak(Box::new(wake.clone()));
    let is_heard = !power || listen_to_power(wake);
    let is_heard = network.is_none_or(|network| network.listen(wake)) && is_heard;
    if !is_heard {
        tracing::info!("the system does not say when its power or its network changes");
    }
}

fn on_battery() -> bool {
    let mut status = SYSTEM_POWER_STATUS::default();
    // SAFETY: fills the structure, which lives until the call returns.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let is_known = unsafe { GetSystemPowerStatus(&raw mut status) } != 0;
    is_known && status.ACLineStatus == AC_OFFLINE
}

fn listen_to_power(wake: &'static SyncSender<()>) -> bool {
    let mut parameters = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS {
        Callback: Some(power_changed),
        Context: ptr::from_ref(wake).cast_mut().cast(),
    };
    let mut registration = ptr::null_mut();
    // SAFETY: with DEVICE_NOTIFY_CALLBACK the recipient is a pointer to these parameters, which are read before the call
    // returns. The callback's context is never freed.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let registered = unsafe {
        PowerSettingRegisterNotification(
            &GUID_ACDC_POWER_SOURCE,
            DEVICE_NOTIFY_CALLBACK,
            (&raw mut parameters).cast(),
            &raw mut registration,
        )
    };
    registered == ERROR_SUCCESS
}

/// # Safety
/// `context` is the sender that was registered.
#[expect(unsafe_code, reason = "the system calls it")]
unsafe extern "system" fn power_changed(context: *const c_void, _kind: u32, _setting: *const c_void) -> u32 {
    // SAFETY: see above; nothing changes it.
    let wake: &SyncSender<()> = unsafe { &*context.cast() };
    // A full channel will be heard.
    let _ = wake.try_send(());
    ERROR_SUCCESS
}

type GetHint = unsafe extern "system" fn(*mut NL_NETWORK_CONNECTIVITY_HINT) -> u32;
type HintChanged = unsafe extern "system" fn(*const c_void, NL_NETWORK_CONNECTIVITY_HINT);
type NotifyHintChange = unsafe extern "system" fn(HintChanged, *const c_void, u8, *mut HANDLE) -> u32;

/// What says how costly the network is: `iphlpapi.dll` has it since version 2004 of Windows 10.
#[derive(Debug, Clone, Copy)]
struct Network {
    get: GetHint,
    notify: NotifyHintChange,
}

impl Network {
    fn find() -> Option<Self> {
        // SAFETY: names end with a NUL. The library is the system's own and stays loaded. The functions have these types,
        // as netioapi.h declares them (a BOOLEAN is a byte).
        #[expect(
            unsafe_code,
            reason = "older systems do not have these functions, and would not start this program"
        )]
        unsafe {
            let library = LoadLibraryExW(w!("iphlpapi.dll"), ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32);
            if library.is_null() {
                return None;
            }
            let get = GetProcAddress(library, c"GetNetworkConnectivityHint".as_ptr().cast())?;
            let notify = GetProcAddress(library, c"NotifyNetworkConnectivityHintChange".as_ptr().cast())?;
            Some(Self {
                get: std::mem::transmute::<unsafe extern "system" fn() -> isize, GetHint>(get),
                notify: std::mem::transmute::<unsafe extern "system" fn() -> isize, NotifyHintChange>(notify),
            })
        }
    }

    /// `ConnectivityCost`: by volume, or until some volume is used up.
    fn is_metered(self) -> bool {
        let mut hint = NL_NETWORK_CONNECTIVITY_HINT::default();
        // SAFETY: fills the structure, which lives until the call returns.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let is_known = unsafe { (self.get)(&raw mut hint) } == ERROR_SUCCESS;
        let metered = [NetworkConnectivityCostHintFixed, NetworkConnectivityCostHintVariable];
        is_known && metered.contains(&hint.ConnectivityCost)
    }

    fn listen(self, wake: &'static SyncSender<()>) -> bool {
        let mut registration = ptr::null_mut();
        // SAFETY: the callback's context is never freed; the handle is written before the call returns.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let registered =
            unsafe { (self.notify)(network_changed, ptr::from_ref(wake).cast(), 0, &raw mut registration) };
        registered == ERROR_SUCCESS
    }
}

/// # Safety
/// `context` is the sender that was registered.
#[expect(unsafe_code, reason = "the system calls it")]
unsafe extern "system" fn network_changed(context: *const c_void, _hint: NL_NETWORK_CONNECTIVITY_HINT) {
    // SAFETY: see above; nothing changes it.
    let wake: &SyncSender<()> = unsafe { &*context.cast() };
    // A full channel will be heard.
    let _ = wake.try_send(());
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_wanted_is_never_true_and_the_first_word_comes() {
        let (told, heard) = channel();
        let wanted = Surroundings { on_battery: false, is_metered: true };
        watch_surroundings(wanted, move |now| told.send(now).unwrap()).unwrap();
        assert!(!heard.recv_timeout(Duration::from_secs(60)).unwrap().on_battery);
        let (told, heard) = channel::<Surroundings>();
        watch_surroundings(Surroundings::default(), move |now| told.send(now).unwrap()).unwrap();
        assert!(heard.recv().is_err());
    }
}
