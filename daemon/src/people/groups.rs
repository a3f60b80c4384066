//! The groups that a folder is shared with.

use anyhow::Result;
use ensafer_core::account::AccountState;
use ensafer_core::api::local::GroupReport;
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::{ListedGroup, RosterState};
use ensafer_core::ids::GroupId;

use super::Scene;
use crate::account::{self, was_left};
use crate::members;
use crate::output::printable;

/// As many digits of a group's id name it, where it has no name.
pub const SHORT_ID: usize = 8;

/// The groups of a roster, by name.
///
/// # Errors
/// What the account remembers cannot be read.
pub fn groups_of(scene: &Scene<'_>, roster: &RosterState) -> Result<Vec<GroupReport>> {
    if roster.groups.is_empty() {
        return Ok(Vec::new());
    }
    let account = &scene.unlocked.account;
    let remembered = account::known_people(&scene.shell.home, account)?;
    let report = |listed: &ListedGroup| GroupReport {
        group: listed.id,
        name: group_name(listed.id, &listed.state, &remembered),
        role: listed.role,
        members: members::report(&listed.state, account, &remembered),
    };
    let mut groups: Vec<_> = roster.groups.iter().map(report).collect();
    groups.sort_by(|a, b| (&a.name, a.group).cmp(&(&b.name, b.group)));
    Ok(groups)
}

/// The names of the groups by which somebody is in a folder.
///
/// # Errors
/// As [`groups_of`].
pub fn groups_with(scene: &Scene<'_>, roster: &RosterState, login: &Login) -> Result<Vec<String>> {
    let is_in = |group: &GroupReport| group.members.iter().any(|member| member.login == login.as_str());
    Ok(groups_of(scene, roster)?.into_iter().filter(is_in).map(|group| printable(&group.name)).collect())
}

/// What this account calls a group.
#[must_use]
pub fn group_name(id: GroupId, group: &RosterState, remembered: &AccountState) -> String {
    match remembered.groups().get(&id).filter(|known| !was_left(id, known)) {
        Some(known) => printable(known.name()),
        None => {
            let owner = group.login_of(&group.owner_key).and_then(|login| login.split('@').next());
            format!("{}'s group {}", printable(owner.unwrap_or_default()), short_group(id))
        }
    }
}

/// The beginning of a group's id.
#[must_use]
pub fn short_group(id: GroupId) -> String {
    id.to_string()[..SHORT_ID].to_owned()
}
