//! Whole paths as people write them.

use std::io;
use std::path::{Component, Path, PathBuf, Prefix};

use ensafer_core::format::is_windows_name;

/// Longest path, in units of UTF-16, that every program takes: `MAX_PATH` less a name of the old form (CreateDirectoryW).
const PLAIN_UNITS: usize = 248;

/// The path without links, absolute: as `C:\Users`, and as `\\?\C:\Users` only where other programs could not open the
/// former.
///
/// # Errors
/// Nothing is there, or it may not be reached.
pub fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    std::fs::canonicalize(path).map(plain)
}

fn plain(path: PathBuf) -> PathBuf {
    let without = without_prefix(&path);
    without.unwrap_or(path)
}

/// The same path in its ordinary form, if it has one.
fn without_prefix(path: &Path) -> Option<PathBuf> {
    let mut components = path.components();
    let Some(Component::Prefix(prefix)) = components.next() else { return None };
    let Prefix::VerbatimDisk(_) = prefix.kind() else { return None };
    let is_plain = components.all(|component| match component {
        Component::Normal(name) => name.to_str().is_some_and(is_windows_name),
        other => other == Component::RootDir,
    });
    let rest = path.to_str()?.strip_prefix(r"\\?\")?;
    (is_plain && rest.encode_utf16().count() < PLAIN_UNITS).then(|| rest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_other_programs_could_not_open_keeps_its_prefix() {
        assert_eq!(plain(r"\\?\C:\Users\ä".into()), Path::new(r"C:\Users\ä"));
        assert_eq!(plain(r"\\?\C:\".into()), Path::new(r"C:\"));
        let long = format!(r"\\?\C:\{}", "n".repeat(250));
        for kept in [r"\\?\C:\con\x", r"\\?\C:\x.\y", r"\\?\UNC\server\share\x", &long, r"C:\x"] {
            assert_eq!(plain(kept.into()), Path::new(kept));
        }
        let here = tempfile::tempdir().unwrap();
        let found = canonicalize(here.path()).unwrap();
        assert!(found.is_dir() && !found.to_str().unwrap().starts_with(r"\\?"), "{found:?}");
    }
}
