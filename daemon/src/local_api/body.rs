//! What requests carry.

use axum::RequestExt;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use ensafer_client::password::Password;
use ensafer_core::api::hex::SecretText;
use ensafer_core::api::local::RefusalClass;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::refusals::refuse;

/// A JSON document; an empty body is one without fields. The bytes are wiped: there may be a password in them.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        // No web page sends that to another site without asking first.
        if content_type.is_none_or(|value| !value.as_bytes().starts_with(b"application/json")) {
            let what = "the body's content-type is not application/json".to_owned();
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, RefusalClass::BadRequest, what));
        }
        let bytes = read(request).await.map_err(|_| too_long())?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            // What the error quotes of the body goes back to whoever sent it, and nowhere else.
            refuse(StatusCode::UNPROCESSABLE_ENTITY, RefusalClass::BadRequest, error.to_string())
        })
    }
}

/// A password and nothing else, as plain text. The bytes are wiped.
pub(super) struct PasswordBody(pub Password);

impl<S: Send + Sync> FromRequest<S> for PasswordBody {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let bytes = read(request).await.map_err(|_| too_long())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            let what = "the body is not text in UTF-8".to_owned();
            refuse(StatusCode::BAD_REQUEST, RefusalClass::BadRequest, what)
        })?;
        Ok(Self(Password::new(text.to_owned())))
    }
}

/// The body, in memory that is wiped. The buffers in which hyper received it are its own, and are not.
async fn read(request: Request) -> Result<Zeroizing<Vec<u8>>, axum::Error> {
    let mut frames = request.into_limited_body().into_data_stream();
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(frame) = frames.next().await {
        append(&mut bytes, &frame?);
    }
    Ok(bytes)
}

/// As `extend_from_slice`, but what is left behind where there is no room is wiped.
fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let length = bytes.len() + more.len();
    if bytes.capacity() < length {
        let mut larger = Zeroizing::new(Vec::<u8>::with_capacity(length.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

fn too_long() -> Response {
    let what = "the body is too long, or broke off".to_owned();
    refuse(StatusCode::PAYLOAD_TOO_LARGE, RefusalClass::BadRequest, what)
}

/// A secret of a document, for the acts.
pub(super) fn password(mut text: SecretText) -> Password {
    Password::new(std::mem::take(&mut text.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_is_put_together_without_growing_in_place() {
        let mut bytes = Zeroizing::new(Vec::new());
        append(&mut bytes, b"corr");
        let before = bytes.as_ptr();
        append(&mut bytes, b"");
        assert_eq!(bytes.as_ptr(), before);
        append(&mut bytes, b"ect horse");
        assert_eq!(bytes.as_slice(), b"correct horse");
        assert_eq!(bytes.capacity(), 16, "the vector never moved its bytes by itself");
    }
}
