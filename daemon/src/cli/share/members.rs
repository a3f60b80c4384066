//! `share add|remove|role|list|leave`.

use anyhow::Result;
use ensafer_core::account::{Known, SignedBundle};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::{MemberReport, MembersChange, Standing};
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::Role;

use super::super::account::opened;
use super::super::engine::Engine;
use super::super::folder;
use super::groups;
use super::{AddArguments, LeaveArguments, ListArguments, MemberArguments, RoleArguments};
use crate::account::{self, AccountError, Person};
use crate::exit::{Exit, Failure};
use crate::folders::FolderEntry;
use crate::local_api::Client;
use crate::output::printable;
use crate::prompt;
use crate::shell::Shell;

pub(super) fn add(arguments: &AddArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let (login, role) = (account::parse_login(&arguments.email)?, Role::from(arguments.role));
    let unlocked = opened(shell)?;
    if unlocked.account.login() == &login {
        let failure = Failure::new(Exit::Usage, format!("{login} is the address of this account"));
        return Err(failure.with_remedy("Name somebody else's").into());
    }
    let person = account::find_person(&shell.home, &shell.config, &unlocked, &login);
    let person = person.map_err(|error| invite_instead(error, &login, &folder))?;
    let members = members(shell, engine, &folder)?;
    refuse_other_keys(&members, &person.bundle)?;
    if let Some(member) = members.iter().find(|member| is(member, &person.bundle)) {
        if member.role != role {
            let what = format!("{login} is a member of {} already, as {}", shown(&folder), member.role);
            let remedy = format!("ensafer share role {} {login} {role}", shown(&folder));
            return Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into());
        }
        if member.sequence >= person.bundle.bundle().sequence {
            shell.output.note(format_args!("{login} is a member of {} already.", shown(&folder)));
            return Ok(Exit::Success);
        }
    }
    change(shell, engine, &folder, MembersChange::Add { bundle: (&person.bundle).into(), role })?;
    tell_added(shell, &folder, &login, role, &person, unlocked.account.login());
    Ok(Exit::Success)
}

/// Whoever has no account is invited.
fn invite_instead(error: AccountError, login: &Login, folder: &FolderEntry) -> anyhow::Error {
    if !error.is_unknown_user() {
        return error.into();
    }
    let remedy = format!("Invite them: ensafer invite add {} {login}", shown(folder));
    Failure::new(error.exit(), error.to_string()).with_remedy(remedy).into()
}

fn tell_added(shell: &Shell, folder: &FolderEntry, login: &Login, role: Role, person: &Person, own: &Login) {
    let (output, work) = (&shell.output, shown(folder));
    output.note(format_args!("{login} may {} {work} from now on, older files too.", may(role)));
    output.note(format_args!(
        "On their computer, once their cloud client has fetched the encrypted folder: ensafer folder add WORK ENCRYPTED --from {own}"
    ));
    if person.known != Known::Verified {
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
    let member = member(&members(shell, engine, &folder)?, &login, &folder)?;
    if member.standing == Standing::Own {
        let failure = Failure::new(Exit::Usage, format!("{login} is the address of this account"));
        return Err(failure.with_remedy(format!("ensafer share leave {}", shown(&folder))).into());
    }
    if !prompt::confirm(&format!("Remove {login} from {}?", shown(&folder)), arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "Nobody was removed").into());
    }
    change(
        shell,
        engine,
        &folder,
        MembersChange::Remove { member: member.identity, login: member.login.clone() },
    )?;
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
    let member = member(&members(shell, engine, &folder)?, &login, &folder)?;
    if member.role == role {
        shell.output.note(format_args!("{login} is a member of {} as {role} already.", shown(&folder)));
        return Ok(Exit::Success);
    }
    change(shell, engine, &folder, MembersChange::SetRole { member: member.identity, role })?;
    shell.output.note(format_args!("{login} may {} {} from now on.", may(role), shown(&folder)));
    Ok(Exit::Success)
}

pub(super) fn leave(arguments: &LeaveArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let question = format!("Leave {}? Only an admin of the folder can let you in again.", shown(&folder));
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "You are still a member").into());
    }
    change(shell, engine, &folder, MembersChange::Leave)?;
    shell.output.note(format_args!(
        "You are no member of {} any more. The files in it stay; to stop watching it: ensafer folder remove {0}",
        shown(&folder)
    ));
    Ok(Exit::Success)
}

pub(super) fn list(arguments: &ListArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let members = members(shell, engine, &folder)?;
    let groups = groups::of(shell, engine, &folder)?;
    if arguments.format.json {
        shell.output.document(&groups::document(&members, &groups))?;
        return Ok(Exit::Success);
    }
    let width = members.iter().map(|member| printable(&member.login).chars().count()).max().unwrap_or(0);
    for member in &members {
        let login = printable(&member.login);
        shell.output.line(format_args!("{login:width$}  {:6}  {}", member.role, words(member.standing)))?;
    }
    groups.iter().try_for_each(|group| groups::print(group, shell))?;
    Ok(Exit::Success)
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

/// The folder's members, and what this account knows of each.
fn members(shell: &Shell, engine: &dyn Engine, folder: &FolderEntry) -> Result<Vec<MemberReport>> {
    let roster = engine.roster(shell, folder)?;
    let account = shell.open_account()?.account;
    Ok(crate::members::report(&roster, &account, &account::known_people(&shell.home, &account)?))
}

/// Changes the members in the daemon where one runs, else here.
pub(in crate::cli) fn change(
    shell: &Shell,
    engine: &dyn Engine,
    folder: &FolderEntry,
    change: MembersChange,
) -> Result<()> {
    match Client::connect_if_running(&shell.home)? {
        Some(client) => Ok(client.change_members(folder.id, change)?),
        None => {
            let _lock = shell.home.lock()?;
            engine.change_members(shell, folder, &change)
        }
    }
}

fn member(members: &[MemberReport], login: &Login, folder: &FolderEntry) -> Result<MemberReport> {
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

/// Two different keys under one address in one folder: somebody pretends.
fn refuse_other_keys(members: &[MemberReport], bundle: &SignedBundle) -> Result<()> {
    let login = &bundle.bundle().login;
    let is_other = |member: &&MemberReport| member.login == login.as_str() && !is(member, bundle);
    let Some(other) = members.iter().find(is_other) else { return Ok(()) };
    let what = format!(
        "Somebody else is a member of the folder under the address {login} (fingerprint {})",
        other.fingerprint
    );
    let remedy =
        format!("Compare safety numbers (ensafer share verify {login}), and remove whoever is not {login}");
    Err(Failure::new(Exit::VerificationFailed, what).with_remedy(remedy).into())
}

fn is(member: &MemberReport, bundle: &SignedBundle) -> bool {
    member.identity == HexArray(*bundle.bundle().identity.as_bytes())
}

pub(in crate::cli) fn shown(folder: &FolderEntry) -> String {
    printable(&folder.work.to_string_lossy())
}
