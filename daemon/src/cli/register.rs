//! `register`: an account on this computer, and on a key server where one is named.

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::crypto::Login;
use zeroize::Zeroizing;

use super::account::{confirm_address, own_password};
use crate::account::{self, AccountError, Published};
use crate::enrol::{self, Made, NewAccount};
use crate::host;
use crate::key_server::Origin;
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
    shell.output.note("Making keys …");
    let made = enrol::create(shell, NewAccount { login: &login, password: &password, with_account_key })?;
    show(&made, shell)?;
    // A daemon may have waited for an account.
    super::lock::unlock_daemon(shell, &password)?;
    shell.output.note(format_args!("The account {login} is set up on this computer."));
    Ok(())
}

/// A password that is to be set, and is good enough.
pub(super) fn new_password(shell: &Shell, login: &Login) -> Result<Password> {
    let question = format!("New password for {login}: ");
    prompt::new_password(shell.output, &question, |password| Ok(account::check_strength(password, login)?))
}

/// Shows what is shown once.
fn show(made: &Made, shell: &Shell) -> Result<()> {
    let Some(account_key) = &made.account_key else {
        return show_recovery_key(shell.output, &made.recovery_key);
    };
    // The remarks that tell them apart may be read by nobody.
    let labelled = |label: &str, key: &str| Zeroizing::new(format!("{label}: {key}"));
    shell.output.note("Account key: every new computer wants it beside the password. Write it down.");
    shell.output.line(&*labelled("account key", account_key))?;
    show_recovery_key(shell.output, &labelled("recovery key", &made.recovery_key))
}

/// Makes an account and publishes it. Returns the password that was set.
fn register_new(arguments: &Arguments, shell: &Shell, origin: &Origin) -> Result<Password> {
    let login = enrol::address(arguments.email.as_deref())?;
    let code = ask_server(shell, origin, &login)?;
    let password = new_password(shell, &login)?;
    shell.output.note("Making keys …");
    let new = NewAccount { login: &login, password: &password, with_account_key: arguments.account_key };
    let (made, published) = enrol::register_at(shell, origin, new, code)?;
    show(&made, shell)?;
    if published.is_err() {
        shell.output.warn("The account is on this computer only so far. The keys above are its own, and the same command publishes it.");
    }
    finish(shell, origin, &login, published?, &password)?;
    Ok(password)
}

/// Publishes the account of this computer.
fn publish_existing(arguments: &Arguments, shell: &Shell, origin: &Origin) -> Result<()> {
    let known = enrol::check_publishable(shell, origin, arguments.email.as_deref())?;
    let code = ask_server(shell, origin, &known)?;
    let question = format!("Password of {known}: ");
    let password = own_password(shell, &question)?;
    let published = enrol::publish(shell, origin, &known, &password, code)?;
    finish(shell, origin, &known, published, &password)
}

/// Makes an account on this server, for somebody who has none, and opens it.
pub(super) fn register_at(shell: &Shell, origin: &Origin, email: &str) -> Result<()> {
    let arguments = Arguments { email: Some(email.to_owned()), server: None, account_key: false };
    let password = register_new(&arguments, shell, origin)?;
    // Whoever has just typed the password is not asked for it again.
    if account::is_logged_in(&shell.home)? {
        shell.unlock(&password)?;
    }
    Ok(())
}

/// Asks the server what it wants and whether the address is free, and the user for an authorisation code where it
/// wants one.
pub(super) fn ask_server(shell: &Shell, origin: &Origin, login: &Login) -> Result<Option<String>> {
    if !enrol::ask_server(shell, origin, login)? {
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
