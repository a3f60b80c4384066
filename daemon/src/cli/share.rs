//! `share`: the members and groups of a folder, and whose keys somebody's are.

mod groups;
pub(super) mod members;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use ensafer_client::exit::Exit;
use ensafer_core::format::roster::Role;

use super::Format;
use super::engine::Engine;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add somebody who has an account: they read everything in the folder, older files too
    Add(AddArguments),
    /// Remove somebody: they cannot open what is written from now on
    Remove(MemberArguments),
    /// Change what somebody may do
    Role(RoleArguments),
    /// List a folder's members
    List(ListArguments),
    /// Leave somebody else's folder; the files stay in the work folder
    Leave(LeaveArguments),
    /// Show the safety number with somebody: the same on both sides if nobody is in between
    Verify(verify::Arguments),
}

/// What somebody who is added, or invited, may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum GivenRole {
    /// Reads; what they change stays on their computer
    Reader,
    /// Reads and writes
    Writer,
    /// Reads, writes, adds and removes people
    Admin,
}

impl From<GivenRole> for Role {
    fn from(role: GivenRole) -> Self {
        match role {
            GivenRole::Reader => Self::Reader,
            GivenRole::Writer => Self::Writer,
            GivenRole::Admin => Self::Admin,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The work folder
    work: PathBuf,
    /// The other's e-mail address, or the name of a group
    email: String,
    /// What they may do
    #[arg(long, value_enum, default_value_t = GivenRole::Writer)]
    role: GivenRole,
}

#[derive(Debug, Args)]
pub(super) struct MemberArguments {
    /// The work folder
    work: PathBuf,
    /// The member's e-mail address, or the name of a group
    email: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RoleArguments {
    /// The work folder
    work: PathBuf,
    /// The member's e-mail address, or the name of a group
    email: String,
    /// What they may do from now on
    #[arg(value_enum)]
    role: GivenRole,
    /// Do not ask, where an admin gives up their own role
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// The work folder
    work: PathBuf,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct LeaveArguments {
    /// The work folder
    work: PathBuf,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(command: &Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    match command {
        Command::Add(arguments) if groups::is_group(&arguments.email) => {
            groups::add(arguments, shell, engine)
        }
        Command::Remove(arguments) if groups::is_group(&arguments.email) => {
            groups::remove(arguments, shell, engine)
        }
        Command::Role(arguments) if groups::is_group(&arguments.email) => {
            groups::set_role(arguments, shell, engine)
        }
        Command::Add(arguments) => members::add(arguments, shell, engine),
        Command::Remove(arguments) => members::remove(arguments, shell, engine),
        Command::Role(arguments) => members::set_role(arguments, shell, engine),
        Command::List(arguments) => members::list(arguments, shell, engine),
        Command::Leave(arguments) => members::leave(arguments, shell, engine),
        Command::Verify(arguments) => verify::run(arguments, shell),
    }
}
