//! `verify [WORK]`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::VerifyReport;

use super::engine::Engine;
use super::{Format, named_path};
use crate::daemon::exit_on_interrupt;
use crate::folders::Folders;
use crate::output::{printable, size};
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder, by a path in its work or encrypted directory; every folder if left out
    path: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let folders = Folders::load(shell.home.data_dir())?;
    let path = arguments.path.as_deref().map(named_path).transpose()?;
    let wanted = |work: &PathBuf, encrypted: &PathBuf| {
        path.as_ref().is_none_or(|path| path.starts_with(work) || path.starts_with(encrypted))
    };
    let chosen: Vec<_> = folders.entries().iter().filter(|f| wanted(&f.work, &f.encrypted)).collect();
    match (&path, chosen.is_empty()) {
        (Some(path), true) => return Err(super::ls::outside(path).into()),
        (None, true) => return Err(super::folder::none_set_up().into()),
        _ => {}
    }
    exit_on_interrupt()?;
    let mut all = VerifyReport::default();
    for folder in chosen {
        let progress = shell.progress("Verifying");
        let report = engine.verify(shell, folder, &progress)?;
        all.files += report.files;
        all.bytes += report.bytes;
        all.failed.extend(report.failed);
    }
    print(arguments, shell, &all)?;
    Ok(if all.failed.is_empty() { Exit::Success } else { Exit::VerificationFailed })
}

fn print(arguments: &Arguments, shell: &Shell, report: &VerifyReport) -> Result<()> {
    if arguments.format.json {
        shell.output.document(report)?;
        return Ok(());
    }
    for failure in &report.failed {
        shell.output.line(format_args!("{}: {}", printable(&failure.object), printable(&failure.what)))?;
    }
    let failed = report.failed.len();
    shell.output.note(format_args!("{} files, {}, {failed} failed", report.files, size(report.bytes)));
    Ok(())
}
