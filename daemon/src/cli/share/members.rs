//! `share add|remove|role|list|leave`.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_client::local_api::Client;
use ensafer_core::account::{Known, SignedBundle};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::{GuestReport, MemberReport, MembersChange, Standing};
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::{Role, RosterState};
use serde::Serialize;

use super::super::account::opened;
use super::super::engine::Engine;
use super::super::{folder, guests, invite};
use super::groups;
use super::{AddArguments, LeaveArguments, ListArguments, MemberArguments, RoleArguments};
use crate::account::{self, AccountError, Person, Unlocked};
use crate::exit::{self, Failure};
use crate::folders::FolderEntry;
use crate::output::{printable, shell_word};
use crate::prompt;
use crate::shell::Shell;

pub(super) fn add(arguments: &AddArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let (login, role) = (account::parse_login(&arguments.email)?, Role::from(arguments.role));
    let unlocked = opened(shell)?;
    refuse_oneself(&unlocked, &login)?;
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
            invite::end_for_member(shell, engine, &unlocked, &login, &folder)?;
            return Ok(Exit::Success);
        }
    }
    change(shell, engine, &folder, MembersChange::Add { bundle: (&person.bundle).into(), role })?;
    tell_added(shell, &folder, &login, role, &person, unlocked.account.login());
    invite::end_for_member(shell, engine, &unlocked, &login, &folder)?;
    Ok(Exit::Success)
}

/// Nobody is added, or invited, twice.
pub(in crate::cli) fn refuse_oneself(unlocked: &Unlocked, login: &Login) -> Result<()> {
    if unlocked.account.login() != login {
        return Ok(());
    }
    let what = format!("{login} is your own address: you are a member already");
    Err(Failure::new(Exit::Usage, what).with_remedy("Name somebody else's").into())
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
    let member = member(shell, engine, &folder, &login)?;
    if member.standing == Standing::Own {
        refuse_owner(&member, &folder)?;
        let failure = Failure::new(Exit::Usage, format!("{login} is your own address"));
        let remedy = format!("To leave the folder: ensafer share leave {}", word(&folder));
        return Err(failure.with_remedy(remedy).into());
    }
    if !prompt::confirm(&format!("Remove {login} from {}?", shown(&folder)), arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "Nobody was removed").into());
    }
    change(shell, engine, &folder, MembersChange::Remove { member: member.identity })?;
    if let Some(group) = groups::with(shell, engine, &folder, &login)?.first() {
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
    let member = member(shell, engine, &folder, &login)?;
    if member.role == role {
        shell.output.note(format_args!("{login} is a member of {} as {role} already.", shown(&folder)));
        return Ok(Exit::Success);
    }
    if member.standing == Standing::Own {
        refuse_owner(&member, &folder)?;
        let loses = member.role == Role::Admin && role < Role::Admin;
        let question = format!(
            "You will not add, remove or change people in {} any more, and only another admin can give that back. Go on?",
            shown(&folder)
        );
        if loses && !prompt::confirm(&question, arguments.yes)? {
            return Err(Failure::new(Exit::Interrupted, "You are still an admin").into());
        }
    }
    change(shell, engine, &folder, MembersChange::SetRole { member: member.identity, role })?;
    let groups = groups::with(shell, engine, &folder, &login)?;
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
    match members(shell, engine, &folder) {
        Ok(members) => members
            .iter()
            .filter(|member| member.standing == Standing::Own)
            .try_for_each(|own| refuse_owner(own, &folder))?,
        // As of the last look, which may be long ago: the change looks once more.
        Err(error) if exit::of(&error) == Exit::NotARecipient => {}
        Err(error) => return Err(error),
    }
    let by_groups =
        groups::with(shell, engine, &folder, &account::login_of(&shell.home)?).unwrap_or_default();
    let question = format!("Leave {}? Only an admin of the folder can let you in again.", shown(&folder));
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "You are still a member").into());
    }
    let left = change(shell, engine, &folder, MembersChange::Leave);
    if let Some(group) = by_groups.first() {
        return still_by_group(left, group, &folder, shell);
    }
    left?;
    shell.output.note(format_args!(
        "You are no longer a member of {}; your copies stay here. To take it off the list: ensafer folder remove {}",
        shown(&folder),
        word(&folder)
    ));
    Ok(Exit::Success)
}

/// Nobody leaves a group by leaving one of its folders.
fn still_by_group(left: Result<()>, group: &str, folder: &FolderEntry, shell: &Shell) -> Result<Exit> {
    let what = format!("You are in {} by the group {group}", shown(folder));
    let remedy = format!(
        "Ask an admin of the group to take you out of it; if you are one: ensafer group leave {}. To stop syncing only: ensafer folder remove {}",
        shell_word(group),
        word(folder)
    );
    match left {
        Err(error) if exit::of(&error) == Exit::RetryLater => Err(error),
        Err(_) => Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into()),
        Ok(()) => {
            shell.output.note(format_args!("You are no member of {} by yourself any more.", shown(folder)));
            shell.output.warn(format_args!("{what}. {remedy}"));
            Ok(Exit::Success)
        }
    }
}

pub(super) fn list(arguments: &ListArguments, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    let folder = folder::at(&arguments.work, shell)?;
    let roster = roster(shell, engine, &folder)?;
    let members = members_of(&roster, shell)?;
    if roster.disputed {
        tell_dispute(shell, &members);
    }
    let guests = guests::of_folder(shell, engine, &folder)?;
    let groups = groups::of(shell, engine, &folder)?;
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
    Group(groups::GroupReport),
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

/// The folder's members, and what this account knows of each.
fn members(shell: &Shell, engine: &dyn Engine, folder: &FolderEntry) -> Result<Vec<MemberReport>> {
    members_of(&roster(shell, engine, folder)?, shell)
}

fn members_of(roster: &RosterState, shell: &Shell) -> Result<Vec<MemberReport>> {
    let account = shell.open_account()?.account;
    Ok(crate::members::report(roster, &account, &account::known_people(&shell.home, &account)?))
}

/// The folder's last accepted roster.
fn roster(shell: &Shell, engine: &dyn Engine, folder: &FolderEntry) -> Result<RosterState> {
    engine.roster(shell, folder).map_err(|error| for_people(error, folder))
}

/// Whoever is no member hears what that means for the folder.
fn for_people(error: anyhow::Error, folder: &FolderEntry) -> anyhow::Error {
    if exit::of(&error) == Exit::NotARecipient { no_member(folder).into() } else { error }
}

/// This account has left the folder, or was removed from it.
pub(in crate::cli) fn no_member(folder: &FolderEntry) -> Failure {
    let what = format!("You are no longer a member of {}; your copies stay here", shown(folder));
    Failure::new(Exit::NotARecipient, what).with_remedy(format!(
        "ensafer folder remove {} takes it off the list. To come back, ask an admin of the folder to add you",
        word(folder)
    ))
}

/// An owner stays. What else an owner may want has other ways.
fn refuse_owner(own: &MemberReport, folder: &FolderEntry) -> Result<()> {
    if own.role != Role::Owner {
        return Ok(());
    }
    let work = word(folder);
    let what = format!(
        "You are the owner of {}: you can neither leave nor be removed, nor get another role",
        shown(folder)
    );
    let remedy = format!(
        "To stop syncing it here: ensafer folder remove {work}. To have it alone again: ensafer share remove {work} EMAIL, for each. Whoever shall own it makes a new folder, and you move the files there"
    );
    Err(Failure::new(Exit::Error, what).with_remedy(remedy).into())
}

/// Changes the members in the daemon where one runs, else here.
pub(in crate::cli) fn change(
    shell: &Shell,
    engine: &dyn Engine,
    folder: &FolderEntry,
    change: MembersChange,
) -> Result<()> {
    let changed = match Client::connect_if_running(&shell.home)? {
        Some(client) => change_in_daemon(shell, &client, folder, change),
        None => {
            let _lock = shell.home.lock()?;
            engine.change_members(shell, folder, &change)
        }
    };
    changed.map_err(|error| for_people(error, folder))
}

/// A daemon that is locked gets the password that somebody has typed for this command.
fn change_in_daemon(
    shell: &Shell,
    client: &Client,
    folder: &FolderEntry,
    change: MembersChange,
) -> Result<()> {
    match client.change_members(folder.id, change.clone()) {
        Err(error) if error.is_locked() => {
            let password = shell.take_typed_password().ok_or(error)?;
            client.unlock(&password)?;
            Ok(client.change_members(folder.id, change)?)
        }
        changed => Ok(changed?),
    }
}

/// The member whom somebody means, who is not one by a group only.
fn member(shell: &Shell, engine: &dyn Engine, folder: &FolderEntry, login: &Login) -> Result<MemberReport> {
    let members = members(shell, engine, folder)?;
    let is_there = members.iter().any(|member| member.login == login.as_str());
    match groups::with(shell, engine, folder, login)?.first() {
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

/// The work folder as one word of a command.
fn word(folder: &FolderEntry) -> String {
    shell_word(&shown(folder))
}

pub(in crate::cli) fn shown(folder: &FolderEntry) -> String {
    printable(&folder.work.to_string_lossy())
}
