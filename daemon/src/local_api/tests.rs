//! Server and client over a real socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use ensafer_client::exit::Exit;
use ensafer_client::home::Home;
use ensafer_client::local_api::ClientError;
use ensafer_core::api::local::FileState;
use ensafer_core::status::State;
use serde_json::json;

use super::*;
use crate::account::AccountError;
use crate::config::{Config, Keyring};
use crate::daemon::QuitSignal;
use crate::engine::ResolveError;
use crate::exit;
use crate::folders::Folders;
use crate::output::Output;
use crate::pairs::{self, Wanted};
use crate::shell::Shell;
use crate::vault::ShellVault;

const GRACE: Duration = Duration::from_secs(5);

/// A daemon that syncs nothing, but is otherwise one.
pub(crate) struct Fake {
    status: watch::Sender<Status>,
    calls: Mutex<Vec<String>>,
    settling: Mutex<Vec<oneshot::Sender<SettleOutcome>>>,
    /// What the next reading of the list waits for.
    held: Mutex<Option<mpsc::Receiver<()>>>,
    vault: Arc<ShellVault>,
    quit: QuitSignal,
}

impl Fake {
    pub(crate) fn new(quit: QuitSignal, vault: Arc<ShellVault>) -> Arc<Self> {
        Arc::new(Self {
            status: watch::Sender::new(status(State::Locked)),
            calls: Mutex::default(),
            settling: Mutex::default(),
            held: Mutex::default(),
            vault,
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

    fn conflicts(&self) -> Result<Vec<ConflictReport>> {
        Ok(Vec::new())
    }

    fn resolve_conflict(&self, _: FolderId, _: FileId, keep: Keep) -> Result<()> {
        self.note(format!("resolve {keep:?}"));
        Err(match keep {
            Keep::Both => ResolveError::NoSuchConflict,
            Keep::Original => ResolveError::Busy { path: "f".into() },
            Keep::Copy => ResolveError::Engine(EngineError::ReadOnly),
        }
        .into())
    }

    fn trash(&self, _: &TrashQuery) -> Result<Vec<TrashedReport>> {
        Ok(Vec::new())
    }

    fn restore(&self, _: FolderId, item: &str) -> Result<Restored> {
        self.note(format!("restore {item}"));
        Ok(Restored { item: item.to_owned(), path: format!("/w/{item}") })
    }

    fn activity(&self, limit: usize) -> Result<Vec<ActivityReport>> {
        self.note(format!("activity {limit}"));
        Ok(Vec::new())
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
        match self.vault.unlock(&password) {
            Err(AccountError::NotSetUp) if password.expose() == "pass wörd" => {}
            Err(AccountError::NotSetUp | AccountError::WrongPassword) => {
                return Err(ControlError::WrongPassword);
            }
            opened => drop(opened.map_err(anyhow::Error::from)?),
        }
        self.show(State::Stopped);
        Ok(())
    }

    fn lock(&self) {
        self.vault.lock();
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
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            let _ = held.recv();
        }
        Ok(())
    }

    fn quit(&self) {
        self.quit.request();
    }
}

/// A server on a thread, with its own runtime, as the daemon has it.
struct Served {
    fake: Arc<Fake>,
    shell: Shell,
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
    let home = Home::under(&dir.path().join("home"));
    home.create().unwrap();
    let config = Config { keyring: Keyring::Off, pbkdf2_iterations: 600_000, ..Config::default() };
    let shell = Shell::new(home, config, Output::new(true));
    let vault = Arc::new(ShellVault::new(&shell, false));
    let fake = Fake::new(quit.clone(), Arc::clone(&vault));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async { LocalServer::bind(&path) }).unwrap();
    let desk = Desk { shell: shell.clone(), vault, control: Arc::clone(&fake) as _ };
    let thread = std::thread::spawn(move || {
        let until = quit.clone();
        runtime.block_on(server.serve(desk, quit, GRACE, async move { until.requested().await }))
    });
    Served { fake, shell, path, thread, _dir: dir }
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
fn what_is_decided_about_single_files_comes_back_with_a_remedy() {
    let served = serve();
    let client = served.client();
    let folder = FolderId::new([1; 16]);
    let resolve = |keep| client.resolve_conflict(folder, FileId::new([2; 16]), keep).unwrap_err();
    assert_eq!(exit_of(resolve(Keep::Both)), Exit::Usage);
    let busy = anyhow::Error::from(resolve(Keep::Original));
    assert!(exit::remedy(&busy).unwrap().contains("close the program"), "{busy}");
    assert_eq!(exit_of(busy), Exit::RetryLater);
    assert_eq!(exit_of(resolve(Keep::Copy)), Exit::Error);
    assert_eq!(client.conflicts().unwrap(), []);
    assert_eq!(client.trash(&TrashQuery::default()).unwrap(), []);
    assert_eq!(client.restore(folder, "2026-11-21/140322-000/ü").unwrap().path, "/w/2026-11-21/140322-000/ü");
    assert_eq!(client.activity(7).unwrap(), []);
    let calls = served.fake.calls.lock().unwrap().split_off(3);
    assert_eq!(calls, ["restore 2026-11-21/140322-000/ü", "activity 7"]);
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
        let (seen, first) = mpsc::channel();
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

#[test]
fn a_password_is_put_together_from_its_pieces() {
    let served = serve();
    let ask = |pieces: &[&[u8]]| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        let head =
            "POST /v1/unlock HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for piece in pieces {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            stream.write_all(piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(&["pass ".as_bytes(), "wörd".as_bytes()]).starts_with("HTTP/1.1 200 OK"));
    let wrong = ask(&["pass ".as_bytes()]);
    assert!(wrong.contains("\"wrong-password\""), "{wrong}");
    let no_text = ask(&[&b"\xff"[..]]);
    assert!(no_text.starts_with("HTTP/1.1 400 ") && no_text.contains("\"bad-request\""), "{no_text}");
    served.end();
}

/// Sends a request as the window does, and reads the answer's status code and document.
fn ask(served: &Served, method: &str, path: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = UnixStream::connect(&served.path).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: ensafer\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

#[track_caller]
fn post(served: &Served, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let (code, answer) = ask(served, "POST", path, body);
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}

#[track_caller]
fn get(served: &Served, path: &str) -> serde_json::Value {
    let (code, answer) = ask(served, "GET", path, &serde_json::Value::Null);
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}

#[track_caller]
fn refused(served: &Served, path: &str, body: &serde_json::Value) -> (u16, String) {
    let (code, answer) = ask(served, "POST", path, body);
    assert!(code >= 400 && !answer["what"].as_str().unwrap().is_empty(), "{path}: {answer}");
    (code, answer["class"].as_str().unwrap().to_owned())
}

const GOOD: &str = "correct horse battery";

#[test]
fn an_account_is_made_locked_opened_and_recovered() {
    let served = serve();
    assert_eq!(get(&served, "/v1/account")["state"], "none");

    let weak = json!({"email": "alice@example.com", "password": "alice1"});
    assert_eq!(refused(&served, "/v1/account/register", &weak), (400, "weak-password".into()));
    let nameless = json!({"email": "", "password": GOOD, "server": "http://127.0.0.1:1"});
    assert_eq!(refused(&served, "/v1/account/register", &nameless), (400, "bad-request".into()));
    assert_eq!(get(&served, "/v1/account")["state"], "none", "nothing was made");

    let made =
        post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let recovery_key = made["recovery_key"].as_str().unwrap();
    assert!(recovery_key.len() > 20 && made.get("account_key").is_none(), "{made}");
    assert_eq!(made["account"]["state"], "open");
    let account = get(&served, "/v1/account");
    assert_eq!((&account["email"], &account["state"]), (&json!("alice@example.com"), &json!("open")));
    assert!(!account.to_string().contains(recovery_key), "it is shown once");
    let reminds = |report: &serde_json::Value| {
        report["notices"].as_array().unwrap().iter().any(|notice| notice["kind"] == "recovery-key-unwritten")
    };
    assert!(reminds(&account) && reminds(&get(&served, "/v1/account")), "{account}");
    assert!(!reminds(&post(&served, "/v1/account/recovery-key/written", &json!(null))));
    assert!(!reminds(&get(&served, "/v1/account")));
    let again = json!({"email": "alice@example.com", "password": GOOD});
    assert_eq!(refused(&served, "/v1/account/register", &again), (409, "already".into()));

    let shown = post(&served, "/v1/account/recovery-key", &json!({"password": GOOD}));
    assert_eq!(shown["recovery_key"], recovery_key);
    let wrong = json!({"password": "something else entirely"});
    assert_eq!(refused(&served, "/v1/account/recovery-key", &wrong), (403, "wrong-password".into()));

    post(&served, "/v1/lock", &json!(null));
    assert_eq!(get(&served, "/v1/account")["state"], "locked");
    assert_eq!(refused(&served, "/v1/account/logout", &json!({})), (409, "not-on-server".into()));

    let new = "zuppa inglese per undici";
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    for (body, class) in [
        (change("something else entirely", new), "wrong-password"),
        (change(GOOD, "alice1"), "weak-password"),
    ] {
        assert_eq!(refused(&served, "/v1/account/password", &body).1, class);
    }
    let newer = "grass tulip anchor lantern";
    assert_eq!(post(&served, "/v1/account/password", &change(GOOD, newer))["state"], "open");
    assert_eq!(refused(&served, "/v1/account/recovery-key", &json!({"password": GOOD})).1, "wrong-password");
    let email = |email: &str, password: &str| json!({"email": email, "password": password});
    for (body, class) in
        [(email("al@example.com", GOOD), "wrong-password"), (email("", newer), "bad-request")]
    {
        assert_eq!(refused(&served, "/v1/account/email", &body).1, class);
    }
    assert_eq!(
        post(&served, "/v1/account/email", &email("al@example.com", newer))["email"],
        "al@example.com"
    );
    for path in ["/v1/account/devices", "/v1/account/profile"] {
        let (code, answer) = ask(&served, "GET", path, &json!(null));
        assert_eq!((code, &answer["class"]), (409, &json!("not-on-server")), "{path}");
    }
    assert_eq!(
        refused(&served, "/v1/account/profile", &json!({"name": "Al"})),
        (409, "not-on-server".into())
    );
    assert_eq!(
        refused(&served, "/v1/account/devices/revoke", &json!({"device": "07".repeat(16)})).1,
        "not-on-server"
    );
    post(&served, "/v1/lock", &json!(null));
    let foreign = "0".repeat(recovery_key.len());
    let wrong = json!({"recovery_key": foreign, "password": new});
    assert_eq!(refused(&served, "/v1/account/recover", &wrong), (403, "wrong-recovery-key".into()));
    let weak = json!({"recovery_key": recovery_key, "password": "alice1"});
    assert_eq!(refused(&served, "/v1/account/recover", &weak), (400, "weak-password".into()));
    let right = json!({"recovery_key": recovery_key, "password": new});
    assert_eq!(post(&served, "/v1/account/recover", &right)["state"], "open");
    let shown = post(&served, "/v1/account/recovery-key", &json!({"password": new}));
    assert_eq!(shown["recovery_key"], recovery_key);
    served.end();
}

#[test]
fn a_new_recovery_key_takes_the_place_of_the_old_one() {
    let served = serve();
    let made =
        post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let old = &made["recovery_key"];
    let shown =
        || post(&served, "/v1/account/recovery-key", &json!({"password": GOOD}))["recovery_key"].clone();
    let wrong = json!({"password": "something else entirely"});
    assert_eq!(refused(&served, "/v1/account/recovery-key/new", &wrong), (403, "wrong-password".into()));
    assert_eq!(shown(), *old, "the old one stays");

    let replaced = post(&served, "/v1/account/recovery-key/new", &json!({"password": GOOD}));
    let notices = get(&served, "/v1/account")["notices"].to_string();
    assert!(notices.contains("recovery-key-unwritten"), "{notices}");
    let new = &replaced["recovery_key"];
    assert!(new != old && replaced.get("unsettled").is_none(), "{replaced}");
    assert_eq!(shown(), *new);
    let recover =
        |key: &serde_json::Value| json!({"recovery_key": key, "password": "zuppa inglese per undici"});
    assert_eq!(refused(&served, "/v1/account/recover", &recover(old)), (403, "wrong-recovery-key".into()));
    assert_eq!(post(&served, "/v1/account/recover", &recover(new))["state"], "open");
    served.end();
}

#[test]
fn a_file_carries_an_account_to_another_computer() {
    let first = serve();
    let made = post(&first, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let file = get(&first, "/v1/account/file")["file"].clone();
    first.end();

    let second = serve();
    let (code, nothing) = ask(&second, "GET", "/v1/account/file", &serde_json::Value::Null);
    assert_eq!((code, &nothing["class"]), (409, &json!("not-set-up")));
    for (wrong, expected) in [
        (json!({"file": "00", "password": GOOD}), (400, "bad-request")),
        (json!({"file": file, "password": "another one altogether"}), (403, "wrong-password")),
        (json!({"file": file, "password": GOOD, "account_key": "x"}), (400, "bad-request")),
        (
            json!({"file": file, "password": GOOD, "recovery_key": "0".repeat(34)}),
            (403, "wrong-recovery-key"),
        ),
        (
            json!({"file": file, "password": "alice1", "recovery_key": made["recovery_key"]}),
            (400, "weak-password"),
        ),
    ] {
        assert_eq!(
            refused(&second, "/v1/account/import", &wrong),
            (expected.0, expected.1.to_owned()),
            "{wrong}"
        );
        assert_eq!(get(&second, "/v1/account")["state"], "none", "nothing was made");
    }
    let taken = post(&second, "/v1/account/import", &json!({"file": file, "password": GOOD}));
    assert_eq!((&taken["state"], &taken["email"]), (&json!("open"), &json!("alice@example.com")));
    assert_eq!(taken["fingerprint"], made["account"]["fingerprint"]);
    let again = json!({"file": file, "password": GOOD});
    assert_eq!(refused(&second, "/v1/account/import", &again), (409, "already".into()));
    second.end();

    let third = serve();
    let new = "zuppa inglese per undici";
    let lost = json!({"file": file, "password": new, "recovery_key": made["recovery_key"]});
    assert_eq!(post(&third, "/v1/account/import", &lost)["state"], "open");
    let shown = post(&third, "/v1/account/recovery-key", &json!({"password": new}));
    assert_eq!(shown["recovery_key"], made["recovery_key"]);
    third.end();
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_behind() {
    let served = serve();
    // Nobody listens on port 1 of this computer.
    let server = "http://127.0.0.1:1";
    let new = json!({"email": "alice@example.com", "password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/register", &new), (502, "server-unreachable".into()));
    let known = json!({"email": "alice@example.com", "password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/login", &known), (502, "server-unreachable".into()));
    let half = json!({"password": GOOD, "server": server});
    assert_eq!(refused(&served, "/v1/account/login", &half), (400, "bad-request".into()));
    let key = json!({"email": "a@b.example", "server": server, "password": GOOD, "account_key": "no key"});
    assert_eq!(refused(&served, "/v1/account/login", &key), (400, "bad-request".into()));
    assert_eq!(get(&served, "/v1/account")["state"], "none");
    served.end();
}

#[test]
fn folders_are_looked_at_without_a_trace_then_added_and_removed() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("cloud/e"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("a.txt"), "twelve bytes").unwrap();
    std::fs::create_dir(work.join("sub")).unwrap();
    let pair = json!({"work": work, "encrypted": encrypted});
    assert_eq!(refused(&served, "/v1/folders/preview", &pair.clone()), (409, "not-set-up".into()));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));

    let preview = post(&served, "/v1/folders/preview", &pair.clone());
    assert_eq!(preview["missing"], json!([encrypted]));
    assert_eq!((&preview["is_join"], &preview["delete"]), (&json!(false), &json!(0)));
    assert_eq!((&preview["encrypt"], &preview["encrypt_bytes"]), (&json!(2), &json!(12)));
    assert!(!encrypted.exists() && !work.join(".ensafer").exists(), "nothing is made");
    assert_eq!(get(&served, "/v1/folders"), json!([]));

    for (work, encrypted, class) in [
        (json!("work"), json!(encrypted), "bad-request"),
        (json!(work), json!(work.join("sub")), "bad-request"),
        (json!(work.join("a.txt")), json!(encrypted), "bad-request"),
    ] {
        let body = json!({"work": work, "encrypted": encrypted});
        assert_eq!(refused(&served, "/v1/folders/preview", &body.clone()).1, class, "{body}");
        assert_eq!(refused(&served, "/v1/folders/add", &body.clone()).1, class, "{body}");
    }
    assert_eq!(refused(&served, "/v1/folders/add", &pair).1, "missing-directory");
    let wanted = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let added = post(&served, "/v1/folders/add", &wanted.clone());
    assert_eq!(added["work"], json!(work));
    assert_eq!(std::fs::read_dir(&encrypted).unwrap().count(), 1, "its roster");
    assert_eq!(refused(&served, "/v1/folders/add", &wanted).1, "already");
    assert_eq!(served.fake.calls.lock().unwrap().last().unwrap(), "reload");

    for (path, class) in
        [("../x", "bad-request"), ("/etc/passwd", "bad-request"), ("gone.txt", "missing-directory")]
    {
        let body = json!({"folder": added["id"], "side": "work", "path": path});
        assert_eq!(refused(&served, "/v1/folders/open", &body).1, class, "{path}");
    }

    // Another work folder for the same encrypted one would join it: the dry run sees both sides.
    let folder = added["id"].clone();
    post(&served, "/v1/folders/remove", &json!({"folder": folder}));
    assert_eq!(refused(&served, "/v1/folders/remove", &json!({"folder": folder})).1, "bad-request");
    assert!(work.join("a.txt").exists());
    let other = root.join("other");
    let preview = post(&served, "/v1/folders/preview", &json!({"work": other, "encrypted": encrypted}));
    assert_eq!((&preview["is_join"], &preview["role"]), (&json!(true), &json!("owner")));
    assert_eq!((&preview["encrypt"], &preview["decrypt"]), (&json!(0), &json!(0)));
    assert!(!other.exists());
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("new.txt"), "four").unwrap();
    let preview = post(&served, "/v1/folders/preview", &json!({"work": other, "encrypted": encrypted}));
    assert_eq!((&preview["encrypt"], &preview["encrypt_bytes"]), (&json!(1), &json!(4)), "{preview}");
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1, "nothing is made");
    assert_eq!(std::fs::read_dir(&encrypted).unwrap().count(), 1, "its roster");
    let cache: Vec<_> = std::fs::read_dir(served.shell.home.cache_dir()).unwrap().flatten().collect();
    assert!(cache.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("preview")));
    served.end();
}

#[test]
fn directories_are_shown_to_choose_one() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("a b&c/inner")).unwrap();
    let shown = get(&served, &format!("/v1/directories?path={}/a%20b%26c/", root.display()));
    assert_eq!(shown["path"], json!(root.join("a b&c")));
    assert_eq!(shown["parent"], json!(root));
    assert_eq!(shown["directories"], json!([{"name": "inner", "is_hidden": false}]));
    assert!(get(&served, "/v1/directories")["path"].is_string(), "the home directory");
    let class = |path: &str| {
        let path = format!("/v1/directories?path={path}");
        ask(&served, "GET", &path, &json!(null)).1["class"].as_str().unwrap().to_owned()
    };
    assert_eq!(class("relative"), "bad-request");
    assert_eq!(class(root.join("nowhere").to_str().unwrap()), "missing-directory");
    served.end();
}

#[test]
fn what_the_system_refuses_has_failed_and_is_not_forbidden() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    // /proc takes no new files, not even from root.
    let read_only = json!({"work": work, "encrypted": "/proc/self/fd"});
    assert_eq!(refused(&served, "/v1/folders/preview", &read_only), (500, "failed".into()));
    let pair = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let folder = post(&served, "/v1/folders/add", &pair)["id"].clone();
    std::fs::remove_dir_all(&work).unwrap();
    let open = json!({"folder": folder, "side": "work"});
    assert_eq!(refused(&served, "/v1/folders/open", &open), (409, "missing-directory".into()));

    // That is for the user to decide: the directory says that it is another folder's.
    let (marked, empty) = (root.join("marked"), root.join("empty"));
    post(&served, "/v1/folders/remove", &json!({"folder": folder}));
    let made = json!({"work": marked, "encrypted": empty, "create_missing": true});
    post(&served, "/v1/folders/add", &made);
    let marker = std::fs::read(marked.join(".ensafer/folder")).unwrap();
    let copied = root.join("copied");
    std::fs::create_dir_all(copied.join(".ensafer")).unwrap();
    std::fs::write(copied.join(".ensafer/folder"), marker).unwrap();
    let other = json!({"work": copied, "encrypted": encrypted});
    assert_eq!(refused(&served, "/v1/folders/preview", &other), (403, "not-allowed".into()));
    served.end();
}

#[test]
fn a_dry_run_of_a_new_folder_ends_when_nobody_waits_for_it() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("a.txt"), "text").unwrap();
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let wanted = Wanted { work: &work, encrypted: &encrypted, owner: None, expected: None };
    let count = |cancelled| {
        let cancelled = AtomicBool::new(cancelled);
        pairs::preview(&served.shell, &*served.fake.vault, wanted, &cancelled).unwrap()
    };
    assert_eq!(count(false).unwrap().encrypt, 1);
    assert_eq!(count(true), None);
    served.end();
}

/// Between the dry run and the word of the user something may arrive.
#[test]
fn a_folder_that_does_not_let_go_keeps_nobody_from_adding_another() {
    let served = serve();
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let root = served.shell.home.data_dir().parent().unwrap().canonicalize().unwrap();
    let pair = |name: &str| {
        let [work, encrypted] = ["work", "cloud"].map(|kind| root.join(format!("{kind} {name}")));
        json!({"work": work, "encrypted": encrypted, "create_missing": true})
    };
    let folder = post(&served, "/v1/folders/add", &pair("one"))["id"].clone();
    let (let_go, held) = mpsc::channel();
    *served.fake.held.lock().unwrap() = Some(held);
    let state = served.shell.home.data_dir().join("folders").join(folder.as_str().unwrap());
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| post(&served, "/v1/folders/remove", &json!({"folder": folder})));
        // The list is read again when the folder is off it.
        while served.fake.held.lock().unwrap().is_some() {
            std::thread::yield_now();
        }
        let (answered, answer) = mpsc::channel();
        let served = &served;
        scope.spawn(move || answered.send(post(served, "/v1/folders/add", &pair("two"))));
        let added = answer.recv_timeout(Duration::from_secs(60));
        assert!(state.exists(), "it is in use");
        let_go.send(()).unwrap();
        removed.join().unwrap();
        added.expect("it was added meanwhile");
    });
    assert!(!state.exists());
    served.end();
}

#[test]
fn what_is_added_is_what_was_looked_at() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted, other) = (root.join("work"), root.join("cloud/e"), root.join("new/other"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let pair = json!({"work": work, "encrypted": encrypted});
    assert!(post(&served, "/v1/folders/preview", &pair)["folder"].is_null(), "it would be a new one");
    let add = |work: &Path, expected: serde_json::Value| json!({"work": work, "encrypted": encrypted, "create_missing": true, "expected": expected});
    let some = json!({"folder": "07".repeat(16)});
    assert_eq!(refused(&served, "/v1/folders/add", &add(&work, some.clone())).1, "retry-later");
    assert!(!work.exists() && !root.join("cloud").exists(), "nothing was made in vain");
    let id = post(&served, "/v1/folders/add", &add(&work, json!("new")))["id"].clone();
    post(&served, "/v1/folders/remove", &json!({"folder": id}));

    let again = json!({"work": other, "encrypted": encrypted});
    assert_eq!(post(&served, "/v1/folders/preview", &again)["folder"], id);
    for unexpected in [json!("new"), some] {
        assert_eq!(refused(&served, "/v1/folders/add", &add(&other, unexpected)).1, "retry-later");
        assert!(!root.join("new").exists(), "nothing was made in vain");
    }
    assert_eq!(post(&served, "/v1/folders/add", &add(&other, json!({"folder": id})))["id"], id);
    served.end();
}

/// The cloud client may show one directory in two places, and somebody may copy it.
#[test]
fn a_folder_is_not_added_in_a_second_place() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let pair = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let folder = post(&served, "/v1/folders/add", &pair)["id"].clone();
    let (other_work, copy) = (root.join("other"), root.join("copy"));
    for directory in [&other_work, &copy] {
        std::fs::create_dir(directory).unwrap();
    }
    for entry in std::fs::read_dir(&encrypted).unwrap().flatten() {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let again = json!({"work": other_work, "encrypted": copy});
    for path in ["/v1/folders/preview", "/v1/folders/add"] {
        let (code, answer) = ask(&served, "POST", path, &again);
        assert_eq!((code, &answer["class"]), (409, &json!("already")), "{path}: {answer}");
        assert!(answer["what"].as_str().unwrap().contains(work.to_str().unwrap()), "{answer}");
    }
    let listed = Folders::load(served.shell.home.data_dir()).unwrap();
    assert_eq!(
        json!(listed.entries()[0].report()),
        json!({"id": folder, "work": work, "encrypted": encrypted})
    );
    assert_eq!(listed.entries().len(), 1);
    served.end();
}

#[test]
fn settings_keep_what_somebody_wrote() {
    let served = serve();
    let file = served.shell.home.config_file();
    std::fs::write(&file, "# mine\nsettle_ms = 50 # why\n").unwrap();
    let shown = get(&served, "/v1/settings");
    let find = |shown: &serde_json::Value, key: &str| {
        shown["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap().clone()
    };
    let days = find(&shown, "trash_days");
    assert_eq!(
        (&days["kind"], &days["value"], &days["most"]),
        (&json!("number"), &json!("30"), &json!(3650))
    );
    let changed = post(&served, "/v1/settings", &json!({"key": "trash_days", "value": "7"}));
    assert_eq!(
        (find(&changed, "trash_days")["value"].as_str(), &changed["needs_restart"]),
        (Some("7"), &json!(true))
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("# mine\nsettle_ms = 50 # why") && text.contains("trash_days = 7"), "{text}");
    for (key, value) in
        [("trash_days", "many"), ("trash_days", "4000"), ("pbkdf2_iterations", "700000"), ("nope", "1")]
    {
        let body = json!({"key": key, "value": value});
        assert_eq!(refused(&served, "/v1/settings", &body), (400, "bad-request".into()), "{key} {value}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    served.end();
}

#[test]
fn people_need_an_account_a_folder_and_a_server() {
    let served = serve();
    let folder = "07".repeat(16);
    let find = json!({"email": "bob@example.com"});
    assert_eq!(refused(&served, "/v1/people/find", &find.clone()).1, "not-set-up");
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    assert_eq!(refused(&served, "/v1/people/find", &find).1, "not-on-server");
    let owner = json!({"folder": folder, "email": "bob@example.com", "role": "owner"});
    assert_eq!(refused(&served, "/v1/people/add", &owner).1, "bad-request");
    let (code, answer) = ask(&served, "GET", &format!("/v1/people?folder={folder}"), &json!(null));
    assert_eq!((code, &answer["class"]), (400, &json!("bad-request")));

    let root = served.path.parent().unwrap();
    let pair = json!({"work": root.join("w"), "encrypted": root.join("e"), "create_missing": true});
    let folder = post(&served, "/v1/folders/add", &pair)["id"].as_str().unwrap().to_owned();
    let people = get(&served, &format!("/v1/people?folder={folder}"));
    assert_eq!((&people["role"], &people["may_administer"]), (&json!("owner"), &json!(true)));
    let own = &people["members"][0];
    assert_eq!((&own["login"], &own["standing"]), (&json!("alice@example.com"), &json!("self")));
    for (path, body) in [
        ("/v1/people/remove", json!({"folder": folder, "member": own["identity"]})),
        ("/v1/people/role", json!({"folder": folder, "member": own["identity"], "role": "reader"})),
        ("/v1/people/leave", json!({"folder": folder})),
    ] {
        assert_eq!(refused(&served, path, &body), (403, "not-allowed".into()), "{path}");
    }
    let stranger = json!({"folder": folder, "member": "ab".repeat(32)});
    assert_eq!(refused(&served, "/v1/people/remove", &stranger).1, "bad-request");
    served.end();
}

#[test]
fn a_name_does_not_turn_the_words_of_a_refusal() {
    let login = "al\u{202e}ice@example.com".parse().unwrap();
    let refusal = refusals::refusal_of(&AccountError::NotOnServer { login }.into());
    assert!(refusal.what.contains("al\u{fffd}ice@example.com"), "{refusal:?}");
}

#[test]
fn documents_are_json_and_refusals_too() {
    let served = serve();
    let (code, answer) = ask(&served, "POST", "/v1/pause", &json!({"until": 1}));
    assert_eq!((code, &answer["class"]), (422, &json!("bad-request")));
    let mut stream = UnixStream::connect(&served.path).unwrap();
    let form = "POST /v1/account/register HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(form.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    served.end();
}
