//! What the verbs ask of the engine.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ensafer_core::api::local::{Decrypted, MembersChange, ProblemReport, SettleOutcome, VerifyReport};
use ensafer_core::format::roster::RosterState;
use ensafer_core::ids::{Fingerprint, InvitationId};
use ensafer_core::status::Status;

use crate::account::FreshGroups;
use crate::daemon::{QuitSignal, Running};
use crate::folders::FolderEntry;
use crate::local_api::Queries;
use crate::people::ReadingGuests;
use crate::progress::Progress;
use crate::shell::Shell;

/// The engine. Keys are opened through [`Shell::open_account`] when they are first needed, and not before.
pub trait Engine {
    /// Starts syncing in this process, for the daemon. The home's lock is held.
    ///
    /// # Errors
    /// The state cannot be opened.
    fn launch(&self, shell: &Shell, quit: QuitSignal) -> Result<Running>;

    /// Settles both sides of every folder in this process. The home's lock is held.
    ///
    /// # Errors
    /// What stops a whole folder; a file's trouble is in the outcome.
    fn sync_once(&self, shell: &Shell, progress: &Progress) -> Result<SettleOutcome>;

    /// The status while no daemon runs.
    ///
    /// # Errors
    /// The state cannot be read.
    fn status(&self, shell: &Shell) -> Result<Status>;

    /// Releases the brake with this token while no daemon runs; `false` where no folder is held by it. The home's lock
    /// is held.
    ///
    /// # Errors
    /// The state cannot be written.
    fn release_brake(&self, shell: &Shell, token: &str) -> Result<bool>;

    /// The problems that stood when a daemon last ran.
    ///
    /// # Errors
    /// The state cannot be read.
    fn problems(&self, shell: &Shell) -> Result<Vec<ProblemReport>>;

    /// Answers about single files while no daemon runs.
    ///
    /// # Errors
    /// The state cannot be read.
    fn queries(&self, shell: &Shell) -> Result<Box<dyn Queries>>;

    /// What a folder's last accepted roster says.
    ///
    /// # Errors
    /// The roster cannot be opened, or this account is no member any more.
    fn roster(&self, shell: &Shell, folder: &FolderEntry) -> Result<RosterState>;

    /// By which of the account's `own` invitations somebody can read a folder, and by how many others, as its last accepted
    /// roster says.
    ///
    /// # Errors
    /// As [`roster`](Self::roster).
    fn reading_guests(
        &self,
        shell: &Shell,
        folder: &FolderEntry,
        own: &[InvitationId],
    ) -> Result<ReadingGuests>;

    /// Changes a folder's members while no daemon runs. The home's lock is held.
    ///
    /// # Errors
    /// [`MembersError`](crate::engine::MembersError).
    fn change_members(&self, shell: &Shell, folder: &FolderEntry, change: &MembersChange) -> Result<()>;

    /// Settles a folder in this process, and encrypts anew what lies under an older epoch's key. The home's lock is held.
    ///
    /// # Errors
    /// What stops the whole folder.
    fn reencrypt(&self, shell: &Shell, folder: &FolderEntry, progress: &Progress) -> Result<SettleOutcome>;

    /// Sees to the account's invitations while no daemon runs. The home's lock is held.
    ///
    /// # Errors
    /// The server says so. One invitation's trouble is logged.
    fn tend_invitations(&self, shell: &Shell) -> Result<()>;

    /// Looks at the account's groups while no daemon runs, and has the folders hear of what is new. The home's lock is held.
    ///
    /// # Errors
    /// The server cannot be reached. One group's trouble, or one folder's, is logged.
    fn tend_groups(&self, shell: &Shell) -> Result<FreshGroups>;

    /// Opens every file of a folder's encrypted side to the last byte.
    ///
    /// # Errors
    /// What concerns no single file.
    fn verify(&self, shell: &Shell, folder: &FolderEntry, progress: &Progress) -> Result<VerifyReport>;

    /// Decrypts files into the directory `output`, which exists, with the account's keys alone. Nothing that is there
    /// is overwritten. Beside the signatures of those whom the account knows, those with `accepted` fingerprints are
    /// taken.
    ///
    /// # Errors
    /// What concerns no single file.
    fn decrypt(
        &self,
        shell: &Shell,
        files: &[PathBuf],
        accepted: &[Fingerprint],
        output: &Path,
        progress: &Progress,
    ) -> Result<Vec<Decrypted>>;
}
