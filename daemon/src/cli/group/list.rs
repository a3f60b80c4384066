//! `group list`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::account::AccountState;
use ensafer_core::api::local::{MemberReport, Standing};
use ensafer_core::format::roster::{Role, RosterState};
use ensafer_core::ids::GroupId;
use serde::Serialize;

use super::{Desk, Known, ListArguments, in_group, short};
use crate::account::FreshGroups;
use crate::exit;
use crate::folders::FolderEntry;
use crate::output::printable;

/// A group as it is listed.
#[derive(Serialize)]
struct Listed {
    id: GroupId,
    name: String,
    /// The owner's address.
    owner: String,
    /// What this account is in it: owner, admin or member.
    role: &'static str,
    members: Vec<Person>,
    /// Those of this computer that are shared with it.
    folders: Vec<Shared>,
    /// Whether the server shows a group that this account cannot open: it was removed, or the server lies.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_for_us: bool,
    /// Whether the server has it no more: its owner deleted it, or the server lies.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

#[derive(Serialize)]
struct Person {
    login: String,
    role: &'static str,
    fingerprint: String,
    standing: Standing,
}

#[derive(Serialize)]
struct Shared {
    work: String,
    /// What the group's members may do there.
    role: Role,
}

pub(super) fn run(arguments: &ListArguments, desk: &Desk<'_>) -> Result<Exit> {
    let output = &desk.shell.output;
    let fresh = desk.refresh().unwrap_or_else(|error| {
        output.warn(format_args!("The server was not asked: {}", exit::describe(&error)));
        FreshGroups::default()
    });
    let all = match &arguments.name {
        Some(name) => vec![desk.find(name)?],
        None => desk.all()?,
    };
    let (folders, remembered) = (desk.folders()?, desk.groups().remembered()?);
    let listed: Vec<_> = all.iter().map(|known| listed(known, desk, &folders, &remembered, &fresh)).collect();
    if arguments.format.json {
        output.document(&listed)?;
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        output.note("No groups. ensafer group create NAME");
    }
    listed.iter().try_for_each(|group| print(group, desk))?;
    Ok(Exit::Success)
}

fn listed(
    known: &Known,
    desk: &Desk<'_>,
    folders: &[(FolderEntry, RosterState)],
    remembered: &AccountState,
    fresh: &FreshGroups,
) -> Listed {
    let (id, group) = (known.held.id(), known.held.group().state());
    let person = |member: MemberReport| Person {
        login: member.login,
        role: in_group(member.role),
        fingerprint: member.fingerprint,
        standing: member.standing,
    };
    let shared = folders.iter().filter_map(|(folder, roster)| {
        let listed = roster.groups.iter().find(|group| group.id == id)?;
        Some(Shared { work: folder.work.to_string_lossy().into_owned(), role: listed.role })
    });
    let members = crate::members::report(group, &desk.unlocked.account, remembered);
    Listed {
        id,
        name: known.name.clone(),
        owner: group.login_of(&group.owner_key).unwrap_or_default().to_owned(),
        role: in_group(desk.own_role(group).unwrap_or(Role::Reader)),
        members: members.into_iter().map(person).collect(),
        folders: shared.collect(),
        not_for_us: fresh.not_for_us.contains(&id),
        gone: fresh.gone.contains(&id),
    }
}

fn print(group: &Listed, desk: &Desk<'_>) -> Result<()> {
    let output = &desk.shell.output;
    let (name, owner) = (printable(&group.name), printable(&group.owner));
    output.line(format_args!("{name}  {}  of {owner}, you are {}", short(group.id), group.role))?;
    let width =
        group.members.iter().map(|member| printable(&member.login).chars().count()).max().unwrap_or(0);
    for member in &group.members {
        let login = printable(&member.login);
        output.line(format_args!("  {login:width$}  {:6}  {}", member.role, words(member.standing)))?;
    }
    for folder in &group.folders {
        output.line(format_args!("  shared: {} as {}", printable(&folder.work), folder.role))?;
    }
    if group.not_for_us {
        output.warn(format_args!(
            "{name}: what the server has of it is not for this account any more, or too old. If you were removed: ensafer group leave {}",
            short(group.id)
        ));
    }
    if group.gone {
        output.warn(format_args!(
            "{name}: the server does not have it. If {owner} deleted it: ensafer group leave {}",
            short(group.id)
        ));
    }
    Ok(())
}

const fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Own => "you",
        Standing::Verified => "verified",
        Standing::Pinned => "not compared",
        Standing::Unknown => "never met: an admin of the group has added them",
        Standing::Changed => "OTHER KEYS than were seen before under this address",
    }
}
