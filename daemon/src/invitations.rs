//! What becomes of the invitations that this account made: a folder lets their guests read, guests who have proven
//! themselves become members, and what has ended is taken back.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ensafer_core::account::{Account, OpenInvitation, SignedBundle};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::MembersChange;
use ensafer_core::api::server::InvitationReport;
use ensafer_core::crypto::{InviteKey, VerifyingKey};
use ensafer_core::ids::{FolderId, InvitationId};

use crate::account::{self, AccountError, Unlocked};
use crate::engine::MemberChange;
use crate::folders::Folders;
use crate::home::Home;
use crate::shell::Shell;

/// Changes a folder's members.
pub type ChangeMembers<'a> = &'a dyn Fn(FolderId, MemberChange) -> Result<()>;

/// A change of `folder`'s members as the engine carries it out: with keys for what a request only names.
///
/// # Errors
/// Keys that are none, or an invitation that the account does not have.
pub fn member_change(
    home: &Home,
    account: &Account,
    folder: FolderId,
    change: &MembersChange,
) -> Result<MemberChange> {
    let key = |bytes: &HexArray<32>| VerifyingKey::new(bytes.0).context("this is no public key");
    Ok(match change {
        MembersChange::Add { bundle, role } => {
            let bundle = SignedBundle::try_from(bundle).context("these are no public keys")?;
            MemberChange::Add { bundle: Box::new(bundle), role: *role }
        }
        MembersChange::SetRole { member, role } => {
            MemberChange::SetRole { subject: key(member)?, role: *role }
        }
        MembersChange::Remove { member, login } => {
            let stays = |_: &InvitationId, invitation: &OpenInvitation| invitation.invited.as_str() != login;
            MemberChange::Remove { subject: key(member)?, guests: guests(home, account, folder, stays)? }
        }
        MembersChange::Leave => MemberChange::Leave,
        MembersChange::ShareWith { group, role } => MemberChange::ShareWith { group: *group, role: *role },
        MembersChange::Unshare { group } => {
            let guests = guests(home, account, folder, |_, _| true)?;
            MemberChange::Unshare { group: *group, guests }
        }
        MembersChange::LearnGroups => MemberChange::LearnGroups,
        MembersChange::Invite { invitations } => {
            let open = account::open_invitations(home, account)?;
            let invited = |id: &InvitationId| {
                let invitation = open.get(id).context("the account has no such invitation")?;
                Ok((*id, Arc::new(invitation.secrets.derive(*id).reading)))
            };
            MemberChange::Invite { invited: invitations.iter().map(invited).collect::<Result<_>>()? }
        }
        MembersChange::Uninvite { invitations } => {
            let stays = |id: &InvitationId, _: &OpenInvitation| !invitations.contains(id);
            let guests = guests(home, account, folder, stays)?;
            MemberChange::Uninvite { invitations: invitations.clone(), guests }
        }
    })
}

/// Those of the account's own guests of a folder who stay when a new epoch starts.
fn guests(
    home: &Home,
    account: &Account,
    folder: FolderId,
    stays: impl Fn(&InvitationId, &OpenInvitation) -> bool,
) -> Result<Vec<(InvitationId, Arc<InviteKey>)>, AccountError> {
    let open = account::open_invitations(home, account)?;
    let guests = open.into_iter().filter(|(id, guest)| guest.folder == folder && stays(id, guest));
    Ok(guests.map(|(id, invitation)| (id, Arc::new(invitation.secrets.derive(id).reading))).collect())
}

/// Makes members of the guests who have accepted, and takes back what has ended, in the folders of this computer. Says
/// how many invitations are left that somebody may still accept.
///
/// # Errors
/// The account's state cannot be read, or the server says so. One invitation's trouble does not stop the others.
pub fn tend(shell: &Shell, unlocked: &Unlocked, change: ChangeMembers<'_>) -> Result<usize, AccountError> {
    let open = account::open_invitations(&shell.home, &unlocked.account)?;
    if open.is_empty() {
        return Ok(0);
    }
    // What has ended is taken back whatever the server says, or does not.
    let served = account::served_invitations(&shell.home, &shell.config, unlocked).unwrap_or_else(|error| {
        tracing::debug!(%error, "the server does not say who accepted");
        Vec::new()
    });
    let mut left = open.len();
    for (id, invitation) in &open {
        let report = served.iter().find(|report| report.id == *id);
        match tend_one(shell, unlocked, (*id, invitation), report, change) {
            Ok(true) => left -= 1,
            Ok(false) => {}
            Err(error) => {
                let error = crate::exit::describe(&error);
                tracing::warn!(invitation = %id, error, "an invitation could not be seen to");
            }
        }
    }
    Ok(left)
}

/// Returns whether the invitation is done with.
fn tend_one(
    shell: &Shell,
    unlocked: &Unlocked,
    (id, invitation): (InvitationId, &OpenInvitation),
    report: Option<&InvitationReport>,
    change: ChangeMembers<'_>,
) -> Result<bool> {
    let folders = Folders::load(shell.home.data_dir())?;
    if folders.entries().iter().all(|entry| entry.id != invitation.folder) {
        // Another of the account's computers has the folder.
        return Ok(false);
    }
    if invitation.expires_at_s < account::now_s() {
        let guests = guests(&shell.home, &unlocked.account, invitation.folder, |other, _| *other != id)?;
        change(invitation.folder, MemberChange::Uninvite { invitations: vec![id], guests })?;
    } else if let Some(report) = report.filter(|report| report.acceptance.is_some()) {
        let guest = account::proven_guest(id, invitation, report, &unlocked.account);
        let Some(guest) = guest else { bail!("the server shows an acceptance that proves nothing") };
        account::meet_guest(&shell.home, &shell.config, unlocked, &guest)?;
        let bundle = Box::new(guest);
        change(invitation.folder, MemberChange::Complete { invitation: id, bundle, role: invitation.role })?;
    } else {
        return Ok(false);
    }
    account::end_invitation(&shell.home, &shell.config, unlocked, id)?;
    Ok(true)
}
