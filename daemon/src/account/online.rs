//! The account on a key server: publishing it there, logging in to it, moving it.
//!
//! The server is asked first and this computer's files follow: what it refuses has changed nothing here. Where its
//! answer is lost it may have changed there all the same, and logging in again brings that.

use ensafer_client::home::Home;
use ensafer_client::password::Password;
use ensafer_core::account::Account;
use ensafer_core::api::server::{ConfirmRequest, ProblemKind, RegisterRequest};
use ensafer_core::crypto::{Login, Random, RecoveryKey, SigningKey, SystemRandom};
use ensafer_core::ids::DeviceId;

use super::changes::{Owner, auth, reseal, set_password_by_login};
use super::device::{self, KeepAccountKey, bind_device};
use super::files::{create_file, lock, read_device, read_sealed, replace_file, store, store_login};
use super::login::{LoggedIn, LoginRequest, Proof, recovery_credential};
use super::{AccountError, Unlocked, exists, local, session};
use crate::config::Config;
use crate::key_server::{KeyServer, Origin};

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The account is on the server, and this computer is logged in.
    LoggedIn,
    /// A code was mailed to the account's address: [`confirm`] takes it.
    ConfirmationRequired,
}

/// Publishes this computer's account on a server, with the password derived for that server, and logs in.
///
/// # Errors
/// [`AccountError::WrongPassword`], or what the server says.
pub fn publish(
    home: &Home,
    config: &Config,
    origin: &Origin,
    password: &Password,
    code: Option<String>,
) -> Result<Published, AccountError> {
    Ok(publish_opened(home, config, origin, password, code)?.0)
}

/// Publishes the account, and gives it opened as well.
fn publish_opened(
    home: &Home,
    config: &Config,
    origin: &Origin,
    password: &Password,
    code: Option<String>,
) -> Result<(Published, Account), AccountError> {
    let mut sealed = read_sealed(home)?;
    let account_key = device::account_key(home)?;
    let passphrase = password.with(account_key.as_ref());
    let account = sealed.open_with_password(passphrase)?;
    let recovery_key = sealed.recovery_key(&account).map_err(|_| AccountError::Inconsistent)?;
    let server = KeyServer::new(origin.clone(), config)?;
    let keys = reseal(&mut sealed, &account, config, origin.as_str(), passphrase)?;
    let registered = server.register(&RegisterRequest {
        account: sealed.to_document(),
        password_auth: auth(&keys),
        recovery_auth: recovery_credential(&recovery_key).auth,
        code,
        display_name: None,
    })?;
    store(home, &sealed)?;
    session::keep_server(home, origin, registered.confirmation_required)?;
    if registered.confirmation_required {
        return Ok((Published::ConfirmationRequired, account));
    }
    log_in_again(home, config, &server, password)?;
    Ok((Published::LoggedIn, account))
}

/// Confirms the account's address by the code that was mailed to it, and logs in.
///
/// # Errors
/// [`AccountError::NotOnServer`], or what the server says.
pub fn confirm(
    home: &Home,
    config: &Config,
    code: &Password,
    password: &Password,
) -> Result<(), AccountError> {
    let sealed = read_sealed(home)?;
    let origin = session::server_of(home)?
        .ok_or_else(|| AccountError::NotOnServer { login: sealed.login().clone() })?;
    let server = KeyServer::new(origin, config)?;
    let code = code.expose().trim().to_owned();
    server.confirm(&ConfirmRequest { account: sealed.id(), login: sealed.login().to_string(), code })?;
    log_in_again(home, config, &server, password)
}

/// Logs in, and sets up the account here if it is not. `realm` is the origin that the account was registered under, if
/// that is another than the server's; none takes what this computer knows of it.
///
/// # Errors
/// [`AccountError::OtherAccount`], [`AccountError::ServerLies`], or what the server says; nothing is changed then.
pub fn log_in(
    home: &Home,
    config: &Config,
    origin: &Origin,
    realm: Option<&Origin>,
    login: &Login,
    password: &Password,
    account_key: KeepAccountKey<'_>,
) -> Result<Unlocked, AccountError> {
    let server = KeyServer::new(origin.clone(), config)?;
    let kept = device::account_key(home)?;
    let key = match account_key {
        KeepAccountKey::AsItIs => kept.as_ref(),
        KeepAccountKey::This(key) => Some(key),
        KeepAccountKey::Drop => None,
    };
    let proof = Proof::Password(password, key);
    let try_realm = |realm: &Origin| {
        let signer = known_signer(home, config, origin, Some(password));
        authenticate(home, &server, realm, login, proof, signer)
    };
    let known = known_realm(home, origin)?.filter(|_| realm.is_none());
    let logged_in = match try_realm(realm.or(known.as_ref()).unwrap_or(origin)) {
        // The server's address changed once more, and another computer has set the password for the new one.
        Err(AccountError::Server(error))
            if known.is_some_and(|known| known != *origin)
                && error.kind() == Some(ProblemKind::WrongCredentials) =>
        {
            try_realm(origin)?
        }
        other => other?,
    };
    set_up(home, config, origin, logged_in, password, account_key)
}

/// Logs in with the recovery key and sets a new password, on the server and here.
///
/// # Errors
/// As [`log_in`].
pub fn recover_online(
    home: &Home,
    config: &Config,
    origin: &Origin,
    realm: Option<&Origin>,
    login: &Login,
    key: &RecoveryKey,
    password: &Password,
) -> Result<Unlocked, AccountError> {
    let server = KeyServer::new(origin.clone(), config)?;
    let known = known_realm(home, origin)?;
    let realm = realm.or(known.as_ref()).unwrap_or(origin);
    let signer = known_signer(home, config, origin, None);
    let logged_in = authenticate(home, &server, realm, login, Proof::Recovery(key), signer)?;
    set_up_with_password(home, config, &server, logged_in, password)
}

/// Ends this device's session. `false` where the server could not be told: then the session ends there by itself.
///
/// # Errors
/// The files cannot be changed.
pub fn log_out(home: &Home, config: &Config, account: Option<&Account>) -> Result<bool, AccountError> {
    let Some(origin) = session::server_of(home)? else { return Ok(true) };
    let told = account
        .map(|account| session::with_token(home, config, account, KeyServer::end_session))
        .is_some_and(|told| told.map_or_else(|error| is_end(&error), |()| true));
    session::keep_server(home, &origin, false)?;
    Ok(told)
}

/// Takes the account to another server: publishes it there, or, where `same` says that it is the old server under a new
/// address, logs in as before and derives the password for the new address.
///
/// # Errors
/// As [`publish`] and [`log_in`]; the account stays where it was then.
pub fn move_server(
    home: &Home,
    config: &Config,
    origin: &Origin,
    password: &Password,
    same: bool,
    code: Option<String>,
) -> Result<Published, AccountError> {
    if !same {
        return publish_elsewhere(home, config, origin, password, code);
    }
    let known = read_sealed(home)?;
    let old_realm = local::server_in(&known).ok_or(AccountError::NotLoggedIn)?;
    let account_key = device::account_key(home)?;
    let proof = Proof::Password(password, account_key.as_ref());
    let server = KeyServer::new(origin.clone(), config)?;
    let signer = session::server_of(home)?.and_then(|old| known_signer(home, config, &old, Some(password)));
    let logged_in = authenticate(home, &server, &old_realm, known.login(), proof, signer)?;
    set_up_with_password(home, config, &server, logged_in, password)?;
    Ok(Published::LoggedIn)
}

/// Publishes the account on another server and ends the session on the old one, where the account stays.
fn publish_elsewhere(
    home: &Home,
    config: &Config,
    origin: &Origin,
    password: &Password,
    code: Option<String>,
) -> Result<Published, AccountError> {
    let old = session::of(home)?;
    if old.is_some() {
        match Owner::open(home, config, password) {
            Ok(owner) if owner.is_current => {}
            Ok(_) => return Err(AccountError::WrongPassword),
            // It may be gone for good, or lie, which may be why somebody moves.
            Err(error) if is_no_answer(&error) => {
                tracing::warn!(%error, "what other computers changed lately may be missing on the new server");
            }
            Err(error) => return Err(error),
        }
    }
    let (published, account) = publish_opened(home, config, origin, password, code)?;
    if let Some(old) = old
        && let Err(error) = old.end(home, config, &account)
    {
        tracing::info!(%error, "the session on the old server ends by itself");
    }
    Ok(published)
}

/// Whether a server said nothing that could be used: also none of what another time would help against.
fn is_no_answer(error: &AccountError) -> bool {
    match error {
        AccountError::Server(error) => error.kind() != Some(ProblemKind::TooManyRequests),
        AccountError::NotLoggedIn | AccountError::ServerLies { .. } => true,
        _ => false,
    }
}

/// Whether the session was over anyway.
fn is_end(error: &AccountError) -> bool {
    match error {
        AccountError::NotLoggedIn => true,
        AccountError::Server(error) => error.ends_session(),
        _ => false,
    }
}

/// The realm of this computer's account, where that is on the server at `origin`.
fn known_realm(home: &Home, origin: &Origin) -> Result<Option<Origin>, AccountError> {
    if !exists(home) || session::server_of(home)?.as_ref() != Some(origin) {
        return Ok(None);
    }
    Ok(local::server_in(&read_sealed(home)?))
}

fn authenticate(
    home: &Home,
    server: &KeyServer,
    realm: &Origin,
    login: &Login,
    proof: Proof<'_>,
    signer: Option<SigningKey>,
) -> Result<LoggedIn, AccountError> {
    let known = if exists(home) { Some(read_sealed(home)?) } else { None };
    let device = read_device(home)?.map_or_else(|| DeviceId::new(SystemRandom.array()), |device| device.id);
    let known = known.as_ref();
    // What another server keeps of the account follows on what that one had, not on what this computer has seen.
    let follows = realm != server.origin() || session::server_of(home)?.as_ref() == Some(server.origin());
    let request =
        LoginRequest { server, login, realm: realm.as_str(), proof, known, follows, device, signer };
    let logged_in = request.run()?;
    keep_device_id(home, device)?;
    Ok(logged_in)
}

/// The key of this device's session on the server, where there is one and it opens here and now.
fn known_signer(
    home: &Home,
    config: &Config,
    origin: &Origin,
    password: Option<&Password>,
) -> Option<SigningKey> {
    if !session::is_logged_in(home).ok()? {
        return None;
    }
    let opened = local::open_with_device(home, config).ok().flatten();
    let unlocked = opened.or_else(|| local::unlock(home, config, password?).ok())?;
    session::signer(home, origin, &unlocked.account)
}

/// A device that logs in for the first time has its id before it has anything else.
fn keep_device_id(home: &Home, device: DeviceId) -> Result<(), AccountError> {
    if read_device(home)?.is_some() {
        return Ok(());
    }
    super::files::write_device(home, &super::files::Device::new(device))
}

/// Keeps the account and the session of a login.
fn set_up(
    home: &Home,
    config: &Config,
    origin: &Origin,
    mut logged_in: LoggedIn,
    password: &Password,
    account_key: KeepAccountKey<'_>,
) -> Result<Unlocked, AccountError> {
    if !logged_in.follows && exists(home) {
        bring_along(home, config, origin, &mut logged_in)?;
    }
    let LoggedIn { sealed, account, session, new_devices, follows, .. } = logged_in;
    let key = bind_device(home, config, &account, password, account_key)?;
    let device = read_device(home)?.ok_or(AccountError::NotLoggedIn)?.id;
    // Account and session belong to one server: nobody may see the one without the other.
    let _lock = lock(home)?;
    match (exists(home), follows) {
        (false, _) => create_file(home, &sealed)?,
        (true, true) => store_login(home, &sealed)?,
        (true, false) => replace_file(home, &sealed)?,
    }
    session::keep(home, origin, &account, device, &session, new_devices)?;
    Ok(Unlocked::new(account, key))
}

/// Merges what this computer remembers into an account that comes from another server than this computer's, and has that
/// server keep it, before anything is changed here.
fn bring_along(
    home: &Home,
    config: &Config,
    origin: &Origin,
    logged_in: &mut LoggedIn,
) -> Result<(), AccountError> {
    let LoggedIn { sealed, account, session, .. } = logged_in;
    let remembered = read_sealed(home)?.read_state(account)?;
    let before = sealed.read_state(account)?;
    let mut state = before.clone();
    state.absorb(&remembered).map_err(|(login, source)| AccountError::Pin { login, source })?;
    if state == before {
        return Ok(());
    }
    let changed = sealed.set_state(account, &state.to_bytes(), &mut SystemRandom);
    changed.map_err(|_| AccountError::Inconsistent)?;
    let document = sealed.state_document().expect("it was set just now");
    Ok(KeyServer::new(origin.clone(), config)?.set_state(&session.access, &document)?)
}

/// Logs in to the server on which this computer's account has just been made.
fn log_in_again(
    home: &Home,
    config: &Config,
    server: &KeyServer,
    password: &Password,
) -> Result<(), AccountError> {
    let login = read_sealed(home)?.login().clone();
    let account_key = device::account_key(home)?;
    let proof = Proof::Password(password, account_key.as_ref());
    let logged_in = authenticate(home, server, server.origin(), &login, proof, None)?;
    set_up(home, config, server.origin(), logged_in, password, KeepAccountKey::AsItIs).map(drop)
}

/// Sets the password of an account that has just been logged in to, on the server and then here.
fn set_up_with_password(
    home: &Home,
    config: &Config,
    server: &KeyServer,
    mut logged_in: LoggedIn,
    password: &Password,
) -> Result<Unlocked, AccountError> {
    set_password_by_login(home, config, server, &mut logged_in, password)?;
    set_up(home, config, server.origin(), logged_in, password, KeepAccountKey::AsItIs)
}
