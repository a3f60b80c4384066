//! The account of this computer: made, published, logged in to and out of, recovered.

use std::path::Path;

use anyhow::Result;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_core::api::hex::{HexBytes, SecretText};
use ensafer_core::api::local::{
    AccountFile, AccountReport, AccountState, ConfirmRequest, EmailRequest, ImportRequest, ListedDevice,
    LoggedOut, LoginRequest, LogoutRequest, NameRequest, NewRecoveryKey, PasswordRequest, ProfileReport,
    PublishRequest, RecoverRequest, RecoveryKeyReport, RecoveryKeyRequest, Refusal, RegisterRequest,
    Registered, RevokeRequest,
};
use ensafer_core::api::server::{DeviceReport, ProblemKind};
use ensafer_core::crypto::{AccountKey, Login, RecoveryKey, SystemRandom};
use ensafer_core::status::{AccountNotice, AccountNoticeKind};

use super::ControlError;
use super::body::{Body, password};
use super::refusals::refusal_of;
use super::server::{Desk, Door};
use super::turns::blocking;
use crate::account::{self, AccountError, KeepAccountKey, Unlocked};
use crate::enrol::{self, Made, Named, NewAccount};
use crate::exit::{self, Failure};
use crate::folder_keys::Vault;
use crate::host::{host_name, user_at_host};
use crate::key_server::{Origin, ServerError};
use crate::shell::Shell;

/// A sealed account, two hex digits for each byte, and what opens it.
const IMPORT_LIMIT_BYTES: usize = 2 * account::MAX_EXPORT_BYTES + 64 * 1024;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/v1/account", get(show))
        .route("/v1/account/register", post(register))
        .route("/v1/account/publish", post(publish))
        .route("/v1/account/login", post(log_in))
        .route("/v1/account/confirm", post(confirm))
        .route("/v1/account/logout", post(log_out))
        .route("/v1/account/recover", post(recover))
        .route("/v1/account/recovery-key", post(recovery_key))
        .route("/v1/account/recovery-key/new", post(new_recovery_key))
        .route("/v1/account/recovery-key/written", post(written))
        .route("/v1/account/file", get(file))
        .route("/v1/account/import", post(import).layer(DefaultBodyLimit::max(IMPORT_LIMIT_BYTES)))
        .route("/v1/account/password", post(new_password))
        .route("/v1/account/email", post(new_email))
        .route("/v1/account/profile", get(profile).post(new_name))
        .route("/v1/account/devices", get(devices))
        .route("/v1/account/devices/revoke", post(revoke))
}

type Answer<T> = Result<Json<T>, ControlError>;

async fn show(State(desk): State<Desk>) -> Answer<AccountReport> {
    blocking(move || Ok(report(&desk)?)).await
}

async fn register(State(door): State<Door>, Body(request): Body<RegisterRequest>) -> Answer<Registered> {
    door.account.take(move || make(&door.desk, request)).await
}

async fn publish(State(door): State<Door>, Body(request): Body<PublishRequest>) -> Answer<AccountReport> {
    door.account.take(move || publish_known(&door.desk, request)).await
}

async fn log_in(State(door): State<Door>, Body(request): Body<LoginRequest>) -> Answer<AccountReport> {
    door.account.take(move || log_in_to(&door.desk, request)).await
}

async fn confirm(State(door): State<Door>, Body(request): Body<ConfirmRequest>) -> Answer<AccountReport> {
    door.account
        .take(move || {
            let secret = password(request.password);
            enrol::confirm(&door.desk.shell, &password(request.code), &secret)?;
            opened(&door.desk, secret)
        })
        .await
}

async fn log_out(State(door): State<Door>, Body(request): Body<LogoutRequest>) -> Answer<LoggedOut> {
    door.account.take(move || end_session(&door.desk, request)).await
}

async fn recover(State(door): State<Door>, Body(request): Body<RecoverRequest>) -> Answer<AccountReport> {
    door.account.take(move || set_password(&door.desk, request)).await
}

async fn recovery_key(
    State(door): State<Door>,
    Body(request): Body<RecoveryKeyRequest>,
) -> Answer<RecoveryKeyReport> {
    door.account
        .take(move || {
            let shown = enrol::show_recovery_key(&door.desk.shell, &password(request.password))?;
            let unchecked = shown.unchecked.map(|(_, error)| exit::describe(&error.into()));
            Ok(RecoveryKeyReport { recovery_key: SecretText(shown.key.to_string()), unchecked })
        })
        .await
}

async fn new_recovery_key(
    State(door): State<Door>,
    Body(request): Body<RecoveryKeyRequest>,
) -> Answer<NewRecoveryKey> {
    door.account.take(move || replace_recovery_key(&door.desk, request)).await
}

/// Somebody says that the key which was shown is written down.
async fn written(State(door): State<Door>) -> Answer<AccountReport> {
    door.account
        .take(move || {
            account::note_unwritten(&door.desk.shell.home, false)?;
            report(&door.desk)
        })
        .await
}

/// Sealed as it is, the file opens for nobody without the password.
async fn file(State(desk): State<Desk>) -> Answer<AccountFile> {
    blocking(move || {
        let sealed = account::exported(&desk.shell.home).map_err(anyhow::Error::from)?;
        Ok(AccountFile { file: HexBytes(sealed) })
    })
    .await
}

async fn import(State(door): State<Door>, Body(request): Body<ImportRequest>) -> Answer<AccountReport> {
    door.account.take(move || take_from_file(&door.desk, request)).await
}

async fn new_password(
    State(door): State<Door>,
    Body(request): Body<PasswordRequest>,
) -> Answer<AccountReport> {
    door.account
        .take(move || {
            let (old, new) = (password(request.old), password(request.new));
            enrol::change_password(&door.desk.shell, &old, &new)?;
            opened(&door.desk, new)
        })
        .await
}

async fn new_email(State(door): State<Door>, Body(request): Body<EmailRequest>) -> Answer<AccountReport> {
    door.account.take(move || set_email(&door.desk, request)).await
}

async fn profile(State(door): State<Door>) -> Answer<ProfileReport> {
    door.account.take(move || profile_of(&door.desk, None)).await
}

async fn new_name(State(door): State<Door>, Body(request): Body<NameRequest>) -> Answer<ProfileReport> {
    door.account.take(move || profile_of(&door.desk, Some(&request.name))).await
}

async fn devices(State(door): State<Door>) -> Answer<Vec<ListedDevice>> {
    door.account.take(move || Ok(known_devices(&door.desk)?.1.into_iter().map(Into::into).collect())).await
}

async fn revoke(State(door): State<Door>, Body(request): Body<RevokeRequest>) -> Answer<Vec<ListedDevice>> {
    door.account
        .take(move || {
            let (unlocked, mut known) = known_devices(&door.desk)?;
            let at = known.iter().position(|device| device.device == request.device);
            let at = at.ok_or_else(|| Failure::new(Exit::Usage, "The account has no such computer"))?;
            enrol::revoke_device(&door.desk.shell, &unlocked, &known[at])?;
            known.remove(at);
            Ok(known.into_iter().map(Into::into).collect())
        })
        .await
}

/// What others read, after the name was set where one is given.
fn profile_of(desk: &Desk, name: Option<&str>) -> Result<ProfileReport> {
    enrol::require_server(&desk.shell)?;
    Ok(enrol::profile(&desk.shell, &desk.vault.unlocked()?, name)?)
}

/// The account's computers, as its server has them.
fn known_devices(desk: &Desk) -> Result<(Unlocked, Vec<DeviceReport>)> {
    let shell = &desk.shell;
    enrol::require_server(shell)?;
    let unlocked = desk.vault.unlocked()?;
    let known = account::devices(&shell.home, &shell.config, &unlocked.account)?;
    Ok((unlocked, known))
}

/// The answer has the key also where nobody knows whether it holds.
fn replace_recovery_key(desk: &Desk, request: RecoveryKeyRequest) -> Result<NewRecoveryKey> {
    let key = RecoveryKey::generate(&mut SystemRandom);
    let unsettled = match enrol::change_recovery_key(&desk.shell, &password(request.password), &key) {
        Ok(()) => None,
        Err(error) if enrol::may_hold(&error) => Some(exit::describe(&error.into())),
        Err(error) => return Err(error.into()),
    };
    remind(desk);
    Ok(NewRecoveryKey { recovery_key: SecretText(key.to_text().to_string()), unsettled })
}

fn set_email(desk: &Desk, request: EmailRequest) -> Result<AccountReport> {
    let EmailRequest { email, password: secret, code } = request;
    desk.shell.require_account()?;
    let login = account::parse_login(&email)?;
    let secret = password(secret);
    // Without a code the server would mail one, to whoever types here.
    account::recovery_key(&desk.shell.home, &secret)?;
    let code = code.map(|code| code.0.trim().to_owned());
    enrol::change_email(&desk.shell, &login, &secret, code)?;
    opened(desk, secret)
}

/// The account as it is now.
fn report(desk: &Desk) -> Result<AccountReport> {
    let home = &desk.shell.home;
    let mut report = AccountReport {
        state: AccountState::None,
        device: host_name(),
        email: None,
        fingerprint: None,
        server: None,
        session: None,
        has_account_key: false,
        notices: desk.control.status().account,
    };
    if !account::exists(home) {
        return Ok(report);
    }
    let (login, _, fingerprint) = account::public_of(home)?;
    report.state = if desk.vault.unlocked().is_ok() { AccountState::Open } else { AccountState::Locked };
    report.email = Some(login.to_string());
    report.fingerprint = Some(fingerprint.to_string());
    report.server = account::server_of(home)?.map(|origin| origin.to_string());
    report.session = account::standing(home)?;
    report.has_account_key = account::account_key(home)?.is_some();
    // Whoever looks after the account may not have looked yet.
    report.notices.retain(|notice| notice.kind != AccountNoticeKind::NotSetUp);
    if account::is_unwritten(home) {
        let text = "Nobody has said yet that the recovery key is written down: ensafer recovery-key show";
        let kind = AccountNoticeKind::RecoveryKeyUnwritten;
        report.notices.push(AccountNotice { kind, text: text.to_owned() });
    }
    Ok(report)
}

fn make(desk: &Desk, request: RegisterRequest) -> Result<Registered> {
    let shell = &desk.shell;
    account::refuse_if_present(&shell.home)?;
    let password = password(request.password);
    let with_account_key = request.account_key;
    let (made, unpublished) = match &request.server {
        None => {
            let email = if request.email.is_empty() { user_at_host() } else { request.email };
            let login = account::parse_login(&email)?;
            let new = NewAccount { login: &login, password: &password, with_account_key };
            (enrol::create(shell, new)?, None)
        }
        Some(server) => {
            let login = enrol::address(Some(request.email.as_str()).filter(|email| !email.is_empty()))?;
            let origin: Origin = server.parse().map_err(AccountError::from)?;
            // The server is not asked in vain.
            account::check_strength(&password, &login)?;
            let code = code_for(shell, &origin, &login, request.code)?;
            let new = NewAccount { login: &login, password: &password, with_account_key };
            let (made, published) = enrol::register_at(shell, &origin, new, code)?;
            (made, published.err().map(|error| refusal_of(&error.into())))
        }
    };
    registered(desk, &made, unpublished, password)
}

/// Shows the keys, whatever may fail from now on.
fn registered(
    desk: &Desk,
    made: &Made,
    unpublished: Option<Refusal>,
    password: Password,
) -> Result<Registered> {
    if let Err(error) = desk.control.unlock(password) {
        tracing::warn!(%error, "the new account is not opened yet");
    }
    remind(desk);
    let secret = |text: &zeroize::Zeroizing<String>| SecretText(text.to_string());
    Ok(Registered {
        recovery_key: secret(&made.recovery_key),
        account_key: made.account_key.as_ref().map(secret),
        unpublished,
        account: report(desk)?,
    })
}

/// Has the account say that its recovery key is to be written down. The key itself is shown whatever becomes of that.
fn remind(desk: &Desk) {
    if let Err(error) = account::note_unwritten(&desk.shell.home, true) {
        tracing::warn!(%error, "nobody is reminded to write the recovery key down");
    }
}

/// The authorisation code that somebody typed, where the server wants one.
fn code_for(
    shell: &Shell,
    origin: &Origin,
    login: &Login,
    typed: Option<SecretText>,
) -> Result<Option<String>> {
    if !enrol::ask_server(shell, origin, login)? {
        return Ok(None);
    }
    let code = typed.map(|code| code.0.trim().to_owned()).filter(|code| !code.is_empty());
    let missing = || {
        let kind = ProblemKind::RegistrationCodeRefused;
        AccountError::from(ServerError::Refused { kind, problem: Box::new(kind.problem()) })
    };
    Ok(Some(code.ok_or_else(missing)?))
}

fn publish_known(desk: &Desk, request: PublishRequest) -> Result<AccountReport> {
    let shell = &desk.shell;
    shell.require_account()?;
    let origin: Origin = request.server.parse().map_err(AccountError::from)?;
    let login = enrol::check_publishable(shell, &origin, None)?;
    let code = code_for(shell, &origin, &login, request.code)?;
    let password = password(request.password);
    enrol::publish(shell, &origin, &login, &password, code)?;
    opened(desk, password)
}

fn log_in_to(desk: &Desk, request: LoginRequest) -> Result<AccountReport> {
    let LoginRequest { email, server, realm, password: secret, account_key } = request;
    let named = Named { email: email.as_deref(), server: server.as_deref(), realm: realm.as_deref() };
    let whom = named.complete(&desk.shell)?;
    let key = typed_account_key(account_key)?;
    let keep = key.as_ref().map_or(KeepAccountKey::AsItIs, KeepAccountKey::This);
    let secret = password(secret);
    enrol::log_in(&desk.shell, &whom, &secret, keep)?;
    opened(desk, secret)
}

fn typed_account_key(typed: Option<SecretText>) -> Result<Option<AccountKey>> {
    let key = typed.map(|text| account::parse_account_key(&password(text))).transpose();
    key.map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("the account key is none: {error}"));
        failure.with_remedy("Compare it with what you wrote down").into()
    })
}

fn take_from_file(desk: &Desk, request: ImportRequest) -> Result<AccountReport> {
    let ImportRequest { file, password: secret, account_key, recovery_key } = request;
    let Shell { home, config, .. } = &desk.shell;
    account::refuse_if_present(home)?;
    let sealed = account::parse_exported(&file.0, Path::new("the file")).map_err(|error| {
        let failure = Failure::new(Exit::Usage, exit::describe(&error.into()));
        failure.with_remedy(
            "Choose the file that the account was saved in: account.ensafer-keys, if nobody renamed it",
        )
    })?;
    let secret = password(secret);
    if let Some(key) = recovery_key {
        let key = account::parse_recovery_key(&password(key))?;
        account::check_strength(&secret, sealed.login())?;
        account::import_with_recovery_key(home, config, sealed, &key, &secret)?;
    } else {
        account::import(home, config, &sealed, &secret, typed_account_key(account_key)?.as_ref())?;
    }
    opened(desk, secret)
}

fn end_session(desk: &Desk, request: LogoutRequest) -> Result<LoggedOut> {
    enrol::may_log_out(&desk.shell)?;
    let unlocked = match request.password {
        Some(text) => Some(desk.shell.unlock(&password(text))?),
        None => desk.vault.unlocked().ok(),
    };
    let ended = enrol::log_out(&desk.shell, unlocked.as_ref());
    desk.control.lock();
    let is_server_told = ended? == enrol::LoggedOut::Told;
    Ok(LoggedOut { is_server_told, account: report(desk)? })
}

fn set_password(desk: &Desk, request: RecoverRequest) -> Result<AccountReport> {
    let RecoverRequest { recovery_key, password: secret, email, server, realm, here } = request;
    let named = Named { email: email.as_deref(), server: server.as_deref(), realm: realm.as_deref() };
    let whom = named.to_recover(&desk.shell, here)?;
    let key = account::parse_recovery_key(&password(recovery_key))?;
    let secret = password(secret);
    enrol::recover(&desk.shell, whom.as_ref(), &key, &secret)?;
    opened(desk, secret)
}

/// Opens the engine's keys with the password that has just been proven, and shows the account.
fn opened(desk: &Desk, password: Password) -> Result<AccountReport> {
    desk.control.unlock(password)?;
    report(desk)
}
