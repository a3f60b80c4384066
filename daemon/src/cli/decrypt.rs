//! `decrypt FILE… --output DIR`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use ensafer_core::api::local::Decrypted;
use ensafer_core::plan::ProblemClass;

use super::Format;
use super::engine::Engine;
use crate::daemon::exit_on_interrupt;
use crate::exit::{Exit, Failure};
use crate::output::printable;
use crate::shell::Shell;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Encrypted files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the files are written, under their own names; made if it is missing
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let output = &arguments.output;
    if fs::metadata(output).is_ok_and(|found| !found.is_dir()) {
        let what = format!("{} is not a directory", output.display());
        return Err(Failure::new(Exit::Usage, what).with_remedy("Name a directory").into());
    }
    fs::create_dir_all(output).with_context(|| format!("{} cannot be made", output.display()))?;
    exit_on_interrupt()?;
    let progress = shell.progress("Decrypting");
    let results = engine.decrypt(shell, &arguments.files, output, &progress)?;
    drop(progress);
    if arguments.format.json {
        shell.output.document(&results)?;
    } else {
        for result in &results {
            print(shell, result)?;
        }
    }
    Ok(exit(&results))
}

fn print(shell: &Shell, result: &Decrypted) -> Result<()> {
    match (&result.output, result.class) {
        (Some(path), _) => shell.output.line(printable(path))?,
        (None, None) => {
            shell.output.note(format_args!("{}: {}", printable(&result.object), printable(&result.what)));
        }
        (None, Some(_)) => {
            shell.output.warn(format_args!(
                "{} failed: {}",
                printable(&result.object),
                printable(&result.what)
            ));
        }
    }
    Ok(())
}

/// All done; or some; or none, and why if it is one reason for all.
fn exit(results: &[Decrypted]) -> Exit {
    let failed: Vec<_> = results.iter().filter(|r| r.class.is_some()).collect();
    if failed.is_empty() {
        Exit::Success
    } else if failed.len() < results.len() {
        Exit::Partial
    } else if failed.iter().all(|r| r.class == Some(ProblemClass::NotARecipient)) {
        Exit::NotARecipient
    } else {
        Exit::VerificationFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(class: Option<ProblemClass>) -> Decrypted {
        let output = if class.is_none() { Some("x".to_owned()) } else { None };
        Decrypted { object: "o".into(), output, class, what: String::new() }
    }

    #[test]
    fn the_results_choose_the_exit_code() {
        let (good, bad) = (result(None), result(Some(ProblemClass::Damaged)));
        let foreign = result(Some(ProblemClass::NotARecipient));
        assert_eq!(exit(std::slice::from_ref(&good)), Exit::Success);
        assert_eq!(exit(&[good, bad.clone()]), Exit::Partial);
        assert_eq!(exit(&[foreign.clone(), bad]), Exit::VerificationFailed);
        assert_eq!(exit(&[foreign]), Exit::NotARecipient);
    }
}
