//! What becomes of the invitations that this account made: a folder lets their guests read, guests who have proven
//! themselves become members, and what has ended is taken back.

use anyhow::{Context, Result, bail};
use ensafer_core::account::{OpenInvitation, SignedBundle};
use ensafer_core::api::hex::HexArray;
use ensafer_core::api::local::MembersChange;
use ensafer_core::api::server::InvitationReport;
use ensafer_core::crypto::VerifyingKey;
use ensafer_core::ids::{FolderId, InvitationId};

use crate::account::{self, AccountError, Unlocked};
use crate::engine::{MemberChange, MembersError};
use crate::folders::Folders;
use crate::shell::Shell;

/// Changes a folder's members.
pub type ChangeMembers<'a> = &'a dyn Fn(FolderId, MemberChange) -> Result<()>;

/// A change of a folder's members as the engine carries it out: with keys for what a request only names.
///
/// # Errors
/// Keys that are none.
pub fn member_change(change: &MembersChange) -> Result<MemberChange> {
    let key = |bytes: &HexArray<32>| VerifyingKey::new(bytes.0).context("this is no public key");
    Ok(match change {
        MembersChange::Add { bundle, role } => {
            let bundle = SignedBundle::try_from(bundle).context("these are no public keys")?;
            MemberChange::Add { bundle: Box::new(bundle), role: *role }
        }
        MembersChange::SetRole { member, role } => {
            MemberChange::SetRole { subject: key(member)?, role: *role }
        }
        MembersChange::Remove { member } => MemberChange::Remove { subject: key(member)? },
        MembersChange::Leave => MemberChange::Leave,
        MembersChange::ShareWith { group, role } => MemberChange::ShareWith { group: *group, role: *role },
        MembersChange::Unshare { group } => MemberChange::Unshare { group: *group },
        MembersChange::LearnGroups => MemberChange::LearnGroups,
        MembersChange::Invite { invitations } => MemberChange::Invite { invitations: invitations.clone() },
        MembersChange::Uninvite { invitations } => {
            MemberChange::Uninvite { invitations: invitations.clone() }
        }
    })
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
    let end = || change(invitation.folder, MemberChange::Uninvite { invitations: vec![id] });
    if invitation.expires_at_s < account::now_s() {
        // Whoever is no admin any more has no guests either: whoever took the role saw to that.
        end().or_else(|error| if is(&error, &MembersError::NotAllowed) { Ok(()) } else { Err(error) })?;
    } else if let Some(report) = report.filter(|report| report.acceptance.is_some()) {
        let guest = account::proven_guest(id, invitation, report, &unlocked.account);
        let Some(guest) = guest else { bail!("the server shows an acceptance that proves nothing") };
        account::meet_guest(&shell.home, &shell.config, unlocked, &guest)?;
        let (bundle, role) = (Box::new(guest), invitation.role);
        match change(invitation.folder, MemberChange::Complete { invitation: id, bundle, role }) {
            Err(error) if is(&error, &MembersError::Former) => end()?,
            completed => completed?,
        }
    } else {
        return Ok(false);
    }
    account::end_invitation(&shell.home, &shell.config, unlocked, id)?;
    Ok(true)
}

fn is(error: &anyhow::Error, what: &MembersError) -> bool {
    let found = error.chain().find_map(|link| link.downcast_ref::<MembersError>());
    found.is_some_and(|found| std::mem::discriminant(found) == std::mem::discriminant(what))
}
