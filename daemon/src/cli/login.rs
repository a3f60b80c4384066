//! `login`, `logout`.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::crypto::{AccountKey, Login};

use super::lock;
use crate::account::{self, AccountError, KeepAccountKey, Unlocked};
use crate::exit::{self, Failure};
use crate::key_server::Origin;
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

/// The answers.
pub(super) struct Account {
    pub login: Login,
    pub origin: Origin,
    pub realm: Option<Origin>,
}

impl Whom {
    /// Whether a server was named.
    pub(super) fn names_server(&self) -> bool {
        self.server.is_some()
    }

    /// Whether an address was named.
    pub(super) fn names_login(&self) -> bool {
        self.email.is_some()
    }

    /// Completes what was named by what this computer knows.
    ///
    /// # Errors
    /// [`Exit::Usage`] where something is missing.
    pub(super) fn complete(&self, shell: &Shell) -> Result<Account> {
        let missing = |what| {
            Failure::new(Exit::Usage, format!("{what} is missing"))
                .with_remedy("Name both: --email YOU@EXAMPLE.COM --server URL")
        };
        let login = match &self.email {
            Some(email) => account::parse_login(email)?,
            None if account::exists(&shell.home) => account::login_of(&shell.home)?,
            None => return Err(missing("The e-mail address").into()),
        };
        let origin = match &self.server {
            Some(server) => server.parse().map_err(AccountError::from)?,
            None => account::server_of(&shell.home)?.ok_or_else(|| missing("The server"))?,
        };
        let realm = self.realm.as_ref().map(|realm| realm.parse()).transpose().map_err(AccountError::from)?;
        Ok(Account { login, origin, realm })
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
    let Account { login, origin, realm } = arguments.whom.complete(shell)?;
    let mut key = TypedAccountKey::new(arguments.account_key);
    let log_in = |password: &Password| {
        let keep = match key.ask()? {
            Some(key) => KeepAccountKey::This(key),
            None if arguments.no_account_key => KeepAccountKey::Drop,
            None => KeepAccountKey::AsItIs,
        };
        let realm = realm.as_ref();
        Ok(account::log_in(&shell.home, &shell.config, &origin, realm, &login, password, keep)?)
    };
    let question = format!("Password of {login}: ");
    let (password, unlocked) = prompt::tried_password(shell.output, &question, log_in).map_err(of_login)?;
    shell.keep(unlocked);
    lock::unlock_daemon(shell, &password)?;
    shell.output.note(format_args!("Logged in to {origin} as {login}."));
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
    shell.require_account()?;
    let login = account::login_of(&shell.home)?;
    if account::server_of(&shell.home)?.is_none() {
        return Err(AccountError::NotOnServer { login }.into());
    }
    if !account::is_logged_in(&shell.home)? {
        lock::forget_keys(shell)?;
        shell.output.note("Nobody is logged in on this computer.");
        return Ok(Exit::Success);
    }
    let unlocked = opened_to_log_out(shell);
    let account = unlocked.as_ref().map(|unlocked| &*unlocked.account);
    let told = account::log_out(&shell.home, &shell.config, account)?;
    shell.forget_account();
    lock::forget_keys(shell)?;
    match (told, unlocked) {
        (true, _) => shell.output.note(
            "Logged out. The account and all files stay on this computer; folders stop until somebody types the password: ensafer unlock, or ensafer login",
        ),
        (false, Some(_)) => shell.output.warn(
            "Logged out here. The server could not be told: remove this computer from another one (ensafer account devices)",
        ),
        (false, None) => shell.output.warn(
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
