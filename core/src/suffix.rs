//! Names for the second of two: ` (alice, laptop, 2026-11-21 14.03.22)` before the extension (engine rules 12, 13).

use crate::ids::FileId;
use crate::time::Timestamp;
use crate::tree::Name;

/// Extensions longer than this, with the dot, are taken for a part of the stem.
const MAX_EXTENSION_BYTES: usize = 17;
/// More of an author's text than this is cut off, so that something of the name is left.
const MAX_AUTHOR_BYTES: usize = 100;
/// Hex digits of the id that tell apart what author and time do not.
const SHORT_HEX_DIGITS: usize = 8;

/// How much a suffix says, from the form that people like to the one that cannot clash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Author and time.
    Plain,
    /// Author, time and eight hex digits of the id.
    Short,
    /// Author, time and the whole id.
    Full,
}

impl Detail {
    /// All of them, shortest first.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Short, Self::Full];
}

/// `name` with a suffix of `author` and `at`, at most 255 bytes. A suffix of the same form that `name` already has
/// is replaced, so that suffixes never nest.
#[must_use]
pub fn suffixed(name: &Name, author: &str, at: Timestamp, id: FileId, detail: Detail) -> Name {
    let (stem, extension) = split_extension(name.as_str());
    let stem = without_suffix(stem);
    let author: String = cut(author, MAX_AUTHOR_BYTES).replace(['/', '\\', '\0'], "_");
    let hex = id.to_string();
    let tail = match detail {
        Detail::Plain => format!(" ({author}, {})", at.to_name_part()),
        Detail::Short => format!(" ({author}, {}, {})", at.to_name_part(), &hex[..SHORT_HEX_DIGITS]),
        Detail::Full => format!(" ({author}, {}, {hex})", at.to_name_part()),
    };
    let room = Name::MAX_BYTES.saturating_sub(tail.len() + extension.len());
    Name::new(&format!("{}{tail}{extension}", cut(stem, room)))
        .expect("the parts hold no separator, are bounded, and are more than dots")
}

/// `name` without a suffix of our form, or `None` where it has none.
#[must_use]
pub fn stripped(name: &Name) -> Option<Name> {
    let (stem, extension) = split_extension(name.as_str());
    let bare = without_suffix(stem);
    if bare.len() == stem.len() { None } else { Name::new(&format!("{bare}{extension}")).ok() }
}

/// The hex digits of the id in a suffix of our form, where it has some.
#[must_use]
pub fn id_digits(name: &Name) -> Option<&str> {
    let (stem, _) = split_extension(name.as_str());
    let bare = without_suffix(stem);
    let (_, last) = stem[bare.len()..].strip_suffix(')')?.rsplit_once(", ")?;
    is_hex(last).then_some(last)
}

/// The author in a suffix of our form, where `name` has one.
#[must_use]
pub fn author(name: &Name) -> Option<&str> {
    let (stem, _) = split_extension(name.as_str());
    let inner = stem.strip_suffix(')')?.get(without_suffix(stem).len()..)?.strip_prefix(" (")?;
    let inner = inner.rsplit_once(", ").map_or(inner, |(rest, last)| if is_hex(last) { rest } else { inner });
    inner.rsplit_once(", ").map(|(author, _)| author)
}

/// Stem and extension with its dot; a leading dot starts no extension.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_BYTES && !name[dot..].contains(')') => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

/// The longest start of `text` of at most `bytes` that ends between characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn without_suffix(stem: &str) -> &str {
    match opening_parenthesis(stem) {
        Some(open)
            if open > 1 && stem[..open].ends_with(' ') && is_suffix(&stem[open + 1..stem.len() - 1]) =>
        {
            &stem[..open - 1]
        }
        _ => stem,
    }
}

/// Where the parenthesis opens that the last byte closes.
fn opening_parenthesis(stem: &str) -> Option<usize> {
    if !stem.ends_with(')') {
        return None;
    }
    let mut depth = 0_usize;
    stem.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// Whether `inner` reads `author, time` or `author, time, hex`.
fn is_suffix(inner: &str) -> bool {
    let inner = match inner.rsplit_once(", ") {
        Some((rest, hex)) if is_hex(hex) => rest,
        _ => inner,
    };
    inner.rsplit_once(", ").is_some_and(|(_, time)| is_time(time))
}

/// Whether `text` is the start of an id, or an id.
fn is_hex(text: &str) -> bool {
    (text.len() == SHORT_HEX_DIGITS || text.len() == 2 * FileId::LEN)
        && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `text` has the form of [`Timestamp::to_name_part`].
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00 00.00.00";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(b, &f)| if f == b'0' { b.is_ascii_digit() } else { b == f })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: FileId = FileId::new([0xA7; 16]);
    const AT: Timestamp = Timestamp::from_parts(1_795_269_802, 0);

    fn make(name: &str, detail: Detail) -> String {
        suffixed(&Name::new(name).unwrap(), "alice, laptop", AT, ID, detail).to_string()
    }

    #[test]
    fn rule_12_a_suffix_stands_before_the_extension() {
        for (name, expected) in [
            ("report.odt", "report (alice, laptop, 2026-11-21 14.03.22).odt"),
            ("Makefile", "Makefile (alice, laptop, 2026-11-21 14.03.22)"),
            (".profile", ".profile (alice, laptop, 2026-11-21 14.03.22)"),
            ("a.tar.gz", "a.tar (alice, laptop, 2026-11-21 14.03.22).gz"),
            ("Minutes (draft).txt", "Minutes (draft) (alice, laptop, 2026-11-21 14.03.22).txt"),
        ] {
            assert_eq!(make(name, Detail::Plain), expected);
        }
        assert_eq!(make("a.b", Detail::Short), "a (alice, laptop, 2026-11-21 14.03.22, a7a7a7a7).b");
    }

    #[test]
    fn rule_13_suffixes_never_nest() {
        for name in ["report.odt", "Makefile", ".profile", "Minutes (draft).txt", "x (y).z"] {
            for first in Detail::ALL {
                for second in Detail::ALL {
                    assert_eq!(make(&make(name, first), second), make(name, second));
                }
                let suffixed = Name::new(&make(name, first)).unwrap();
                assert_eq!(stripped(&suffixed).unwrap().as_str(), name);
            }
        }
        assert_eq!(stripped(&Name::new("x (alice, 2026-11-21).z").unwrap()), None);
        for (detail, digits) in [(Detail::Plain, None), (Detail::Short, Some("a7a7a7a7"))] {
            assert_eq!(id_digits(&Name::new(&make("x.y", detail)).unwrap()), digits);
        }
        for detail in Detail::ALL {
            assert_eq!(author(&Name::new(&make("x (y).z", detail)).unwrap()), Some("alice, laptop"));
        }
        for none in ["x.z", "x (y).z", "x (alice, 2026-11-21).z", ")", "(a, 2026-11-21 14.03.22)"] {
            assert_eq!(author(&Name::new(none).unwrap()), None, "{none}");
        }
        let nested_author = suffixed(&Name::new("n.t").unwrap(), "eve (work), pc", AT, ID, Detail::Plain);
        assert_eq!(stripped(&nested_author).unwrap().as_str(), "n.t");
    }

    proptest! {
        #[test]
        fn any_name_stays_one_component(name in "[^/\\\\\0]{1,255}", author in ".{0,200}") {
            if let Ok(name) = Name::new(&name) {
                for detail in Detail::ALL {
                    let made = suffixed(&name, &author, AT, ID, detail);
                    prop_assert!(made.as_str().len() <= Name::MAX_BYTES);
                    prop_assert_ne!(&made, &name);
                }
            }
        }
    }
}
