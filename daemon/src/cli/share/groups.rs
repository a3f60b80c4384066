//! `share add|remove|role` with a group's name, and the groups in `share list`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{GroupReport, MembersChange};
use ensafer_core::format::roster::Role;

use super::super::engine::Engine;
use super::super::rosters::Here;
use super::super::{folder, group};
use super::members::{may, words};
use super::{AddArguments, GivenRole, MemberArguments, RoleArguments};
use crate::account;
use crate::exit::Failure;
use crate::folders::FolderEntry;
use crate::output::{printable, shell_word};
use crate::people::{self, Scene, shown};
use crate::prompt;
use crate::shell::Shell;

/// Whether an argument is a group's name: people have addresses.
pub(super) fn is_group(text: &str) -> bool {
    !text.contains('@')
}

pub(super) fn add(arguments: &AddArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let role = role_of(arguments.role)?;
    let (id, name) = group::find(&arguments.email, shell, engine)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let (name, work) = (shell_word(&printable(&name)), shown(&folder));
    if let Some(listed) = of(&scene, &folder)?.iter().find(|listed| listed.group == id) {
        if listed.role == role {
            shell.output.note(format_args!("{work} is shared with {name} already."));
            return Ok(Exit::Success);
        }
        let what = format!("{work} is shared with {name} already, as {}", listed.role);
        let remedy = format!("ensafer share role {work} {name} {role}");
        return Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into());
    }
    scene.change(&folder, MembersChange::ShareWith { group: id, role })?;
    let own = account::login_of(&shell.home)?;
    shell
        .output
        .note(format_args!("Whoever is in {name}, now or later, may {} {work}, older files too.", may(role)));
    shell.output.note(format_args!(
        "On their computers, once their cloud client has fetched the encrypted folder: ensafer folder add WORK ENCRYPTED --from {}",
        owner_of(&scene, &folder)?.unwrap_or_else(|| own.to_string())
    ));
    Ok(Exit::Success)
}

pub(super) fn remove(arguments: &MemberArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let listed = find(&arguments.email, &scene, &folder)?;
    let (name, work) = (printable(&listed.name), shown(&folder));
    if !prompt::confirm(&format!("Take {work} away from {name}?"), arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, format!("{work} stays shared with {name}")).into());
    }
    scene.change(&folder, MembersChange::Unshare { group: listed.group })?;
    shell
        .output
        .note(format_args!("Whoever was in {work} by {name} only cannot open what is written from now on."));
    shell.output.note(
        "What this cannot undo: the files in their work folders and every copy that they have made stay with them, \
         and with the keys that they had they can open what was encrypted until now, where they still get at it.",
    );
    shell.output.note(format_args!(
        "Take the encrypted folder away from them in your cloud, too. To encrypt everything anew now, and not as it is next written: ensafer folder reencrypt {work}"
    ));
    Ok(Exit::Success)
}

pub(super) fn set_role(arguments: &RoleArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let role = role_of(arguments.role)?;
    let here = Here { shell, engine };
    let scene = here.scene()?;
    let listed = find(&arguments.email, &scene, &folder)?;
    let (name, work) = (printable(&listed.name), shown(&folder));
    if listed.role == role {
        shell.output.note(format_args!("{work} is shared with {name} as {role} already."));
        return Ok(Exit::Success);
    }
    scene.change(&folder, MembersChange::ShareWith { group: listed.group, role })?;
    shell.output.note(format_args!("Whoever is in {name} may {} {work} from now on.", may(role)));
    Ok(Exit::Success)
}

/// The groups that a folder is shared with, by name.
fn of(scene: &Scene<'_>, folder: &FolderEntry) -> Result<Vec<GroupReport>> {
    people::groups_of(scene, &scene.roster(folder)?)
}

pub(super) fn print(group: &GroupReport, shell: &Shell) -> Result<()> {
    let output = &shell.output;
    output.line(format_args!(
        "group {} ({})  {}",
        group.name,
        people::short_group(group.group),
        group.role
    ))?;
    let width =
        group.members.iter().map(|member| printable(&member.login).chars().count()).max().unwrap_or(0);
    for member in &group.members {
        output.line(format_args!("  {:width$}  {}", printable(&member.login), words(member.standing)))?;
    }
    Ok(())
}

/// The group of a folder that somebody calls `text`.
fn find(text: &str, scene: &Scene<'_>, folder: &FolderEntry) -> Result<GroupReport> {
    let mut groups = of(scene, folder)?;
    if let Some(at) = groups.iter().position(|listed| listed.name == printable(text)) {
        return Ok(groups.swap_remove(at));
    }
    groups.retain(|listed| group::is_meant(text, listed.group, &listed.name));
    match groups.pop().filter(|_| groups.is_empty()) {
        Some(found) => Ok(found),
        None => {
            let what = format!("{} is shared with no group called {}", shown(folder), printable(text));
            let remedy = format!("ensafer share list {}", shown(folder));
            Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into())
        }
    }
}

/// What a group's members may do: groups administer nothing (`docs/format.md`, "Groups in a folder").
fn role_of(role: GivenRole) -> Result<Role> {
    if !matches!(role, GivenRole::Admin) {
        return Ok(role.into());
    }
    let failure =
        Failure::new(Exit::Usage, "A group cannot administer a folder: its members read, or read and write");
    Err(failure
        .with_remedy("Share as reader or writer, and add those who shall administer by their addresses")
        .into())
}

/// Whose folder it is.
fn owner_of(scene: &Scene<'_>, folder: &FolderEntry) -> Result<Option<String>> {
    let roster = scene.roster(folder)?;
    Ok(roster.login_of(&roster.owner_key).map(str::to_owned))
}
