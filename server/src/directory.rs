//! Finding people: public bundles by login.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::{Extension, Json};
use ensafer_core::api::server::{BundleDocument, KeyHistory, Problem, ProblemKind, UserReport};
use ensafer_core::ids::AccountId;
use governor::Quota;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{AnyAnswers, MissingAnswers, PathAnswers, SessionAnswers};
use crate::db::accounts;
use crate::error::ApiError;
use crate::extract::{ApiPath, ApiQuery, Authenticated};
use crate::rates::{Rates, at_least_one};
use crate::state::AppState;
use crate::validate;

/// The routes of this module.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(user)).routes(routes!(history)).layer(Extension(Lookups::default()))
}

/// Counts look-ups by account: it slows down who would read the whole directory.
#[derive(Clone, Default)]
pub struct Lookups(Arc<OnceLock<Rates<AccountId>>>);

impl Lookups {
    pub(crate) fn count(&self, state: &AppState, account: AccountId) -> Result<(), ApiError> {
        let limit = state.config.limits.lookups_per_account_per_minute;
        let rates = self.0.get_or_init(|| Rates::new(Quota::per_minute(at_least_one(limit))));
        rates.count(&account).map_err(|wait| {
            ApiError::retry_after(ProblemKind::TooManyRequests, wait.as_secs().saturating_add(1))
        })
    }
}

/// Somebody's public keys.
#[utoipa::path(
    get, path = "/v1/users/{login}", tag = "directory", security(("session" = [])),
    params(("login" = String, Path, description = "Any spelling of the login")),
    responses(
        (status = 200, description = "Them", body = UserReport),
        (status = 422, description = "The login is malformed",
            body = Problem, content_type = "application/problem+json"),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn user(
    State(state): State<AppState>,
    Extension(lookups): Extension<Lookups>,
    session: Authenticated,
    ApiPath(login): ApiPath<String>,
) -> Result<Json<UserReport>, ApiError> {
    let (_, bundle, display_name) = look_up(&state, &lookups, session, &login).await?;
    Ok(Json(UserReport { bundle, display_name }))
}

/// Most bundles in one answer.
const MAX_BUNDLES: u32 = 100;

/// Where a history goes on.
#[derive(Debug, Deserialize)]
pub struct HistoryQuery {
    /// The sequence of the last bundle that is known; 0 for none.
    #[serde(default)]
    after: u64,
}

/// The bundles that somebody published, from where the asker knows them: 100 at most, the rest with the next request.
#[utoipa::path(
    get, path = "/v1/users/{login}/history", tag = "directory", security(("session" = [])),
    params(
        ("login" = String, Path, description = "Any spelling of the login"),
        ("after" = Option<u64>, Query, description = "Sequence of the last bundle that is known"),
    ),
    responses(
        (status = 200, description = "Them", body = KeyHistory),
        (status = 422, description = "The login is malformed",
            body = Problem, content_type = "application/problem+json"),
        SessionAnswers, MissingAnswers, PathAnswers, AnyAnswers,
    )
)]
pub async fn history(
    State(state): State<AppState>,
    Extension(lookups): Extension<Lookups>,
    session: Authenticated,
    ApiPath(login): ApiPath<String>,
    ApiQuery(query): ApiQuery<HistoryQuery>,
) -> Result<Json<KeyHistory>, ApiError> {
    let (account, ..) = look_up(&state, &lookups, session, &login).await?;
    let bundles = accounts::history(state.db.reader(), account, query.after, MAX_BUNDLES).await?;
    Ok(Json(KeyHistory { bundles }))
}

/// Counts the look-up, and finds whoever published keys under that login.
async fn look_up(
    state: &AppState,
    lookups: &Lookups,
    session: Authenticated,
    login: &str,
) -> Result<(AccountId, BundleDocument, Option<String>), ApiError> {
    let login = validate::login(login)?;
    lookups.count(state, session.account)?;
    let found = accounts::published(state.db.reader(), &login).await?;
    Ok(found.ok_or(ProblemKind::UserUnknown)?)
}
