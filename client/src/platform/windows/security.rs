//! Who may do what: this user, and nobody else but the system.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, GetSecurityInfo,
    SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SetSecurityInfo,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetTokenInformation,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, TOKEN_QUERY,
    TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::wide;

/// Longer than any user's TOKEN_USER: a SID has at most 68 bytes (SECURITY_MAX_SID_SIZE).
const TOKEN_USER_BYTES: usize = 256;

/// A security descriptor with the access list of what is private: all for this user and for the system, nothing for
/// anybody else, nothing inherited from above, all inherited by what lies in it.
#[derive(Debug)]
pub(super) struct Private(PSECURITY_DESCRIPTOR);

// SAFETY: nothing changes it once it is made, and it is freed once.
#[expect(unsafe_code, reason = "it is a pointer of the system's")]
unsafe impl Send for Private {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "it is a pointer of the system's")]
unsafe impl Sync for Private {}

impl Private {
    /// For this process's user.
    ///
    /// # Errors
    /// The system does not say who that is.
    pub(super) fn new() -> io::Result<Self> {
        let user = own_user()?;
        // Security Descriptor Definition Language: the owner, who is the group of administrators otherwise where one of those is
        // logged in; a protected DACL; all of it for the user and for LocalSystem, inherited by
        // files and directories below.
        let text = wide(format!("O:{user}D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)"));
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a zero, and the pointer is filled with what is freed in `drop`.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        checked(made)?;
        Ok(Self(descriptor))
    }

    /// For SECURITY_ATTRIBUTES, as long as this lives.
    pub(super) const fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.0
    }

    /// The access list in the Security Descriptor Definition Language.
    fn text(&self) -> io::Result<String> {
        let mut text = ptr::null_mut();
        // SAFETY: the descriptor is whole, and the text's place outlives the call; its length is not asked for.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let got = unsafe {
            ConvertSecurityDescriptorToStringSecurityDescriptorW(
                self.0,
                SDDL_REVISION_1,
                DACL_SECURITY_INFORMATION,
                &raw mut text,
                ptr::null_mut(),
            )
        };
        checked(got)?;
        // SAFETY: the system made it.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        Ok(unsafe { taken(text) })
    }

    fn access_list(&self) -> io::Result<*const ACL> {
        let (mut is_there, mut is_default, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: the descriptor is whole, and the three places outlive the call.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let got = unsafe {
            GetSecurityDescriptorDacl(self.0, &raw mut is_there, &raw mut list, &raw mut is_default)
        };
        checked(got)?;
        // None at all would let everybody in.
        if list.is_null() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(list) }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // SAFETY: made by the system with LocalAlloc, and nobody has it any more.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        unsafe {
            LocalFree(self.0);
        }
    }
}

/// Closes a file or directory, opened with WRITE_DAC, to everybody but this user and the system.
pub(super) fn close_to_others(file: &File) -> io::Result<()> {
    let private = Private::new()?;
    let list = private.access_list()?;
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the handle is open and the list lives in `private`; owner, group and audit list are not set.
    #[expect(unsafe_code, reason = "std sets no access lists")]
    let error = unsafe {
        SetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            what,
            ptr::null_mut(),
            ptr::null_mut(),
            list,
            ptr::null(),
        )
    };
    succeeded(error)
}

/// Whether a file or directory has the access list that [`Private`] has, for this user.
///
/// # Errors
/// It is not there, or must not be looked at.
pub fn is_closed_to_others(path: &Path) -> io::Result<bool> {
    let path = wide(path);
    let mut descriptor = ptr::null_mut();
    // SAFETY: the path ends with a zero; only the whole descriptor is asked for, and is freed in `drop`.
    #[expect(unsafe_code, reason = "std reads no access lists")]
    let error = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    succeeded(error)?;
    Ok(entries(&Private(descriptor).text()?) == entries(&Private::new()?.text()?))
}

/// The entries of an access list, in any order. Before them are flags, which tell how the list came about.
fn entries(text: &str) -> BTreeSet<&str> {
    text.split('(').skip(1).collect()
}

/// The user of this process, as text of a SID.
pub(super) fn own_user() -> io::Result<String> {
    // SAFETY: the pseudo-handle of this process is always valid and need not be closed.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let process = unsafe { GetCurrentProcess() };
    user_of(process)
}

/// The owner of an object of the kernel's, as text of a SID.
///
/// # Errors
/// It must not be asked for.
pub(super) fn owner_of(object: BorrowedHandle<'_>) -> io::Result<String> {
    let (mut owner, mut descriptor, mut text) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open, only the owner and the whole descriptor are asked for, and the latter is freed in `drop`.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let error = unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    succeeded(error)?;
    let _descriptor = Private(descriptor);
    // SAFETY: the owner lies in the descriptor, and the system makes the text.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        checked(ConvertSidToStringSidW(owner, &raw mut text))?;
        Ok(taken(text))
    }
}

fn user_of(process: std::os::windows::io::RawHandle) -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: the process's handle is open for the call, and the token's is nobody else's.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let token = unsafe {
        checked(OpenProcessToken(process, TOKEN_QUERY, &raw mut token))?;
        OwnedHandle::from_raw_handle(token)
    };
    // Of words, so that it is aligned as a TOKEN_USER is.
    let mut buffer = [0_u64; TOKEN_USER_BYTES / size_of::<u64>()];
    let (mut length, mut text) = (0, ptr::null_mut());
    // SAFETY: the buffer is as long as is said, and is filled with a TOKEN_USER whose SID lies in it.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    unsafe {
        let room = u32::try_from(TOKEN_USER_BYTES).expect("it is small");
        let place = buffer.as_mut_ptr().cast();
        checked(GetTokenInformation(token.as_raw_handle(), TokenUser, place, room, &raw mut length))?;
        let user = &*buffer.as_ptr().cast::<TOKEN_USER>();
        checked(ConvertSidToStringSidW(user.User.Sid, &raw mut text))?;
    }
    // SAFETY: the system made it.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    Ok(unsafe { taken(text) })
}

/// A text that the system made: ended by a zero, in memory from LocalAlloc, which is given back.
///
/// # Safety
/// It is one, and nobody else has it.
#[expect(unsafe_code, reason = "nothing wraps it")]
unsafe fn taken(text: *mut u16) -> String {
    // SAFETY: the caller's promise.
    unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        let own = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        own
    }
}

/// What the functions for access lists return: an error's number.
fn succeeded(error: u32) -> io::Result<()> {
    if error == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(error.cast_signed())) }
}

/// What most functions of Windows return: zero where they failed.
pub(super) fn checked(returned: i32) -> io::Result<()> {
    if returned == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_somebody() {
        let own = own_user().unwrap();
        assert!(own.starts_with("S-1-"), "{own}");
        assert!(!Private::new().unwrap().access_list().unwrap().is_null());
    }

    #[test]
    fn what_is_private_says_so() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("private");
        assert!(is_closed_to_others(&directory).is_err());
        super::super::create_private_directory(&directory).unwrap();
        assert!(is_closed_to_others(&directory).unwrap());
        let file = root.path().join("file");
        drop(super::super::create_private_file(&file).unwrap());
        assert!(is_closed_to_others(&file).unwrap());
        std::fs::write(root.path().join("open"), b"").unwrap();
        assert!(!is_closed_to_others(&root.path().join("open")).unwrap());
    }
}
