//! `invite`: people who have no account yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::account::OpenInvitation;
use ensafer_core::api::local::{GuestReport, MembersChange};
use ensafer_core::api::server::InvitationReport;
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::Role;
use ensafer_core::ids::InvitationId;
use serde::Serialize;

use super::Format;
use super::account::opened;
use super::engine::Engine;
use super::folder;
use super::guests::{self, at};
use super::share::GivenRole;
use super::share::members::{change, may, refuse_oneself, shown};
use crate::account::{self, Unlocked};
use crate::exit::Failure;
use crate::folders::{FolderEntry, Folders};
use crate::output::printable;
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Invite somebody to a folder: a link by e-mail, and a one-time password that you tell them by another way
    Add(AddArguments),
    /// List the invitations that are open
    List(Format),
    /// Show an invitation's password once more, and send its link
    Resend(OneArguments),
    /// Take an invitation back
    Revoke(RevokeArguments),
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The work folder
    work: PathBuf,
    /// The guest's e-mail address
    email: String,
    /// What they may do
    #[arg(long, value_enum, default_value_t = GivenRole::Writer)]
    role: GivenRole,
    #[command(flatten)]
    sending: Sending,
}

#[derive(Debug, Args)]
pub(super) struct Sending {
    /// Print the link, to be sent by you, instead of having the server mail it
    #[arg(long)]
    print_link: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// The guest's e-mail address, or the invitation's id
    whom: String,
    #[command(flatten)]
    sending: Sending,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArguments {
    /// The guest's e-mail address, or the invitation's id
    whom: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// An invitation as it is sent: the only place where its password shows.
#[derive(Serialize)]
struct Sent<'a> {
    id: InvitationId,
    invited: String,
    role: Role,
    expires: String,
    /// Absent where the server has mailed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    password: &'a str,
}

/// An invitation as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    guest: GuestReport,
    /// The work folder, where the folder is on this computer.
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<String>,
    /// Whether the guest has accepted, and a computer with the folder is to make a member of them.
    accepted: bool,
}

pub(super) fn run(command: &Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    match command {
        Command::Add(arguments) => add(arguments, shell, engine),
        Command::List(format) => list(format, shell, engine),
        Command::Resend(arguments) => resend(arguments, shell, engine),
        Command::Revoke(arguments) => revoke(arguments, shell, engine),
    }
}

fn add(arguments: &AddArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let (login, role) = (account::parse_login(&arguments.email)?, Role::from(arguments.role));
    let unlocked = opened(shell)?;
    if !login.as_str().contains('@') {
        let failure = Failure::new(Exit::Usage, format!("{login} is no e-mail address"));
        let remedy = format!(
            "Type the address of whom you invite; for a group: ensafer share add {} NAME",
            shown(&folder)
        );
        return Err(failure.with_remedy(remedy).into());
    }
    refuse_oneself(&unlocked, &login)?;
    refuse_open(shell, &unlocked, &login, &folder)?;
    refuse_account(shell, &unlocked, &login, &folder)?;
    let roster = engine.roster(shell, &folder)?;
    if !roster.may_administer(&unlocked.account.identity().public()) {
        return Err(crate::engine::MembersError::NotAllowed.into());
    }
    let name = folder.work.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (home, config) = (&shell.home, &shell.config);
    let made = account::invite(home, config, &unlocked, &roster, &name, (&login, role))?;
    let invited = change(shell, engine, &folder, MembersChange::Invite { invitations: vec![made.id] });
    if invited.is_err() {
        // Nobody has seen its secrets: as if it had never been.
        account::end_invitation(home, config, &unlocked, made.id)?;
        invited?;
    }
    shell.output.note(format_args!(
        "{login} is invited to {} {}, until {}.",
        may(role),
        shown(&folder),
        at(made.open.expires_at_s)
    ));
    send(shell, &unlocked, made.id, &made.open, &arguments.sending)?;
    Ok(Exit::Success)
}

/// One invitation to a folder is enough for one address.
fn refuse_open(shell: &Shell, unlocked: &Unlocked, login: &Login, folder: &FolderEntry) -> Result<()> {
    let open = of_person(shell, unlocked, login, folder)?;
    let Some(open) = open.values().find(|open| open.expires_at_s >= account::now_s()) else { return Ok(()) };
    let until = at(open.expires_at_s);
    let what = format!("{login} is invited to {} already, as {}, until {until}", shown(folder), open.role);
    let remedy = format!(
        "ensafer invite resend {login} shows link and password once more. For another role: ensafer invite revoke {login}, then this once more"
    );
    Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
}

/// This account's invitations of an address to a folder.
fn of_person(
    shell: &Shell,
    unlocked: &Unlocked,
    login: &Login,
    folder: &FolderEntry,
) -> Result<BTreeMap<InvitationId, OpenInvitation>> {
    let mut open = account::open_invitations(&shell.home, &unlocked.account)?;
    open.retain(|_, invitation| invitation.folder == folder.id && invitation.invited == *login);
    Ok(open)
}

/// Ends the invitations of somebody who has become a member without them.
pub(super) fn end_for_member(
    shell: &Shell,
    engine: &dyn Engine,
    unlocked: &Unlocked,
    login: &Login,
    folder: &FolderEntry,
) -> Result<()> {
    let ids: Vec<_> = of_person(shell, unlocked, login, folder)?.into_keys().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ended = change(shell, engine, folder, MembersChange::Uninvite { invitations: ids.clone() });
    ended.with_context(|| format!("{login} was added, but is still invited as well"))?;
    for id in ids {
        account::end_invitation(&shell.home, &shell.config, unlocked, id)?;
    }
    shell.output.note(format_args!("The invitation of {login} is over: it is not needed any more."));
    Ok(())
}

/// Whoever has an account needs no invitation.
fn refuse_account(shell: &Shell, unlocked: &Unlocked, login: &Login, folder: &FolderEntry) -> Result<()> {
    match account::find_person(&shell.home, &shell.config, unlocked, login) {
        Ok(_) => {
            let failure = Failure::new(Exit::Usage, format!("{login} has an account"));
            Err(failure.with_remedy(format!("ensafer share add {} {login}", shown(folder))).into())
        }
        Err(error) if error.is_unknown_user() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends or prints the link, and shows the password.
fn send(
    shell: &Shell,
    unlocked: &Unlocked,
    id: InvitationId,
    invitation: &OpenInvitation,
    sending: &Sending,
) -> Result<()> {
    let (home, config, output) = (&shell.home, &shell.config, &shell.output);
    let invited = &invitation.invited;
    let mailed = !sending.print_link
        && account::mail_link(home, config, unlocked, id, invitation).unwrap_or_else(|error| {
            output.warn(format_args!("The link was not mailed: {error}"));
            false
        });
    let (link, password) = (account::link(home, id, invitation)?, invitation.secrets.password.to_text());
    if sending.format.json {
        let sent = Sent {
            id,
            invited: invited.to_string(),
            role: invitation.role,
            expires: at(invitation.expires_at_s),
            link: (!mailed).then_some(&**link),
            password: &password,
        };
        output.document(&sent)?;
        return Ok(());
    }
    if mailed {
        output.note(format_args!("The server has mailed the link to {invited}."));
    } else {
        output.note(format_args!("The link, for you to send to {invited}:"));
        output.line(&*link)?;
    }
    output.note(
        "The one-time password. Tell it by another way than the link: by telephone, face to face, by text message:",
    );
    output.line(&*password)?;
    output.note("Either alone opens nothing. The guest needs both: ensafer accept 'LINK'");
    Ok(())
}

fn list(format: &Format, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let unlocked = opened(shell)?;
    let asked_daemon = Client::connect_if_running(&shell.home)?.map(|client| client.look_at_account());
    match asked_daemon {
        Some(asked) => asked?,
        None => tend(shell, engine)?,
    }
    let served = account::served_invitations(&shell.home, &shell.config, &unlocked)?;
    let listed = account::open_invitations(&shell.home, &unlocked.account)?
        .iter()
        .map(|(id, invitation)| listed(shell, engine, &unlocked, (*id, invitation), &served))
        .collect::<Result<Vec<Listed>>>()?;
    if format.json {
        shell.output.document(&listed)?;
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        shell.output.note("No invitation is open.");
    }
    for Listed { guest, work, .. } in &listed {
        let Some(invitation) = &guest.invitation else { continue };
        let work = work.as_deref().unwrap_or("(a folder of another computer)");
        let (invited, role) = (printable(&invitation.invited), invitation.role);
        let words = guests::words(guest.standing, invitation);
        shell.output.line(format_args!("{invited}  {role:6}  {work}  {words}"))?;
    }
    Ok(Exit::Success)
}

fn listed(
    shell: &Shell,
    engine: &dyn Engine,
    unlocked: &Unlocked,
    (id, invitation): (InvitationId, &OpenInvitation),
    served: &[InvitationReport],
) -> Result<Listed> {
    let folder = folder_of(shell, invitation)?;
    // Of a folder that is not here, or not open to this account any more, nobody can say it.
    let reading = folder.as_ref().and_then(|folder| engine.reading_guests(shell, folder, &[id]).ok());
    let is_in = reading.is_none_or(|reading| !reading.own.is_empty());
    let guest = guests::report(shell, unlocked, id, invitation, served, is_in);
    let accepted = served.iter().any(|report| report.id == id && report.acceptance.is_some());
    Ok(Listed { guest, work: folder.as_ref().map(shown), accepted })
}

/// Sees to invitations where no daemon does.
fn tend(shell: &Shell, engine: &dyn Engine) -> Result<()> {
    let _lock = shell.home.lock()?;
    engine.tend_invitations(shell)
}

fn resend(arguments: &OneArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let unlocked = opened(shell)?;
    let (id, invitation) = find(shell, &unlocked, &arguments.whom)?;
    // A new epoch that another admin started has shut the guest out.
    if let Some(folder) = folder_of(shell, &invitation)? {
        change(shell, engine, &folder, MembersChange::Invite { invitations: vec![id] })?;
    }
    send(shell, &unlocked, id, &invitation, &arguments.sending)?;
    Ok(Exit::Success)
}

fn revoke(arguments: &RevokeArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let unlocked = opened(shell)?;
    let (id, invitation) = find(shell, &unlocked, &arguments.whom)?;
    let invited = &invitation.invited;
    let question = format!("Take the invitation of {invited} back?");
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "The invitation stays").into());
    }
    let Some(folder) = folder_of(shell, &invitation)? else {
        let failure = Failure::new(Exit::NotSetUp, "The invitation's folder is not on this computer");
        return Err(failure.with_remedy("Revoke it on a computer that has the folder").into());
    };
    change(shell, engine, &folder, MembersChange::Uninvite { invitations: vec![id] })?;
    if let Err(error) = account::end_invitation(&shell.home, &shell.config, &unlocked, id) {
        let what = format!(
            "{invited} is shut out of the folder already, but the invitation is still listed: {error}"
        );
        let remedy = "The same command once more, when the key server can be reached";
        return Err(Failure::new(error.exit(), what).with_remedy(remedy).into());
    }
    shell.output.note(format_args!("The invitation of {invited} is worth nothing any more."));
    shell.output.note(
        "What they may have read with it until now stays read; what is written from now on they cannot open.",
    );
    Ok(Exit::Success)
}

fn folder_of(shell: &Shell, invitation: &OpenInvitation) -> Result<Option<FolderEntry>> {
    let folders = Folders::load(shell.home.data_dir())?;
    Ok(folders.entries().iter().find(|folder| folder.id == invitation.folder).cloned())
}

/// The open invitation of this address, or with this id.
fn find(shell: &Shell, unlocked: &Unlocked, whom: &str) -> Result<(InvitationId, OpenInvitation)> {
    let open = account::open_invitations(&shell.home, &unlocked.account)?;
    let login = account::parse_login(whom).ok();
    let is_meant = |(id, invitation): &(&InvitationId, &OpenInvitation)| {
        login.as_ref() == Some(&invitation.invited) || id.to_string() == whom
    };
    let mut found = open.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some((id, invitation)), None) => Ok((*id, invitation.clone())),
        (None, _) => {
            let failure = Failure::new(Exit::Usage, format!("No open invitation is {}'s", printable(whom)));
            Err(failure.with_remedy("ensafer invite list").into())
        }
        _ => {
            let what = format!("Several open invitations are {}'s", printable(whom));
            Err(Failure::new(Exit::Usage, what)
                .with_remedy("Name one by its id: ensafer invite list --json")
                .into())
        }
    }
}
