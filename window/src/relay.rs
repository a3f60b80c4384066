//! The page's requests on their way to the daemon. Nothing here knows of the desktop; each request has a thread.

use std::io::{self, PipeReader, Write};

use ensafer_client::error::chain;
use ensafer_client::file_watch::FileWatch;
use ensafer_client::home::Home;
use ensafer_client::launch::{LaunchError, installed, launch};
use ensafer_client::local_api::{self, Asked, Client, ClientError};
use ensafer_core::api::local::{Refusal, RefusalClass};

/// The request by which the page follows the daemon.
const EVENTS: &str = "/v1/events";
/// The request that begins syncing: with a daemon, if there is none, as `ensafer start` does.
const START: &str = "/v1/start";

/// What the page gets to know.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, as the daemon sent them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// What is in an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// Its pieces as they come.
    Stream(PipeReader),
}

impl Answer {
    /// The value of a header, whose name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Why the page gets no answer. To it that is a network which does not work.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The daemon gives none.
    #[error("{}", chain(.0))]
    Daemon(#[from] ClientError),
    /// No daemon can be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The system does not let the window wait for a daemon, or pass pieces on.
    #[error("{}", chain(.0))]
    System(#[from] io::Error),
}

/// Asks the daemon of `home`, and calls `give` once with what came of it. For a stream this goes on until either side
/// has ended it.
///
/// While no daemon runs, every request fails at once, except two. That for events waits until a daemon has come
/// (inotify), so that a page which lost its daemon need not ask again and again. That which begins syncing launches one.
pub fn pass_on(home: &Home, asked: Asked, give: impl FnOnce(Result<Answer, RelayError>)) {
    let client = match connect(home, &asked.target) {
        Ok(client) => client,
        Err(RelayError::Launch(error)) => return give(Ok(refusal(&error))),
        Err(error) => return give(Err(error)),
    };
    match client.pass_on(asked) {
        Err(error) => give(Err(error.into())),
        Ok(answer) if answer.is_stream() => stream(answer, give),
        Ok(answer) => {
            let (status, headers) = (answer.status, answer.headers.clone());
            let body = answer.into_body().map(Body::Whole);
            give(body.map(|body| Answer { status, headers, body }).map_err(RelayError::from));
        }
    }
}

/// Hands pieces on until the daemon ends the stream, or the page no longer reads it.
fn stream(mut answer: local_api::Answer<'_>, give: impl FnOnce(Result<Answer, RelayError>)) {
    let (reader, mut writer) = match io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => return give(Err(error.into())),
    };
    let headers = std::mem::take(&mut answer.headers);
    give(Ok(Answer { status: answer.status, headers, body: Body::Stream(reader) }));
    // The page sees either end as the end of the stream: what it had then is over.
    while let Ok(Some(piece)) = answer.next_piece() {
        if writer.write_all(&piece).is_err() {
            return;
        }
    }
}

fn connect(home: &Home, target: &str) -> Result<Client, RelayError> {
    match target {
        EVENTS => wait_for_daemon(home),
        START => match Client::connect_if_running(home)? {
            Some(client) => Ok(client),
            None => Ok(launch(home, &installed("ensafer"))?),
        },
        _ => Ok(Client::connect(home)?),
    }
}

/// What the page shows where the daemon itself cannot say anything.
fn refusal(error: &LaunchError) -> Answer {
    let refusal = Refusal {
        class: RefusalClass::Failed,
        what: chain(error),
        remedy: error.remedy().map(str::to_owned),
        about: None,
    };
    let body = serde_json::to_vec(&refusal).expect("a refusal has texts only");
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Answer { status: 500, headers, body: Body::Whole(body) }
}

/// Connects, once there is a daemon.
fn wait_for_daemon(home: &Home) -> Result<Client, RelayError> {
    loop {
        // Watched before it is looked at: nothing is missed between the two.
        let record = FileWatch::new(&home.lock_file())?;
        match Client::connect(home) {
            Err(ClientError::NotRunning) => record.wait(None)?,
            connected => return Ok(connected?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::{fs, thread};

    use super::*;

    fn ask(home: &Home, target: &str) -> Receiver<Result<Answer, RelayError>> {
        let (sender, answer) = channel();
        let (home, target) = (home.clone(), target.to_owned());
        let asked = Asked { method: "GET".into(), target, content_type: None, body: Vec::new().into() };
        // A test that is over wants no answer.
        thread::spawn(move || pass_on(&home, asked, |answer| drop(sender.send(answer))));
        answer
    }

    /// Listens as the daemon of `home`, and gives `answer` to the first request.
    fn start_daemon(home: &Home, answer: &'static str) -> thread::JoinHandle<()> {
        let socket = home.data_dir().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let record = serde_json::json!({"process_id": 1, "socket": socket});
        fs::write(home.lock_file(), record.to_string()).unwrap();
        thread::spawn(move || {
            // Whoever connects first only looks whether somebody listens.
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        })
    }

    #[test]
    fn events_wait_for_a_daemon_and_end_with_it() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let status = ask(&home, "/v1/status").recv().unwrap();
        assert!(matches!(status, Err(RelayError::Daemon(ClientError::NotRunning))), "{status:?}");

        let events = ask(&home, EVENTS);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-own: 1\r\n\
                      transfer-encoding: chunked\r\n\r\n4\r\nev\n\n\r\n";
        let daemon = start_daemon(&home, answer);
        let events = events.recv().unwrap().unwrap();
        assert_eq!((events.status, events.header("x-own")), (200, Some("1")));
        let Body::Stream(mut pieces) = events.body else { panic!("all at once") };
        let mut text = String::new();
        // The daemon ends in the middle of its answer.
        pieces.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ev\n\n");
        daemon.join().unwrap();
    }

    #[test]
    fn what_is_not_a_stream_comes_as_a_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::under(root.path());
        home.create().unwrap();
        let daemon = start_daemon(&home, "HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}");
        let answer = ask(&home, "/v1/status").recv().unwrap().unwrap();
        daemon.join().unwrap();
        assert_eq!(answer.status, 409);
        assert!(matches!(answer.body, Body::Whole(bytes) if bytes == b"{}"));

        fs::remove_file(home.data_dir().join("socket")).unwrap();
        let daemon = start_daemon(&home, "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{");
        assert!(matches!(ask(&home, "/v1/status").recv().unwrap(), Err(RelayError::Daemon(_))));
        daemon.join().unwrap();
    }
}
