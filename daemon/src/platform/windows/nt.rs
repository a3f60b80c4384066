//! The system's own calls on files, with safe types and nothing else.
//!
//! They take a name relative to an open directory, which the Win32 functions do not. Handles are opened for
//! synchronous use, so that no call is still at work with a buffer when it returns.

use std::mem::offset_of;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Wdk::System::SystemServices::{
    FILE_ATTRIBUTE_TAG_INFORMATION, FILE_FS_DEVICE_INFORMATION, FILE_FS_FULL_SIZE_INFORMATION,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, OBJ_CASE_INSENSITIVE, STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_NORMAL, FILE_SHARE_DELETE, FILE_SHARE_MODE, FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::{Errno, Result};

/// What others may do meanwhile: everything.
pub(super) const SHARE_ALL: FILE_SHARE_MODE = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Bytes of directory entries asked for at once.
const DIRECTORY_BUFFER_BYTES: usize = 64 * 1024;

/// Most bytes of a reparse point (`ntifs.h`: `MAXIMUM_REPARSE_DATA_BUFFER_SIZE`).
const REPARSE_BUFFER_BYTES: usize = 16 * 1024;

/// Most bytes of a whole path, which has 32,767 units at most, and its length.
const NAME_BUFFER_BYTES: usize = 65_536 + 8;

/// Most bytes of a volume's attributes with the name of its file system, which has some letters.
const VOLUME_BUFFER_BYTES: usize = 512;

/// A length as the system takes it.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("buffers and structures are small")
}

/// How a name is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Rights. The one to wait for the handle's calls comes with it.
    pub(super) access: u32,
    /// What others may do meanwhile.
    pub(super) share: FILE_SHARE_MODE,
    /// Whether it may, must or must not be there.
    pub(super) disposition: u32,
    /// `FILE_OPEN_REPARSE_POINT` and the like.
    pub(super) options: u32,
}

/// Opens or makes what is called `name` in `directory`; the directory itself by an empty name.
pub(super) fn open(directory: BorrowedHandle<'_>, name: &[u16], how: How) -> Result<OwnedHandle> {
    let bytes = u16::try_from(size_of_val(name)).map_err(|_| Errno::NAMETOOLONG)?;
    let name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_ptr().cast_mut() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: length(size_of::<OBJECT_ATTRIBUTES>()),
        RootDirectory: directory.as_raw_handle(),
        ObjectName: &raw const name,
        Attributes: OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: ptr::null(),
        SecurityQualityOfService: ptr::null(),
    };
    let mut handle: HANDLE = ptr::null_mut();
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: all pointers are to what lives here or is borrowed until the call returns, which only reads the name.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let opened = unsafe {
        wdk::NtCreateFile(
            &raw mut handle,
            how.access | SYNCHRONIZE,
            &raw const attributes,
            &raw mut status,
            ptr::null(),
            FILE_ATTRIBUTE_NORMAL,
            how.share,
            how.disposition,
            how.options | wdk::FILE_SYNCHRONOUS_IO_NONALERT,
            ptr::null(),
            0,
        )
    };
    check(opened)?;
    // SAFETY: the call succeeded, so this is a handle that is open and nobody else's.
    #[expect(unsafe_code, reason = "the call gives a bare handle")]
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn check(status: NTSTATUS) -> Result<()> {
    // Warnings are negative, too.
    if status >= 0 { Ok(()) } else { Err(Errno::from_status(status)) }
}

/// Plain data that the system fills, or takes, as one class of information on a file.
///
/// # Safety
/// Of the layout that the class has, and valid whatever its bytes are, except for what the system never writes.
#[expect(unsafe_code, reason = "says that a layout is the system's")]
pub(super) unsafe trait FileInfo: Default {
    /// The class.
    const CLASS: wdk::FILE_INFORMATION_CLASS;
}

macro_rules! file_info {
    ($($info:ty = $class:expr;)*) => {
        // SAFETY: the structures that the documentation of NtQueryInformationFile names for these classes. Their
        // booleans are written as 0 and 1.
        $(#[expect(unsafe_code, reason = "see above")]
        unsafe impl FileInfo for $info {
            const CLASS: wdk::FILE_INFORMATION_CLASS = $class;
        })*
    };
}

file_info! {
    wdk::FILE_BASIC_INFORMATION = wdk::FileBasicInformation;
    wdk::FILE_STANDARD_INFORMATION = wdk::FileStandardInformation;
    wdk::FILE_INTERNAL_INFORMATION = wdk::FileInternalInformation;
    wdk::FILE_ID_INFORMATION = wdk::FileIdInformation;
    FILE_ATTRIBUTE_TAG_INFORMATION = wdk::FileAttributeTagInformation;
    wdk::FILE_DISPOSITION_INFORMATION = wdk::FileDispositionInformation;
    wdk::FILE_DISPOSITION_INFORMATION_EX = wdk::FileDispositionInformationEx;
}

/// What the system says of an open file.
pub(super) fn query<T: FileInfo>(file: BorrowedHandle<'_>) -> Result<T> {
    let mut found = T::default();
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: `found` is what this class fills (see FileInfo), and as long as is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let asked = unsafe {
        wdk::NtQueryInformationFile(
            file.as_raw_handle(),
            &raw mut status,
            (&raw mut found).cast(),
            length(size_of::<T>()),
            T::CLASS,
        )
    };
    check(asked).map(|()| found)
}

/// Changes what the system says of an open file.
pub(super) fn set<T: FileInfo>(file: BorrowedHandle<'_>, wanted: &T) -> Result<()> {
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: `wanted` is what this class takes (see FileInfo), and as long as is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let done = unsafe {
        wdk::NtSetInformationFile(
            file.as_raw_handle(),
            &raw mut status,
            ptr::from_ref(wanted).cast(),
            length(size_of::<T>()),
            T::CLASS,
        )
    };
    check(done)
}

/// The last name on the way to an open file: as the directory lists it, not a short one (`LONGNA~1.TXT`) that it may have
/// been opened by.
pub(super) fn listed_name(file: BorrowedHandle<'_>) -> Result<Vec<u16>> {
    match last_name(file, wdk::FileNormalizedNameInformation) {
        // FAT knows only this one, which is as good there.
        Err(Errno::INVAL | Errno::NOSYS) => last_name(file, wdk::FileNameInformation),
        found => found,
    }
}

fn last_name(file: BorrowedHandle<'_>, class: wdk::FILE_INFORMATION_CLASS) -> Result<Vec<u16>> {
    type Info = wdk::FILE_NAME_INFORMATION;
    let mut buffer = vec![0_u64; NAME_BUFFER_BYTES / 8];
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the buffer is aligned for 8 bytes, more than this needs, and as long as is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let asked = unsafe {
        wdk::NtQueryInformationFile(
            file.as_raw_handle(),
            &raw mut status,
            buffer.as_mut_ptr().cast(),
            length(NAME_BUFFER_BYTES),
            class,
        )
    };
    check(asked)?;
    let words = as_words(&buffer);
    let units = number_at(words, offset_of!(Info, FileNameLength)) as usize / 2;
    let path =
        words.get(offset_of!(Info, FileName) / 2..).and_then(|rest| rest.get(..units)).ok_or(Errno::IO)?;
    let last = path.rsplit(|&unit| unit == u16::from(b'\\')).next();
    Ok(last.unwrap_or_default().to_vec())
}

/// What happens to what has the new name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rename {
    /// It stays, and the renaming fails.
    New,
    /// It is replaced, even if somebody has it open (Windows 10, NTFS).
    ReplaceOpen,
    /// It is replaced unless somebody has it open.
    Replace,
}

/// Gives an open file, for which there is the right to delete, another name in `directory`.
pub(super) fn rename(
    file: BorrowedHandle<'_>,
    directory: BorrowedHandle<'_>,
    name: &[u16],
    how: Rename,
) -> Result<()> {
    type Info = wdk::FILE_RENAME_INFORMATION;
    let name_bytes = size_of_val(name);
    let bytes = (offset_of!(Info, FileName) + name_bytes).max(size_of::<Info>());
    let mut buffer = vec![0_u64; bytes.div_ceil(8)];
    let info: *mut Info = buffer.as_mut_ptr().cast();
    let (class, flags) = match how {
        Rename::New => (wdk::FileRenameInformation, 0),
        Rename::Replace => (wdk::FileRenameInformation, u32::from(true)),
        Rename::ReplaceOpen => (
            wdk::FileRenameInformationEx,
            wdk::FILE_RENAME_REPLACE_IF_EXISTS
                | wdk::FILE_RENAME_POSIX_SEMANTICS
                | wdk::FILE_RENAME_IGNORE_READONLY_ATTRIBUTE,
        ),
    };
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the buffer is aligned for 8 bytes, as `Info` is, and long enough for it and, from its last field on, for
    // the name, which is copied. All of it is initialized. `ReplaceIfExists` is the first byte of the flags.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let renamed = unsafe {
        (*info).Anonymous.Flags = flags;
        (*info).RootDirectory = directory.as_raw_handle();
        (*info).FileNameLength = length(name_bytes);
        ptr::copy_nonoverlapping(name.as_ptr(), (&raw mut (*info).FileName).cast(), name.len());
        wdk::NtSetInformationFile(
            file.as_raw_handle(),
            &raw mut status,
            info.cast_const().cast(),
            length(bytes),
            class,
        )
    };
    check(renamed)
}

/// One entry of a directory as it is listed.
pub(super) struct Entry<'b> {
    /// Its name: UTF-16, perhaps with errors.
    pub(super) name: &'b [u16],
    /// `FILE_ATTRIBUTE_…`.
    pub(super) attributes: u32,
}

/// Calls `visit` with every entry of a directory, also with `.` and `..`.
pub(super) fn list(directory: BorrowedHandle<'_>, mut visit: impl FnMut(Entry<'_>)) -> Result<()> {
    let mut buffer = vec![0_u64; DIRECTORY_BUFFER_BYTES / 8];
    let mut is_first = true;
    loop {
        let mut status = IO_STATUS_BLOCK::default();
        // SAFETY: the buffer is aligned for 8 bytes, as these entries are, and as long as is said.
        #[expect(unsafe_code, reason = "nothing wraps it")]
        let read = unsafe {
            wdk::NtQueryDirectoryFile(
                directory.as_raw_handle(),
                ptr::null_mut(),
                None,
                ptr::null(),
                &raw mut status,
                buffer.as_mut_ptr().cast(),
                length(DIRECTORY_BUFFER_BYTES),
                wdk::FileDirectoryInformation,
                false,
                ptr::null(),
                is_first,
            )
        };
        match read {
            STATUS_NO_MORE_FILES => return Ok(()),
            STATUS_NO_SUCH_FILE if is_first => return Ok(()),
            status => check(status)?,
        }
        is_first = false;
        each_entry(as_words(&buffer), status.Information / 2, &mut visit)?;
    }
}

/// The same memory in units of UTF-16.
fn as_words(buffer: &[u64]) -> &[u16] {
    // SAFETY: any bytes are units, which need no more alignment, and there are as many as fit.
    #[expect(unsafe_code, reason = "the system gives entries of several types in one buffer")]
    unsafe {
        std::slice::from_raw_parts(buffer.as_ptr().cast(), buffer.len() * 4)
    }
}

/// Takes apart the entries in the first `filled` units of `buffer`.
fn each_entry(buffer: &[u16], filled: usize, visit: &mut impl FnMut(Entry<'_>)) -> Result<()> {
    type Info = wdk::FILE_DIRECTORY_INFORMATION;
    const NAME_AT: usize = offset_of!(Info, FileName) / 2;
    let mut rest = buffer.get(..filled).ok_or(Errno::IO)?;
    loop {
        let number = |offset: usize| -> Result<u32> {
            let units = rest.get(offset / 2..offset / 2 + 2).ok_or(Errno::IO)?;
            Ok(u32::from(units[0]) | u32::from(units[1]) << 16)
        };
        let name_units = number(offset_of!(Info, FileNameLength))? as usize / 2;
        let name = rest.get(NAME_AT..).and_then(|rest| rest.get(..name_units)).ok_or(Errno::IO)?;
        visit(Entry { name, attributes: number(offset_of!(Info, FileAttributes))? });
        match number(offset_of!(Info, NextEntryOffset))? as usize / 2 {
            0 => return Ok(()),
            next => rest = rest.get(next..).ok_or(Errno::IO)?,
        }
    }
}

/// Makes what was written to an open file durable, which takes the right to write.
pub(super) fn flush(file: BorrowedHandle<'_>) -> Result<()> {
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the handle is open, and the status lives until the call returns.
    #[expect(unsafe_code, reason = "nothing wraps it for what is not a std::fs::File")]
    let flushed = unsafe { wdk::NtFlushBuffersFile(file.as_raw_handle(), &raw mut status) };
    check(flushed)
}

/// What the volume of an open file says of one class, in units of UTF-16.
fn query_volume_words(file: BorrowedHandle<'_>, class: wdk::FS_INFORMATION_CLASS) -> Result<Vec<u16>> {
    let mut buffer = vec![0_u64; VOLUME_BUFFER_BYTES / 8];
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: the buffer is aligned for 8 bytes, more than any class needs, and as long as is said.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let asked = unsafe {
        wdk::NtQueryVolumeInformationFile(
            file.as_raw_handle(),
            &raw mut status,
            buffer.as_mut_ptr().cast(),
            length(VOLUME_BUFFER_BYTES),
            class,
        )
    };
    check(asked)?;
    let words = as_words(&buffer);
    Ok(words[..words.len().min(status.Information / 2)].to_vec())
}

/// A number of 32 bits at an offset in bytes; 0 where the system said less.
fn number_at(words: &[u16], offset: usize) -> u32 {
    let word = |at: usize| words.get(at).copied().map_or(0, u32::from);
    word(offset / 2) | word(offset / 2 + 1) << 16
}

fn long_at(words: &[u16], offset: usize) -> u64 {
    u64::from(number_at(words, offset)) | u64::from(number_at(words, offset + 4)) << 32
}

/// The name of a file system, as `NTFS`.
pub(super) fn file_system_name(file: BorrowedHandle<'_>) -> Result<String> {
    type Info = wdk::FILE_FS_ATTRIBUTE_INFORMATION;
    let words = query_volume_words(file, wdk::FileFsAttributeInformation)?;
    let units = number_at(&words, offset_of!(Info, FileSystemNameLength)) as usize / 2;
    let name = words.get(offset_of!(Info, FileSystemName) / 2..).unwrap_or_default();
    Ok(String::from_utf16_lossy(&name[..units.min(name.len())]))
}

/// `FILE_REMOTE_DEVICE` and the like of a volume.
pub(super) fn device_characteristics(file: BorrowedHandle<'_>) -> Result<u32> {
    let words = query_volume_words(file, wdk::FileFsDeviceInformation)?;
    Ok(number_at(&words, offset_of!(FILE_FS_DEVICE_INFORMATION, Characteristics)))
}

/// The number of a volume.
pub(super) fn volume_serial(file: BorrowedHandle<'_>) -> Result<u32> {
    use windows_sys::Wdk::System::SystemServices::FILE_FS_VOLUME_INFORMATION as Info;
    let words = query_volume_words(file, wdk::FileFsVolumeInformation)?;
    Ok(number_at(&words, offset_of!(Info, VolumeSerialNumber)))
}

/// How many units this user may still write to a volume, and the bytes of one.
pub(super) fn free_units(file: BorrowedHandle<'_>) -> Result<(u64, u64)> {
    type Info = FILE_FS_FULL_SIZE_INFORMATION;
    let words = query_volume_words(file, wdk::FileFsFullSizeInformation)?;
    let sectors = u64::from(number_at(&words, offset_of!(Info, SectorsPerAllocationUnit)));
    let bytes = u64::from(number_at(&words, offset_of!(Info, BytesPerSector)));
    Ok((long_at(&words, offset_of!(Info, CallerAvailableAllocationUnits)), sectors.saturating_mul(bytes)))
}

/// The bytes of a reparse point.
pub(super) fn reparse_point(file: BorrowedHandle<'_>) -> Result<Vec<u8>> {
    use windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;
    let mut buffer = vec![0; REPARSE_BUFFER_BYTES];
    let filled = control(file, FSCTL_GET_REPARSE_POINT, &[], &mut buffer)?;
    buffer.truncate(filled);
    Ok(buffer)
}

/// Makes an open file or directory, which must be empty, a reparse point.
pub(super) fn set_reparse_point(file: BorrowedHandle<'_>, bytes: &[u8]) -> Result<()> {
    use windows_sys::Win32::System::Ioctl::FSCTL_SET_REPARSE_POINT;
    control(file, FSCTL_SET_REPARSE_POINT, bytes, &mut []).map(drop)
}

fn control(file: BorrowedHandle<'_>, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize> {
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: both buffers are as long as is said, and the system copies them (METHOD_BUFFERED), so that their
    // alignment does not matter.
    #[expect(unsafe_code, reason = "nothing wraps it")]
    let done = unsafe {
        wdk::NtFsControlFile(
            file.as_raw_handle(),
            ptr::null_mut(),
            None,
            ptr::null(),
            &raw mut status,
            code,
            input.as_ptr().cast(),
            length(input.len()),
            output.as_mut_ptr().cast(),
            length(output.len()),
        )
    };
    check(done).map(|()| status.Information)
}
