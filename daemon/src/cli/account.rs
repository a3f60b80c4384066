//! `account`: what belongs to the account itself.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use ensafer_client::exit::Exit;
use ensafer_client::password::Password;
use ensafer_client::private_file;
use ensafer_core::api::local::{ListedDevice, ProfileReport, SessionState};
use ensafer_core::api::server::DeviceReport;
use ensafer_core::ids::DeviceId;
use serde::Serialize;

use super::{Format, lock, register};
use crate::account::{self, AccountError, Unlocked};
use crate::enrol;
use crate::exit::Failure;
use crate::key_server::Origin;
use crate::output::printable;
use crate::prompt;
use crate::shell::Shell;

/// As many digits of an id name a computer, where only one begins so.
const LEAST_ID_DIGITS: usize = 4;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show whose account this is, and on which server
    Show(Format),
    /// Set a new password
    Password,
    /// Show or change what others read, or the e-mail address
    Profile {
        /// The name that others read beside the address; an empty one removes it
        #[arg(long)]
        name: Option<String>,
        /// A new e-mail address; asks for the password, and for the code that is sent there
        #[arg(long)]
        email: Option<String>,
        /// Ask for the code that was sent before, instead of having another one sent
        #[arg(long, requires = "email")]
        with_code: bool,
        #[command(flatten)]
        format: Format,
    },
    /// List the computers that are logged in, or remove one
    Devices {
        #[command(flatten)]
        format: Format,
        /// The computer to remove: its name, or its id as the list shows it, or the beginning of that
        #[arg(long, value_name = "NAME|ID")]
        revoke: Option<String>,
    },
    /// Move the account to another server
    Server {
        /// The new server
        #[arg(required_unless_present = "none")]
        url: Option<String>,
        /// It is the old server under a new address
        #[arg(long, conflicts_with = "none")]
        same: bool,
        /// No server: the account is on this computer only from now on, and stays on the server as it is
        #[arg(long, conflicts_with = "url")]
        none: bool,
    },
    /// Confirm the e-mail address with the code that was sent to it
    Confirm,
    /// Write everything that the server keeps about the account
    Export {
        /// Into this file, which must not exist, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete the account on the server; on this computer it stays
    Delete {
        /// Do not have the address typed; the password is wanted all the same
        #[arg(short, long)]
        yes: bool,
    },
}

pub(super) fn run(command: &Command, shell: &Shell) -> Result<Exit> {
    shell.require_account()?;
    match command {
        Command::Show(format) => show(shell, format)?,
        Command::Password => change_password(shell)?,
        Command::Profile { name, email, with_code, format } => {
            // What only a server keeps is not asked for after half of the work.
            if name.is_some() || email.is_none() {
                enrol::require_server(shell)?;
            }
            if let Some(email) = email {
                change_email(shell, email, *with_code)?;
            }
            profile(shell, name.as_deref(), format)?;
        }
        Command::Devices { revoke: Some(named), .. } => revoke(shell, named)?,
        Command::Devices { format, .. } => devices(shell, format)?,
        Command::Server { url: Some(url), same, .. } => move_server(shell, url, *same)?,
        Command::Server { url: None, .. } => leave_server(shell)?,
        Command::Confirm => {
            let password = own_password(shell, "Password: ")?;
            confirm_address(shell, &password)?;
            lock::unlock_daemon(shell, &password)?;
            shell.output.note("The address is confirmed, and this computer is logged in.");
        }
        Command::Export { output } => export(shell, output.as_ref())?,
        Command::Delete { yes } => return delete(shell, *yes),
    }
    Ok(Exit::Success)
}

/// The account's password, which opens it: tried before anything more is asked, shown or sent.
pub(super) fn own_password(shell: &Shell, question: &str) -> Result<Password> {
    let open = |password: &Password| Ok(account::recovery_key(&shell.home, password)?);
    Ok(prompt::tried_password(shell.output, question, open)?.0)
}

/// For a server that is gone for good: nobody is asked.
fn leave_server(shell: &Shell) -> Result<()> {
    enrol::require_server(shell)?;
    let (password, ()) = prompt::tried_password(shell.output, "Password: ", |password| {
        Ok(account::leave_server(&shell.home, &shell.config, password)?)
    })?;
    lock::unlock_daemon(shell, &password)?;
    shell
        .output
        .note("The account is on this computer only. To publish it somewhere: ensafer register --server URL");
    Ok(())
}

/// Asks for the code from the mail, and logs in.
pub(super) fn confirm_address(shell: &Shell, password: &Password) -> Result<()> {
    let code = prompt::asked("Code from the e-mail: ")?;
    Ok(enrol::confirm(shell, &code, password)?)
}

#[derive(Serialize)]
struct Shown {
    login: String,
    account: String,
    fingerprint: String,
    server: Option<Origin>,
    /// Whether this computer has a session on the server.
    is_logged_in: bool,
    /// More of that; none where the account is on no server.
    session: Option<SessionState>,
    has_account_key: bool,
}

fn show(shell: &Shell, format: &Format) -> Result<()> {
    let (login, account, fingerprint) = account::public_of(&shell.home)?;
    let shown = Shown {
        login: login.to_string(),
        account: account.to_string(),
        fingerprint: fingerprint.to_string(),
        server: account::server_of(&shell.home)?,
        is_logged_in: account::is_logged_in(&shell.home)?,
        session: account::standing(&shell.home)?,
        has_account_key: account::account_key(&shell.home)?.is_some(),
    };
    if format.json {
        shell.output.document(&shown)?;
        return Ok(());
    }
    shell.output.line(format_args!("{}", shown.login))?;
    match (&shown.server, shown.session) {
        (Some(server), Some(session)) => {
            shell.output.line(format_args!("on {server}, {}", words(session)))?;
        }
        _ => shell.output.line("on this computer only")?,
    }
    shell.output.line(format_args!("fingerprint {}", shown.fingerprint))?;
    shell.output.line(if shown.has_account_key {
        "account key: yes, a new computer wants it beside the password"
    } else {
        "account key: none"
    })?;
    Ok(())
}

fn words(session: SessionState) -> &'static str {
    match session {
        SessionState::LoggedIn => "logged in",
        SessionState::WaitsForCode => "waits for the code that was mailed (ensafer account confirm)",
        SessionState::EndedByServer => "logged out by the server (ensafer login)",
        SessionState::LoggedOut => "logged out here (ensafer login)",
    }
}

fn change_password(shell: &Shell) -> Result<()> {
    let login = account::login_of(&shell.home)?;
    enrol::refuse_logged_out(shell)?;
    let old = own_password(shell, "Old password: ")?;
    let strong = |new: &Password| Ok(account::check_strength(new, &login)?);
    let new = prompt::replacing_password(shell.output, "New password: ", strong)?;
    enrol::change_password(shell, &old, &new)?;
    lock::unlock_daemon(shell, &new)?;
    shell.output.note(match account::server_of(&shell.home)? {
        Some(_) => "The new password is set. Other computers stay logged in.",
        None => "The new password is set. Other computers with this account, and exported files, keep the old one.",
    });
    Ok(())
}

/// Sets the name, where one is given, and shows what others read.
fn profile(shell: &Shell, name: Option<&str>, format: &Format) -> Result<()> {
    let login = account::login_of(&shell.home)?.to_string();
    let shown = if name.is_some() || account::server_of(&shell.home)?.is_some() {
        enrol::profile(shell, &opened(shell)?, name)?
    } else {
        ProfileReport { login, name: None }
    };
    if format.json {
        shell.output.document(&shown)?;
        return Ok(());
    }
    shell.output.line(&shown.login)?;
    shell.output.line(shown.name.as_deref().unwrap_or("(no name)"))?;
    Ok(())
}

fn change_email(shell: &Shell, email: &str, with_code: bool) -> Result<()> {
    let login = account::parse_login(email)?;
    let password = own_password(shell, "Password: ")?;
    let change = |code| enrol::change_email(shell, &login, &password, code);
    let with_asked_code = || -> Result<()> {
        let code = prompt::asked("Code from the e-mail: ")?;
        Ok(change(Some(code.expose().trim().to_owned()))?)
    };
    if with_code {
        with_asked_code()?;
    } else {
        match change(None) {
            Err(error) if error.is_unconfirmed_address() => {
                shell.output.note(format_args!("A code was sent to {login}."));
                with_asked_code()?;
            }
            other => other?,
        }
    }
    lock::unlock_daemon(shell, &password)?;
    shell.output.note(format_args!("The account's address is {login} now."));
    if account::server_of(&shell.home)?.is_some() {
        shell.output.note("Log in with it from now on.");
    }
    Ok(())
}

fn devices(shell: &Shell, format: &Format) -> Result<()> {
    let unlocked = opened(shell)?;
    let devices = account::devices(&shell.home, &shell.config, &unlocked.account)?;
    let listed: Vec<ListedDevice> = devices.into_iter().map(Into::into).collect();
    if format.json {
        shell.output.document(&listed)?;
        return Ok(());
    }
    for device in listed {
        let this = if device.is_this { "  (this computer)" } else { "" };
        let name = printable(&device.name);
        shell.output.line(format_args!("{}  {name}  last seen {}{this}", device.id, device.last_seen))?;
    }
    Ok(())
}

/// The computer of that name, or whose id begins so. The whole id beats all: a name is whatever its computer says.
fn named_device<'a>(devices: &'a [DeviceReport], named: &str) -> Result<&'a DeviceReport> {
    let digits = named.to_ascii_lowercase();
    if let Some(device) = devices.iter().find(|device| device.device.to_string() == digits) {
        return Ok(device);
    }
    let begins = |id: DeviceId| digits.len() >= LEAST_ID_DIGITS && id.to_string().starts_with(&digits);
    let meant = |device: &&DeviceReport| printable(&device.name) == named || begins(device.device);
    let found: Vec<&DeviceReport> = devices.iter().filter(meant).collect();
    match found[..] {
        [device] => Ok(device),
        [] => Err(Failure::new(Exit::Error, "The account has no such computer")
            .with_remedy("ensafer account devices lists them")
            .into()),
        _ => {
            let list: Vec<String> =
                found.iter().map(|device| format!("{} {}", device.device, printable(&device.name))).collect();
            let what = format!("{named:?} is more than one computer: {}", list.join(", "));
            Err(Failure::new(Exit::Usage, what).with_remedy("Name it by its id").into())
        }
    }
}

fn revoke(shell: &Shell, named: &str) -> Result<()> {
    let unlocked = opened(shell)?;
    let devices = account::devices(&shell.home, &shell.config, &unlocked.account)?;
    let device = named_device(&devices, named)?;
    enrol::revoke_device(shell, &unlocked, device)?;
    shell.output.note(
        "The computer is logged out. What it holds already stays on it. If it was stolen, or is not yours: ensafer account password, and ensafer recovery-key new, because whoever has logged in can have the recovery key shown.",
    );
    Ok(())
}

fn move_server(shell: &Shell, url: &str, same: bool) -> Result<()> {
    let origin: Origin = url.parse().map_err(AccountError::from)?;
    let login = account::login_of(&shell.home)?;
    if account::server_of(&shell.home)?.is_none() {
        enrol::refuse_invented(&login, false)?;
    }
    let code = if same { None } else { register::ask_server(shell, &origin, &login)? };
    let question = format!("Password of {login}: ");
    let password = own_password(shell, &question)?;
    // The same server has it already.
    if !same {
        enrol::refuse_weak(&password, &login)?;
    }
    let published = account::move_server(&shell.home, &shell.config, &origin, &password, same, code)?;
    register::finish(shell, &origin, &login, published, &password)
}

fn export(shell: &Shell, output: Option<&PathBuf>) -> Result<()> {
    let unlocked = opened(shell)?;
    let export = account::export_from_server(&shell.home, &shell.config, &unlocked.account)?;
    let Some(path) = output else {
        shell.output.document(&export)?;
        return Ok(());
    };
    let bytes = serde_json::to_vec_pretty(&export)?;
    private_file::create(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    shell.output.note(format_args!("Written to {}.", path.display()));
    Ok(())
}

fn delete(shell: &Shell, yes: bool) -> Result<Exit> {
    let origin = enrol::require_server(shell)?;
    let login = account::login_of(&shell.home)?;
    let question = format!("Delete the account {login} on {origin}? Nobody can log in with it then.");
    if !prompt::confirm_by_word(&question, login.as_str(), yes)? {
        shell.output.note("Nothing was deleted.");
        return Ok(Exit::Interrupted);
    }
    let (password, ()) = prompt::tried_password(shell.output, "Password: ", |password| {
        Ok(account::delete(&shell.home, &shell.config, password)?)
    })?;
    // It looks at the account then, and what it told of the server is over.
    lock::unlock_daemon(shell, &password)?;
    shell.output.note(
        "The account is deleted on the server. On this computer it stays, and its folders go on syncing.",
    );
    Ok(Exit::Success)
}

/// The account, opened without asking where that is possible.
pub(super) fn opened(shell: &Shell) -> Result<Unlocked> {
    enrol::require_server(shell)?;
    shell.open_account()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, name: &str) -> DeviceReport {
        let (device, name) = (id.repeat(4).parse().unwrap(), name.to_owned());
        DeviceReport { device, name, created_at_s: 0, seen_at_s: 0, is_this: false }
    }

    #[test]
    fn a_computer_is_named_by_its_name_or_the_beginning_of_its_id() {
        let impostor = "75b18cd2".repeat(4);
        let devices = [
            device("75b18cd2", "laptop"),
            device("75b1ffff", "desktop"),
            device("1157bba0", "desktop"),
            device("0000aaaa", &impostor),
            device("beefbeef", "cafe"),
        ];
        let named = |text: &str| named_device(&devices, text);
        for (text, at) in [
            ("laptop", 0),
            ("75B18", 0),
            ("75b1f", 1),
            ("1157", 2),
            (&*impostor, 0),
            ("cafe", 4),
            ("beef", 4),
        ] {
            assert_eq!(named(text).unwrap().device, devices[at].device, "{text}");
        }
        for ambiguous in ["desktop", "75b1"] {
            let error = named(ambiguous).unwrap_err();
            assert_eq!(crate::exit::of(&error), Exit::Usage);
            let what = error.to_string();
            assert!(what.contains(&devices[1].device.to_string()) && what.contains("desktop"), "{what}");
        }
        // Three digits, the beginning of a name, nothing.
        for unknown in ["115", "lap", "", "ffff"] {
            assert_eq!(crate::exit::of(&named(unknown).unwrap_err()), Exit::Error, "{unknown}");
        }
    }
}
