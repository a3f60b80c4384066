//! People who are invited, and are no members yet.

use anyhow::Result;
use ensafer_core::account::OpenInvitation;
use ensafer_core::api::local::{AcceptedBy, GuestReport, GuestStanding, InvitedReport};
use ensafer_core::api::server::InvitationReport;
use ensafer_core::ids::InvitationId;
use ensafer_core::time::Timestamp;

use super::Scene;
use crate::account;
use crate::folders::FolderEntry;

/// Everybody who reads a folder by an invitation, as far as this computer knows: those whom this account has invited, then
/// one entry for each invitation of somebody else. Without the server it is not known who has accepted.
///
/// # Errors
/// As [`Rosters::reading_guests`](super::Rosters::reading_guests).
pub fn guests_of(scene: &Scene<'_>, folder: &FolderEntry) -> Result<Vec<GuestReport>> {
    let mut own = account::open_invitations(&scene.shell.home, &scene.unlocked.account)?;
    own.retain(|_, invitation| invitation.folder == folder.id);
    let served = if own.is_empty() { Vec::new() } else { served(scene) };
    let ids: Vec<_> = own.keys().copied().collect();
    let reading = scene.rosters.reading_guests(folder, &ids)?;
    let report = |(id, invitation): (&InvitationId, &OpenInvitation)| {
        report(scene, *id, invitation, &served, reading.own.contains(id))
    };
    let mut guests: Vec<_> = own.iter().map(report).collect();
    let of_another = GuestReport { standing: GuestStanding::OfAnother, invitation: None };
    guests.resize(guests.len() + reading.of_others, of_another);
    Ok(guests)
}

/// A list is shown without the server as well.
fn served(scene: &Scene<'_>) -> Vec<InvitationReport> {
    let shell = scene.shell;
    account::served_invitations(&shell.home, &shell.config, &scene.unlocked).unwrap_or_else(|error| {
        shell.output.warn(format_args!("Who has accepted an invitation is not known: {error}"));
        Vec::new()
    })
}

/// An invitation of this account; `is_in` says whether the folder has a key for its guest.
pub(super) fn report(
    scene: &Scene<'_>,
    id: InvitationId,
    invitation: &OpenInvitation,
    served: &[InvitationReport],
    is_in: bool,
) -> GuestReport {
    let Scene { shell, unlocked, .. } = scene;
    let accepted_by = served
        .iter()
        .find(|report| report.id == id)
        .and_then(|report| account::proven_guest(id, invitation, report, &unlocked.account))
        .map(|guest| AcceptedBy {
            login: guest.bundle().login.to_string(),
            name: account::name_of(&shell.home, &shell.config, unlocked, &guest),
            is_invited_address: guest.bundle().login == invitation.invited,
        });
    let standing = match (&accepted_by, is_in) {
        (_, false) => GuestStanding::ShutOut,
        (Some(_), true) => GuestStanding::Accepted,
        (None, true) => GuestStanding::Invited,
    };
    let invitation = InvitedReport {
        id,
        invited: invitation.invited.to_string(),
        role: invitation.role,
        expires: time(invitation.expires_at_s),
        accepted_by,
    };
    GuestReport { standing, invitation: Some(invitation) }
}

/// A time of the protocol, for people.
#[must_use]
pub fn time(seconds: u64) -> String {
    Timestamp::from_parts(i64::try_from(seconds).unwrap_or(i64::MAX), 0).to_string()
}
