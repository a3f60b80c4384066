//! The people of a folder: members, groups, and guests of invitations. The command line and the local API see and change
//! them by these acts, which neither ask nor print.

mod groups;
mod guests;
mod invitations;
mod members;
mod persons;

use anyhow::Result;
use ensafer_client::exit::Exit;
use ensafer_core::api::local::{MembersChange, PeopleReport, RefusalClass, Standing};
use ensafer_core::crypto::Login;
use ensafer_core::format::roster::{Role, RosterState};
use ensafer_core::ids::InvitationId;

use crate::account::Unlocked;
use crate::engine::MembersError;
use crate::exit::{self, Failure};
use crate::folder_keys::Vault;
use crate::folders::FolderEntry;
use crate::last_roster;
use crate::output::{printable, shell_word};
use crate::shell::Shell;

pub use groups::{SHORT_ID, group_name, groups_of, groups_with, short_group};
pub use guests::{guests_of, time};
pub use invitations::{
    end_for_member, find_invitation, invite, invited_folder, list_invitations, resend, revoke, send,
};
pub use members::{
    Added, add, by_group, leave, may_leave, may_remove, member_by_key, members_of, no_member, remove,
    set_role,
};
pub use persons::{find, refuse_oneself, report, verify};

/// Who reads a folder by an invitation.
#[derive(Debug)]
pub struct ReadingGuests {
    /// Invitations of this account.
    pub own: Vec<InvitationId>,
    /// How many others there are.
    pub of_others: usize,
}

/// Who has rosters: the daemon that runs, or this process.
pub trait Rosters {
    /// What a folder's last accepted roster says.
    ///
    /// # Errors
    /// The roster cannot be opened, or this account is no member any more.
    fn roster(&self, folder: &FolderEntry) -> Result<RosterState>;

    /// By which of the account's `own` invitations somebody can read a folder, and by how many others.
    ///
    /// # Errors
    /// As [`roster`](Self::roster).
    fn reading_guests(&self, folder: &FolderEntry, own: &[InvitationId]) -> Result<ReadingGuests>;

    /// Changes a folder's members; blocks until it is done.
    ///
    /// # Errors
    /// [`MembersError`], or the keys are locked.
    fn change(&self, folder: &FolderEntry, change: MembersChange) -> Result<()>;
}

/// What acts on people are carried out with.
pub struct Scene<'a> {
    /// Ensafer's directories and settings.
    pub shell: &'a Shell,
    /// The account.
    pub unlocked: Unlocked,
    /// Who has the rosters.
    pub rosters: &'a dyn Rosters,
}

impl Scene<'_> {
    /// A folder's last accepted roster.
    ///
    /// # Errors
    /// As [`Rosters::roster`], in words.
    pub fn roster(&self, folder: &FolderEntry) -> Result<RosterState> {
        self.rosters.roster(folder).map_err(|error| for_people(error, folder))
    }

    /// Changes a folder's members.
    ///
    /// # Errors
    /// As [`Rosters::change`], in words.
    pub fn change(&self, folder: &FolderEntry, change: MembersChange) -> Result<()> {
        self.rosters.change(folder, change).map_err(|error| for_people(error, folder))
    }

    /// Whose account it is.
    fn login(&self) -> &Login {
        self.unlocked.account.login()
    }
}

/// Whoever is no member hears what that means for the folder.
fn for_people(error: anyhow::Error, folder: &FolderEntry) -> anyhow::Error {
    if exit::of(&error) == Exit::NotARecipient { no_member(folder).into() } else { error }
}

/// Everybody who reads a folder, and what this account may do there.
///
/// # Errors
/// As [`Scene::roster`].
pub fn people_of(scene: &Scene<'_>, folder: &FolderEntry) -> Result<PeopleReport> {
    let roster = scene.roster(folder)?;
    let me = scene.unlocked.account.identity().public();
    Ok(PeopleReport {
        members: members_of(scene, &roster)?,
        guests: guests_of(scene, folder)?,
        groups: groups_of(scene, &roster)?,
        role: roster.role_of(&me),
        may_administer: roster.may_administer(&me),
        is_disputed: roster.disputed,
    })
}

/// What this account may do in a folder, if its keys are at hand and the folder's last accepted roster opens.
#[must_use]
pub fn own_role(shell: &Shell, vault: &dyn Vault, folder: &FolderEntry) -> Option<Role> {
    let me = vault.unlocked().ok()?.account.identity().public();
    last_roster::roster(shell, vault, folder).ok()?.role_of(&me)
}

/// The work folder, for people.
#[must_use]
pub fn shown(folder: &FolderEntry) -> String {
    printable(&folder.work.to_string_lossy())
}

/// The work folder as one word of a command.
#[must_use]
pub fn word(folder: &FolderEntry) -> String {
    shell_word(&shown(folder))
}

/// Whether somebody has seen no keys but these: nobody is pretended to be.
const fn is_own(standing: Standing) -> bool {
    matches!(standing, Standing::Own)
}

/// Refuses what only admins may do.
fn refuse_others(scene: &Scene<'_>, roster: &RosterState) -> Result<()> {
    if roster.may_administer(&scene.unlocked.account.identity().public()) {
        return Ok(());
    }
    Err(MembersError::NotAllowed.into())
}

/// Something is so already.
fn already(what: String, remedy: String) -> anyhow::Error {
    Failure::new(Exit::Usage, what).with_remedy(remedy).with_class(RefusalClass::Already).into()
}

/// Something is not for this account to do.
fn not_allowed(exit: Exit, what: String, remedy: String) -> anyhow::Error {
    Failure::new(exit, what).with_remedy(remedy).with_class(RefusalClass::NotAllowed).into()
}
