//! `decrypt FILE… --output DIR`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{Decrypted, Membership, RecipientNote, SignerReport, SignerStanding};
use ensafer_core::ids::Fingerprint;
use ensafer_core::plan::ProblemClass;

use super::Format;
use super::engine::Engine;
use crate::daemon::exit_on_interrupt;
use crate::exit::Failure;
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
    /// Take what the unknown identity with this fingerprint has signed; may be repeated
    #[arg(long, value_name = "FINGERPRINT")]
    accept_signer: Vec<Fingerprint>,
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
    let results = engine.decrypt(shell, &arguments.files, &arguments.accept_signer, output, &progress)?;
    drop(progress);
    if arguments.format.json {
        shell.output.document(&results)?;
    } else {
        for result in &results {
            print(shell, result)?;
        }
        print_signers(shell, &results);
    }
    Ok(exit(&results))
}

fn print(shell: &Shell, result: &Decrypted) -> Result<()> {
    let object = printable(&result.object);
    match (&result.output, result.class) {
        (Some(path), _) => shell.output.line(printable(path))?,
        (None, None) => shell.output.note(format_args!("{object}: {}", printable(&result.what))),
        (None, Some(_)) => {
            shell.output.warn(format_args!("{object} failed: {}", printable(&result.what)));
        }
    }
    for note in &result.recipients {
        shell.output.warn(format_args!("{object}: {}", words(*note)));
    }
    if let (Some(ProblemClass::UnknownSigner), Some(signer)) = (result.class, &result.signer) {
        shell.output.note(format_args!(
            "  Do: ask whoever sent it for their fingerprint (ensafer account show). Only where it is this one, add --accept-signer {}",
            signer.fingerprint
        ));
    }
    Ok(())
}

/// Says who signed what was written: once, where it is the same for all.
fn print_signers(shell: &Shell, results: &[Decrypted]) {
    let written = results.iter().filter_map(|r| Some((r.output.as_ref()?, r.signer.as_ref()?)));
    let signed: Vec<_> = written.map(|(path, signer)| (printable(path), describe(signer))).collect();
    let Some((_, first)) = signed.first() else { return };
    if signed.len() > 1 && signed.iter().all(|(_, signer)| signer == first) {
        shell.output.note(format_args!("All {} files: {first}", signed.len()));
        return;
    }
    for (path, signer) in &signed {
        shell.output.note(format_args!("{path}: {signer}"));
    }
}

/// `signed by bob@example.com (verified); membership not checked`
fn describe(signer: &SignerReport) -> String {
    let login = signer.login.as_deref().map_or_else(|| signer.fingerprint.to_string(), printable);
    let by = match signer.standing {
        SignerStanding::Own => "you".to_owned(),
        SignerStanding::Verified => format!("{login} (verified)"),
        SignerStanding::Pinned => {
            format!("{login} (seen before, not verified: ensafer share verify {login})")
        }
        SignerStanding::Member => format!("{login} (a member of the folder, never seen before)"),
        SignerStanding::Unknown => format!("{login} (unknown, accepted by you)"),
    };
    let membership = match signer.membership {
        Membership::Checked => "; may write in its folder",
        Membership::NotChecked => "; membership not checked",
        Membership::Refused => "; may not write in its folder, accepted by you",
        Membership::None => "",
    };
    format!("signed by {by}{membership}")
}

const fn words(note: RecipientNote) -> &'static str {
    match note {
        RecipientNote::PassedOn => {
            "its signer has not listed you as a reader: somebody who could read it has passed it on"
        }
        RecipientNote::EnvelopeAdded => {
            "somebody else can read it whom its signer has not listed: one who could read it has passed it on"
        }
        RecipientNote::EnvelopeDropped => {
            "somebody whom its signer has listed cannot read it: their envelope was taken out"
        }
    }
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
    } else if failed.iter().all(|r| r.class == Some(ProblemClass::Missing)) {
        Exit::Usage
    } else if failed.iter().all(|r| r.class.is_some_and(is_of_system)) {
        Exit::Error
    } else {
        Exit::VerificationFailed
    }
}

/// Whether it says nothing about the encrypted file: that is not there, or what is in it cannot be written.
const fn is_of_system(class: ProblemClass) -> bool {
    use ProblemClass::{BadName, DiskFull, Failed, Missing};
    matches!(class, BadName | DiskFull | Failed | Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(class: Option<ProblemClass>) -> Decrypted {
        let output = if class.is_none() { Some("x".to_owned()) } else { None };
        Decrypted {
            object: "o".into(),
            output,
            class,
            what: String::new(),
            signer: None,
            recipients: Vec::new(),
        }
    }

    #[test]
    fn the_results_choose_the_exit_code() {
        let (good, bad) = (result(None), result(Some(ProblemClass::Damaged)));
        let foreign = result(Some(ProblemClass::NotARecipient));
        assert_eq!(exit(std::slice::from_ref(&good)), Exit::Success);
        assert_eq!(exit(&[good, bad.clone()]), Exit::Partial);
        assert_eq!(exit(&[foreign.clone(), bad]), Exit::VerificationFailed);
        assert_eq!(exit(&[foreign]), Exit::NotARecipient);
        let (missing, failed) = (result(Some(ProblemClass::Missing)), result(Some(ProblemClass::Failed)));
        assert_eq!(exit(std::slice::from_ref(&missing)), Exit::Usage);
        assert_eq!(exit(&[missing.clone(), failed]), Exit::Error);
        let damaged = result(Some(ProblemClass::Damaged));
        assert_eq!(exit(&[missing, damaged]), Exit::VerificationFailed);
    }

    #[test]
    fn a_signer_is_shown_with_what_is_known_of_the_key() {
        let fingerprint = Fingerprint::new([0xAB; 32]);
        let of = |login: Option<&str>, standing, membership| {
            describe(&SignerReport { login: login.map(str::to_owned), fingerprint, standing, membership })
        };
        let bob = Some("bob@example.com");
        assert_eq!(
            of(bob, SignerStanding::Verified, Membership::None),
            "signed by bob@example.com (verified)"
        );
        assert_eq!(
            of(bob, SignerStanding::Pinned, Membership::NotChecked),
            "signed by bob@example.com (seen before, not verified: ensafer share verify bob@example.com); membership not checked"
        );
        assert_eq!(
            of(Some("me"), SignerStanding::Own, Membership::Checked),
            "signed by you; may write in its folder"
        );
        let unknown = of(None, SignerStanding::Unknown, Membership::None);
        assert_eq!(unknown, format!("signed by {fingerprint} (unknown, accepted by you)"));
    }
}
