//! Making an account: what the server asks for, whether a login is free, the account itself, and its address's proof.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ensafer_core::account::SignedBundle;
use ensafer_core::api::server::{
    Availability, AvailabilityRequest, ConfirmRequest, MAX_BODY_BYTES, Problem, ProblemKind, RegisterRequest,
    Registered, Registration, ServerInfo,
};
use ensafer_core::crypto::{Login, SystemRandom, VerifierKind, proofs_match, sha256};
use ensafer_core::ids::AccountId;
use sqlx::{Any, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, BodyAnswers, ConflictAnswers};
use crate::codes::Code;
use crate::db::accounts::{self, NewAccount, Status};
use crate::db::to_int;
use crate::error::ApiError;
use crate::extract::{ApiJson, ClientAddress};
use crate::limits::{self, Failures, Shared};
use crate::mail::Mail;
use crate::state::AppState;
use crate::validate;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(server_info))
        .routes(routes!(available))
        .routes(routes!(register))
        .routes(routes!(confirm))
}

/// Who the server is and what it asks for.
#[utoipa::path(
    get, path = "/v1/server", tag = "server",
    responses((status = 200, description = "It", body = ServerInfo), AnyAnswers)
)]
pub async fn server_info(State(state): State<AppState>) -> Json<ServerInfo> {
    Json(ServerInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registration: state.config.registration.mode,
        confirms_email: state.config.confirms_email(),
        time_s: state.clock.now_s(),
    })
}

/// Asks whether a login can be registered, before keys are made for it.
#[utoipa::path(
    post, path = "/v1/register/available", tag = "registration",
    request_body = AvailabilityRequest,
    responses((status = 200, description = "Whether it can", body = Availability), BodyAnswers, AnyAnswers)
)]
pub async fn available(
    State(state): State<AppState>,
    address: ClientAddress,
    ApiJson(request): ApiJson<AvailabilityRequest>,
) -> Result<Json<Availability>, ApiError> {
    let login = validate::login(&request.login)?;
    limits::count_availability(&state, address).await?;
    Ok(Json(Availability { available: !accounts::is_taken(state.db.reader(), &login).await? }))
}

/// Makes an account. Where addresses are confirmed, a code is mailed, and nobody logs in before it comes back.
#[utoipa::path(
    post, path = "/v1/register", tag = "registration",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account was made", body = Registered),
        (status = 403, description = "Nobody can register, or the authorisation code is wrong",
            body = Problem, content_type = "application/problem+json"),
        ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn register(
    State(state): State<AppState>,
    address: ClientAddress,
    ApiJson(request): ApiJson<RegisterRequest, MAX_BODY_BYTES>,
) -> Result<(StatusCode, Json<Registered>), ApiError> {
    check_admission(&state, address, request.code.as_deref()).await?;
    let bundle = check_account(&state, &request)?;
    let login = bundle.bundle().login.clone();
    let confirmation_required = state.config.confirms_email();
    limits::count_availability(&state, address).await?;
    let code = if confirmation_required {
        validate::mail_address(&login)?;
        // Whoever has the login gets no mail, and loses none by others who try to have it.
        if accounts::is_taken(state.db.reader(), &login).await? {
            return Err(ProblemKind::LoginTaken.into());
        }
        limits::count_mail(&state, address, &login).await?;
        Some(Code::generate(&mut SystemRandom))
    } else {
        None
    };
    let account = insert(&state, &request, &bundle, code.as_ref()).await?;
    state.metrics.registered();
    tracing::info!(target: "audit", event = "registered", %account, confirmed = !confirmation_required);
    if let Some(code) = code
        && let Err(error) = mail_code(&state, &login, &code).await
    {
        remove(&state, account).await?;
        return Err(error);
    }
    Ok((StatusCode::CREATED, Json(Registered { confirmation_required })))
}

/// Confirms an account's address by the code that was mailed to it.
#[utoipa::path(
    post, path = "/v1/register/confirm", tag = "registration",
    request_body = ConfirmRequest,
    responses(
        (status = 204, description = "The address is confirmed"),
        (status = 403, description = "The code is wrong, expired or used, or nobody waits for one",
            body = Problem, content_type = "application/problem+json"),
        BodyAnswers, AnyAnswers,
    )
)]
pub async fn confirm(
    State(state): State<AppState>,
    address: ClientAddress,
    ApiJson(request): ApiJson<ConfirmRequest>,
) -> Result<StatusCode, ApiError> {
    let login = validate::login(&request.login)?;
    let account = request.account;
    let shared = Shared::of(&state, address);
    let mut light = state.db.lightly().await?;
    let failures = Failures::begin_code(&state, &mut light, shared, "code", account).await?;
    drop(light);
    let mut tx = state.db.write().await?;
    let is_right = use_code(&state, &mut tx, account, &login, &request.code).await?;
    if is_right && activate(&mut tx, account, &login).await? {
        failures.forgive(&mut tx).await?;
        tx.commit().await?;
        tracing::info!(target: "audit", event = "confirmed", %account);
        return Ok(StatusCode::NO_CONTENT);
    }
    drop(tx);
    failures.confirm(&state, &mut *state.db.lightly().await?).await?;
    tracing::info!(target: "audit", event = "confirmation-refused", %account, address = %address.0);
    Err(ProblemKind::ConfirmationRefused.into())
}

/// Lets in whoever the settings let in.
async fn check_admission(
    state: &AppState,
    address: ClientAddress,
    code: Option<&str>,
) -> Result<(), ApiError> {
    match state.config.registration.mode {
        Registration::Open => return Ok(()),
        Registration::Closed => return Err(ProblemKind::RegistrationClosed.into()),
        Registration::Code => {}
    }
    let mut db = state.db.lightly().await?;
    let failures = Failures::begin_registration(state, &mut db, Shared::of(state, address)).await?;
    // Hashes compare in a time that says nothing about the code, not even its length; and all are compared.
    let shown = sha256(&[code.unwrap_or_default().trim().as_bytes()]);
    let codes = state.config.registration.codes.iter();
    let matches = codes.filter(|known| proofs_match(&sha256(&[known.trim().as_bytes()]), &shown)).count();
    if code.is_some() && matches > 0 {
        return Ok(failures.forgive(&mut db).await?);
    }
    failures.confirm(state, &mut db).await?;
    tracing::info!(target: "audit", event = "registration-code-refused", address = %address.0);
    Err(ProblemKind::RegistrationCodeRefused.into())
}

/// Refuses what is no new account.
fn check_account(state: &AppState, request: &RegisterRequest) -> Result<SignedBundle, ApiError> {
    let account = &request.account;
    if let Some(sealed) = &account.state {
        validate::state(sealed)?;
    }
    if let Some(name) = &request.display_name {
        validate::name(name)?;
    }
    validate::keys(&account.keys)?;
    validate::password(state, &account.password)?;
    validate::recovery(&account.recovery)?;
    validate::bundle(&account.bundle)
}

async fn insert(
    state: &AppState,
    request: &RegisterRequest,
    bundle: &SignedBundle,
    code: Option<&Code>,
) -> Result<AccountId, ApiError> {
    let (account, login) = (bundle.bundle().account, &bundle.bundle().login);
    let new = NewAccount {
        bundle,
        document: &request.account,
        status: if code.is_some() { Status::Unconfirmed } else { Status::Active },
        display_name: request.display_name.as_deref(),
        verifiers: [
            state.keys.verifier(VerifierKind::Password, account, &request.password_auth.0),
            state.keys.verifier(VerifierKind::Recovery, account, &request.recovery_auth.0),
        ],
        now_s: state.clock.now_s(),
    };
    let mut tx = state.db.write().await?;
    if !accounts::insert(&mut tx, &new).await? {
        let taken = accounts::has_login(&mut tx, login).await?;
        let foreign =
            || ApiError::with_detail(ProblemKind::BlobRefused, "the account's id is another account's");
        return Err(if taken { ProblemKind::LoginTaken.into() } else { foreign() });
    }
    if let Some(code) = code {
        keep_code(state, &mut tx, account, login, code).await?;
    }
    tx.commit().await?;
    Ok(account)
}

/// Keeps a code's hash, in the place of an earlier code for the same address.
///
/// # Errors
/// The database failed.
pub async fn keep_code(
    state: &AppState,
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    login: &Login,
    code: &Code,
) -> Result<(), sqlx::Error> {
    let expires_at = state.clock.now_s().saturating_add(state.config.sessions.code_s);
    sqlx::query(
        "INSERT INTO codes (account, login, code_hash, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (account, login) DO UPDATE SET code_hash = excluded.code_hash, \
            expires_at = excluded.expires_at",
    )
    .bind(account.to_string())
    .bind(login.as_str())
    .bind(hex::encode(code.hash(&state.keys, account, login)))
    .bind(to_int(expires_at))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Takes the account's row and spends a code, if it is the right one: of several that try at the same time, one does.
///
/// # Errors
/// The database failed.
pub async fn use_code(
    state: &AppState,
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    login: &Login,
    text: &str,
) -> Result<bool, sqlx::Error> {
    let Some(code) = Code::parse(text) else { return Ok(false) };
    accounts::lock(&state.db, tx, account).await?;
    let done = sqlx::query(
        "DELETE FROM codes WHERE account = $1 AND login = $2 AND code_hash = $3 AND expires_at > $4",
    )
    .bind(account.to_string())
    .bind(login.as_str())
    .bind(hex::encode(code.hash(&state.keys, account, login)))
    .bind(to_int(state.clock.now_s()))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Mails a code.
///
/// # Errors
/// [`ProblemKind::MailFailed`]
pub async fn mail_code(state: &AppState, login: &Login, code: &Code) -> Result<(), ApiError> {
    let failed = || ApiError::from(ProblemKind::MailFailed);
    let mailer = state.mailer.as_ref().ok_or_else(failed)?;
    let mail = Mail::ConfirmAddress { code: code.expose(), expires_in_s: state.config.sessions.code_s };
    let sent = mailer.send(login, mail).await;
    state.metrics.mail(if sent.is_ok() { "sent" } else { "failed" });
    sent.map_err(|_| failed())
}

async fn activate(
    tx: &mut Transaction<'static, Any>,
    account: AccountId,
    login: &Login,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE accounts SET status = 'active' WHERE account = $1 AND login = $2 AND status = 'unconfirmed'",
    )
    .bind(account.to_string())
    .bind(login.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes back an account whose code could not be mailed.
async fn remove(state: &AppState, account: AccountId) -> Result<(), sqlx::Error> {
    let mut tx = state.db.write().await?;
    sqlx::query("DELETE FROM accounts WHERE account = $1 AND status = 'unconfirmed'")
        .bind(account.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}
