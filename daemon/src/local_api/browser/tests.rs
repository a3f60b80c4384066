//! The door over real connections: what our own page may, and what others may not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use ensafer_client::home::Home;
use ensafer_core::status::State;
use tokio::runtime::Runtime;

use super::*;
use crate::config::{Config, Keyring};
use crate::local_api::server::{Desk, Door, router};
use crate::local_api::tests::Fake;
use crate::output::Output;
use crate::shell::Shell;
use crate::vault::ShellVault;

const LONG: Limits = Limits { link: Duration::from_secs(3600), idle: Duration::from_secs(3600) };
const NONE: Limits = Limits { link: Duration::ZERO, idle: Duration::ZERO };

struct Opened {
    browser: Arc<Browser>,
    door: Door,
    quit: QuitSignal,
    runtime: Runtime,
    _home: tempfile::TempDir,
}

fn open(limits: Limits) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::under(directory.path());
    home.create().unwrap();
    let config = Config { keyring: Keyring::Off, ..Config::default() };
    let shell = Shell::new(home, config, Output::new(true));
    let vault = Arc::new(ShellVault::new(&shell, false));
    let quit = QuitSignal::default();
    let control = Fake::new(quit.clone(), vault.clone());
    let browser = Arc::new(Browser::new(limits, &shell.home, quit.clone()));
    let door = Door { browser: browser.clone(), ..Door::new(Desk { shell, vault, control }, quit.clone()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    Opened { browser, door, quit, runtime, _home: directory }
}

impl Opened {
    /// The authority and the token.
    fn invite(&self) -> (String, String) {
        let _inside = self.runtime.enter();
        let door = self.door.clone();
        let visit = self.browser.invite(|| router(door)).unwrap();
        let (authority, token) = visit.address.0.strip_prefix("http://").unwrap().split_once("/#").unwrap();
        (authority.to_owned(), token.to_owned())
    }

    fn visit(&self) -> Page {
        let (authority, token) = self.invite();
        let answer = claim(&authority, &token);
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let key: ClaimAnswer = serde_json::from_str(&answer.body).unwrap();
        Page { authority, cookie, key: key.key.0.clone() }
    }
}

/// A page that was let in.
struct Page {
    authority: String,
    cookie: String,
    key: String,
}

impl Page {
    /// What a browser sends for it.
    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("host", self.authority.clone()),
            ("origin", format!("http://{}", self.authority)),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("cookie", format!("other=1; {}", self.cookie)),
            (guard::KEY_HEADER, self.key.clone()),
        ]
    }

    fn ask(&self, line: &str) -> Answer {
        ask(&self.authority, line, &self.headers(), "null")
    }

    /// The same request with other headers; an empty one is left out.
    fn ask_with(&self, line: &str, changes: &[(&'static str, &str)]) -> Answer {
        let mut headers = self.headers();
        headers.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let added = changes.iter().filter(|(_, value)| !value.is_empty());
        headers.extend(added.map(|(name, value)| (*name, (*value).to_owned())));
        ask(&self.authority, line, &headers, "null")
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn send(authority: &str, line: &str, headers: &[(&'static str, String)], body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(authority).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length =
        if line.starts_with("GET") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let body = if line.starts_with("GET") { "" } else { body };
    let head = format!("{line} HTTP/1.1\r\n{headers}connection: close\r\n{length}\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    stream
}

fn ask(authority: &str, line: &str, headers: &[(&'static str, String)], body: &str) -> Answer {
    let mut text = String::new();
    send(authority, line, headers, body).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {line}: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn claim(authority: &str, token: &str) -> Answer {
    claim_with(authority, token, "other=1")
}

/// As a browser does that has these cookies.
fn claim_with(authority: &str, token: &str, cookies: &str) -> Answer {
    let headers = [
        ("cookie", cookies.to_owned()),
        ("host", authority.to_owned()),
        ("origin", format!("http://{authority}")),
        ("content-type", "application/json".to_owned()),
    ];
    ask(authority, "POST /claim", &headers, &format!("{{\"token\":\"{token}\"}}"))
}

#[test]
fn a_page_that_was_let_in_drives_the_daemon() {
    let opened = open(LONG);
    let page = opened.visit();
    let status = page.ask("GET /v1/status");
    assert_eq!(status.status, 200);
    assert!(status.body.contains("\"locked\""), "{}", status.body);
    assert_eq!(page.ask("POST /v1/start").status, 200);
    assert!(page.ask("GET /v1/status").body.contains("\"checking\""));
    // Another tab has a visit of its own, and the browser sends both cookies.
    let other = opened.visit();
    assert_eq!(other.authority, page.authority, "one port for all");
    let both = format!("{}; {}", page.cookie, other.cookie);
    assert_eq!(page.ask_with("GET /v1/status", &[("cookie", &both)]).status, 200);
    assert_eq!(other.ask_with("GET /v1/status", &[("cookie", &both)]).status, 200);
}

#[test]
fn cookies_of_visits_that_have_ended_are_cleared_away() {
    let opened = open(LONG);
    let page = opened.visit();
    let (name, _) = page.cookie.split_once('=').unwrap();
    let home = name.rsplit_once('-').unwrap().0;
    // One of a daemon that has ended, one of another home's, and one of a page that is still there.
    let cookies = format!("{home}-old=1; ensafer-elsewhere-old=2; other=3; {}", page.cookie);
    let (authority, token) = opened.invite();
    let answer = claim_with(&authority, &token, &cookies);
    let set = answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let cleared: Vec<&str> = set.filter(|cookie| cookie.contains("Max-Age=0")).collect();
    assert_eq!(cleared, [format!("{home}-old=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict")]);
    assert_eq!(page.ask("GET /v1/status").status, 200);
}

#[test]
fn every_answer_is_closed_to_other_pages() {
    let opened = open(LONG);
    let page = opened.visit();
    let page_itself = page.ask_with("GET /", &[("cookie", ""), (guard::KEY_HEADER, ""), ("origin", "")]);
    assert!(page_itself.body.starts_with("<!doctype html>"), "it needs no secret and has none");
    let refused = page.ask_with("GET /v1/status", &[("host", "evil.example")]);
    for answer in [&page_itself, &page.ask("GET /ui/app.js"), &page.ask("GET /v1/status"), &refused] {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!(page.ask("GET /ui/text/en.js").header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(page.ask("GET /ui/../Cargo.toml").status, 404);
}

/// Any user of the computer can connect to the port.
#[test]
fn whoever_only_finds_the_port_gets_nothing() {
    let opened = open(LONG);
    let page = opened.visit();
    for (method, path) in guard::ALLOWED {
        let line = format!("{method} {path}");
        for stolen in [vec![guard::KEY_HEADER], vec!["cookie"], vec!["cookie", guard::KEY_HEADER]] {
            let without: Vec<_> = stolen.iter().map(|name| (*name, "")).collect();
            let answer = page.ask_with(&line, &without);
            assert_eq!(answer.status, 401, "{line} without {stolen:?}: {answer:?}");
        }
    }
    let mut guessed = page.key.clone();
    guessed.replace_range(..1, if guessed.starts_with('0') { "1" } else { "0" });
    assert_eq!(page.ask_with("GET /v1/status", &[(guard::KEY_HEADER, &guessed)]).status, 401);
    let other = opened.visit();
    assert_eq!(page.ask_with("GET /v1/status", &[("cookie", &other.cookie)]).status, 401, "of two visits");
    assert_eq!(opened.door.desk.control.status().state, State::Locked, "nothing was done");
}

#[test]
fn what_is_for_programs_is_not_for_pages() {
    let opened = open(LONG);
    let page = opened.visit();
    for line in
        ["POST /v1/quit", "POST /v1/browser", "GET /v1/list?path=/", "POST /v1/describe", "POST /v1/sync"]
    {
        assert_eq!(page.ask(line).status, 403, "{line}");
    }
    assert_eq!(page.ask("GET /v1/nothing").status, 404);
    assert_eq!(page.ask("POST /v1/status").status, 403, "another method");
}

/// Somebody's name may be made to point to this computer: then their page is of the same origin as ours.
#[test]
fn dns_rebinding_is_refused() {
    let opened = open(LONG);
    let page = opened.visit();
    let port = page.authority.split(':').nth(1).unwrap();
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
    ] {
        for line in ["GET /", "GET /ui/app.js", "GET /v1/status", "POST /v1/start", "POST /claim"] {
            assert_eq!(page.ask_with(line, &[("host", &host)]).status, 403, "{line} of {host}");
        }
    }
    // Where a request names two, the one that counts is somebody's guess.
    let mut headers = page.headers();
    headers.push(("host", page.authority.clone()));
    assert_ne!(ask(&page.authority, "GET /v1/status", &headers, "").status, 200);
    let absolute = page.ask("GET http://evil.example/v1/status");
    assert_eq!(absolute.status, 403, "{absolute:?}");
    assert_eq!(opened.door.desk.control.status().state, State::Locked, "nothing was done");
}

/// A browser would send the cookie with a request that another page makes, were it not for `SameSite`.
#[test]
fn requests_that_another_page_makes_are_refused() {
    let opened = open(LONG);
    let page = opened.visit();
    let port = page.authority.split(':').nth(1).unwrap();
    let elsewhere = format!("http://127.0.0.1:{}", port.parse::<u16>().unwrap() ^ 1);
    let secure = format!("https://{}", page.authority);
    for origin in ["https://evil.example", "null", "", &elsewhere, &secure, "http://127.0.0.1"] {
        assert_eq!(page.ask_with("POST /v1/start", &[("origin", origin)]).status, 403, "from {origin:?}");
        assert_eq!(page.ask_with("POST /claim", &[("origin", origin)]).status, 403, "from {origin:?}");
    }
    for site in ["cross-site", "same-site", "none"] {
        let answer = page.ask_with("GET /v1/status", &[("sec-fetch-site", site), ("origin", "")]);
        assert_eq!(answer.status, 403, "{site}");
        let script = page.ask_with("GET /ui/app.js", &[("sec-fetch-site", site), ("origin", "")]);
        assert_eq!(script.status, 403, "{site}");
        let opened_there = [("sec-fetch-site", site), ("sec-fetch-dest", "document"), ("origin", "")];
        assert_eq!(page.ask_with("GET /", &opened_there).status, 200, "a link may lead here: {site}");
        let framed = [("sec-fetch-site", site), ("sec-fetch-dest", "iframe"), ("origin", "")];
        assert_eq!(page.ask_with("GET /", &framed).status, 403, "{site}");
    }
    // What a form of another page can send without asking first.
    let form = [("content-type", "text/plain"), ("origin", "")];
    assert_eq!(page.ask_with("POST /v1/start", &form).status, 403);
    assert_eq!(opened.door.desk.control.status().state, State::Locked, "nothing was done");
}

#[test]
fn a_stolen_token_is_worth_nothing_after_its_use() {
    let opened = open(LONG);
    let (authority, token) = opened.invite();
    assert_eq!(claim(&authority, &"0".repeat(64)).status, 403);
    assert_eq!(claim(&authority, "").status, 403);
    assert_eq!(claim(&authority, &token).status, 200);
    let replayed = claim(&authority, &token);
    assert_eq!(replayed.status, 403);
    assert!(replayed.body.contains("used already") && replayed.body.contains("ensafer open"), "{replayed:?}");
    assert_eq!(replayed.header("set-cookie"), None);

    let (authority, token) = opened.invite();
    opened.browser.room().visits.limits = NONE;
    let (_, late) = opened.invite();
    assert_eq!(claim(&authority, &late).status, 403, "too old");
    assert_eq!(claim(&authority, &token).status, 200, "this one is not");
}

/// A change of members waits for a folder's work, which may wait for a mount that does not answer.
#[test]
fn what_people_wait_for_holds_up_nothing_else() {
    let opened = open(LONG);
    let page = opened.visit();
    let (begin, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let turn = opened.door.people.clone();
    opened.runtime.spawn(async move {
        turn.take(move || {
            begin.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        })
        .await
    });
    begun.recv().unwrap();
    let setting = r#"{"key":"trash_days","value":"7"}"#;
    assert_eq!(ask(&page.authority, "POST /v1/settings", &page.headers(), setting).status, 200);
    let out = ask(&page.authority, "POST /v1/account/logout", &page.headers(), "{}");
    assert_eq!(out.status, 409, "there is no account: {out:?}");
    release.send(()).unwrap();
}

/// Any user of the computer can send a head, and as many of them as there may be connections.
#[test]
fn whoever_keeps_the_token_back_is_dropped() {
    let opened = open(LONG);
    let (authority, token) = opened.invite();
    let head = format!(
        "POST /claim HTTP/1.1\r\nhost: {authority}\r\norigin: http://{authority}\r\n\
         content-type: application/json\r\ncontent-length: 76\r\n\r\n"
    );
    let mut silent: Vec<TcpStream> = (0..CONNECTION_LIMIT)
        .map(|_| {
            let mut stream = TcpStream::connect(&authority).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // This one waits until there is room for it.
    assert_eq!(claim(&authority, &token).status, 200);
    for stream in &mut silent {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[test]
fn the_port_is_open_as_long_as_somebody_looks() {
    let opened = open(LONG);
    let page = opened.visit();
    let mut stream = BufReader::new(send(&page.authority, "GET /v1/events", &page.headers(), ""));
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the stream has ended");
    }
    // From here on nothing lasts but what is under way.
    opened.browser.room().visits.limits = NONE;
    assert_eq!(page.ask("GET /v1/status").status, 200);
    assert!(opened.browser.room().open_at.is_some());
    drop(stream);
    while TcpStream::connect(&page.authority).is_ok() {
        std::thread::yield_now();
    }
    assert!(opened.browser.room().open_at.is_none());
    // It opens anew, and what was let in before is not.
    opened.browser.room().visits.limits = LONG;
    let again = opened.visit();
    assert_eq!(
        again.ask_with("GET /v1/status", &[("cookie", &page.cookie), (guard::KEY_HEADER, &page.key)]).status,
        401
    );
    assert_eq!(again.ask("GET /v1/status").status, 200);
}

#[test]
fn a_link_that_nobody_follows_closes_the_port() {
    let opened = open(NONE);
    let (authority, _) = opened.invite();
    while TcpStream::connect(&authority).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn the_port_closes_with_the_daemon() {
    let opened = open(LONG);
    let page = opened.visit();
    let mut stream = send(&page.authority, "GET /v1/events", &page.headers(), "");
    opened.quit.request();
    // However it ends, it does.
    let _ = stream.read_to_end(&mut Vec::new());
    while TcpStream::connect(&page.authority).is_ok() {
        std::thread::yield_now();
    }
}
