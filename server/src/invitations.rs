//! Invitations of people who have no account yet (`docs/protocol.md`, "Invitations"). The server keeps what it cannot open,
//! lets one guest accept it, and mails links, which say nothing that an inviter wrote.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use ensafer_core::account::{INVITATION_LIFETIME_S, InvitationLink, SignedBundle};
use ensafer_core::api::server::{
    AcceptanceRequest, BundleDocument, InvitationMail, InvitationRecordReport, InvitationRequest,
    Invitations, ProblemKind,
};
use ensafer_core::crypto::{ClaimKey, Login};
use ensafer_core::ids::InvitationId;
use governor::Quota;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::answers::{AnyAnswers, BodyAnswers, ConflictAnswers, MissingAnswers, PathAnswers, SessionAnswers};
use crate::db::accounts;
use crate::db::invitations::{self, Acceptance, Accepted, Inserted};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath, Authenticated, ClientAddress};
use crate::limits::{self, Failures, Shared};
use crate::mail::{Mail, Mailer};
use crate::rates::{Rates, at_least_one};
use crate::state::AppState;
use crate::validate;

/// How far clocks may be apart, in seconds.
const CLOCK_MARGIN_S: u64 = 3600;
/// What a browser shows of any invitation.
const PAGE: &str = include_str!("../templates/invite-page.html");

/// The routes of this module that are documented.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(read, revoke))
        .routes(routes!(accept))
        .routes(routes!(mail))
        .layer(Extension(Lookups::default()))
}

/// The page that a link leads to in a browser: the same for every invitation, and for none. What stands behind the link's
/// `#` stays in the browser, and the page runs and loads nothing.
pub fn page() -> Router<AppState> {
    let page = || async { ([(CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response() };
    Router::new().route("/invite/{id}", get(page))
}

/// Counts look-ups by address.
#[derive(Clone, Default)]
pub struct Lookups(Arc<OnceLock<Rates<String>>>);

impl Lookups {
    fn count(&self, state: &AppState, address: ClientAddress) -> Result<(), ApiError> {
        let limit = state.config.limits.lookups_per_account_per_minute;
        let rates = self.0.get_or_init(|| Rates::new(Quota::per_minute(at_least_one(limit))));
        rates.count(&address.bucket()).map_err(|wait| {
            ApiError::retry_after(ProblemKind::TooManyRequests, wait.as_secs().saturating_add(1))
        })
    }
}

/// Makes an invitation, and has its link mailed where the inviter asks for that: both, or neither.
#[utoipa::path(
    post, path = "/v1/invitations", tag = "invitations", security(("session" = [])),
    request_body = InvitationRequest,
    responses(
        (status = 201, description = "It was made"),
        SessionAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn create(
    State(state): State<AppState>,
    session: Authenticated,
    ApiJson(request): ApiJson<InvitationRequest>,
) -> Result<StatusCode, ApiError> {
    let now_s = state.clock.now_s();
    validate::invitation_record(&request.record.0)?;
    let latest = now_s.saturating_add(INVITATION_LIFETIME_S + CLOCK_MARGIN_S);
    if !(now_s + 1..=latest).contains(&request.expires_at_s) {
        let detail = "an invitation ends within 7 days";
        return Err(ApiError::with_detail(ProblemKind::ValueRefused, detail));
    }
    let sending = match &request.mail {
        Some(mail) => Some(Sending::prepare(&state, session, request.id, mail).await?),
        None => None,
    };
    let mut tx = state.db.write().await?;
    accounts::lock(&state.db, &mut tx, session.account).await?;
    let most = state.config.limits.invitations;
    match invitations::insert(&mut tx, session.account, &request, now_s, most).await? {
        Inserted::Kept => tx.commit().await?,
        Inserted::Full => return Err(ProblemKind::InvitationsFull.into()),
        Inserted::Taken => {
            return Err(ApiError::with_detail(ProblemKind::ValueRefused, "the id is taken"));
        }
    }
    audit(&state, session, request.id, "made");
    if let Some(sending) = sending
        && let Err(error) = sending.send(&state, session, request.id, request.expires_at_s).await
    {
        remove(&state, session, request.id).await?;
        return Err(error);
    }
    Ok(StatusCode::CREATED)
}

/// The account's open invitations, with who accepted them.
#[utoipa::path(
    get, path = "/v1/invitations", tag = "invitations", security(("session" = [])),
    responses((status = 200, description = "Them", body = Invitations), SessionAnswers, AnyAnswers)
)]
pub async fn list(
    State(state): State<AppState>,
    session: Authenticated,
) -> Result<Json<Invitations>, ApiError> {
    let found = invitations::export(state.db.reader(), session.account, state.clock.now_s()).await?;
    Ok(Json(Invitations { invitations: found.into_iter().map(|found| found.invitation).collect() }))
}

/// What an invitation's guest reads, sealed. Unknown, ended and revoked ones look alike.
#[utoipa::path(
    get, path = "/v1/invitations/{id}", tag = "invitations",
    params(("id" = InvitationId, Path, description = "The invitation's id")),
    responses(
        (status = 200, description = "It", body = InvitationRecordReport),
        MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn read(
    State(state): State<AppState>,
    Extension(lookups): Extension<Lookups>,
    address: ClientAddress,
    ApiPath(id): ApiPath<InvitationId>,
) -> Result<Json<InvitationRecordReport>, ApiError> {
    lookups.count(&state, address)?;
    let found = invitations::record(state.db.reader(), id, state.clock.now_s()).await?;
    found.map(Json).ok_or_else(|| ProblemKind::InvitationUnknown.into())
}

/// Revokes an invitation of the account's own, or removes one that was completed.
#[utoipa::path(
    delete, path = "/v1/invitations/{id}", tag = "invitations", security(("session" = [])),
    params(("id" = InvitationId, Path, description = "The invitation's id")),
    responses(
        (status = 204, description = "It is gone"),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn revoke(
    State(state): State<AppState>,
    session: Authenticated,
    ApiPath(id): ApiPath<InvitationId>,
) -> Result<StatusCode, ApiError> {
    if !remove(&state, session, id).await? {
        return Err(ProblemKind::InvitationUnknown.into());
    }
    audit(&state, session, id, "removed");
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(state: &AppState, session: Authenticated, id: InvitationId) -> Result<bool, ApiError> {
    let mut tx = state.db.write().await?;
    accounts::lock(&state.db, &mut tx, session.account).await?;
    let removed = invitations::delete(&mut tx, session.account, id, state.clock.now_s()).await?;
    tx.commit().await?;
    Ok(removed)
}

/// Accepts an invitation for the session's account: the first guest who shows what needs both secrets. The same again is
/// answered as the first time.
#[utoipa::path(
    post, path = "/v1/invitations/{id}/acceptance", tag = "invitations", security(("session" = [])),
    params(("id" = InvitationId, Path, description = "The invitation's id")),
    request_body = AcceptanceRequest,
    responses(
        (status = 204, description = "It is accepted"),
        SessionAnswers, MissingAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn accept(
    State(state): State<AppState>,
    from: ClientAddress,
    session: Authenticated,
    ApiPath(id): ApiPath<InvitationId>,
    ApiJson(request): ApiJson<AcceptanceRequest>,
) -> Result<StatusCode, ApiError> {
    check_bundle(&state, session, &request.bundle).await?;
    let shared = Shared::of(&state, from);
    let mut light = state.db.lightly().await?;
    let failures = Failures::begin_claim(&state, &mut light, shared, id, session.account).await?;
    drop(light);
    let acceptance = Acceptance {
        invitation: id,
        guest: session.account,
        claim_hash: ClaimKey::hash_of(&request.claim.0),
        bundle: &request.bundle,
        proof: request.proof.0,
        now_s: state.clock.now_s(),
    };
    let mut tx = state.db.write().await?;
    accounts::lock(&state.db, &mut tx, session.account).await?;
    let accepted = invitations::accept(&mut tx, &acceptance).await?;
    if accepted == Accepted::Unknown {
        drop(tx);
        failures.confirm(&state, &mut *state.db.lightly().await?).await?;
        audit(&state, session, id, "refused");
        return Err(ProblemKind::InvitationUnknown.into());
    }
    failures.forgive(&mut tx).await?;
    tx.commit().await?;
    match accepted {
        Accepted::ByAnother => return Err(ProblemKind::InvitationAccepted.into()),
        Accepted::Now => audit(&state, session, id, "accepted"),
        Accepted::Before | Accepted::Unknown => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the session's own newest bundle, and no other.
async fn check_bundle(
    state: &AppState,
    session: Authenticated,
    shown: &BundleDocument,
) -> Result<SignedBundle, ApiError> {
    let bundle = validate::bundle(shown)?;
    let stored = accounts::stored(state.db.reader(), session.account).await?;
    let own = stored.ok_or(ProblemKind::SessionRefused)?.document.bundle;
    if own.bundle == shown.bundle && own.signature == shown.signature {
        return Ok(bundle);
    }
    Err(ApiError::with_detail(ProblemKind::BlobRefused, "the bundle is not the account's newest"))
}

/// Mails the link of an invitation once more.
#[utoipa::path(
    post, path = "/v1/invitations/{id}/mail", tag = "invitations", security(("session" = [])),
    params(("id" = InvitationId, Path, description = "The invitation's id")),
    request_body = InvitationMail,
    responses(
        (status = 204, description = "It was mailed"),
        SessionAnswers, MissingAnswers, ConflictAnswers, BodyAnswers, AnyAnswers,
    )
)]
pub async fn mail(
    State(state): State<AppState>,
    session: Authenticated,
    ApiPath(id): ApiPath<InvitationId>,
    ApiJson(request): ApiJson<InvitationMail>,
) -> Result<StatusCode, ApiError> {
    let now_s = state.clock.now_s();
    let found = invitations::expiry(state.db.reader(), session.account, id, now_s).await?;
    let expires_at_s = found.ok_or(ProblemKind::InvitationUnknown)?;
    let sending = Sending::prepare(&state, session, id, &request).await?;
    sending.send(&state, session, id, expires_at_s).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A mail with a link, all of whose words are the server's own.
struct Sending {
    to: Login,
    inviter: Login,
    link: Zeroizing<String>,
}

impl Sending {
    /// Checks what is to be mailed and counts it. The link is written anew from what it was found to be: this server's
    /// address, this invitation, and a secret of digits.
    async fn prepare(
        state: &AppState,
        session: Authenticated,
        id: InvitationId,
        mail: &InvitationMail,
    ) -> Result<Self, ApiError> {
        mailer(state)?;
        let off = |detail| ApiError::with_detail(ProblemKind::MailOff, detail);
        let own = state.config.public_url.as_deref();
        let own = own.ok_or_else(|| off("its administrator has not set public_url"))?;
        let to = validate::login(&mail.to)?;
        validate::mail_address(&to)?;
        let stored = accounts::stored(state.db.reader(), session.account).await?;
        let inviter = stored.ok_or(ProblemKind::SessionRefused)?.login;
        if !validate::is_plain_address(&inviter) {
            return Err(off("the inviter's login is not an e-mail address"));
        }
        let refused = |detail: String| ApiError::with_detail(ProblemKind::ValueRefused, detail);
        let link: InvitationLink = mail.link.0.parse().map_err(|_| refused("this is no link".to_owned()))?;
        if link.origin != own || link.id != id {
            return Err(refused(format!("the link must begin with {own}/invite/{id}#")));
        }
        limits::count_invitation_mail(state, session.account, &to).await?;
        Ok(Self { to, inviter, link: link.to_text() })
    }

    async fn send(
        &self,
        state: &AppState,
        session: Authenticated,
        id: InvitationId,
        expires_at_s: u64,
    ) -> Result<(), ApiError> {
        let mail = Mail::Invitation { inviter: &self.inviter, link: &self.link, expires_at_s };
        let sent = mailer(state)?.send(&self.to, mail).await;
        state.metrics.mail(if sent.is_ok() { "sent" } else { "failed" });
        sent.map_err(|_| ApiError::from(ProblemKind::MailFailed))?;
        audit(state, session, id, "mailed");
        Ok(())
    }
}

fn mailer(state: &AppState) -> Result<&Mailer, ApiError> {
    state.mailer.as_ref().ok_or_else(|| ProblemKind::MailOff.into())
}

fn audit(state: &AppState, session: Authenticated, id: InvitationId, outcome: &'static str) {
    let Authenticated { account, device } = session;
    state.metrics.invitation(outcome);
    tracing::info!(target: "audit", event = "invitation", outcome, invitation = %id, %account, %device);
}
