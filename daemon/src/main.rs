//! The `ensafer` program: command line and daemon in one.

use std::process::ExitCode;

use ensafer_daemon::cli;
use ensafer_daemon::local_engine::LocalEngine;

fn main() -> ExitCode {
    // The one provider of this process, for client and embedded server alike. It fails only where one is there already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // A core dump would hold keys; neither may another process of the same user look into this one's memory. The only
    // failure is a kernel that does not know it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    cli::main(&LocalEngine)
}
