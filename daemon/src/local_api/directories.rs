//! The directories of this computer, for somebody who chooses one: the window's page cannot look for itself.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use axum::extract::Query;
use axum::routing::get;
use axum::{Json, Router};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{DirectoryEntry, DirectoryReport, RefusalClass};

use super::ControlError;
use super::folders::{absolute, home_directory};
use super::server::Door;
use super::turns::blocking;
use crate::exit::Failure;
use crate::platform;

/// More names nobody reads: whoever looks for one of more types it.
const MOST_NAMES: usize = 1000;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/v1/directories", get(list))
}

#[derive(serde::Deserialize)]
struct PathQuery {
    path: Option<String>,
}

/// What lies in a directory; without one, in the user's home.
async fn list(Query(query): Query<PathQuery>) -> Result<Json<DirectoryReport>, ControlError> {
    blocking(move || {
        let path = match &query.path {
            Some(path) => normal(&absolute(path)?)?,
            None => home_directory()?,
        };
        Ok(listed(&path)?)
    })
    .await
}

/// `path` without `.` and slashes at its end; what has `..` in it is asked for.
fn normal(path: &Path) -> Result<PathBuf> {
    if path.components().any(|component| component == Component::ParentDir) {
        return platform::canonicalize(path).map_err(|error| refusal(path, &error));
    }
    Ok(path.components().collect())
}

fn listed(path: &Path) -> Result<DirectoryReport> {
    let mut directories: Vec<_> = fs::read_dir(path)
        .map_err(|error| refusal(path, &error))?
        .filter_map(|entry| directory(&entry.ok()?))
        .collect();
    directories.sort_by_cached_key(|entry| (entry.name.to_lowercase(), entry.name.clone()));
    let is_cut = directories.len() > MOST_NAMES;
    directories.truncate(MOST_NAMES);
    Ok(DirectoryReport {
        path: path.to_string_lossy().into_owned(),
        parent: path.parent().map(|parent| parent.to_string_lossy().into_owned()),
        directories,
        is_cut,
    })
}

/// A directory, or a link to one, whose name is text.
fn directory(entry: &DirEntry) -> Option<DirectoryEntry> {
    let kind = entry.file_type().ok()?;
    let is_directory = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
    let name = entry.file_name().into_string().ok().filter(|_| is_directory)?;
    Some(DirectoryEntry { is_hidden: name.starts_with('.'), name })
}

fn refusal(path: &Path, error: &io::Error) -> anyhow::Error {
    let (class, why, remedy) = match error.kind() {
        ErrorKind::NotFound => {
            (RefusalClass::MissingDirectory, "is not there", "It is made when the folder is added")
        }
        ErrorKind::NotADirectory => {
            (RefusalClass::BadRequest, "is no directory", "Choose the directory that it lies in")
        }
        ErrorKind::PermissionDenied => (
            RefusalClass::NotAllowed,
            "may not be read by your user",
            "Choose another directory, or have the right to read it given to you",
        ),
        _ => {
            let what = format!("{} cannot be read: {error}", path.display());
            return Failure::new(Exit::Error, what).with_class(RefusalClass::Failed).into();
        }
    };
    let what = format!("{} {why}", path.display());
    Failure::new(Exit::Error, what).with_remedy(remedy).with_class(class).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_listed_by_name_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["b", "A", ".hidden", "ü", "b/inner"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("file"), "").unwrap();
        std::os::unix::fs::symlink("b", root.join("link")).unwrap();
        std::os::unix::fs::symlink("file", root.join("link to a file")).unwrap();
        std::os::unix::fs::symlink("nothing", root.join("broken")).unwrap();
        let report = listed(&normal(&root.join("./b/..//")).unwrap()).unwrap();
        let names: Vec<_> = report.directories.iter().map(|d| (&*d.name, d.is_hidden)).collect();
        assert_eq!(names, [(".hidden", true), ("A", false), ("b", false), ("link", false), ("ü", false)]);
        assert_eq!(Path::new(&report.path), root);
        assert_eq!(report.parent.as_deref().map(Path::new), root.parent());
        assert!(!report.is_cut);
        assert_eq!(listed(Path::new("/")).unwrap().parent, None);
        let class = |path: &str| {
            let error = listed(&root.join(path)).unwrap_err();
            error.downcast_ref::<Failure>().unwrap().class().unwrap()
        };
        assert_eq!(class("nowhere"), RefusalClass::MissingDirectory);
        assert_eq!(class("file"), RefusalClass::BadRequest);
    }

    #[test]
    fn a_list_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..=MOST_NAMES {
            fs::create_dir(dir.path().join(format!("{n:04}"))).unwrap();
        }
        let report = listed(dir.path()).unwrap();
        assert_eq!((report.directories.len(), report.is_cut), (MOST_NAMES, true));
        assert_eq!(report.directories.last().unwrap().name, "0999");
    }
}
