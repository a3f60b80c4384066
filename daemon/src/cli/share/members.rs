//! `share add|remove|role|list|leave`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{GroupReport, GuestReport, MemberReport, Standing};
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::Role;
use serde::Serialize;

use super::super::account::opened;
use super::super::engine::Engine;
use super::super::rosters::Here;
use super::super::{folder, guests};
use super::groups;
use super::{AddArguments, LeaveArguments, ListArguments, MemberArguments, RoleArguments};
use crate::account::{self, Person};
use crate::exit::Failure;
use crate::folders::FolderEntry;
use crate::output::{printable, shell_word};
use crate::pairs;
use crate::people::{self, Scene, shown, word};
use crate::prompt;
use crate::shell::Shell;

pub(super) fn add(arguments: &AddArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let (login, role) = (account::parse_login(&arguments.email)?, Role::from(arguments.role));
    opened(shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let added = people::add(&scene, &folder, &login, role)?;
    if added.was_member {
        shell.output.note(format_args!("{login} is a member of {} already.", shown(&folder)));
    } else {
        tell_added(shell, &folder, &login, role, &added.person, scene.unlocked.account.login());
    }
    if added.ended_invitation {
        shell.output.note(format_args!("The invitation of {login} is over: it is not needed any more."));
    }
    Ok(Exit::Success)
}

fn tell_added(shell: &Shell, folder: &FolderEntry, login: &Login, role: Role, person: &Person, own: &Login) {
    let (output, work) = (&shell.output, shown(folder));
    output.note(format_args!("{login} may {} {work} from now on, older files too.", may(role)));
    output.note(format_args!(
        "On their computer, once their cloud client has fetched the encrypted folder: ensafer folder add WORK ENCRYPTED --from {own}"
    ));
    if !pairs::is_verified(person) {
        output.note(format_args!(
            "Their keys are those that the server has; to be sure that nobody is in between, compare: ensafer share verify {login}"
        ));
    }
}

pub(in crate::cli) const fn may(role: Role) -> &'static str {
    match role {
        Role::Reader => "read",
        Role::Writer => "read and write",
        Role::Admin | Role::Owner => "read and write, and add and remove people in,",
    }
}

pub(super) fn remove(arguments: &MemberArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let login = account::parse_login(&arguments.email)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let member = member(&scene, &folder, &login)?;
    people::may_remove(&member, &folder)?;
    if !prompt::confirm(&format!("Remove {login} from {}?", shown(&folder)), arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "Nobody was removed").into());
    }
    if let Some(group) = people::remove(&scene, &folder, &member)?.first() {
        shell.output.warn(format_args!(
            "{login} is still in {} by the group {group}. To take them out of that, too: ensafer group remove {} {login}",
            shown(&folder),
            shell_word(group)
        ));
        return Ok(Exit::Success);
    }
    shell.output.note(format_args!(
        "{login} is no member of {} any more, and cannot open what is written from now on.",
        shown(&folder)
    ));
    shell.output.note(
        "What this cannot undo: the files in their work folder and every copy that they have made stay with them, \
         and with the keys that they had they can open what was encrypted until now, where they still get at it.",
    );
    shell.output.note(format_args!(
        "Take the encrypted folder away from them in your cloud, too. To encrypt everything anew now, and not as it is next written: ensafer folder reencrypt {}",
        shown(&folder)
    ));
    Ok(Exit::Success)
}

pub(super) fn set_role(arguments: &RoleArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let (login, role) = (account::parse_login(&arguments.email)?, Role::from(arguments.role));
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let member = member(&scene, &folder, &login)?;
    if member.role == role {
        shell.output.note(format_args!("{login} is a member of {} as {role} already.", shown(&folder)));
        return Ok(Exit::Success);
    }
    let loses = member.standing == Standing::Own && member.role == Role::Admin && role < Role::Admin;
    let question = format!(
        "You will not add, remove or change people in {} any more, and only another admin can give that back. Go on?",
        shown(&folder)
    );
    if loses && !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "You are still an admin").into());
    }
    let groups = people::set_role(&scene, &folder, &member, role)?;
    shell.output.note(format_args!("{login} may {} {} from now on.", may(role), shown(&folder)));
    if let Some(group) = groups.first() {
        shell.output.warn(format_args!(
            "{login} is in {} by the group {group}, too, and may do what that may.",
            shown(&folder)
        ));
    }
    Ok(Exit::Success)
}

pub(super) fn leave(arguments: &LeaveArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    people::may_leave(&scene, &folder)?;
    let question = format!("Leave {}? Only an admin of the folder can let you in again.", shown(&folder));
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "You are still a member").into());
    }
    if let Some(group) = people::leave(&scene, &folder)?.first() {
        let still = people::by_group(group, &folder);
        shell.output.note(format_args!("You are no member of {} by yourself any more.", shown(&folder)));
        shell.output.warn(format_args!("{still}. {}", still.remedy().unwrap_or_default()));
        return Ok(Exit::Success);
    }
    shell.output.note(format_args!(
        "You are no longer a member of {}; your copies stay here. To take it off the list: ensafer folder remove {}",
        shown(&folder),
        word(&folder)
    ));
    Ok(Exit::Success)
}

pub(super) fn list(arguments: &ListArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let here = Here { shell, engine };
    let listed = people::people_of(&here.scene()?, &folder)?;
    if listed.is_disputed {
        tell_dispute(shell, &listed.members);
    }
    let (members, guests, groups) = (listed.members, listed.guests, listed.groups);
    if arguments.format.json {
        let members = members.into_iter().map(Listed::Member);
        let guests = guests.into_iter().map(Listed::Guest);
        let all: Vec<_> = members.chain(guests).chain(groups.into_iter().map(Listed::Group)).collect();
        shell.output.document(&all)?;
        return Ok(Exit::Success);
    }
    let invited = || guests.iter().filter_map(|guest| Some((guest.standing, guest.invitation.as_ref()?)));
    let names = members.iter().map(|member| &member.login).chain(invited().map(|(_, guest)| &guest.invited));
    let width = names.map(|name| printable(name).chars().count()).max().unwrap_or(0);
    for member in &members {
        let login = printable(&member.login);
        shell.output.line(format_args!("{login:width$}  {:6}  {}", member.role, words(member.standing)))?;
    }
    for (standing, guest) in invited() {
        let (login, words) = (printable(&guest.invited), guests::words(standing, guest));
        shell.output.line(format_args!("{login:width$}  {:6}  {words}", guest.role))?;
    }
    let is_admin = members.iter().any(|m| m.standing == Standing::Own && m.role >= Role::Admin);
    tell_of_others_guests(shell, &folder, guests.len() - invited().count(), is_admin);
    groups.iter().try_for_each(|group| groups::print(group, shell))?;
    Ok(Exit::Success)
}

/// Says who has to decide.
fn tell_dispute(shell: &Shell, members: &[MemberReport]) {
    let decides = match members.iter().find(|member| member.role == Role::Owner) {
        Some(owner) if owner.standing == Standing::Own => "you decide, the owner".to_owned(),
        Some(owner) => format!("the owner, {}, decides", printable(&owner.login)),
        None => "the owner decides".to_owned(),
    };
    shell.output.warn(format_args!(
        "Two admins of the folder have removed each other. Nothing is synced until {decides}: ensafer share add, share role or share remove on the owner's computer."
    ));
}

/// An entry of `share list --json`: guests have no `login`, because nobody is a member by it, and groups have a `group`.
#[derive(Serialize)]
#[serde(untagged)]
enum Listed {
    Member(MemberReport),
    Guest(GuestReport),
    Group(GroupReport),
}

fn tell_of_others_guests(shell: &Shell, folder: &FolderEntry, count: usize, is_admin: bool) {
    if count == 0 {
        return;
    }
    shell.output.note(format_args!(
        "Beside these, {count} may read by invitations that other admins have made. Only those admins can list and end them: ensafer invite list, ensafer invite revoke"
    ));
    if is_admin {
        shell.output.note(format_args!(
            "Those of an admin whom you do not trust any more end with the role: ensafer share role {} EMAIL writer",
            shown(folder)
        ));
    }
}

pub(super) const fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Own => "you",
        Standing::Verified => "verified",
        Standing::Pinned => "not compared",
        Standing::Unknown => "never met: an admin of the folder has added them",
        Standing::Changed => "OTHER KEYS than were seen before under this address",
    }
}

/// The member whom somebody means, who is not one by a group only.
fn member(scene: &Scene<'_>, folder: &FolderEntry, login: &Login) -> Result<MemberReport> {
    let roster = scene.roster(folder)?;
    let members = people::members_of(scene, &roster)?;
    let is_there = members.iter().any(|member| member.login == login.as_str());
    match people::groups_with(scene, &roster, login)?.first() {
        Some(group) if !is_there => {
            let what = format!("{login} is in {} by the group {group}", shown(folder));
            let group = shell_word(group);
            let remedy = format!(
                "To take them out of the group: ensafer group remove {group} {login}. What the whole group may do: ensafer share role {} {group} ROLE",
                word(folder)
            );
            Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
        }
        _ => member_of(&members, login, folder),
    }
}

fn member_of(members: &[MemberReport], login: &Login, folder: &FolderEntry) -> Result<MemberReport> {
    let mut found = members.iter().filter(|member| member.login == login.as_str());
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member.clone()),
        (None, _) => {
            let what = format!("{login} is no member of {}", shown(folder));
            let remedy = format!("ensafer share list {}", shown(folder));
            Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
        }
        (Some(first), Some(_)) => Ok(members
            .iter()
            .find(|member| member.login == login.as_str() && member.standing == Standing::Changed)
            .unwrap_or(first)
            .clone()),
    }
}
