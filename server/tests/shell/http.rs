//! HTTP/1.1 by hand, so that what is wrong on purpose gets out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ensafer_core::api::server::Problem;

pub type Address = SocketAddr;

/// Longer than any server here may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The problem's word, once everything about it is right.
    pub fn problem(&self) -> &'static str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        problem.kind().unwrap().word()
    }
}

pub fn connect(address: Address) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads one answer.
pub fn read(stream: &mut impl Read) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    };
    let status = line()?.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut answer = Answer { status, headers, body: String::new() };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    answer.body = String::from_utf8(body).unwrap();
    Ok(answer)
}

/// Sends a request of these lines, and `body` with its length if there is one, and reads the answer.
pub fn request(stream: &mut (impl Read + Write), lines: &[&str], body: Option<&str>) -> Answer {
    let mut text = lines.join("\r\n") + "\r\nHost: localhost\r\n";
    if let Some(body) = body {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body.unwrap_or_default();
    stream.write_all(text.as_bytes()).unwrap();
    read(stream).unwrap()
}

pub fn get(address: Address, path: &str) -> Answer {
    request(&mut connect(address), &[&format!("GET {path} HTTP/1.1")], None)
}

pub fn post(address: Address, path: &str, body: &str) -> Answer {
    let lines = [&format!("POST {path} HTTP/1.1"), "Content-Type: application/json"];
    request(&mut connect(address), &lines, Some(body))
}

/// A request whose handler waits for a body that does not come.
pub fn hang(address: Address, length: usize) -> TcpStream {
    let mut stream = connect(address);
    let head = format!(
        "POST /v1/login/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body once the handler does.
    assert_eq!(read(&mut stream).unwrap().status, 100);
    stream
}
