//! The `ensafer` program: command line and daemon in one.

use std::process::ExitCode;

use ensafer_daemon::cli;
use ensafer_daemon::local_engine::LocalEngine;

fn main() -> ExitCode {
    cli::main(&LocalEngine)
}
