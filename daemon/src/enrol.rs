//! Setting up this computer's account: making it, publishing it, logging in and out, recovering it. The command line and
//! the local API do it by these acts, which neither ask nor print.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::api::local::{ProfileReport, RefusalClass};
use ensafer_core::api::server::{DeviceReport, ProblemKind, Registration};
use ensafer_core::crypto::{AccountKey, Login, RecoveryKey, SystemRandom};
use zeroize::Zeroizing;

use crate::account::{self, AccountError, KeepAccountKey, Published, Unlocked};
use crate::exit::Failure;
use crate::key_server::{KeyServer, Origin, ServerError};
use crate::output::printable;
use crate::shell::Shell;

/// An account that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewAccount<'a> {
    /// Its name.
    pub login: &'a Login,
    /// Its password.
    pub password: &'a Password,
    /// Whether every new computer shall want an account key beside the password.
    pub with_account_key: bool,
}

/// What is shown once, when an account was made.
pub struct Made {
    /// The recovery key, as it is written down.
    pub recovery_key: Zeroizing<String>,
    /// The account key, where one was wished for.
    pub account_key: Option<Zeroizing<String>>,
}

/// Makes an account that is on this computer only, and opens it. Takes a second or more.
///
/// # Errors
/// [`AccountError::Exists`], [`AccountError::Weak`], or it cannot be written; nothing is there afterwards then.
pub fn create(shell: &Shell, new: NewAccount<'_>) -> Result<Made, AccountError> {
    account::refuse_if_present(&shell.home)?;
    account::check_strength(new.password, new.login)?;
    let account_key = new.with_account_key.then(|| AccountKey::generate(&mut SystemRandom));
    let (unlocked, recovery_key) =
        account::register(&shell.home, &shell.config, new.login, new.password, account_key.as_ref())?;
    shell.keep(unlocked);
    Ok(Made { recovery_key: recovery_key.to_text(), account_key: account_key.map(|key| key.to_text()) })
}

/// Makes an account and publishes it on a server, which was [asked](ask_server) before. The account stays on this
/// computer where the second half fails, and the server may have it.
///
/// # Errors
/// As [`create`]; or the server does not take the account, and it is as if it had never been made.
pub fn register_at(
    shell: &Shell,
    origin: &Origin,
    new: NewAccount<'_>,
    code: Option<String>,
) -> Result<(Made, Result<Published, AccountError>), AccountError> {
    let made = create(shell, new)?;
    let published = account::publish(&shell.home, &shell.config, origin, new.password, code);
    let refused = |error: &AccountError| matches!(error, AccountError::Server(ServerError::Refused { kind, .. }) if was_not_taken(*kind));
    if published.as_ref().is_err_and(refused) && account::server_of(&shell.home)?.is_none() {
        // Nobody has seen its recovery key.
        shell.forget_account();
        account::forget(&shell.home, &shell.config)?;
        return published.map(|published| (made, Ok(published)));
    }
    // With the session came another device key.
    shell.forget_account();
    Ok((made, published))
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

/// The login of an account that is to be made on a server.
///
/// # Errors
/// [`Exit::Usage`] where it is none, or no e-mail address.
pub fn address(email: Option<&str>) -> Result<Login> {
    let needs_address = || {
        Failure::new(Exit::Usage, "An account on a server needs an e-mail address")
            .with_remedy("ensafer register --email YOU@EXAMPLE.COM --server URL")
    };
    let login = account::parse_login(email.ok_or_else(needs_address)?)?;
    if login.as_str().contains('@') { Ok(login) } else { Err(needs_address().into()) }
}

/// Asks a server, before anything is made, whether it takes an account of this login. Says whether it wants an
/// authorisation code.
///
/// # Errors
/// It cannot be reached, takes nobody, or has an account of that login.
pub fn ask_server(shell: &Shell, origin: &Origin, login: &Login) -> Result<bool> {
    let server = KeyServer::new(origin.clone(), &shell.config).map_err(AccountError::from)?;
    let info = server.info().map_err(AccountError::from)?;
    if info.registration == Registration::Closed {
        return Err(refusal(ProblemKind::RegistrationClosed).into());
    }
    if !server.is_available(login).map_err(AccountError::from)? {
        let error = refusal(ProblemKind::LoginTaken);
        let whom = if account::exists(&shell.home) { String::new() } else { format!("--email {login} ") };
        return Err(Failure::new(error.exit(), error.to_string())
            .with_remedy(format!("If it is yours: ensafer login {whom}--server {origin}"))
            .with_class(RefusalClass::AddressTaken)
            .into());
    }
    Ok(info.registration != Registration::Open)
}

/// What a server would say that is asked for it.
fn refusal(kind: ProblemKind) -> AccountError {
    ServerError::Refused { kind, problem: Box::new(kind.problem()) }.into()
}

/// Refuses to publish this computer's account on a server as things are; says whose it is. `email` is what somebody
/// typed, which must be its address.
///
/// # Errors
/// It is on a server already, or named by what is no e-mail address.
pub fn check_publishable(shell: &Shell, origin: &Origin, email: Option<&str>) -> Result<Login> {
    let known = account::login_of(&shell.home)?;
    if let Some(email) = email {
        refuse_other(email, &known)?;
    }
    refuse_invented(&known, email.is_some())?;
    // One that was never confirmed may be published again, for another code.
    let logged_in = account::is_logged_in(&shell.home)?;
    if let Some(on) = account::server_of(&shell.home)?.filter(|on| logged_in || on != origin) {
        return Err(Failure::new(Exit::Error, format!("The account {known} is on {on} already"))
            .with_remedy(format!("ensafer login logs in; ensafer account server {origin} moves it there"))
            .with_class(RefusalClass::Already)
            .into());
    }
    Ok(known)
}

/// Publishes this computer's account, which was [found publishable](check_publishable).
///
/// # Errors
/// The password is wrong, or too easy to guess; or what the server says.
pub fn publish(
    shell: &Shell,
    origin: &Origin,
    login: &Login,
    password: &Password,
    code: Option<String>,
) -> Result<Published> {
    // Whoever has another password typed is told that, and not that it is weak.
    account::recovery_key(&shell.home, password)?;
    refuse_weak(password, login)?;
    let published = account::publish(&shell.home, &shell.config, origin, password, code)?;
    // With the session came another device key.
    shell.forget_account();
    Ok(published)
}

/// Refuses an address that is not this computer's account's.
///
/// # Errors
/// [`AccountError::OtherAccount`], or it is none.
pub fn refuse_other(email: &str, known: &Login) -> Result<(), AccountError> {
    let asked = account::parse_login(email)?;
    if asked == *known { Ok(()) } else { Err(AccountError::OtherAccount { login: known.clone(), asked }) }
}

/// Refuses to publish an account under a name that is no e-mail address, or looks like the `user@host` that stands in for
/// one: unless somebody typed that it is theirs.
///
/// # Errors
/// [`Exit::Usage`].
pub fn refuse_invented(login: &Login, is_typed: bool) -> Result<()> {
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

/// Refuses to show a server a password that was set before such ones were refused, or beside another address.
///
/// # Errors
/// [`Exit::Usage`].
pub fn refuse_weak(password: &Password, login: &Login) -> Result<()> {
    account::check_strength(password, login).map_err(|error| {
        Failure::new(Exit::Usage, error.to_string())
            .with_remedy("Set a better one first: ensafer account password")
            .with_class(RefusalClass::WeakPassword)
            .into()
    })
}

/// An account on a server.
#[derive(Debug, Clone)]
pub struct Whom {
    /// Its login.
    pub login: Login,
    /// The server.
    pub origin: Origin,
    /// The address that the server had when the password was set, if it has moved since.
    pub realm: Option<Origin>,
}

/// As much of [`Whom`] as somebody has named.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// The login.
    pub email: Option<&'a str>,
    /// The server.
    pub server: Option<&'a str>,
    /// The server's former address.
    pub realm: Option<&'a str>,
}

impl Named<'_> {
    /// Completes it by what this computer knows.
    ///
    /// # Errors
    /// [`Exit::Usage`] where something is missing.
    pub fn complete(&self, shell: &Shell) -> Result<Whom> {
        let missing = |what| {
            Failure::new(Exit::Usage, format!("{what} is missing"))
                .with_remedy("Name both: --email YOU@EXAMPLE.COM --server URL")
        };
        let login = match self.email {
            Some(email) => account::parse_login(email)?,
            None if account::exists(&shell.home) => account::login_of(&shell.home)?,
            None => return Err(missing("The e-mail address").into()),
        };
        let origin = match self.server {
            Some(server) => server.parse().map_err(AccountError::from)?,
            None => account::server_of(&shell.home)?.ok_or_else(|| missing("The server"))?,
        };
        let realm = self.realm.map(str::parse).transpose().map_err(AccountError::from)?;
        Ok(Whom { login, origin, realm })
    }

    /// Whom a recovery key is for: an account on a server where one is named or known, else, `None`, this computer's.
    ///
    /// # Errors
    /// As [`complete`](Self::complete), or no account is set up.
    pub fn to_recover(&self, shell: &Shell, here: bool) -> Result<Option<Whom>> {
        let is_known = account::server_of(&shell.home)?.is_some();
        // Whoever names an address where no account is means one on a server, and is told that the server is missing.
        let is_new_here = self.email.is_some() && !account::exists(&shell.home);
        if !here && (self.server.is_some() || is_known || is_new_here) {
            return self.complete(shell).map(Some);
        }
        shell.require_account()?;
        Ok(None)
    }
}

/// Logs in, sets up the account here if it is not, and opens it.
///
/// # Errors
/// As [`account::log_in`].
pub fn log_in(
    shell: &Shell,
    whom: &Whom,
    password: &Password,
    account_key: KeepAccountKey<'_>,
) -> Result<(), AccountError> {
    let Whom { login, origin, realm } = whom;
    let realm = realm.as_ref();
    shell.keep(account::log_in(&shell.home, &shell.config, origin, realm, login, password, account_key)?);
    Ok(())
}

/// Confirms the account's address by the code that was mailed to it, and logs in.
///
/// # Errors
/// As [`account::confirm`].
pub fn confirm(shell: &Shell, code: &Password, password: &Password) -> Result<(), AccountError> {
    account::confirm(&shell.home, &shell.config, code, password)?;
    shell.forget_account();
    Ok(())
}

/// Sets a new password with the recovery key: on the server of `whom`, and here; without one, here only.
///
/// # Errors
/// [`AccountError::Weak`], [`AccountError::WrongRecoveryKey`], [`AccountError::RecoveryRefused`], or what the server says.
pub fn recover(
    shell: &Shell,
    whom: Option<&Whom>,
    key: &RecoveryKey,
    password: &Password,
) -> Result<(), AccountError> {
    let (home, config) = (&shell.home, &shell.config);
    let Some(Whom { login, origin, realm }) = whom else {
        account::check_strength(password, &account::login_of(home)?)?;
        account::recover(home, config, key, password)?;
        // With the password came another device key.
        shell.forget_account();
        return Ok(());
    };
    account::check_strength(password, login)?;
    let recovered = account::recover_online(home, config, origin, realm.as_ref(), login, key, password);
    shell.keep(recovered.map_err(AccountError::of_recovery)?);
    Ok(())
}

/// The server that the account is on.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::NotOnServer`].
pub fn require_server(shell: &Shell) -> Result<Origin, AccountError> {
    let login = account::login_of(&shell.home)?;
    account::server_of(&shell.home)?.ok_or(AccountError::NotOnServer { login })
}

/// Refuses what the server has to agree to, where nobody is logged in there.
///
/// # Errors
/// [`AccountError::NotLoggedIn`].
pub fn refuse_logged_out(shell: &Shell) -> Result<(), AccountError> {
    if account::server_of(&shell.home)?.is_some() && !account::is_logged_in(&shell.home)? {
        return Err(AccountError::NotLoggedIn);
    }
    Ok(())
}

/// Sets a new password, on the server where the account is on one, and here. Other computers stay logged in.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::Weak`], [`AccountError::NotLoggedIn`], or what the server says; nothing
/// is changed then.
pub fn change_password(shell: &Shell, old: &Password, new: &Password) -> Result<(), AccountError> {
    refuse_logged_out(shell)?;
    account::check_strength(new, &account::login_of(&shell.home)?)?;
    shell.keep(account::change_password(&shell.home, &shell.config, old, new)?);
    Ok(())
}

/// Gives the account another address. Where the server asks for a code, it is mailed to that address when `code` is none, and
/// the error [says so](AccountError::is_unconfirmed_address).
///
/// # Errors
/// [`AccountError::WrongPassword`], or what the server says; nothing is changed then.
pub fn change_email(
    shell: &Shell,
    email: &Login,
    password: &Password,
    code: Option<String>,
) -> Result<(), AccountError> {
    shell.keep(account::change_login(&shell.home, &shell.config, password, email, code)?);
    Ok(())
}

/// What others read beside the account's address, as its server has it. Where `name` is given, that is set first; one of
/// nothing but spaces removes it.
///
/// # Errors
/// What the server says.
pub fn profile(
    shell: &Shell,
    unlocked: &Unlocked,
    name: Option<&str>,
) -> Result<ProfileReport, AccountError> {
    let (home, config) = (&shell.home, &shell.config);
    if let Some(name) = name.map(str::trim) {
        let name = (!name.is_empty()).then(|| name.to_owned());
        account::set_display_name(home, config, &unlocked.account, name)?;
    }
    let report = account::report(home, config, &unlocked.account)?;
    let name = report.display_name.as_deref().map(printable);
    Ok(ProfileReport { login: account::login_of(home)?.to_string(), name })
}

/// Ends the session of another of the account's computers. What it holds stays on it.
///
/// # Errors
/// It is this one, or what the server says.
pub fn revoke_device(shell: &Shell, unlocked: &Unlocked, device: &DeviceReport) -> Result<()> {
    if device.is_this {
        return Err(Failure::new(Exit::Usage, "That is this computer").with_remedy("ensafer logout").into());
    }
    Ok(account::revoke_device(&shell.home, &shell.config, &unlocked.account, device.device)?)
}

/// The recovery key, and why the server could not be asked whether it is still the one that counts.
pub struct ShownRecoveryKey {
    /// The key, as it is written down.
    pub key: Zeroizing<String>,
    /// The server that was asked in vain, and why.
    pub unchecked: Option<(Origin, AccountError)>,
}

/// Shows the recovery key that counts: another computer may have made a new one since this one last asked the server.
///
/// # Errors
/// [`AccountError::WrongPassword`].
pub fn show_recovery_key(shell: &Shell, password: &Password) -> Result<ShownRecoveryKey, AccountError> {
    let mut unchecked = None;
    if let Some(origin) = account::server_of(&shell.home)? {
        match look_at_server(shell, password) {
            Err(AccountError::WrongPassword) => return Err(AccountError::WrongPassword),
            Err(error) => unchecked = Some((origin, error)),
            Ok(()) => {}
        }
    }
    let key = account::recovery_key(&shell.home, password)?.to_text();
    Ok(ShownRecoveryKey { key, unchecked })
}

/// Gives the account another recovery key, on the server where the account is on one, and here; the old one is worth
/// nothing then.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::NotLoggedIn`], or what the server says. After some of them the new key
/// [may hold](may_hold) all the same.
pub fn change_recovery_key(
    shell: &Shell,
    password: &Password,
    key: &RecoveryKey,
) -> Result<(), AccountError> {
    refuse_logged_out(shell)?;
    account::change_recovery_key(&shell.home, &shell.config, password, key)
}

/// Whether a recovery key may hold that was set with this error: the server may have it. It must not be thrown away then.
#[must_use]
pub const fn may_hold(error: &AccountError) -> bool {
    matches!(error, AccountError::Unanswered { .. } | AccountError::Io { .. })
}

/// Takes over what other computers changed.
fn look_at_server(shell: &Shell, password: &Password) -> Result<(), AccountError> {
    let unlocked = match account::open_with_device(&shell.home, &shell.config)? {
        Some(unlocked) => unlocked,
        None => account::unlock(&shell.home, &shell.config, password)?,
    };
    account::refresh(&shell.home, &shell.config, &unlocked).map(drop)
}

/// How somebody was logged out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedOut {
    /// Nobody was logged in.
    Nobody,
    /// The server knows.
    Told,
    /// The server could not be told.
    Untold,
}

/// Refuses where there is nothing to log out from. Says whether somebody is logged in.
///
/// # Errors
/// [`AccountError::NotSetUp`], [`AccountError::NotOnServer`].
pub fn may_log_out(shell: &Shell) -> Result<bool, AccountError> {
    let login = account::login_of(&shell.home)?;
    if account::server_of(&shell.home)?.is_none() {
        return Err(AccountError::NotOnServer { login });
    }
    account::is_logged_in(&shell.home)
}

/// Ends this computer's session and forgets its keys; files and folders stay as they are. With the `unlocked` account the
/// server is told. A running daemon is told by the caller.
///
/// # Errors
/// As [`may_log_out`], or the files cannot be changed.
pub fn log_out(shell: &Shell, unlocked: Option<&Unlocked>) -> Result<LoggedOut, AccountError> {
    let mut ended = LoggedOut::Nobody;
    if may_log_out(shell)? {
        let account = unlocked.map(|unlocked| &*unlocked.account);
        let is_told = account::log_out(&shell.home, &shell.config, account)?;
        ended = if is_told { LoggedOut::Told } else { LoggedOut::Untold };
    }
    shell.forget_account();
    account::lock(&shell.home, &shell.config)?;
    Ok(ended)
}
