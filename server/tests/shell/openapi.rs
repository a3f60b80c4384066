//! The checked-in OpenAPI document.

use crate::http;
use crate::process::{Server, answer};

#[test]
fn the_document_is_checked_in_and_served() {
    let checked_in = include_str!("../../../docs/openapi.json");
    let made = answer(&["openapi"]);
    assert!(made == checked_in, "run: cargo run -p ensafer-server -- openapi > docs/openapi.json");
    let server = Server::start(&[]);
    let served = http::get(server.address(), "/v1/openapi.json");
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert!(served.body == made);
    server.end();
}
