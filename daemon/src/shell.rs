//! What every command starts from: directories, settings, output, and the account when it is first needed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use ensafer_client::home::Home;
use ensafer_client::password::Password;

use crate::account::{self, AccountError, Unlocked};
use crate::config::Config;
use crate::output::Output;
use crate::progress::Progress;
use crate::prompt;

/// The surroundings of one command. Clones share the opened account.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Ensafer's own directories.
    pub home: Home,
    /// The settings.
    pub config: Config,
    /// Where results and remarks go.
    pub output: Output,
    /// The account, once it was opened in this process.
    opened: Arc<Mutex<Option<Unlocked>>>,
    /// The password that opened it, where a daemon runs that may want it, too.
    typed: Arc<Mutex<Option<Password>>>,
}

impl Shell {
    /// With no account opened yet.
    #[must_use]
    pub fn new(home: Home, config: Config, output: Output) -> Self {
        Self { home, config, output, opened: Arc::default(), typed: Arc::default() }
    }

    /// Refuses, with the command to type, where no account is set up.
    ///
    /// # Errors
    /// [`AccountError::NotSetUp`].
    pub fn require_account(&self) -> Result<()> {
        if account::exists(&self.home) { Ok(()) } else { Err(AccountError::NotSetUp.into()) }
    }

    /// Opens the account: with this device's key where it is at hand, else with the password, which is asked for. It
    /// may take a second the first time: call it when keys are first needed, not before.
    ///
    /// # Errors
    /// Not set up, or a wrong password.
    pub fn open_account(&self) -> Result<Unlocked> {
        self.require_account()?;
        if let Some(account) = self.open_with_device()? {
            return Ok(account);
        }
        let (password, unlocked) =
            prompt::tried_password(self.output, "Password: ", |password| Ok(self.unlock(password)?))?;
        if self.home.running_socket().is_some() {
            *self.typed.lock().unwrap_or_else(PoisonError::into_inner) = Some(password);
        }
        Ok(unlocked)
    }

    /// The password that [`open_account`](Self::open_account) was given, once: nobody is asked twice.
    #[must_use]
    pub fn take_typed_password(&self) -> Option<Password> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Opens the account without asking anybody: with this device's key, else with the password that
    /// `ENSAFER_PASSWORD_COMMAND` prints. `None` where neither is at hand: then it is locked.
    ///
    /// # Errors
    /// Not set up, or the command prints a wrong password.
    pub fn open_account_silently(&self) -> Result<Option<Unlocked>> {
        self.require_account()?;
        if let Some(account) = self.open_with_device()? {
            return Ok(Some(account));
        }
        let Some(password) = prompt::password_from_command()? else { return Ok(None) };
        Ok(Some(self.keep(account::unlock(&self.home, &self.config, &password)?)))
    }

    /// Opens the account with a password that was given.
    ///
    /// # Errors
    /// Not set up, or a wrong password.
    pub fn unlock(&self, password: &Password) -> Result<Unlocked, AccountError> {
        Ok(self.keep(account::unlock(&self.home, &self.config, password)?))
    }

    /// Remembers an account that was opened elsewhere in this process.
    pub fn keep(&self, unlocked: Unlocked) -> Unlocked {
        *self.opened() = Some(unlocked.clone());
        unlocked
    }

    /// Forgets the account; whoever uses it now keeps it until done.
    pub fn forget_account(&self) {
        *self.opened() = None;
    }

    fn open_with_device(&self) -> Result<Option<Unlocked>> {
        if let Some(account) = &*self.opened() {
            return Ok(Some(account.clone()));
        }
        Ok(account::open_with_device(&self.home, &self.config)?.map(|account| self.keep(account)))
    }

    fn opened(&self) -> MutexGuard<'_, Option<Unlocked>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A bar named `what`, on a terminal.
    #[must_use]
    pub fn progress(&self, what: &'static str) -> Progress {
        Progress::new(what, self.output.shows_progress())
    }
}
