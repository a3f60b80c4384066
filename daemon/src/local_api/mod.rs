//! The daemon's side of the local API: HTTP/1 with JSON over a Unix socket, spoken by the command line, the tray and
//! scripts. Theirs is [`ensafer_client::local_api`].
//!
//! A browser gets the same by the door of `browser`, while somebody wants it to.
//!
//! `curl --unix-socket …/runtime/ensafer.sock http://ensafer/v1/status` shows it.

mod accept;
mod account;
mod autostart;
mod body;
mod browser;
mod control;
mod decisions;
mod directories;
mod folders;
mod page;
mod people;
mod refusals;
mod server;
mod settings;
mod turns;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ensafer_client::local_api::Client;
use ensafer_client::password::Password;
use ensafer_core::api::local::{
    ActivityReport, ConflictReport, FileStatus, Keep, ListedEntry, Located, MembersChange, ProblemReport,
    RefusalClass, Restored, SettleOutcome, TrashQuery, TrashedReport,
};
use ensafer_core::ids::{FileId, FolderId};
use ensafer_core::status::Status;
use tokio::sync::{oneshot, watch};

use crate::engine::{EngineError, MembersError};
use crate::folder_keys::FolderKeysError;

pub use server::{Desk, LocalServer, ServeError};

/// Why the daemon cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No account is set up.
    #[error("no account is set up on this computer")]
    NotSetUp,
    /// The keys are locked.
    #[error("the keys are locked")]
    Locked,
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// No brake has that token.
    #[error("no brake has this token; another set of changes may be waiting by now")]
    NoSuchBrake,
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// A folder's members are not changed.
    #[error(transparent)]
    Members(MembersError),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl ControlError {
    fn class(&self) -> RefusalClass {
        match self {
            Self::NotSetUp => RefusalClass::NotSetUp,
            Self::Locked => RefusalClass::Locked,
            Self::WrongPassword => RefusalClass::WrongPassword,
            Self::NoSuchBrake => RefusalClass::NoSuchBrake,
            Self::BadRequest(_) => RefusalClass::BadRequest,
            Self::Members(error) => refusals::class_of_members(error),
            Self::Failed(_) => RefusalClass::Failed,
        }
    }
}

impl From<MembersError> for ControlError {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::Engine(EngineError::Keys(FolderKeysError::Locked)) => Self::Locked,
            error => Self::Members(error),
        }
    }
}

/// Answers about files, and what people decide about single ones, by a running daemon or without one.
pub trait Queries {
    /// How far one path is. Paths are absolute, without symbolic links; so for all that follow.
    ///
    /// # Errors
    /// The state cannot be read.
    fn file_status(&self, path: &Path) -> Result<FileStatus>;

    /// Everything below `path`, which lies in a work folder, sorted by path.
    ///
    /// # Errors
    /// As [`file_status`](Self::file_status).
    fn list(&self, path: &Path) -> Result<Vec<ListedEntry>>;

    /// The object that shows at a path of a work folder, or whose id is in hex digits or a path or file name of an
    /// encrypted file; `None` if there is none.
    ///
    /// # Errors
    /// As [`file_status`](Self::file_status).
    fn locate(&self, sought: &str) -> Result<Option<Located>>;

    /// Gives the file at `path` a description; an empty one removes it.
    ///
    /// # Errors
    /// No synced file is there.
    fn describe(&self, path: &Path, text: &str) -> Result<()>;

    /// Contents that were kept twice and not resolved.
    ///
    /// # Errors
    /// As [`file_status`](Self::file_status).
    fn conflicts(&self) -> Result<Vec<ConflictReport>>;

    /// Keeps what is said of a conflict; what is not kept goes to the trash. Waits for the folder's current work.
    ///
    /// # Errors
    /// [`ResolveError`](crate::engine::ResolveError), or the daemon's words of it.
    fn resolve_conflict(&self, folder: FolderId, conflict: FileId, keep: Keep) -> Result<()>;

    /// What lies in the trash of all work folders, the latest first.
    ///
    /// # Errors
    /// A trash cannot be read.
    fn trash(&self, sought: &TrashQuery) -> Result<Vec<TrashedReport>>;

    /// Brings something back from a folder's trash to where it was, or beside what is there now.
    ///
    /// # Errors
    /// The trash has no such entry, or it cannot be moved.
    fn restore(&self, folder: FolderId, item: &str) -> Result<Restored>;

    /// What was done, the latest first, at most `limit` deeds.
    ///
    /// # Errors
    /// As [`file_status`](Self::file_status).
    fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>>;
}

impl Queries for Client {
    fn file_status(&self, path: &Path) -> Result<FileStatus> {
        Ok(Self::file_status(self, path)?)
    }

    fn list(&self, path: &Path) -> Result<Vec<ListedEntry>> {
        Ok(Self::list(self, path)?)
    }

    fn locate(&self, sought: &str) -> Result<Option<Located>> {
        Ok(Self::locate(self, sought)?)
    }

    fn describe(&self, path: &Path, text: &str) -> Result<()> {
        Ok(Self::describe(self, path, text)?)
    }

    fn conflicts(&self) -> Result<Vec<ConflictReport>> {
        Ok(Self::conflicts(self)?)
    }

    fn resolve_conflict(&self, folder: FolderId, conflict: FileId, keep: Keep) -> Result<()> {
        Ok(Self::resolve_conflict(self, folder, conflict, keep)?)
    }

    fn trash(&self, sought: &TrashQuery) -> Result<Vec<TrashedReport>> {
        Ok(Self::trash(self, sought)?)
    }

    fn restore(&self, folder: FolderId, item: &str) -> Result<Restored> {
        Ok(Self::restore(self, folder, item)?)
    }

    fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>> {
        Ok(Self::activity(self, limit)?)
    }
}

/// The daemon as the local API sees it. Methods may block on files and key derivation: they are called on blocking
/// threads.
pub trait Control: Queries + Send + Sync + 'static {
    /// The one status.
    fn status(&self) -> Status;

    /// The status and its changes.
    fn subscribe(&self) -> watch::Receiver<Status>;

    /// Everything that is not in order, oldest first.
    fn problems(&self) -> Vec<ProblemReport>;

    /// Begins syncing, and remembers that it shall.
    ///
    /// # Errors
    /// [`ControlError`].
    fn start(&self) -> Result<(), ControlError>;

    /// Stops syncing, and remembers that it shall, also after a restart.
    ///
    /// # Errors
    /// [`ControlError`].
    fn stop(&self) -> Result<(), ControlError>;

    /// Stops syncing for a while, or until [`resume`](Self::resume).
    ///
    /// # Errors
    /// [`ControlError`].
    fn pause(&self, duration: Option<Duration>) -> Result<(), ControlError>;

    /// Ends a pause, or releases the brake with the token `go_on`.
    ///
    /// # Errors
    /// [`ControlError::NoSuchBrake`] where the token is unknown.
    fn resume(&self, go_on: Option<String>) -> Result<(), ControlError>;

    /// Opens the keys.
    ///
    /// # Errors
    /// [`ControlError::WrongPassword`].
    fn unlock(&self, password: Password) -> Result<(), ControlError>;

    /// Forgets the keys.
    fn lock(&self);

    /// Settles both sides of every folder; the receiver gets the outcome.
    ///
    /// # Errors
    /// [`ControlError::Locked`], [`ControlError::NotSetUp`].
    fn settle(&self) -> Result<oneshot::Receiver<SettleOutcome>, ControlError>;

    /// Changes a folder's members; the receiver gets the outcome.
    ///
    /// # Errors
    /// [`ControlError::Failed`] where the folder is not at work.
    fn change_members(
        &self,
        folder: FolderId,
        change: MembersChange,
    ) -> Result<oneshot::Receiver<Result<(), MembersError>>, ControlError>;

    /// Has a folder encrypt anew what lies under an older epoch's key; the receiver learns that it has begun.
    ///
    /// # Errors
    /// [`ControlError::Failed`] where the folder is not at work.
    fn reencrypt(&self, folder: FolderId)
    -> Result<oneshot::Receiver<Result<(), EngineError>>, ControlError>;

    /// Has the account looked at, on its server, soon.
    fn look_at_account(&self);

    /// Reads the list of folders again.
    ///
    /// # Errors
    /// [`ControlError`].
    fn reload_folders(&self) -> Result<(), ControlError>;

    /// Ends the process, cleanly and soon.
    fn quit(&self);
}

#[cfg(test)]
pub(crate) mod tests;
