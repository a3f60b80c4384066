//! What a request from a browser must have, and what its answer gets.
//!
//! Any program of any user, and any web page, can send requests to a port of this computer. So each request is looked
//! at twice: whether it was made by our own page ([`check`]), and whether that page was let in ([`admit`]).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use ensafer_core::api::local::RefusalClass;
use futures_util::StreamExt;

use super::{Browser, COOKIE_PREFIX, Presence};
use crate::local_api::page;
use crate::local_api::refusals::refuse;

/// The page's half of the proof that it was let in.
pub(super) const KEY_HEADER: &str = "x-ensafer-key";

/// What a page may ask for: everything else is for programs at the socket. Methods and paths as the router has them.
pub(super) const ALLOWED: [(Method, &str); 56] = [
    (Method::GET, "/v1/status"),
    (Method::GET, "/v1/events"),
    (Method::GET, "/v1/problems"),
    (Method::GET, "/v1/conflicts"),
    (Method::POST, "/v1/conflicts/resolve"),
    (Method::GET, "/v1/trash"),
    (Method::POST, "/v1/trash/restore"),
    (Method::GET, "/v1/activity"),
    (Method::POST, "/v1/start"),
    (Method::POST, "/v1/stop"),
    (Method::POST, "/v1/pause"),
    (Method::POST, "/v1/resume"),
    (Method::POST, "/v1/unlock"),
    (Method::POST, "/v1/lock"),
    (Method::GET, "/v1/account"),
    (Method::POST, "/v1/account/register"),
    (Method::POST, "/v1/account/publish"),
    (Method::POST, "/v1/account/login"),
    (Method::POST, "/v1/account/confirm"),
    (Method::POST, "/v1/account/logout"),
    (Method::POST, "/v1/account/recover"),
    (Method::POST, "/v1/account/recovery-key"),
    (Method::POST, "/v1/account/recovery-key/new"),
    (Method::POST, "/v1/account/recovery-key/written"),
    (Method::GET, "/v1/account/file"),
    (Method::POST, "/v1/account/import"),
    (Method::POST, "/v1/account/password"),
    (Method::POST, "/v1/account/email"),
    (Method::GET, "/v1/account/profile"),
    (Method::POST, "/v1/account/profile"),
    (Method::GET, "/v1/account/devices"),
    (Method::POST, "/v1/account/devices/revoke"),
    (Method::GET, "/v1/folders"),
    (Method::POST, "/v1/folders/preview"),
    (Method::POST, "/v1/folders/add"),
    (Method::POST, "/v1/folders/remove"),
    (Method::POST, "/v1/folders/open"),
    (Method::GET, "/v1/directories"),
    (Method::GET, "/v1/clouds"),
    (Method::GET, "/v1/people"),
    (Method::POST, "/v1/people/find"),
    (Method::POST, "/v1/people/verify"),
    (Method::POST, "/v1/people/add"),
    (Method::POST, "/v1/people/role"),
    (Method::POST, "/v1/people/remove"),
    (Method::POST, "/v1/people/leave"),
    (Method::GET, "/v1/invitations"),
    (Method::POST, "/v1/invitations/add"),
    (Method::POST, "/v1/invitations/resend"),
    (Method::POST, "/v1/invitations/revoke"),
    (Method::POST, "/v1/invitations/look"),
    (Method::POST, "/v1/invitations/accept"),
    (Method::GET, "/v1/settings"),
    (Method::POST, "/v1/settings"),
    (Method::GET, "/v1/autostart"),
    (Method::POST, "/v1/autostart"),
];

/// Lets through what our own page can have sent, to this very address, and closes every answer to other pages.
pub(super) async fn check(State(authority): State<Arc<str>>, request: Request, next: Next) -> Response {
    let mut response = if is_from_own_page(&request, &authority) {
        next.run(request).await
    } else {
        refused(StatusCode::FORBIDDEN, "this request was not made by Ensafer's own page")
    };
    page::add_headers(response.headers_mut());
    response
}

/// `Host` stands against names that somebody lets point to this computer (DNS rebinding), `Origin` and `Sec-Fetch-Site`
/// (Fetch Metadata) against requests that another page makes.
fn is_from_own_page(request: &Request, authority: &str) -> bool {
    let headers = request.headers();
    let uri_fits = request.uri().authority().is_none_or(|given| given.as_str() == authority);
    if !uri_fits || only(headers, &HOST) != Some(authority) {
        return false;
    }
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin_fits = match headers.get(ORIGIN) {
        // Browsers name it with everything but plain reading.
        None => is_reading,
        Some(_) => {
            only(headers, &ORIGIN).and_then(|origin| origin.strip_prefix("http://")) == Some(authority)
        }
    };
    origin_fits && site_fits(request)
}

/// The page itself may be come to from anywhere: from the file that `ensafer open` makes, and from an address that
/// somebody types. Nothing else may.
fn site_fits(request: &Request) -> bool {
    let named = |name: &'static str| request.headers().get(name).map(HeaderValue::as_bytes);
    match named("sec-fetch-site") {
        None | Some(b"same-origin") => true,
        Some(_) => {
            let is_page = request.method() == Method::GET && request.uri().path() == "/";
            is_page && named("sec-fetch-dest") == Some(b"document")
        }
    }
}

/// Lets through what a page may ask for that was let in. The visit lasts until the answer is sent.
pub(super) async fn admit(State(browser): State<Arc<Browser>>, request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) else {
        return refused(StatusCode::NOT_FOUND, "no such request");
    };
    if page::is_path(path) {
        return next.run(request).await;
    }
    if !ALLOWED.iter().any(|(method, allowed)| method == request.method() && *allowed == path) {
        return refused(StatusCode::FORBIDDEN, "this is not for browsers");
    }
    let headers = request.headers();
    let key = headers.get(KEY_HEADER).and_then(|key| key.to_str().ok()).unwrap_or_default();
    let Some(presence) = browser.enter(key, cookies(headers).map(|(_, value)| value)) else {
        return super::not_let_in(StatusCode::UNAUTHORIZED);
    };
    next.run(request).await.map(|body| while_present(body, presence))
}

/// Our cookies, names and values: of this visit, and of others in the same browser.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| name.starts_with(COOKIE_PREFIX))
}

/// The body, which keeps `presence` until it was sent, or broken off.
fn while_present(body: Body, presence: Presence) -> Body {
    Body::from_stream(body.into_data_stream().map(move |data| {
        let _ = &presence;
        data
    }))
}

/// The header's text, if it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).into_iter();
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok() }
}

fn refused(status: StatusCode, what: &str) -> Response {
    refuse(status, RefusalClass::NotAllowed, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each path in the page's scripts, as in `"/v1/people"` or in a template before its `?`.
    #[test]
    fn what_the_page_asks_for_is_what_it_may_ask_for() {
        let scripts = concat!(include_str!("../../../ui/actions.js"), include_str!("../../../ui/api.js"));
        let asked: Vec<String> = scripts
            .split("/v1/")
            .skip(1)
            .map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || "/-".contains(c))).next().unwrap())
            .map(|path| format!("/v1/{path}"))
            .collect();
        let is_asked = |path: &str| asked.iter().any(|asked| asked == path);
        for path in &asked {
            assert!(ALLOWED.iter().any(|(_, allowed)| allowed == path), "{path}");
        }
        for (_, path) in ALLOWED {
            // A browser's user may look at this one by hand.
            assert!(is_asked(path) || path == "/v1/status", "{path}");
        }
    }
}
