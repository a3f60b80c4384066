//! `invite`: people who have no account yet.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::api::local::{ListedInvitation, SentInvitation};
use ensafer_core::format::roster::Role;

use super::Format;
use super::account::opened;
use super::engine::Engine;
use super::rosters::Here;
use super::share::GivenRole;
use super::share::members::may;
use super::{folder, guests};
use crate::account;
use crate::exit::Failure;
use crate::output::printable;
use crate::people::{self, shown};
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
    opened(shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let made = people::invite(&scene, &folder, &login, role)?;
    shell.output.note(format_args!(
        "{login} is invited to {} {}, until {}.",
        may(role),
        shown(&folder),
        people::time(made.open.expires_at_s)
    ));
    let sent = people::send(&scene, made.id, &made.open, !arguments.sending.print_link)?;
    tell_sent(shell, &sent, &arguments.sending)?;
    Ok(Exit::Success)
}

/// Prints the link, where it was not mailed, and the password.
fn tell_sent(shell: &Shell, sent: &SentInvitation, sending: &Sending) -> Result<()> {
    let output = &shell.output;
    if let Some(why) = &sent.unmailed {
        output.warn(format_args!("The link was not mailed: {why}"));
    }
    if sending.format.json {
        output.document(sent)?;
        return Ok(());
    }
    match &sent.link {
        None => output.note(format_args!("The server has mailed the link to {}.", sent.invited)),
        Some(link) => {
            output.note(format_args!("The link, for you to send to {}:", sent.invited));
            output.line(&link.0)?;
        }
    }
    output.note(
        "The one-time password. Tell it by another way than the link: by telephone, face to face, by text message:",
    );
    output.line(&sent.password.0)?;
    output.note("Either alone opens nothing. The guest needs both: \"I was invited\" in the window, or ensafer accept 'LINK'");
    Ok(())
}

fn list(format: &Format, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    opened(shell)?;
    let asked_daemon = Client::connect_if_running(&shell.home)?.map(|client| client.look_at_account());
    match asked_daemon {
        Some(asked) => asked?,
        None => tend(shell, engine)?,
    }
    let here = Here { shell, engine };
    let listed = people::list_invitations(&here.scene()?)?;
    if format.json {
        shell.output.document(&listed)?;
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        shell.output.note("No invitation is open.");
    }
    for ListedInvitation { guest, work, .. } in &listed {
        let Some(invitation) = &guest.invitation else { continue };
        let work = work.as_deref().unwrap_or("(a folder of another computer)");
        let (invited, role) = (printable(&invitation.invited), invitation.role);
        let words = guests::words(guest.standing, invitation);
        shell.output.line(format_args!("{invited}  {role:6}  {work}  {words}"))?;
    }
    Ok(Exit::Success)
}

/// Sees to invitations where no daemon does.
fn tend(shell: &Shell, engine: &dyn Engine) -> Result<()> {
    let _lock = shell.home.lock()?;
    engine.tend_invitations(shell)
}

fn resend(arguments: &OneArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    opened(shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let (id, invitation) = people::find_invitation(&scene, &arguments.whom)?;
    let sent = people::resend(&scene, id, &invitation, !arguments.sending.print_link)?;
    tell_sent(shell, &sent, &arguments.sending)?;
    Ok(Exit::Success)
}

fn revoke(arguments: &RevokeArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    opened(shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let (id, invitation) = people::find_invitation(&scene, &arguments.whom)?;
    let invited = &invitation.invited;
    let question = format!("Take the invitation of {invited} back?");
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "The invitation stays").into());
    }
    people::revoke(&scene, id, &invitation)?;
    shell.output.note(format_args!("The invitation of {invited} is worth nothing any more."));
    shell.output.note(
        "What they may have read with it until now stays read; what is written from now on they cannot open.",
    );
    Ok(Exit::Success)
}
