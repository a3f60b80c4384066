//! The key server, seen from here: one method for each of its doors (`docs/protocol.md`).
//!
//! Calls block: they belong on threads that nobody waits for. Nothing that a server says is trusted here beyond its
//! form; whoever calls verifies it.

mod error;
mod origin;

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use ensafer_core::api::server::{
    AcceptanceRequest, AccountExport, AccountReport, AddressRequest, Availability, AvailabilityRequest,
    ConfirmRequest, DeleteRequest, Devices, GroupReport, GroupRequest, Groups, InvitationMail,
    InvitationRecordReport, InvitationRequest, Invitations, KeysRequest, LoginChallenge, LoginFinishRequest,
    LoginStartRequest, LoginStarted, LoginVerifyRequest, PasswordRequest, Problem, ProfileRequest,
    RecoveryRequest, RefreshRequest, RegisterRequest, Registered, ServerInfo, Session, StateDocument,
    UserReport,
};
use ensafer_core::crypto::{Login, Token};
use ensafer_core::ids::{DeviceId, GroupId, InvitationId};
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use error::ServerError;
pub use origin::{Origin, OriginError};

use crate::authorities;
use crate::config::Config;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read: an account's state and 256 invitations in hex, and room for the rest.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Answers and requests with tokens or proofs fit in, so that no reallocation leaves a copy of them behind.
const USUAL_BODY_BYTES: usize = 64 * 1024;

/// A key server.
#[derive(Debug, Clone)]
pub struct KeyServer {
    origin: Origin,
    http: Client,
}

/// No body.
const NOTHING: Option<&()> = None;

impl KeyServer {
    /// Prepares to talk to the server at `origin`; nothing is sent yet.
    ///
    /// # Errors
    /// [`ServerError::Proxy`], [`ServerError::Config`].
    pub fn new(origin: Origin, config: &Config) -> Result<Self, ServerError> {
        let mut builder = Client::builder()
            .user_agent(concat!("ensafer/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .tls_certs_merge(authorities::read(config)?)
            // A server must not send what is meant for it elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!origin.is_loopback());
        let proxy_error = |e: reqwest::Error| ServerError::Proxy { reason: e.to_string() };
        if origin.is_loopback() || config.proxy == "none" {
            builder = builder.no_proxy();
        } else if !config.proxy.is_empty() {
            builder = builder.proxy(reqwest::Proxy::all(&config.proxy).map_err(proxy_error)?);
        }
        let http = builder.build().map_err(|e| ServerError::NoConnections { reason: error::reason(&e) })?;
        Ok(Self { origin, http })
    }

    /// Where it is.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<&impl Serialize>,
    ) -> Result<A, ServerError> {
        let response = self.send(method, path, token, body)?;
        let bytes = self.read(response)?;
        serde_json::from_slice(&bytes).map_err(|e| self.not_a_key_server(&format!("{}: {e}", door(path))))
    }

    /// For doors that answer nothing.
    fn tell(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<&impl Serialize>,
    ) -> Result<(), ServerError> {
        self.send(method, path, token, body).map(drop)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<&impl Serialize>,
    ) -> Result<Response, ServerError> {
        let mut request = self
            .http
            .request(method, format!("{}/v1/{path}", self.origin))
            .header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(&*token.expose());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(secret_body(body));
        }
        let response = request.send().map_err(|error| self.transport_error(error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response)) }
    }

    fn refusal(&self, response: Response) -> ServerError {
        let status = response.status();
        let is_problem = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
        let problem = match self.read(response) {
            Ok(bytes) if is_problem => serde_json::from_slice::<Problem>(&bytes).ok(),
            Ok(_) => None,
            Err(error) => return error,
        };
        match problem.and_then(|problem| Some((problem.kind()?, problem))) {
            Some((kind, problem)) => ServerError::Refused { kind, problem: Box::new(problem) },
            None => self.not_a_key_server(&status_text(status)),
        }
    }

    /// The body, which may hold tokens: wiped when dropped.
    fn read(&self, response: Response) -> Result<Zeroizing<Vec<u8>>, ServerError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL_BODY_BYTES));
        let read = response.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|e| self.not_a_key_server(&e.to_string()))?;
        if bytes.len() as u64 > MAX_ANSWER_BYTES {
            return Err(self.not_a_key_server("the answer is endless"));
        }
        Ok(bytes)
    }

    fn not_a_key_server(&self, what: &str) -> ServerError {
        ServerError::NotAKeyServer { origin: self.origin.clone(), what: error::short(what) }
    }

    fn transport_error(&self, error: reqwest::Error) -> ServerError {
        let error = error.without_url();
        match certificate_reason(&error) {
            Some(reason) => {
                ServerError::Certificate { origin: self.origin.clone(), reason: error::short(&reason) }
            }
            None => ServerError::Unreachable { origin: self.origin.clone(), error },
        }
    }
}

/// A request's body, which may hold proofs and tokens: wiped when dropped.
fn secret_body(body: &impl Serialize) -> Bytes {
    let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL_BODY_BYTES));
    serde_json::to_writer(&mut *bytes, body).expect("documents have text keys and no maps that fail");
    Bytes::from_owner(bytes)
}

fn status_text(status: StatusCode) -> String {
    format!("HTTP status {}", status.as_u16())
}

/// What the check of a certificate said, if it was that which failed.
fn certificate_reason(error: &reqwest::Error) -> Option<String> {
    let mut link: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = link {
        if let Some(rustls::Error::InvalidCertificate(reason)) = current.downcast_ref::<rustls::Error>() {
            return Some(reason.to_string());
        }
        // An I/O error's own source is not in its chain.
        let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        link = match inner {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => current.source(),
        };
    }
    None
}

/// The doors that are open to everybody.
#[expect(clippy::missing_errors_doc, reason = "all fail with what ServerError says")]
impl KeyServer {
    /// Who the server is and what it asks for.
    pub fn info(&self) -> Result<ServerInfo, ServerError> {
        self.call(Method::GET, "server", None, NOTHING)
    }

    /// Whether nobody has that login yet.
    pub fn is_available(&self, login: &Login) -> Result<bool, ServerError> {
        let body = AvailabilityRequest { login: login.to_string() };
        let answer: Availability = self.call(Method::POST, "register/available", None, Some(&body))?;
        Ok(answer.available)
    }

    /// Makes an account.
    pub fn register(&self, body: &RegisterRequest) -> Result<Registered, ServerError> {
        self.call(Method::POST, "register", None, Some(body))
    }

    /// Confirms an account's address.
    pub fn confirm(&self, body: &ConfirmRequest) -> Result<(), ServerError> {
        self.tell(Method::POST, "register/confirm", None, Some(body))
    }

    /// A login's first step.
    pub fn login_start(&self, login: &Login) -> Result<LoginStarted, ServerError> {
        let body = LoginStartRequest { login: login.to_string() };
        self.call(Method::POST, "login/start", None, Some(&body))
    }

    /// A login's second step.
    pub fn login_verify(&self, body: &LoginVerifyRequest) -> Result<LoginChallenge, ServerError> {
        self.call(Method::POST, "login/verify", None, Some(body))
    }

    /// A login's third step.
    pub fn login_finish(&self, body: &LoginFinishRequest) -> Result<Session, ServerError> {
        self.call(Method::POST, "login/finish", None, Some(body))
    }

    /// What an invitation's guest reads, sealed.
    pub fn invitation(&self, id: InvitationId) -> Result<InvitationRecordReport, ServerError> {
        self.call(Method::GET, &format!("invitations/{id}"), None, NOTHING)
    }

    /// Buys new tokens.
    pub fn refresh(&self, body: &RefreshRequest) -> Result<Session, ServerError> {
        self.call(Method::POST, "session/refresh", None, Some(body))
    }
}

/// The doors that a session opens.
#[expect(clippy::missing_errors_doc, reason = "all fail with what ServerError says")]
impl KeyServer {
    /// Ends the session.
    pub fn end_session(&self, token: &Token) -> Result<(), ServerError> {
        self.tell(Method::DELETE, "session", Some(token), NOTHING)
    }

    /// The account as the server has it.
    pub fn account(&self, token: &Token) -> Result<AccountReport, ServerError> {
        self.call(Method::GET, "account", Some(token), NOTHING)
    }

    /// Everything that the server keeps about the account.
    pub fn export(&self, token: &Token) -> Result<AccountExport, ServerError> {
        self.call(Method::GET, "account/export", Some(token), NOTHING)
    }

    /// Changes the profile.
    pub fn set_profile(&self, token: &Token, body: &ProfileRequest) -> Result<(), ServerError> {
        self.tell(Method::PUT, "account/profile", Some(token), Some(body))
    }

    /// Changes the password.
    pub fn set_password(&self, token: &Token, body: &PasswordRequest) -> Result<(), ServerError> {
        self.tell(Method::PUT, "account/password", Some(token), Some(body))
    }

    /// Changes the recovery key.
    pub fn set_recovery(&self, token: &Token, body: &RecoveryRequest) -> Result<(), ServerError> {
        self.tell(Method::PUT, "account/recovery", Some(token), Some(body))
    }

    /// Changes address or keys.
    pub fn set_keys(&self, token: &Token, body: &KeysRequest) -> Result<(), ServerError> {
        self.tell(Method::PUT, "account/keys", Some(token), Some(body))
    }

    /// Has a code mailed to an address that the account is to have.
    pub fn mail_address_code(&self, token: &Token, login: &Login) -> Result<(), ServerError> {
        let body = AddressRequest { login: login.to_string() };
        self.tell(Method::POST, "account/address", Some(token), Some(&body))
    }

    /// Replaces the account's state by the next version.
    pub fn set_state(&self, token: &Token, body: &StateDocument) -> Result<(), ServerError> {
        self.tell(Method::PUT, "account/state", Some(token), Some(body))
    }

    /// Deletes the account.
    pub fn delete_account(&self, token: &Token, body: &DeleteRequest) -> Result<(), ServerError> {
        self.tell(Method::POST, "account/delete", Some(token), Some(body))
    }

    /// The account's devices.
    pub fn devices(&self, token: &Token) -> Result<Devices, ServerError> {
        self.call(Method::GET, "devices", Some(token), NOTHING)
    }

    /// Ends a device's session.
    pub fn revoke_device(&self, token: &Token, device: DeviceId) -> Result<(), ServerError> {
        self.tell(Method::DELETE, &format!("devices/{device}"), Some(token), NOTHING)
    }

    /// Somebody's public keys.
    pub fn user(&self, token: &Token, login: &Login) -> Result<UserReport, ServerError> {
        self.call(Method::GET, &format!("users/{}", path_segment(login)), Some(token), NOTHING)
    }

    /// Makes an invitation, and has its link mailed where `body` says so. [`ProblemKind::MailOff`] says that nothing was
    /// made, because the inviter has to send the link.
    ///
    /// [`ProblemKind::MailOff`]: ensafer_core::api::server::ProblemKind::MailOff
    pub fn invite(&self, token: &Token, body: &InvitationRequest) -> Result<(), ServerError> {
        self.tell(Method::POST, "invitations", Some(token), Some(body))
    }

    /// The account's open invitations, with who accepted them.
    pub fn invitations(&self, token: &Token) -> Result<Invitations, ServerError> {
        self.call(Method::GET, "invitations", Some(token), NOTHING)
    }

    /// Revokes an invitation, or removes one that was completed.
    pub fn remove_invitation(&self, token: &Token, id: InvitationId) -> Result<(), ServerError> {
        self.tell(Method::DELETE, &format!("invitations/{id}"), Some(token), NOTHING)
    }

    /// Mails an invitation's link once more.
    pub fn mail_invitation(
        &self,
        token: &Token,
        id: InvitationId,
        body: &InvitationMail,
    ) -> Result<(), ServerError> {
        self.tell(Method::POST, &format!("invitations/{id}/mail"), Some(token), Some(body))
    }

    /// Accepts an invitation.
    pub fn accept_invitation(
        &self,
        token: &Token,
        id: InvitationId,
        body: &AcceptanceRequest,
    ) -> Result<(), ServerError> {
        self.tell(Method::POST, &format!("invitations/{id}/acceptance"), Some(token), Some(body))
    }

    /// The groups that the account made.
    pub fn groups(&self, token: &Token) -> Result<Groups, ServerError> {
        self.call(Method::GET, "groups", Some(token), NOTHING)
    }

    /// A group's file, of which nothing is checked yet.
    pub fn group(&self, token: &Token, id: GroupId) -> Result<GroupReport, ServerError> {
        self.call(Method::GET, &format!("groups/{id}"), Some(token), NOTHING)
    }

    /// Makes a group, or replaces it by the next version.
    pub fn set_group(&self, token: &Token, id: GroupId, body: &GroupRequest) -> Result<(), ServerError> {
        self.tell(Method::PUT, &format!("groups/{id}"), Some(token), Some(body))
    }

    /// Deletes a group that the account made.
    pub fn delete_group(&self, token: &Token, id: GroupId) -> Result<(), ServerError> {
        self.tell(Method::DELETE, &format!("groups/{id}"), Some(token), NOTHING)
    }
}

/// The door that a path leads to, without whom or what is asked about: addresses belong in no log.
fn door(path: &str) -> &str {
    match path.split_once('/') {
        Some((door @ ("users" | "devices" | "invitations" | "groups"), _)) => door,
        _ => path,
    }
}

/// A login as one segment of a path (RFC 3986 section 3.3), whatever characters it has.
fn path_segment(login: &Login) -> String {
    login.as_str().bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'-' | b'_' | b'+') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_door_and_nobody() {
        for (path, named) in [
            ("users/alice@example.com", "users"),
            ("devices/0102", "devices"),
            ("devices", "devices"),
            ("invitations/0102/acceptance", "invitations"),
            ("groups/0102", "groups"),
            ("login/verify", "login/verify"),
            ("account", "account"),
        ] {
            assert_eq!(door(path), named);
        }
    }
}
