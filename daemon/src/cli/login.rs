//! `login`, `logout`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::crypto::AccountKey;

use super::lock;
use crate::account::{self, KeepAccountKey, Unlocked};
use crate::enrol::{self, LoggedOut, Named};
use crate::exit::{self, Failure};
use crate::prompt;
use crate::shell::Shell;

/// Whom and where, as far as this computer does not know it.
#[derive(Debug, Args)]
pub(super) struct Whom {
    /// The account's e-mail address; that of this computer's account if left out
    #[arg(long)]
    email: Option<String>,
    /// The key server; the one that this computer knows if left out
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The address that the server had when the password was set, if it has moved since
    #[arg(long, value_name = "URL")]
    realm: Option<String>,
}

impl Whom {
    /// What was named.
    pub(super) fn named(&self) -> Named<'_> {
        Named { email: self.email.as_deref(), server: self.server.as_deref(), realm: self.realm.as_deref() }
    }
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// Ask for the account key, which an account may want beside the password
    #[arg(long)]
    account_key: bool,
    /// Use the password without the account key that this computer keeps, from now on
    #[arg(long, conflicts_with = "account_key")]
    no_account_key: bool,
}

/// Sets this computer up with an account from a server, or renews its session.
pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    let whom = arguments.whom.named().complete(shell)?;
    let mut key = TypedAccountKey::new(arguments.account_key);
    let log_in = |password: &Password| {
        let keep = match key.ask()? {
            Some(key) => KeepAccountKey::This(key),
            None if arguments.no_account_key => KeepAccountKey::Drop,
            None => KeepAccountKey::AsItIs,
        };
        Ok(enrol::log_in(shell, &whom, password, keep)?)
    };
    let question = format!("Password of {}: ", whom.login);
    let (password, ()) = prompt::tried_password(shell.output, &question, log_in).map_err(of_login)?;
    lock::unlock_daemon(shell, &password)?;
    shell.output.note(format_args!("Logged in to {} as {}.", whom.origin, whom.login));
    Ok(Exit::Success)
}

/// The account key, asked for once, behind the first password.
pub(super) struct TypedAccountKey {
    is_wanted: bool,
    typed: Option<AccountKey>,
}

impl TypedAccountKey {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, typed: None }
    }

    /// The key; none where none is wanted.
    pub(super) fn ask(&mut self) -> Result<Option<&AccountKey>> {
        if self.is_wanted && self.typed.is_none() {
            self.typed = Some(account::parse_account_key(&prompt::asked("Account key: ")?)?);
        }
        Ok(self.typed.as_ref())
    }
}

/// Whoever has just failed to log in is not told to log in.
fn of_login(error: anyhow::Error) -> anyhow::Error {
    let remedy = "Look at the address and the server, and try again. An account with an account key wants --account-key, a server that moved --realm. Where the password is lost: ensafer recovery-key use --email YOU@EXAMPLE.COM --server URL";
    Failure::of_password(error, remedy)
}

/// Ends this computer's session and forgets its keys. Files and folders stay as they are.
pub(super) fn log_out(shell: &Shell) -> Result<Exit> {
    let unlocked = if enrol::may_log_out(shell)? { opened_to_log_out(shell) } else { None };
    let ended = enrol::log_out(shell, unlocked.as_ref())?;
    lock::lock_daemon(shell)?;
    match (ended, unlocked) {
        (LoggedOut::Nobody, _) => shell.output.note("Nobody is logged in on this computer."),
        (LoggedOut::Told, _) => shell.output.note(
            "Logged out. The account and all files stay on this computer; folders stop until somebody types the password: ensafer unlock, or ensafer login",
        ),
        (LoggedOut::Untold, Some(_)) => shell.output.warn(
            "Logged out here. The server could not be told: remove this computer from another one (ensafer account devices)",
        ),
        (LoggedOut::Untold, None) => shell.output.warn(
            "Logged out here. The server could not be told without the password: the session there ends by itself after 90 days, or when this computer is removed from another one (ensafer account devices)",
        ),
    }
    Ok(Exit::Success)
}

/// The account, with which the server is told of the end. Whoever forgot the password logs out without it.
fn opened_to_log_out(shell: &Shell) -> Option<Unlocked> {
    match shell.open_account_silently() {
        Ok(None) if prompt::is_terminal() => {}
        other => return other.ok().flatten(),
    }
    shell.output.note("With the password, the server is told, too. Whoever forgot it presses Enter.");
    shell.open_account().inspect_err(|error| shell.output.note(exit::describe(error))).ok()
}
