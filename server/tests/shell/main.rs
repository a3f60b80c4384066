//! The program as its administrator and its clients meet it: the real binary, over real sockets.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod admin;
mod check;
mod http;
mod limits;
mod openapi;
mod privacy;
mod problems;
mod process;
mod serve;
mod tls;
