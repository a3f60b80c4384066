//! Waiting for a timer among other things.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::ptr;

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

/// A wait of one of the system's threads for a handle, which ends with this.
struct Wait<T> {
    registration: HANDLE,
    /// Told when the handle is signaled. Has its own place: the system's thread knows it by its address.
    come: Box<Notify>,
    /// Open for as long as it is waited for.
    _timer: T,
}

// SAFETY: the registration is a handle that any thread may use, and is used once, by whoever drops this.
#[expect(unsafe_code, reason = "the system calls a handle a pointer")]
unsafe impl<T: Send> Send for Wait<T> {}
// SAFETY: nothing is done with the registration by reference.
#[expect(unsafe_code, reason = "the system calls a handle a pointer")]
unsafe impl<T: Sync> Sync for Wait<T> {}

impl<T: AsHandle> Wait<T> {
    fn begin(timer: T) -> io::Result<Self> {
        let come = Box::new(Notify::new());
        let mut registration = ptr::null_mut();
        // SAFETY: the handle and what `come` points to are there until the wait is over: see Drop.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let is_begun = unsafe {
            RegisterWaitForSingleObject(
                &raw mut registration,
                timer.as_handle().as_raw_handle(),
                Some(signaled),
                ptr::from_ref(&*come).cast(),
                INFINITE,
                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD,
            )
        };
        if is_begun == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { registration, come, _timer: timer })
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        // SAFETY: registered once and unregistered here only. It waits for a callback that is under way, which never waits
        // for this thread.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        unsafe {
            UnregisterWaitEx(self.registration, INVALID_HANDLE_VALUE);
        }
    }
}

/// # Safety
/// `context` is a [`Notify`] that outlives the call.
#[expect(unsafe_code, reason = "the system calls it")]
unsafe extern "system" fn signaled(context: *mut c_void, _timed_out: bool) {
    // SAFETY: see above.
    let come: &Notify = unsafe { &*context.cast_const().cast() };
    // One that comes before anybody waits is kept for him.
    come.notify_one();
}

/// What is ready when `timer` has come.
///
/// # Errors
/// The system has no more threads to wait with.
pub(super) fn when_signaled(
    timer: impl AsHandle + Send + Sync,
) -> io::Result<impl Future<Output = ()> + Send> {
    let wait = Wait::begin(timer)?;
    Ok(async move { wait.come.notified().await })
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::{FromRawHandle, OwnedHandle};

    use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};

    use super::*;

    fn event() -> OwnedHandle {
        // SAFETY: no pointer is needed; the handle is new and nobody else's.
        #[expect(unsafe_code, reason = "no safe function makes one")]
        unsafe {
            OwnedHandle::from_raw_handle(CreateEventW(ptr::null(), 1, 0, ptr::null()))
        }
    }

    #[test]
    fn it_is_ready_when_the_handle_is_signaled_and_may_be_given_up_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        drop(when_signaled(event()).unwrap());
        let event = event();
        let other = event.try_clone().unwrap();
        let wait = when_signaled(event).unwrap();
        // SAFETY: the handle is open.
        #[expect(unsafe_code, reason = "no safe function does it")]
        unsafe {
            SetEvent(other.as_raw_handle());
        }
        runtime.block_on(wait);
    }
}
