//! Everything that the server refuses by itself is an RFC 9457 problem.

use std::io::Write;

use crate::http::{self, connect, get, post, request};
use crate::process::Server;

const LARGEST: usize = ensafer_core::api::server::MAX_BODY_BYTES;

#[test]
fn refusals_are_problems() {
    let server = Server::start(&[]);
    let address = server.address();
    for path in ["/", "/v1", "/v1/", "/v1/nope", "/v1/server/", "/v1/devices/a/b", "//", "/v1/%ff"] {
        assert_eq!((get(address, path).status, get(address, path).problem()), (404, "not-found"), "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/v1/server", "GET,HEAD"),
        ("GET", "/v1/login/start", "POST"),
        ("PATCH", "/v1/account/state", "GET,HEAD,PUT"),
        ("OPTIONS", "/v1/devices/00", "DELETE"),
        ("BREW", "/healthz", "GET,HEAD"),
        ("POST", "/v1/openapi.json", "GET,HEAD"),
    ] {
        let answer = request(&mut connect(address), &[&format!("{method} {path} HTTP/1.1")], None);
        assert_eq!((answer.status, answer.problem()), (405, "method-refused"), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let text = ["POST /v1/login/start HTTP/1.1", "Content-Type: text/plain"];
    assert_eq!(request(&mut connect(address), &text, Some("{}")).problem(), "content-type-refused");
    assert_eq!(post(address, "/v1/login/start", "{").problem(), "body-malformed");
    assert_eq!(post(address, "/v1/login/start", r#"{"login":"a","x":1}"#).problem(), "body-malformed");
    assert_eq!(get(address, "/v1/account").problem(), "session-refused");
    server.end();
}

#[test]
fn bodies_that_are_too_long_are_refused() {
    let server = Server::start(&[]);
    let head = |length| format!("Content-Length: {length}");
    for length in [LARGEST + 1, 1 << 40] {
        let lines = ["PUT /v1/account/state HTTP/1.1", "Content-Type: application/json", &head(length)];
        let answer = request(&mut connect(server.address()), &lines, None);
        assert_eq!((answer.status, answer.problem()), (413, "body-too-large"), "declared");
    }
    let mut stream = connect(server.address());
    let lines = "POST /v1/login/start HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(lines.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..4 {
        // The server may have answered and closed already.
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let answer = http::read(&mut stream).unwrap();
    assert_eq!((answer.status, answer.problem()), (413, "body-too-large"), "not declared");
    server.end();
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let server = Server::start(&["--set", "limits.request_timeout_s=1"]);
    let mut stream = http::hang(server.address(), 2);
    let answer = http::read(&mut stream).unwrap();
    assert_eq!((answer.status, answer.problem()), (408, "request-timeout"));
    server.end();
}

#[test]
fn every_answer_keeps_browsers_from_harm() {
    let server = Server::start(&[]);
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/server",
        "/v1/openapi.json",
        "/v1/account",
        "/invite/0102",
        "/nope",
    ] {
        let answer = get(server.address(), path);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(answer.header("strict-transport-security"), None, "there is no TLS");
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("x-request-id").unwrap().len(), 16);
    }
    let lines = ["GET /healthz HTTP/1.1", "X-Request-Id: mine"];
    let answer = request(&mut connect(server.address()), &lines, None);
    assert_ne!(answer.header("x-request-id"), Some("mine"), "a client's own is not taken");
    server.end();
}

#[test]
fn a_link_in_a_browser_leads_to_one_page_that_runs_and_loads_nothing() {
    let server = Server::start(&[]);
    let page = get(server.address(), &format!("/invite/{}", "0".repeat(32)));
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("ensafer accept 'THE LINK FROM YOUR MAIL'"), "{}", page.body);
    for active in ["<script", "src=", "href=", "style", "<form", "<img", "http"] {
        assert!(!page.body.contains(active), "{active}");
    }
    // Whatever it is asked for by, it says the same, and repeats nothing.
    assert_eq!(get(server.address(), "/invite/%3Cscript%3E?canary").body, page.body);
    server.end();
}
