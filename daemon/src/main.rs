//! The `ensafer` program: command line and daemon in one.

use std::process::ExitCode;

use ensafer_daemon::cli;
use ensafer_daemon::local_engine::LocalEngine;
use ensafer_daemon::platform;

fn main() -> ExitCode {
    // The one provider of this process, for client and embedded server alike. It fails only where one is there already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    platform::forbid_core_dumps();
    cli::main(&LocalEngine)
}
