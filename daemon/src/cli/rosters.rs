//! Rosters for acts on people: read here, changed in the daemon where one runs.

use anyhow::Result;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::MembersChange;
use ensafer_core::format::roster::RosterState;
use ensafer_core::ids::InvitationId;

use super::engine::Engine;
use crate::folders::FolderEntry;
use crate::people::{ReadingGuests, Rosters, Scene};
use crate::shell::Shell;

/// This process, and the daemon where one runs.
pub(super) struct Here<'a> {
    pub shell: &'a Shell,
    pub engine: &'a dyn Engine,
}

impl Here<'_> {
    /// What acts on people are carried out with. Opens the account.
    pub(super) fn scene(&self) -> Result<Scene<'_>> {
        Ok(Scene { shell: self.shell, unlocked: self.shell.open_account()?, rosters: self })
    }
}

impl Rosters for Here<'_> {
    fn roster(&self, folder: &FolderEntry) -> Result<RosterState> {
        self.engine.roster(self.shell, folder)
    }

    fn reading_guests(&self, folder: &FolderEntry, own: &[InvitationId]) -> Result<ReadingGuests> {
        self.engine.reading_guests(self.shell, folder, own)
    }

    fn change(&self, folder: &FolderEntry, change: MembersChange) -> Result<()> {
        match Client::connect_if_running(&self.shell.home)? {
            Some(client) => change_in_daemon(self.shell, &client, folder, change),
            None => {
                let _lock = self.shell.home.lock()?;
                self.engine.change_members(self.shell, folder, &change)
            }
        }
    }
}

/// A daemon that is locked gets the password that somebody has typed for this command.
fn change_in_daemon(
    shell: &Shell,
    client: &Client,
    folder: &FolderEntry,
    change: MembersChange,
) -> Result<()> {
    match client.change_members(folder.id, change.clone()) {
        Err(error) if error.is_locked() => {
            let password = shell.take_typed_password().ok_or(error)?;
            client.unlock(&password)?;
            Ok(client.change_members(folder.id, change)?)
        }
        changed => Ok(changed?),
    }
}
