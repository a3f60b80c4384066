//! The way to the daemon: HTTP/1 with JSON over its Unix socket. One blocking call, one connection.

mod passing;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ensafer_core::api::local::{
    ActivityReport, BrowserVisit, ConflictReport, DescribeRequest, FileStatus, FolderRequest, Keep,
    ListedEntry, ListedFolder, Located, MembersChange, MembersRequest, PauseRequest, ProblemReport, Refusal,
    RefusalClass, ResolveRequest, RestoreRequest, Restored, ResumeRequest, SettleOutcome, TrashQuery,
    TrashedReport, VersionReport,
};
use ensafer_core::ids::{FileId, FolderId};
use ensafer_core::status::Status;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

pub use self::passing::{Answer, Asked};
use crate::exit::Exit;
use crate::home::Home;
use crate::password::Password;
use crate::platform;

/// A daemon that takes longer than this to answer a plain request is stuck. Unlocking derives a key first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often an ending daemon is looked at.
const END_INTERVAL: Duration = Duration::from_millis(20);

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens.
    #[error("no Ensafer daemon runs")]
    NotRunning,
    /// The socket cannot be opened.
    #[error("cannot reach the daemon at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process at the socket is another user's.
    #[error("the daemon at {} belongs to another user", path.display())]
    OtherUser {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke.
    #[error("the daemon broke off the conversation")]
    Http(#[from] hyper::Error),
    /// The daemon did not answer in time.
    #[error("the daemon did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    /// The answer is not what this version expects.
    #[error("the daemon's answer is not understood; is it of another version?")]
    Answer(#[from] serde_json::Error),
    /// What was to be passed on is no request.
    #[error("that is no request")]
    NoRequest,
    /// The daemon refused.
    #[error("{}", .0.what)]
    Refused(Refusal),
}

impl ClientError {
    /// How a command that fails so ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRunning | Self::Timeout | Self::Http(_) => Exit::RetryLater,
            Self::Connect { .. } | Self::OtherUser { .. } | Self::Answer(_) | Self::NoRequest => Exit::Error,
            Self::Refused(refusal) => match refusal.class {
                RefusalClass::NotSetUp | RefusalClass::NotOnServer | RefusalClass::NotLoggedIn => {
                    Exit::NotSetUp
                }
                RefusalClass::Locked
                | RefusalClass::WrongPassword
                | RefusalClass::WrongRecoveryKey
                | RefusalClass::WrongMailCode => Exit::WrongPassword,
                RefusalClass::NoSuchBrake
                | RefusalClass::BadRequest
                | RefusalClass::WeakPassword
                | RefusalClass::Mistyped
                | RefusalClass::OtherServer
                | RefusalClass::MissingDirectory => Exit::Usage,
                RefusalClass::RetryLater | RefusalClass::NeedsMailCode => Exit::RetryLater,
                RefusalClass::NotAMember | RefusalClass::NotARecipient | RefusalClass::UnknownOwner => {
                    Exit::NotARecipient
                }
                RefusalClass::ServerUnreachable => Exit::ServerUnreachable,
                RefusalClass::ServerDistrusted | RefusalClass::KeysChanged => Exit::VerificationFailed,
                RefusalClass::NotAllowed
                | RefusalClass::Already
                | RefusalClass::InvitationOver
                | RefusalClass::NeedsRegistrationCode
                | RefusalClass::AddressTaken
                | RefusalClass::UnknownPerson
                | RefusalClass::Failed => Exit::Error,
            },
        }
    }

    /// Whether the password does not open the account.
    #[must_use]
    pub fn is_wrong_password(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.class == RefusalClass::WrongPassword)
    }

    /// Whether the daemon's keys are locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.class == RefusalClass::Locked)
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NotRunning => Some("ensafer start"),
            _ if self.is_locked() => Some("ensafer unlock"),
            Self::Refused(refusal) if refusal.class == RefusalClass::NoSuchBrake => Some("ensafer status"),
            Self::Timeout | Self::Answer(_) => Some("ensafer daemon --quit, then ensafer start"),
            Self::Refused(refusal) => refusal.remedy.as_deref(),
            _ => None,
        }
    }
}

/// A connection to the daemon of one home.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    path: PathBuf,
}

impl Client {
    /// Connects to the daemon of `home`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] where none listens.
    pub fn connect(home: &Home) -> Result<Self, ClientError> {
        let path = home.running_socket().ok_or(ClientError::NotRunning)?;
        Self::connect_to(&path)
    }

    /// Connects to the daemon of `home`, if one runs.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), except that none runs.
    pub fn connect_if_running(home: &Home) -> Result<Option<Self>, ClientError> {
        match Self::connect(home) {
            Ok(client) => Ok(Some(client)),
            Err(ClientError::NotRunning) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Connects to the socket `path`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_to(path: &Path) -> Result<Self, ClientError> {
        let connect_error = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            _ => ClientError::Connect { path: path.to_path_buf(), source },
        };
        platform::knock(path).map_err(connect_error)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| ClientError::Connect { path: path.to_path_buf(), source })?;
        Ok(Self { runtime, path: path.to_path_buf() })
    }

    /// The one status.
    ///
    /// # Errors
    /// [`ClientError`]; so for all that follow.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status")
    }

    /// Which version the daemon is of, and which of the local API it speaks.
    ///
    /// # Errors
    /// [`ClientError::Refused`] by a daemon that is too old to be asked.
    pub fn version(&self) -> Result<VersionReport, ClientError> {
        self.get("/v1/version")
    }

    /// The folders of this device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn folders(&self) -> Result<Vec<ListedFolder>, ClientError> {
        self.get("/v1/folders")
    }

    /// Everything that is not in order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn problems(&self) -> Result<Vec<ProblemReport>, ClientError> {
        self.get("/v1/problems")
    }

    /// Begins syncing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn start(&self) -> Result<(), ClientError> {
        self.post("/v1/start", &())
    }

    /// Stops syncing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn stop(&self) -> Result<(), ClientError> {
        self.post("/v1/stop", &())
    }

    /// Pauses.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn pause(&self, duration: Option<Duration>) -> Result<(), ClientError> {
        self.post("/v1/pause", &PauseRequest { for_s: duration.map(|d| d.as_secs()) })
    }

    /// Ends a pause or releases a brake.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn resume(&self, go_on: Option<String>) -> Result<(), ClientError> {
        self.post("/v1/resume", &ResumeRequest { go_on })
    }

    /// Opens the keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unlock(&self, password: &Password) -> Result<(), ClientError> {
        let body = Bytes::copy_from_slice(password.expose().as_bytes());
        self.call(Method::POST, "/v1/unlock", "text/plain; charset=utf-8", body, Some(ANSWER_TIMEOUT))
    }

    /// Forgets the keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn lock(&self) -> Result<(), ClientError> {
        self.post("/v1/lock", &())
    }

    /// Settles both sides of every folder; waits as long as that takes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn sync(&self) -> Result<SettleOutcome, ClientError> {
        self.call(Method::POST, "/v1/sync", JSON, Bytes::new(), None)
    }

    /// Changes a folder's members; waits as long as that takes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn change_members(&self, folder: FolderId, change: MembersChange) -> Result<(), ClientError> {
        let body = Bytes::from(serde_json::to_vec(&MembersRequest { folder, change })?);
        self.call(Method::POST, "/v1/members", JSON, body, None)
    }

    /// Has a folder encrypt anew what lies under an older epoch's key. The status tells how much is left.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reencrypt(&self, folder: FolderId) -> Result<(), ClientError> {
        self.post("/v1/reencrypt", &FolderRequest { folder })
    }

    /// Has the account looked at, on its server, soon.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn look_at_account(&self) -> Result<(), ClientError> {
        self.post("/v1/account/look", &())
    }

    /// Has the list of folders read again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn reload_folders(&self) -> Result<(), ClientError> {
        self.post("/v1/folders/reload", &())
    }

    /// Has the daemon listen for a browser, and let one in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn invite_browser(&self) -> Result<BrowserVisit, ClientError> {
        self.post("/v1/browser", &())
    }

    /// Ends the daemon.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn quit(&self) -> Result<(), ClientError> {
        self.post("/v1/quit", &())
    }

    /// How far one path is. Paths are absolute, without symbolic links; so for all that follow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn file_status(&self, path: &Path) -> Result<FileStatus, ClientError> {
        self.get(&format!("/v1/filestatus?path={}", percent_encode(&path.to_string_lossy())))
    }

    /// Everything below `path`, which lies in a work folder, sorted by path.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn list(&self, path: &Path) -> Result<Vec<ListedEntry>, ClientError> {
        self.get(&format!("/v1/list?path={}", percent_encode(&path.to_string_lossy())))
    }

    /// The object that shows at a path of a work folder, or whose id is in hex digits or a path or file name of an
    /// encrypted file; `None` if there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn locate(&self, sought: &str) -> Result<Option<Located>, ClientError> {
        self.get(&format!("/v1/locate?sought={}", percent_encode(sought)))
    }

    /// Gives the file at `path` a description; an empty one removes it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn describe(&self, path: &Path, text: &str) -> Result<(), ClientError> {
        let body = DescribeRequest { path: path.to_string_lossy().into_owned(), text: text.to_owned() };
        self.post("/v1/describe", &body)
    }

    /// What was kept twice and is not resolved yet, of every folder.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn conflicts(&self) -> Result<Vec<ConflictReport>, ClientError> {
        self.get("/v1/conflicts")
    }

    /// Ends a conflict; waits as long as the file that is copied takes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn resolve_conflict(
        &self,
        folder: FolderId,
        conflict: FileId,
        keep: Keep,
    ) -> Result<(), ClientError> {
        let body = Bytes::from(serde_json::to_vec(&ResolveRequest { folder, conflict, keep })?);
        self.call(Method::POST, "/v1/conflicts/resolve", JSON, body, None)
    }

    /// What lies in the trash of every folder, as far as it is sought.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn trash(&self, sought: &TrashQuery) -> Result<Vec<TrashedReport>, ClientError> {
        let pairs = [("item", &sought.item), ("path", &sought.path)];
        let pair = |(name, value): (&str, &Option<String>)| {
            value.as_ref().map(|value| format!("{name}={}", percent_encode(value)))
        };
        let query: Vec<_> = pairs.into_iter().filter_map(pair).collect();
        self.get(&format!("/v1/trash?{}", query.join("&")))
    }

    /// Brings something back from a folder's trash.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn restore(&self, folder: FolderId, item: &str) -> Result<Restored, ClientError> {
        self.post("/v1/trash/restore", &RestoreRequest { folder, item: item.to_owned() })
    }

    /// What was done, the newest first; `limit` entries at most.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>, ClientError> {
        self.get(&format!("/v1/activity?limit={limit}"))
    }

    /// Waits until `reached` holds of the status, at most `limit`; the last status either way.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn wait_for(
        &self,
        limit: Duration,
        mut reached: impl FnMut(&Status) -> bool,
    ) -> Result<Status, ClientError> {
        let mut last = self.status()?;
        if reached(&last) {
            return Ok(last);
        }
        let waiting = self.receive(|status| {
            last = status;
            if reached(&last) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        // The timer needs the runtime from the start.
        match self.runtime.block_on(async { tokio::time::timeout(limit, waiting).await }) {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Ok(last),
        }
    }

    /// Calls `on_status` with the status and with each that follows, until it breaks off. Between them this thread
    /// sleeps: nothing is asked again and again.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] where the daemon ends.
    pub fn watch(&self, on_status: impl FnMut(Status) -> ControlFlow<()>) -> Result<(), ClientError> {
        self.runtime.block_on(self.receive(on_status))
    }

    /// The stream begins with the status as it is.
    async fn receive(&self, mut on_status: impl FnMut(Status) -> ControlFlow<()>) -> Result<(), ClientError> {
        let response = self.send(Method::GET, "/v1/events", JSON, Bytes::new()).await?;
        let mut body = response.into_body();
        let mut pending = Vec::new();
        loop {
            let frame = body.frame().await.transpose()?.ok_or(ClientError::NotRunning)?;
            pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if let Some(status) = newest_event(&mut pending)?
                && on_status(status).is_break()
            {
                return Ok(());
            }
        }
    }

    /// Waits until the daemon has left `home`, at most as long as for an answer.
    ///
    /// # Errors
    /// [`ClientError::Timeout`].
    pub fn wait_for_end(&self, home: &Home) -> Result<(), ClientError> {
        self.runtime.block_on(async {
            let ended = async {
                while home.is_taken() {
                    tokio::time::sleep(END_INTERVAL).await;
                }
            };
            tokio::time::timeout(ANSWER_TIMEOUT, ended).await.map_err(|_| ClientError::Timeout)
        })
    }

    fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        self.call(Method::GET, target, JSON, Bytes::new(), Some(ANSWER_TIMEOUT))
    }

    fn post<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        self.call(Method::POST, target, JSON, body, Some(ANSWER_TIMEOUT))
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: Bytes,
        limit: Option<Duration>,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            let exchange = async {
                let response = self.send(method, target, content_type, body).await?;
                let success = response.status().is_success();
                let bytes = response.into_body().collect().await?.to_bytes();
                if success { Ok(serde_json::from_slice(&bytes)?) } else { Err(refusal(&bytes)) }
            };
            match limit {
                None => exchange.await,
                Some(limit) => {
                    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(ClientError::Timeout))
                }
            }
        })
    }

    /// One request on a connection of its own. The peer is checked first: a socket in a shared directory may be
    /// somebody else's.
    async fn send(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let connect_error = |source| ClientError::Connect { path: self.path.clone(), source };
        let stream = platform::connect(&self.path).await.map_err(connect_error)?;
        let stream = stream.ok_or_else(|| ClientError::OtherUser { path: self.path.clone() })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends when the response's body does; its error is the response's error too.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "ensafer")
            .header("content-type", content_type)
            .body(Full::new(body))
            .expect("the method, the path and the headers are made here and valid");
        Ok(sender.send_request(request).await?)
    }
}

const JSON: &str = "application/json";

fn refusal(bytes: &[u8]) -> ClientError {
    let parsed = serde_json::from_slice(bytes);
    // What axum itself refuses (a body that is too long, or not the expected document) is plain text.
    ClientError::Refused(parsed.unwrap_or_else(|_| Refusal {
        class: RefusalClass::BadRequest,
        what: String::from_utf8_lossy(bytes).into_owned(),
        remedy: None,
        about: None,
    }))
}

/// Takes the complete events out of `pending`; the status of the last one.
fn newest_event<T: for<'de> Deserialize<'de>>(pending: &mut Vec<u8>) -> Result<Option<T>, serde_json::Error> {
    let Some(end) = pending.windows(2).rposition(|pair| pair == b"\n\n") else { return Ok(None) };
    let rest = pending.split_off(end + 2);
    let complete = std::mem::replace(pending, rest);
    let newest = complete.split(|&b| b == b'\n').filter_map(|line| line.strip_prefix(b"data: ")).next_back();
    newest.map(serde_json::from_slice).transpose()
}

/// Everything but the unreserved characters of RFC 3986 section 2.3.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;

    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
        encoded
    })
}
