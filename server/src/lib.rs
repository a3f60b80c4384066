//! Key server.
