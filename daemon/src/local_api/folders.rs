//! The folders of this computer, and where more could be.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{
    AddFolderRequest, AddedFolder, FolderPreview, FolderRequest, FoundReport, ListedFolder,
    OpenFolderRequest, PreviewRequest, RefusalClass,
};
use ensafer_core::status::Side;

use super::ControlError;
use super::body::Body;
use super::server::{Desk, Door};
use super::turns::blocking;
use crate::account;
use crate::clouds;
use crate::exit::Failure;
use crate::folder_keys::Vault;
use crate::folders::{FolderEntry, Folders};
use crate::opener;
use crate::pairs::{self, Wanted};
use crate::people;
use crate::platform;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/folders", get(list))
        .route("/v1/folders/preview", post(preview))
        .route("/v1/folders/add", post(add))
        .route("/v1/folders/remove", post(remove))
        .route("/v1/folders/open", post(open))
        .route("/v1/clouds", get(look))
}

async fn list(State(desk): State<Desk>) -> Result<Json<Vec<ListedFolder>>, ControlError> {
    blocking(move || Ok(listed(&desk)?)).await
}

/// Whoever goes away while it is counted has it ended.
async fn preview(
    State(door): State<Door>,
    Body(request): Body<PreviewRequest>,
) -> Result<Json<FolderPreview>, ControlError> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let _guard = CancelOnDrop(Arc::clone(&cancelled));
    let desk = door.desk;
    door.preview.take(move || counted(&desk, &request, &cancelled)).await
}

async fn add(
    State(door): State<Door>,
    Body(request): Body<AddFolderRequest>,
) -> Result<Json<AddedFolder>, ControlError> {
    door.preview.take(move || added(&door.desk, &request)).await
}

/// What is being added at the time is on the list before. Nobody's turn lasts as long as the folder's work.
async fn remove(
    State(door): State<Door>,
    Body(request): Body<FolderRequest>,
) -> Result<Json<()>, ControlError> {
    // As a whole, also where whoever asked goes away: a folder that is off the list is not to be synced.
    let removed = tokio::spawn(async move {
        let desk = door.desk.clone();
        let Json(folder) = door
            .preview
            .take(move || {
                let folder = pairs::on_list(&desk.shell, request.folder)?;
                pairs::unlist(&desk.shell, &folder)?;
                Ok(folder)
            })
            .await?;
        let desk = door.desk;
        blocking(move || Ok(pairs::forget(&desk.shell, &folder, || Ok(desk.control.reload_folders()?))?))
            .await
    });
    removed.await.map_err(|error| ControlError::Failed(error.into()))?
}

/// Shows a directory of a folder, or where something in it lies, in the desktop's file manager.
async fn open(
    State(desk): State<Desk>,
    Body(request): Body<OpenFolderRequest>,
) -> Result<Json<()>, ControlError> {
    blocking(move || {
        let folder = pairs::on_list(&desk.shell, request.folder)?;
        let directory = match request.side {
            Side::Work => folder.work,
            Side::Encrypted => folder.encrypted,
        };
        match &request.path {
            None => Ok(opener::open_directory(&directory)?),
            Some(path) => Ok(opener::show(&inside(&directory, path)?)?),
        }
    })
    .await
}

async fn look(State(desk): State<Desk>) -> Result<Json<FoundReport>, ControlError> {
    blocking(move || {
        let home = &desk.shell.home;
        let folders = Folders::load(home.data_dir()).map_err(anyhow::Error::from)?;
        let is_open = account::exists(home) && desk.vault.unlocked().is_ok();
        let vault = is_open.then_some(&*desk.vault as &dyn Vault);
        Ok(clouds::look(folders.entries(), home, vault)?.report())
    })
    .await
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn listed(desk: &Desk) -> Result<Vec<ListedFolder>> {
    let folders = Folders::load(desk.shell.home.data_dir())?;
    let mut statuses = desk.control.status().folders;
    let listed = folders.entries().iter().filter_map(|entry| {
        // One that was added by another process shows once the engine has heard of it.
        let at = statuses.iter().position(|status| status.folder == entry.id)?;
        Some(ListedFolder {
            folder: entry.report(),
            name: name_of(entry),
            role: people::own_role(&desk.shell, &*desk.vault, entry),
            status: statuses.swap_remove(at),
        })
    });
    Ok(listed.collect())
}

fn name_of(entry: &FolderEntry) -> String {
    entry.work.file_name().unwrap_or(entry.work.as_os_str()).to_string_lossy().into_owned()
}

fn counted(desk: &Desk, request: &PreviewRequest, cancelled: &AtomicBool) -> Result<FolderPreview> {
    let (work, encrypted) = (absolute(&request.work)?, absolute(&request.encrypted)?);
    desk.shell.require_account()?;
    let unlocked = desk.vault.unlocked()?;
    let from = request.from.as_deref();
    let owner = from.map(|email| pairs::look_up(&desk.shell, &unlocked, email)).transpose()?;
    let wanted = Wanted { work: &work, encrypted: &encrypted, owner, expected: None };
    // Whoever cancelled it reads no answer.
    pairs::preview(&desk.shell, &*desk.vault, wanted, cancelled)?.context("the dry run was cancelled")
}

fn added(desk: &Desk, request: &AddFolderRequest) -> Result<AddedFolder> {
    let (work, encrypted) = (absolute(&request.work)?, absolute(&request.encrypted)?);
    desk.shell.require_account()?;
    let unlocked = desk.vault.unlocked()?;
    let from = request.from.as_deref();
    let owner = from.map(|email| pairs::meet(&desk.shell, &unlocked, email)).transpose()?;
    let fingerprint = owner.as_ref().map(|person| person.bundle.fingerprint());
    let wanted =
        Wanted { work: &work, encrypted: &encrypted, owner: fingerprint, expected: request.expected };
    let add = if request.create_missing { pairs::make_and_add } else { pairs::add };
    let added = add(&desk.shell, &*desk.vault, wanted)?;
    desk.control.reload_folders()?;
    let owner = owner.as_ref().map(|person| people::report(person, false)).transpose()?;
    Ok(AddedFolder { folder: added.report(), owner })
}

/// What lies at `path` below `directory`, by way of real directories only: a link in a folder may lead anywhere.
fn inside(directory: &Path, path: &str) -> Result<PathBuf> {
    let refused = |why| Failure::new(Exit::Usage, format!("{path:?} {why}"));
    let relative = Path::new(path);
    let is_below = relative.components().all(|component| matches!(component, Component::Normal(_)));
    let (true, Some(parent)) = (is_below, relative.parent()) else {
        return Err(refused("is no path below the folder").into());
    };
    let gone = |_| refused("is not there").with_class(RefusalClass::MissingDirectory);
    let root = platform::canonicalize(directory).map_err(gone)?;
    if platform::canonicalize(root.join(parent)).map_err(gone)? != root.join(parent) {
        return Err(refused("lies behind a symbolic link").into());
    }
    Ok(root.join(relative))
}

/// A path as somebody types it: from the root, or from the user's home by `~`. The daemon's current directory is nobody's.
pub(super) fn absolute(path: &str) -> Result<PathBuf> {
    if let Some(below) = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Ok(home_directory()?.join(below.trim_start_matches('/')));
    }
    let found = PathBuf::from(path);
    if found.is_absolute() {
        return Ok(found);
    }
    let failure = Failure::new(Exit::Usage, format!("{path:?} does not begin with / or ~/"));
    Err(failure.with_remedy("Name the whole path, such as /home/alice/Work or ~/Work").into())
}

/// The home of the user whose daemon this is.
pub(super) fn home_directory() -> Result<PathBuf> {
    let found = directories::BaseDirs::new().context("this user has no home directory")?;
    Ok(found.home_dir().to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_begins_at_the_root_or_at_home() {
        let home = home_directory().unwrap();
        assert_eq!(absolute("~").unwrap(), home);
        assert_eq!(absolute("~/").unwrap(), home);
        assert_eq!(absolute("~/a/ü b").unwrap(), home.join("a/ü b"));
        assert_eq!(absolute("~//etc").unwrap(), home.join("etc"));
        assert_eq!(absolute("/a/~/b").unwrap(), Path::new("/a/~/b"));
        for elsewhere in ["", "a", "./a", "~alice/a", " ~/a", "../~"] {
            assert!(absolute(elsewhere).unwrap_err().is::<Failure>(), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_shown_lies_in_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let work = root.join("work");
        fs::create_dir_all(work.join("a")).unwrap();
        fs::write(work.join("a/b ü.txt"), "").unwrap();
        symlink(&root, work.join("out")).unwrap();
        symlink("/etc/passwd", work.join("link")).unwrap();
        assert_eq!(inside(&work, "a/b ü.txt").unwrap(), work.join("a/b ü.txt"));
        assert_eq!(inside(&work, "a/").unwrap(), work.join("a"));
        // The link lies there; what it leads to is not shown.
        assert_eq!(inside(&work, "link").unwrap(), work.join("link"));
        for outside in ["", "..", "../x", "a/../../x", "/etc/passwd", ".", "./a", "out/x", "nowhere/x"] {
            let error = inside(&work, outside).unwrap_err();
            assert!(error.is::<Failure>(), "{outside}");
        }
    }
}
