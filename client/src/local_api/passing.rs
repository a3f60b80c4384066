//! Requests that another program made, as the window's page does, passed on to the daemon as they are.

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use zeroize::Zeroizing;

use super::{Client, ClientError, JSON};

/// What belongs to one connection (RFC 9110 section 7.6.1) or to how long a body is there: whoever passes an answer on
/// sends its own.
const OF_CONNECTION: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// A request. Its body may be a password: it is wiped when it was sent.
#[derive(Debug)]
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What the body is; JSON unless told.
    pub content_type: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// What came back, the body still to be read.
#[derive(Debug)]
pub struct Answer<'a> {
    client: &'a Client,
    /// The status code.
    pub status: u16,
    /// The headers, but for those of the connection.
    pub headers: Vec<(String, String)>,
    body: Incoming,
}

impl Client {
    /// Passes a request on, and waits for the beginning of the answer, however long that takes. Refusals are answers.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NoRequest`] where it cannot be sent at all.
    pub fn pass_on(&self, asked: Asked) -> Result<Answer<'_>, ClientError> {
        let method = Method::from_bytes(asked.method.as_bytes()).map_err(|_| ClientError::NoRequest)?;
        let content_type = asked.content_type.as_deref().unwrap_or(JSON);
        if asked.target.parse::<PathAndQuery>().is_err() || HeaderValue::from_str(content_type).is_err() {
            return Err(ClientError::NoRequest);
        }
        let sent = self.send(method, &asked.target, content_type, Bytes::from_owner(asked.body));
        let response = self.runtime.block_on(sent)?;
        let (head, body) = response.into_parts();
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = head.headers.iter().filter(|(name, _)| !OF_CONNECTION.contains(&name.as_str()));
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
        Ok(Answer { client: self, status: head.status.as_u16(), headers, body })
    }
}

impl Answer<'_> {
    /// The value of a header, whose name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the body comes in pieces, for as long as the daemon has something to tell.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|media_type| media_type.starts_with("text/event-stream"))
    }

    /// Waits for the whole body.
    ///
    /// # Errors
    /// [`ClientError::Http`] where it breaks off.
    pub fn into_body(self) -> Result<Vec<u8>, ClientError> {
        Ok(self.client.runtime.block_on(self.body.collect())?.to_bytes().into())
    }

    /// Waits for the body's next piece; `None` at its end.
    ///
    /// # Errors
    /// [`ClientError::Http`] where it breaks off.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let frame = self.client.runtime.block_on(self.body.frame()).transpose()?;
        Ok(frame.map(|frame| frame.into_data().map_or_else(|_| Vec::new(), Vec::from)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// Status, body, and whether that came in pieces.
    type Answered = Result<(u16, Vec<u8>, bool), ClientError>;

    /// Answers one request with `answer`, and gives back what was asked.
    fn ask(asked: Asked, answer: &'static str) -> (Answered, String) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = thread::spawn(move || {
            // Whoever connects first only looks whether somebody listens.
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(head).unwrap()
        });
        let client = Client::connect_to(&path).unwrap();
        let answered = client.pass_on(asked).and_then(|answer| {
            let (status, is_stream) = (answer.status, answer.is_stream());
            assert_eq!(answer.header("transfer-encoding"), None);
            Ok((status, answer.into_body()?, is_stream))
        });
        if answered.is_err() {
            // Nothing was sent.
            drop(std::os::unix::net::UnixStream::connect(&path));
        }
        (answered, daemon.join().unwrap())
    }

    fn get(target: &str) -> Asked {
        let (method, target) = ("GET".to_owned(), target.to_owned());
        Asked { method, target, content_type: None, body: Zeroizing::default() }
    }

    #[test]
    fn answers_come_as_they_are() {
        let refusal =
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let (answered, asked) = ask(get("/v1/people?folder=ab"), refusal);
        assert_eq!(answered.unwrap(), (409, b"{}".to_vec(), false));
        assert!(asked.starts_with("GET /v1/people?folder=ab HTTP/1.1\r\n"), "{asked}");
        let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
                      3\r\na\n\n\r\n0\r\n\r\n";
        assert_eq!(ask(get("/v1/events"), events).0.unwrap(), (200, b"a\n\n".to_vec(), true));
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{";
        assert!(matches!(ask(get("/v1/status"), half).0, Err(ClientError::Http(_))));
    }

    #[test]
    fn what_is_no_request_is_not_sent() {
        for asked in [get("/v1/a b"), Asked { method: "GE T".into(), ..get("/") }] {
            let (answered, sent) = ask(asked, "");
            assert!(matches!(answered, Err(ClientError::NoRequest)));
            assert_eq!(sent, "");
        }
    }
}
