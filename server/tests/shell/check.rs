//! `config check`, and what it says about a mail server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

use crate::process::run;

/// A mail server for one talk, which answers `AUTH` so. Gives what it was told.
fn mail_server(to_auth: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = String::new();
        stream.write_all(b"220 localhost\r\n").unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { break };
            heard += &line;
            let answer = match line.split(' ').next().unwrap() {
                "EHLO" => "250-localhost\r\n250 AUTH PLAIN\r\n".to_owned(),
                "AUTH" => format!("{to_auth}\r\n"),
                "QUIT" => break,
                _ => "250 ok\r\n".to_owned(),
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        heard
    });
    (port, talk)
}

struct Settings {
    directory: TempDir,
}

impl Settings {
    fn new(port: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let password = directory.path().join("password");
        fs::write(&password, "hunter2\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "[server]\ndata = {:?}\n[mail]\ntransport = \"smtp\"\nfrom = \"a@example.org\"\nhost = \"127.0.0.1\"\n\
             port = {port}\nsecurity = \"none\"\nuser = \"keys\"\npassword_file = {password:?}\n",
            directory.path().join("data")
        );
        fs::write(directory.path().join("server.toml"), text).unwrap();
        Self { directory }
    }

    fn check(&self) -> (Option<i32>, String) {
        let file = self.directory.path().join("server.toml");
        let output = run(&["config", "check", "--config", file.to_str().unwrap()]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn all_is_well() {
    let (port, talk) = mail_server("235 welcome");
    let settings = Settings::new(port);
    let (code, text) = settings.check();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ok    mail: logged in to the mail server\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("ok    ")).count(), 5, "{text}");
    assert!(!settings.directory.path().join("data").exists(), "checking makes nothing");
    assert!(talk.join().unwrap().contains("AUTH PLAIN"));
}

#[test]
fn a_wrong_password_is_reported_with_a_remedy() {
    let (port, talk) = mail_server("535 5.7.8 go away");
    let (code, text) = Settings::new(port).check();
    assert_eq!(code, Some(1), "{text}");
    let line = text.lines().find(|line| line.starts_with("FAIL  mail: ")).unwrap();
    assert!(
        line.contains("refused the user name or the password") && line.contains("mail.password_file"),
        "{line}"
    );
    assert!(line.contains("535") && !text.contains("hunter2"), "{line}");
    talk.join().unwrap();
}

#[test]
fn a_mail_server_that_is_not_there_is_reported() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, text) = Settings::new(port).check();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("FAIL  mail: the mail server cannot be reached: check mail.host, mail.port"),
        "{text}"
    );
}

#[test]
fn wrong_settings_and_a_dead_database_are_reported() {
    let output = run(&["config", "check", "--data", "/tmp/x", "--set", "limits.connections=0"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("FAIL  settings: limits.connections = 0 is not between 1 and 1000000"),
        "{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("server.db")).unwrap();
    let output = run(&["config", "check", "--data", dir.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("FAIL  database: "), "{text}");
}
