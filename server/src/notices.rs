//! What an account's owner is told by mail, in the background: no request waits for it, or fails with it.

use std::sync::{Mutex, PoisonError};

use ensafer_core::crypto::Login;
use tokio::task::JoinSet;

use crate::error::ApiError;
use crate::limits;
use crate::mail::Mail;
use crate::state::AppState;

/// The notices that are on their way.
#[derive(Debug, Default)]
pub struct Notices(Mutex<JoinSet<()>>);

impl Notices {
    fn spawn(&self, sending: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are done, so that they do not pile up.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(sending);
    }

    /// Waits until all have left or failed. Dropped earlier, it gives up those that have not.
    pub async fn finish(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

/// What happened to an account.
#[derive(Debug)]
pub enum Notice {
    /// A device logged in that was not there before.
    NewDevice {
        /// What it calls itself.
        name: String,
    },
    /// The password was changed.
    PasswordChanged,
    /// The recovery key was changed.
    RecoveryChanged,
    /// Somebody logged in with the recovery key.
    RecoveryUsed,
    /// The account has another address.
    AddressChanged {
        /// Which.
        new: Login,
    },
    /// The account is gone.
    AccountDeleted,
}

impl Notice {
    /// What is counted apart.
    fn kind(&self) -> &'static str {
        match self {
            Self::NewDevice { .. } => "new-device",
            Self::PasswordChanged => "password-changed",
            Self::RecoveryChanged => "recovery-changed",
            Self::RecoveryUsed => "recovery-used",
            Self::AddressChanged { .. } => "address-changed",
            Self::AccountDeleted => "account-deleted",
        }
    }

    fn mail(&self, at_s: u64) -> Mail<'_> {
        match self {
            Self::NewDevice { name } => Mail::NewDevice { device_name: name, at_s },
            Self::PasswordChanged => Mail::PasswordChanged { at_s },
            Self::RecoveryChanged => Mail::RecoveryChanged { at_s },
            Self::RecoveryUsed => Mail::RecoveryUsed { at_s },
            Self::AddressChanged { new } => Mail::AddressChanged { new },
            Self::AccountDeleted => Mail::AccountDeleted,
        }
    }
}

/// Mails a notice, if the server sends mail, the login is an address, and it did not get many of that kind lately. The
/// mailer logs what it cannot send.
pub fn send(state: &AppState, to: Login, notice: Notice) {
    if state.mailer.is_none() || !to.as_str().contains('@') {
        return;
    }
    let state = state.clone();
    let sender = state.clone();
    state.notices.spawn(async move {
        let Some(mailer) = &sender.mailer else { return };
        // Where the database fails, one mail more is better than none.
        if let Err(ApiError::Problem { .. }) = limits::count_notice(&sender, &to, notice.kind()).await {
            return sender.metrics.mail("spared");
        }
        let sent = mailer.send(&to, notice.mail(sender.clock.now_s())).await;
        sender.metrics.mail(if sent.is_ok() { "sent" } else { "failed" });
    });
}
