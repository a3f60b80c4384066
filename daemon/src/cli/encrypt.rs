//! `encrypt FILE… --to EMAIL…`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use ensafer_client::exit::Exit;
use ensafer_core::account::Known;
use ensafer_core::api::local::{EncryptReport, Encrypted, RecipientReport};
use ensafer_core::api::server::ProblemKind;
use ensafer_core::crypto::Login;
use ensafer_core::format::{EXTENSION, MAX_RECIPIENTS};
use ensafer_core::tree::Name;

use super::account::opened;
use super::{Format, named_path};
use crate::account::{self, AccountError, Person, Unlocked};
use crate::config::Padding;
use crate::daemon::exit_on_interrupt;
use crate::encrypt::{Item, Job, encrypt};
use crate::exit::Failure;
use crate::folders::Folders;
use crate::output::printable;
use crate::shell::Shell;
use crate::store::is_object_name;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Ordinary files, no directories; each becomes one encrypted file
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who may open them, by e-mail address: people with an account on your server. You always may
    #[arg(long, required = true, num_args = 1.., value_name = "EMAIL")]
    to: Vec<String>,
    /// Where the encrypted files are written, made if it is missing; beside each file without it
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// What the encrypted file is called, for one FILE. Otherwise it has a random name; the real name is inside
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    let to = arguments.to.iter().map(|email| parse_address(email)).collect::<Result<BTreeSet<_>>>()?;
    let items = items(arguments, shell)?;
    let (unlocked, people) = look_up(shell, to)?;
    if let Some(output) = &arguments.output {
        fs::create_dir_all(output).with_context(|| format!("{} cannot be made", output.display()))?;
    }
    exit_on_interrupt()?;
    let progress = shell.progress("Encrypting");
    let job = Job {
        account: &unlocked.account,
        recipients: people.iter().map(|(_, person)| person.bundle.bundle().envelope.clone()).collect(),
        padding: shell.config.padding == Padding::Padme,
        progress: &progress,
    };
    let files = encrypt(&job, &items);
    drop(progress);
    let report = EncryptReport { recipients: people.iter().map(recipient).collect(), files };
    if arguments.format.json {
        shell.output.document(&report)?;
    } else {
        print(shell, &report)?;
    }
    Ok(exit(&report.files))
}

fn parse_address(email: &str) -> Result<Login> {
    let login = account::parse_login(email)?;
    if login.as_str().contains('@') {
        return Ok(login);
    }
    // Most often a file that was named behind --to.
    let what = format!("\"{}\" is no e-mail address", printable(email));
    Err(usage(&what, "Write it like alice@example.com, and files before --to"))
}

/// The files and where they go, refused before anybody is looked up or anything is written.
fn items(arguments: &Arguments, shell: &Shell) -> Result<Vec<Item>> {
    let name = arguments.name.as_deref().map(encrypted_name).transpose()?;
    if name.is_some() && arguments.files.len() > 1 {
        return Err(usage("--name is for one file", "Leave --name out, or encrypt them one by one"));
    }
    let folders = Folders::load(shell.home.data_dir())?;
    let items = arguments.files.iter().map(|source| {
        check_source(source)?;
        let beside = || source.parent().unwrap_or(Path::new("")).to_path_buf();
        let directory = arguments.output.clone().unwrap_or_else(beside);
        check_directory(&directory, &folders)?;
        let target = name.as_ref().map(|name| directory.join(name));
        if let Some(path) = target.filter(|path| path.symlink_metadata().is_ok()) {
            return Err(AccountError::OutputExists { path }.into());
        }
        Ok(Item { source: source.clone(), directory, name: name.clone() })
    });
    items.collect()
}

/// One plain name, which ends as encrypted files do.
fn encrypted_name(name: &str) -> Result<String> {
    let name = if is_object_name(name) { name.to_owned() } else { format!("{name}{EXTENSION}") };
    match Name::new(&name) {
        Ok(name) if name.as_str() != EXTENSION => Ok(name.as_str().to_owned()),
        Ok(_) => Err(usage("--name is empty", "Give it a name")),
        Err(error) => {
            let what = format!("{} cannot name a file: {error}", printable(&name));
            Err(usage(&what, "Give a name without a directory, which goes with --output"))
        }
    }
}

fn check_source(source: &Path) -> Result<()> {
    let shown = source.display();
    let found = match fs::metadata(source) {
        Ok(found) => found,
        Err(error) => {
            let what = format!("{shown} cannot be read: {error}");
            return Err(usage(&what, "Name files that exist"));
        }
    };
    if found.is_dir() {
        let what = format!("{shown} is a directory, and single files only can be encrypted so");
        return Err(usage(&what, "Name its files, or pack it into one (tar, zip) and encrypt that"));
    }
    if !found.is_file() {
        return Err(usage(&format!("{shown} is no ordinary file"), "Name ordinary files"));
    }
    Ok(())
}

/// An encrypted folder is for its own files only: every device of it would report a stranger.
fn check_directory(directory: &Path, folders: &Folders) -> Result<()> {
    let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    if fs::metadata(shown).is_ok_and(|found| !found.is_dir()) {
        return Err(usage(&format!("{} is not a directory", shown.display()), "Name a directory"));
    }
    let real = named_path(shown)?;
    if let Some(folder) = folders.entries().iter().find(|entry| real.starts_with(&entry.encrypted)) {
        let what =
            format!("{} is the encrypted folder of {}", folder.encrypted.display(), folder.work.display());
        return Err(usage(&what, "Write single files elsewhere: --output DIR"));
    }
    Ok(())
}

/// Looks everybody up before anything is written: where one of them cannot be found or trusted, nothing is.
fn look_up(shell: &Shell, to: BTreeSet<Login>) -> Result<(Unlocked, Vec<(Login, Person)>)> {
    let own = account::login_of(&shell.home)?;
    let others: Vec<Login> = to.into_iter().filter(|login| *login != own).collect();
    if others.len() >= MAX_RECIPIENTS {
        let what = format!("A file has at most {MAX_RECIPIENTS} readers, yourself among them");
        return Err(usage(&what, "Encrypt it several times, for fewer people each"));
    }
    // For oneself nobody has to be asked.
    let unlocked = if others.is_empty() { shell.open_account()? } else { opened(shell)? };
    let people = others.into_iter().map(|login| {
        let person = find(shell, &unlocked, &login)?;
        Ok((login, person))
    });
    let people = people.collect::<Result<_>>()?;
    Ok((unlocked, people))
}

fn find(shell: &Shell, unlocked: &Unlocked, login: &Login) -> Result<Person> {
    match account::find_person(&shell.home, &shell.config, unlocked, login) {
        Err(AccountError::Server(error)) if error.kind() == Some(ProblemKind::UserUnknown) => {
            let what = format!("{login} has no account on this server: invite them");
            let remedy =
                "Nothing was encrypted. Look at the address, or ask them to make an account on your server";
            Err(Failure::new(Exit::Error, what).with_remedy(remedy).into())
        }
        found => Ok(found?),
    }
}

fn recipient((login, person): &(Login, Person)) -> RecipientReport {
    RecipientReport {
        login: login.to_string(),
        fingerprint: person.bundle.fingerprint(),
        verified: person.known == Known::Verified,
        first_seen: person.known == Known::FirstSeen,
    }
}

fn print(shell: &Shell, report: &EncryptReport) -> Result<()> {
    for recipient in &report.recipients {
        shell.output.note(describe(recipient));
    }
    for file in &report.files {
        match &file.output {
            Some(path) => shell.output.line(printable(path))?,
            None => shell.output.warn(format_args!(
                "{} failed: {}",
                printable(&file.source),
                printable(&file.what)
            )),
        }
    }
    Ok(())
}

fn describe(recipient: &RecipientReport) -> String {
    let login = &recipient.login;
    let how = match (recipient.verified, recipient.first_seen) {
        (true, _) => return format!("For {login}: verified."),
        (false, true) => "seen for the first time, not verified",
        (false, false) => "seen before, not verified",
    };
    format!("For {login}: {how}. To be sure of these keys: ensafer share verify {login}")
}

fn exit(files: &[Encrypted]) -> Exit {
    match files.iter().filter(|file| file.output.is_none()).count() {
        0 => Exit::Success,
        failed if failed < files.len() => Exit::Partial,
        _ => Exit::Error,
    }
}

fn usage(what: &str, remedy: &str) -> anyhow::Error {
    Failure::new(Exit::Usage, what).with_remedy(remedy).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_as_encrypted_files_do_and_leads_nowhere() {
        let of = |name| encrypted_name(name).ok();
        assert_eq!(of("report").as_deref(), Some("report.ensafer"));
        assert_eq!(of("report.ensafer").as_deref(), Some("report.ensafer"));
        for name in ["", "a/b", "../a", "/a", "a\0", &"a".repeat(250)] {
            assert_eq!(of(name), None, "{name:?}");
        }
    }

    #[test]
    fn one_file_that_failed_is_no_failure_of_all() {
        let file = |output: Option<&str>| Encrypted {
            source: "s".into(),
            output: output.map(str::to_owned),
            class: None,
            what: String::new(),
        };
        assert_eq!(exit(&[file(Some("o"))]), Exit::Success);
        assert_eq!(exit(&[file(Some("o")), file(None)]), Exit::Partial);
        assert_eq!(exit(&[file(None)]), Exit::Error);
    }
}
