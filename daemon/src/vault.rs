//! Opens the account for the engine when keys are first needed: asking, where somebody can be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use ensafer_client::password::Password;
use ensafer_core::account::OpenInvitation;
use ensafer_core::crypto::InviteKey;
use ensafer_core::ids::{Fingerprint, FolderId, GroupId, InvitationId};
use ensafer_core::time::Timestamp;

use crate::account::{self, AccountError, GroupFiles, Unlocked};
use crate::envelopes::Envelopes;
use crate::folder_keys::{FolderKeysError, Vault};
use crate::groups::{HeldGroup, Met};
use crate::shell::Shell;

/// The account of a command or a daemon.
pub struct ShellVault {
    shell: Shell,
    may_ask: bool,
    is_locked: AtomicBool,
    envelopes: Envelopes,
    groups: GroupFiles,
}

impl std::fmt::Debug for ShellVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShellVault")
    }
}

impl ShellVault {
    /// The account of `shell`. Where `may_ask`, a password that is not at hand is asked for.
    #[must_use]
    pub fn new(shell: &Shell, may_ask: bool) -> Self {
        let envelopes = Envelopes::new(shell.home.cache_dir().join("envelopes"));
        let groups = GroupFiles::new(&shell.home);
        Self { shell: shell.clone(), may_ask, is_locked: AtomicBool::new(false), envelopes, groups }
    }

    /// Opens the account with a password that was given.
    ///
    /// # Errors
    /// As [`Shell::unlock`].
    pub fn unlock(&self, password: &Password) -> Result<Unlocked, AccountError> {
        let unlocked = self.shell.unlock(password)?;
        self.is_locked.store(false, Ordering::Relaxed);
        Ok(unlocked)
    }

    /// The files of the groups that the account is in.
    #[must_use]
    pub const fn group_files(&self) -> &GroupFiles {
        &self.groups
    }

    /// Takes over what another device changed in the account, unless it was locked meanwhile.
    pub fn replace(&self, unlocked: Unlocked) {
        if !self.is_locked.load(Ordering::Relaxed) {
            self.shell.keep(unlocked);
        }
        // Whoever locked between the two lines: their wish is the last word.
        if self.is_locked.load(Ordering::Relaxed) {
            self.shell.forget_account();
        }
    }

    /// Forgets the account until it is [unlocked](Self::unlock), even if a way to open it silently is at hand.
    pub fn lock(&self) {
        self.is_locked.store(true, Ordering::Relaxed);
        self.groups.lock();
        self.shell.forget_account();
    }
}

impl Vault for ShellVault {
    fn unlocked(&self) -> Result<Unlocked, FolderKeysError> {
        if self.is_locked.load(Ordering::Relaxed) {
            return Err(FolderKeysError::Locked);
        }
        let opened = if self.may_ask {
            self.shell.open_account().map(Some)
        } else {
            self.shell.open_account_silently()
        };
        let opened = opened.map_err(|error| {
            // The cause stays what it is: it chooses the exit code.
            FolderKeysError::Account(error.reallocate_into_boxed_dyn_error_without_backtrace())
        })?;
        opened.ok_or(FolderKeysError::Locked)
    }

    fn envelopes(&self) -> &Envelopes {
        &self.envelopes
    }

    fn invitation(&self, folder: FolderId) -> Result<Option<(InvitationId, InviteKey)>, FolderKeysError> {
        let account = self.unlocked()?.account;
        let accepted = account::accepted_invitation(&self.shell.home, &account, folder);
        accepted.map_err(|error| FolderKeysError::Account(error.into()))
    }

    fn groups(&self) -> Result<Vec<Arc<HeldGroup>>, FolderKeysError> {
        let account = self.unlocked()?.account;
        self.groups.all(&account).map_err(|error| FolderKeysError::Account(error.into()))
    }

    fn hold_group(&self, group: GroupId, object: &[u8], now: Timestamp) -> Result<Met, FolderKeysError> {
        let account = self.unlocked()?.account;
        self.groups.hold(group, object, &account, now).map_err(|error| FolderKeysError::Account(error.into()))
    }

    fn guests(&self, folder: FolderId) -> Result<Vec<(InvitationId, OpenInvitation)>, FolderKeysError> {
        let open = account::open_invitations(&self.shell.home, &self.unlocked()?.account);
        let open = open.map_err(|error| FolderKeysError::Account(error.into()))?;
        Ok(open.into_iter().filter(|(_, invitation)| invitation.folder == folder).collect())
    }

    fn knows(&self, identity: &Fingerprint) -> Result<bool, FolderKeysError> {
        let account = self.unlocked()?.account;
        let known = account::known_people(&self.shell.home, &account);
        let known = known.map_err(|error| FolderKeysError::Account(error.into()))?;
        Ok(known.with_identity(identity).is_some())
    }
}
