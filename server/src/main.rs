//! Key server.
fn main() {}
