//! Pairs of directories: looked at before they are added, added, and removed. The command line and the local API do it by
//! these acts, which neither ask nor print.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use ensafer_client::exit::Exit;
use ensafer_core::account::Known;
use ensafer_core::api::local::{Expected, FolderPreview, OwnerReport, PairWarning, PairWarningClass};
use ensafer_core::ids::Fingerprint;
use ensafer_core::time::Timestamp;
use ensafer_core::tree::{Folding, NodeKind};

use crate::account::{self, Person, Unlocked};
use crate::clock::{Clock, SystemClock};
use crate::clouds::{self, CloudDirectory, Places};
use crate::engine::{EngineError, Env, Folder, Preview, Settings, current_identity};
use crate::exit::Failure;
use crate::folder_keys::Vault;
use crate::folders::{FolderEntry, Folders};
use crate::host::host_name;
use crate::join::{self, Joinable};
use crate::local_engine::settings;
use crate::members;
use crate::platform;
use crate::progress::Progress;
use crate::refusals::{self, Pair};
use crate::scan::{ScanOptions, scan_unless};
use crate::shell::Shell;
use crate::state::State;
use crate::store::{DirectoryStore, ReadOnlyStore};
use crate::work_dir::{PRIVATE, WorkDir};

/// Two directories that somebody wants to sync.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The directory with ordinary files.
    pub work: &'a Path,
    /// The directory with encrypted files.
    pub encrypted: &'a Path,
    /// Whose folder it must be, where somebody else's is to be joined.
    pub owner: Option<Fingerprint>,
    /// What a dry run showed, where adding is to do that and nothing else.
    pub expected: Option<Expected>,
}

/// Finds the owner of a folder, so that it may be joined: their keys are remembered from now on.
///
/// # Errors
/// As [`account::find_person`].
pub fn meet(shell: &Shell, unlocked: &Unlocked, email: &str) -> Result<Person> {
    let login = account::parse_login(email)?;
    Ok(account::find_person(&shell.home, &shell.config, unlocked, &login)?)
}

/// As [`meet`], for a dry run: nothing is remembered.
///
/// # Errors
/// As [`meet`].
pub fn look_up(shell: &Shell, unlocked: &Unlocked, email: &str) -> Result<Fingerprint> {
    let login = account::parse_login(email)?;
    Ok(account::check_person(&shell.home, &shell.config, unlocked, &login)?.bundle.fingerprint())
}

/// Whether the safety number with somebody was compared.
#[must_use]
pub fn is_verified(person: &Person) -> bool {
    person.known == Known::Verified
}

/// What adding two directories would do. Nothing is made and nothing changed. `None` where it was cancelled.
///
/// # Errors
/// They cannot be added; as [`add`], except that missing directories are said and not refused.
pub fn preview(
    shell: &Shell,
    vault: &dyn Vault,
    wanted: Wanted<'_>,
    cancel: &AtomicBool,
) -> Result<Option<FolderPreview>> {
    let folders = Folders::load(shell.home.data_dir())?;
    let own = shell.home.directories();
    let (pair, missing) =
        refusals::check_future_pair(wanted.work, wanted.encrypted, folders.entries(), &own)?;
    let joinable = join::examine(&pair, &folders, vault, wanted.owner, None, &host_name())?;
    let counted = match &joinable {
        Some(joinable) => count_join(shell, &pair, joinable, cancel)?,
        None => count_new(&pair.work, cancel)?,
    };
    let Some(counted) = counted else { return Ok(None) };
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let places = Places::of_user();
    let clouds = places.as_ref().map(clouds::directories).unwrap_or_default();
    let home = places.and_then(|places| platform::canonicalize(places.home).ok());
    Ok(Some(FolderPreview {
        work: text(&pair.work),
        encrypted: text(&pair.encrypted),
        missing: missing.iter().map(text).collect(),
        is_join: joinable.is_some(),
        folder: joinable.as_ref().map(|joinable| joinable.opened.id),
        owner: joinable.as_ref().map(|joinable| owner_of(shell, vault, joinable)).transpose()?.flatten(),
        role: joinable.as_ref().map(|joinable| joinable.opened.role()),
        warnings: warnings(&pair, &clouds, home.as_deref()),
        encrypt: counted.encrypt,
        decrypt: counted.decrypt,
        delete: counted.delete,
        same: counted.same,
        differ: counted.twice,
        encrypt_bytes: counted.encrypt_bytes,
        decrypt_bytes: counted.decrypt_bytes,
    }))
}

/// Whether both sides hold something that can meet.
#[must_use]
pub fn is_meeting(preview: &FolderPreview) -> bool {
    let FolderPreview { encrypt, decrypt, same, .. } = preview;
    encrypt + same > 0 && decrypt + same > 0
}

/// Refuses directories that are not there, or may not be synced.
///
/// # Errors
/// As [`refusals::check_pair`].
pub fn check(shell: &Shell, wanted: Wanted<'_>) -> Result<Pair> {
    let folders = Folders::load(shell.home.data_dir())?;
    let own = shell.home.directories();
    Ok(refusals::check_pair(wanted.work, wanted.encrypted, folders.entries(), &own)?)
}

/// Makes or joins the folder of two directories that exist, and puts it on the list. A running daemon is told by the
/// caller.
///
/// # Errors
/// They may not be synced, or as [`join::add`].
pub fn add(shell: &Shell, vault: &dyn Vault, wanted: Wanted<'_>) -> Result<FolderEntry> {
    let pair = check(shell, wanted)?;
    let mut folders = Folders::load(shell.home.data_dir())?;
    join::add(&pair, &mut folders, vault, wanted.owner, wanted.expected, &host_name(), now())
}

/// As [`add`], for directories of which some are still to be made. Where it is refused, nothing was made.
///
/// # Errors
/// As [`add`], or they cannot be made.
pub fn make_and_add(shell: &Shell, vault: &dyn Vault, wanted: Wanted<'_>) -> Result<FolderEntry> {
    let folders = Folders::load(shell.home.data_dir())?;
    let own = shell.home.directories();
    let (pair, missing) =
        refusals::check_future_pair(wanted.work, wanted.encrypted, folders.entries(), &own)?;
    if missing.is_empty() {
        return add(shell, vault, wanted);
    }
    join::examine(&pair, &folders, vault, wanted.owner, wanted.expected, &host_name())?;
    let made = Made::make(&missing)?;
    let added = add(shell, vault, wanted)?;
    made.keep();
    Ok(added)
}

/// Makes what is missing of two directories, once it is sure that they may be synced then.
///
/// # Errors
/// They may not, or cannot be made.
pub fn make_missing(shell: &Shell, work: &Path, encrypted: &Path) -> Result<()> {
    let folders = Folders::load(shell.home.data_dir())?;
    let own = shell.home.directories();
    let (_, missing) = refusals::check_future_pair(work, encrypted, folders.entries(), &own)?;
    Made::make(&missing)?.keep();
    Ok(())
}

/// Takes a folder off the list and forgets its state; its files stay on both sides. `let_go` has a running daemon let go of
/// it before its state is deleted.
///
/// # Errors
/// The list or the state cannot be written, or the daemon does not let go.
pub fn remove(shell: &Shell, folder: &FolderEntry, let_go: impl FnOnce() -> Result<()>) -> Result<()> {
    unlist(shell, folder)?;
    forget(shell, folder, let_go)
}

/// Takes a folder off the list. At once: no directory of it is looked at.
///
/// # Errors
/// The list cannot be written.
pub fn unlist(shell: &Shell, folder: &FolderEntry) -> Result<()> {
    Ok(Folders::load(shell.home.data_dir())?.remove(folder.id)?)
}

/// Forgets the state of a folder that is off the list, after `let_go`. That waits for the folder's work, which may wait for a
/// mount that does not answer.
///
/// # Errors
/// The state cannot be deleted, or the daemon does not let go.
pub fn forget(shell: &Shell, folder: &FolderEntry, let_go: impl FnOnce() -> Result<()>) -> Result<()> {
    let_go()?;
    let folders = Folders::load(shell.home.data_dir())?;
    folders.remove_state(folder.id)?;
    Ok(folders.free_work(folder)?)
}

/// The folder of this computer with this id.
///
/// # Errors
/// [`Exit::Usage`] where there is none.
pub fn on_list(shell: &Shell, id: ensafer_core::ids::FolderId) -> Result<FolderEntry> {
    let folders = Folders::load(shell.home.data_dir())?;
    let found = folders.entries().iter().find(|entry| entry.id == id).cloned();
    found.ok_or_else(|| {
        Failure::new(Exit::Usage, "The folder is not on this computer")
            .with_remedy("ensafer folder list")
            .into()
    })
}

fn owner_of(shell: &Shell, vault: &dyn Vault, joinable: &Joinable<'_>) -> Result<Option<OwnerReport>> {
    let account = vault.unlocked()?.account;
    let state = joinable.opened.roster().state();
    if state.owner_key == account.identity().public() {
        return Ok(None);
    }
    let known = account::known_people(&shell.home, &account)?;
    Ok(state.member(&state.owner_key).map(|owner| {
        let (login, standing) = members::holder(&owner.bundle, &account, &known);
        OwnerReport { login, fingerprint: owner.bundle.fingerprint().to_string(), standing }
    }))
}

fn warnings(pair: &Pair, clouds: &[CloudDirectory], home: Option<&Path>) -> Vec<PairWarning> {
    let carrier = |path: &Path| clouds.iter().find(|cloud| path.starts_with(&cloud.path));
    let mut warnings = Vec::new();
    if let Some(cloud) = carrier(&pair.work) {
        let what = format!(
            "{} lies in the directory of {}: its ordinary files reach that cloud unencrypted",
            pair.work.display(),
            cloud.client.name()
        );
        warnings.push(PairWarning { class: PairWarningClass::WorkInCloud, what });
    }
    if carrier(&pair.encrypted).is_none() {
        let what =
            format!("No cloud client is known to carry {} to other computers", pair.encrypted.display());
        warnings.push(PairWarning { class: PairWarningClass::EncryptedOutsideClouds, what });
        if let Some(shared) = directory_of_both(pair, home).filter(|_| carrier(&pair.work).is_none()) {
            let what = format!(
                "Both lie in {}: whatever carries that to a cloud as a whole carries the ordinary files, too",
                shared.display()
            );
            warnings.push(PairWarning { class: PairWarningClass::InOneDirectory, what });
        }
    }
    warnings
}

/// The innermost directory that holds both sides, unless that is the user's home or above it, where anything lies.
fn directory_of_both<'a>(pair: &'a Pair, home: Option<&Path>) -> Option<&'a Path> {
    let shared = pair.encrypted.ancestors().skip(1).find(|above| pair.work.starts_with(above))?;
    let is_common = shared.parent().is_none() || home.is_some_and(|home| home.starts_with(shared));
    (!is_common).then_some(shared)
}

/// A new folder: everything is encrypted. `None` where it was cancelled.
fn count_new(work: &Path, cancel: &AtomicBool) -> Result<Option<Preview>> {
    let mut counted = Preview::default();
    if !work.exists() {
        return Ok(Some(counted));
    }
    // What the file system can do is not tried: that would make a directory.
    let settle = std::time::Duration::ZERO;
    let options = ScanOptions { settle, folding: Folding::Exact, keeps_modes: true, now: now() };
    let Some(scanned) = scan_unless(&WorkDir::open(work)?, options, cancel) else { return Ok(None) };
    for node in scanned.tree.nodes.iter().skip(1).filter(|node| node.kind != NodeKind::Unknown) {
        counted.encrypt += 1;
        if matches!(node.kind, NodeKind::File { .. }) {
            counted.encrypt_bytes += node.stamp.size;
        }
    }
    Ok(Some(counted))
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

/// A folder that is joined: what its first step would do, in a state that is thrown away and a store that is not written.
fn count_join(
    shell: &Shell,
    pair: &Pair,
    joinable: &Joinable<'_>,
    cancel: &AtomicBool,
) -> Result<Option<Preview>> {
    let scratch = Scratch::make(shell, &pair.work)?;
    let work = if pair.work.exists() { pair.work.clone() } else { scratch.empty()? };
    let entry = FolderEntry { id: joinable.opened.id, work, encrypted: pair.encrypted.clone() };
    // A file that was written a moment ago counts, too.
    let settings = Settings { settle: std::time::Duration::ZERO, ..settings(shell) };
    let (clock, progress) = (SystemClock::default(), Progress::hidden());
    let env = Env { clock: &clock, vault: &joinable.vault, cancel, progress: &progress };
    Ok(dry_run(entry, settings, &scratch.directory, &env)?)
}

/// What the first step of a folder would do, in a state that is made in `scratch`, over a store that takes nothing. `None`
/// where it was cancelled.
pub(crate) fn dry_run(
    entry: FolderEntry,
    settings: Settings,
    scratch: &Path,
    env: &Env<'_>,
) -> Result<Option<Preview>, EngineError> {
    let mut state = State::open(&scratch.join("state.redb"))?;
    let identity = current_identity(&mut state)?;
    let store = ReadOnlyStore(DirectoryStore::open(&entry.encrypted, identity.device)?);
    let mut folder = Folder::with_store(entry, settings, state, identity, Box::new(store), env.clock.now())?;
    folder.preview(env)
}

/// Directories that were just made. They go with this, those that are empty still, unless they are kept.
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes `missing`, and what is missing above them.
    fn make(missing: &[PathBuf]) -> Result<Self> {
        let mut made = Self(Vec::new());
        for path in missing {
            let absent: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
            for directory in absent.into_iter().rev() {
                fs::create_dir(directory)
                    .with_context(|| format!("{} cannot be made", directory.display()))?;
                made.0.push(directory.to_path_buf());
            }
        }
        Ok(made)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for directory in self.0.iter().rev() {
            remove_private(&directory.join(PRIVATE));
            // Refused where anything is in it.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Removes what a look makes in a work folder, and only while nothing is in it.
fn remove_private(private: &Path) {
    let _ = fs::remove_dir(private.join("tmp"));
    let _ = fs::remove_dir(private);
}

/// What a dry run leaves behind until it is dropped.
struct Scratch {
    directory: PathBuf,
    /// The directory that a look makes in a work folder, where it was not there before.
    private: Option<PathBuf>,
}

impl Scratch {
    fn make(shell: &Shell, work: &Path) -> Result<Self> {
        let directory = shell.home.cache_dir().join(format!("preview-{}", std::process::id()));
        let private = work.join(PRIVATE);
        let private = (!private.exists()).then_some(private);
        // Of a process that was killed.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(Self { directory, private })
    }

    /// A directory in the place of one that is not there.
    fn empty(&self) -> Result<PathBuf> {
        let empty = self.directory.join("work");
        fs::create_dir(&empty).with_context(|| format!("{} cannot be made", empty.display()))?;
        Ok(empty)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whatever is left is of no use to anybody, and removed by the next dry run.
        let _ = fs::remove_dir_all(&self.directory);
        if let Some(private) = &self.private {
            remove_private(private);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_both_sides_is_told_where_it_may_be_a_clouds() {
        let classes = |work: &str, encrypted: &str| {
            let pair = Pair { work: work.into(), encrypted: encrypted.into() };
            let cloud = CloudDirectory { client: clouds::Client::Dropbox, path: "/home/a/Known".into() };
            let warnings = warnings(&pair, &[cloud], Some(Path::new("/home/a")));
            warnings.into_iter().map(|warning| warning.class).collect::<Vec<_>>()
        };
        let outside = PairWarningClass::EncryptedOutsideClouds;
        let both = vec![outside, PairWarningClass::InOneDirectory];
        assert_eq!(classes("/home/a/Cloud/Work", "/home/a/Cloud/Encrypted"), both);
        assert_eq!(classes("/home/a/Cloud/Work", "/home/a/Cloud/b/Encrypted"), both);
        assert_eq!(classes("/srv/b/Work", "/srv/b/Encrypted"), both);
        assert_eq!(classes("/home/a/Work", "/home/a/Encrypted"), [outside]);
        assert_eq!(classes("/home/a/Documents/Work", "/home/a/Cloud/Encrypted"), [outside]);
        assert_eq!(classes("/home/a/Work", "/home/b/Encrypted"), [outside]);
        assert_eq!(classes("/Work", "/Encrypted"), [outside]);
        assert_eq!(classes("/home/a/Work", "/home/a/Known/Encrypted"), []);
        let in_cloud = PairWarningClass::WorkInCloud;
        assert_eq!(classes("/home/a/Known/Work", "/home/a/Known/Encrypted"), [in_cloud]);
        assert_eq!(classes("/home/a/Known/Work", "/home/a/Encrypted"), [in_cloud, outside]);
    }
}
