//! `group`: people with whom folders are shared as with one person.

mod list;
mod people;

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use ensafer_client::exit::Exit;
use ensafer_core::api::local::MembersChange;
use ensafer_core::format::roster::{Role, RosterState};
use ensafer_core::ids::GroupId;

use super::Format;
use super::account::opened;
use super::engine::Engine;
use super::rosters::Here;
use crate::account::{self, FreshGroups, GroupFiles, Groups, Unlocked, was_left};
use crate::clock::{Clock, SystemClock};
use crate::exit::{self, Failure};
use crate::folders::{FolderEntry, Folders};
use crate::groups::HeldGroup;
use crate::output::printable;
use crate::people::{SHORT_ID, Scene, short_group as short, shown};
use crate::prompt;
use crate::shell::Shell;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a group; its name is for you alone
    Create {
        /// What you call it: without an @
        name: String,
    },
    /// Add somebody: they may do in every folder of the group what the group may
    Add(AddArguments),
    /// Remove somebody: in every folder of the group they cannot open what is written from now on
    Remove(MemberArguments),
    /// List your groups, who is in them, and which folders are shared with them
    List(ListArguments),
    /// Leave somebody else's group
    Leave(OneArguments),
    /// Delete a group that you made
    Delete(OneArguments),
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The group: its name, or the beginning of its id
    name: String,
    /// The other's e-mail address
    email: String,
    /// Let them add and remove people, too
    #[arg(long)]
    admin: bool,
}

#[derive(Debug, Args)]
pub(super) struct MemberArguments {
    /// The group: its name, or the beginning of its id
    name: String,
    /// Their e-mail address
    email: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// One group: its name, or the beginning of its id
    name: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// The group: its name, or the beginning of its id
    name: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(command: &Command, shell: &Shell, engine: &dyn Engine) -> Result<Exit> {
    shell.require_account()?;
    let desk = Desk::new(shell, engine)?;
    match command {
        Command::Create { name } => create(name, &desk),
        Command::Add(arguments) => people::add(arguments, &desk),
        Command::Remove(arguments) => people::remove(arguments, &desk),
        Command::List(arguments) => list::run(arguments, &desk),
        Command::Leave(arguments) => leave(arguments, &desk),
        Command::Delete(arguments) => delete(arguments, &desk),
    }
}

/// Whether the account knows a group and has a session, as far as that can be told without asking anybody.
pub(super) fn has_any(shell: &Shell) -> bool {
    let Ok(Some(Unlocked { account, .. })) = shell.open_account_silently() else { return false };
    let is_logged_in = account::is_logged_in(&shell.home).unwrap_or(false);
    let is_remembered =
        || account::known_people(&shell.home, &account).is_ok_and(|known| !known.groups().is_empty());
    let is_held = || GroupFiles::new(&shell.home).all(&account).is_ok_and(|held| !held.is_empty());
    is_logged_in && (is_remembered() || is_held())
}

/// Whether somebody who types `text` means the group that is called `name`.
pub(super) fn is_meant(text: &str, id: GroupId, name: &str) -> bool {
    text == name || (text.len() >= SHORT_ID && id.to_string().starts_with(text))
}

/// The account's group that somebody calls `text`.
pub(super) fn find(text: &str, shell: &Shell, engine: &dyn Engine) -> Result<(GroupId, String)> {
    let group = Desk::new(shell, engine)?.find(text)?;
    Ok((group.held.id(), group.name))
}

/// A group of the account.
struct Known {
    name: String,
    held: Arc<HeldGroup>,
}

/// What every verb about groups needs.
struct Desk<'a> {
    shell: &'a Shell,
    engine: &'a dyn Engine,
    unlocked: Unlocked,
    files: GroupFiles,
}

impl<'a> Desk<'a> {
    fn new(shell: &'a Shell, engine: &'a dyn Engine) -> Result<Self> {
        let unlocked = opened(shell)?;
        Ok(Self { shell, engine, unlocked, files: GroupFiles::new(&shell.home) })
    }

    fn groups(&self) -> Groups<'_> {
        let Shell { home, config, .. } = self.shell;
        let now = SystemClock::default().now();
        Groups { home, config, unlocked: &self.unlocked, files: &self.files, now }
    }

    /// The groups that the account remembers and that are on this computer, by name.
    fn all(&self) -> Result<Vec<Known>> {
        let remembered = self.groups().remembered()?;
        let is_known = |held: &Arc<HeldGroup>| {
            let known = remembered.groups().get(&held.id())?;
            let name = known.name().to_owned();
            // Left, on this computer or another.
            let is_in = !was_left(held.id(), known) && known.is_in(held.group().log());
            is_in.then(|| Known { name, held: Arc::clone(held) })
        };
        let mut all: Vec<_> = self.files.all(&self.unlocked.account)?.iter().filter_map(is_known).collect();
        all.sort_by(|a, b| (&a.name, a.held.id()).cmp(&(&b.name, b.held.id())));
        Ok(all)
    }

    fn find(&self, text: &str) -> Result<Known> {
        self.find_anywhere(text)?.ok_or_else(|| no_group(text))
    }

    fn find_anywhere(&self, text: &str) -> Result<Option<Known>> {
        if let Some(found) = self.find_here(text)? {
            return Ok(Some(found));
        }
        // Another computer of the account may have made it, or a folder brought it.
        self.refresh()?;
        self.find_here(text)
    }

    /// Gives back the name of a group of which nothing else is left for this account, here or on the server.
    fn give_up(&self, text: &str, is_sure: bool) -> Result<Exit> {
        let groups = self.groups();
        let remembered = groups.remembered()?;
        let mut named = remembered.groups().iter().filter(|(id, known)| !was_left(**id, known));
        let Some((id, _)) = named.find(|(_, known)| known.name() == text) else { return Err(no_group(text)) };
        let name = printable(text);
        let question = format!(
            "Nothing of {name} is here or on the server that is for this account. Take it for left, or, if you made it, for deleted?"
        );
        if !prompt::confirm(&question, is_sure)? {
            return Err(Failure::new(Exit::Interrupted, "Nothing was changed").into());
        }
        groups.give_up(*id)?;
        self.shell.output.note(format_args!("The account has forgotten {name}."));
        Ok(Exit::Success)
    }

    fn find_here(&self, text: &str) -> Result<Option<Known>> {
        let mut all = self.all()?;
        if let Some(at) = all.iter().position(|known| known.name == text) {
            return Ok(Some(all.swap_remove(at)));
        }
        all.retain(|known| is_meant(text, known.held.id(), &known.name));
        Ok(if all.len() == 1 { all.pop() } else { None })
    }

    fn refresh(&self) -> Result<FreshGroups> {
        let fresh = self.groups().refresh()?;
        if fresh.is_news {
            let listed = self.folders()?;
            self.tell(
                listed.iter().filter(|(_, roster)| !roster.groups.is_empty()).map(|(folder, _)| folder),
            );
        }
        Ok(fresh)
    }

    /// The folders of this computer that can be opened, with what their rosters say.
    fn folders(&self) -> Result<Vec<(FolderEntry, RosterState)>> {
        let folders = Folders::load(self.shell.home.data_dir())?;
        let opened = folders.entries().iter().filter_map(|entry| {
            let roster = self.engine.roster(self.shell, entry);
            let roster = roster.inspect_err(|error| tracing::debug!(%error, "a folder cannot be opened"));
            Some((entry.clone(), roster.ok()?))
        });
        Ok(opened.collect())
    }

    /// The folders of this computer that are shared with a group, and what the group may do there.
    fn shared_with(&self, id: GroupId) -> Result<Vec<(FolderEntry, Role)>> {
        let role = |roster: &RosterState| Some(roster.groups.iter().find(|group| group.id == id)?.role);
        Ok(self
            .folders()?
            .into_iter()
            .filter_map(|(folder, roster)| Some((folder, role(&roster)?)))
            .collect())
    }

    /// Has the folders that are shared with a group hear of what is new about it.
    fn tell_folders_of(&self, id: GroupId) -> Result<()> {
        let shared = self.shared_with(id)?;
        self.tell(shared.iter().map(|(folder, _)| folder));
        Ok(())
    }

    fn tell<'f>(&self, folders: impl Iterator<Item = &'f FolderEntry>) {
        let here = Here { shell: self.shell, engine: self.engine };
        let scene = Scene { shell: self.shell, unlocked: self.unlocked.clone(), rosters: &here };
        for folder in folders {
            if let Err(error) = scene.change(folder, MembersChange::LearnGroups) {
                let (folder, error) = (shown(folder), exit::describe(&error));
                self.shell.output.warn(format_args!(
                    "{folder} has not heard of it yet, and will when it is next synced: {error}"
                ));
            }
        }
    }

    fn own_role(&self, group: &RosterState) -> Option<Role> {
        group.role_of(&self.unlocked.account.identity().public())
    }
}

fn no_group(text: &str) -> anyhow::Error {
    let what = format!("You have no group called {}", printable(text));
    Failure::new(Exit::Usage, what).with_remedy("ensafer group list").into()
}

/// What somebody is in a group.
const fn in_group(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Writer | Role::Reader => "member",
    }
}

fn create(name: &str, desk: &Desk<'_>) -> Result<Exit> {
    desk.groups().create(name)?;
    let name = crate::output::shell_word(name);
    desk.shell.output.note(format_args!(
        "The group {name} is made, and you are in it. Add people: ensafer group add {name} EMAIL"
    ));
    desk.shell.output.note(format_args!("Then share folders with them all: ensafer share add WORK {name}"));
    Ok(Exit::Success)
}

fn leave(arguments: &OneArguments, desk: &Desk<'_>) -> Result<Exit> {
    let Some(Known { name, held }) = desk.find_anywhere(&arguments.name)? else {
        return desk.give_up(&arguments.name, arguments.yes);
    };
    let (group, name) = (held.group().state(), printable(&name));
    if desk.own_role(group) == Some(Role::Owner) {
        let failure = Failure::new(Exit::Usage, format!("{name} is your own group"));
        return Err(failure.with_remedy(format!("ensafer group delete {}", short(held.id()))).into());
    }
    let question = format!("Leave {name}? Only an admin of the group can let you in again.");
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "You are still in it").into());
    }
    if let Err(error) = desk.groups().leave(held.id()) {
        return Err(ask_an_admin(error, group));
    }
    desk.shell.output.note(format_args!(
        "You are in {name} no more. The files of its folders stay where they are on this computer."
    ));
    Ok(Exit::Success)
}

/// The server takes changes from admins only, because it cannot see who else is in a group.
fn ask_an_admin(error: account::AccountError, group: &RosterState) -> anyhow::Error {
    if !matches!(error, account::AccountError::Group(account::GroupError::NotAllowed)) {
        return error.into();
    }
    let admins = group.members.iter().filter(|member| member.role >= Role::Admin);
    let admins: Vec<_> = admins.map(|admin| printable(admin.bundle.bundle().login.as_str())).collect();
    let what = "Only the group's owner and its admins can take somebody out of it";
    let remedy = format!("Ask one of them for group remove: {}", admins.join(", "));
    Failure::new(Exit::Error, what).with_remedy(remedy).into()
}

fn delete(arguments: &OneArguments, desk: &Desk<'_>) -> Result<Exit> {
    let Some(Known { name, held }) = desk.find_anywhere(&arguments.name)? else {
        return desk.give_up(&arguments.name, arguments.yes);
    };
    let (id, name) = (held.id(), printable(&name));
    if desk.own_role(held.group().state()) != Some(Role::Owner) {
        let failure = Failure::new(Exit::Usage, format!("{name} is somebody else's group"));
        return Err(failure.with_remedy(format!("ensafer group leave {}", short(id))).into());
    }
    let shared = desk.shared_with(id)?;
    if !shared.is_empty() {
        let works: Vec<_> = shared.iter().map(|(folder, _)| shown(folder)).collect();
        let verbs = works.iter().map(|work| format!("ensafer share remove {work} {}", short(id)));
        let what = format!("Folders are shared with {name}: {}", works.join(", "));
        let remedy = verbs.collect::<Vec<_>>().join("; ");
        return Err(Failure::new(Exit::Usage, what).with_remedy(remedy).into());
    }
    let question = format!("Delete {name}? Folders of other computers that are shared with it stay shared.");
    if !prompt::confirm(&question, arguments.yes)? {
        return Err(Failure::new(Exit::Interrupted, "The group stays").into());
    }
    desk.groups().delete(id)?;
    desk.shell.output.note(format_args!("The group {name} is deleted."));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_meant_by_its_name_or_the_beginning_of_its_id() {
        let id = GroupId::new([0xAB; 16]);
        for text in ["Family", "abababab", "ababababab", &id.to_string()] {
            assert!(is_meant(text, id, "Family"), "{text}");
        }
        for text in ["family", "abab", "", "ababababac", &format!("{id}ab")] {
            assert!(!is_meant(text, id, "Family"), "{text}");
        }
    }
}
