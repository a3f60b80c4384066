//! All routes, and what every request passes through on its way to them.

mod guard;
mod observe;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::{Router, middleware};
use ensafer_core::api::server::{MAX_BODY_BYTES, Problem, ProblemKind};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::error::ApiError;
use crate::state::AppState;
use crate::{account, directory, groups, health, invitations, login, registration, sessions};

pub use guard::Guard;

/// What stands above the routes in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(components(schemas(Problem)), modifiers(&Shared), info(
    title = "Ensafer key server",
    description = "Public keys and sealed private keys, and nothing that opens them. `docs/protocol.md` says what they \
                   mean. All bytes are lower-case hex, all times seconds since 1970; errors are RFC 9457 problems."
))]
struct Document;

/// Adds what all routes share.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::Http(bearer));
    }
}

/// The documented routes, without what every request passes through.
fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(registration::routes())
        .merge(login::routes())
        .merge(sessions::routes())
        .merge(account::routes())
        .merge(directory::routes())
        .merge(invitations::routes())
        .merge(groups::routes())
}

/// The OpenAPI document, as it is checked in and served.
///
/// # Panics
/// Never: the document has text keys only.
#[must_use]
pub fn document() -> String {
    let document = api().into_openapi();
    document.to_pretty_json().expect("a document with text keys is JSON") + "\n"
}

/// The whole service.
pub fn router(state: AppState, guard: Arc<Guard>) -> Router {
    let served = Bytes::from(document());
    let (routes, _) = api().split_for_parts();
    let openapi = get(move || std::future::ready(([(CONTENT_TYPE, "application/json")], served.clone())));
    let per_address = {
        let guard = Arc::clone(&guard);
        move |client, request, next| guard::address(Arc::clone(&guard), client, request, next)
    };
    let routes = routes.route("/v1/openapi.json", openapi).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    guard::bound(routes, &guard)
        .merge(health::routes())
        .merge(invitations::page())
        .fallback(|| async { ApiError::from(ProblemKind::NotFound) })
        .method_not_allowed_fallback(|| async { ApiError::from(ProblemKind::MethodRefused) })
        .layer(middleware::from_fn_with_state(state.clone(), per_address))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(middleware::from_fn_with_state(guard, guard::headers))
        .layer(middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}
