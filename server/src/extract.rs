//! What handlers take from a request, with every refusal a problem.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::Token;
use ensafer_core::ids::{AccountId, DeviceId};
use serde::de::DeserializeOwned;

use crate::db::accounts::Status;
use crate::db::devices;
use crate::error::ApiError;
use crate::state::AppState;

/// Largest body of a request that carries no account's state and makes no account, in bytes: the keys in hex, and room for the rest.
pub const SMALL_BODY_BYTES: usize = 128 * 1024;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A body of JSON of at most `MAX` bytes, which comes within the time that a request may take: the handler runs on after
/// its client was told that it took too long, and must not wait for more.
#[derive(Debug)]
pub struct ApiJson<T, const MAX: usize = SMALL_BODY_BYTES>(pub T);

impl<T: DeserializeOwned, const MAX: usize> FromRequest<AppState> for ApiJson<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, state: &AppState) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ProblemKind::ContentTypeRefused.into());
        }
        DefaultBodyLimit::max(MAX).apply(&mut request);
        let bound = Duration::from_secs(state.config.limits.request_timeout_s);
        let body = tokio::time::timeout(bound, Bytes::from_request(request, state)).await;
        let body = body.map_err(|_| ProblemKind::RequestTimeout)?.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ApiError::from(ProblemKind::BodyTooLarge)
            }
            _ => ProblemKind::BodyMalformed.into(),
        })?;
        // The parser's own words may repeat what they are about, which may be secret.
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            ApiError::with_detail(ProblemKind::BodyMalformed, place)
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(text)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameters = parameters.trim();
    essence.trim().eq_ignore_ascii_case("application/json")
        && (parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
}

/// A parameter in the path.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::from(ProblemKind::RequestMalformed))?;
        Ok(Self(value))
    }
}

/// The parameters in the query.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::from(ProblemKind::RequestMalformed))?;
        Ok(Self(value))
    }
}

/// Whoever has a session: an `Authorization: Bearer` header with an access token that did not expire (RFC 6750
/// section 2.1).
#[derive(Debug, Clone, Copy)]
pub struct Authenticated {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
}

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let refused = || ApiError::from(ProblemKind::SessionRefused);
        let token = bearer_token(&parts.headers).ok_or_else(refused)?;
        let bearer = devices::bearer(state.db.reader(), &token.hash()).await?.ok_or_else(refused)?;
        match bearer.status {
            Status::Active => {}
            Status::Disabled => return Err(ProblemKind::AccountDisabled.into()),
            Status::Unconfirmed => return Err(refused()),
        }
        if bearer.is_revoked {
            return Err(ProblemKind::DeviceRevoked.into());
        }
        if bearer.expires_at_s <= state.clock.now_s() {
            return Err(refused());
        }
        Ok(Self { account: bearer.account, device: bearer.device })
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<Token> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { token.parse().ok() } else { None }
}

/// Where a request comes from, as far as it can be believed: the peer, or what a proxy that is trusted says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let trusted = |address: IpAddr| {
            state.config.limits.trusted_proxies.iter().any(|network| network.contains(&address))
        };
        Ok(Self(client_address(peer_address(parts), &parts.headers, trusted)))
    }
}

impl ClientAddress {
    /// What failures are counted by: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
    #[must_use]
    pub fn bucket(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

fn peer_address(parts: &Parts) -> IpAddr {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let peer = connected.or_else(|| parts.extensions.get::<SocketAddr>().copied());
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}

/// The rightmost hop that no trusted proxy is: everything to the left of it may be made up.
fn client_address(peer: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer;
    let lines = headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>();
    for line in lines.into_iter().rev() {
        for hop in line.to_str().unwrap_or_default().rsplit(',') {
            if !is_trusted(address) {
                return address;
            }
            let Some(next) = parse_hop(hop.trim()) else { return address };
            address = next;
        }
    }
    address
}

/// An address, with or without a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address =
        hop.parse::<IpAddr>().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: IpAddr = "10.0.0.1".parse().unwrap();
        client_address(peer.parse().unwrap(), &headers, |address| address == trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(address_of("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(address_of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address_of("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(address_of("10.0.0.1", &["203.0.113.9", "198.51.100.7, 10.0.0.1"]), "198.51.100.7");
        assert_eq!(address_of("10.0.0.1", &["203.0.113.9, rubbish"]), "10.0.0.1");
        assert_eq!(address_of("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(address_of("10.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn one_customer_of_ipv6_is_one_bucket() {
        let bucket = |text: &str| ClientAddress(text.parse().unwrap()).bucket();
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_eq!(bucket("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn only_json_is_json() {
        let is = |text: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())]));
        assert!(is("application/json") && is("Application/JSON; charset=UTF-8"));
        assert!(!is("text/json") && !is("application/json; charset=latin1") && !is("application/jsonx"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
