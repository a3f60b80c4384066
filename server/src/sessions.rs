//! Sessions: a short access token, a refresh token that is spent when it is used, and the devices that have them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ensafer_core::account::login::RefreshMessage;
use ensafer_core::api::hex::SecretHex;
use ensafer_core::api::server::{DeviceReport, Devices, ProblemKind, RefreshRequest, Session};
use ensafer_core::crypto::{Random, Signature, SystemRandom, Token, VerifyingKey, proofs_match};
use ensafer_core::ids::DeviceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, BodyAnswers, MissingAnswers, PathAnswers, SessionAnswers};
use crate::db::accounts::Status;
use crate::db::devices::{self, Hashes, Rotation, SessionRow};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath, Authenticated};
use crate::state::AppState;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(list))
        .routes(routes!(revoke))
}

/// A new session's tokens, before they are handed out.
pub struct NewTokens {
    access: SecretHex<32>,
    refresh: SecretHex<32>,
    /// What is kept of them.
    pub hashes: Hashes,
}

impl NewTokens {
    /// Makes random tokens that begin to expire now.
    #[must_use]
    pub fn generate(state: &AppState) -> Self {
        let now_s = state.clock.now_s();
        let times = &state.config.sessions;
        let ((access, access_hash), (refresh, refresh_hash)) = (random_token(), random_token());
        let hashes = Hashes {
            access: access_hash,
            access_expires_at_s: now_s.saturating_add(times.access_s),
            refresh: refresh_hash,
            refresh_expires_at_s: now_s.saturating_add(times.refresh_s),
        };
        Self { access, refresh, hashes }
    }

    /// The answer that hands them out.
    #[must_use]
    pub fn session(self, state: &AppState, new_devices: Vec<DeviceReport>) -> Session {
        Session {
            access: self.access,
            access_expires_in_s: state.config.sessions.access_s,
            refresh: self.refresh,
            refresh_expires_in_s: state.config.sessions.refresh_s,
            new_devices,
        }
    }
}

fn random_token() -> (SecretHex<32>, [u8; 32]) {
    let bytes = SecretHex(SystemRandom.array());
    let hash = Token::new(&bytes.0).hash();
    (bytes, hash)
}

/// Buys new tokens. The one that is shown is spent, but passes again until one of the new ones was used: the answer may
/// have been lost. The counter keeps a copy of this request from passing.
#[utoipa::path(
    post, path = "/v1/session/refresh", tag = "sessions",
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens", body = Session), SessionAnswers, BodyAnswers, AnyAnswers)
)]
pub async fn refresh(
    State(state): State<AppState>,
    ApiJson(request): ApiJson<RefreshRequest>,
) -> Result<Json<Session>, ApiError> {
    let (account, device) = (request.account, request.device);
    let refused = || ApiError::from(ProblemKind::SessionRefused);
    let row = devices::session(state.db.reader(), account, device).await?.ok_or_else(refused)?;
    let shown = Token::new(&request.refresh.0);
    check_refresh(&row, &request, &shown, state.clock.now_s())?;
    let tokens = NewTokens::generate(&state);
    let mut tx = state.db.write().await?;
    let rotation = Rotation {
        account,
        device,
        counter: request.counter,
        shown: shown.hash(),
        hashes: &tokens.hashes,
        now_s: state.clock.now_s(),
    };
    let told_at_s = devices::rotate(&mut tx, &rotation).await?.ok_or_else(refused)?;
    let new_devices = devices::newer(&mut *tx, account, device, told_at_s).await?;
    tx.commit().await?;
    Ok(Json(tokens.session(&state, new_devices)))
}

/// Says no more than that to whoever has not both the token and the device's key.
fn check_refresh(
    row: &SessionRow,
    request: &RefreshRequest,
    shown: &Token,
    now_s: u64,
) -> Result<(), ApiError> {
    let refused = || ApiError::from(ProblemKind::SessionRefused);
    let hash = shown.hash();
    let is_current = proofs_match(&row.refresh[0], &hash);
    let is_previous = proofs_match(&row.refresh[1], &hash);
    let message = RefreshMessage {
        account: request.account,
        device: request.device,
        counter: request.counter,
        refresh: shown,
    };
    let key = VerifyingKey::new(row.public_key).map_err(|_| refused())?;
    message.verify(&key, &Signature::new(request.signature.0)).map_err(|_| refused())?;
    if !(is_current || is_previous) {
        return Err(refused());
    }
    match row.status {
        Status::Active => {}
        Status::Disabled => return Err(ProblemKind::AccountDisabled.into()),
        Status::Unconfirmed => return Err(refused()),
    }
    if row.is_revoked {
        return Err(ProblemKind::DeviceRevoked.into());
    }
    let is_fresh = request.counter > row.counter && i64::try_from(request.counter).is_ok();
    if is_fresh && row.refresh_expires_at_s > now_s { Ok(()) } else { Err(refused()) }
}

/// Ends this device's session.
#[utoipa::path(
    delete, path = "/v1/session", tag = "sessions", security(("session" = [])),
    responses((status = 204, description = "It is over"), SessionAnswers, AnyAnswers)
)]
pub async fn logout(State(state): State<AppState>, session: Authenticated) -> Result<StatusCode, ApiError> {
    let Authenticated { account, device } = session;
    end(&state, session, device).await?;
    tracing::info!(target: "audit", event = "logged-out", %account, %device);
    Ok(StatusCode::NO_CONTENT)
}

/// The account's devices that have a session.
#[utoipa::path(
    get, path = "/v1/devices", tag = "sessions", security(("session" = [])),
    responses((status = 200, description = "Them", body = Devices), SessionAnswers, AnyAnswers)
)]
pub async fn list(State(state): State<AppState>, session: Authenticated) -> Result<Json<Devices>, ApiError> {
    let devices = devices::list(state.db.reader(), session.account, session.device).await?;
    Ok(Json(Devices { devices }))
}

/// Ends the session of one of the account's devices.
#[utoipa::path(
    delete, path = "/v1/devices/{device}", tag = "sessions", security(("session" = [])),
    params(("device" = DeviceId, Path, description = "The device")),
    responses(
        (status = 204, description = "It is over"),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn revoke(
    State(state): State<AppState>,
    session: Authenticated,
    ApiPath(device): ApiPath<DeviceId>,
) -> Result<StatusCode, ApiError> {
    if !end(&state, session, device).await? {
        return Err(ProblemKind::DeviceUnknown.into());
    }
    let account = session.account;
    tracing::info!(target: "audit", event = "device-removed", %account, %device, by = %session.device);
    Ok(StatusCode::NO_CONTENT)
}

async fn end(state: &AppState, session: Authenticated, device: DeviceId) -> Result<bool, sqlx::Error> {
    let mut tx = state.db.write().await?;
    let ended = devices::revoke(&mut tx, session.account, device, state.clock.now_s()).await?;
    tx.commit().await?;
    Ok(ended)
}
