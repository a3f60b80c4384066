//! What requests carry.

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ensafer_client::password::Password;
use ensafer_core::api::hex::SecretText;
use ensafer_core::api::local::RefusalClass;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;

use super::refusals::refuse;

/// A JSON document; an empty body is one without fields. The bytes are wiped: there may be a password in them.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        // No web page sends that to another site without asking first.
        if content_type.is_none_or(|value| !value.as_bytes().starts_with(b"application/json")) {
            let what = "the body's content-type is not application/json".to_owned();
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, RefusalClass::BadRequest, what));
        }
        let bytes = axum::body::Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| {
            refuse(
                error.into_response().status(),
                RefusalClass::BadRequest,
                "the body is too long".to_owned(),
            )
        })?;
        let parsed: Result<T, _> =
            if bytes.is_empty() { serde_json::from_str("{}") } else { serde_json::from_slice(&bytes) };
        if let Ok(mut bytes) = bytes.try_into_mut() {
            bytes.as_mut().zeroize();
        }
        parsed.map(Self).map_err(|error| {
            // What the error quotes of the body goes back to whoever sent it, and nowhere else.
            refuse(StatusCode::UNPROCESSABLE_ENTITY, RefusalClass::BadRequest, error.to_string())
        })
    }
}

/// A secret of a document, for the acts.
pub(super) fn password(mut text: SecretText) -> Password {
    Password::new(std::mem::take(&mut text.0))
}
