//! Server and client over a real socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ensafer_core::api::local::FileState;
use ensafer_core::status::State;

use super::*;
use crate::daemon::QuitSignal;
use crate::exit::{self, Exit};

const GRACE: Duration = Duration::from_secs(5);

/// A daemon that syncs nothing, but is otherwise one.
pub(crate) struct Fake {
    status: watch::Sender<Status>,
    calls: Mutex<Vec<String>>,
    settling: Mutex<Vec<oneshot::Sender<SettleOutcome>>>,
    quit: QuitSignal,
}

impl Fake {
    pub(crate) fn new(quit: QuitSignal) -> Arc<Self> {
        Arc::new(Self {
            status: watch::Sender::new(status(State::Locked)),
            calls: Mutex::default(),
            settling: Mutex::default(),
            quit,
        })
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn show(&self, state: State) {
        self.status.send_replace(status(state));
    }
}

impl Queries for Fake {
    fn file_status(&self, path: &Path) -> Result<FileStatus> {
        Ok(FileStatus {
            path: path.to_string_lossy().into_owned(),
            state: FileState::Outside,
            folder: None,
            object: None,
            encrypted: None,
            problems: Vec::new(),
        })
    }

    fn list(&self, _: &Path) -> Result<Vec<ListedEntry>> {
        Err(ControlError::Locked.into())
    }

    fn locate(&self, sought: &str) -> Result<Option<Located>> {
        self.note(format!("locate {sought}"));
        Ok(None)
    }

    fn describe(&self, path: &Path, text: &str) -> Result<()> {
        self.note(format!("describe {} {text}", path.display()));
        anyhow::bail!("there is no such file")
    }
}

impl Control for Fake {
    fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    fn problems(&self) -> Vec<ProblemReport> {
        Vec::new()
    }

    fn folders(&self) -> Vec<FolderReport> {
        Vec::new()
    }

    fn start(&self) -> Result<(), ControlError> {
        self.show(State::Checking);
        Ok(())
    }

    fn stop(&self) -> Result<(), ControlError> {
        self.show(State::Stopped);
        Ok(())
    }

    fn pause(&self, duration: Option<Duration>) -> Result<(), ControlError> {
        self.note(format!("pause {duration:?}"));
        Ok(())
    }

    fn resume(&self, go_on: Option<String>) -> Result<(), ControlError> {
        if go_on.is_some() { Err(ControlError::NoSuchBrake) } else { Ok(()) }
    }

    fn unlock(&self, password: Password) -> Result<(), ControlError> {
        if password.expose() != "pass wörd" {
            return Err(ControlError::WrongPassword);
        }
        self.show(State::Stopped);
        Ok(())
    }

    fn lock(&self) {
        self.show(State::Locked);
    }

    fn settle(&self) -> Result<oneshot::Receiver<SettleOutcome>, ControlError> {
        let (sender, receiver) = oneshot::channel();
        self.settling.lock().unwrap().push(sender);
        self.note("settle");
        Ok(receiver)
    }

    fn change_members(
        &self,
        folder: FolderId,
        change: MembersChange,
    ) -> Result<oneshot::Receiver<Result<(), MembersError>>, ControlError> {
        self.note(format!("members {folder} {change:?}"));
        let (reply, receiver) = oneshot::channel();
        reply.send(Err(MembersError::Busy)).expect("it is waited for");
        Ok(receiver)
    }

    fn reencrypt(
        &self,
        folder: FolderId,
    ) -> Result<oneshot::Receiver<Result<(), EngineError>>, ControlError> {
        self.note(format!("encrypt {folder} anew"));
        let (reply, receiver) = oneshot::channel();
        reply.send(Ok(())).expect("it is waited for");
        Ok(receiver)
    }

    fn look_at_account(&self) {
        self.note("look at the account");
    }

    fn reload_folders(&self) -> Result<(), ControlError> {
        self.note("reload");
        Ok(())
    }

    fn quit(&self) {
        self.quit.request();
    }
}

/// A server on a thread, with its own runtime, as the daemon has it.
struct Served {
    fake: Arc<Fake>,
    path: PathBuf,
    thread: JoinHandle<Result<(), ServeError>>,
    _dir: tempfile::TempDir,
}

fn serve() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ensafer.sock");
    // What a killed daemon leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let quit = QuitSignal::default();
    let fake = Fake::new(quit.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async { LocalServer::bind(&path) }).unwrap();
    let control: Arc<dyn Control> = Arc::clone(&fake) as _;
    let thread = std::thread::spawn(move || {
        let until = quit.clone();
        runtime.block_on(server.serve(control, quit, GRACE, async move { until.requested().await }))
    });
    Served { fake, path, thread, _dir: dir }
}

impl Served {
    fn client(&self) -> Client {
        Client::connect_to(&self.path).unwrap()
    }

    fn end(self) {
        self.fake.quit.request();
        self.thread.join().unwrap().unwrap();
        assert!(!self.path.exists(), "the socket is removed");
    }
}

fn status(state: State) -> Status {
    Status { state, ..Status::of(Vec::new()) }
}

fn exit_of(error: impl Into<anyhow::Error>) -> Exit {
    exit::of(&error.into())
}

#[test]
fn a_client_drives_the_daemon() {
    let served = serve();
    let client = served.client();
    assert_eq!(client.status().unwrap().state, State::Locked);

    let wrong = client.unlock(&Password::new("wrong".into())).unwrap_err();
    assert_eq!(exit_of(wrong), Exit::WrongPassword);
    client.unlock(&Password::new("pass wörd".into())).unwrap();
    client.start().unwrap();
    assert_eq!(client.status().unwrap().state, State::Checking);
    client.stop().unwrap();
    assert_eq!(client.status().unwrap().state, State::Stopped);

    client.pause(Some(Duration::from_secs(90))).unwrap();
    client.pause(None).unwrap();
    client.resume(None).unwrap();
    let unknown = client.resume(Some("12ab".into())).unwrap_err();
    assert_eq!(exit_of(unknown), Exit::Usage);
    client.reload_folders().unwrap();
    assert_eq!(*served.fake.calls.lock().unwrap(), ["pause Some(90s)", "pause None", "reload"]);
    client.lock().unwrap();
    assert_eq!(client.status().unwrap().state, State::Locked);
    assert!(client.problems().unwrap().is_empty());
    served.end();
}

#[test]
fn questions_survive_the_way_and_errors_come_back() {
    let served = serve();
    let client = served.client();
    let path = Path::new("/w/a b&c=d?e#f%20 ü😀+");
    assert_eq!(client.file_status(path).unwrap().path, path.to_string_lossy());
    assert_eq!(client.locate("/e/ü &x").unwrap(), None);
    assert_eq!(exit_of(client.list(path).unwrap_err()), Exit::WrongPassword, "locked");
    let failed = client.describe(path, "a \"text\"").unwrap_err();
    assert!(failed.to_string().contains("there is no such file"), "{failed}");
    assert_eq!(served.fake.calls.lock().unwrap()[1], format!("describe {} a \"text\"", path.display()));
    served.end();
}

#[test]
fn waiting_sees_changes_as_they_happen() {
    let served = serve();
    let client = served.client();
    let fake = Arc::clone(&served.fake);
    let mut seen = Vec::new();
    let last = client.wait_for(Duration::from_secs(60), |status| {
        seen.push(status.state);
        match status.state {
            State::Locked => fake.show(State::Checking),
            State::Checking => fake.show(State::UpToDate),
            _ => return true,
        }
        false
    });
    assert_eq!(last.unwrap().state, State::UpToDate);
    seen.dedup();
    assert_eq!(seen, [State::Locked, State::Checking, State::UpToDate]);

    let last = client.wait_for(Duration::from_millis(1), |_| false).unwrap();
    assert_eq!(last.state, State::UpToDate, "the last one when time is up");
    served.end();
}

#[test]
fn syncing_waits_for_the_outcome_and_for_the_end() {
    let served = serve();
    let outcome = SettleOutcome { problems: 2, braked: true, ..SettleOutcome::default() };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| served.client().sync());
        let sender = loop {
            if let Some(sender) = served.fake.settling.lock().unwrap().pop() {
                break sender;
            }
            std::thread::yield_now();
        };
        assert!(!waiting.is_finished());
        sender.send(outcome.clone()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), outcome);

        // An engine that ends drops its promises.
        let waiting = scope.spawn(|| served.client().sync());
        while served.fake.settling.lock().unwrap().pop().is_none() {
            std::thread::yield_now();
        }
        waiting.join().unwrap().unwrap_err();
    });
    served.end();
}

#[test]
fn the_end_does_not_wait_for_those_who_listen() {
    let served = serve();
    let client = served.client();
    std::thread::scope(|scope| {
        let (seen, first) = std::sync::mpsc::channel();
        let listening = scope.spawn(move || {
            client.wait_for(Duration::from_secs(600), move |_| {
                seen.send(()).unwrap();
                false
            })
        });
        // The second look comes from the stream of events.
        first.recv().unwrap();
        first.recv().unwrap();
        let client = served.client();
        client.quit().unwrap();
        assert!(matches!(listening.join().unwrap(), Err(ClientError::NotRunning | ClientError::Http(_))));
    });
    let path = served.path.clone();
    served.end();
    assert_eq!(exit_of(Client::connect_to(&path).unwrap_err()), Exit::RetryLater);
}

#[test]
fn only_the_owner_gets_in() {
    let served = serve();
    let mode = std::fs::metadata(&served.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if !rustix::process::geteuid().is_root() {
        served.end();
        return;
    }
    // As root, open the way for another user as far as the file system goes: the peer check has to refuse.
    let dir = served.path.parent().unwrap();
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = || {
        let path = served.path.clone();
        // Only this thread becomes somebody else.
        let other = std::thread::spawn(move || {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            let mut stream = UnixStream::connect(&path)?;
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).map(|_| answer)
        });
        other.join().unwrap()
    };
    assert_eq!(as_nobody().unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    std::fs::set_permissions(&served.path, std::fs::Permissions::from_mode(0o666)).unwrap();
    match as_nobody() {
        Ok(answer) => assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer)),
        Err(error) => {
            assert_ne!(error.kind(), std::io::ErrorKind::PermissionDenied, "it got as far as the socket");
        }
    }
    assert_eq!(served.client().status().unwrap().state, State::Locked, "the owner still gets in");
    served.end();
}

/// Ensafer's own window shows the page by way of the socket, which needs no key.
#[test]
fn the_page_is_served_at_the_socket_as_well() {
    let served = serve();
    let ask = |line: &str| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let page = ask("GET /");
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("<!doctype html>"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none';"), "{page}");
    assert!(ask("GET /ui/screens/folders.js").contains("text/javascript"));
    assert!(ask("GET /ui/nothing.js").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /claim").starts_with("HTTP/1.1 404"), "by this the page knows that it needs no key");

    let visit = served.client().invite_browser().unwrap();
    assert!(visit.address.0.starts_with("http://127.0.0.1:"), "a browser's way in");
    assert_eq!(visit.valid_s, 60);
    served.end();
}

#[test]
fn what_is_no_request_is_refused() {
    let served = serve();
    let ask = |request: &str, body: &[u8]| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        let head = format!("{request}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        stream.write_all(format!("{head}content-type: application/json\r\n\r\n").as_bytes()).unwrap();
        // The server may refuse before it has read everything.
        let _ = stream.write_all(body);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("GET /v2/status HTTP/1.1", b""), "HTTP/1.1 404 Not Found");
    assert_eq!(ask("GET /v1/stop HTTP/1.1", b""), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(ask("POST /v1/pause HTTP/1.1", b"{\"until\": 1}"), "HTTP/1.1 422 Unprocessable Entity");
    assert_eq!(ask("POST /v1/pause HTTP/1.1", &[b' '; 100_000]), "HTTP/1.1 413 Payload Too Large");
    served.end();
}
