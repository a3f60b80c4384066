//! This device's session with the key server.
//!
//! `session.json` names the server and holds the sealed tokens. Several processes may use it: whoever buys new tokens
//! holds `session.lock` and looks first whether somebody else has just done so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ensafer_client::home::Home;
use ensafer_client::private_file;
use ensafer_core::account::Account;
use ensafer_core::account::login::RefreshMessage;
use ensafer_core::api::hex::{HexArray, HexBytes, SecretHex};
use ensafer_core::api::local::SessionState;
use ensafer_core::api::server::{DeviceReport, ProblemKind, RefreshRequest, Session};
use ensafer_core::crypto::{DeviceSession, SigningKey, SystemRandom, Token};
use ensafer_core::ids::DeviceId;
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::files::{WITHOUT_SESSION, io_error, lock, read_device, read_own};
use crate::config::Config;
use crate::key_server::{KeyServer, Origin, ServerError};

/// An access token is renewed when it has less than this left.
const MARGIN: Duration = Duration::from_secs(30);

/// As many devices as an account has at most (`docs/protocol.md`, "Limits"): what a server says is not kept without end.
pub const MAX_NEW_DEVICES: usize = 256;

/// What is kept of the session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The server, which is remembered after the session's end too.
    server: Origin,
    /// The tokens, sealed; none while nobody is logged in.
    sealed: Option<HexBytes>,
    /// Whether it was the server that ended the session, which somebody should know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ended_by_server: bool,
    /// Whether the account was published there by this computer, and the code that was mailed has not come yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    waits_for_code: bool,
    /// Devices that logged in meanwhile, until somebody is told: the server says it until it knows that the answer arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    new_devices: Vec<DeviceReport>,
}

impl Kept {
    /// Without a session. Of new devices somebody is told all the same: one of them may be why it ended.
    fn ended(self, ended_by_server: bool) -> Self {
        Self { sealed: None, ended_by_server, ..self }
    }

    /// Without a session, or having anything to say of one.
    fn of_server(server: Origin, new_devices: Vec<DeviceReport>) -> Self {
        Self { server, sealed: None, ended_by_server: false, waits_for_code: false, new_devices }
    }
}

/// The server that the account is on, if it is on one.
///
/// # Errors
/// The file cannot be read.
pub fn server_of(home: &Home) -> Result<Option<Origin>, AccountError> {
    Ok(read(home)?.map(|kept| kept.server))
}

/// Whether this device has a session. Whether the server still knows it shows when it is used.
///
/// # Errors
/// The file cannot be read.
pub fn is_logged_in(home: &Home) -> Result<bool, AccountError> {
    Ok(read(home)?.is_some_and(|kept| kept.sealed.is_some()))
}

/// Whether the server ended this device's session.
///
/// # Errors
/// The file cannot be read.
pub fn was_ended_by_server(home: &Home) -> Result<bool, AccountError> {
    Ok(read(home)?.is_some_and(|kept| kept.ended_by_server))
}

/// How this computer stands with the account's server, if it is on one.
///
/// # Errors
/// The file cannot be read.
pub fn standing(home: &Home) -> Result<Option<SessionState>, AccountError> {
    Ok(read(home)?.map(|kept| match kept {
        Kept { sealed: Some(_), .. } => SessionState::LoggedIn,
        Kept { waits_for_code: true, .. } => SessionState::WaitsForCode,
        Kept { ended_by_server: true, .. } => SessionState::EndedByServer,
        _ => SessionState::LoggedOut,
    }))
}

/// Remembers the server, without a session; and whether a code that it mailed is waited for.
pub(super) fn keep_server(home: &Home, server: &Origin, waits_for_code: bool) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    let before = read(home)?.filter(|kept| kept.server == *server);
    let new_devices = before.map_or_else(Vec::new, |kept| kept.new_devices);
    write(home, &Kept { waits_for_code, ..Kept::of_server(server.clone(), new_devices) })
}

/// Forgets the server.
pub(super) fn forget(home: &Home) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    let path = home.data_dir().join("session.json");
    private_file::remove(&path).map_err(io_error(&path))
}

/// Keeps a session as an answer made it, and the devices of which the answer told, at once: the next request shows the
/// server that the answer arrived, and it tells of them no more.
pub(super) fn keep(
    home: &Home,
    server: &Origin,
    account: &Account,
    device: DeviceId,
    session: &DeviceSession,
    new_devices: Vec<DeviceReport>,
) -> Result<(), AccountError> {
    let sealed = Some(HexBytes(account.seal_session(session, device, server.as_str(), &mut SystemRandom)));
    let mut devices = read(home)?.map_or_else(Vec::new, |kept| kept.new_devices);
    devices.retain(|kept| !new_devices.iter().any(|new| new.device == kept.device));
    devices.extend(new_devices);
    let too_many = devices.len().saturating_sub(MAX_NEW_DEVICES);
    devices.drain(..too_many);
    write(home, &Kept { sealed, ..Kept::of_server(server.clone(), devices) })
}

/// A session made of what the server answered. `counter` is what the device counted up to.
pub(super) fn from_answer(signer: SigningKey, answer: &Session, counter: u64) -> DeviceSession {
    DeviceSession {
        signer,
        refresh: token(&answer.refresh),
        counter,
        access: token(&answer.access),
        access_expires_at_s: now_s().saturating_add(answer.access_expires_in_s),
    }
}

/// The key by which the server at `origin` knows this device, where it has a session that `account` opens.
pub(super) fn signer(home: &Home, origin: &Origin, account: &Account) -> Option<SigningKey> {
    let open = OpenSession::read(home, account).ok()?;
    (open.server == *origin).then_some(open.session.signer)
}

/// Calls the server with a valid access token, buying a new one where that is needed.
///
/// # Errors
/// [`AccountError::NotOnServer`], [`AccountError::NotLoggedIn`], or what the server says.
pub(super) fn with_token<T>(
    home: &Home,
    config: &Config,
    account: &Account,
    call: impl Fn(&KeyServer, &Token) -> Result<T, ServerError>,
) -> Result<T, AccountError> {
    let open = OpenSession::read(home, account)?;
    let server = KeyServer::new(open.server.clone(), config)?;
    let refused = if open.is_fresh() {
        match call(&server, &open.session.access) {
            Err(error) if error.kind() == Some(ProblemKind::SessionRefused) => open.session.access.hash(),
            other => return open.end_if_revoked(home, other),
        }
    } else {
        open.session.access.hash()
    };
    let open = renew(home, account, &server, &refused)?;
    // Another process may have logged in to another server meanwhile: no token goes to any but its own.
    let server = KeyServer::new(open.server.clone(), config)?;
    open.end_if_revoked(home, call(&server, &open.session.access))
}

/// Buys new tokens now, and learns which devices are new, whichever process asked the server.
///
/// # Errors
/// As [`with_token`].
pub(super) fn renew_now(
    home: &Home,
    config: &Config,
    account: &Account,
) -> Result<Vec<DeviceReport>, AccountError> {
    let open = OpenSession::read(home, account)?;
    let server = KeyServer::new(open.server.clone(), config)?;
    renew(home, account, &server, &open.session.access.hash())?;
    new_devices(home)
}

/// Devices that logged in, of which nobody on this computer was told yet.
///
/// # Errors
/// The file cannot be read.
pub fn new_devices(home: &Home) -> Result<Vec<DeviceReport>, AccountError> {
    Ok(read(home)?.map_or_else(Vec::new, |kept| kept.new_devices))
}

/// Forgets devices that somebody was told of.
///
/// # Errors
/// The file cannot be changed.
pub fn forget_new_devices(home: &Home, told: &[DeviceReport]) -> Result<(), AccountError> {
    let _lock = lock(home)?;
    let Some(mut kept) = read(home)? else { return Ok(()) };
    kept.new_devices.retain(|device| !told.iter().any(|other| other.device == device.device));
    write(home, &kept)
}

/// Buys new tokens in place of the access token with this hash, unless another process already did, or logged in
/// elsewhere.
fn renew(
    home: &Home,
    account: &Account,
    server: &KeyServer,
    refused: &[u8; 32],
) -> Result<OpenSession, AccountError> {
    let _lock = lock(home)?;
    let mut open = OpenSession::read(home, account)?;
    if open.server != *server.origin() || (open.session.access.hash() != *refused && open.is_fresh()) {
        return Ok(open);
    }
    // Kept before it is sent: no counter is ever sent twice.
    open.session.counter += 1;
    keep(home, &open.server, account, open.device, &open.session, Vec::new())?;
    let answer = server.refresh(&open.refresh_request(account));
    if let (true, Some(kept)) = (is_end(&answer), read(home)?) {
        write(home, &kept.ended(true))?;
    }
    let answer = answer?;
    open.session = from_answer(open.session.signer, &answer, open.session.counter);
    keep(home, &open.server, account, open.device, &open.session, answer.new_devices)?;
    open.sealed = read(home)?.and_then(|kept| kept.sealed);
    Ok(open)
}

/// Whether the server has ended the session.
fn is_end<T>(result: &Result<T, ServerError>) -> bool {
    result.as_ref().is_err_and(ServerError::ends_session)
}

/// A session as it is kept, to be ended after another one took its place.
pub(super) struct KeptSession(Kept);

/// The session that is kept now, if there is one.
pub(super) fn of(home: &Home) -> Result<Option<KeptSession>, AccountError> {
    Ok(read(home)?.filter(|kept| kept.sealed.is_some()).map(KeptSession))
}

impl KeptSession {
    /// Ends it on its server, as far as its access token still holds.
    pub(super) fn end(self, home: &Home, config: &Config, account: &Account) -> Result<(), AccountError> {
        let open = OpenSession::open(home, account, self.0)?;
        Ok(KeyServer::new(open.server, config)?.end_session(&open.session.access)?)
    }
}

/// A session whose tokens were opened.
struct OpenSession {
    server: Origin,
    device: DeviceId,
    session: DeviceSession,
    /// As it is kept, to notice that another process kept another one.
    sealed: Option<HexBytes>,
}

impl OpenSession {
    fn read(home: &Home, account: &Account) -> Result<Self, AccountError> {
        let kept = read(home)?.ok_or_else(|| AccountError::NotOnServer { login: account.login().clone() })?;
        Self::open(home, account, kept)
    }

    fn open(home: &Home, account: &Account, kept: Kept) -> Result<Self, AccountError> {
        let sealed = kept.sealed.ok_or(AccountError::NotLoggedIn)?;
        let device = read_device(home)?.ok_or(AccountError::NotLoggedIn)?.id;
        let session = account
            .open_session(device, kept.server.as_str(), &sealed.0)
            .map_err(|_| AccountError::NotLoggedIn)?;
        Ok(Self { server: kept.server, device, session, sealed: Some(sealed) })
    }

    /// Forgets a session that the server has ended, so that it is not asked again and again; but not one that another
    /// process began meanwhile.
    fn end_if_revoked<T>(&self, home: &Home, result: Result<T, ServerError>) -> Result<T, AccountError> {
        if is_end(&result) {
            let _lock = lock(home)?;
            if let Some(kept) = read(home)?.filter(|kept| kept.sealed == self.sealed) {
                write(home, &kept.ended(true))?;
            }
        }
        Ok(result?)
    }

    fn is_fresh(&self) -> bool {
        self.session.access_expires_at_s > now_s().saturating_add(MARGIN.as_secs())
    }

    fn refresh_request(&self, account: &Account) -> RefreshRequest {
        let message = RefreshMessage {
            account: account.id(),
            device: self.device,
            counter: self.session.counter,
            refresh: &self.session.refresh,
        };
        RefreshRequest {
            account: message.account,
            device: message.device,
            counter: message.counter,
            refresh: SecretHex(*self.session.refresh.as_bytes()),
            signature: HexArray(*message.sign(&self.session.signer).as_bytes()),
        }
    }
}

fn token(bytes: &SecretHex<32>) -> Token {
    Token::new(&bytes.0)
}

fn read(home: &Home) -> Result<Option<Kept>, AccountError> {
    read_own(&home.data_dir().join("session.json"), WITHOUT_SESSION)
}

fn write(home: &Home, kept: &Kept) -> Result<(), AccountError> {
    let path = home.data_dir().join("session.json");
    let bytes = serde_json::to_vec_pretty(kept).expect("an origin and hex digits are JSON");
    private_file::replace(&path, &bytes).map_err(io_error(&path))
}

/// This computer's clock, in seconds since 1970.
pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
