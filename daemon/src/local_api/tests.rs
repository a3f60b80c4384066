//! Server and client over a real socket.

mod account;
mod folders;
mod socket;

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
