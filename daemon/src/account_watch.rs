//! The daemon's look at the key server now and then: it keeps the session alive, takes over what other devices changed,
//! and tells people what they should know. Folders never wait for it.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ensafer_core::api::server::{DeviceReport, ProblemKind};
use ensafer_core::ids::DeviceId;
use ensafer_core::status::{AccountNotice, AccountNoticeKind};

use crate::account::{self, AccountError, Fresh, Unlocked};
use crate::board::Board;
use crate::exit;
use crate::folder_keys::Vault;
use crate::output::printable;
use crate::shell::Shell;
use crate::vault::ShellVault;

/// Between looks that went well.
const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// Between looks at invitations, while some are open: a guest waits for it.
const GUESTS_INTERVAL: Duration = Duration::from_secs(60);
/// After a look that did not, doubled each time up to [`INTERVAL`].
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// What a thread that looks now and then is asked to do.
#[derive(Debug)]
pub(crate) enum Wish {
    /// To look now.
    Look,
    /// To end.
    Quit,
}

/// Asks for a look now: at whatever may be other than before when the account was locked or unlocked.
#[derive(Debug, Clone)]
pub struct Waker(Vec<mpsc::Sender<Wish>>);

impl Waker {
    /// Asks the thread that hears these wishes.
    pub(crate) fn of(wishes: mpsc::Sender<Wish>) -> Self {
        Self(vec![wishes])
    }

    /// Asks those of `other`, too.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Asks for it, and returns at once.
    pub fn wake(&self) {
        for wishes in &self.0 {
            // The thread is gone where it fails, and so is the daemon.
            let _ = wishes.send(Wish::Look);
        }
    }
}

/// What wakes the watch, made before whatever it sees to.
#[derive(Debug)]
pub struct Wishes {
    sender: mpsc::Sender<Wish>,
    asked: mpsc::Receiver<Wish>,
}

impl Wishes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let (sender, asked) = mpsc::channel();
        Self { sender, asked }
    }

    /// For whoever knows when a look is worth it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::of(self.sender.clone())
    }
}

impl Default for Wishes {
    fn default() -> Self {
        Self::new()
    }
}

/// Does something for the account.
type See<T> = Box<dyn Fn(&Unlocked) -> Result<T, AccountError> + Send>;

/// What is seen to beside the session.
pub struct Tend {
    /// Sees to the account's invitations, and says how many are open.
    pub invitations: See<usize>,
    /// Sees to the account's groups.
    pub groups: See<()>,
}

/// The thread that looks.
#[derive(Debug)]
pub struct AccountWatch {
    wishes: mpsc::Sender<Wish>,
    thread: JoinHandle<()>,
}

impl AccountWatch {
    /// Starts looking, at once, then now and then and whenever it is [asked](Waker::wake) to.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        shell: &Shell,
        vault: Arc<ShellVault>,
        board: Arc<Board>,
        wishes: Wishes,
        tend: Tend,
    ) -> std::io::Result<Self> {
        let Wishes { sender, asked } = wishes;
        let shell = shell.clone();
        let thread = thread::Builder::new().name("account".to_owned()).spawn(move || {
            let (mut pause, mut next_look) = (FIRST_RETRY, Instant::now());
            loop {
                if Instant::now() >= next_look {
                    let went_well = look(&shell, &vault, &board) && see_to_groups(&shell, &vault, &tend);
                    pause = if went_well { INTERVAL } else { (pause * 2).min(INTERVAL) };
                    next_look = Instant::now() + pause;
                }
                let until_look = next_look.saturating_duration_since(Instant::now());
                let has_guests = has_open_invitations(&vault, &tend);
                let wait = if has_guests { until_look.min(GUESTS_INTERVAL) } else { until_look };
                match asked.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => {}
                    // Something is other than it was.
                    Ok(Wish::Look) => (pause, next_look) = (FIRST_RETRY, Instant::now()),
                    Ok(Wish::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { wishes: sender, thread })
    }

    /// Ends it. A request on its way is not waited for: nothing is lost with it.
    pub fn finish(self) {
        // The thread is gone where it fails, which is what is wanted.
        let _ = self.wishes.send(Wish::Quit);
        if self.thread.is_finished() && self.thread.join().is_err() {
            tracing::error!("the look at the key server panicked");
        }
    }
}

/// Sees to invitations; whether some are left that somebody may accept.
fn has_open_invitations(vault: &ShellVault, tend: &Tend) -> bool {
    let Ok(unlocked) = vault.unlocked() else { return false };
    (tend.invitations)(&unlocked).unwrap_or_else(|error| {
        tracing::debug!(%error, "invitations could not be seen to");
        0
    }) > 0
}

/// Sees to groups, where there is a server to ask. `false` where it is worth another try soon.
fn see_to_groups(shell: &Shell, vault: &ShellVault, tend: &Tend) -> bool {
    let is_logged_in = account::is_logged_in(&shell.home).unwrap_or(false);
    let Some(unlocked) = vault.unlocked().ok().filter(|_| is_logged_in) else { return true };
    (tend.groups)(&unlocked)
        .inspect_err(|error| tracing::debug!(%error, "groups could not be seen to"))
        .is_ok()
}

/// One look. `false` where it is worth another one soon.
fn look(shell: &Shell, vault: &ShellVault, board: &Board) -> bool {
    if !account::exists(&shell.home) {
        board.set_account(Some(not_set_up()));
        return true;
    }
    match account::server_of(&shell.home) {
        Ok(Some(_)) if !is_logged_out(shell) => {}
        Ok(_) => {
            // Whoever has logged out knows it.
            board.clear_account();
            return true;
        }
        Err(error) => {
            tracing::warn!(%error, "the session cannot be read");
            return false;
        }
    }
    // Whoever is locked is woken when somebody unlocks.
    let Ok(unlocked) = vault.unlocked() else { return false };
    match account::refresh(&shell.home, &shell.config, &unlocked) {
        Ok(fresh) => {
            let Fresh { unlocked, new_devices } = fresh;
            board.set_account(None);
            board.add_new_devices(new_devices.iter().map(new_device));
            if let Err(error) = account::forget_new_devices(&shell.home, &new_devices) {
                tracing::warn!(%error, "the session cannot be written");
            }
            vault.replace(unlocked);
            true
        }
        Err(error) => {
            let notice = notice_of(&error);
            let error: anyhow::Error = error.into();
            tracing::warn!(error = exit::describe(&error), "the key server was asked in vain");
            if let Some(notice) = notice {
                board.set_account(Some(notice));
            }
            false
        }
    }
}

/// A daemon waits for an account: the window makes one.
fn not_set_up() -> AccountNotice {
    let remedy = AccountError::NotSetUp.remedy().unwrap_or_default();
    let text = format!("No account is set up on this computer. {remedy}");
    AccountNotice { kind: AccountNoticeKind::NotSetUp, text }
}

fn is_logged_out(shell: &Shell) -> bool {
    let (home, no) = (&shell.home, |_| true);
    !account::is_logged_in(home).unwrap_or_else(no) && !account::was_ended_by_server(home).unwrap_or_else(no)
}

fn new_device(device: &DeviceReport) -> (DeviceId, AccountNotice) {
    tracing::warn!(device = %device.device, "another device has logged in to the account");
    let text = describe_new_device(device);
    (device.device, AccountNotice { kind: AccountNoticeKind::NewDevice, text })
}

/// What people should know of a device that has logged in.
#[must_use]
pub fn describe_new_device(device: &DeviceReport) -> String {
    format!(
        "Another computer has logged in to the account: {}. If that was not you: ensafer account devices --revoke {}, then ensafer account password and ensafer recovery-key new, because whoever logs in can have the recovery key shown",
        printable(&device.name),
        device.device
    )
}

/// What people should know of an error. That the server cannot be reached is not worth anybody's time.
fn notice_of(error: &AccountError) -> Option<AccountNotice> {
    let kind = match error {
        AccountError::NotLoggedIn => AccountNoticeKind::LoggedOut,
        AccountError::Server(server) => match server.kind()? {
            ProblemKind::DeviceRevoked | ProblemKind::SessionRefused | ProblemKind::AccountDisabled => {
                AccountNoticeKind::LoggedOut
            }
            _ => return None,
        },
        AccountError::ServerLies { .. } | AccountError::Pin { .. } => AccountNoticeKind::ServerDistrusted,
        _ => return None,
    };
    let remedy = error.remedy().map_or_else(String::new, |remedy| format!(". {remedy}"));
    Some(AccountNotice { kind, text: format!("The account: {error}{remedy}") })
}
