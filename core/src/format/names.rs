//! Names: those of the encrypted folder's files, and what becomes of a hostile name on decryption.

use crate::ids::{DeviceId, FileId};
use crate::tree::Name;

/// What every object's file name ends in.
pub const EXTENSION: &str = ".ensafer";
const TEMPORARY_PREFIX: &str = ".~ensafer-";
const TEMPORARY_SUFFIX: &str = ".tmp";
const ID_DIGITS: usize = FileId::LEN * 2;

/// The file name of an object: `<32 lower-case hex digits>.ensafer`.
#[must_use]
pub fn object_name(id: FileId) -> String {
    format!("{id}{EXTENSION}")
}

/// The directory that holds an object in a folder with fan-out: the first two digits of its name.
#[must_use]
pub fn fan_out_directory(id: FileId) -> String {
    format!("{:02x}", id.as_bytes()[0])
}

/// The name of a temporary file beside its target: cloud clients skip `.~` and `.tmp`.
#[must_use]
pub fn temporary_name(device: DeviceId, random: [u8; 8]) -> String {
    format!("{TEMPORARY_PREFIX}{device}-{}{TEMPORARY_SUFFIX}", hex::encode(random))
}

/// What a file name in the encrypted folder stands for. The id in the header decides in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreName {
    /// An object under its own name.
    Object(FileId),
    /// A copy that a cloud client made (`… (conflicted copy).ensafer`, `… (1).ensafer`, `…-HOSTNAME.ensafer`,
    /// `….sync-conflict-….ensafer`), of this object as far as the name tells.
    Copy(Option<FileId>),
    /// A temporary file, of this device as far as the name tells.
    Temporary {
        /// The device that made it.
        device: Option<DeviceId>,
    },
    /// Nothing of ours.
    Other,
}

/// Says what a file of the encrypted folder is, by its name (the last component).
#[must_use]
pub fn parse_store_name(name: &str) -> StoreName {
    if let Some(rest) = name.strip_prefix(TEMPORARY_PREFIX) {
        return match rest.strip_suffix(TEMPORARY_SUFFIX) {
            Some(rest) => {
                StoreName::Temporary { device: rest.split('-').next().and_then(|d| d.parse().ok()) }
            }
            None => StoreName::Other,
        };
    }
    if let Some(id) = name.strip_suffix(EXTENSION).and_then(|stem| stem.parse().ok()) {
        return StoreName::Object(id);
    }
    let lower = name.to_ascii_lowercase();
    let suffixed = lower.find(EXTENSION).is_some_and(|at| is_copy_suffix(&lower[at + EXTENSION.len()..]));
    if !name.starts_with('.') && (lower.ends_with(EXTENSION) || suffixed) {
        return StoreName::Copy(find_id(&lower));
    }
    StoreName::Other
}

/// What some clients append behind the extension; `.part`, `.tmp` and their like are downloads under way.
fn is_copy_suffix(suffix: &str) -> bool {
    [" (", " - ", "_conf", "-conf", ".sync-conflict-", ".conflict"]
        .iter()
        .any(|start| suffix.starts_with(start))
}

/// The id that a copy's name contains: 32 hex digits with no hex digit before or after them.
fn find_id(lower: &str) -> Option<FileId> {
    lower
        .split(|c: char| !c.is_ascii_hexdigit())
        .find(|digits| digits.len() == ID_DIGITS)
        .and_then(|digits| digits.parse().ok())
}

/// Whose rules a decrypted name must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux and macOS: [`Name`] itself forbids everything that is special there.
    Unix,
    /// Windows.
    Windows,
}

impl System {
    /// The system that this was compiled for.
    pub const CURRENT: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };
}

/// Why a name cannot be used on a system, not even by a substitute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedName {
    /// The substitute would have more than 255 UTF-16 units.
    #[error("too long for this system, once its special characters are written out")]
    TooLong,
}

/// The name to use on `system`: `name` itself, or a substitute that [`from_local_name`] turns back. In a substitute
/// each byte that Windows refuses in that place is written `%XX`, as in a URL.
///
/// # Errors
/// [`RefusedName`] where the substitute does not fit.
pub fn to_local_name(name: &Name, system: System) -> Result<Name, RefusedName> {
    if system == System::Unix {
        return Ok(name.clone());
    }
    let local = windows_substitute(name.as_str());
    let local = Name::new(&local).map_err(|_| RefusedName::TooLong)?;
    if local.as_str().encode_utf16().count() > Name::MAX_BYTES {
        return Err(RefusedName::TooLong);
    }
    Ok(local)
}

/// The name that `local` stands for on `system`: the inverse of [`to_local_name`]. A name that the user gave and that
/// only looks like a substitute is kept.
#[must_use]
pub fn from_local_name(local: &Name, system: System) -> Name {
    match decode(local.as_str()).filter(|decoded| windows_substitute(decoded) == local.as_str()) {
        Some(decoded) if system == System::Windows => Name::new(&decoded).unwrap_or_else(|_| local.clone()),
        _ => local.clone(),
    }
}

/// Whether Windows can have a file of this name, and has it under no other.
#[must_use]
pub fn is_windows_name(text: &str) -> bool {
    let is_plain = Name::new(text).is_ok() && !text.chars().any(is_refused_char);
    is_plain && !is_reserved_device(text) && !text.ends_with(['.', ' '])
}

/// `text`, or its substitute where Windows refuses it or where it could be taken for another's substitute.
fn windows_substitute(text: &str) -> String {
    if !needs_substitute(text) {
        return text.to_owned();
    }
    let reserved = is_reserved_device(text);
    let last = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let mut substitute = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        let refused = is_refused_char(c)
            || (at == 0 && reserved)
            || (at == last && matches!(c, '.' | ' '))
            || (c == '%' && escape_at(text.as_bytes(), at).is_some());
        if refused {
            // Only ASCII characters come here: refused ones, and the first of a device's name.
            substitute.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            substitute.push(c);
        }
    }
    substitute
}

fn needs_substitute(text: &str) -> bool {
    is_reserved_device(text)
        || text.chars().any(is_refused_char)
        || text.ends_with(['.', ' '])
        || decode(text).is_some_and(|decoded| needs_substitute(&decoded))
}

/// What Win32 refuses in a component ("Naming Files, Paths, and Namespaces"); `:` would name an alternate stream.
const fn is_refused_char(c: char) -> bool {
    matches!(c, '\u{1}'..='\u{1f}' | '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// Whether Windows would open a device: such a name with any extension, spaces before it, and in any case.
fn is_reserved_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|number| {
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    })
}

/// The byte that `%XX` at `at` stands for; upper-case digits and ASCII only, as substitutes are written.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *bytes.get(at..at + 3)? else { return None };
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?).filter(|byte| (1..0x80).contains(byte))
}

/// `text` with every `%XX` decoded once; `None` if it has none.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = escape_at(bytes, at);
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    // Only whole ASCII characters were put in place of whole ASCII characters.
    (decoded.len() < bytes.len()).then(|| String::from_utf8(decoded).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn store_names() {
        let id: FileId = HEX.parse().unwrap();
        let device = DeviceId::new([0xAB; 16]);
        assert_eq!(parse_store_name(&object_name(id)), StoreName::Object(id));
        assert_eq!(fan_out_directory(id), "01");
        for copy in [
            format!("{HEX} (conflicted copy).ensafer"),
            format!("{HEX} (1).ensafer"),
            format!("{HEX} (Ann's conflicted copy 2026-01-01).ensafer"),
            format!("{HEX}-DESKTOP-7.ensafer"),
            format!("{HEX}.sync-conflict-20260101-010101-ABCDEFG.ensafer"),
            format!("Copy of {HEX}.ensafer"),
            format!("{HEX}.ensafer (1)"),
            format!("{}.ENSAFER", HEX.to_uppercase()),
        ] {
            assert_eq!(parse_store_name(&copy), StoreName::Copy(Some(id)), "{copy}");
        }
        for copy in ["report.ensafer", "0123.ensafer", &format!("{HEX}0.ensafer")] {
            assert_eq!(parse_store_name(copy), StoreName::Copy(None), "{copy}");
        }
        let temporary = temporary_name(device, [1; 8]);
        assert_eq!(parse_store_name(&temporary), StoreName::Temporary { device: Some(device) });
        assert_eq!(parse_store_name(".~ensafer-x.tmp"), StoreName::Temporary { device: None });
        for other in ["", "notes.txt", &format!("{HEX}.ensafer.part"), &format!(".{HEX}.ensafer.ABCxyz"), HEX]
        {
            assert_eq!(parse_store_name(other), StoreName::Other, "{other}");
        }
    }

    #[test]
    fn windows_substitutes() {
        for (name, local) in [
            ("plain.txt", "plain.txt"),
            ("a:b", "a%3Ab"),
            ("con", "%63on"),
            ("COM1.txt", "%43OM1.txt"),
            ("lpt²", "%6Cpt²"),
            ("nul .x", "%6Eul .x"),
            ("console", "console"),
            ("dot.", "dot%2E"),
            ("…space ", "…space%20"),
            ("what?", "what%3F"),
            ("100%41", "100%41"),
            ("a%3Ab", "a%253Ab"),
            ("a%3ab", "a%3ab"),
        ] {
            let (name, local) = (Name::new(name).unwrap(), Name::new(local).unwrap());
            assert_eq!(to_local_name(&name, System::Windows), Ok(local.clone()), "{name}");
            assert_eq!(from_local_name(&local, System::Windows), name, "{local}");
            assert_eq!(to_local_name(&name, System::Unix), Ok(name.clone()));
            assert_eq!(from_local_name(&local, System::Unix), local);
        }
        let long = Name::new(&"?".repeat(100)).unwrap();
        assert_eq!(to_local_name(&long, System::Windows), Err(RefusedName::TooLong));
    }

    #[test]
    fn windows_has_a_file_under_one_name_only() {
        for name in ["a", "a.b", " a", "100%", "CONSOLE", "COM", "com10.txt", "a%3Ab", "ä"] {
            assert!(is_windows_name(name), "{name}");
        }
        for name in [
            "", ".", "..", "a:b", "a.", "a ", "con", "NUL.txt", "com1", "a*", "a\u{1}b", "a/b", r"a\b", "a\0",
        ] {
            assert!(!is_windows_name(name), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn substitutes_are_reversible_and_safe(text in "[ a%:2-5ABC.CONconé?]{1,12}") {
            prop_assume!(Name::new(&text).is_ok());
            let name = Name::new(&text).unwrap();
            let local = to_local_name(&name, System::Windows).unwrap();
            prop_assert!(!local.as_str().contains([':', '?']) && !local.as_str().ends_with(['.', ' ']));
            prop_assert!(!is_reserved_device(local.as_str()));
            prop_assert_eq!(from_local_name(&local, System::Windows), name);
        }

        #[test]
        fn no_file_name_panics(text in "\\PC{0,60}") {
            let _ = parse_store_name(&text);
        }
    }
}
