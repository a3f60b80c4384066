//! Members of a folder.

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::account::SignedBundle;
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::{MemberReport, MembersChange, RefusalClass};
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::{Role, RosterState};

use super::{Scene, already, end_for_member, groups_with, is_own, not_allowed, shown, word};
use crate::account::{self, AccountError, Person};
use crate::exit::{self, Failure};
use crate::folders::FolderEntry;
use crate::members;
use crate::output::shell_word;

/// The members of a roster, the owner first, and what this account knows of each.
///
/// # Errors
/// What the account remembers cannot be read.
pub fn members_of(scene: &Scene<'_>, roster: &RosterState) -> Result<Vec<MemberReport>> {
    let account = &scene.unlocked.account;
    Ok(members::report(roster, account, &account::known_people(&scene.shell.home, account)?))
}

/// The member with this identity key.
///
/// # Errors
/// There is none.
pub fn member_by_key(scene: &Scene<'_>, folder: &FolderEntry, key: HexArray<32>) -> Result<MemberReport> {
    let members = members_of(scene, &scene.roster(folder)?)?;
    members.into_iter().find(|member| member.identity == key).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format!("Nobody with these keys is in {}", shown(folder)));
        failure.with_remedy(format!("ensafer share list {}", word(folder))).into()
    })
}

/// How somebody was added.
#[derive(Debug)]
pub struct Added {
    /// Who.
    pub person: Person,
    /// Whether they were a member already, in this role and with these keys.
    pub was_member: bool,
    /// Whether an invitation of theirs was ended.
    pub ended_invitation: bool,
}

/// Adds somebody who has an account, or gives a member their newest keys.
///
/// # Errors
/// Nobody has that address, other keys were seen under it, or as [`Scene::change`].
pub fn add(scene: &Scene<'_>, folder: &FolderEntry, login: &Login, role: Role) -> Result<Added> {
    if scene.login() == login {
        let what = format!("{login} is your own address: you are a member already");
        return Err(not_allowed(Exit::Usage, what, "Name somebody else's".to_owned()));
    }
    let (home, config) = (&scene.shell.home, &scene.shell.config);
    let person = account::find_person(home, config, &scene.unlocked, login);
    let person = person.map_err(|error| invite_instead(error, login, folder))?;
    let members = members_of(scene, &scene.roster(folder)?)?;
    refuse_other_keys(&members, &person.bundle)?;
    let known = members.iter().find(|member| is(member, &person.bundle));
    if let Some(member) = known.filter(|member| member.role != role) {
        let what = format!("{login} is a member of {} already, as {}", shown(folder), member.role);
        return Err(already(what, format!("ensafer share role {} {login} {role}", shown(folder))));
    }
    let was_member = known.is_some_and(|member| member.sequence >= person.bundle.bundle().sequence);
    if !was_member {
        scene.change(folder, MembersChange::Add { bundle: (&person.bundle).into(), role })?;
    }
    let ended_invitation = end_for_member(scene, folder, login)?;
    Ok(Added { person, was_member, ended_invitation })
}

/// Whoever has no account is invited.
fn invite_instead(error: AccountError, login: &Login, folder: &FolderEntry) -> anyhow::Error {
    if !error.is_unknown_user() {
        return error.into();
    }
    let remedy = format!("Invite them: ensafer invite add {} {login}", shown(folder));
    let failure = Failure::new(error.exit(), error.to_string()).with_remedy(remedy);
    failure.with_class(RefusalClass::UnknownPerson).about(login.as_str()).into()
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
    let failure = Failure::new(Exit::VerificationFailed, what).with_remedy(remedy);
    Err(failure.with_class(RefusalClass::KeysChanged).about(login.as_str()).into())
}

fn is(member: &MemberReport, bundle: &SignedBundle) -> bool {
    member.identity == HexArray(*bundle.bundle().identity.as_bytes())
}

/// Refuses to remove oneself.
///
/// # Errors
/// Then.
pub fn may_remove(member: &MemberReport, folder: &FolderEntry) -> Result<()> {
    if !is_own(member.standing) {
        return Ok(());
    }
    refuse_owner(member, folder)?;
    let what = format!("{} is your own address", member.login);
    Err(not_allowed(Exit::Usage, what, format!("To leave the folder: ensafer share leave {}", word(folder))))
}

/// Removes a member. Returns the groups by which they are in the folder all the same.
///
/// # Errors
/// As [`may_remove`] and [`Scene::change`].
pub fn remove(scene: &Scene<'_>, folder: &FolderEntry, member: &MemberReport) -> Result<Vec<String>> {
    may_remove(member, folder)?;
    scene.change(folder, MembersChange::Remove { member: member.identity })?;
    still_by_groups(scene, folder, &member.login)
}

/// Changes what a member may do. Returns the groups by which they are in the folder, too.
///
/// # Errors
/// The member is the owner, or as [`Scene::change`].
pub fn set_role(
    scene: &Scene<'_>,
    folder: &FolderEntry,
    member: &MemberReport,
    role: Role,
) -> Result<Vec<String>> {
    if member.role != role {
        if is_own(member.standing) {
            refuse_owner(member, folder)?;
        }
        scene.change(folder, MembersChange::SetRole { member: member.identity, role })?;
    }
    still_by_groups(scene, folder, &member.login)
}

fn still_by_groups(scene: &Scene<'_>, folder: &FolderEntry, login: &str) -> Result<Vec<String>> {
    groups_with(scene, &scene.roster(folder)?, &account::parse_login(login)?)
}

/// Refuses to leave one's own folder. Returns the groups by which this account would stay in it.
///
/// # Errors
/// The account is the owner.
pub fn may_leave(scene: &Scene<'_>, folder: &FolderEntry) -> Result<Vec<String>> {
    let roster = match scene.roster(folder) {
        Ok(roster) => roster,
        // As of the last look, which may be long ago: the change looks once more.
        Err(error) if exit::of(&error) == Exit::NotARecipient => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let members = members_of(scene, &roster)?;
    members.iter().filter(|member| is_own(member.standing)).try_for_each(|own| refuse_owner(own, folder))?;
    Ok(groups_with(scene, &roster, scene.login()).unwrap_or_default())
}

/// Removes this account from somebody else's folder. Returns the groups by which it stays in it.
///
/// # Errors
/// As [`may_leave`] and [`Scene::change`]; or the account is in the folder by a group only.
pub fn leave(scene: &Scene<'_>, folder: &FolderEntry) -> Result<Vec<String>> {
    let by_groups = may_leave(scene, folder)?;
    match (scene.change(folder, MembersChange::Leave), by_groups.first()) {
        (Ok(()), _) => Ok(by_groups),
        (Err(error), Some(group)) if exit::of(&error) != Exit::RetryLater => {
            Err(by_group(group, folder).into())
        }
        (Err(error), _) => Err(error),
    }
}

/// Nobody leaves a group by leaving one of its folders.
#[must_use]
pub fn by_group(group: &str, folder: &FolderEntry) -> Failure {
    let what = format!("You are in {} by the group {group}", shown(folder));
    let remedy = format!(
        "Ask an admin of the group to take you out of it; if you are one: ensafer group leave {}. To stop syncing only: ensafer folder remove {}",
        shell_word(group),
        word(folder)
    );
    Failure::new(Exit::Usage, what).with_remedy(remedy).with_class(RefusalClass::NotAllowed)
}

/// This account has left the folder, or was removed from it.
#[must_use]
pub fn no_member(folder: &FolderEntry) -> Failure {
    let what = format!("You are no longer a member of {}; your copies stay here", shown(folder));
    let remedy = format!(
        "ensafer folder remove {} takes it off the list. To come back, ask an admin of the folder to add you",
        word(folder)
    );
    Failure::new(Exit::NotARecipient, what).with_remedy(remedy).with_class(RefusalClass::NotAMember)
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
    Err(not_allowed(Exit::Error, what, remedy))
}
