//! `register`: an account on this computer, and on a key server where one is named.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::api::server::{ProblemKind, Registration};
use ensafer_core::crypto::{AccountKey, Login, SystemRandom};
use zeroize::Zeroizing;

use super::account::{confirm_address, own_password};
use crate::account::{self, AccountError, Published};
use crate::exit::Failure;
use crate::host;
use crate::key_server::{KeyServer, Origin, ServerError};
use crate::output::Output;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The e-mail address that names the account; without a server, user@host if left out
    #[arg(long)]
    email: Option<String>,
    /// The key server to publish the account on; without one it stays on this computer
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Make an account key: every new computer will want it beside the password
    #[arg(long)]
    account_key: bool,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    match &arguments.server {
        None => create(shell, arguments.email.as_deref(), arguments.account_key)?,
        Some(server) => {
            let origin = server.parse().map_err(AccountError::from)?;
            if account::exists(&shell.home) {
                publish_existing(arguments, shell, &origin)?;
            } else {
                drop(register_new(arguments, shell, &origin)?);
            }
        }
    }
    Ok(Exit::Success)
}

/// Asks for what is missing, and makes an account that is on this computer only.
pub(super) fn create(shell: &Shell, email: Option<&str>, with_account_key: bool) -> Result<()> {
    account::refuse_if_present(&shell.home)?;
    let email = email.map_or_else(host::user_at_host, str::to_owned);
    let login = account::parse_login(&email)?;
    let password = new_password(shell, &login)?;
    make(shell, &login, &password, with_account_key)?.show(shell)?;
    shell.output.note(format_args!("The account {login} is set up on this computer."));
    Ok(())
}

/// A password that is to be set, and is good enough.
pub(super) fn new_password(shell: &Shell, login: &Login) -> Result<Password> {
    let question = format!("New password for {login}: ");
    prompt::new_password(shell.output, &question, |password| Ok(account::check_strength(password, login)?))
}

/// Refuses to show a server a password that was set before such ones were refused, or beside another address.
pub(super) fn refuse_weak(password: &Password, login: &Login) -> Result<()> {
    account::check_strength(password, login).map_err(|error| {
        Failure::new(Exit::Usage, error.to_string())
            .with_remedy("Set a better one first: ensafer account password")
            .into()
    })
}

/// What is shown once, when an account was made.
struct Made {
    recovery_key: Zeroizing<String>,
    account_key: Option<Zeroizing<String>>,
}

impl Made {
    fn show(&self, shell: &Shell) -> Result<()> {
        let Some(account_key) = &self.account_key else {
            return show_recovery_key(shell.output, &self.recovery_key);
        };
        // The remarks that tell them apart may be read by nobody.
        let labelled = |label: &str, key: &str| Zeroizing::new(format!("{label}: {key}"));
        shell.output.note("Account key: every new computer wants it beside the password. Write it down.");
        shell.output.line(&*labelled("account key", account_key))?;
        show_recovery_key(shell.output, &labelled("recovery key", &self.recovery_key))
    }
}

/// Makes the account's keys and files.
fn make(shell: &Shell, login: &Login, password: &Password, with_account_key: bool) -> Result<Made> {
    let account_key = with_account_key.then(|| AccountKey::generate(&mut SystemRandom));
    shell.output.note("Making keys …");
    let made = account::register(&shell.home, &shell.config, login, password, account_key.as_ref())?;
    shell.keep(made.0);
    Ok(Made { recovery_key: made.1.to_text(), account_key: account_key.map(|key| key.to_text()) })
}

/// Makes an account and publishes it. The server is asked first whether it takes it, before anything is made. Returns
/// the password that was set.
fn register_new(arguments: &Arguments, shell: &Shell, origin: &Origin) -> Result<Password> {
    let needs_address = || {
        Failure::new(Exit::Usage, "An account on a server needs an e-mail address")
            .with_remedy("ensafer register --email YOU@EXAMPLE.COM --server URL")
    };
    let login = account::parse_login(arguments.email.as_ref().ok_or_else(needs_address)?)?;
    if !login.as_str().contains('@') {
        return Err(needs_address().into());
    }
    let code = ask_server(shell, origin, &login)?;
    let password = new_password(shell, &login)?;
    let made = make(shell, &login, &password, arguments.account_key)?;
    let published = account::publish(&shell.home, &shell.config, origin, &password, code);
    if let Err(AccountError::Server(ServerError::Refused { kind, .. })) = &published
        && was_not_taken(*kind)
        && account::server_of(&shell.home)?.is_none()
    {
        // The server has not taken it, and nobody has seen its recovery key: as if it had never been.
        shell.forget_account();
        account::forget(&shell.home, &shell.config)?;
        published?;
        return Ok(password);
    }
    made.show(shell)?;
    if published.is_err() {
        shell.output.warn("The account is on this computer only so far. The keys above are its own, and the same command publishes it.");
    }
    finish(shell, origin, &login, published?, &password)?;
    Ok(password)
}

/// Whether a server that refuses so cannot have kept the account: it may have where it failed half-way, or says that
/// the address is taken, by what was sent just now.
fn was_not_taken(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::RegistrationClosed
            | ProblemKind::RegistrationCodeRefused
            | ProblemKind::LoginMalformed
            | ProblemKind::BlobRefused
            | ProblemKind::IterationsRefused
            | ProblemKind::ValueRefused
            | ProblemKind::TooManyFailures
            | ProblemKind::TooManyRequests
            | ProblemKind::MailFailed
    )
}

/// Publishes the account of this computer.
fn publish_existing(arguments: &Arguments, shell: &Shell, origin: &Origin) -> Result<()> {
    let known = account::login_of(&shell.home)?;
    if let Some(email) = &arguments.email {
        refuse_other(email, &known)?;
    }
    refuse_invented(&known, arguments.email.is_some())?;
    // One that was never confirmed may be published again, for another code.
    let logged_in = account::is_logged_in(&shell.home)?;
    if let Some(on) = account::server_of(&shell.home)?.filter(|on| logged_in || on != origin) {
        return Err(Failure::new(Exit::Error, format!("The account {known} is on {on} already"))
            .with_remedy(format!("ensafer login logs in; ensafer account server {origin} moves it there"))
            .into());
    }
    let code = ask_server(shell, origin, &known)?;
    let question = format!("Password of {known}: ");
    let password = own_password(shell, &question)?;
    refuse_weak(&password, &known)?;
    let published = account::publish(&shell.home, &shell.config, origin, &password, code)?;
    finish(shell, origin, &known, published, &password)
}

/// Refuses an address that is not this computer's account's.
pub(super) fn refuse_other(email: &str, known: &Login) -> Result<(), AccountError> {
    let asked = account::parse_login(email)?;
    if asked == *known { Ok(()) } else { Err(AccountError::OtherAccount { login: known.clone(), asked }) }
}

/// Refuses to publish an account under a name that is no e-mail address, or looks like the `user@host` that stands in for
/// one: unless somebody typed that it is theirs.
pub(super) fn refuse_invented(login: &Login, is_typed: bool) -> Result<()> {
    let domain = login.as_str().split_once('@').map(|(_, domain)| domain);
    if domain.is_some_and(|domain| is_typed || domain.contains('.')) {
        return Ok(());
    }
    let what =
        format!("On a server, people find an account by an e-mail address, and this one is named {login}");
    let first = "First name it: ensafer account profile --email YOU@EXAMPLE.COM";
    let remedy = match domain {
        Some(_) => format!(
            "{first}. If {login} is an e-mail address of yours: ensafer register --email {login} --server URL"
        ),
        None => first.to_owned(),
    };
    Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
}

/// Makes an account on this server, for somebody who has none, and opens it.
pub(super) fn register_at(shell: &Shell, origin: &Origin, email: &str) -> Result<()> {
    let arguments = Arguments { email: Some(email.to_owned()), server: None, account_key: false };
    let password = register_new(&arguments, shell, origin)?;
    // With the session came another device key. Whoever has just typed the password is not asked for it again.
    shell.forget_account();
    if account::is_logged_in(&shell.home)? {
        shell.unlock(&password)?;
    }
    Ok(())
}

/// Asks the server what it wants and whether the address is free, and the user for an authorisation code where it
/// wants one.
pub(super) fn ask_server(shell: &Shell, origin: &Origin, login: &Login) -> Result<Option<String>> {
    let server = KeyServer::new(origin.clone(), &shell.config).map_err(AccountError::from)?;
    let refuse = |kind: ProblemKind| -> AccountError {
        ServerError::Refused { kind, problem: Box::new(kind.problem()) }.into()
    };
    let info = server.info().map_err(AccountError::from)?;
    if info.registration == Registration::Closed {
        return Err(refuse(ProblemKind::RegistrationClosed).into());
    }
    if !server.is_available(login).map_err(AccountError::from)? {
        let error = refuse(ProblemKind::LoginTaken);
        let whom = if account::exists(&shell.home) { String::new() } else { format!("--email {login} ") };
        return Err(Failure::new(error.exit(), error.to_string())
            .with_remedy(format!("If it is yours: ensafer login {whom}--server {origin}"))
            .into());
    }
    if info.registration == Registration::Open {
        return Ok(None);
    }
    let code = prompt::asked("The server's authorisation code: ")?;
    Ok(Some(code.expose().trim().to_owned()))
}

/// Says how a registration ended, and asks for the code from the mail where somebody can answer.
pub(super) fn finish(
    shell: &Shell,
    origin: &Origin,
    login: &Login,
    published: Published,
    password: &Password,
) -> Result<()> {
    if published == Published::ConfirmationRequired {
        shell.output.note(format_args!("{origin} has sent a code to {login}."));
        if !prompt::is_terminal() {
            shell.output.note("Confirm the address with it: ensafer account confirm");
            return Ok(());
        }
        confirm_address(shell, password)?;
    }
    super::lock::unlock_daemon(shell, password)?;
    shell.output.note(format_args!("The account {login} is on {origin}, and this computer is logged in."));
    Ok(())
}

/// Prints a recovery key and what it is for.
pub(super) fn show_recovery_key(output: Output, text: &str) -> Result<()> {
    output.note(
        "Recovery key: it opens the account when the password is lost. Write it down and keep it apart.",
    );
    output.line(text)?;
    Ok(())
}
