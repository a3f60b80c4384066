//! The `ensafer-server` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use ensafer_server::cli;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

fn main() -> ExitCode {
    // A core dump would hold the server's secret; neither may another process of the same user look into this one's
    // memory. The only failure is a kernel that does not know it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // Two providers in one program would make rustls panic where none was chosen. It fails only if one was.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::main()
}
