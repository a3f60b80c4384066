//! Files and directories by handles, as the other systems have it: names are looked up in an open directory, and no link
//! is ever followed there.
//!
//! Windows takes `a:b` for a stream of `a`, `CON` for a device and `a.` for `a`. Nothing is made with such a name, and
//! what has a `:` in its name is not there. Nor is a file there by its short name, `LONGNA~1.TXT`: everything has one
//! name.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

use ensafer_core::format::is_windows_name;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::Stamp;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Wdk::System::SystemServices::FILE_ATTRIBUTE_TAG_INFORMATION;
use windows_sys::Win32::Storage::FileSystem as win32;

use super::super::Facts;
use super::links::{self, Reparse};
use super::nt::{self, How, Rename, SHARE_ALL};
use super::types::{
    Access, Arg, AsFd, AtFlags, BorrowedFd, CWD, FileType, Mode, OFlags, OwnedFd, StatVfs, Timespec,
    Timestamps, UTIME_OMIT,
};
use super::{Errno, Result};

/// Permission bits of what may be changed, and of what has the attribute "read-only".
const WRITABLE: u32 = 0o666;
const READ_ONLY: u32 = 0o444;

/// Enough to ask what lies there.
const LOOK: u32 = win32::FILE_READ_ATTRIBUTES;

/// The file system's clock counts units of 100 ns from 1601-01-01.
const NANOS_PER_TICK: i64 = 100;
const SECONDS_1601_TO_1970: i64 = 11_644_473_600;

/// What is called `name` in `directory`; a link itself, never its target.
pub fn facts_at(directory: impl AsFd, name: impl Arg) -> Result<Facts> {
    let handle = match Place::of(directory.as_fd(), name.as_text()?)? {
        Place::In(directory, name) => open_itself(directory.as_fd(), &to_look_up(name)?, LOOK)?,
        Place::Whole(path) => open_path(path, LOOK, OFlags::PATH | OFlags::NOFOLLOW)?,
    };
    facts_of(handle)
}

/// What an open file is.
pub fn facts_of(file: impl AsFd) -> Result<Facts> {
    let file = file.as_fd();
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(file)?;
    let standard: wdk::FILE_STANDARD_INFORMATION = nt::query(file)?;
    let kind = kind_of(file, basic.FileAttributes)?;
    let (device, inode) = identity(file)?;
    let is_read_only =
        kind == FileType::RegularFile && basic.FileAttributes & win32::FILE_ATTRIBUTE_READONLY != 0;
    Ok(Facts {
        kind,
        stamp: Stamp {
            size: if kind == FileType::RegularFile { standard.EndOfFile.cast_unsigned() } else { 0 },
            modified: timestamp(basic.LastWriteTime).unwrap_or_default(),
            changed: timestamp(basic.ChangeTime).unwrap_or_default(),
            born: timestamp(basic.CreationTime),
            inode,
            device,
        },
        links: standard.NumberOfLinks.into(),
        mode: if is_read_only { READ_ONLY } else { WRITABLE },
    })
}

/// What an open entry is. Another volume and a junction are directories, which cannot be opened.
fn kind_of(file: BorrowedFd<'_>, attributes: u32) -> Result<FileType> {
    let own = if attributes & win32::FILE_ATTRIBUTE_DIRECTORY != 0 {
        FileType::Directory
    } else {
        FileType::RegularFile
    };
    Ok(match reparse(file, attributes)? {
        None | Some(Reparse::Own | Reparse::Mount) => own,
        Some(Reparse::Symlink) => FileType::Symlink,
        Some(Reparse::Special) => FileType::Unknown,
    })
}

fn reparse(file: BorrowedFd<'_>, attributes: u32) -> Result<Option<Reparse>> {
    if attributes & win32::FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(None);
    }
    let found: FILE_ATTRIBUTE_TAG_INFORMATION = nt::query(file)?;
    Ok(Some(Reparse::of(found.ReparseTag)))
}

/// The number of the volume, and of the file on it. ReFS numbers have 128 bits, whose halves are laid over each other;
/// FAT has shorter ones.
fn identity(file: BorrowedFd<'_>) -> Result<(u64, u64)> {
    if let Ok(found) = nt::query::<wdk::FILE_ID_INFORMATION>(file) {
        let (low, high) = found.FileId.Identifier.split_at(size_of::<u64>());
        let [low, high] =
            [low, high].map(|half| u64::from_le_bytes(half.try_into().expect("it has 8 bytes")));
        return Ok((found.VolumeSerialNumber, low ^ high.rotate_left(32)));
    }
    let found: wdk::FILE_INTERNAL_INFORMATION = nt::query(file)?;
    Ok((nt::volume_serial(file)?.into(), found.IndexNumber.cast_unsigned()))
}

/// `None` where the file system does not keep this time.
fn timestamp(ticks: i64) -> Option<Timestamp> {
    let per_second = 1_000_000_000 / NANOS_PER_TICK;
    let seconds = ticks.div_euclid(per_second) - SECONDS_1601_TO_1970;
    (ticks > 0).then(|| Timestamp::from_parts(seconds, ticks.rem_euclid(per_second) * NANOS_PER_TICK))
}

/// `None` for [`UTIME_OMIT`]. What lies before 1601 becomes the first moment of that year.
fn ticks(time: Timespec) -> Option<i64> {
    let per_second = 1_000_000_000 / NANOS_PER_TICK;
    let seconds = time.tv_sec.saturating_add(SECONDS_1601_TO_1970);
    let ticks = seconds.saturating_mul(per_second).saturating_add(time.tv_nsec / NANOS_PER_TICK);
    // 0 and less would say to leave it as it is.
    (time.tv_nsec != UTIME_OMIT).then_some(ticks.max(1))
}

/// Where something is: in an open directory, or by a path of its own.
enum Place<'a> {
    In(BorrowedFd<'a>, &'a str),
    Whole(&'a Path),
}

impl<'a> Place<'a> {
    fn of(directory: BorrowedFd<'a>, name: &'a str) -> Result<Self> {
        use std::os::windows::io::AsRawHandle;
        match name {
            "" => Err(Errno::NOENT),
            path if directory.as_raw_handle() == CWD.as_raw_handle() => Ok(Self::Whole(Path::new(path))),
            name => Ok(Self::In(directory, name)),
        }
    }

    /// The directory, opened where it has to be, and the name in it.
    fn in_directory(self) -> Result<(Opened<'a>, &'a str)> {
        match self {
            Self::In(directory, name) => Ok((Opened::Given(directory), name)),
            Self::Whole(path) => {
                let name = path.file_name().and_then(|name| name.to_str()).ok_or(Errno::INVAL)?;
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                let parent = open(parent.unwrap_or(Path::new(".")), flags, Mode::empty())?;
                Ok((Opened::Here(parent), name))
            }
        }
    }
}

enum Opened<'a> {
    Given(BorrowedFd<'a>),
    Here(OwnedFd),
}

impl AsFd for Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Given(directory) => *directory,
            Self::Here(directory) => directory.as_fd(),
        }
    }
}

/// A name that something may have. Nothing has one with a separator, or with what names a stream.
fn to_look_up(name: &str) -> Result<Vec<u16>> {
    let is_possible = !matches!(name, "" | "." | "..")
        && !name.contains(['\\', '/', ':', '\0', '*', '?', '"', '<', '>', '|']);
    if is_possible { Ok(name.encode_utf16().collect()) } else { Err(Errno::NOENT) }
}

/// A name that may be given, and is the same when the directory is listed: [`Errno::ILSEQ`] for any other.
fn to_give(name: &str) -> Result<Vec<u16>> {
    let name = Some(name).filter(|name| is_windows_name(name)).ok_or(Errno::ILSEQ)?;
    Ok(name.encode_utf16().collect())
}

/// Opens what has this name, a link itself, for nothing that its content matters for.
fn open_itself(directory: BorrowedFd<'_>, name: &[u16], access: u32) -> Result<OwnedFd> {
    let options = wdk::FILE_OPEN_REPARSE_POINT;
    let opened =
        nt::open(directory, name, How { access, share: SHARE_ALL, disposition: wdk::FILE_OPEN, options })?;
    has_name(opened.as_fd(), name).map(|()| opened)
}

/// [`Errno::NOENT`] where something was opened by a short name that it has as well.
fn has_name(file: BorrowedFd<'_>, name: &[u16]) -> Result<()> {
    // Every short name that differs from the long one has this in it.
    if !name.contains(&u16::from(b'~')) {
        return Ok(());
    }
    let folded = |name: &[u16]| String::from_utf16_lossy(name).to_lowercase();
    if folded(&nt::listed_name(file)?) == folded(name) { Ok(()) } else { Err(Errno::NOENT) }
}

/// The rights that `flags` ask for.
fn access(flags: OFlags) -> u32 {
    let traverse = if flags.has(OFlags::DIRECTORY) { win32::FILE_TRAVERSE } else { 0 };
    let content = if flags.has(OFlags::PATH) {
        0
    } else if flags.has(OFlags::RDWR) {
        win32::FILE_READ_DATA
            | win32::FILE_WRITE_DATA
            | win32::FILE_APPEND_DATA
            | win32::FILE_WRITE_ATTRIBUTES
    } else {
        win32::FILE_READ_DATA
    };
    LOOK | traverse | content
}

fn disposition(flags: OFlags) -> u32 {
    match (flags.has(OFlags::CREATE), flags.has(OFlags::EXCL)) {
        (true, true) => wdk::FILE_CREATE,
        (true, false) => wdk::FILE_OPEN_IF,
        (false, _) => wdk::FILE_OPEN,
    }
}

/// Opens `name` in `directory`: [`Errno::LOOP`] for a link, [`Errno::XDEV`] for another volume and a junction.
fn open_name(directory: BorrowedFd<'_>, name: &[u16], flags: OFlags) -> Result<OwnedFd> {
    let kind = if flags.has(OFlags::DIRECTORY) {
        wdk::FILE_DIRECTORY_FILE
    } else if flags.has(OFlags::CREATE) {
        wdk::FILE_NON_DIRECTORY_FILE
    } else {
        0
    };
    let how = How {
        access: access(flags),
        share: SHARE_ALL,
        disposition: disposition(flags),
        options: kind | wdk::FILE_OPEN_REPARSE_POINT,
    };
    let opened = nt::open(directory, name, how)?;
    has_name(opened.as_fd(), name)?;
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(opened.as_fd())?;
    match reparse(opened.as_fd(), basic.FileAttributes)? {
        None => Ok(opened),
        Some(Reparse::Symlink | Reparse::Special) => Err(Errno::LOOP),
        Some(Reparse::Mount) => Err(Errno::XDEV),
        // Its driver gives the content only to whoever opens the file and not its reparse point.
        Some(Reparse::Own) if flags.has(OFlags::PATH) => Ok(opened),
        Some(Reparse::Own) => {
            nt::open(opened.as_fd(), &[], How { options: kind, disposition: wdk::FILE_OPEN, ..how })
        }
    }
}

/// Opens the same once more, with other rights.
fn reopen(file: BorrowedFd<'_>, access: u32, share: u32) -> Result<OwnedFd> {
    let options = wdk::FILE_OPEN_REPARSE_POINT;
    nt::open(file, &[], How { access, share, disposition: wdk::FILE_OPEN, options })
}

/// Opens a whole path, whose links are followed; but not in its last place with [`OFlags::NOFOLLOW`].
pub fn open(path: impl Arg, flags: OFlags, _mode: Mode) -> Result<OwnedFd> {
    let opened = open_path(Path::new(path.as_text()?), access(flags), flags)?;
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(opened.as_fd())?;
    match kind_of(opened.as_fd(), basic.FileAttributes)? {
        FileType::Symlink => Err(Errno::LOOP),
        kind if flags.has(OFlags::DIRECTORY) && kind != FileType::Directory => Err(Errno::NOTDIR),
        _ => Ok(opened),
    }
}

fn open_path(path: &Path, access: u32, flags: OFlags) -> Result<OwnedFd> {
    if flags.has(OFlags::CREATE) {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(Errno::ILSEQ)?;
        to_give(name)?;
    }
    let no_follow = if flags.has(OFlags::NOFOLLOW) { win32::FILE_FLAG_OPEN_REPARSE_POINT } else { 0 };
    let mut options = OpenOptions::new();
    options.access_mode(access | win32::SYNCHRONIZE).share_mode(SHARE_ALL);
    // Without this, no directory is opened.
    options.custom_flags(win32::FILE_FLAG_BACKUP_SEMANTICS | no_follow);
    if flags.has(OFlags::CREATE) {
        options.write(true).create(true).create_new(flags.has(OFlags::EXCL));
    }
    let opened = options.open(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
    Ok(opened.into())
}

/// Opens `name` in `directory`, never a link.
pub fn openat(directory: impl AsFd, name: impl Arg, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    match Place::of(directory.as_fd(), name.as_text()?)? {
        Place::Whole(path) => open(path, flags, mode),
        Place::In(directory, name) if flags.has(OFlags::CREATE) => {
            open_name(directory, &to_give(name)?, flags)
        }
        Place::In(directory, name) => open_name(directory, &to_look_up(name)?, flags),
    }
}

/// Opens `path` (components joined by `/`, none of them `..`; empty for `root` itself) without following a link anywhere
/// and without leaving the volume: [`Errno::LOOP`] or [`Errno::NOTDIR`], and [`Errno::XDEV`].
pub fn open_beneath(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let Some((above, name)) = path
        .rsplit_once('/')
        .map(|(above, name)| (Some(above), name))
        .or_else(|| (!path.is_empty()).then_some((None, path)))
    else {
        return open_name(root, &[], flags);
    };
    let mut held: Option<OwnedFd> = None;
    for component in above.into_iter().flat_map(|above| above.split('/')) {
        let from = held.as_ref().map_or(root, AsFd::as_fd);
        held = Some(open_name(from, &to_look_up(component)?, OFlags::PATH | OFlags::DIRECTORY)?);
    }
    openat(held.as_ref().map_or(root, AsFd::as_fd), name, flags, mode)
}

/// Calls `visit` with the name and type (which may be [`FileType::Unknown`]) of every entry of an open directory but
/// `.` and `..`, in no order. A name that is no text is no UTF-8 here either.
pub fn list(directory: BorrowedFd<'_>, mut visit: impl FnMut(&std::ffi::CStr, FileType)) -> Result<()> {
    use std::os::windows::ffi::OsStringExt;
    nt::list(directory, |entry| {
        let name = std::ffi::OsString::from_wide(entry.name);
        if name == "." || name == ".." {
            return;
        }
        let is = |attribute: u32| entry.attributes & attribute != 0;
        let kind = if is(win32::FILE_ATTRIBUTE_REPARSE_POINT) {
            FileType::Unknown
        } else if is(win32::FILE_ATTRIBUTE_DIRECTORY) {
            FileType::Directory
        } else {
            FileType::RegularFile
        };
        // No file system has a name with a NUL in it.
        if let Ok(name) = CString::new(name.into_encoded_bytes()) {
            visit(&name, kind);
        }
    })
}

/// Renames to a name that must be free: [`Errno::EXIST`].
pub fn rename_new(from: impl AsFd, old: impl Arg, to: impl AsFd, new: impl Arg) -> Result<()> {
    rename(from.as_fd(), old.as_text()?, to.as_fd(), new.as_text()?, &[Rename::New])
}

/// Renames, in the place of what may have that name.
pub fn renameat(from: impl AsFd, old: impl Arg, to: impl AsFd, new: impl Arg) -> Result<()> {
    let how = [Rename::ReplaceOpen, Rename::Replace];
    rename(from.as_fd(), old.as_text()?, to.as_fd(), new.as_text()?, &how)
}

/// Tries each way of renaming until the file system knows one.
fn rename(from: BorrowedFd<'_>, old: &str, to: BorrowedFd<'_>, new: &str, ways: &[Rename]) -> Result<()> {
    let (from, old) = Place::of(from, old)?.in_directory()?;
    let (to, new) = Place::of(to, new)?.in_directory()?;
    let entry = open_itself(from.as_fd(), &to_look_up(old)?, win32::DELETE | LOOK)?;
    let new = to_give(new)?;
    let mut done = Err(Errno::NOSYS);
    for way in ways {
        done = nt::rename(entry.as_fd(), to.as_fd(), &new, *way);
        if !matches!(done, Err(Errno::INVAL | Errno::NOSYS)) {
            break;
        }
    }
    done
}

/// `false`: Windows exchanges no two names.
pub fn exchange(_a: impl AsFd, _a_name: &str, _b: impl AsFd, _b_name: &str) -> Result<bool> {
    Ok(false)
}

/// Removes a file or a link; with [`AtFlags::REMOVEDIR`] an empty directory.
pub fn unlinkat(directory: impl AsFd, name: impl Arg, flags: AtFlags) -> Result<()> {
    let (directory, name) = Place::of(directory.as_fd(), name.as_text()?)?.in_directory()?;
    let rights = win32::DELETE | LOOK | win32::FILE_WRITE_ATTRIBUTES;
    let name = to_look_up(name)?;
    let entry = match open_itself(directory.as_fd(), &name, rights) {
        Err(Errno::ACCESS) => open_itself(directory.as_fd(), &name, win32::DELETE | LOOK)?,
        opened => opened?,
    };
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(entry.as_fd())?;
    let has_own_content = !matches!(reparse(entry.as_fd(), basic.FileAttributes)?, Some(Reparse::Mount));
    let is_directory = kind_of(entry.as_fd(), basic.FileAttributes)? == FileType::Directory;
    match (flags.has(AtFlags::REMOVEDIR), is_directory) {
        // A junction goes without a look at what it leads to.
        (true, true) if has_own_content => remove(entry.as_fd(), basic.FileAttributes),
        (true, _) => Err(Errno::NOTDIR),
        (false, true) => Err(Errno::ISDIR),
        (false, false) => remove(entry.as_fd(), basic.FileAttributes),
    }
}

/// Removes what is open. Where the file system can, the name is free at once, whoever else has it open.
fn remove(entry: BorrowedFd<'_>, attributes: u32) -> Result<()> {
    let flags = wdk::FILE_DISPOSITION_DELETE
        | wdk::FILE_DISPOSITION_POSIX_SEMANTICS
        | wdk::FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    match nt::set(entry, &wdk::FILE_DISPOSITION_INFORMATION_EX { Flags: flags }) {
        Err(Errno::INVAL | Errno::NOSYS) => {}
        done => return done,
    }
    if attributes & win32::FILE_ATTRIBUTE_READONLY != 0 {
        set_attributes(entry, attributes & !win32::FILE_ATTRIBUTE_READONLY)?;
    }
    nt::set(entry, &wdk::FILE_DISPOSITION_INFORMATION { DeleteFile: true })
}

/// Makes a directory, where nothing may be. Who may look into it is as in the one above.
pub fn mkdirat(directory: impl AsFd, name: impl Arg, _mode: Mode) -> Result<()> {
    let (directory, name) = Place::of(directory.as_fd(), name.as_text()?)?.in_directory()?;
    make_new(directory.as_fd(), name, LOOK, wdk::FILE_DIRECTORY_FILE).map(drop)
}

fn make_new(directory: BorrowedFd<'_>, name: &str, access: u32, kind: u32) -> Result<OwnedFd> {
    let options = kind | wdk::FILE_OPEN_REPARSE_POINT;
    let how = How { access, share: SHARE_ALL, disposition: wdk::FILE_CREATE, options };
    nt::open(directory, &to_give(name)?, how)
}

/// Makes a symbolic link, where nothing may be; to a directory if there is one now. It takes a privilege that only
/// administrators have, or the developer mode: [`Errno::PERM`] or [`Errno::ACCESS`].
pub fn symlinkat(target: impl Arg, directory: impl AsFd, name: impl Arg) -> Result<()> {
    let target = target.as_text()?;
    let reparse_point = links::symlink(target)?;
    let (directory, name) = Place::of(directory.as_fd(), name.as_text()?)?.in_directory()?;
    let kind = if leads_to_directory(directory.as_fd(), target) {
        wdk::FILE_DIRECTORY_FILE
    } else {
        wdk::FILE_NON_DIRECTORY_FILE
    };
    let access = win32::DELETE | LOOK | win32::FILE_WRITE_ATTRIBUTES | win32::FILE_WRITE_DATA;
    let made = make_new(directory.as_fd(), name, access, kind)?;
    nt::set_reparse_point(made.as_fd(), &reparse_point).inspect_err(|_| {
        // Ours, empty, and nothing yet. Should this fail, an empty file is left.
        let _ = remove(made.as_fd(), 0);
    })
}

/// Whether a link in `directory` would lead to a directory. Only names below it are looked at.
fn leads_to_directory(directory: BorrowedFd<'_>, target: &str) -> bool {
    let target = target.trim_end_matches('/');
    links::is_relative(target)
        && (target == "."
            || open_beneath(directory, target, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).is_ok())
}

/// The target of a symbolic link; [`Errno::INVAL`] where it is none. `reuse` has no use here.
pub fn readlinkat(directory: impl AsFd, name: impl Arg, _reuse: Vec<u8>) -> Result<CString> {
    use std::os::windows::ffi::OsStringExt;
    let (directory, name) = Place::of(directory.as_fd(), name.as_text()?)?.in_directory()?;
    let link = open_itself(directory.as_fd(), &to_look_up(name)?, LOOK)?;
    let target = std::ffi::OsString::from_wide(&links::target(&nt::reparse_point(link.as_fd())?)?);
    CString::new(target.into_encoded_bytes()).map_err(|_| Errno::INVAL)
}

/// Whether this process may read a file.
pub fn accessat(directory: impl AsFd, name: impl Arg, _access: Access, _flags: AtFlags) -> Result<()> {
    openat(directory, name, OFlags::RDONLY, Mode::empty()).map(drop)
}

/// Permission bit of whoever owns a file: he may write it.
const OWNER_WRITES: u32 = 0o200;

/// Sets or takes away a file's attribute "read-only"; all else of a mode has no meaning here.
pub fn set_mode(file: impl AsFd, mode: u32) -> Result<()> {
    let file = file.as_fd();
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(file)?;
    let is_writable = basic.FileAttributes & win32::FILE_ATTRIBUTE_READONLY == 0;
    let is_directory = basic.FileAttributes & win32::FILE_ATTRIBUTE_DIRECTORY != 0;
    if is_directory || is_writable == (mode & OWNER_WRITES != 0) {
        return Ok(());
    }
    let handle = reopen(file, win32::FILE_WRITE_ATTRIBUTES, SHARE_ALL)?;
    set_attributes(handle.as_fd(), basic.FileAttributes ^ win32::FILE_ATTRIBUTE_READONLY)
}

/// Attributes that can be set as they were read; the others come about in other ways.
fn set_attributes(file: BorrowedFd<'_>, attributes: u32) -> Result<()> {
    let settable = win32::FILE_ATTRIBUTE_READONLY
        | win32::FILE_ATTRIBUTE_HIDDEN
        | win32::FILE_ATTRIBUTE_SYSTEM
        | win32::FILE_ATTRIBUTE_ARCHIVE
        | win32::FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;
    let wanted = match attributes & settable {
        // Nothing at all would say to leave them.
        0 => win32::FILE_ATTRIBUTE_NORMAL,
        wanted => wanted,
    };
    nt::set(file, &wdk::FILE_BASIC_INFORMATION { FileAttributes: wanted, ..Default::default() })
}

/// Sets the times of a file or a directory.
pub fn futimens(file: impl AsFd, times: &Timestamps) -> Result<()> {
    let handle = reopen(file.as_fd(), win32::FILE_WRITE_ATTRIBUTES, SHARE_ALL)?;
    set_times(handle.as_fd(), times)
}

/// Sets the times of what is called `name`, a link itself.
pub fn utimensat(directory: impl AsFd, name: impl Arg, times: &Timestamps, _flags: AtFlags) -> Result<()> {
    let (directory, name) = Place::of(directory.as_fd(), name.as_text()?)?.in_directory()?;
    let handle = open_itself(directory.as_fd(), &to_look_up(name)?, win32::FILE_WRITE_ATTRIBUTES)?;
    set_times(handle.as_fd(), times)
}

fn set_times(file: BorrowedFd<'_>, times: &Timestamps) -> Result<()> {
    let basic = wdk::FILE_BASIC_INFORMATION {
        LastAccessTime: ticks(times.last_access).unwrap_or_default(),
        LastWriteTime: ticks(times.last_modification).unwrap_or_default(),
        ..Default::default()
    };
    nt::set(file, &basic)
}

/// Makes the content of a file, or the entries of a directory, durable.
pub fn write_out(file: impl AsFd) -> Result<()> {
    let file = file.as_fd();
    let basic: wdk::FILE_BASIC_INFORMATION = nt::query(file)?;
    if basic.FileAttributes & win32::FILE_ATTRIBUTE_DIRECTORY == 0 {
        return nt::flush(file);
    }
    let flushed =
        reopen(file, win32::FILE_ADD_FILE, SHARE_ALL).and_then(|writable| nt::flush(writable.as_fd()));
    match flushed {
        // NTFS and ReFS keep a journal of names anyway, and who may add none has added none.
        Err(Errno::ACCESS | Errno::INVAL | Errno::NOSYS) => Ok(()),
        done => done,
    }
}

/// As [`write_out`].
pub fn write_out_data(file: impl AsFd) -> Result<()> {
    write_out(file)
}

/// Makes durable what was written out to the disk that `file` is on: nothing is left to do, [`write_out`] waits for the disk.
pub fn flush(_file: impl AsFd) -> Result<()> {
    Ok(())
}

/// [`Errno::NOSYS`]: only an administrator can flush a volume. No [`FileSystem`](super::FileSystem) is said to trust it.
pub fn sync_file_system(_root: impl AsFd) -> Result<()> {
    Err(Errno::NOSYS)
}

/// How much room there is where an open file lies.
pub fn fstatvfs(file: impl AsFd) -> Result<StatVfs> {
    let (f_bavail, f_frsize) = nt::free_units(file.as_fd())?;
    Ok(StatVfs { f_bavail, f_frsize })
}

/// Whether any process has the file open for writing; `None` where the system does not tell. `file` itself must be open
/// for reading only.
#[must_use]
pub fn is_open_for_writing(file: &File) -> Option<bool> {
    // Whoever opens a file and lets nobody write is refused where somebody does. It is closed at once: a program that
    // would begin to write in this moment is refused, too.
    match reopen(file.as_fd(), win32::FILE_READ_DATA, win32::FILE_SHARE_READ | win32::FILE_SHARE_DELETE) {
        Ok(_) => Some(false),
        Err(Errno::BUSY) => Some(true),
        Err(_) => None,
    }
}
