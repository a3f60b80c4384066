//! The daemon's look at the clients' directories now and then: what is shared with the account and not synced here is
//! told in the status.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use ensafer_core::api::local::Whose;
use ensafer_core::ids::FolderId;
use ensafer_core::status::SharedWithMe;

use super::{Encrypted, Places, directories, find};
use crate::account;
use crate::account_watch::{Waker, Wish};
use crate::board::Board;
use crate::folder_keys::Vault;
use crate::folders::Folders;
use crate::shell::Shell;

/// Most folders that are told. Whoever can write into a client's directory can put any number there.
const MAX_TOLD: usize = 32;

/// The thread that looks. It is one of its own: a directory whose file system hangs keeps nobody else waiting.
#[derive(Debug)]
pub struct CloudWatch {
    wishes: mpsc::Sender<Wish>,
    thread: JoinHandle<()>,
}

impl CloudWatch {
    /// Starts looking, at once, then every `interval` and whenever it is [asked](Waker::wake) to.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        shell: &Shell,
        vault: Arc<dyn Vault>,
        board: Arc<Board>,
        interval: Duration,
    ) -> std::io::Result<Self> {
        let (wishes, asked) = mpsc::channel();
        let shell = shell.clone();
        let thread = thread::Builder::new().name("clouds".to_owned()).spawn(move || {
            let mut told = HashSet::new();
            loop {
                match look(&shell, &*vault) {
                    Ok(found) => tell(&board, &mut told, &found),
                    Err(error) => {
                        tracing::debug!(%error, "whose encrypted folders there are cannot be said now");
                    }
                }
                match asked.recv_timeout(interval) {
                    Ok(Wish::Look) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Wish::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { wishes, thread })
    }

    /// For whoever knows when a look is worth it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::of(self.wishes.clone())
    }

    /// Ends it. A look at a directory that hangs is not waited for: nothing is lost with it.
    pub fn finish(self) {
        // The thread is gone where it fails, which is what is wanted.
        let _ = self.wishes.send(Wish::Quit);
        if self.thread.is_finished() && self.thread.join().is_err() {
            tracing::error!("the look at the cloud clients' directories panicked");
        }
    }
}

fn look(shell: &Shell, vault: &dyn Vault) -> Result<Vec<Encrypted>> {
    let Some(places) = Places::of_user().filter(|_| account::exists(&shell.home)) else {
        return Ok(Vec::new());
    };
    let folders = Folders::load(shell.home.data_dir())?;
    find(&directories(&places), folders.entries(), &shell.home, Some(vault))
}

/// Shows what is shared, and logs each folder once.
fn tell(board: &Board, told: &mut HashSet<FolderId>, found: &[Encrypted]) {
    let shared = found.iter().filter_map(|encrypted| {
        let Whose::Shared { owner, fingerprint, standing } = encrypted.whose.clone() else { return None };
        let encrypted_directory = encrypted.directory.to_string_lossy().into_owned();
        let shared = SharedWithMe { encrypted: encrypted_directory, owner, fingerprint, standing };
        Some((encrypted.folder, shared))
    });
    let shared: Vec<_> = shared.take(MAX_TOLD).collect();
    for (folder, _) in &shared {
        if told.insert(*folder) {
            tracing::info!(%folder, "a folder in a cloud client's directory is shared with this account");
        }
    }
    board.set_shared(shared);
}
