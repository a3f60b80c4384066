//! What the log must not say.

use crate::http::{connect, post, request};
use crate::process::Server;

#[test]
fn the_log_holds_routes_and_never_what_is_in_them() {
    for format in ["text", "json"] {
        let server = Server::start(&["--set", "log.level=trace", "--set", &format!("log.format={format}")]);
        let address = server.address();
        let lines = [
            "GET /v1/users/canary%40example.com?canary=1 HTTP/1.1",
            "Authorization: Bearer canary",
            "User-Agent: canary",
            "X-Request-Id: canary",
            "Cookie: canary",
        ];
        assert_eq!(request(&mut connect(address), &lines, None).status, 401);
        request(&mut connect(address), &["GET /canary HTTP/1.1"], None);
        request(&mut connect(address), &["CANARY /canary HTTP/1.1"], None);
        post(address, "/v1/login/start", r#"{"login":"canary@example.com"}"#);
        post(address, "/v1/register/available", r#"{"login":"canary@example.com","canary":1}"#);
        let log = server.end();
        assert!(log.contains("/v1/users/{login}") && log.contains("/v1/login/start"), "{log}");
        assert!(!log.to_lowercase().contains("canary"), "{log}");
        if format == "json" {
            log.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
        }
    }
}
