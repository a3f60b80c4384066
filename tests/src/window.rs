//! What the window does: requests of the local API, one connection each.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::{Device, Running, wait};

/// The window of a device whose daemon runs in this test's own hands.
#[derive(Debug)]
pub struct Window {
    socket: PathBuf,
    daemon: Running,
}

impl Window {
    /// Starts the daemon of a device on which nobody types a password anywhere but in the window.
    #[track_caller]
    #[must_use]
    pub fn open(device: &Device) -> Self {
        let mut command = device.command(&["daemon"]);
        command.env_remove("ENSAFER_PASSWORD_COMMAND").env("ENSAFER_LOG", "trace");
        let daemon = Running::start(&mut command);
        let record = device.home.join("data/daemon.lock");
        let socket = wait::until("the daemon listens", || {
            let record: Value = serde_json::from_slice(&fs::read(&record).ok()?).ok()?;
            let socket = PathBuf::from(record["socket"].as_str()?);
            UnixStream::connect(&socket).ok().map(|_| socket)
        });
        Self { socket, daemon }
    }

    /// Ends the daemon; what it logged.
    #[track_caller]
    #[must_use]
    pub fn close(self) -> String {
        self.post("/v1/quit", &Value::Null);
        let ended = self.daemon.finish().expect(0);
        format!("{}{}", ended.stdout, ended.stderr)
    }

    /// A question that is answered.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        answered(path, self.ask("GET", path, &Value::Null))
    }

    /// A wish that is fulfilled.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        answered(path, self.ask("POST", path, body))
    }

    /// A wish that is refused: the refusal.
    #[track_caller]
    #[must_use]
    pub fn refused(&self, path: &str, body: &Value) -> Value {
        let (code, answer) = self.ask("POST", path, body);
        assert!(code >= 400, "{path} is not refused: {answer}");
        assert!(answer["what"].as_str().is_some_and(|what| !what.is_empty()), "{answer}");
        answer
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: ensafer\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        (code, serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}")))
    }
}

#[track_caller]
fn answered(path: &str, (code, answer): (u16, Value)) -> Value {
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}
