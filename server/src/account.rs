//! The owner's side of an account: reading it, changing it, taking it along, deleting it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ensafer_core::account::SignedBundle;
use ensafer_core::api::server::{
    AccountExport, AccountReport, AddressRequest, DeleteRequest, KeysRequest, MAX_BODY_BYTES,
    PasswordRequest, Problem, ProblemKind, ProfileRequest, RecoveryRequest, StateDocument,
};
use ensafer_core::crypto::{Login, SystemRandom, VerifierKind};
use sqlx::{Any, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, BodyAnswers, ConflictAnswers, MissingAnswers, SessionAnswers};
use crate::codes::Code;
use crate::credentials;
use crate::db::accounts::{self, Stored};
use crate::db::changes;
use crate::db::devices;
use crate::db::groups;
use crate::db::invitations;
use crate::error::ApiError;
use crate::extract::{ApiJson, Authenticated, ClientAddress};
use crate::limits::{self, Failures, Shared};
use crate::notices::{self, Notice};
use crate::registration::{keep_code, mail_code, use_code};
use crate::state::AppState;
use crate::validate;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(profile))
        .routes(routes!(password))
        .routes(routes!(recovery))
        .routes(routes!(keys))
        .routes(routes!(address))
        .routes(routes!(read_state, write_state))
        .routes(routes!(delete))
        .routes(routes!(export))
}

/// The session's own account, or the answer to a token of an account that was deleted a moment ago.
async fn own(state: &AppState, session: Authenticated) -> Result<Stored, ApiError> {
    let stored = accounts::stored(state.db.reader(), session.account).await?;
    stored.ok_or_else(|| ProblemKind::SessionRefused.into())
}

/// The account.
#[utoipa::path(
    get, path = "/v1/account", tag = "account", security(("session" = [])),
    responses((status = 200, description = "It", body = AccountReport), SessionAnswers, AnyAnswers)
)]
pub async fn report(
    State(state): State<AppState>,
    session: Authenticated,
) -> Result<Json<AccountReport>, ApiError> {
    Ok(Json(own(&state, session).await?.report()))
}

/// Changes what others read beside the address.
#[utoipa::path(
    put, path = "/v1/account/profile", tag = "account", security(("session" = [])),
    request_body = ProfileRequest,
    responses((status = 204, description = "It was changed"), SessionAnswers, BodyAnswers, AnyAnswers)
)]
pub async fn profile(
    State(state): State<AppState>,
    session: Authenticated,
    ApiJson(request): ApiJson<ProfileRequest>,
) -> Result<StatusCode, ApiError> {
    if let Some(name) = &request.display_name {
        validate::name(name)?;
    }
    let mut tx = state.db.write().await?;
    changes::rename(&mut tx, session.account, request.display_name.as_deref()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the password. Sessions go on; logins that are under way do not.
#[utoipa::path(
    put, path = "/v1/account/password", tag = "account", security(("session" = [])),
    request_body = PasswordRequest,
    responses(
        (status = 204, description = "It was changed"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn password(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiJson(request): ApiJson<PasswordRequest>,
) -> Result<StatusCode, ApiError> {
    validate::password(&state, &request.password)?;
    let stored = own(&state, session).await?;
    credentials::check(&state, from, session, &stored, &request.current).await?;
    let version = stored.document.password.version;
    succeeds(version.into(), request.password.version.into())?;
    let verifier = state.keys.verifier(VerifierKind::Password, stored.id, &request.password_auth.0);
    let mut tx = state.db.write().await?;
    if !changes::replace_password(&mut tx, &stored, &request.password, &verifier).await? {
        drop(tx);
        return Err(ApiError::conflict(own(&state, session).await?.document.password.version.into()));
    }
    tx.commit().await?;
    audit(session, "password-changed");
    notices::send(&state, stored.login, Notice::PasswordChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the recovery key.
#[utoipa::path(
    put, path = "/v1/account/recovery", tag = "account", security(("session" = [])),
    request_body = RecoveryRequest,
    responses(
        (status = 204, description = "It was changed"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn recovery(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiJson(request): ApiJson<RecoveryRequest>,
) -> Result<StatusCode, ApiError> {
    validate::recovery(&request.recovery)?;
    let stored = own(&state, session).await?;
    credentials::check(&state, from, session, &stored, &request.current).await?;
    succeeds(stored.document.recovery.version(), request.recovery.version())?;
    let verifier = state.keys.verifier(VerifierKind::Recovery, stored.id, &request.recovery_auth.0);
    let mut tx = state.db.write().await?;
    if !changes::replace_recovery(&mut tx, &stored, &request.recovery, &verifier).await? {
        drop(tx);
        return Err(ApiError::conflict(own(&state, session).await?.document.recovery.version()));
    }
    tx.commit().await?;
    audit(session, "recovery-key-changed");
    notices::send(&state, stored.login, Notice::RecoveryChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// Changes keys or address: the same identity signs another bundle.
#[utoipa::path(
    put, path = "/v1/account/keys", tag = "account", security(("session" = [])),
    request_body = KeysRequest,
    responses(
        (status = 204, description = "They were changed"),
        (status = 403, description = "The account is disabled, or the code for the new address is wrong",
            body = Problem, content_type = "application/problem+json"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn keys(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiJson(request): ApiJson<KeysRequest>,
) -> Result<StatusCode, ApiError> {
    validate::keys(&request.keys)?;
    validate::password(&state, &request.password)?;
    let bundle = validate::bundle(&request.bundle)?;
    let stored = own(&state, session).await?;
    if bundle.bundle().account != stored.id || bundle.fingerprint().to_string() != stored.fingerprint {
        let detail = "the bundle is another account's, or by another identity";
        return Err(ApiError::with_detail(ProblemKind::BlobRefused, detail));
    }
    credentials::check(&state, from, session, &stored, &request.current).await?;
    succeed(&stored, &bundle, &request)?;
    let new_login = &bundle.bundle().login;
    let mut tx = if *new_login == stored.login {
        state.db.write().await?
    } else {
        take_address(&state, from, &stored, new_login, request.code.as_deref()).await?
    };
    if !replace_keys(&state, &mut tx, &stored, &bundle, &request).await? {
        drop(tx);
        let current = own(&state, session).await?;
        succeed(&current, &bundle, &request)?;
        return Err(ApiError::conflict(current.document.password.version.into()));
    }
    limits::count_keys(&state, &mut tx, stored.id).await?;
    tx.commit().await?;
    audit(session, "keys-changed");
    // The password was replaced as well.
    let is_moved = *new_login != stored.login;
    let notice =
        if is_moved { Notice::AddressChanged { new: new_login.clone() } } else { Notice::PasswordChanged };
    notices::send(&state, stored.login, notice);
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses new keys of which one version is not the next one.
fn succeed(current: &Stored, bundle: &SignedBundle, new: &KeysRequest) -> Result<(), ApiError> {
    let document = &current.document;
    succeeds(current.sequence, bundle.bundle().sequence)?;
    succeeds(document.keys.version.into(), new.keys.version.into())?;
    succeeds(document.password.version.into(), new.password.version.into())
}

/// Returns whether they were replaced, which they are not where somebody else was faster.
async fn replace_keys(
    state: &AppState,
    tx: &mut Transaction<'static, Any>,
    stored: &Stored,
    bundle: &SignedBundle,
    request: &KeysRequest,
) -> Result<bool, ApiError> {
    let verifier = state.keys.verifier(VerifierKind::Password, stored.id, &request.password_auth.0);
    let now_s = state.clock.now_s();
    let has_password = changes::replace_password(tx, stored, &request.password, &verifier).await?;
    let replaced = changes::replace_keys(tx, stored, bundle, &request.keys, now_s).await;
    match replaced {
        Ok(replaced) => Ok(replaced && has_password),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(ProblemKind::LoginTaken.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes way for an account that moves to another address, which it must have shown to be its own. Returns the
/// transaction in which it moves.
async fn take_address(
    state: &AppState,
    from: ClientAddress,
    stored: &Stored,
    login: &Login,
    code: Option<&str>,
) -> Result<Transaction<'static, Any>, ApiError> {
    let mut tx = if state.config.confirms_email() {
        let shared = Shared::of(state, from);
        let mut light = state.db.lightly().await?;
        let failures = Failures::begin_code(state, &mut light, shared, "address-code", stored.id).await?;
        drop(light);
        let code = code.unwrap_or_default();
        let mut tx = state.db.write().await?;
        let is_right = use_code(state, &mut tx, stored.id, login, code).await?;
        drop(tx);
        if !is_right {
            failures.confirm(state, &mut *state.db.lightly().await?).await?;
            return Err(ProblemKind::ConfirmationRefused.into());
        }
        // By itself: the code was right, also where what follows fails and leaves it unused.
        failures.forgive(&mut *state.db.lightly().await?).await?;
        let mut tx = state.db.write().await?;
        if !use_code(state, &mut tx, stored.id, login, code).await? {
            return Err(ProblemKind::ConfirmationRefused.into());
        }
        tx
    } else {
        state.db.write().await?
    };
    accounts::remove_unconfirmed(&mut tx, login).await?;
    Ok(tx)
}

/// Mails a code to an address that the account is to have; [`keys`] takes it. Does nothing where the server does not
/// confirm addresses.
#[utoipa::path(
    post, path = "/v1/account/address", tag = "account", security(("session" = [])),
    request_body = AddressRequest,
    responses(
        (status = 204, description = "The code was mailed, or none is needed"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn address(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiJson(request): ApiJson<AddressRequest>,
) -> Result<StatusCode, ApiError> {
    let login = validate::login(&request.login)?;
    limits::count_availability(&state, from).await?;
    if accounts::is_taken(state.db.reader(), &login).await? {
        return Err(ProblemKind::LoginTaken.into());
    }
    if !state.config.confirms_email() {
        return Ok(StatusCode::NO_CONTENT);
    }
    validate::mail_address(&login)?;
    limits::count_mail(&state, from, &login).await?;
    let code = Code::generate(&mut SystemRandom);
    let mut tx = state.db.write().await?;
    keep_code(&state, &mut tx, session.account, &login, &code).await?;
    tx.commit().await?;
    mail_code(&state, &login, &code).await?;
    audit(session, "address-code-mailed");
    Ok(StatusCode::NO_CONTENT)
}

/// The account's sealed state.
#[utoipa::path(
    get, path = "/v1/account/state", tag = "account", security(("session" = [])),
    responses(
        (status = 200, description = "It", body = StateDocument),
        SessionAnswers, MissingAnswers, AnyAnswers,
    )
)]
pub async fn read_state(
    State(state): State<AppState>,
    session: Authenticated,
) -> Result<Json<StateDocument>, ApiError> {
    let found = accounts::read_state(state.db.reader(), session.account).await?;
    found.map(Json).ok_or_else(|| ProblemKind::NotFound.into())
}

/// Replaces the account's sealed state, if the new version is the old one's and one more: of several devices that try at
/// the same time, one does.
#[utoipa::path(
    put, path = "/v1/account/state", tag = "account", security(("session" = [])),
    request_body = StateDocument,
    responses(
        (status = 204, description = "It was replaced"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn write_state(
    State(state): State<AppState>,
    session: Authenticated,
    ApiJson(request): ApiJson<StateDocument, MAX_BODY_BYTES>,
) -> Result<StatusCode, ApiError> {
    validate::state(&request)?;
    let mut tx = state.db.write().await?;
    if let Some(current) = changes::write_state(&mut tx, session.account, &request).await? {
        return Err(ApiError::conflict(current));
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes the account and everything that belongs to it.
#[utoipa::path(
    post, path = "/v1/account/delete", tag = "account", security(("session" = [])),
    request_body = DeleteRequest,
    responses(
        (status = 204, description = "It is gone"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn delete(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiJson(request): ApiJson<DeleteRequest>,
) -> Result<StatusCode, ApiError> {
    let stored = own(&state, session).await?;
    credentials::check(&state, from, session, &stored, &request.current).await?;
    let mut tx = state.db.write().await?;
    if !changes::delete(&mut tx, &stored).await? {
        // The password or the recovery key changed meanwhile: what was asked for has no version.
        return Err(ProblemKind::VersionConflict.into());
    }
    tx.commit().await?;
    audit(session, "account-deleted");
    notices::send(&state, stored.login, Notice::AccountDeleted);
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that the server keeps about the account, but for verifiers, hashes, and what is gone within days: logins
/// under way, codes that were mailed, counts of failures.
#[utoipa::path(
    get, path = "/v1/account/export", tag = "account", security(("session" = [])),
    responses((status = 200, description = "It", body = AccountExport), SessionAnswers, AnyAnswers)
)]
pub async fn export(
    State(state): State<AppState>,
    session: Authenticated,
) -> Result<Json<AccountExport>, ApiError> {
    let db = state.db.reader();
    let now_s = state.clock.now_s();
    let export = AccountExport {
        exported_at_s: now_s,
        account: own(&state, session).await?.report(),
        devices: devices::export(db, session.account, session.device).await?,
        history: accounts::history(db, session.account, 0, u32::MAX).await?,
        invitations: invitations::export(db, session.account, now_s).await?,
        accepted: invitations::accepted(db, session.account, now_s).await?,
        groups: groups::made_by(db, session.account).await?,
        administered_groups: groups::administered_by(db, session.account).await?,
    };
    audit(session, "account-exported");
    Ok(Json(export))
}

/// Refuses a version that is not the next one.
fn succeeds(current: u64, new: u64) -> Result<(), ApiError> {
    if current.checked_add(1) == Some(new) { Ok(()) } else { Err(ApiError::conflict(current)) }
}

fn audit(session: Authenticated, event: &'static str) {
    let Authenticated { account, device } = session;
    tracing::info!(target: "audit", event, %account, %device);
}
