//! A proxy for HTTPS (`CONNECT`, RFC 9110 section 9.3.6) that leads wherever it is asked to one and the same server.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A running proxy. Its thread ends with the test's process.
pub struct Proxy {
    /// What clients are told: `http://127.0.0.1:PORT`.
    pub url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts a proxy whose every tunnel ends at `address`.
    #[must_use]
    pub fn start(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (address, lines) = (address.to_owned(), heard.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (address, lines) = (address.clone(), lines.clone());
                // A client that hangs up ends its own tunnel only.
                thread::spawn(move || tunnel(client, &address, &lines));
            }
        });
        Self { url, heard }
    }

    /// The request lines so far.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tunnel(mut client: TcpStream, address: &str, lines: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| !line.trim().is_empty()) {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        head.push(line);
    }
    lines.lock().unwrap_or_else(PoisonError::into_inner).push(head.swap_remove(0));
    let server = TcpStream::connect(address)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from_server, mut to_server, mut to_client) = (server.try_clone()?, server, client);
    let back = thread::spawn(move || {
        let copied = io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(Shutdown::Both).and(copied.map(drop))
    });
    io::copy(&mut reader, &mut to_server)?;
    to_server.shutdown(Shutdown::Write)?;
    // How the other direction ended is the client's to notice.
    let _ = back.join();
    Ok(())
}
