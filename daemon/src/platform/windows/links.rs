//! What lies in the place of a file or a directory: reparse points.
//!
//! A symbolic link's target has `/` between its names, as on the other systems, whatever lies on the disk.

use windows_sys::Win32::System::SystemServices::{IO_REPARSE_TAG_MOUNT_POINT, IO_REPARSE_TAG_SYMLINK};

use super::{Errno, Result};

/// Set in the tag of what leads elsewhere (`ntifs.h`: `IsReparseTagNameSurrogate`).
const NAME_SURROGATE: u32 = 0x2000_0000;

/// Sockets, pipes and devices of the Linux subsystem (MS-FSCC 2.1.2.1): `IO_REPARSE_TAG_AF_UNIX`, `LX_FIFO`, `LX_CHR`,
/// `LX_BLK`.
const SPECIAL: [u32; 4] = [0x8000_0023, 0x8000_0024, 0x8000_0025, 0x8000_0026];

/// Says in a symbolic link's reparse point that its target is relative (MS-FSCC 2.1.2.4).
const RELATIVE: u32 = 1;

/// What a reparse point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reparse {
    /// A symbolic link.
    Symlink,
    /// Another volume, or a junction.
    Mount,
    /// Leads elsewhere in another way, or is no file at all.
    Special,
    /// The file or directory itself, whose content some driver gives: online only, deduplicated or compressed.
    Own,
}

impl Reparse {
    /// By its tag.
    pub(super) fn of(tag: u32) -> Self {
        match tag {
            IO_REPARSE_TAG_SYMLINK => Self::Symlink,
            IO_REPARSE_TAG_MOUNT_POINT => Self::Mount,
            tag if tag & NAME_SURROGATE != 0 || SPECIAL.contains(&tag) => Self::Special,
            _ => Self::Own,
        }
    }
}

/// The target in a symbolic link's reparse point, in UTF-16; [`Errno::INVAL`] where it is none.
pub(super) fn target(bytes: &[u8]) -> Result<Vec<u16>> {
    let word = |at: usize| bytes.get(at..at + 2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    let tag = word(0).zip(word(2)).map(|(low, high)| u32::from(low) | u32::from(high) << 16);
    if tag != Some(IO_REPARSE_TAG_SYMLINK) {
        return Err(Errno::INVAL);
    }
    // Tag, length and a word that means nothing; where the target lies, then where its printed form does; flags.
    let (offset, length) = word(8).zip(word(10)).ok_or(Errno::INVAL)?;
    let is_relative = u32::from(word(16).ok_or(Errno::INVAL)?) & RELATIVE != 0;
    let from = 20 + usize::from(offset);
    let path = bytes.get(from..from + usize::from(length)).ok_or(Errno::INVAL)?;
    let path: Vec<u16> = path.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let path = if is_relative { path } else { without_device_prefix(path) };
    let slash = |unit| if unit == u16::from(b'\\') { u16::from(b'/') } else { unit };
    Ok(path.into_iter().map(slash).collect())
}

/// `\??\C:\x` is `C:\x`, and `\??\UNC\server\x` is `\\server\x`.
fn without_device_prefix(path: Vec<u16>) -> Vec<u16> {
    let wide = |text: &str| -> Vec<u16> { text.encode_utf16().collect() };
    if let Some(rest) = path.strip_prefix(&wide(r"\??\UNC\")[..]) {
        return [wide(r"\\"), rest.to_vec()].concat();
    }
    path.strip_prefix(&wide(r"\??\")[..]).map(<[u16]>::to_vec).unwrap_or(path)
}

/// The reparse point of a symbolic link to `target`.
///
/// # Errors
/// [`Errno::ILSEQ`] for a target that would not be the same when it is read back, and for one on another computer: whoever
/// lists a directory asks the other computer for what such a link leads to, and tells it who he is.
pub(super) fn symlink(target: &str) -> Result<Vec<u8>> {
    let is_half_a_drive = has_drive(target) && target.as_bytes().get(2) != Some(&b'/');
    if target.is_empty() || target.contains(['\\', '\0']) || target.starts_with("//") || is_half_a_drive {
        return Err(Errno::ILSEQ);
    }
    let printed = target.replace('/', "\\");
    let substitute = if has_drive(target) { format!(r"\??\{printed}") } else { printed.clone() };
    let flags = if has_drive(target) { 0 } else { RELATIVE };
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let (substitute, printed) = (wide(&substitute), wide(&printed));
    let length = |bytes: usize| u16::try_from(bytes).map_err(|_| Errno::NAMETOOLONG);
    let (substitute_length, printed_length) = (length(substitute.len())?, length(printed.len())?);
    let data_length = length(12 + substitute.len() + printed.len())?;
    let mut bytes = IO_REPARSE_TAG_SYMLINK.to_le_bytes().to_vec();
    for word in [data_length, 0, 0, substitute_length, substitute_length, printed_length] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(flags.to_le_bytes());
    bytes.extend(substitute);
    bytes.extend(printed);
    Ok(bytes)
}

/// Whether a path begins with a drive's letter.
fn has_drive(target: &str) -> bool {
    matches!(target.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Whether a target is relative to the directory that the link is in.
pub(super) fn is_relative(target: &str) -> bool {
    !has_drive(target) && !target.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_back_as_it_was_written() {
        for text in ["a", "../b/ä", "C:/x/y", "/usr/bin", "./same/"] {
            let read = target(&symlink(text).unwrap()).unwrap();
            assert_eq!(String::from_utf16(&read).unwrap(), text);
        }
    }

    #[test]
    fn what_windows_writes_is_understood() {
        // As `mklink /d link ..\x` writes it: the printed form comes first.
        let mut bytes = IO_REPARSE_TAG_SYMLINK.to_le_bytes().to_vec();
        for word in [28_u16, 0, 8, 8, 0, 8, 1, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(r"..\p..\x".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(String::from_utf16(&target(&bytes).unwrap()).unwrap(), "../x");
        for cut in 0..bytes.len() {
            assert!(target(&bytes[..cut]).is_err(), "{cut}");
        }
        let absolute = symlink("D:/data").unwrap();
        let text = String::from_utf16_lossy(
            &absolute[20..].chunks_exact(2).map(|p| u16::from_le_bytes([p[0], p[1]])).collect::<Vec<_>>(),
        );
        assert_eq!(text, r"\??\D:\dataD:\data");
    }

    #[test]
    fn no_link_leads_to_another_computer_or_to_another_name_than_it_says() {
        for text in ["//server/share", r"\\server\share", r"a\b", "", "a\0b", "C:x"] {
            assert_eq!(symlink(text), Err(Errno::ILSEQ), "{text}");
        }
        assert_eq!(symlink(&"n".repeat(40_000)), Err(Errno::NAMETOOLONG));
    }

    #[test]
    fn only_what_leads_nowhere_is_the_file_itself() {
        assert_eq!(Reparse::of(IO_REPARSE_TAG_SYMLINK), Reparse::Symlink);
        assert_eq!(Reparse::of(IO_REPARSE_TAG_MOUNT_POINT), Reparse::Mount);
        // IO_REPARSE_TAG_LX_SYMLINK, IO_REPARSE_TAG_APPEXECLINK is no surrogate.
        assert_eq!(Reparse::of(0xA000_001D), Reparse::Special);
        assert_eq!(Reparse::of(0x8000_0023), Reparse::Special);
        // IO_REPARSE_TAG_CLOUD_1, IO_REPARSE_TAG_DEDUP, IO_REPARSE_TAG_WOF.
        for own in [0x9000_101A, 0x8000_0013, 0x8000_0017] {
            assert_eq!(Reparse::of(own), Reparse::Own);
        }
    }
}
