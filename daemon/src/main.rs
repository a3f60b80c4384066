//! The `ensafer` command and daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use ensafer_core::api::local::{Decrypted, FolderReport, ProblemReport, SettleOutcome, VerifyReport};
use ensafer_core::status::Status;
use ensafer_daemon::cli::{self, engine::Engine};
use ensafer_daemon::daemon::{QuitSignal, Running};
use ensafer_daemon::folders::FolderEntry;
use ensafer_daemon::local_api::Queries;
use ensafer_daemon::progress::Progress;
use ensafer_daemon::refusals::Pair;
use ensafer_daemon::shell::Shell;

/// Holds the engine's place on this branch until it is merged.
struct Absent;

const ABSENT: &str = "the engine is not part of this build";

impl Engine for Absent {
    fn launch(&self, _: &Shell, _: QuitSignal) -> Result<Running> {
        bail!(ABSENT)
    }
    fn add_folder(&self, _: &Shell, _: &Pair) -> Result<FolderReport> {
        bail!(ABSENT)
    }
    fn sync_once(&self, _: &Shell, _: &Progress) -> Result<SettleOutcome> {
        bail!(ABSENT)
    }
    fn status(&self, _: &Shell) -> Result<Status> {
        bail!(ABSENT)
    }
    fn problems(&self, _: &Shell) -> Result<Vec<ProblemReport>> {
        bail!(ABSENT)
    }
    fn queries(&self, _: &Shell) -> Result<Box<dyn Queries>> {
        bail!(ABSENT)
    }
    fn verify(&self, _: &Shell, _: &FolderEntry, _: &Progress) -> Result<VerifyReport> {
        bail!(ABSENT)
    }
    fn decrypt(&self, _: &Shell, _: &[PathBuf], _: &Path, _: &Progress) -> Result<Vec<Decrypted>> {
        bail!(ABSENT)
    }
}

fn main() -> ExitCode {
    cli::main(&Absent)
}
