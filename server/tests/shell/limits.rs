//! What is too much.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use crate::http::{self, connect, get, request};
use crate::process::Server;

#[test]
fn an_address_that_asks_too_often_is_told_to_wait() {
    let server = Server::start(&[
        "--set",
        "limits.requests_per_address_per_s=1",
        "--set",
        "limits.trusted_proxies=127.0.0.1",
    ]);
    let ask = |client: &str| {
        let lines = ["GET /v1/server HTTP/1.1", &format!("X-Forwarded-For: {client}")];
        request(&mut connect(server.address()), &lines, None)
    };
    // Two at once and one a second: of a hundred, some are refused however slow this machine is.
    let refused = (0..100).map(|_| ask("192.0.2.1")).find(|answer| answer.status != 200).unwrap();
    assert_eq!((refused.status, refused.problem()), (429, "too-many-requests"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(ask("192.0.2.2").status, 200, "another address is another's");
    let refused = (0..100).map(|n| ask(&format!("2001:db8::{n:x}"))).any(|answer| answer.status == 429);
    assert!(refused, "one customer's IPv6 network is one address");
    server.end();
}

#[test]
fn more_requests_than_it_can_take_are_turned_away() {
    let server = Server::start(&["--set", "limits.concurrent_requests=1"]);
    let first = http::hang(server.address(), 2);
    let answer = get(server.address(), "/v1/server");
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(get(server.address(), "/healthz").status, 200, "whoever watches it is still answered");
    drop(first);
    let is_free = (0..10_000).any(|_| get(server.address(), "/v1/server").status == 200);
    assert!(is_free, "a client that went away holds nothing");
    server.end();
}

#[test]
fn a_body_that_does_not_come_holds_no_place() {
    let server = Server::start(&[
        "--set",
        "limits.concurrent_requests=1",
        "--set",
        "limits.request_timeout_s=1",
        "--set",
        "limits.requests_per_address_per_s=100000",
    ]);
    // Its connection stays open.
    let mut slow = http::hang(server.address(), 2);
    assert_eq!(http::read(&mut slow).unwrap().status, 408);
    let is_free = (0..100_000).any(|_| get(server.address(), "/v1/server").status == 200);
    assert!(is_free);
    drop(slow);
    server.end();
}

#[test]
fn more_connections_than_it_can_take_are_closed() {
    for limit in ["limits.connections=1", "limits.connections_per_address=1"] {
        let server = Server::start(&["--set", limit]);
        let mut first = connect(server.address());
        assert_eq!(request(&mut first, &["GET /healthz HTTP/1.1"], None).status, 200);
        let mut second = connect(server.address());
        let closed = second.read(&mut [0; 1]);
        let is_reset = closed.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(is_reset || matches!(closed, Ok(0)), "without a word: {closed:?}");
        assert_eq!(request(&mut first, &["GET /healthz HTTP/1.1"], None).status, 200);
        server.end();
    }
}

#[test]
fn a_trusted_proxy_has_as_many_connections_as_it_needs() {
    let one = ["--set", "limits.connections_per_address=1", "--set", "limits.trusted_proxies=127.0.0.1"];
    let server = Server::start(&one);
    let mut connections = [connect(server.address()), connect(server.address())];
    for connection in &mut connections {
        assert_eq!(request(connection, &["GET /healthz HTTP/1.1"], None).status, 200);
    }
    server.end();
}

/// Answers that nobody reads fill the buffers on both sides, until neither side can write.
#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let server = Server::start(&[
        "--set",
        "limits.request_timeout_s=1",
        "--set",
        "limits.requests_per_address_per_s=100000",
    ]);
    let mut stream = connect(server.address());
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let requests = "GET /v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let error = loop {
        if let Err(error) = stream.write_all(requests.as_bytes()) {
            break error;
        }
    };
    let is_closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
    assert!(is_closed, "left with its connection: {error}");
    server.end();
}

#[test]
fn silent_connections_are_closed() {
    let server = Server::start(&["--set", "limits.header_timeout_s=1"]);
    let mut silent = connect(server.address());
    let mut left = Vec::new();
    // Closed by the server, or this read would time out.
    silent.read_to_end(&mut left).unwrap();
    server.end();
}

#[test]
fn metrics_are_this_machines() {
    let server = Server::start(&[]);
    get(server.address(), "/v1/users/alice@example.com");
    let metrics = get(server.address(), "/metrics");
    assert_eq!(metrics.status, 200);
    let line = "ensafer_server_requests_total{method=\"GET\",route=\"/v1/users/{login}\",status=\"401\"} 1\n";
    assert!(metrics.body.contains(line), "{}", metrics.body);
    assert!(metrics.body.contains("ensafer_server_build_info{version=") && metrics.body.ends_with("# EOF\n"));
    let forwarded = ["GET /metrics HTTP/1.1", "X-Forwarded-For: 127.0.0.1"];
    assert_eq!(request(&mut connect(server.address()), &forwarded, None).problem(), "not-found");
    server.end();
    let server = Server::start(&["--set", "metrics.public=true"]);
    assert_eq!(request(&mut connect(server.address()), &forwarded, None).status, 200);
    server.end();
}
