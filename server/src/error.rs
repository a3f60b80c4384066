//! What handlers fail with, and how that is answered: RFC 9457 problems.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ensafer_core::api::server::ProblemKind;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The client is told what is wrong.
    #[error("{}", .kind.title())]
    Problem {
        /// The kind.
        kind: ProblemKind,
        /// More about this time. Never anything secret, nor what a stranger must not learn.
        detail: Option<String>,
        /// After how many seconds the same may pass.
        retry_after_s: Option<u64>,
        /// The version that is there.
        current_version: Option<u64>,
    },
    /// The database failed: see [`ApiError::kind`] for what the client learns.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Something that cannot be happened all the same: our bug.
    #[error("{0}")]
    Bug(&'static str),
}

impl From<ProblemKind> for ApiError {
    fn from(kind: ProblemKind) -> Self {
        Self::Problem { kind, detail: None, retry_after_s: None, current_version: None }
    }
}

impl ApiError {
    /// A problem that says more.
    #[must_use]
    pub fn with_detail(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Problem { kind, detail: Some(detail.into()), retry_after_s: None, current_version: None }
    }

    /// A problem that time solves.
    #[must_use]
    pub fn retry_after(kind: ProblemKind, seconds: u64) -> Self {
        Self::Problem { kind, detail: None, retry_after_s: Some(seconds), current_version: None }
    }

    /// Another version is there.
    #[must_use]
    pub fn conflict(current_version: u64) -> Self {
        let kind = ProblemKind::VersionConflict;
        Self::Problem { kind, detail: None, retry_after_s: None, current_version: Some(current_version) }
    }

    /// The kind that is answered.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        match self {
            Self::Problem { kind, .. } => *kind,
            Self::Database(error) => database_kind(error),
            Self::Bug(_) => ProblemKind::Internal,
        }
    }
}

/// A value that cannot be read is our bug or a damaged database, and stays so however often it is asked for. Every foreign
/// key is an account's: where one is missing, the account was deleted since the request's session was looked at. Whatever
/// else fails may pass again.
fn database_kind(error: &sqlx::Error) -> ProblemKind {
    use sqlx::Error;
    match error {
        Error::Decode(_)
        | Error::ColumnDecode { .. }
        | Error::ColumnNotFound(_)
        | Error::TypeNotFound { .. } => ProblemKind::Internal,
        Error::Database(error) if error.is_foreign_key_violation() => ProblemKind::SessionRefused,
        _ => ProblemKind::Unavailable,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = self.kind();
        match (&self, kind) {
            (Self::Problem { .. }, _) | (Self::Database(_), ProblemKind::SessionRefused) => {}
            (Self::Database(error), ProblemKind::Internal) => {
                tracing::error!(error = error as &dyn std::error::Error, "bug or damaged database");
            }
            (Self::Database(error), _) => {
                tracing::warn!(error = error as &dyn std::error::Error, "database");
            }
            (Self::Bug(what), _) => tracing::error!(what, "bug"),
        }
        let mut problem = kind.problem();
        if let Self::Problem { detail, retry_after_s, current_version, .. } = self {
            problem.detail = detail;
            problem.retry_after_s = retry_after_s;
            problem.current_version = current_version;
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after_s;
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // What would be let in (RFC 9110 section 11.6.1). A login's own refusals ask for nothing that a header could carry.
        if matches!(kind, ProblemKind::SessionRefused | ProblemKind::DeviceRevoked) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
