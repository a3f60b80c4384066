//! What the owner changes: password, recovery key, address, and the end of it.
//!
//! The server is asked first and this computer's files follow: what it refuses has changed nothing here. Where its
//! answer is lost, it is asked what it has.

use ensafer_client::home::Home;
use ensafer_client::password::Password;
use ensafer_core::account::{Account, SealedAccount};
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{
    AccountDocument, AccountReport, Credential, CredentialKind, DeleteRequest, KeysRequest, PasswordRequest,
    ProblemKind, RecoveryRequest,
};
use ensafer_core::crypto::{
    Login, Passphrase, PasswordKeys, PasswordParameters, RecoveryKey, SystemRandom, Token,
};

use super::device::{self, KeepAccountKey, bind_device};
use super::files::{read_sealed, store};
use super::login::{LoggedIn, recovery_credential};
use super::refresh::take_over_and_look;
use super::{AccountError, Unlocked, local, session};
use crate::config::Config;
use crate::key_server::{KeyServer, ServerError};

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
    let mut owner = Owner::open(home, config, old)?;
    let realm = owner.sealed.password_parameters().realm.clone();
    let account_key = device::account_key(home)?;
    let passphrase = new.with(account_key.as_ref());
    let keys = reseal(&mut owner.sealed, &owner.account, config, &realm, passphrase)?;
    if session::server_of(home)?.is_some() {
        let body = password_request(&owner.sealed, owner.credential, &keys);
        let sealed = &body.password.sealed;
        let is_made = |served: &AccountDocument| served.password.sealed.0 == sealed.0;
        send_change(home, config, &owner.account, is_made, |server, token| {
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
    let mut owner = Owner::open(home, config, password)?;
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
        let is_made = |served: &AccountDocument| served.recovery.id.0 == body.recovery.id.0;
        send_change(home, config, &owner.account, is_made, |server, token| {
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
    let mut owner = Owner::open(home, config, password)?;
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
        let is_made = |served: &AccountDocument| served.bundle.bundle.0 == body.bundle.bundle.0;
        send_change(home, config, &account, is_made, |server, token| server.set_keys(token, &body))?;
    }
    store(home, &owner.sealed)?;
    let key = bind_device(home, config, &account, password, KeepAccountKey::AsItIs)?;
    Ok(Unlocked::new(account, key))
}

/// Deletes the account on its server. Here it stays, on this computer only.
///
/// # Errors
/// As [`change_password`].
pub fn delete(home: &Home, config: &Config, password: &Password) -> Result<(), AccountError> {
    let owner = Owner::open(home, config, password)?;
    let body = DeleteRequest { current: owner.credential };
    // An account that is there is not deleted; one that is gone has no session either.
    let deleted = send_change(
        home,
        config,
        &owner.account,
        |_| false,
        |server, token| server.delete_account(token, &body),
    );
    match deleted {
        Err(AccountError::Unanswered { later, .. }) if later.kind() == Some(ProblemKind::SessionRefused) => {}
        other => other?,
    }
    session::forget(home)
}

/// Takes the account off its server, which is not asked: with the same password, derived for no server, it is this
/// computer's only from now on.
///
/// # Errors
/// [`AccountError::WrongPassword`], or the files cannot be changed.
pub fn leave_server(home: &Home, config: &Config, password: &Password) -> Result<(), AccountError> {
    let mut sealed = read_sealed(home)?;
    let account_key = device::account_key(home)?;
    let passphrase = password.with(account_key.as_ref());
    let account = sealed.open_with_password(passphrase)?;
    reseal(&mut sealed, &account, config, local::REALM, passphrase)?;
    store(home, &sealed)?;
    session::forget(home)
}

/// The account, its password at hand.
pub(super) struct Owner {
    pub sealed: SealedAccount,
    pub account: Account,
    pub credential: Credential,
    /// Whether the password is the one that the server knew just now: another computer may have set another.
    pub is_current: bool,
}

impl Owner {
    /// Opens the account by its password, and first takes over what other devices changed: what is changed here follows
    /// on that, or the server would have two successors of one version.
    pub fn open(home: &Home, config: &Config, password: &Password) -> Result<Self, AccountError> {
        let sealed = read_sealed(home)?;
        let account_key = device::account_key(home)?;
        let keys = sealed.password_parameters().derive(password.with(account_key.as_ref()))?;
        let account = sealed.open_with_kek(&keys.kek).map_err(|_| AccountError::WrongPassword)?;
        let opened_version = sealed.password_document().version;
        let (sealed, account, version) = if session::is_logged_in(home)? {
            let (account, version) = take_over_and_look(home, config, &account)?;
            (read_sealed(home)?, account, version)
        } else {
            (sealed, account, opened_version)
        };
        let credential = Credential { kind: CredentialKind::Password, auth: auth(&keys) };
        Ok(Self { sealed, account, credential, is_current: version == opened_version })
    }
}

/// Sends a change of the account. Where no answer comes, the server may have made it all the same: then it is asked for
/// the account, and `is_made` tells.
fn send_change(
    home: &Home,
    config: &Config,
    account: &Account,
    is_made: impl Fn(&AccountDocument) -> bool,
    send: impl Fn(&KeyServer, &Token) -> Result<(), ServerError>,
) -> Result<(), AccountError> {
    match session::with_token(home, config, account, send) {
        Err(AccountError::Server(lost)) if lost.leaves_open() => {
            settle(lost, is_made, || session::with_token(home, config, account, KeyServer::account))
        }
        other => other,
    }
}

/// Whether a change was made whose answer was lost, by what the server has now.
fn settle(
    lost: ServerError,
    is_made: impl Fn(&AccountDocument) -> bool,
    ask: impl FnOnce() -> Result<AccountReport, AccountError>,
) -> Result<(), AccountError> {
    match ask() {
        Ok(report) if is_made(&report.account) => Ok(()),
        Ok(_) => Err(lost.into()),
        Err(AccountError::Server(later)) => Err(AccountError::Unanswered { lost, later: Box::new(later) }),
        Err(other) => Err(other),
    }
}

/// Sets the password of an account that has just been logged in to, on the server.
pub(super) fn set_password_by_login(
    home: &Home,
    config: &Config,
    server: &KeyServer,
    logged_in: &mut LoggedIn,
    password: &Password,
) -> Result<(), AccountError> {
    let account_key = device::account_key(home)?;
    let LoggedIn { sealed, account, session, credential, .. } = logged_in;
    let passphrase = password.with(account_key.as_ref());
    let keys = reseal(sealed, account, config, server.origin().as_str(), passphrase)?;
    let body = password_request(sealed, credential.clone(), &keys);
    match server.set_password(&session.access, &body) {
        Err(lost) if lost.leaves_open() => {
            let is_made = |served: &AccountDocument| served.password.sealed.0 == body.password.sealed.0;
            settle(lost, is_made, || Ok(server.account(&session.access)?))
        }
        other => Ok(other?),
    }
}

/// Seals the account under a password that is derived for `realm`.
pub(super) fn reseal(
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

pub(super) fn auth(keys: &PasswordKeys) -> SecretHex<32> {
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
