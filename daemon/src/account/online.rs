//! The account on a key server: publishing it, logging in to it, changing and deleting it.
//!
//! The server is asked first and this computer's files follow: what it refuses has changed nothing here. Where its
//! answer is lost it may have changed there all the same, and logging in again brings that.

use ensafer_core::account::login::account_hash;
use ensafer_core::account::{Account, AccountState, SealedAccount};
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{
    AccountExport, AccountReport, ConfirmRequest, Credential, CredentialKind, DeleteRequest, DeviceReport,
    KeysRequest, PasswordRequest, ProblemKind, ProfileRequest, RecoveryRequest, RegisterRequest,
};
use ensafer_core::crypto::{
    Login, Passphrase, PasswordKeys, PasswordParameters, Random, RecoveryKey, SigningKey, SystemRandom, Token,
};
use ensafer_core::ids::DeviceId;

use super::device::{self, KeepAccountKey, bind_device};
use super::files::{create_file, lock, read_device, read_sealed, replace_file, store, store_login};
use super::login::{LoggedIn, LoginRequest, Proof, recovery_credential};
use super::{AccountError, Unlocked, exists, local, session};
use crate::config::Config;
use crate::home::Home;
use crate::key_server::{KeyServer, Origin, ServerError};
use crate::prompt::Password;

/// How often a change of the account's state is tried again when other devices change it at the same time.
const STATE_ATTEMPTS: usize = 8;

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The account is on the server, and this computer is logged in.
    LoggedIn,
    /// A code was mailed to the account's address: [`confirm`] takes it.
    ConfirmationRequired,
}

/// What a look at the server brought.
#[derive(Debug)]
pub struct Fresh {
    /// The account, with what other devices changed.
    pub unlocked: Unlocked,
    /// Devices that logged in since the last look.
    pub new_devices: Vec<DeviceReport>,
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
    session::keep_server(home, origin)?;
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
/// that is another than the server's.
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
    let signer = known_signer(home, config, origin, password);
    let realm = realm.unwrap_or(origin);
    let kept = device::account_key(home)?;
    let key = match account_key {
        KeepAccountKey::AsItIs => kept.as_ref(),
        KeepAccountKey::This(key) => Some(key),
        KeepAccountKey::Drop => None,
    };
    let logged_in = authenticate(home, &server, realm, login, Proof::Password(password, key), signer)?;
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
    let logged_in = authenticate(home, &server, realm.unwrap_or(origin), login, Proof::Recovery(key), None)?;
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
        .is_some_and(|told| matches!(told, Ok(()) | Err(AccountError::NotLoggedIn)));
    let _lock = lock(home)?;
    session::keep_server(home, &origin)?;
    Ok(told)
}

/// Asks the server what other devices changed, and takes it over once it was verified; learns which devices are new.
///
/// # Errors
/// [`AccountError::ServerLies`] where what it serves cannot be true; nothing is changed then.
pub fn refresh(home: &Home, config: &Config, unlocked: &Unlocked) -> Result<Fresh, AccountError> {
    let new_devices = session::renew_now(home, config, &unlocked.account)?;
    let unlocked = take_over(home, config, unlocked)?;
    check_own_keys(home, config, &unlocked.account)?;
    Ok(Fresh { unlocked, new_devices })
}

/// The account as the server has it.
///
/// # Errors
/// As [`refresh`].
pub fn report(home: &Home, config: &Config, account: &Account) -> Result<AccountReport, AccountError> {
    session::with_token(home, config, account, KeyServer::account)
}

/// The account's devices.
///
/// # Errors
/// What the server says.
pub fn devices(home: &Home, config: &Config, account: &Account) -> Result<Vec<DeviceReport>, AccountError> {
    Ok(session::with_token(home, config, account, KeyServer::devices)?.devices)
}

/// Ends another device's session.
///
/// # Errors
/// What the server says.
pub fn revoke_device(
    home: &Home,
    config: &Config,
    account: &Account,
    device: DeviceId,
) -> Result<(), AccountError> {
    session::with_token(home, config, account, |server, token| server.revoke_device(token, device))
}

/// Sets what others read beside the address; none removes it.
///
/// # Errors
/// What the server says.
pub fn set_display_name(
    home: &Home,
    config: &Config,
    account: &Account,
    name: Option<String>,
) -> Result<(), AccountError> {
    let body = ProfileRequest { display_name: name };
    session::with_token(home, config, account, |server, token| server.set_profile(token, &body))
}

/// Everything that the server keeps about the account.
///
/// # Errors
/// What the server says.
pub fn export_from_server(
    home: &Home,
    config: &Config,
    account: &Account,
) -> Result<AccountExport, AccountError> {
    session::with_token(home, config, account, KeyServer::export)
}

/// Sets a new password, on the server where the account is on one, and here.
///
/// # Errors
/// [`AccountError::WrongPassword`], or what the server says; nothing is changed then.
pub fn change_password(
    home: &Home,
    config: &Config,
    old: &Password,
    new: &Password,
) -> Result<Unlocked, AccountError> {
    let mut owner = Owner::open(home, old)?;
    let realm = owner.sealed.password_parameters().realm.clone();
    let account_key = device::account_key(home)?;
    let passphrase = new.with(account_key.as_ref());
    let keys = reseal(&mut owner.sealed, &owner.account, config, &realm, passphrase)?;
    if session::server_of(home)?.is_some() {
        let body = password_request(&owner.sealed, owner.credential, &keys);
        send_change(home, config, &owner.account, &owner.sealed, |server, token| {
            server.set_password(token, &body)
        })?;
    }
    store(home, &owner.sealed)?;
    let key = bind_device(home, config, &owner.account, new, KeepAccountKey::AsItIs)?;
    Ok(Unlocked::new(owner.account, key))
}

/// Takes a new recovery key, on the server where the account is on one, and here; the old one is worth nothing then.
///
/// # Errors
/// As [`change_password`].
pub fn change_recovery_key(
    home: &Home,
    config: &Config,
    password: &Password,
    key: &RecoveryKey,
) -> Result<(), AccountError> {
    let mut owner = Owner::open(home, password)?;
    owner
        .sealed
        .change_recovery_key(&owner.account, key, &mut SystemRandom)
        .map_err(|_| AccountError::Inconsistent)?;
    if session::server_of(home)?.is_some() {
        let body = RecoveryRequest {
            current: owner.credential,
            recovery: owner.sealed.recovery_document(),
            recovery_auth: recovery_credential(key).auth,
        };
        send_change(home, config, &owner.account, &owner.sealed, |server, token| {
            server.set_recovery(token, &body)
        })?;
    }
    store(home, &owner.sealed)
}

/// Gives the account another address: a new bundle by the same identity. Where the server asks for a code, it is
/// mailed to the new address when `code` is none, and [`ProblemKind::EmailUnconfirmed`] is the answer.
///
/// # Errors
/// As [`change_password`].
pub fn change_login(
    home: &Home,
    config: &Config,
    password: &Password,
    login: &Login,
    code: Option<String>,
) -> Result<Unlocked, AccountError> {
    let mut owner = Owner::open(home, password)?;
    let on_server = session::server_of(home)?;
    if let (Some(origin), None) = (&on_server, &code)
        && KeyServer::new(origin.clone(), config)?.info()?.confirms_email
    {
        session::with_token(home, config, &owner.account, |s, t| s.mail_address_code(t, login))?;
        let problem = ProblemKind::EmailUnconfirmed;
        return Err(ServerError::Refused { kind: problem, problem: Box::new(problem.problem()) }.into());
    }
    let realm = owner.sealed.password_parameters().realm.clone();
    let iterations = config.pbkdf2_iterations;
    let parameters = PasswordParameters::generate(login.clone(), realm, iterations, &mut SystemRandom);
    let keys = parameters.derive(password.with(device::account_key(home)?.as_ref()))?;
    let account = owner
        .sealed
        .change_login(owner.account, parameters, &keys.kek, &mut SystemRandom)
        .map_err(|_| AccountError::Inconsistent)?;
    if on_server.is_some() {
        let body = keys_request(&owner.sealed, owner.credential, &keys, code);
        send_change(home, config, &account, &owner.sealed, |server, token| server.set_keys(token, &body))?;
    }
    store(home, &owner.sealed)?;
    let key = bind_device(home, config, &account, password, KeepAccountKey::AsItIs)?;
    Ok(Unlocked::new(account, key))
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
    let logged_in = authenticate(home, &server, &old_realm, known.login(), proof, None)?;
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
    let (published, account) = publish_opened(home, config, origin, password, code)?;
    if let Some(old) = old {
        // The old server may be gone for good, which may be why somebody moves.
        if let Err(error) = old.end(home, config, &account) {
            tracing::info!(%error, "the session on the old server ends by itself");
        }
    }
    Ok(published)
}

/// Deletes the account on its server. Here it stays, on this computer only.
///
/// # Errors
/// As [`change_password`].
pub fn delete(home: &Home, config: &Config, password: &Password) -> Result<(), AccountError> {
    let owner = Owner::open(home, password)?;
    let body = DeleteRequest { current: owner.credential };
    session::with_token(home, config, &owner.account, |server, token| server.delete_account(token, &body))?;
    session::forget(home)
}

/// Changes the account's state, on the server and here. Where another device changes it at the same time, `change` is
/// asked again, with what that made of it.
pub(super) fn change_state<T>(
    home: &Home,
    config: &Config,
    unlocked: &Unlocked,
    mut change: impl FnMut(&mut AccountState) -> Result<T, AccountError>,
) -> Result<T, AccountError> {
    for _ in 0..STATE_ATTEMPTS {
        let mut sealed = read_sealed(home)?;
        let account = &unlocked.account;
        let old = sealed.state(account).map_err(|_| AccountError::Inconsistent)?;
        let mut state =
            old.as_ref().map_or_else(|| Ok(AccountState::default()), |b| AccountState::from_bytes(b))?;
        let before = state.clone();
        let result = change(&mut state)?;
        if state == before && old.is_some() {
            return Ok(result);
        }
        let changed = sealed.set_state(account, &state.to_bytes(), &mut SystemRandom);
        changed.map_err(|_| AccountError::Inconsistent)?;
        let document = sealed.state_document().expect("it was set just now");
        let sent = session::with_token(home, config, account, |s, t| s.set_state(t, &document));
        match sent {
            Ok(()) => {
                store(home, &sealed)?;
                return Ok(result);
            }
            Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::VersionConflict) => {
                take_over(home, config, unlocked)?;
            }
            Err(error) => return Err(error),
        }
    }
    let kind = ProblemKind::VersionConflict;
    Err(ServerError::Refused { kind, problem: Box::new(kind.problem()) }.into())
}

/// The account, its password at hand.
struct Owner {
    sealed: SealedAccount,
    account: Account,
    credential: Credential,
}

impl Owner {
    fn open(home: &Home, password: &Password) -> Result<Self, AccountError> {
        let sealed = read_sealed(home)?;
        let account_key = device::account_key(home)?;
        let keys = sealed.password_parameters().derive(password.with(account_key.as_ref()))?;
        let account = sealed.open_with_kek(&keys.kek).map_err(|_| AccountError::WrongPassword)?;
        let credential = Credential { kind: CredentialKind::Password, auth: auth(&keys) };
        Ok(Self { sealed, account, credential })
    }
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
    let request = LoginRequest { server, login, realm: realm.as_str(), proof, known, device, signer };
    let logged_in = request.run()?;
    keep_device_id(home, device)?;
    Ok(logged_in)
}

/// The key of this device's session on the server, where there is one and it opens here and now.
fn known_signer(home: &Home, config: &Config, origin: &Origin, password: &Password) -> Option<SigningKey> {
    if !session::is_logged_in(home).ok()? {
        return None;
    }
    let opened = local::open_with_device(home, config).ok().flatten();
    let unlocked = opened.or_else(|| local::unlock(home, config, password).ok())?;
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
    logged_in: LoggedIn,
    password: &Password,
    account_key: KeepAccountKey<'_>,
) -> Result<Unlocked, AccountError> {
    let LoggedIn { sealed, account, session, new_devices, .. } = logged_in;
    if exists(home) {
        store_login(home, &sealed)?;
    } else {
        create_file(home, &sealed)?;
    }
    let key = bind_device(home, config, &account, password, account_key)?;
    let device = read_device(home)?.ok_or(AccountError::NotLoggedIn)?.id;
    let _lock = lock(home)?;
    session::keep(home, origin, &account, device, &session)?;
    session::add_new_devices(home, new_devices)?;
    Ok(Unlocked::new(account, key))
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

/// Takes over what other devices changed.
fn take_over(home: &Home, config: &Config, unlocked: &Unlocked) -> Result<Unlocked, AccountError> {
    let report = session::with_token(home, config, &unlocked.account, KeyServer::account)?;
    let _lock = lock(home)?;
    let mut sealed = read_sealed(home)?;
    let lie = |what| match session::server_of(home) {
        Ok(Some(origin)) => AccountError::ServerLies { origin, what },
        _ => AccountError::Inconsistent,
    };
    let served = SealedAccount::from_document(&report.account)
        .map_err(|_| lie("the account is malformed, or its signature does not verify"))?;
    let before = sealed.clone();
    let account = sealed
        .adopt(&unlocked.account, &served)
        .map_err(|_| lie("the account is older than what this computer has seen, or does not open"))?;
    if sealed != before {
        replace_file(home, &sealed)?;
    }
    Ok(Unlocked { account: std::sync::Arc::new(account), device: unlocked.device.clone() })
}

/// Compares what the server tells everybody about this account with what is true.
fn check_own_keys(home: &Home, config: &Config, account: &Account) -> Result<(), AccountError> {
    let login = account.login().clone();
    let served = session::with_token(home, config, account, |server, token| server.user(token, &login))?;
    if served.bundle.bundle.0 == account.bundle().bytes() {
        return Ok(());
    }
    let origin = session::server_of(home)?.ok_or(AccountError::NotLoggedIn)?;
    Err(AccountError::ServerLies { origin, what: "it gives others other keys under this account's name" })
}

/// Sends a change of the account, which is `changed` afterwards. Where no answer comes, the server may have made the
/// change all the same: then it is asked what it has.
fn send_change(
    home: &Home,
    config: &Config,
    account: &Account,
    changed: &SealedAccount,
    send: impl Fn(&KeyServer, &Token) -> Result<(), ServerError>,
) -> Result<(), AccountError> {
    let error = match session::with_token(home, config, account, send) {
        Err(AccountError::Server(error)) if error.leaves_open() => error,
        other => return other,
    };
    match session::with_token(home, config, account, KeyServer::account) {
        Ok(report) if account_hash(&report.account) == account_hash(&changed.to_document()) => Ok(()),
        Ok(_) => Err(error.into()),
        Err(_) => Err(AccountError::Unanswered(error)),
    }
}

/// Seals the account under a password that is derived for `realm`.
fn reseal(
    sealed: &mut SealedAccount,
    account: &Account,
    config: &Config,
    realm: &str,
    passphrase: Passphrase<'_>,
) -> Result<PasswordKeys, AccountError> {
    let parameters = sealed.new_password_parameters(realm, config.pbkdf2_iterations, &mut SystemRandom);
    let keys = parameters.derive(passphrase)?;
    sealed
        .change_password(account, parameters, &keys.kek, &mut SystemRandom)
        .map_err(|_| AccountError::Inconsistent)?;
    Ok(keys)
}

/// Sets the password of an account that has just been logged in to, on the server and then here.
fn set_up_with_password(
    home: &Home,
    config: &Config,
    server: &KeyServer,
    mut logged_in: LoggedIn,
    password: &Password,
) -> Result<Unlocked, AccountError> {
    let account_key = device::account_key(home)?;
    let LoggedIn { sealed, account, session, credential, .. } = &mut logged_in;
    let passphrase = password.with(account_key.as_ref());
    let keys = reseal(sealed, account, config, server.origin().as_str(), passphrase)?;
    server.set_password(&session.access, &password_request(sealed, credential.clone(), &keys))?;
    set_up(home, config, server.origin(), logged_in, password, KeepAccountKey::AsItIs)
}

fn auth(keys: &PasswordKeys) -> SecretHex<32> {
    SecretHex(*keys.auth.expose())
}

fn password_request(sealed: &SealedAccount, current: Credential, keys: &PasswordKeys) -> PasswordRequest {
    PasswordRequest { current, password: sealed.password_document(), password_auth: auth(keys) }
}

fn keys_request(
    sealed: &SealedAccount,
    current: Credential,
    keys: &PasswordKeys,
    code: Option<String>,
) -> KeysRequest {
    let document = sealed.to_document();
    KeysRequest {
        current,
        bundle: document.bundle,
        keys: document.keys,
        password: document.password,
        password_auth: auth(keys),
        code,
    }
}
